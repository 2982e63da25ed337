"""The command in this process, and private tasks of a few rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from harness import cli

Rows = Sequence[Mapping[str, Any]]

_METRIC = {
    "STS": "cosine_spearman",
    "PairClassification": "max_ap",
    "Classification": "accuracy",
    "Clustering": "v_measure",
    "Retrieval": "ndcg_at_10",
}
_PAIRS = [
    ("a red car stands in the yard", "a red car stands in the garden", 4.5, 1),
    ("the cat sleeps", "the cat is asleep", 4, 1),
    ("two boys play chess", "two men play cards", 2, 0),
    ("rain is forecast for Monday", "the stock fell on Monday", 1, 0),
    ("bread rises in a warm room", "an eagle circles above the lake", 0, 0),
    ("she sings a song", "a song is sung by her", 5, 1),
]
_TOPICS = [
    ("sun and rain and wind", "weather"),
    ("wind and snow and rain", "weather"),
    ("snow and sun and fog", "weather"),
    ("flour and butter and sugar", "kitchen"),
    ("butter and salt and flour", "kitchen"),
    ("sugar and salt and oil", "kitchen"),
]
_LABELLED = [{"text": text, "label": label} for text, label in _TOPICS]

GOOD: dict[str, dict[str, list[dict[str, Any]]]] = {
    "STS": {"test.jsonl": [{"sentence1": a, "sentence2": b, "score": score} for a, b, score, _ in _PAIRS]},
    "PairClassification": {
        "test.jsonl": [{"sentence1": a, "sentence2": b, "labels": label} for a, b, _, label in _PAIRS]
    },
    "Classification": {"train.jsonl": _LABELLED, "test.jsonl": _LABELLED},
    "Clustering": {"test.jsonl": [{"sentences": text, "labels": label} for text, label in _TOPICS]},
    "Retrieval": {
        "corpus.jsonl": [{"_id": f"d{i}", "title": "", "text": text} for i, (text, _) in enumerate(_TOPICS)],
        "queries.jsonl": [{"_id": "q0", "text": "rain and wind"}, {"_id": "q1", "text": "oil and salt"}],
        "qrels.jsonl": [
            {"query-id": "q0", "corpus-id": "d1", "score": 1},
            {"query-id": "q1", "corpus-id": "d5", "score": 1},
        ],
    },
}
"""Data that each task type accepts; the tests spoil one thing in it."""


class Said(NamedTuple):
    """What a command answered."""

    status: int
    out: str
    err: str


class Tasks(NamedTuple):
    """A folder of private tasks; `write` adds one, `path` is for `--tasks-dir`."""

    path: str
    write: Callable[..., Path]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results folder of `command`, which does not exist yet."""
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "results"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def command(results: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run the command in this process: `command("run", ...)`. An exception that leaves `main` fails the test."""

    def call(*arguments: str) -> Said:
        capsys.readouterr()
        try:
            status = cli.main(arguments)
        except SystemExit as leaving:  # argparse
            status = int(leaving.code or 0)
        return Said(status, *capsys.readouterr())

    return call


@pytest.fixture
def tasks(tmp_path: Path) -> Tasks:
    """Write private tasks: `tasks.write("Mine", "STS", {"test.jsonl": rows or text}, main_metric="pearson")`."""
    folder = tmp_path / "private"
    folder.mkdir()

    def write(name: str, type_: str = "STS", files: Mapping[str, Rows | str] | None = None, **changes: Any) -> Path:
        spec = {
            "name": name,
            "type": type_,
            "description": "A task of this test.",
            "source": {"kind": "local", "path": f"data/{name}"},
            "splits": ["test"],
            "main_metric": _METRIC[type_],
            "subsets": {"default": ["eng-Latn"]},
            **({"settings": {"max_fraction_of_documents_to_embed": None}} if type_ == "Clustering" else {}),
            **changes,
        }
        for file, content in {**GOOD[type_], **(files or {})}.items():
            path = folder / "data" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else jsonl(content), encoding="utf-8")
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(spec, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return path

    return Tasks(str(folder), write)


def jsonl(rows: Rows) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture
def good() -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Data that each task type accepts."""
    return json.loads(json.dumps(GOOD))
