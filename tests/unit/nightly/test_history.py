"""Snapshots, what changed between two of them, and what is worth an alert."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import RecordError, UnknownName
from harness.nightly.history import alerts, changes, report, snapshot_files
from harness.nightly.history.alerts import alerts_of
from harness.nightly.history.changes import Cause, diff
from harness.nightly.history.report import Report
from harness.nightly.history.snapshot_files import Night, RunEnvironment, items_place, keep_items
from harness.nightly.schedule.schedule_contents import AlertRules
from tests import nights
from tests.nights import night, queries

RULES = AlertRules()


# --- snapshots -------------------------------------------------------------------------------------------------------


def test_a_snapshot_comes_back_as_it_was(tmp_path: Path) -> None:
    """Written once, read-only, equal when read; a second of the same number is refused."""
    made = night(1, {("org/a", "T1"): 0.5}, environment=RunEnvironment(versions={"torch": "2"}))
    path = snapshot_files.write(tmp_path, made)
    assert snapshot_files.read(path) == made
    assert path.stat().st_mode & 0o222 == 0
    with pytest.raises(RecordError, match="night 1 already has a snapshot; snapshots are never changed"):
        snapshot_files.write(tmp_path, made)


def test_nights_by_name(tmp_path: Path) -> None:
    """Number, date, from the end; what does not exist says what does."""
    for number in (1, 2, 3):
        snapshot_files.write(tmp_path, night(number, {("org/a", "T1"): number / 10}))
    date = snapshot_files.day(night(2, {}).started)
    names = {"1": 1, "latest": 3, "previous": 2, "-3": 1, date: 2}
    assert {name: snapshot_files.find(tmp_path, name).number for name in names} == names
    for name in ("4", "-4", "2020-01-01", "soon"):
        with pytest.raises(UnknownName, match="it has 3 nights, from 00001-"):
            snapshot_files.find(tmp_path, name)
    with pytest.raises(UnknownName, match="no night in"):
        snapshot_files.find(tmp_path / "none", "latest")


def test_a_clock_that_was_set_back(tmp_path: Path) -> None:
    """The order of nights is that of their numbers, whatever their dates."""
    from msgspec import structs

    snapshot_files.write(tmp_path, night(1, {("org/a", "T1"): 0.1}))
    snapshot_files.write(tmp_path, structs.replace(night(2, {("org/a", "T1"): 0.2}), started=1e8, finished=1e8 + 5))
    last = snapshot_files.last(tmp_path)
    assert last is not None
    assert last.number == 2


@pytest.mark.parametrize("content", [b"", b"no gzip", b"\x1f\x8b\x08\x00"])
def test_a_broken_snapshot(tmp_path: Path, content: bytes) -> None:
    """It says so, and what to do."""
    path = tmp_path / "00001-2026-01-01.night"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"not a snapshot of a night .*; move it out of the folder"):
        snapshot_files.read(path)


def test_a_later_format(tmp_path: Path) -> None:
    """A snapshot of a newer version is not guessed at."""
    from msgspec import structs

    path = snapshot_files.write(tmp_path, structs.replace(night(1, {}), format=snapshot_files.FORMAT + 1))
    with pytest.raises(RecordError, match="update embedding-harness"):
        snapshot_files.read(path)


def test_retention(tmp_path: Path) -> None:
    """The newest stay, with the items that they refer to; 0 keeps all."""
    digests = []
    for number in (1, 2, 3):
        file = nights.put(tmp_path / "results", "org/a", "T1", queries(0.5, seed=number), revision=f"r{number}")
        digest = keep_items(tmp_path, file.with_name("T1.items.npz"))
        assert digest
        digests.append(digest)
        snapshot_files.write(tmp_path, night(number, {("org/a", "T1"): 0.5}, items=digest))
    assert snapshot_files.prune(tmp_path, keep=0) == []
    gone = snapshot_files.prune(tmp_path, keep=2)
    assert [path.name[:5] for path in gone[:1]] == ["00001"]
    assert list(snapshot_files.nights(tmp_path)) == [2, 3]
    assert [items_place(tmp_path, digest).exists() for digest in digests] == [False, True, True]


# --- changes ---------------------------------------------------------------------------------------------------------


def test_what_changed() -> None:
    """Scores with their causes, the run environment, cells that came and went: computed by hand."""
    before = night(1, {("org/a", "T1"): 0.5, ("org/a", "T2"): 0.4, ("org/b", "T1"): 0.3}, environment=RunEnvironment())
    after = night(
        2,
        {("org/a", "T1"): 0.45, ("org/a", "T2"): 0.4, ("org/c", "T1"): 0.9},
        environment=RunEnvironment(versions={"torch": "2.1"}),
        revision="r2",
    )
    made = diff(before, after)
    commit, torch = Cause("model commit", "r1", "r2"), Cause("torch", "-", "2.1")
    assert [(str(change.key), change.difference, change.causes) for change in made.scores] == [
        ("org/a T1 test", pytest.approx(-0.05), (commit, torch))
    ]
    assert made.causes == ((commit, 2), (torch, 2))
    assert [key.label for key in made.appeared] == ["org/c"]
    assert [key.label for key in made.vanished] == ["org/b"]


def test_nothing_changed() -> None:
    """The same cells, recorded anew with the same score in the same run environment, are no change."""
    made = diff(night(1, {("org/a", "T1"): 0.5}), night(2, {("org/a", "T1"): 0.5}))
    assert (made.scores, made.causes, made.appeared, made.vanished) == ((), (), (), ())
    assert "No difference." in report.render_diff(made)


# --- alerts ----------------------------------------------------------------------------------------------------------


def with_items(folder: Path, number: int, levels: dict[tuple[str, str], float], *, seed: int, revision: str) -> Night:
    """A night of models at some level, with the items of every cell kept."""
    scores, digests = {}, {}
    for place, (key, level) in enumerate(levels.items()):
        own = queries(level, seed=seed * 1000 + place, n=100)
        file = nights.put(folder / "results", *key, own, revision=revision)
        scores[key], digests[key] = own.whole(), keep_items(folder, file.with_name(f"{key[1]}.items.npz"))
    made = night(number, scores, revision=revision)
    from msgspec import structs

    cells = tuple(
        structs.replace(cell, items=digests[cell.label, cell.task], fingerprint=f"{cell.label}-{revision}-{cell.task}")
        for cell in made.cells
    )
    return structs.replace(made, cells=cells)


def test_a_worse_model(tmp_path: Path) -> None:
    """The model that was replaced by a worse one is named, with its tasks, drop and interval; the others are not."""
    levels = {(model, task): 0.5 for model in ("org/a", "org/b") for task in ("T1", "T2", "T3")}
    before = with_items(tmp_path, 1, levels, seed=1, revision="r1")
    worse = {key: (0.45 if key == ("org/b", "T2") else level) for key, level in levels.items()}
    after = with_items(tmp_path, 2, worse, seed=2, revision="r2")
    said = alerts_of(before, after, rules=RULES, history=tmp_path)
    [alert] = said.alerts
    assert (alert.kind, alert.model, alert.task, alert.n) == ("regression", "org/b", "T2", 100)
    assert alert.difference == pytest.approx(-0.05, abs=0.02)
    assert alert.low is not None
    assert alert.high is not None
    assert alert.low < alert.difference < alert.high < 0
    assert said.untested == ()
    text = report.alert_line(alert)
    assert text.startswith("WORSE org/b T2: ndcg_at_10 48.74 -> 43.70 (-5.04), 95% interval -6.30 to -3.80, p ")
    assert "model commit: r1 -> r2" in text


def test_many_models_do_not_hide_a_clear_drop(tmp_path: Path) -> None:
    """Of 60 tasks tested in one night, the one that clearly fell is found after Holm's correction."""
    levels = {("org/a", f"T{number}"): 0.5 for number in range(60)}
    before = with_items(tmp_path, 1, levels, seed=1, revision="r1")
    worse = {key: (0.40 if key[1] == "T7" else level - 0.0005) for key, level in levels.items()}
    after = with_items(tmp_path, 2, worse, seed=2, revision="r2")
    assert [alert.task for alert in alerts_of(before, after, rules=RULES, history=tmp_path).alerts] == ["T7"]


