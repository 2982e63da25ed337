"""Messages: suggestions, and every defect in its place; kinds: what follows from each, and where they come from."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import (
    HANDLING,
    CardError,
    CellsFailed,
    DataError,
    EncodeError,
    Failure,
    HarnessError,
    Kind,
    ModelError,
    RecordError,
    SpecError,
    UnknownName,
    failure_of,
    kind_of,
    shown_address,
    suggest,
)
from harness.files.disk_errors import on_disk
from harness.hub import retries

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


# --- kinds ---------------------------------------------------------------------------------------------------------


def test_what_follows_from_each_kind() -> None:
    """Every error of this package ends a command with 2; what may pass is retried; a full disk alone stops a night."""
    assert {kind: handling.exit_status for kind, handling in HANDLING.items()} == {
        **dict.fromkeys(("request", "data", "model", "transient", "resource", "disk"), 2),
        "defect": 1,
    }
    assert {kind for kind, handling in HANDLING.items() if handling.retried} == {"transient", "resource"}
    assert {kind for kind, handling in HANDLING.items() if handling.stops_night} == {"disk"}


def test_a_class_has_a_kind_and_a_raise_another() -> None:
    """The class says what is to blame unless the line that raises knows better."""
    assert {cls: cls("x").kind for cls in (HarnessError, UnknownName, DataError, ModelError, EncodeError)} == {
        HarnessError: "request",
        UnknownName: "request",
        DataError: "data",
        ModelError: "model",
        EncodeError: "model",
    }
    assert (RecordError("x").kind, CardError("x").kind, SpecError("x", []).kind) == ("data", "data", "request")
    assert ModelError("the hub is away", kind="transient").kind == "transient"
    assert CellsFailed([], [Failure("c", "e", kind="disk"), Failure("d", "e", kind="data")]).kind == "disk"


@pytest.mark.parametrize(
    "err",
    [
        RecordError("full", kind="disk"),
        SpecError("a.yaml", [":3: wrong", "also wrong"]),
        UnknownName.of("task", "scifakt", TASKS),
        CellsFailed(["record"], [Failure("m A test", "no rows", kind="transient")]),
    ],
    ids=lambda err: type(err).__name__,
)
def test_errors_travel(err: HarnessError) -> None:
    """An error that goes through a pipe to another process keeps its class, message, kind and attributes."""
    arrived = pickle.loads(pickle.dumps(err))
    assert (type(arrived), str(arrived), arrived.kind) == (type(err), str(err), err.kind)
    assert vars(arrived) == vars(err)


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


def wrapped(cause: BaseException) -> Exception:
    """A library's error around what it met."""
    err = ValueError("An error occurred while generating the dataset")
    err.__cause__ = cause
    return err


@pytest.mark.parametrize(
    ("err", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk"),
        (OSError(errno.EFBIG, "File too large"), "disk"),
        (wrapped(OSError(errno.ENOSPC, "No space left on device")), "disk"),
        (MemoryError(), "resource"),
        (OutOfMemoryError("CUDA out of memory"), "resource"),
        (wrapped(DataError("away", kind="transient")), "transient"),
        (ConnectionResetError("reset"), "transient"),
        (TimeoutError("late"), "transient"),
        (PermissionError(errno.EACCES, "Permission denied"), "defect"),
        (ValueError("No space left on device, out of memory, could not be asked"), "defect"),
    ],
    ids=repr,
)
def test_kinds_of_other_libraries(err: Exception, kind: Kind) -> None:
    """Class, number and cause of an error say what is to blame; its words do not."""
    assert kind_of(err) == kind
    assert failure_of(err, cell="c").kind == kind


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_of_its_kind(tmp_path: Path, number: int) -> None:
    """At the edge to the disk a full one is told from a folder that may not be written."""
    with pytest.raises(RecordError) as full, on_disk(tmp_path, "written"):
        raise OSError(number, os.strerror(number))
    with pytest.raises(RecordError) as refused, on_disk(tmp_path, "written"):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    assert (full.value.kind, refused.value.kind) == ("disk", "request")


class Response:
    """An answer of the hub."""

    def __init__(self, status: int) -> None:
        self.status_code = status


def answered(status: int) -> Exception:
    """The client's error for an answer."""
    err = ValueError(f"status {status}")
    err.response = Response(status)  # type: ignore[attr-defined]
    return err


def test_kinds_at_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the hub refuses is the request's fault, what it cannot do now passes; a full disk is neither."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    statuses = {status: retries.kind_of_failure(answered(status)) for status in (400, 401, 403, 404, 429, 500, 503)}
    assert statuses == {
        **dict.fromkeys((400, 401, 403, 404), "request"),
        **dict.fromkeys((429, 500, 503), "transient"),
    }
    assert retries.kind_of_failure(RuntimeError("a transport error of any class")) == "transient"
    assert retries.kind_of_failure(wrapped(OSError(errno.ENOSPC, "full"))) == "disk"
    assert retries.kind_of_failure(wrapped(answered(503)), otherwise="model") == "transient"
    assert retries.kind_of_failure(RuntimeError("size mismatch"), otherwise="model") == "model"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert retries.kind_of_failure(ConnectionError("offline mode is enabled")) == "request"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("for url 'https://user:pw@hub/x'", "for url 'https://...@hub/x'"),
        ("https://h/a?b=1&api_token=abc&c=2 failed", "https://h/a?b=1&api_token=...&c=2 failed"),
        ("https://h/a@main and me@example.org", "https://h/a@main and me@example.org"),
    ],
)
def test_credentials_in_messages(text: str, shown: str) -> None:
    """No error of this package and no failure of a cell repeats users, passwords and tokens of addresses."""
    assert str(HarnessError(text)) == shown
    failure = failure_of(ValueError(text), cell="a cell")
    assert failure.error == f"ValueError: {shown}"
    assert "pw" not in failure.traceback + failure.error
    assert "abc" not in failure.traceback


def test_shown_addresses() -> None:
    """Of an address that may hold a secret the host is shown."""
    assert shown_address("https://u:p@host:1/a?b#c") == "https://host:1/..."
    assert shown_address("https://host") == "https://host"
    assert shown_address("http://[::1/x") == "http://[::1/..."
