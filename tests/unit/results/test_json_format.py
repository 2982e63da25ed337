"""The text of a record: what is written, what is read, and what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import results
from harness.errors import RecordError
from harness.leaderboard.file_summary import Summary, summarise
from harness.outputs import run_costs
from harness.results import content_digest
from harness.results.paths import Identity
from harness.runner.forecast import paces
from harness.types import Part, Record

NAN, INFINITY = float("nan"), float("inf")


def entry(main: float | None = 0.5, subset: str = "default", **metrics: object) -> dict[str, object]:
    return {**metrics, "main_score": main, "hf_subset": subset, "languages": ["deu-Latn"]}


def record(**changes: object) -> Record:
    plain = Record(
        task="MiniSTS",
        model="org/model",
        revision="abc123",
        dataset_revision="d1",
        scores={"test": [entry(2 / 3, cosine_spearman=2 / 3)]},
        evaluation_time=1.5,
        date=1.7e9,
        mteb_version="2.26.24",
        harness={"fingerprint": "f1", "device": "cpu", "seconds": {"test": 1.0}},
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def read(text: str, path: str = "results/org__model/abc123/MiniSTS.json") -> Record:
    return results.from_json(text, path=path)


def document(**changes: object) -> str:
    plain = {"dataset_revision": "d1", "task_name": "MiniSTS", "mteb_version": "2.0", "scores": {"test": [entry()]}}
    return json.dumps({**plain, **changes})


# --- text ------------------------------------------------------------------------------------------------------------


def test_the_text_is_exactly_this():
    """The bytes of a record are a fixed function of it: mteb's keys in order, sorted inside, full precision, UTF-8.

    The digest is the sha256 of all the rest.
    """
    given = record(
        scores={"validation": [entry(0.1)], "test": [entry(1 / 3, "zh", b=1, a=None), entry(0, "de")]},
        harness={"note": "größer 模型", "fingerprint": "f"},
    )
    content = textwrap.dedent("""\
        {
          "dataset_revision": "d1",
          "task_name": "MiniSTS",
          "mteb_version": "2.26.24",
          "scores": {
            "test": [
              {
                "main_score": 0,
                "hf_subset": "de",
                "languages": [
                  "deu-Latn"
                ]
              },
              {
                "a": null,
                "b": 1,
                "main_score": 0.3333333333333333,
                "hf_subset": "zh",
                "languages": [
                  "deu-Latn"
                ]
              }
            ],
            "validation": [
              {
                "main_score": 0.1,
                "hf_subset": "default",
                "languages": [
                  "deu-Latn"
                ]
              }
            ]
          },
          "evaluation_time": 1.5,
          "kg_co2_emissions": null,
          "date": 1700000000.0,
          "harness": {
            "fingerprint": "f",
            "note": "größer 模型"
          }
        }
        """)
    digest = hashlib.sha256(content.encode()).hexdigest()
    line = f'"harness": {{\n    "digest": "{digest}",'
    assert results.to_json(given) == content.replace('"harness": {', line)


def test_the_harness_key_is_absent_when_there_is_nothing_to_say():
    """A record without `harness` is written with mteb's keys alone."""
    assert "harness" not in json.loads(results.to_json(record(harness={})))


@pytest.mark.parametrize("bad", [NAN, INFINITY, -INFINITY])
@pytest.mark.parametrize("place", ["metric", "main_score", "nested"])
def test_a_score_that_is_not_finite_is_refused_by_name(bad: float, place: str):
    """NaN and infinity never reach a file; the message names task, split, subset and metric."""
    metrics = {
        "metric": {"ap": bad, "main": 0.5},
        "main_score": {"main": bad},
        "nested": {"ap": [0.1, {"ap": bad}], "main": 0.5},
    }
    with pytest.raises(RecordError) as caught:
        results.to_json(record(scores={"validation": [entry(subset="de", **metrics[place])]}))
    metric = "main_score" if place == "main_score" else "ap"
    assert all(word in str(caught.value) for word in ("MiniSTS", "validation", "de", metric, str(bad)))