@pytest.mark.slow
def test_a_hundred_nights_of_ten_tasks(tmp_path: Path) -> None:
    """As below, with ten tasks a night."""
    assert false_alarms(tmp_path, tasks=10) <= 5


def test_false_alarms_in_a_hundred_nights(tmp_path: Path) -> None:
    """A model that is retrained every night to the same quality raises an alarm in at most 5 of 100 nights."""
    assert false_alarms(tmp_path, tasks=2) <= 5


def false_alarms(folder: Path, *, tasks: int) -> int:
    levels = {("org/a", f"T{number}"): 0.5 for number in range(tasks)}
    before, alarms = with_items(folder, 1, levels, seed=1, revision="r1"), 0
    for number in range(2, 102):
        after = with_items(folder, number, levels, seed=number, revision=f"r{number}")
        alarms += bool(alerts_of(before, after, rules=RULES, history=folder).alerts)
        before = after
    return alarms


def test_unchanged_models_never_raise_one(tmp_path: Path) -> None:
    """A hundred nights of the same records: no alert, ever."""
    levels = {("org/a", "T1"): 0.5}
    first = with_items(tmp_path, 1, levels, seed=1, revision="r1")
    from msgspec import structs

    for number in range(2, 102):
        after = structs.replace(first, number=number)
        assert alerts_of(first, after, rules=RULES, history=tmp_path) == alerts.NO_ALERTS


