"""The tasks of the two model cards score as mteb scores them, from the cards' data sets and from mteb's copies.

The real data sets are not at hand: small ones stand in, each with the columns and configs of the one at its path. The
hashing baseline is measured through the spec's source and through its mirror, and mteb's own task loads the data from
where mteb reads it today and scores the same vectors. mteb 2.26 loads every one of them from served data.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from harness import data
from harness.models.baselines import Hashing
from harness.runner import measurement, selection
from harness.tasks import registry
from harness.types import Part, TaskSpec
from tests import in_process
from tests.conftest import environment
from tests.oracle.mteb_tasks import plain, same
from tests.oracle.test_bridge import expected
from tests.oracle.test_declared_data import Repository, Rows, write_repository
from tests.oracle.test_spec_drift import THEIR_NAME

pytest.importorskip("mteb", reason="the oracle is mteb")

KNOWN = registry.get_tasks()
SUITES = [KNOWN.suite(name) for name in ("german-card", "spanish-sts")]
CELLS = [
    (name, part) for suite in SUITES for name in suite.tasks for part in suite.parts.get(name, KNOWN.get(name).parts)
]

TOPICS = {
    "Küche": "Brot Käse Suppe Ofen Mehl Zucker Pfanne Rezept backen würzen schmecken heiß",
    "Reise": "Zug Koffer Bahnhof Hotel Strand Karte Grenze Fahrplan reisen packen ankommen fern",
    "Musik": "Geige Konzert Chor Lied Takt Note Bühne Probe singen spielen hören laut",
    "Wetter": "Regen Sturm Sonne Wolke Frost Nebel Hagel Gewitter schneien tauen wehen kalt",
    "Sport": "Tor Ball Läufer Pokal Trainer Halbzeit Rennen Medaille werfen siegen üben schnell",
}
NAMES, WORDS = list(TOPICS), [words.split() for words in TOPICS.values()]
COMMON = "und mit ohne heute gestern immer wieder sehr der die ein kaum"
EVERY = " ".join([COMMON, *TOPICS.values()]).split()


class Served(NamedTuple):
    """What lies at the spec's source, and at the paths of its mirror and its judgements if it names them."""

    source: Repository
    mirror: Repository | None = None
    qrels: Repository | None = None


def _text(rng: random.Random, topic: int) -> str:
    """Words of a topic among others, so that no classifier and no clustering gets everything right."""
    words = [rng.choice(WORDS[topic] if rng.random() < 0.4 else EVERY) for _ in range(rng.randint(4, 9))]
    return " ".join(words).capitalize() + "."


def _labelled(seed: str, count: int, classes: int) -> list[tuple[str, int]]:
    """Texts and classes, the first class twice as frequent as the others."""
    rng = random.Random(seed)
    topics = [max(0, rng.randrange(-1, classes)) for _ in range(count)]
    return [(_text(rng, topic), topic) for topic in topics]


def _pairs(seed: str, count: int) -> list[tuple[str, str, int]]:
    """Two texts and how many words of the left one the right one changes: 0 to 4, give or take one."""
    rng, found = random.Random(seed), []
    for _ in range(count):
        words, changes = f"{_text(rng, rng.randrange(5))} {_text(rng, rng.randrange(5))}".split(), rng.randrange(5)
        other = list(words)
        for place in rng.sample(range(len(words)), changes):
            other[place] = rng.choice(EVERY)
        found.append((" ".join(words), " ".join(other), min(4, max(0, changes + rng.choice((-1, 0, 0, 1))))))
    return found


def _rated(gold: str, splits: Sequence[str], seed: str, *, low: int = 0, high: int = 5, **more: str) -> dict[str, Rows]:
    def rows(split: str) -> Rows:
        pairs = _pairs(f"{seed} {split}", 24)
        return [{"sentence1": a, "sentence2": b, gold: high - (high - low) * far / 4, **more} for a, b, far in pairs]

    return {split: rows(split) for split in splits}


def _together(configs: Repository) -> Repository:
    """A config per language and `default` with all, which mteb takes apart by the column `lang`."""
    (first, *_) = configs.values()
    return {**configs, "default": {split: [row for one in configs.values() for row in one[split]] for split in first}}


def _classified(name: str, classes: int, *, train: int = 40, named: bool = False) -> Repository:
    """Text and label; MASSIVE's labels are names, and its rows say their language."""
    sizes = {"train": train, "validation": 20, "test": 30}

    def rows(language: str, split: str) -> Rows:
        more = {"lang": language} if named else {}
        texts = enumerate(_labelled(f"{name} {language} {split}", sizes[split], classes))
        return [
            {"id": str(i), "text": text, "label": NAMES[y] if named else y, "label_text": NAMES[y], **more}
            for i, (text, y) in texts
        ]

    configs = {language: {split: rows(language, split) for split in sizes} for language in ("en", "de")}
    return _together(configs) if named else configs


