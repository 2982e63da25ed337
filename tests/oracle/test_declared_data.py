"""Tasks whose data mteb loads with code of its own are read from the hub as that code would leave them.

A small data set in the hub's layout stands in for each, loaded by the spec and through mteb.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml

from harness import data
from harness.tasks import mteb_metadata, registry
from harness.types import Part
from tests import in_process
from tests.conftest import environment
from tests.oracle.test_spec_drift import DECLARED, THEIR_NAME

pytest.importorskip("mteb", reason="the oracle is mteb")

Rows = Sequence[Mapping[str, Any]]
Repository = Mapping[str, Mapping[str, Rows]]
"""Config -> split -> rows."""

WORDS = ("rain", "bread", "chess", "music", "river", "stone", "cloud", "light")
LABELS = ("weather", "kitchen", "games")


def _texts(count: int, start: int = 0) -> list[str]:
    return [f"{WORDS[i % 8]} and {WORDS[(3 * i + 1) % 8]} {i}" for i in range(start, start + count)]


def _labelled(count: int, text: str, label: str, start: int = 0) -> Rows:
    return [{text: one, label: LABELS[i % 3], "index_id": i} for i, one in enumerate(_texts(count, start))]


def _pairs(count: int, label: str) -> Rows:
    sides = zip(_texts(count), _texts(count, 50), strict=True)
    return [{"sent1": left, "sent2": right, label: i % 2} for i, (left, right) in enumerate(sides)]


def _rated(start: int) -> Rows:
    sides = zip(_texts(6, start), _texts(6, start + 50), strict=True)
    return [{"sentence1": left, "sentence2": right, "similarity_score": i / 2} for i, (left, right) in enumerate(sides)]


_NESTED = [{"sentences": _texts(6, 10 * i), "labels": [*LABELS, *LABELS]} for i in range(3)]
_PAIRED: Repository = {"default": {"test": _pairs(8, "labels")}}
_NEWS: Repository = {"default": {"test": _NESTED}}
_TOPICS = {"train": 0, "validation": 20, "test": 40}
_RATED = {"en": 0, "de": 10}
REPOSITORIES: dict[str, Repository] = {
    "mteb/sprintduplicatequestions-pairclassification": _PAIRED,
    "mteb/twittersemeval2015-pairclassification": _PAIRED,
    "mteb/twitterurlcorpus-pairclassification": _PAIRED,
    "aari1995/false_friends_de_en_mteb": _PAIRED,
    "mteb/masakhanews": {
        "amh": {"train": _labelled(9, "text", "category"), "test": _labelled(6, "text", "category", 30)}
    },
    "mteb/multilingual-scala-classification": {
        "Danish": {"train": _labelled(9, "text", "label"), "test": _labelled(6, "text", "label", 30)}
    },
    "mteb/TweetTopicSingleClassification": {
        "default": {"train_2021": _labelled(9, "text", "label"), "test_2021": _labelled(6, "text", "label", 30)}
    },
    "mteb/biorxiv-clustering-p2p": {"default": {"test": _labelled(60, "sentences", "labels")}},
    "mteb/biorxiv-clustering-s2s": {"default": {"test": _labelled(60, "sentences", "labels")}},
    "mteb/medrxiv-clustering-p2p": _NEWS,
    "mteb/medrxiv-clustering-s2s": _NEWS,
    "mteb/twentynewsgroups-clustering": _NEWS,
    "mteb/sib200": {"deu_Latn": {split: _labelled(9, "text", "category", start) for split, start in _TOPICS.items()}},
    "mteb/germanquad-retrieval": {
        "corpus": {"corpus": [{"_id": f"d{i}", "text": text} for i, text in enumerate(_texts(6))]},
        "queries": {"queries": [{"_id": f"q{i}", "text": text} for i, text in enumerate(_texts(4, 20))]},
    },
    "mteb/germanquad-retrieval-qrels": {
        "default": {"test": [{"query-id": f"q{i}", "corpus-id": f"d{i + 1}", "score": 1} for i in range(4)]}
    },
    "mteb/stsb_multi_mt": {
        **{lang: {"test": _rated(start)} for lang, start in _RATED.items()},
        "default": {"test": [{**row, "lang": lang} for lang, start in _RATED.items() for row in _rated(start)]},
    },
}

PARTS = {
    "SprintDuplicateQuestions": ("test", "default"),
    "TwitterSemEval2015": ("test", "default"),
    "TwitterURLCorpus": ("test", "default"),
    "FalseFriendsGermanEnglish": ("test", "default"),
    "MasakhaNEWSClassification": ("test", "amh"),
    "ScalaClassification": ("test", "Danish"),
    "TweetTopicSingleClassification": ("test_2021", "default"),
    "BiorxivClusteringP2P.v2": ("test", "default"),
    "BiorxivClusteringS2S.v2": ("test", "default"),
    "MedrxivClusteringP2P.v2": ("test", "default"),
    "MedrxivClusteringS2S.v2": ("test", "default"),
    "TwentyNewsgroupsClustering.v2": ("test", "default"),
    "SIB200Classification": ("test", "deu_Latn"),
    "SIB200ClusteringS2S": ("test", "deu_Latn"),
    "GermanQuAD-Retrieval": ("test", "default"),
    "STSBenchmarkMultilingualSTS": ("test", "de"),
}
"""Task -> the part that is loaded."""


def shown(gold: Any) -> dict[str, Any]:
    """What the gold holds; labels may have other names on the two sides (ours texts, theirs numbers), but must part the
    texts in the same way.
    """
    named = {field.name: getattr(gold, field.name) for field in dataclasses.fields(gold)}
    named.pop("label_names", None)
    named = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in named.items()}
    numbers: dict[str, int] = {}
    for side in ("train_labels", "test_labels", "labels"):
        named[side] = [numbers.setdefault(str(label), len(numbers)) for label in named.get(side, [])]
    return named


def write_repository(root: Path, name: str, repository: Repository) -> None:
    folder = root / "datasets" / name
    configs = []
    for config, splits in repository.items():
        files = []
        for split, rows in splits.items():
            file = folder / config / f"{split}.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            files.append({"split": split, "path": f"{config}/{split}.jsonl"})
        configs.append(
            {"config_name": config, "data_files": files, **({"default": True} if config == "default" else {})}
        )
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': configs})}---\n", encoding="utf-8")


@pytest.fixture(scope="module")
def loaded(localhub: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Any]]:
    """Task -> its gold by the spec and through mteb."""
    folder = tmp_path_factory.mktemp("declared")
    for name, repository in REPOSITORIES.items():
        write_repository(folder / "hub", name, repository)
    both = {}
    with (
        localhub.LocalHub(str(folder / "hub")) as hub,
        in_process.environment_of(environment(folder, HF_ENDPOINT=hub.endpoint), folder=folder),
    ):
        for name, part in PARTS.items():
            ours, theirs = registry.get_tasks().get(name), mteb_metadata.spec(name)
            assert (ours.source.kind, theirs.source.kind) == ("hub", "mteb")
            both[name] = (shown(data.load(ours, Part(*part)).gold), shown(data.load(theirs, Part(*part)).gold))
    return both


@pytest.mark.parametrize("name", PARTS)
def test_a_spec_reads_what_mtebs_code_makes(loaded: dict[str, tuple[Any, Any]], name: str) -> None:
    """Every text, label, judgement and their order are the same, by the spec and through mteb."""
    ours, theirs = loaded[name]
    assert ours == theirs
    assert any(ours.values())


def test_every_declared_task_is_compared() -> None:
    """These are the tasks of `DECLARED` that mteb has by the same name."""
    assert set(PARTS) == set(DECLARED) - set(THEIR_NAME)