@given(change=st.sampled_from([-1e-12, 1e-12, -0.3, 0.3]), what=st.sampled_from(["torch", "numpy", ""]))
@settings(max_examples=12, deadline=None)
def test_any_change_in_the_same_settings(change: float, what: str) -> None:
    """Same model, data and settings: the smallest change, up or down, is an alert, and says what else changed."""
    before = night(1, {("org/a", "T1"): 0.5}, environment=RunEnvironment(versions={what: "1"} if what else {}))
    after = night(2, {("org/a", "T1"): 0.5 + change}, environment=RunEnvironment(versions={what: "2"} if what else {}))
    [alert] = alerts_of(before, after, rules=RULES, history=Path("none")).alerts
    assert alert.kind == "unexplained"
    assert alert.causes == ((Cause(what, "1", "2"),) if what else ())
    assert (f"{what}: 1 -> 2" if what else "nothing else in the record has changed") in report.alert_line(alert)
    off = dataclasses.replace(RULES, unexplained=False)
    assert alerts_of(before, after, rules=off, history=Path("none")) == alerts.NO_ALERTS


def test_other_data_is_not_compared(tmp_path: Path) -> None:
    """A lower score on other data is told, and is no alert."""
    before = night(1, {("org/a", "T1"): 0.5})
    after = night(2, {("org/a", "T1"): 0.1}, data="e", fingerprint="g")
    said = alerts_of(before, after, rules=RULES, history=tmp_path)
    assert said.alerts == ()
    assert [one.why for one in said.untested] == ["the data changed, so the items are not the same"]


def test_without_items_nothing_is_claimed(tmp_path: Path) -> None:
    """A lower score of another commit whose items nobody kept is told, and is no alert; a higher one is no news."""
    before = night(1, {("org/a", "T1"): 0.5, ("org/a", "T2"): 0.5})
    after = night(2, {("org/a", "T1"): 0.1, ("org/a", "T2"): 0.9}, revision="r2", fingerprint="g")
    said = alerts_of(before, after, rules=RULES, history=tmp_path)
    assert (said.alerts, [one.task for one in said.untested]) == ((), ["T1"])


def test_a_cell_that_failed_is_no_regression() -> None:
    """What is only carried on from an older night is not looked at."""
    before = night(1, {("org/a", "T1"): 0.5})
    after = night(2, {("org/a", "T1"): 0.4}, stale="it crashed")
    assert alerts_of(before, after, rules=RULES, history=Path("none")) == alerts.NO_ALERTS


# --- reports ---------------------------------------------------------------------------------------------------------


def test_what_a_night_says() -> None:
    """Status, sentence, Markdown and JSON of a night with an alert and a failure."""
    from msgspec import structs

    before = night(1, {("org/a", "T1"): 0.5})
    after = structs.replace(night(2, {("org/a", "T1"): 0.4}), failures={"org/a T2 test": "it | crashed"})
    said = Report(
        night=after, alerts=alerts_of(before, after, rules=RULES, history=Path("none")), diff=diff(before, after)
    )
    assert said.status == report.ALERT
    assert report.sentence(said).startswith("night 2 (2001-09-11): 1 computed, 1 cell, 1 failed, 1 alert")
    text = report.render(said)
    assert "## Changed with the same model, data and settings" in text
    assert r"it \| crashed" in text
    told = json.loads(report.as_json(said))
    assert told["alerts"][0]["difference"] == pytest.approx(-0.1)
    assert told["failures"] == {"org/a T2 test": "it | crashed"}
    assert dataclasses.replace(said, alerts=alerts.NO_ALERTS).status == report.FAILED
    assert Report(night=before).status == report.OK


def test_hostile_names_are_shown_as_text() -> None:
    """Whatever a model is called, Markdown shows it and does nothing with it."""
    evil = "<img src=x onerror=alert(1)>|[a](javascript:b)"
    before, after = night(1, {(evil, "T1"): 0.5}), night(2, {(evil, "T1"): 0.4})
    said = Report(
        night=after, alerts=alerts_of(before, after, rules=RULES, history=Path("none")), diff=diff(before, after)
    )
    assert "<img" not in report.render(said)
    assert "[a](java" not in report.render(said)


def test_causes_are_complete() -> None:
    """Another fingerprint with everything else equal is a change of settings; encoder facts are told by name."""
    old, new = night(1, {("a", "t"): 0.1}), night(2, {("a", "t"): 0.1}, fingerprint="other")
    assert (
        changes.causes(old.cells[0], RunEnvironment(), new.cells[0], RunEnvironment())[0].what == "settings of the task"
    )
    on_gpu = RunEnvironment(encoder={"device_name": "H100", "precision": "bf16"})
    told = changes.causes(old.cells[0], RunEnvironment(encoder={"precision": "fp32"}), old.cells[0], on_gpu)
    assert told == (Cause("precision", "fp32", "bf16"), Cause("device name", "-", "H100"))


def test_the_tail_of_p() -> None:
    """Where no draw crosses zero, p is the normal tail of the draws' spread; elsewhere it is the test's own."""
    from harness.evaluators.paired_items import Tested
    from harness.stats.bootstrap import Interval

    draws = np.random.default_rng(0).normal(-1, 0.1, 4000)
    clear = Tested(draws, Interval(-1.2, -0.8), 0.0005)
    assert alerts._p(clear, -1.0) < 1e-20
    unclear = Tested(np.append(draws, 0.1), Interval(-1.2, -0.8), 0.001)
    assert alerts._p(unclear, -1.0) == 0.001
