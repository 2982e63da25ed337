PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test test-slow bench lint clean

install: $(STAMP)

# torch comes first and alone, from the constraints: a plain `torch` brings gigabytes of CUDA packages.
# To measure on an NVIDIA GPU, install the torch build of your CUDA version into .venv afterwards.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,dev]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/harness run bundled/all-MiniLM-L6-v2 baseline/hashing baseline/bm25 --suite mini --offline --overwrite --results demo-results
	$(BIN)/harness table --suite mini --results demo-results

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# All published scores that the data beside the checkout allows, and whole tasks against mteb: half an hour on two cores.
test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

bench: $(STAMP)
	$(BIN)/python -m pytest tests/benchmarks -s

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) demo-results
