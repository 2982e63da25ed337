"""The names of models in records: of folders, those that a user gives, and those of older records."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness import results
from harness.errors import HarnessError, ModelError, RecordError, UnknownName
from harness.leaderboard.api import rank
from harness.results.asked_names import RecordedName, recorded_name
from harness.results.recorded_models import recorded_names
from harness.runner.model_names import named, require_own_name, with_name
from harness.types import ModelSpec, Record
from tests.properties.test_model_names import spec_of, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The results folder."""
    return tmp_path / "results"


def names(folder: Path, *paths: str, revision: str = "r1") -> list[str]:
    specs = named([spec_of(folder.parent / path, revision) for path in paths], results=folder)
    for spec in specs:
        write(folder, spec)
    return [spec.name for spec in specs]


def test_the_shortest_end_of_the_path_that_tells_it_apart(folder: Path) -> None:
    """Alone, a folder is `local/` and its name; beside another of that name, both get as much of the path as needed."""
    assert names(folder, "one") == ["local/one"]
    assert names(folder, "a/final", "b/final") == ["a/final", "b/final"]
    assert names(folder, "x/c/final", "y/c/final") == ["x/c/final", "y/c/final"]
    assert [row.label for row in rank(results=folder).rows] == [
        *("a/final", "b/final", "local/one", "x/c/final", "y/c/final")
    ]


def test_a_sibling_that_comes_later(folder: Path) -> None:
    """The first folder keeps its name, with other weights too, and the second gets a longer one; both keep them."""
    assert names(folder, "a/final") == ["local/final"]
    assert names(folder, "b/final") == ["b/final"]
    assert names(folder, "b/final", "a/final", revision="r2") == ["b/final", "local/final"]


def test_the_same_project_elsewhere(folder: Path, tmp_path: Path) -> None:
    """A project that was moved, results and models, knows its folders."""
    assert names(folder, "a/final") == ["local/final"]
    (tmp_path / "moved").mkdir()
    folder.rename(tmp_path / "moved" / "results")
    assert names(tmp_path / "moved" / "results", "a/final", "b/final") == ["local/final", "b/final"]


def test_names_of_the_hub_are_not_taken(folder: Path) -> None:
    """A folder whose path ends like the name of a model that mteb knows gets a longer name; one that a folder has is
    refused to a model of the hub.
    """
    first, second = "intfloat/e5-base-v2", "other/e5-base-v2"
    assert names(folder, first, second) == [f"{folder.parent.name}/{first}", second]
    hub = ModelSpec(name=second, revision="c", location=second, origin="hub")
    with pytest.raises(ModelError, match="a folder of that name is recorded"):
        require_own_name(hub, results=folder)
    require_own_name(dataclasses.replace(hub, name=first), results=folder)


def test_records_hold_no_path(folder: Path, tmp_path: Path) -> None:
    """Neither the record nor what lies beside it holds the path of the model or of the user's home."""
    names(folder, "secret-project/final")
    written = "".join(file.read_text() for file in folder.rglob("*") if file.is_file())
    assert "secret" not in written
    assert str(tmp_path) not in written


def test_older_records(folder: Path) -> None:
    """`local/final` in records that do not say which folder it was belongs to the folder of that revision; another
    folder takes a longer name, and is told how to go on with the old one.
    """
    path = folder.parent / "a" / "final"
    write(folder, spec_of(path, "r1"), older=True)
    (moved,) = named([spec_of(folder.parent / "b" / "final", "r2")], results=folder)
    assert moved.name == "b/final"
    assert "--name local/final goes on with it" in moved.note
    assert names(folder, "a/final", "b/final") == ["local/final", "b/final"]


def test_older_records_are_found_by_path(folder: Path) -> None:
    """The path of a saved model finds the older record of its weights, and no record of other weights."""
    from harness.models.resolve import folder_revisions

    for place in "ab":
        saved = folder.parent / place / "final"
        saved.mkdir(parents=True)
        (saved / "config.json").write_text(f'{{"model_type": "{place}"}}')
    path = folder.parent / "a" / "final"
    write(folder, spec_of(path, min(folder_revisions(path))), older=True)
    recorded = recorded_names(folder)
    assert recorded_name(str(path), recorded, folders=[folder]).name == "local/final"
    with pytest.raises(UnknownName, match=r"no recorded model named .*b/final'"):
        recorded_name(str(folder.parent / "b" / "final"), recorded, folders=[folder])