def _sets(name: str) -> Served:
    """The legacy layout of clustering: two sets of 20 texts with labels."""
    sets = [_labelled(f"{name} {one}", 20, 3) for one in range(2)]
    rows = [{"sentences": [text for text, _ in one], "labels": [NAMES[topic] for _, topic in one]} for one in sets]
    return Served({"default": {"test": rows}})


def _german_dpr(name: str) -> Served:
    """Questions with passages, and mteb's copy: the passages as documents, without headings and line breaks."""
    rng = random.Random(name)
    rows, corpus, queries, judged = [], [], [], []
    shared = {"_id": "doc_0_n_1", "title": "Allgemeines", "text": _text(rng, 0)}

    def written(documents: Sequence[dict[str, str]]) -> dict[str, list[str]]:
        texts = ["\n== Geschichte ==\n" + one["text"].replace(". ", ".\n") for one in documents]
        return {"title": [one["title"] for one in documents], "text": texts, "passage_id": [""] * len(texts)}

    for row in range(14):
        texts = {mark: f"{_text(rng, row % 5)} {_text(rng, row % 5)}" for mark in ("p_0", "n_0", "n_1", "n_2")}
        documents = [{"_id": f"doc_{row}_{at}", "title": NAMES[row % 5], "text": text} for at, text in texts.items()]
        if row % 2 == 0:  # the same passage beside several questions is one document
            documents[2] = shared
        corpus += [one for one in documents if one not in corpus]
        question = " ".join(documents[0]["text"].split()[:3]) + " " + _text(rng, rng.randrange(5))
        queries.append({"_id": f"q_{row}", "text": question})
        judged.append({"query-id": f"q_{row}", "corpus-id": f"doc_{row}_p_0", "score": 1})
        passages = {"positive_ctxs": written(documents[:1]), "hard_negative_ctxs": written(documents[1:])}
        rows.append({"question": question, "answers": [question[:4]], "negative_ctxs": written([]), **passages})
    mirror = {"corpus": {"corpus": corpus}, "queries": {"queries": queries}, "default": {"test": judged}}
    return Served({"plain_text": {"test": rows}}, mirror)


def _german_quad(name: str) -> Served:
    """Paragraphs without titles, some asked for twice and some not at all; the judgements are another data set."""
    rng = random.Random(name)
    corpus = [{"_id": f"p{i}", "text": f"{_text(rng, i % 5)} {_text(rng, i % 5)}"} for i in range(30)]
    asked = [rng.choice(corpus[:20]) for _ in range(20)]
    texts = [" ".join(rng.sample(one["text"].split(), 3)) + " " + _text(rng, rng.randrange(5)) for one in asked]
    queries = [{"_id": f"q{i}", "text": text} for i, text in enumerate(texts)]
    judged = [{"query-id": f"q{i}", "corpus-id": one["_id"], "score": 1} for i, one in enumerate(asked)]
    source = {"corpus": {"corpus": corpus}, "queries": {"queries": queries}}
    return Served(source, qrels={"default": {"test": judged}})


def _binary(name: str, config: str, *columns: str) -> Repository:
    def rows(split: str) -> Rows:
        return [dict(zip(columns, (a, b, int(far < 2)))) for a, b, far in _pairs(f"{name} {split}", 40)]

    return {config: {split: rows(split) for split in ("validation", "test")}}


def _paws(name: str) -> Served:
    texts = ("sentence1", "sentence2")
    return Served(_binary(name, "de", *texts, "label"), _binary(name, "de", *texts, "labels"))


def _sts22(name: str) -> Served:
    languages = {one: _rated("score", ["test"], f"{name} {one}", low=1, high=4, lang=one) for one in ("de", "en")}
    return Served(_together(languages))


def _stsb(name: str) -> Served:
    both, splits = ("en", "es"), ("dev", "test")
    plain = {one: _rated("similarity_score", splits, f"{name} {one}") for one in both}
    marked = {one: _rated("similarity_score", splits, f"{name} {one}", lang=one) for one in both}
    return Served(plain, _together(marked))


def _twice(repository: Repository) -> Served:
    return Served(repository, repository)


