"""What changed between two nights: scores, and the run environment that they were measured in (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.nightly.history.snapshot_files import Night, NightCell, RunEnvironment
from harness.runner.cells import CellKey

NOTHING = "-"


class Cause(NamedTuple):
    """A value that differs between two nights: `what` it is (`model commit`, `data`, `torch`, `device` ...)."""

    what: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.what}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreChange:
    """A cell whose score changed.

    Attributes:
        same_settings: whether model, data and settings are the same, so that only the run environment can differ.
        causes: every recorded value that differs.
    """

    key: CellKey
    type: str
    metric: str
    before: float
    after: float
    same_settings: bool
    causes: tuple[Cause, ...]

    @property
    def difference(self) -> float:
        """After minus before."""
        return self.after - self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What changed between two nights.

    Attributes:
        scores: the largest loss first.
        causes: each recorded value that differs, with the number of cells, including cells whose score is the same.
        appeared, vanished: cells that only one of the nights has.
    """

    before: Night
    after: Night
    scores: tuple[ScoreChange, ...]
    causes: tuple[tuple[Cause, int], ...]
    appeared: tuple[CellKey, ...]
    vanished: tuple[CellKey, ...]


def diff(before: Night, after: Night) -> Diff:
    """What changed from one night to the other. Stale cells count with the score that they keep."""
    old, new = before.by_key(), after.by_key()
    scores: list[ScoreChange] = []
    counts: Counter[Cause] = Counter()
    for key, cell in new.items():
        was = old.get(key)
        if was is None or (was == cell and before.environment_of(was) == after.environment_of(cell)):
            continue
        differing = causes(was, before.environment_of(was), cell, after.environment_of(cell))
        counts.update(differing)
        if was.score != cell.score:
            scores.append(
                ScoreChange(
                    key=key,
                    type=cell.type,
                    metric=cell.metric,
                    before=was.score,
                    after=cell.score,
                    same_settings=same_settings(was, cell),
                    causes=differing,
                )
            )
    return Diff(
        before=before,
        after=after,
        scores=tuple(sorted(scores, key=lambda change: (change.difference, change.key))),
        causes=tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        appeared=tuple(sorted(new.keys() - old.keys())),
        vanished=tuple(sorted(old.keys() - new.keys())),
    )


def same_settings(before: NightCell, after: NightCell) -> bool:
    """Whether model, data and settings of a cell are the same."""
    return (before.revision, before.fingerprint, before.data) == (after.revision, after.fingerprint, after.data)


def causes(before: NightCell, was: RunEnvironment, after: NightCell, now: RunEnvironment) -> tuple[Cause, ...]:
    """Every recorded value of a cell that differs, the likeliest reason for another score first."""
    differing = [
        *_changed("model commit", _short(before.revision), _short(after.revision)),
        *_changed("data", _short(before.data), _short(after.data)),
        *_changed("data revision", _short(before.dataset_revision), _short(after.dataset_revision)),
        *_changed("metric", before.metric, after.metric),
    ]
    differing += _each(was.encoder, now.encoder)
    differing += _each(was.versions, now.versions)
    differing += _changed("platform", was.platform, now.platform)
    differing += _changed("machine", was.machine, now.machine)
    if before.fingerprint != after.fingerprint and not differing:
        differing.append(Cause("settings of the task", _short(before.fingerprint), _short(after.fingerprint)))
    return tuple(differing)


def _each(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Cause]:
    names = dict.fromkeys([*before, *after])
    return [cause for name in names for cause in _changed(name.replace("_", " "), before.get(name), after.get(name))]


def _changed(what: str, before: object, after: object) -> list[Cause]:
    if before == after:
        return []
    return [Cause(what, *(NOTHING if value is None else str(value) for value in (before, after)))]


def _short(text: str | None) -> str:
    return (text or NOTHING)[:12]
