"""Two nights -> what changed: in scores, and in the world that they were measured in (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.nightly.history.snapshot_files import Night, NightCell, World
from harness.runner.cells import CellKey

NOTHING = "-"


class Cause(NamedTuple):
    """Something that is not as it was: `what` (`model commit`, `data`, `torch`, `device` ...), before and after."""

    what: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.what}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreChange:
    """A cell whose score is not what it was.

    Attributes:
        same_settings: whether model, data and settings are the same, so that only the world can be the reason.
        causes: what is known to differ.
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
    """What is different in the later of two nights.

    Attributes:
        scores: the largest loss first.
        world: what changed, for how many cells; also where no score moved.
        appeared, vanished: cells that only one of them has.
    """

    before: Night
    after: Night
    scores: tuple[ScoreChange, ...]
    world: tuple[tuple[Cause, int], ...]
    appeared: tuple[CellKey, ...]
    vanished: tuple[CellKey, ...]


def diff(before: Night, after: Night) -> Diff:
    """What changed from one night to the other. Scores that were only carried on count as they stand."""
    old, new = before.by_key(), after.by_key()
    scores: list[ScoreChange] = []
    world: Counter[Cause] = Counter()
    for key, cell in new.items():
        was = old.get(key)
        if was is None or (was == cell and before.worlds[was.world] == after.worlds[cell.world]):
            continue
        found = causes(was, before.worlds[was.world], cell, after.worlds[cell.world])
        world.update(found)
        if was.score != cell.score:
            scores.append(
                ScoreChange(
                    key=key,
                    type=cell.type,
                    metric=cell.metric,
                    before=was.score,
                    after=cell.score,
                    same_settings=same_settings(was, cell),
                    causes=found,
                )
            )
    return Diff(
        before=before,
        after=after,
        scores=tuple(sorted(scores, key=lambda change: (change.difference, change.key))),
        world=tuple(sorted(world.items(), key=lambda item: (-item[1], item[0]))),
        appeared=tuple(sorted(new.keys() - old.keys())),
        vanished=tuple(sorted(old.keys() - new.keys())),
    )


def same_settings(before: NightCell, after: NightCell) -> bool:
    """Whether model, data and settings of a cell are the same."""
    return (before.revision, before.fingerprint, before.data) == (after.revision, after.fingerprint, after.data)


def causes(before: NightCell, was: World, after: NightCell, now: World) -> tuple[Cause, ...]:
    """Whatever is recorded of a cell and differs, the likeliest reasons first."""
    found = [
        *_changed("model commit", _short(before.revision), _short(after.revision)),
        *_changed("data", _short(before.data), _short(after.data)),
        *_changed("data revision", _short(before.dataset_revision), _short(after.dataset_revision)),
        *_changed("metric", before.metric, after.metric),
    ]
    found += _each(was.encoder, now.encoder)
    found += _each(was.versions, now.versions)
    found += _changed("platform", was.platform, now.platform)
    found += _changed("machine", was.machine, now.machine)
    if before.fingerprint != after.fingerprint and not found:
        found.append(Cause("settings of the task", _short(before.fingerprint), _short(after.fingerprint)))
    return tuple(found)


def _each(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Cause]:
    names = dict.fromkeys([*before, *after])
    return [cause for name in names for cause in _changed(name.replace("_", " "), before.get(name), after.get(name))]


def _changed(what: str, before: object, after: object) -> list[Cause]:
    if before == after:
        return []
    return [Cause(what, *(NOTHING if value is None else str(value) for value in (before, after)))]


def _short(text: str | None) -> str:
    return (text or NOTHING)[:12]