@pytest.mark.parametrize(
    "changes",
    [
        {"evaluation_time": NAN},
        {"harness": {"seconds": {"test": INFINITY}}},
        {"harness": {"model": {1, 2}}},
        {"harness": {"by_k": {1: 0.5}}},
        {"harness": {"text": "\ud800"}},
        {"scores": {}},
        {"scores": {"test": []}},
        {"scores": {"test": [entry(), entry()]}},
        {"scores": {"test": [{"hf_subset": "default", "languages": []}]}},
        {"scores": {"test": [{"main_score": 0.5, "languages": []}]}},
        {"scores": {"test": [{"main_score": 0.5, "hf_subset": "default"}]}},
        {"scores": {"test": [entry("0.5")]}},
        {"scores": {1: [entry()]}},
    ],
    ids=str,
)
def test_what_could_not_be_read_back_is_not_written(changes: dict[str, object]):
    """A record that is not JSON, or that `from_json` would refuse, is refused before it is written."""
    with pytest.raises(RecordError):
        results.to_json(record(**changes))


def test_numpy_scalars_are_numbers():
    """Scores straight from numpy are written as plain numbers, float32 with the value it holds."""
    import numpy as np

    given = record(scores={"test": [entry(np.float32(0.1), n=np.int64(7), ap=np.float64(0.1))]})  # type: ignore[arg-type]
    written = read(results.to_json(given)).scores["test"][0]
    assert (written["main_score"], written["n"], written["ap"]) == (float(np.float32(0.1)), 7, 0.1)


def test_a_record_survives_the_text():
    """What is written is read back equal, with the path's model and revision."""
    found = read(results.to_json(record()))
    assert dataclasses.replace(found, path="") == record()


@pytest.mark.parametrize(
    ("path", "model", "revision"),
    [
        ("r/org__model/abc/T.json", "org/model", "abc"),
        ("r/org__my__model/abc/T.json", "org/my__model", "abc"),
        ("r/model/no_revision_available/T.json", "model", "no_revision_available"),
        ("r/mteb__baseline-bm25s/0_1_10/T.json", "mteb/baseline-bm25s", "0_1_10"),
    ],
)
def test_the_path_says_whose_record_it_is(path: str, model: str, revision: str):
    """`org__model` is `org/model`, at the first `__` only; the revision is the folder."""
    found = read(document(), path)
    assert (found.model, found.revision, found.variant) == (model, revision, "")


def test_the_model_meta_beside_it_overrules_the_path(tmp_path: Path):
    """A name that the folder cannot hold (a space, a second slash) comes from model_meta.json."""
    folder = tmp_path / "org__a_b" / "r1"
    folder.mkdir(parents=True)
    (folder / "model_meta.json").write_text('{"name": "org/a b", "revision": "r/1", "max_tokens": Infinity}')
    found = read(document(), str(folder / "T.json"))
    assert (found.model, found.revision) == ("org/a b", "r/1")


def test_numbers_that_json_does_not_know_become_none():
    """Bare NaN and Infinity, and digits beyond float64, are read as None, also inside lists and objects."""
    text = document().replace(
        '"main_score": 0.5', '"main_score": NaN, "a": -Infinity, "b": [1.5, NaN, {"c": Infinity}], "d": 1e999'
    )
    found = read(text).scores["test"][0]
    assert (found["main_score"], found["a"], found["b"], found["d"]) == (None, None, [1.5, None, {"c": None}], None)
    results.to_json(read(text))


def test_a_coefficient_with_its_p_value_is_the_coefficient():
    """`"pearson": [r, p]` of mteb 1.12 is read as r; other lists stay lists."""
    found = read(
        document(
            scores={
                "test": [entry(pearson=[0.25, 0.01], cosine_spearman=[0.5, 0.0], v_measures=[1, 2], my_pearson=[1])]
            }
        )
    )
    metrics = found.scores["test"][0]
    assert (metrics["pearson"], metrics["cosine_spearman"], metrics["v_measures"]) == (0.25, 0.5, [1, 2])
    assert metrics["my_pearson"] == [1]


