"""Data sets of the hub that cannot be used: each cell fails with one clear message, and the others are recorded."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

GOOD = [{"sentence1": "a b", "sentence2": "a b", "score": 5}, {"sentence1": "a b", "sentence2": "c d", "score": 0}]
REVISION = "c" * 40


def _rows(folder: Path, rows: list[dict[str, Any]]) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _script(folder: Path) -> None:
    (folder / f"{folder.name}.py").write_text("raise SystemExit('this code must never run')\n")


def _encrypted(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "test.parquet").write_bytes(b"\x00\x8f\x13\xa7" * 4096)


def _archive(folder: Path) -> None:
    with zipfile.ZipFile(folder / "test.zip", "w") as archive:
        archive.writestr("readme.bin", b"\x01\x02")


def _vanished(folder: Path) -> None:
    _rows(folder, GOOD)
    (folder / ".revisions").write_text(f"main {'d' * 40}\n")


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "Script": (_script, "script|no data|doesn't contain any data|not supported"),
    "Encrypted": (_encrypted, "not a parquet file|cannot be read"),
    "Archive": (_archive, "."),
    "Vanished": (_vanished, "no such data set or revision"),
    "Columns": (lambda folder: _rows(folder, [{"left": "a", "score": 1}]), "no column 'sentence1'"),
    "Types": (lambda folder: _rows(folder, [{**GOOD[0], "score": "five"}, GOOD[1] | {"score": "x"}]), "a number"),
    "Empty": (lambda folder: _rows(folder, []), "no rows"),
}


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """A hub with one good data set and the bad ones, and a spec for each."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    makers: dict[str, Callable[[Path], None]] = {name: make for name, (make, _) in BAD.items()}
    makers["Good"] = lambda repository: _rows(repository, GOOD)
    for name, make in makers.items():
        repository = tmp_path / "root" / "datasets" / "acme" / name.lower()
        repository.mkdir(parents=True)
        make(repository)
        (folder / f"{name}.yaml").write_text(
            f"name: {name}\ntype: STS\ndescription: test\nsplits: [test]\nsubsets: {{default: [eng-Latn]}}\n"
            f"source: {{kind: hub, path: acme/{name.lower()}, revision: {REVISION}}}\nmain_metric: cosine_spearman\n"
        )
    return folder


def test_each_fails_alone(harness: Callable[..., Any], localhub: ModuleType, tmp_path: Path, specs: Path) -> None:
    """A script, an encrypted file, an archive, a revision that has gone, wrong columns, wrong types, no rows."""
    with localhub.LocalHub(str(tmp_path / "root")) as server:
        done = harness(
            "run", "baseline/hashing", "-t", ",".join([*BAD, "Good"]), "--tasks-dir", str(specs), "--json",
            env={"HF_ENDPOINT": server.endpoint},
        )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "this code must never run" not in done.stdout + done.stderr
    cells = {cell["task"]: cell for cell in json.loads(done.stdout)["cells"]}
    assert cells["Good"]["status"] == "recorded"
    for name, (_, message) in BAD.items():
        assert cells[name]["status"] == "failed", name
        error = cells[name]["error"]
        assert re.search(message, error), f"{name}: {error}"
        assert error.startswith(name), error
        assert "\n" not in error, error
    assert [file.name for file in (tmp_path / "results").rglob("*.json") if file.name != "model_meta.json"] == [
        "Good.json"
    ]
