PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OLDEST := .venv-oldest
OLDEST_STAMP := $(OLDEST)/.installed
BACKENDS := .venv-backends
BACKENDS_STAMP := $(BACKENDS)/.installed

NEW_ENOUGH = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
TOO_OLD = embedding-harness needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) --version 2>&1); run: make PYTHON=python3.12
# The dependencies in pyproject.toml, each at its lower bound.
LOWER_BOUNDS = import tomllib; \
	bounds = tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]; \
	print(*(bound.split(",")[0].replace(">=", "==") for bound in bounds), sep="\n")

.PHONY: install demo test test-backends test-oldest test-slow faults bench lint clean

install: $(STAMP)

# torch comes first and alone, from the constraints: a plain `torch` brings gigabytes of CUDA packages. Where pip finds
# CUDA builds only, set PIP_EXTRA_INDEX_URL to the index of CPU builds of PyTorch.
# To measure on an NVIDIA GPU, install the torch build of your CUDA version into .venv afterwards.
$(STAMP): pyproject.toml constraints.txt
	@$(NEW_ENOUGH) || { echo "$(TOO_OLD)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,dev]'
	touch $(STAMP)

$(OLDEST_STAMP): pyproject.toml
	@$(NEW_ENOUGH) || { echo "$(TOO_OLD)"; exit 1; }
	$(PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/python -c '$(LOWER_BOUNDS)' > $(OLDEST)/lower-bounds.txt
	$(OLDEST)/bin/python -m pip install --quiet --upgrade pip
	$(OLDEST)/bin/python -m pip install --quiet --constraint $(OLDEST)/lower-bounds.txt torch
	$(OLDEST)/bin/python -m pip install --quiet --constraint $(OLDEST)/lower-bounds.txt --editable '.[demo]' \
		pytest pytest-xdist hypothesis
	touch $(OLDEST_STAMP)

# The packages of the extras for other backends and adapters, and those that write their files, beside what .venv holds.
$(BACKENDS_STAMP): $(STAMP)
	$(PYTHON) -m venv --clear $(BACKENDS)
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> "$$($(BACKENDS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/of-venv.pth"
	$(BACKENDS)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[onnx,openvino,gguf,peft]' \
		onnx gguf
	touch $(BACKENDS_STAMP)

demo: $(STAMP)
	$(BIN)/harness run bundled/all-MiniLM-L6-v2 baseline/hashing baseline/bm25 --suite mini --offline --overwrite --results demo-results
	$(BIN)/harness table --suite mini --results demo-results

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# The tests that `make test` skips where a package is missing: ONNX, OpenVINO, GGUF, adapters of peft.
test-backends: $(BACKENDS_STAMP)
	$(BACKENDS)/bin/python -m pytest tests/oracle/test_backends.py tests/oracle/test_adapters.py \
		tests/specs/test_readme_models.py

# The tests that need neither a hub nor mteb beside them, with the oldest versions that pyproject.toml allows.
test-oldest: $(OLDEST_STAMP)
	$(OLDEST)/bin/python -m pytest tests/unit tests/properties tests/specs

# All published scores that the data beside the checkout allows, and whole tasks against mteb: half an hour on two cores.
test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow
	FAULTS_MINUTES=2 FAULTS_SEED=1 $(BIN)/python -m tests.faults

# Faults of every kind: kills, torn writes, damaged files, strange input. FAULTS_SEED, FAULTS_MINUTES and FAULTS_KINDS
# choose the seed, the time and the kinds. The status is 1 where something is lost or wrong, hangs, or is a traceback.
faults: $(STAMP)
	$(BIN)/python -m tests.faults

bench: $(STAMP)
	$(BIN)/python -m pytest tests/benchmarks -s

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) $(OLDEST) $(BACKENDS) demo-results
