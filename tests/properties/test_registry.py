"""What holds of every task file, not just the committed ones."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import SpecError
from harness.evaluators import KINDS
from harness.evaluators.bitext_mining import BitextMiningSettings
from harness.evaluators.classification import ClassificationSettings
from harness.evaluators.clustering import ClusteringSettings
from harness.evaluators.pair_classification import PairClassificationSettings
from harness.evaluators.retrieval import RetrievalSettings
from harness.evaluators.sts import STSSettings
from harness.tasks import registry, strict_yaml
from harness.types import Mirror, Source, TaskSpec

# What a UTF-8 file can hold and a person may write: everything but control characters and halves of surrogates.
_written = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t "), max_size=40)
_prose = _written.map("{}x".format) | _written.map("x{}".format)
_yaml_words = [
    "no",
    "on",
    "null",
    "~",
    "1e3",
    "0x1f",
    "2024-01-01",
    "=",
    "<<",
    "true",
    "- a",
    "a: b",
    "'",
    "*a",
    "#",
    "{",
]
_printable = st.text(st.characters(categories=("L", "M", "N", "P", "S")), min_size=1, max_size=12)
_label = _printable | st.sampled_from(_yaml_words) | _printable.map("a {}".format)
_labels = st.lists(_label, min_size=1, max_size=3, unique=True).map(tuple)
_language = st.sampled_from(["deu-Latn", "eng-Latn", "spa-Latn", "zho-Hans", "zho-Hant", "python-Code", "c++-Code"])
_languages = st.lists(_language, min_size=1, max_size=3, unique=True).map(tuple)
_name = st.text("AZaz09._+-", max_size=8).map("A{}z".format) | st.sampled_from(["0", "1.5", "1e5", "NO"])
_count = st.integers(1, 10**9)

_hub = st.builds(
    Source,
    kind=st.just("hub"),
    path=_name.map(lambda name: name.replace("+", "_")).map("org/{}".format) | st.just("imdb"),
    revision=st.text("0123456789abcdef", min_size=40, max_size=40) | st.text("0123456789", min_size=40, max_size=40),
)
_local = st.builds(Source, kind=st.just("local"), path=_name.map("data/{}".format))

_mteb = _hub.map(lambda source: dataclasses.replace(source, kind="mteb"))
_odd = st.builds(dataclasses.replace, _hub, layout=st.none() | st.just("dpr"), qrels=st.none() | _hub)
_mirror = st.none() | st.builds(
    lambda source, columns: Mirror(path=source.path, revision=source.revision, columns=columns),
    _hub,
    st.dictionaries(st.just("gold"), _label),
)

_search = st.builds(
    RetrievalSettings,
    k_values=st.lists(_count, min_size=1, max_size=5, unique=True).map(sorted).map(tuple),
    ignore_identical_ids=st.booleans(),
    skip_first_result=st.booleans(),
)
_v2 = {
    "max_documents_per_cluster": _count,
    "n_clusters": _count,
    "k_mean_batch_size": _count,
    "max_depth": st.none() | _count,
    "seed": st.integers(0, 2**32 - 1),
}
_SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "STS": st.builds(STSSettings, min_score=st.floats(-1e6, 0), max_score=st.floats(1e-6, 1e6)),
    "PairClassification": st.just(PairClassificationSettings()),
    "Classification": st.builds(ClassificationSettings, samples_per_label=_count, train_split=_label, max_iter=_count),
    "Clustering": st.builds(ClusteringSettings, method=st.just("legacy"), clustering_batch_size=_count)
    | st.builds(ClusteringSettings, max_fraction_of_documents_to_embed=st.none() | st.floats(1e-6, 1), **_v2)
    | st.builds(
        ClusteringSettings,
        max_fraction_of_documents_to_embed=st.none(),
        max_document_to_embed=st.none() | _count,
        **_v2,
    ),
    "Retrieval": _search,
    "Reranking": _search,
    "BitextMining": st.just(BitextMiningSettings()),
}


@st.composite
def _tasks(draw: st.DrawFn) -> TaskSpec:
    type_ = draw(st.sampled_from(tuple(KINDS)))
    settings_ = draw(_SETTINGS.get(type_, st.builds(KINDS[type_].settings)))
    splits = draw(_labels)
    subsets = draw(st.dictionaries(_label, _languages, min_size=1, max_size=4))
    return TaskSpec(
        name=draw(_name),
        type=type_,
        description=draw(_prose),
        source=draw(_hub | _local | _mteb | (_odd if type_ in ("Retrieval", "Reranking") else _hub)),
        mirror=draw(_mirror if "gold" in KINDS[type_].columns else st.none()),
        configs=draw(st.dictionaries(st.sampled_from(list(subsets)), _label, max_size=2)),
        splits=splits,
        subsets=subsets,
        columns={field: draw(st.just(column) | _label) for field, column in KINDS[type_].columns.items()},
        main_metric=draw(st.sampled_from(KINDS[type_].metrics(settings_))),
        settings=settings_,
        merge_splits=draw(st.dictionaries(st.sampled_from(splits), _labels, max_size=2)),
        prompt=draw(st.none() | _prose | st.dictionaries(st.sampled_from(["query", "document"]), _prose, min_size=1)),
        domains=draw(st.just(()) | _labels),
        reference=draw(st.none() | _label),
        license=draw(st.none() | _label),
    )


@pytest.fixture(scope="module")
def folder() -> Any:
    """A place for files; hypothesis forbids the per-test one, and each example overwrites its file."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