def test_metrics_nested_by_similarity_become_flat():
    """`{"max": {"ap": 0.5}}` in a file of mteb before 1.12.48 is read as `max_ap`, and `cos_sim` is `cosine`."""
    found = read(document(scores={"test": [entry(max={"ap": 0.5}, cos_sim={"ap": 0.25}, v_measures={"Level 0": [1]})]}))
    metrics = found.scores["test"][0]
    assert (metrics["max_ap"], metrics["cosine_ap"], metrics["v_measures"]) == (0.5, 0.25, {"Level 0": [1]})


@pytest.mark.parametrize("version", ["2.12.3-2.18.7", None, "not available"])
def test_any_version_text_is_kept(version: str | None):
    """Version ranges and missing versions are no reason to refuse a file."""
    assert read(document(mteb_version=version)).mteb_version == version


@pytest.mark.parametrize(
    ("date", "expected"), [(12.5, 12.5), (None, None), ("1970-01-01T00:01:00Z", 60.0), ("1970-01-01T00:00:30", 30.0)]
)
def test_dates_are_seconds_since_1970(date: object, expected: float | None, monkeypatch: pytest.MonkeyPatch):
    """A date is mteb's timestamp, or an ISO date (UTC unless it says otherwise, wherever it is read)."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        found = read(document(date=date)).date
    time.tzset()
    assert found == expected


# --- versions of the key `harness` ----------------------------------------------------------------------------------

TWINS = (
    {
        "schema": 1,
        "fingerprint": "f1",
        "parts": {
            "test": {
                **{"texts": 9, "encoded": 5, "cached": 2, "tokens": 40, "truncated": 1, "fed": 30, "computed": 36},
                "seconds": {"encode": 2.0},
            }
        },
    },
    {
        "schema": 2,
        "fingerprint": "f1",
        "parts": {
            "test": {
                **{"texts": 9, "texts_encoded": 5, "texts_cached": 2, "texts_truncated": 1},
                **{"tokens": 40, "tokens_encoded": 30, "tokens_padded": 36},
                "seconds": {"encode": 2.0},
            }
        },
    },
)
"""The same facts as schema 1 and as schema 2 hold them."""


def test_schema_1_reads_equal_to_its_twin():
    """A record of schema 1 is read as the record of schema 2 with the same content, and is written as that one."""
    older, newer = (read(document(harness=harness)) for harness in TWINS)
    assert older == newer
    assert newer.harness == TWINS[1]
    assert results.to_json(older) == results.to_json(newer)


@pytest.mark.parametrize("harness", [TWINS[0], TWINS[1]], ids=["schema 1", "schema 2"])
def test_what_is_told_of_either_schema_is_the_same(harness: dict[str, object]):
    """The line about a run, the forecast and the leaderboard's facts read the same from either schema."""
    text = document(harness={**harness, "machine": "here"})
    found = read(text)
    assert run_costs.line(found.harness["parts"].values()) == (
        "30 tokens at 15/s, 16.7% padding; 9 texts, 1 cut at the maximum length; 2 vectors from the cache; encode 2.0 s"
    )
    assert paces([found], machine="here") == {}  # vectors from the cache say nothing about the model's pace
    summary = summarise(text.encode(), path="f", identity=Identity("org/model", "abc123"))
    assert summary.facts is not None
    assert (summary.facts.tokens, summary.facts.encode_seconds) == (40, None)


