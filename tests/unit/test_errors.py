"""Messages: suggestions, and every defect in its place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.errors import CellsFailed, HarnessError, SpecError, UnknownName, suggest
from harness.runner.events import Failure

TASKS = ["MiniSTSGerman", "MiniSTSEnglish", "SciFact", "STSBenchmark", "GermanSTSBenchmark"]


def test_suggestions_are_near_and_best_first() -> None:
    """A misspelt name finds the one that it nearly is, whatever its case; a name like no other finds none."""
    assert suggest("scifakt", TASKS) == ["SciFact"]
    assert suggest("GermanSTSbenchmark", TASKS)[0] == "GermanSTSBenchmark"
    assert suggest("xyz", TASKS) == []


def test_a_part_of_a_name_finds_the_whole() -> None:
    """`german` is far from every name by edit distance, but inside two: the shorter comes first."""
    assert suggest("german", TASKS) == ["MiniSTSGerman", "GermanSTSBenchmark"]
    assert suggest("st", TASKS) == []  # two letters are inside nearly everything


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=10), st.integers(1, 5))
def test_suggestions_are_known_names(name: str, known: list[str], limit: int) -> None:
    """Whatever was typed, suggestions are distinct known names, at most `limit`."""
    found = suggest(name, known, limit=limit)
    assert set(found) <= set(known)
    assert len(found) == len(set(found)) <= limit


def test_an_unknown_name_says_what_is_known() -> None:
    """Near names, else all of a short list, else nothing; and the hint last."""
    assert str(UnknownName.of("task", "scifakt", TASKS)) == "no task named 'scifakt'; did you mean SciFact?"
    assert str(UnknownName.of("split", "dev", ["test", "train"])) == "no split named 'dev'; known: test, train"
    assert str(UnknownName.of("split", "dev", [])) == "no split named 'dev'"
    many = [f"n{i}" for i in range(13)]
    assert str(UnknownName.of("name", "zzz", many, hint="see --help")) == "no name named 'zzz'; see --help"


def test_a_spec_error_lists_every_defect() -> None:
    """One line a defect, each with the file; a line number follows the file without a space."""
    err = SpecError("a.yaml", [":3: wrong", "also wrong"])
    assert str(err) == "a.yaml:3: wrong\na.yaml: also wrong"
    assert (err.file, err.problems) == ("a.yaml", [":3: wrong", "also wrong"])


def test_failed_cells_keep_what_was_done() -> None:
    """The message has a line for each failure; records and failures can be read."""
    failures = [Failure("m A test", "no rows", ""), Failure("m B test", "NaN", "")]
    err = CellsFailed(["record"], failures)
    assert str(err) == "m A test: no rows\nm B test: NaN"
    assert (err.records, err.failures) == (["record"], failures)
    assert isinstance(err, HarnessError)
