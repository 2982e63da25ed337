"""Records on disk, for any scores, any names and any file."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness import results
from harness.errors import RecordError
from harness.results.old_formats import FAMILIES
from harness.results.paths import Identity, record_path
from harness.types import Record

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
main_scores = st.floats(-1e100, 1e100) | st.integers(-(2**70), 2**70)
scalars = st.none() | st.booleans() | numbers | st.text(max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
# Names that the reader makes uniform are tested in tests/unit.
metric_names = st.text(max_size=12).filter(lambda name: name not in FAMILIES and not name.endswith("pearson"))
metric_names = metric_names.filter(lambda name: not name.endswith("spearman"))


@st.composite
def scores(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    subsets = st.lists(st.text(max_size=6), min_size=1, max_size=3, unique=True).map(sorted)
    splits = draw(st.dictionaries(st.text(max_size=6), subsets, min_size=1, max_size=3))
    return {
        split: [
            {
                **draw(st.dictionaries(metric_names, values, max_size=4)),
                "main_score": draw(st.none() | main_scores),
                "hf_subset": subset,
                "languages": draw(st.lists(st.text(max_size=8), max_size=2)),
            }
            for subset in names
        ]
        for split, names in splits.items()
    }


def record(**changes: Any) -> Record:
    entry = {"main_score": 0.5, "hf_subset": "default", "languages": []}
    plain = Record(task="T", model="org/model", revision="r", dataset_revision="d", scores={"test": [entry]})
    return dataclasses.replace(plain, **changes)


@settings(max_examples=60)
@given(scores(), st.dictionaries(st.text(max_size=6), values, max_size=3), st.none() | st.floats(0, 1e9))
def test_any_record_survives_its_text(given_scores: Any, harness: Any, seconds: float | None):
    """Scores and `harness` of any nesting come back equal, bit by bit, and are written to the same bytes again."""
    before = record(scores=given_scores, harness=harness, evaluation_time=seconds)
    text = results.to_json(before)
    after = results.from_json(text, path="x/org__model/r/T.json")
    assert dataclasses.replace(after, path="") == before
    assert results.to_json(after) == text
    json.loads(text.encode().decode("utf-8"), parse_constant=lambda name: [][0])


KEYS = st.sampled_from(
    [
        *("scores", "test", "main_score", "hf_subset", "languages", "task_name", "mteb_dataset_name", "mteb_version"),
        *("dataset_revision", "evaluation_time", "date", "harness", "cos_sim", "spearman", "pearson", "accuracy", "en"),
    ]
)
anything = st.recursive(
    scalars | st.just(float("nan")) | st.just(float("inf")) | st.sampled_from(["test", "T", "2.0", "1.2.0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=5),
    max_leaves=12,
)
ENTRY = {"main_score": 0.5, "hf_subset": "default", "languages": []}


@given(st.dictionaries(KEYS, anything, max_size=6), st.booleans(), st.booleans())
@example({"task_name": "T", "scores": {"test": [ENTRY]}, "harness": {"x": float("nan")}}, False, False)
@example({"mteb_dataset_name": "T", "test": {"cos_sim": {"spearman": 1}}}, False, False)
def test_any_json_is_a_record_or_a_record_error(data: dict[str, Any], named: bool, scored: bool):
    """No file makes the reader fail in any other way; what it accepts can be written, and means the same again."""
    if named:
        data["mteb_dataset_name"] = "T"
    if scored:
        data.update(task_name="T", scores={"test": [{**ENTRY, **data}]})
    path = "x/org__model/r/T.json"
    try:
        found = results.from_json(json.dumps(data), path=path)
    except RecordError as err:
        assert str(err).startswith(path)  # noqa: PT017
        return
    again = results.from_json(results.to_json(found), path=path)
    assert again.parts == found.parts
    assert results.main_score(again) == results.main_score(found)


@given(st.text())
@example("\ufeff{}")
@example("\x00")
def test_any_text_is_a_record_error(text: str):
    """Text that is no result file is refused with its path, whatever it is."""
    try:
        results.from_json(text, path="x/org__model/r/T.json")
    except RecordError as err:
        assert str(err).startswith("x/org__model/r/T.json: ")  # noqa: PT017
    else:
        raise AssertionError("a random text is not a result file")


pieces = st.sampled_from(["..", ".", "/", "\\", "~", "a", "é", " ", "__", "\n", "\0", "experiments", "model_meta", ":"])
names = st.lists(pieces | st.text(max_size=3), max_size=6).map("".join)
variants = st.just("") | names | st.lists(st.tuples(names, names).map("=".join), max_size=2).map(",".join)


@given(names, names, names, variants)
@example("../..", "r", "T", "")
@example("org/model", "..", "T", "")
@example("org/model", "r", "/etc/passwd", "")
@example("org/model", "r", "T", "a=/etc/passwd")
def test_no_name_leads_out_of_its_place(model: str, revision: str, task: str, variant: str):
    """Any names are refused, or lie exactly three (a variant: five) levels below the folder and nowhere else."""
    folder = Path("/results")
    try:
        path = record_path(folder, Identity(model, revision, variant), task)
    except RecordError:
        return
    below = path.relative_to(folder).parts
    assert len(below) == (5 if variant else 3)
    assert path.resolve() == path
    assert not any(part.startswith(".") or "\\" in part or not part.isprintable() for part in below)


@settings(max_examples=40, deadline=None)
@given(names, names, names, variants)
@example("org/a b", "r", "T", "a=1, b=2")
@example("a__b/c__d/e", "r", "My Task", "")
def test_what_put_accepts_get_finds_and_nothing_else_is_touched(model: str, revision: str, task: str, variant: str):
    """A record of any names is refused, or found again under the same names by `get` and by `scan`."""
    with tempfile.TemporaryDirectory() as temporary:
        outer = Path(temporary)
        folder = outer / "a" / "b" / "results"
        names_of = {"model": model, "revision": revision, "task": task, "variant": variant}
        try:
            results.put(folder, record(**names_of), model_meta={})
        except RecordError:
            assert not list(folder.rglob("*.json"))
        else:
            found = results.get(folder, **names_of)
            assert found is not None
            assert (found.model, found.revision, found.task) == (model, revision, task)
            assert list(results.scan(folder)) == [found]
        assert [p for p in outer.rglob("*") if not p.is_relative_to(outer / "a")] == []


@settings(max_examples=25, deadline=None)
@given(st.permutations([("test", "de"), ("test", "en"), ("dev", "de"), ("dev", "default")]), st.data())
def test_the_order_of_parts_does_not_matter(parts: list[tuple[str, str]], data: st.DataObject):
    """Parts of one record give the same file, in whatever order and grouping they are put."""
    cut = data.draw(st.integers(1, len(parts)))

    def put(folder: str, group: list[tuple[str, str]]) -> bytes:
        entries: dict[str, list[dict[str, Any]]] = {}
        for split, subset in group:
            entries.setdefault(split, []).append({**ENTRY, "hf_subset": subset, "main_score": len(split + subset) / 9})
        harness = {"fingerprint": "f", "seconds": {"/".join(part): 1 for part in group if part[1] != "default"}}
        return Path(results.put(folder, record(scores=entries, harness=harness), model_meta={}).path).read_bytes()

    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
        whole = put(one, sorted(parts))
        put(many, parts[:cut])
        assert put(many, parts[cut:] or parts[:1]) == whole


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20))
def test_the_main_score_lies_between_its_parts(main_scores: list[float]):
    """The mean is never outside the range of the main scores, however they round."""
    entries = [{"main_score": value, "hf_subset": str(i), "languages": []} for i, value in enumerate(main_scores)]
    mean = results.main_score(record(scores={"test": entries}))
    assert mean is not None
    assert min(main_scores) - 1e-15 <= mean <= max(main_scores) + 1e-15
