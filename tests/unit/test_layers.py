"""Who may import whom: each heavy package has its owners, inner layers know nothing of outer ones."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "harness"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

OWNERS = {
    "torch": (
        "models/sentence_transformer.py",
        "models/dense_loading.py",
        "models/devices.py",
        "models/altered_copies.py",
        "models/bert_encoder.py",
        "models/bert_forward.py",
        "models/cuda_runtime.py",
        "models/forward_threads.py",
        "models/packed_attention.py",
        "models/packed_forward.py",
        "models/packing.py",
        "models/mteb_backend.py",
        "models/scoring_head.py",
        "models/sparse_model.py",
        "models/graph_backend.py",
        "evaluators/device_search.py",
    ),
    "sentence_transformers": (
        "models/sentence_transformer.py",
        "models/dense_loading.py",
        "models/packing.py",
        "runner/trainer_evaluator.py",
    ),
    "transformers": (
        "models/packed_attention.py",
        "models/packing.py",
        "models/dense_loading.py",
        "models/graph_backend.py",
        "models/bert_tokenizer.py",
        "models/special_tokens.py",
    ),
    "datasets": ("data/hub_tables.py", "models/mteb_backend.py"),
    "pyarrow": ("data/local_tables.py", "data/table_cache.py", "outputs/leaderboard_text.py"),
    "huggingface_hub": ("hub/", "cards/eval_results.py"),
    "bm25s": ("models/baselines.py",),
    "sklearn": ("evaluators/",),
    "scipy": ("evaluators/summarization.py",),
    "rich": ("cli/progress.py",),
    "mteb": (
        "data/mteb_bridge.py",
        "models/mteb_backend.py",
        "models/mteb_tasks.py",
    ),
    "pandas": ("types/data_frame.py",),
    "onnxruntime": ("models/graph_backend.py",),
    "openvino": ("models/graph_backend.py",),
    "llama_cpp": ("models/gguf_encoder.py",),
    "ray": ("nightly/engines/ray_cluster.py",),
    "jinja2": ("outputs/site/pages.py",),
    "packaging": ("leaderboard/record_choice.py", "models/mteb_requirements.py"),
    "tiktoken": ("models/openai_endpoint.py",),
    "requests": ("models/endpoint_client.py",),
}


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@functools.cache
def imported(file: str, *, top_level: bool = False, for_types: bool = False) -> frozenset[str]:
    """Dotted names that a module imports when it runs; with `top_level`, when it is imported.

    Imports for the type checker alone are left out, unless `for_types`.
    """
    found: set[str] = set()
    todo: list[ast.AST] = [ast.parse((PACKAGE / file).read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if (is_for_types(node) and not for_types) or (top_level and isinstance(node, ast.FunctionDef)):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute here"
            assert node.module
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if is_module(name) else str(node.module) for name in inside}
        todo += ast.iter_child_nodes(node)
    return frozenset(found)


def is_module(name: str) -> bool:
    place = PACKAGE.parent / name.replace(".", "/")
    return place.with_suffix(".py").is_file() or place.is_dir()


def own(file: str, *, top_level: bool = False) -> set[str]:
    """The parts of the package that a module imports: `types`, `data`, ... and `cli.run` as `cli`."""
    names = imported(file, top_level=top_level)
    return {name.split(".")[1] for name in names if name.startswith("harness.")} | (
        {"harness"} if "harness" in names else set()
    )


def test_the_walk_sees_imports() -> None:
    """The walk finds imports at the top and in functions, and leaves out those for the type checker."""
    assert "torch" in imported("models/devices.py")
    assert "torch" not in imported("models/devices.py", top_level=True)
    assert "harness.files.atomic" in imported("results/__init__.py", top_level=True)
    assert own("runner/execution.py") >= {"models", "results", "types"}


@pytest.mark.parametrize("package", OWNERS)
def test_a_heavy_package_has_its_owners(package: str) -> None:
    """Only its owners import it, and only inside functions.

    The evaluator for trainers derives from a class of sentence-transformers, so its module alone imports that at its
    top; no other module imports it there.
    """
    users = {file for file in MODULES if package in {name.split(".")[0] for name in imported(file)}}
    assert {file for file in users if not file.startswith(OWNERS[package] or ("-",))} == set()
    assert bool(users) == bool(OWNERS[package])
    at_import = {file for file in users if package in {name.split(".")[0] for name in imported(file, top_level=True)}}
    evaluator = {"runner/trainer_evaluator.py"} if package == "sentence_transformers" else set()
    assert at_import == evaluator
    assert not any("harness.runner.trainer_evaluator" in imported(file, top_level=True) for file in MODULES)


@functools.cache
def order() -> dict[str, int]:
    """Room -> its place in the map that the package's docstring draws."""
    docstring = ast.get_docstring(ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8")))
    assert docstring
    rooms = re.findall(r"^    (\w+) {2,}\S", docstring, flags=re.MULTILINE)
    return {room: place for place, room in enumerate(rooms)}


def room_of(file: str) -> str:
    return file.split("/")[0].removesuffix(".py")


def test_every_file_lies_in_a_room_of_the_map() -> None:
    """The root holds the map, the entry point, the errors and the type marker; every folder is a room of the map."""
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    files = {"__init__.py", "__main__.py", "errors.py", "py.typed"}
    assert entries - files == order().keys() - {"errors"}
    assert files <= entries


@pytest.mark.parametrize("file", [file for file in MODULES if file not in ("__init__.py", "__main__.py")])
def test_a_room_imports_only_from_rooms_above_it(file: str) -> None:
    """No import runs against the order of rooms in the map; the package's own face stands last, before `cli`."""
    here = order()[room_of(file)]
    for room in own(file) - {room_of(file)}:
        there = order()["cli"] - 0.5 if room == "harness" else order()[room]
        assert there < here, f"{file} imports {room}"


def test_no_modules_import_each_other() -> None:
    """No chain of imports, those for types included, leads from a module back to itself."""
    names = {
        file: "harness." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in MODULES
    }
    graph = {names[file]: imported(file, for_types=True) - {names[file]} for file in MODULES}
    list(graphlib.TopologicalSorter(graph).static_order())


def test_nothing_but_the_command_prints_or_exits() -> None:
    """`print` and `exit` stand in `cli` only."""
    for file in MODULES:
        if file.startswith("cli/") or file == "__main__.py":
            continue
        calls = [node.func for node in ast.walk(ast.parse((PACKAGE / file).read_text())) if isinstance(node, ast.Call)]
        assert {"print", "exit", "sys.exit"}.isdisjoint(map(ast.unparse, calls)), file
        assert "cli" not in own(file), file
