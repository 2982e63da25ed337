"""Tasks of further types, by mteb's name and in the hub's layout: `harness run` gives what `mteb run` gives.

Both commands run on a hub of small data sets, with a tiny model of random weights. Subsets cannot be named to `mteb
run`, so where only some are scored, `mteb.evaluate` is called, as that command does.
"""

from __future__ import annotations

import json
import logging
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from sentence_transformers import SentenceTransformer

from harness import cli
from harness.tasks import mteb_metadata
from harness.types import Part
from tests import in_process
from tests.conftest import environment
from tests.oracle.mteb_tasks import plain, same
from tests.oracle.test_declared_data import Repository, write_repository
from tests.oracle.test_search_layouts import SERVED, serve
from tests.tiny import save_sentence_transformer

mteb = pytest.importorskip("mteb", reason="the oracle is mteb")

WORDS = ("rain", "bread", "chess", "music", "river", "stone", "cloud", "light", "paper", "glass")
EMOTIONS = ("anger", "fear", "joy", "sadness")
MODEL = "acme/tiny"
PAIRS = "IN22GenBitextMining"
SEARCHES = ("Core17InstructionRetrieval", "InstructIR")
"""Instruction reranking, and retrieval."""
TASKS: Mapping[str, Sequence[str]] = {
    "CEDRClassification": (),
    "MultiEURLEXMultilabelClassification": ("en", "de"),
    "RuSciBenchYearPublRegression": (),
    "SummEval": (),
    "SummEvalSummarization.v2": (),
    **dict.fromkeys(SEARCHES, ()),
    PAIRS: (),
}
"""Task -> the subsets that are run, all if there are none. The first subsets of MultiEURLEX are run: the draws of one
depend on those before it."""
COMPARED = 40
"""Of the 506 pairs of languages, how many mteb scores too: 20 ms each."""


def sentences(count: int, *, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randrange(3, 12))) for _ in range(count)]


