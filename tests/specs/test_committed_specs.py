"""Every task and suite that ships, and the sizes and sanity of the data that ships with them."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.tasks import registry
from harness.types import Part, TaskSpec

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "tasks").rglob("*.yaml"))
TASKS = {path.stem: path for path in FILES if path.parent.name != "suites"}
SUITES = {path.stem: path for path in FILES if path.parent.name == "suites"}
LOCAL = {name: task for name, path in TASKS.items() if (task := registry.load_file(path)).source.kind == "local"}


def _named(*prefixes: str) -> Any:
    """Parametrizes a test over the local tasks whose names begin so; fails if there is none."""
    found = [pytest.param(task, id=name) for name, task in LOCAL.items() if name.startswith(prefixes)]
    assert found, prefixes
    return pytest.mark.parametrize("task", found)


def _rows(task: TaskSpec, table: str) -> list[dict[str, Any]]:
    path = Path(task.file).parent / task.source.path / f"{table}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _column(task: TaskSpec, table: str, field: str) -> list[Any]:
    return [row[task.columns[field]] for row in _rows(task, table)]


def _twice(texts: list[str]) -> list[str]:
    """Texts that occur more than once, whatever their case and spacing."""
    counted = Counter(" ".join(text.casefold().split()) for text in texts)
    return [text for text, times in counted.items() if times > 1]


@pytest.mark.parametrize("name", TASKS)
def test_every_task_file_loads_and_round_trips(name: str, tmp_path: Path) -> None:
    """A committed task parses, and what `render` makes of it reads back as the same task."""
    task = registry.load_file(TASKS[name])
    copy = tmp_path / f"{name}.yaml"
    copy.write_text(registry.render(task), encoding="utf-8")
    assert registry.load_file(copy) == dataclasses.replace(task, file=str(copy))
    assert registry.render(registry.load_file(copy)) == copy.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TASKS)
def test_every_task_lies_in_the_folder_of_its_type(name: str) -> None:
    """`tasks/sts` holds STS tasks and so on; the bundled tasks lie together in `tasks/mini`."""
    task = registry.load_file(TASKS[name])
    two_words = {"PairClassification": "pair_classification", "BitextMining": "bitext_mining"}
    folder = two_words.get(task.type, task.type.lower())
    assert TASKS[name].parent.name == ("mini" if task.source.kind == "local" else folder)


def test_the_committed_registry_has_no_defect() -> None:
    """No task or suite is broken, doubled, or names what does not exist; and all files are found."""
    tasks = registry.get_tasks()
    assert tasks.check() == ()
    assert (set(tasks.names()), set(tasks.suite_files)) == (set(TASKS), set(SUITES))


def test_the_mini_suite_is_every_bundled_task_whole() -> None:
    """Suite `mini`: five types in three languages, nothing to download, nothing narrowed."""
    tasks = registry.get_tasks()
    suite = tasks.suite("mini")
    assert sorted(suite.tasks) == sorted(LOCAL)
    assert suite.parts == {}
    held = Counter((task.type, task.languages) for task in map(tasks.get, suite.tasks))
    assert len(held) == 15
    assert set(held.values()) == {1}


@_named("Mini")
def test_bundled_data_says_what_it_is(task: TaskSpec) -> None:
    """Each bundled task has one part, a licence, and the warning that it is no benchmark."""
    assert task.parts == (Part("test", "default"),)
    assert task.license == "Apache-2.0"
    assert "Smoke test of the harness, written for it, not a benchmark." in task.description


@_named("MiniSTS")
def test_sts_data(task: TaskSpec) -> None:
    """At least 100 distinct pairs, rated within 0-5 and using the whole range."""
    left, right, gold = (_column(task, "test", field) for field in ("left", "right", "gold"))
    assert len(gold) >= 100
    assert _twice([f"{one} | {other}" for one, other in zip(left, right)]) == []
    assert all(one != other for one, other in zip(left, right))
    assert all(0 <= score <= 5 for score in gold)
    assert min(gold) < 1
    assert max(gold) > 4


@_named("MiniPairs")
def test_pair_data(task: TaskSpec) -> None:
    """At least 120 distinct pairs, labelled 0 or 1, neither label under a third."""
    left, right, gold = (_column(task, "test", field) for field in ("left", "right", "gold"))
    assert len(gold) >= 120
    assert _twice([f"{one} | {other}" for one, other in zip(left, right)]) == []
    assert set(gold) == {0, 1}
    assert len(gold) / 3 <= sum(gold) <= 2 * len(gold) / 3


@_named("MiniIntents")
def test_classification_data(task: TaskSpec) -> None:
    """At least 6 classes with 30 texts each in train and test together, no text twice, enough to draw from."""
    texts = {split: _column(task, split, "text") for split in ("train", "test")}
    labels = {split: Counter(_column(task, split, "label")) for split in ("train", "test")}
    assert _twice(texts["train"] + texts["test"]) == []
    assert set(labels["train"]) == set(labels["test"])
    both = labels["train"] + labels["test"]
    assert len(both) >= 6
    assert min(both.values()) >= 30
    assert min(labels["train"].values()) > task.settings.samples_per_label  # type: ignore[union-attr]


@_named("MiniTopics")
def test_clustering_data(task: TaskSpec) -> None:
    """At least 8 topics with 20 texts each, no text twice."""
    counted = Counter(_column(task, "test", "label"))
    assert len(counted) >= 8
    assert min(counted.values()) >= 20
    assert _twice(_column(task, "test", "text")) == []


@_named("MiniAnswers")
def test_retrieval_data(task: TaskSpec) -> None:
    """At least 60 queries over 250 documents, ids unique, every query judged, every judgement about what exists."""
    corpus, queries, qrels = (_rows(task, table) for table in ("corpus", "queries", "qrels"))
    documents, asked = [row["_id"] for row in corpus], [row["_id"] for row in queries]
    assert len(queries) >= 60
    assert len(corpus) >= 250
    assert len(set(documents)) == len(documents)
    assert len(set(asked)) == len(asked)
    assert _twice([row["text"] for row in corpus]) == []
    assert _twice([row["text"] for row in queries]) == []
    assert {row["corpus-id"] for row in qrels} <= set(documents)
    assert {row["query-id"] for row in qrels if row["score"] > 0} == set(asked)
    assert len({(row["query-id"], row["corpus-id"]) for row in qrels}) == len(qrels)


@_named("Mini")
def test_bundled_texts_are_clean(task: TaskSpec) -> None:
    """No text but a title is empty; none is broken by a wrong encoding or has spaces around it."""
    for path in sorted((Path(task.file).parent / task.source.path).glob("*.jsonl")):
        for row in (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()):
            for column, text in ((column, text) for column, text in row.items() if isinstance(text, str)):
                assert text or column == "title"
                assert text.strip() == text
                assert "\ufffd" not in text
                assert "Ã" not in text