SERVED: dict[str, Callable[[str], Served]] = {
    "AmazonCounterfactualClassification": lambda name: Served(_classified(name, 2, train=100)),
    "AmazonReviewsClassification": lambda name: _twice(_classified(name, 5, train=60)),
    "BlurbsClusteringP2P": _sets,
    "BlurbsClusteringS2S": _sets,
    "GermanDPR": _german_dpr,
    "GermanQuAD-Retrieval": _german_quad,
    "GermanSTSBenchmark": lambda name: _twice({"default": _rated("score", ("validation", "test"), name)}),
    "MassiveIntentClassification": lambda name: Served(_classified(name, 4, named=True)),
    "MassiveScenarioClassification": lambda name: Served(_classified(name, 3, named=True)),
    "MTOPDomainClassification": lambda name: _twice(_classified(name, 3)),
    "MTOPIntentClassification": lambda name: _twice(_classified(name, 4)),
    "PawsX": _paws,
    "STS22": _sts22,
    "TenKGnadClusteringP2P": _sets,
    "TenKGnadClusteringS2S": _sets,
    "FalseFriendsGermanEnglish": lambda name: Served(_binary(name, "default", "sent1", "sent2", "labels")),
    "stsb_multi_mt": _stsb,
}

EXPERIMENTS = 3
"""Of a classification, on both sides: mteb takes seconds for ten. `test_spec_drift` compares that number."""


def ours(task: TaskSpec, part: Part) -> dict[str, Any]:
    """What the harness makes of the data at the task's source."""
    return plain(measurement.score(measurement.encode(task, part, Hashing(), data.load(task, part))).scores)


def sides(name: str, part: Part) -> dict[str, dict[str, Any]]:
    """Side -> its scores, or how it failed."""
    task = KNOWN.get(name)
    if task.type == "Classification":
        task = replace(task, settings=replace(task.settings, n_experiments=EXPERIMENTS))
    specs = {"source": (ours, task), "mteb": (expected, replace(task, name=THEIR_NAME.get(name, name)))}
    if task.mirror:
        specs["mirror"] = (ours, selection.mirrored(task))
    scores = {}
    for side, (measured, spec) in specs.items():
        try:
            scores[side] = measured(spec, part)
        except Exception:
            scores[side] = {"error": traceback.format_exc()[-2000:]}
    return scores


@pytest.fixture(scope="module")
def scored(localhub: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Part], dict[str, Any]]:
    """Task and part -> the scores through the source, through the mirror where there is one, and by mteb."""
    folder = tmp_path_factory.mktemp("seeds")
    for name, make in SERVED.items():
        task, served = KNOWN.get(name), make(name)
        places = (task.source, task.mirror, task.source.qrels)
        for place, repository in zip(places, served, strict=True):
            if repository is not None:
                assert place is not None
                write_repository(folder / "hub", place.path, repository)
    with (
        localhub.LocalHub(str(folder / "hub")) as hub,
        in_process.environment_of(environment(folder, HF_ENDPOINT=hub.endpoint), folder=folder),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("mteb.abstasks.AbsTaskClassification.n_experiments", EXPERIMENTS)
        return {(name, part): sides(name, part) for name, part in CELLS}


@pytest.mark.parametrize(("name", "part"), CELLS, ids=[f"{name}-{part.split}" for name, part in CELLS])
def test_a_task_of_a_card_scores_as_mteb_scores_it(scored: dict[Any, dict[str, Any]], name: str, part: Part) -> None:
    """Every metric that mteb computes on what it reads today is ours, from the card's data set and from the mirror."""
    theirs = scored[name, part]["mteb"]
    assert "error" not in theirs, theirs["error"]
    assert 0 < theirs[KNOWN.get(name).main_metric] < 1
    sides = {side: scores for side, scores in scored[name, part].items() if side != "mteb"}
    assert set(sides) == {"source", *(["mirror"] if KNOWN.get(name).mirror else [])}
    for side, found in sides.items():
        assert "error" not in found, f"{side}: {found['error']}"
        assert set(theirs) <= set(found)
        wrong = {key: (found[key], theirs[key]) for key in theirs if not same(found[key], theirs[key], tolerance=1e-5)}
        assert not wrong, f"{side}, (ours, mteb's): {wrong}"


def test_every_task_of_the_cards_is_compared() -> None:
    """No task of the two suites is left out; a mirror at a path of its own has a data set of its own."""
    assert set(SERVED) == {name for name, _ in CELLS}
    for name, make in SERVED.items():
        task = KNOWN.get(name)
        assert (make(name).mirror is not None) == (task.mirror is not None and task.mirror.path != task.source.path)