def labelled(count: int, *, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [{"text": text, "label": rng.sample(EMOTIONS, rng.randrange(1, 4))} for text in sentences(count, seed=seed)]


def valued(count: int, *, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [{"text": text, "value": rng.randrange(2007, 2024)} for text in sentences(count, seed=seed)]


def summarized(count: int, *, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        {
            "text": text,
            "human_summaries": sentences(3, seed=100 * row),
            "machine_summaries": sentences(6, seed=100 * row + 1),
            "relevance": [rng.randrange(2, 10) / 2 for _ in range(6)],
        }
        for row, text in enumerate(sentences(count, seed=seed))
    ]


def parallel(count: int) -> list[dict[str, Any]]:
    task = mteb_metadata.get(PAIRS)
    assert task is not None
    languages = dict.fromkeys(side for subset in task.subsets for side in subset.split("-"))
    columns = {language: sentences(count, seed=place) for place, language in enumerate(languages)}
    return [{"id": row, **{language: texts[row] for language, texts in columns.items()}} for row in range(count)]


def repositories() -> dict[str, Repository]:
    """Data set -> its content, in the layout that the hub has it in."""
    by_language = {
        language: {"train": labelled(40 + 3 * place, seed=place), "test": labelled(30, seed=50 + place)}
        for place, language in enumerate(TASKS["MultiEURLEXMultilabelClassification"])
    }
    years = {
        f"yearpubl_{language}": {"train": valued(60, seed=seed), "test": valued(40, seed=seed + 1)}
        for language, seed in (("ru", 5), ("en", 7))
    }
    content: dict[str, Repository] = {
        "CEDRClassification": {"default": {"train": labelled(60, seed=1), "test": labelled(40, seed=2)}},
        "MultiEURLEXMultilabelClassification": by_language,
        "RuSciBenchYearPublRegression": years,
        "SummEval": {"default": {"test": summarized(8, seed=3)}},
        PAIRS: {"default": {"test": parallel(6)}},
    }
    tasks = {name: mteb_metadata.get(name) for name in content}
    return {str(task.dataset): content[name] for name, task in tasks.items() if task is not None}


@contextmanager
def logging_as_before() -> Iterator[None]:
    """Undo what a command does to the log of this process."""
    root, level = logging.root.handlers[:], logging.getLogger("mteb").level
    try:
        yield
    finally:
        logging.root.handlers[:] = root
        logging.getLogger("mteb").setLevel(level)


def mteb_run(tasks: Sequence[str], folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Task -> the entries of the file that the command `mteb run` writes."""
    from mteb.cli import build_cli

    command = ["mteb", "run", "-m", MODEL, "-t", *tasks, "--output-folder", str(folder)]
    with mock.patch.object(sys, "argv", [*command, "--verbosity", "0"]), logging_as_before():
        build_cli.main()
    return {name: entries_of(next(folder.rglob(f"{name}.json"))) for name in tasks}


def harness_run(name: str, folder: Path, *, subsets: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Part -> the entry of the record that the command `harness run` writes."""
    narrowed = ["--languages", ",".join(subsets)] if subsets else []
    status = cli.main(["run", MODEL, "-t", name, "--device", "cpu", "--results", str(folder), "--json", *narrowed])
    assert status == 0
    entries = entries_of(next(folder.rglob(f"{name}.json")))
    return {str(Part(entry["split"], entry["hf_subset"])): entry for entry in entries}


def entries_of(file: Path) -> list[dict[str, Any]]:
    """The scores of a result file, each with its split."""
    scores = json.loads(file.read_text(encoding="utf-8"))["scores"]
    return [{**entry, "split": split} for split, of_split in scores.items() for entry in of_split]


@pytest.fixture(scope="module")
def scores(localhub: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Task -> part -> scores, of the harness and of mteb."""
    folder = tmp_path_factory.mktemp("types")
    for name, repository in repositories().items():
        write_repository(folder / "hub", name, repository)
    for name in SEARCHES:
        task = mteb_metadata.get(name)
        assert task is not None
        serve(folder / "hub" / "datasets" / task.dataset, SERVED[name][1])
    model = str(save_sentence_transformer(folder / "hub" / "models" / MODEL))
    Path(model, "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")  # mteb reads it
    with (
        localhub.LocalHub(str(folder / "hub")) as hub,
        in_process.environment_of(environment(folder, HF_ENDPOINT=hub.endpoint), folder=folder),
    ):
        ours = {name: harness_run(name, folder / "results", subsets=subsets) for name, subsets in TASKS.items()}
        whole = [name for name, subsets in TASKS.items() if name != PAIRS and not subsets]
        theirs = mteb_run(whole, folder / "of mteb")
        for name in TASKS.keys() - theirs.keys():
            subsets = TASKS[name] or [part.partition("/")[2] for part in list(ours[name])[:: 506 // COMPARED]]
            task = mteb.get_task(name, hf_subsets=list(subsets))
            loaded = SentenceTransformer(model, device="cpu")
            answer = mteb.evaluate(loaded, task, cache=None, co2_tracker=False, show_progress_bar=False)
            [result] = answer.task_results
            theirs[name] = [
                {**entry, "split": split} for split, of_split in result.scores.items() for entry in of_split
            ]
    by_part = {
        name: {str(Part(entry["split"], entry["hf_subset"])): entry for entry in entries}
        for name, entries in theirs.items()
    }
    return [ours, by_part]


@pytest.mark.parametrize("name", TASKS)
def test_a_run_gives_what_mteb_gives(scores: list[dict[str, Any]], name: str) -> None:
    """Every metric of every part equals mteb's to 1e-5."""
    ours, theirs = (side[name] for side in scores)
    assert ours.keys() >= theirs.keys()
    assert len(ours) == len(theirs) or (name == PAIRS and len(theirs) >= COMPARED)
    for part, entry in theirs.items():
        metrics = {key: plain(value) for key, value in entry.items() if isinstance(value, float)}
        assert metrics["main_score"] is not None
        wrong = {
            key: (ours[part][key], value)
            for key, value in metrics.items()
            if not same(ours[part][key], value, tolerance=1e-5)
        }
        assert not wrong, f"{part}, (ours, mteb's): {wrong}"


def test_each_pair_of_languages_is_a_part(scores: list[dict[str, Any]]) -> None:
    """All 506 pairs of the 23 languages are recorded."""
    assert len(scores[0][PAIRS]) == 23 * 22