@pytest.mark.parametrize("harness", [{"schema": 1, "parts": "many"}, {"parts": {"test": 3}}, {"model": "m"}])
def test_a_key_harness_of_another_program_is_not_read(harness: dict[str, object]):
    """A key of other types is read by nobody, and the record says so; its scores are read."""
    record = read(document(harness=harness))
    assert record.harness == {}
    assert record.remarks == ("the key `harness` has another program's content, which is not read",)
    assert read(document(harness={"fed": 1})).harness == {"fed": 1}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"parts": {"test": {"seconds": {"encode": "soon"}}}}, r"`\$\.parts\[\.\.\.\]\.seconds"),
        ({"parts": {"test": {"tokens": 10**20}}}, r"tokens"),
        ({"parts": {"test": {"tokens": -1}}}, r"tokens"),
        ({"parts": None}, r"parts"),
        ({"encoder": {"dimensions": "many"}}, r"dimensions"),
        ({"versions": {"numpy": 2}}, r"versions"),
        ({"fingerprint": 7}, r"fingerprint"),
        ({"model": []}, r"model"),
    ],
)
def test_a_value_of_another_type_in_a_record_of_ours(change: dict[str, object], place: str):
    """A record whose facts have other types is refused by both readers, with the place; it is not written either."""
    harness = {"schema": 2, "fingerprint": "f", **change}
    text = document(harness=harness)
    with pytest.raises(RecordError, match=place):
        read(text)
    with pytest.raises(RecordError, match=place):
        summarise(text.encode(), path="f", identity=Identity("org/model", "abc123"))
    with pytest.raises(RecordError, match=place):
        results.to_json(record(harness=harness))


@pytest.mark.parametrize("change", [{"date": 1e300}, {"date": -5}, {"date": "0001-01-01"}])
def test_a_date_that_no_calendar_has(change: dict[str, object]):
    """Such a date is not read, by both readers, and the record says so."""
    text = document(**change)
    found, summary = read(text), summarise(text.encode(), path="f", identity=Identity("org/model", "abc123"))
    assert found.date is None
    assert summary.date is None
    assert found.remarks[0].startswith("its date")
    assert summary.remark == found.remarks[0]


# --- the schema from before mteb 1.11 --------------------------------------------------------------------------------


def historic(**splits: object) -> Record:
    name = splits.pop("mteb_dataset_name", "SomeTask")
    return read(json.dumps({"mteb_dataset_name": name, **splits}))


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"cos_sim": {"pearson": 0.1, "spearman": 0.2}, "euclidean": {"spearman": 0.3}}, 0.2),
        ({"cos_sim": {"ap": 0.1}, "max": {"ap": 0.4, "f1": 0.5}}, 0.4),
        ({"cos_sim": {"ap": 0.1}}, None),
        ({"v_measure": 0.3, "v_measure_std": 0.1}, 0.3),
        ({"v_measure": 0.3, "v_measures": {"Level 0": [0.2, 0.4]}}, 0.3),
        ({"ndcg_at_1": 0.1, "ndcg_at_10": 0.6, "map_at_10": 0.2}, 0.6),
        ({"accuracy": 0.7}, 0.7),
        ({"f1": 0.6}, 0.6),
        ({"accuracy": 0.7, "f1": 0.6}, None),
        ({"accuracy": 0.7, "f1": 0.6, "main_score": 0.6}, 0.6),
        ({"map": 0.5, "mrr": 0.6}, None),
    ],
    ids=str,
)
def test_the_historic_main_score_is_found_or_none(metrics: dict[str, object], expected: float | None):
    """Where the file or the shape of its metrics tells the main score it is that; otherwise None, never a guess."""
    assert historic(test=metrics).scores["test"][0]["main_score"] == expected


def test_historic_subsets_times_and_names():
    """Subsets keep their names, evaluation times add up, renamed tasks and subsets get today's name."""
    found = historic(
        test={"fr": {"ndcg_at_10": 0.5}, "evaluation_time": 1.5},
        dev={"en": {"ndcg_at_10": 0.25}, "evaluation_time": 2},
        mteb_dataset_name="XPQARetrieval",
        dataset_revision=None,
        mteb_version="1.1.1",
    )
    assert list(found.parts) == [Part("test", "fra-fra"), Part("dev", "en")]
    assert (found.evaluation_time, found.dataset_revision, found.mteb_version) == (
        3.5,
        "no_revision_available",
        "1.1.1",
    )
    assert historic(test={"v_measure": 1}, mteb_dataset_name="8TagsClustering").task == "EightTagsClustering"
    assert historic(test={"mrr_at_5": 0.5, "ndcg_at_10": 1}, mteb_dataset_name="GermanQuAD-Retrieval").scores["test"][
        0
    ]["main_score"] == pytest.approx(0.5, abs=0)


# --- what is not a record --------------------------------------------------------------------------------------------

