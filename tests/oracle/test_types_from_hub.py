"""Tasks of further types, by mteb's name and in the hub's layout: a run gives what `mteb.evaluate` gives.

Both sides run on a hub of small data sets, with a tiny model of random weights.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer

import harness
from harness.tasks import mteb_metadata
from harness.types import Part
from tests import in_process
from tests.conftest import environment
from tests.oracle.test_declared_data import Repository, write_repository
from tests.tiny import save_sentence_transformer

mteb = pytest.importorskip("mteb", reason="the oracle is mteb")

WORDS = ("rain", "bread", "chess", "music", "river", "stone", "cloud", "light", "paper", "glass")
EMOTIONS = ("anger", "fear", "joy", "sadness")
PAIRS = "IN22GenBitextMining"
TASKS: Mapping[str, Sequence[str]] = {
    "CEDRClassification": (),
    "MultiEURLEXMultilabelClassification": ("en", "de"),
    "RuSciBenchYearPublRegression": (),
    "SummEval": (),
    "SummEvalSummarization.v2": (),
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


@pytest.fixture(scope="module")
def scores(localhub: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Task -> part -> scores, of the harness and of mteb."""
    folder = tmp_path_factory.mktemp("types")
    for name, repository in repositories().items():
        write_repository(folder / "hub", name, repository)
    model = str(save_sentence_transformer(folder / "model"))
    ours: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    with (
        localhub.LocalHub(str(folder / "hub")) as hub,
        in_process.environment_of(environment(folder, HF_ENDPOINT=hub.endpoint), folder=folder),
    ):
        for name, subsets in TASKS.items():
            [record] = harness.run(model, name, languages=subsets or None, device="cpu", results=folder / "results")
            ours[name] = {str(part): entry for part, entry in record.parts.items()}
            if name == PAIRS:
                subsets = [part.subset for part in list(record.parts)[:: 506 // COMPARED]]
            task = mteb.get_task(name, hf_subsets=list(subsets) or None)
            loaded = SentenceTransformer(model, device="cpu")
            answer = mteb.evaluate(loaded, task, cache=None, co2_tracker=False, show_progress_bar=False)
            [result] = answer.task_results
            entries = [(split, entry) for split, of_split in result.scores.items() for entry in of_split]
            theirs[name] = {str(Part(split, entry["hf_subset"])): entry for split, entry in entries}
    return [ours, theirs]


@pytest.mark.parametrize("name", TASKS)
def test_a_run_gives_what_mteb_gives(scores: list[dict[str, Any]], name: str) -> None:
    """Every metric of every part equals mteb's to 1e-5."""
    ours, theirs = (side[name] for side in scores)
    assert ours.keys() >= theirs.keys()
    assert len(ours) == len(theirs) or (name == PAIRS and len(theirs) >= COMPARED)
    for part, entry in theirs.items():
        metrics = {key: value for key, value in entry.items() if isinstance(value, float)}
        assert "main_score" in metrics
        assert {key: ours[part][key] for key in metrics} == pytest.approx(metrics, abs=1e-5), part


def test_each_pair_of_languages_is_a_part(scores: list[dict[str, Any]]) -> None:
    """All 506 pairs of the 23 languages are recorded."""
    assert len(scores[0][PAIRS]) == 23 * 22