@settings(deadline=None, max_examples=120)
@given(task=_tasks())
def test_render_and_load_are_inverse(folder: Path, task: TaskSpec) -> None:
    """Any valid task, with any text in any field, comes back from its YAML unchanged, and renders the same again."""
    path = folder / f"{task.name}.yaml"
    text = registry.render(task)
    path.write_text(text, encoding="utf-8", newline="")
    again = registry.load_file(path)
    assert again == dataclasses.replace(task, file=str(path))
    assert registry.render(again) == text
    path.unlink()


_valid = [registry.render(task) for task in registry.get_tasks() if len(task.subsets) < 100]
_marks = [
    b"\n",
    b": ",
    b"- ",
    b"[",
    b"]}",
    b"*a",
    b"&a ",
    b"!!int ",
    b"? ",
    b"{",
    b'"',
    b"|\n",
    b"#",
    b"---\n",
    b"\x00",
]


@settings(deadline=None, max_examples=300)
@given(text=st.sampled_from(_valid), data=st.data())
def test_a_damaged_file_gives_a_spec_error_or_a_task(folder: Path, text: str, data: st.DataObject) -> None:
    """Whatever bytes are cut out of a file or put in, what comes out is a task, or `SpecError` with the file's name."""
    raw = text.encode()
    ends = st.integers(0, len(raw))
    start, end = sorted((data.draw(ends), data.draw(ends)))
    path = folder / f"{text.split()[1]}.yaml"
    path.write_bytes(raw[:start] + data.draw(st.sampled_from(_marks) | st.binary(max_size=6)) + raw[end:])
    found = _loaded(path)
    if isinstance(found, SpecError):
        assert str(found).startswith(f"{path}:")
        assert found.problems
    else:
        assert found.parts


def _loaded(path: Path) -> TaskSpec | SpecError:
    try:
        return registry.load_file(path)
    except SpecError as err:
        return err


@pytest.mark.parametrize("opening", ["[", "- ", "? ", "{a: ", "[{a: ", "- - a\n  - "])
def test_absurd_nesting_is_refused_not_followed(folder: Path, opening: str) -> None:
    """100,000 levels of anything end in a message, where PyYAML's C composer overflows the stack."""
    path = folder / "Deep.yaml"
    path.write_text("name: Deep\nprompt: \n " + opening * 100_000, encoding="utf-8")
    with pytest.raises(SpecError, match=r"Deep\.yaml:\d+: "):
        strict_yaml.read(path)


@settings(deadline=None, max_examples=40)
@given(task=_tasks(), data=st.data())
def test_a_choice_of_parts_is_what_was_asked_for(task: TaskSpec, data: st.DataObject) -> None:
    """Choosing splits and subsets by name gives their product, in the order of the task, whatever order was asked."""
    splits = data.draw(st.lists(st.sampled_from(task.splits), min_size=1, unique=True))
    subsets = data.draw(st.lists(st.sampled_from(list(task.subsets)), min_size=1, unique=True))
    parts = registry.select_parts(task, splits=splits, languages=subsets)
    assert set(parts) == {(split, subset) for split in splits for subset in subsets}
    assert list(parts) == [part for part in task.parts if part in parts]


@settings(deadline=None, max_examples=40)
@given(task=_tasks(), language=_language)
def test_a_language_means_every_subset_that_has_it(task: TaskSpec, language: str) -> None:
    """Of a language of the task, its full code finds each subset with it and no other."""
    task = dataclasses.replace(task, subsets={**task.subsets, "first-of-all": (language,)})
    having = {subset for subset, spoken in task.subsets.items() if language in spoken}
    if language not in task.subsets:
        assert {part.subset for part in registry.select_parts(task, languages=[language])} == having


@settings(deadline=None, max_examples=40)
@given(task=_tasks(), other=_tasks())
def test_the_fingerprint_tells_what_matters_from_what_does_not(task: TaskSpec, other: TaskSpec) -> None:
    """Words about a task, and which of its parts exist, leave the fingerprint alone; everything else changes it."""
    fingerprint = registry.fingerprint_of(task)
    assert json.loads(json.dumps(fingerprint, allow_nan=False)) == fingerprint
    words = ("name", "description", "splits", "subsets", "domains", "reference", "license", "file")
    reworded = dataclasses.replace(task, **{field: getattr(other, field) for field in words})
    assert registry.fingerprint_of(reworded) == fingerprint
    for field in ("source", "merge_splits", "main_metric", "prompt"):
        changed = dataclasses.replace(task, **{field: getattr(other, field)})
        same = getattr(other, field) == getattr(task, field)
        assert (registry.fingerprint_of(changed) == fingerprint) is same
    if other.type == task.type and other.settings != task.settings:
        assert registry.fingerprint_of(dataclasses.replace(task, settings=other.settings)) != fingerprint


def test_every_type_has_settings_columns_and_metrics() -> None:
    """The tables by task type are complete, and each type's defaults allow a main metric."""
    for type_ in KINDS:
        assert KINDS[type_].metrics(KINDS[type_].settings())
        assert isinstance(KINDS[type_].columns, dict)