BROKEN = {
    "": "not JSON",
    "{": "line 1",
    "<<<<<<< HEAD\n{}": "line 1",
    "[]": "expected an object",
    "null": "expected an object",
    "{}": "`scores`",
    '{"scores": 3}': "`scores`",
    '{"scores": {}}': "no scores",
    document(scores={"test": {}}): "expected a list",
    document(scores={"test": [3]}): "test[0]",
    document(scores={"test": []}): "no scores",
    document(scores={"test": [{"hf_subset": "default", "languages": []}]}): "`main_score` is missing",
    document(scores={"test": [entry("high")]}): "`main_score`",  # type: ignore[arg-type]
    document(scores={"test": [entry(True)]}): "`main_score`",
    document(scores={"test": [{"main_score": 1, "languages": []}]}): "`hf_subset`",
    document(scores={"test": [{"main_score": 1, "hf_subset": "x"}]}): "`languages`",
    document(scores={"test": [{"main_score": 1, "hf_subset": "x", "languages": [3]}]}): "`languages`",
    document(task_name=None): "`task_name`",
    document(task_name=["x"]): "`task_name`",
    document(dataset_revision=3): "`dataset_revision`",
    document(evaluation_time="1 s"): "`evaluation_time`",
    document(date="yesterday"): "`date`",
    document(harness=[]): "`harness`",
    document(evaluation_time=10**400): "larger than any float64",
    '{"scores": {}, "scores": {}}': "'scores' twice",
    "[" * 100_000: "nested too deeply",
    '{"x": ' + "1" * 5000 + "}": "digits",
    '{"x": "\\ud800"}': "surrogates",
    '{"mteb_dataset_name": 3, "test": {}}': "`mteb_dataset_name`",
    '{"mteb_dataset_name": "T", "test": 3}': "split 'test'",
    '{"mteb_dataset_name": "T", "test": {"en": {"f1": 1}, "f1": 1}}': "test/f1",
    '{"mteb_dataset_name": "T", "test": {"evaluation_time": "x"}}': "`evaluation_time`",
}


@pytest.mark.parametrize(("text", "reason"), BROKEN.items(), ids=[key[:40] for key in BROKEN])
def test_a_broken_file_is_one_clear_message(text: str, reason: str):
    """Whatever is wrong with a file, the error is a RecordError with the path and the reason."""
    with pytest.raises(RecordError) as caught:
        read(text)
    assert str(caught.value).startswith("results/org__model/abc123/MiniSTS.json")
    assert reason in str(caught.value)


# --- main score ------------------------------------------------------------------------------------------------------


def test_the_main_score_is_the_mean_over_parts():
    """Every (split, subset) counts the same, and `parts` narrows the mean."""
    given = record(scores={"test": [entry(0.5, "de"), entry(0.25, "en")], "dev": [entry(1, "de")]})
    assert results.main_score(given) == (0.5 + 0.25 + 1) / 3
    assert results.main_score(given, [Part("test", "en")]) == 0.25
    assert results.main_score(given, iter([Part("test", "en"), Part("dev", "de")])) == 1.25 / 2


def test_the_main_score_is_none_when_one_is_missing():
    """A part that is absent or has no main score makes the mean None, and so does asking for no part."""
    given = record(scores={"test": [entry(0.5, "de"), entry(None, "en")]})
    assert results.main_score(given) is None
    assert results.main_score(given, [Part("test", "de"), Part("test", "fr")]) is None
    assert results.main_score(given, []) is None
    assert results.main_score(given, [Part("test", "de")]) == 0.5


# --- the digest ----------------------------------------------------------------------------------------------------


PATH = "results/org__model/abc123/MiniSTS.json"


def summary(text: str) -> Summary:
    """The file as a leaderboard reads it."""
    return summarise(text.encode(), path=PATH, identity=Identity("org/model", "abc123", ""))


def written() -> str:
    """The text of a record with every kind of value."""
    told = {"fingerprint": "f", "schema": 2, "parts": {"test": {"seconds": {"load": 0.25}, "notes": ["größer"]}}}
    return results.to_json(record(scores={"test": [entry(1 / 3, "zh", b=1, a=None), entry(0, "de")]}, harness=told))