def test_names_that_are_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path, the end of a path and a start of a revision find the model; what fits several lists them."""
    names(folder, "a/final", "b/final")
    names(folder, "a/final", revision="s2")
    monkeypatch.chdir(folder.parent)
    recorded = recorded_names(folder)

    def asked(name: str) -> RecordedName:
        return recorded_name(name, recorded, folders=[folder])

    assert asked("./a/final") == asked("a/final") == RecordedName("a/final")
    assert asked("./a/final@s") == asked("a/final@s2") == RecordedName("a/final", "s2")
    for name in ("final", "local/final"):
        with pytest.raises(HarnessError, match="fits 2 models; name one of a/final, b/final"):
            asked(name)
    with pytest.raises(UnknownName, match=r"no recorded revision of a/final named 't'; known: r1, s2"):
        asked("a/final@t")
    with pytest.raises(HarnessError, match="fits 2 recorded revisions; name one of a/final@r1, a/final@s2"):
        asked("a/final@")
    with pytest.raises(UnknownName, match=r"no recorded model named '\./c/final'"):
        asked("./c/final")


def test_an_endpoint_is_found_as_it_is_asked(folder: Path) -> None:
    """`openai:MODEL@URL` finds what was recorded of that model at that address, and not of another address."""
    from harness.models.endpoint_names import parse

    here = parse("openai:bge@http://localhost:8080/v1")
    recorded = {here.record_name: [here.revision]}
    assert recorded_name(here.asked, recorded, folders=[folder]) == (here.record_name, here.revision)
    with pytest.raises(UnknownName, match="no recorded model named 'openai:bge'"):
        recorded_name("openai:bge", recorded, folders=[folder])


def test_a_name_that_is_given(folder: Path) -> None:
    """`--name` goes before the path, is found by path, and stays; sharing it with another folder is said."""
    path = folder.parent / "a" / "final"
    spec = with_name(spec_of(path, "r1"), "search-v2", results=folder)
    assert (spec.name, spec.note) == ("local/search-v2", "")
    write(folder, spec)
    assert names(folder, "a/final") == ["local/search-v2"]
    assert recorded_name("search-v2", recorded_names(folder), folders=[folder]).name == "local/search-v2"
    assert with_name(spec_of(path, "r2"), "me/mine", results=folder).name == "me/mine"
    shared = with_name(spec_of(folder.parent / "b", "r3"), "search-v2", results=folder)
    assert "is the name of another folder too" in shared.note


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("intfloat/e5-base-v2", "is the name of another model"),
        ("../x", "a name has at most"),
        ("a//b", "a name has at most"),
        ("a b", "expected for example a_b"),
        ("x" * 200, "a name has at most"),
        ("baseline/mine", "names that begin with baseline/ belong to other models"),
        ("a@b", "a name has at most"),
        ("openai/x", "names that begin with openai/ belong to endpoints"),
        ("localhost-8080/x", "names that begin with localhost-8080/ belong to endpoints"),
    ],
)
def test_names_that_cannot_be_given(name: str, message: str, folder: Path) -> None:
    """What cannot be a folder's name, or is another model's, is refused before anything is loaded."""
    with pytest.raises(ModelError, match=message):
        with_name(spec_of(folder.parent / "a", "r1"), name, results=folder)


def test_two_runs_at_one_time(folder: Path) -> None:
    """Of two runs that chose one name before either had a record, the second is refused when it records."""
    first, second = (named([spec_of(folder.parent / place / "final", place)], results=folder)[0] for place in "ab")
    assert first.name == second.name
    write(folder, first)
    record = Record(
        task="T",
        model=second.name,
        revision=second.revision,
        dataset_revision="1",
        scores={"test": [{"main_score": 0.5, "hf_subset": "default", "languages": ["eng-Latn"]}]},
        harness={"schema": 2, "fingerprint": "f", "model": {"origin": "folder", "place": second.place}},
    )
    with pytest.raises(RecordError, match="another folder got the name local/final meanwhile"):
        results.put(folder, record, model_meta={})
    given = {**record.harness, "model": {**record.harness["model"], "name_given": True}}
    assert results.put(folder, dataclasses.replace(record, harness=given), model_meta={}).model == "local/final"
