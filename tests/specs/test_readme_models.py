"""The README's tables of what a model can be: complete, and each row exercised by a test that runs such a model."""

from __future__ import annotations

import ast
import importlib.util
from typing import NamedTuple

import pytest

from harness.models import open_objects
from harness.models.kinds import KINDS
from harness.models.kinds_without_files import BM25, CALLABLE, HASHING
from tests.conftest import ROOT

HEADERS = ("| A model is |", "| Its files hold |")


class Exercise(NamedTuple):
    """The tests that run what a row names, as `file::test` under `tests`, and the kinds of model that it covers."""

    tests: tuple[str, ...]
    kinds: tuple[str, ...] = ()


EXERCISED = {
    "on the hub, at a branch, tag or commit": Exercise(
        ("integration/test_hub.py::test_online_then_offline", "integration/test_hub.py::test_revisions")
    ),
    "a folder": Exercise(("integration/test_folder_models.py::test_every_command_tells_them_apart",)),
    "bundled": Exercise(("oracle/test_direct.py::test_a_run_of_the_bundled_model_imports_little",)),
    "a baseline": Exercise(
        ("unit/models/test_baselines.py::test_hashing_by_hand", "unit/models/test_baselines.py::test_bm25_by_hand"),
        (HASHING.name, BM25.name),
    ),
    "behind HTTP, at a server or a provider": Exercise(
        (
            "integration/test_endpoints.py::test_scores_are_those_of_the_same_model_here",
            "integration/test_endpoints.py::test_input_types_reach_the_server",
        ),
        ("OpenAI-compatible endpoint", "Voyage endpoint", "Cohere endpoint", "Google endpoint"),
    ),
    "a Python callable or an open model": Exercise(
        (
            "integration/test_cli.py::test_run_a_callable",
            "integration/test_open_objects.py::test_a_sentence_transformer",
            "integration/test_open_objects.py::test_other_objects",
            "integration/test_open_objects.py::test_any_object_with_encode",
        ),
        (CALLABLE.name, *(kind.name for kind in open_objects.KINDS)),
    ),
    "a transformer, with the modules of sentence-transformers or without": Exercise(
        (
            "oracle/test_direct.py::test_the_vectors",
            "oracle/test_encoder.py::test_the_same_bits",
            "oracle/test_encoder.py::test_a_plain_transformers_model",
        ),
        ("bert", "sentence-transformers", "transformers encoder"),
    ),
    "static embeddings": Exercise(("oracle/test_direct.py::test_static_embeddings",), ("static embeddings",)),
    "an adapter of peft": Exercise(
        ("integration/test_hub.py::test_an_adapter_brings_its_base", "oracle/test_adapters.py::test_an_adapter")
    ),
    "code of its own": Exercise(
        (
            "oracle/test_encoder.py::test_a_module_of_its_own_code",
            "integration/test_hub.py::test_code_in_another_repository",
        )
    ),
    "a sparse encoder (SPLADE)": Exercise(
        ("oracle/test_model_kinds.py::test_sparse_and_multi_vector_models",), ("sparse encoder",)
    ),
    "a multi-vector model (ColBERT, pylate)": Exercise(
        (
            "oracle/test_model_kinds.py::test_sparse_and_multi_vector_models",
            "oracle/test_model_kinds.py::test_a_folder_of_pylate",
        ),
        ("multi-vector",),
    ),
    "a cross-encoder": Exercise(
        (
            "oracle/test_model_kinds.py::test_cross_encoders",
            "oracle/test_model_kinds.py::test_retrieval_in_two_stages",
        ),
        ("cross-encoder",),
    ),
    "ONNX, OpenVINO or GGUF": Exercise(
        (
            "oracle/test_backends.py::test_onnx",
            "oracle/test_backends.py::test_openvino",
            "oracle/test_backends.py::test_gguf",
        ),
        ("onnx", "openvino", "gguf"),
    ),
    "what only mteb's own loader runs": Exercise(
        ("oracle/test_model_kinds.py::test_models_of_mtebs_own_loaders",),
        ("mteb's loader, vectors", "mteb's loader, reranking", "mteb's loader, search"),
    ),
}


def rows() -> list[str]:
    """The first cell of each row of both tables."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    cells = []
    for header in HEADERS:
        (start,) = (place for place, line in enumerate(lines) if line.startswith(header))
        for line in lines[start + 2 :]:
            if not line.startswith("|"):
                break
            cells.append(line.split("|")[1].strip())
    return cells


def test_each_row_has_its_tests() -> None:
    """The tables and the list above hold the same rows, each once."""
    assert sorted(rows()) == sorted(EXERCISED)


def test_each_kind_has_a_row() -> None:
    """Every kind of model that can be run stands in exactly one row."""
    kinds = {kind.name for kind in (*KINDS, *open_objects.KINDS, HASHING, BM25, CALLABLE) if kind.open is not None}
    listed = [name for exercise in EXERCISED.values() for name in exercise.kinds]
    assert sorted(listed) == sorted(kinds)


def missing_packages(tree: ast.Module, test: ast.FunctionDef) -> set[str]:
    """The packages without which a test, or its whole file, skips, and which are not installed."""
    calls = [node for part in (test, *top_level(tree)) for node in ast.walk(part) if isinstance(node, ast.Call)]
    needed = {ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "pytest.importorskip"}
    return {package for package in needed if importlib.util.find_spec(package) is None}


def top_level(tree: ast.Module) -> list[ast.stmt]:
    """What runs when a file is imported."""
    return [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]


@pytest.mark.parametrize("row", EXERCISED)
def test_the_tests_of_a_row(row: str) -> None:
    """Each test of a row exists, is one of `make test`, and asserts something. A row counts as exercised only where all
    of its tests run: it is skipped with the packages that are missing.
    """
    assert EXERCISED[row].tests
    not_run: dict[str, set[str]] = {}
    for name in EXERCISED[row].tests:
        file, _, function = name.partition("::")
        tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
        (test,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
        assert "slow" not in " ".join(map(ast.unparse, test.decorator_list))
        assert "assert" in ast.unparse(test)
        if missing := missing_packages(tree, test):
            not_run[function] = missing
    if not_run:
        shown = "; ".join(f"{function} needs {', '.join(sorted(names))}" for function, names in not_run.items())
        pytest.skip(f"{len(not_run)} of {len(EXERCISED[row].tests)} tests of this row do not run here: {shown}")


def test_a_test_that_does_not_run_is_no_exercise() -> None:
    """Packages that a test or its file asks for are found, and only those that are not installed count."""
    code = "pytest.importorskip('numpy')\npytest.importorskip('no_such')\ndef test(): pytest.importorskip('nor_such')\n"
    tree = ast.parse(code + "def other(): pytest.importorskip('of_another')")
    test = tree.body[2]
    assert isinstance(test, ast.FunctionDef)
    assert missing_packages(tree, test) == {"no_such", "nor_such"}