def changed(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    """`content` with another value at `path`."""
    if not path:
        return value
    copy = dict(content) if isinstance(content, dict) else list(content)
    copy[path[0]] = changed(content[path[0]], path[1:], value)
    return copy


def places(content: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value that holds no others."""
    if not isinstance(content, dict | list):
        yield above
        return
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        yield from places(value, (*above, key))


def test_every_changed_value_is_noticed():
    """Whatever value of a written file is changed, the digest included: both readers refuse the file and name it."""
    content = json.loads(written())
    for path in places(content):
        # Another subset stays a subset and another number a number, so that nothing but the digest can object.
        old = content
        for key in path:
            old = old[key]
        value = f"{old}0" if isinstance(old, str) else (old or 0) + 0.5
        text = json.dumps(changed(content, path, value), indent=2, ensure_ascii=False)
        with pytest.raises(RecordError, match=re.escape(f"{PATH}: changed after it was written")):
            read(text)
        with pytest.raises(RecordError, match=re.escape(f"{PATH}: changed after it was written")):
            summary(text)


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"indent": 4},
        {"separators": (",", ":")},
        {"sort_keys": True},
        {"ensure_ascii": True, "indent": "\t"},
    ],
)
def test_another_layout_is_the_same_content(layout: dict[str, Any]):
    """A file that another program laid out anew says the same and is accepted; so is one with Windows' line ends."""
    text = written()
    anew = json.dumps(json.loads(text), **{"ensure_ascii": False, **layout})
    assert read(anew) == read(text) == read(text.replace("\n", "\r\n"))
    assert summary(anew) == summary(text)


@pytest.mark.parametrize("key", ["added", "zulu"])
def test_the_digest_is_found_wherever_it_stands(key: str):
    """First or last among the keys of `harness`, the digest is checked, and is no part of the record."""
    given = record(harness={key: 1})
    text = results.to_json(given)
    assert content_digest.is_as_written(text.encode())
    assert read(text).harness == {key: 1}
    with pytest.raises(RecordError, match="changed after it was written"):
        read(text.replace(f'"{key}": 1', f'"{key}": 2'))


def test_a_file_without_a_digest_is_accepted():
    """What the version before wrote, and what other programs write, holds no digest."""
    content = json.loads(written())
    del content["harness"]["digest"]
    assert read(json.dumps(content)) == read(written())
    assert '"digest"' not in results.to_json(record(harness={}))


def test_a_subset_that_stands_twice_is_averaged():
    """The mean of each number counts and the record says so; a metric that only one entry has becomes None."""
    entries = [entry(0.5, accuracy=0.25, only=1.0), entry(0.25, accuracy=0.75), entry(0.125, "de")]
    averaged = read(document(scores={"test": entries}))
    assert [dict(each) for each in averaged.scores["test"]] == [
        {"accuracy": 0.5, "only": None, "main_score": 0.375, "hf_subset": "default", "languages": ["deu-Latn"]},
        entry(0.125, "de"),
    ]
    assert averaged.remarks == (
        "split 'test', subset 'default' stands 2 times, with main scores 0.5, 0.25; their mean counts, as in mteb",
    )
    assert read(document()).remarks == ()


BUCC = {"de-en": 0.993, "fr-en": 0.987, "ru-en": 0.978, "zh-en": 0.991}


def test_bitext_results_of_mteb_1_without_a_main_score():
    """The main score of each pair of languages is its F1, the task's main metric."""
    pairs = {pair: {"accuracy": 0.5, "f1": f1, "precision": 0.1, "recall": 0.2} for pair, f1 in BUCC.items()}
    content = {"mteb_version": "0.0.2", "dataset_revision": None, "mteb_dataset_name": "BUCC"}
    old = read(json.dumps({**content, "test": {**pairs, "evaluation_time": 10.0}}))
    assert {part.subset: entry["main_score"] for part, entry in old.parts.items()} == BUCC
    assert results.main_score(old) == 0.98725
