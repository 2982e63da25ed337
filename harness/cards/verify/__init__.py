"""Does a card tell the truth? What it claims is run and compared.

    claims -> targets (task, part, metric, data)  ->  harness.run  ->  verdicts

A claim that names other data than the task's spec pins is run on the data that it names, and recorded apart. What
cannot be run is told with the reason. How near is near enough is `judge`'s to say, and where an interval comes from is
`intervals`: a function of the record, so that better ones can take its place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from harness.cards import card_file
from harness.cards.claims import Claim, claims_of
from harness.cards.task_lookup import TaskLookup
from harness.cards.verify.equal_run_interval import Interval, Intervals, of_record
from harness.cards.verify.targets import Target, target_of
from harness.errors import CardError, CellsFailed, UnknownName
from harness.types import EncodeOptions, Part, Record, Source, TaskSpec

if TYPE_CHECKING:
    from harness.runner.request import Request

Verdict = Literal["reproduced", "in interval", "within 0.1", "not reproduced", "cannot run"]
VERDICTS: tuple[Verdict, ...] = ("reproduced", "in interval", "within 0.1", "not reproduced", "cannot run")
EXACT = 0.0005
NEAR = 0.1
"""In points of 0-100."""


class Verified(NamedTuple):
    """A claim and what came of it.

    Attributes:
        ours: 0-1; None where nothing could be run.
        difference: ours less the claim, in points of 0-100.
        interval: 0-1; None where unknown.
        reason: why it cannot be run, or what to know about the comparison.
    """

    claim: Claim
    ours: float | None
    difference: float | None
    verdict: Verdict
    interval: Interval | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How to run; as for `harness.run`.

    Attributes:
        pinned_data: run on the data and commit that a task's spec pins, where the card names others.
        mirror: run on the mirror that a spec names for its data.
    """

    results: str | os.PathLike[str] | None = None
    tasks_dirs: Sequence[str | os.PathLike[str]] = ()
    pinned_data: bool = False
    mirror: bool = False
    device: str = "auto"
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    offline: bool = False
    trust_remote_code: bool = False
    allow_pickle: bool = False
    on_event: Callable[[Any], None] = lambda event: None


def verify(
    path: str | os.PathLike[str],
    *,
    model: str | None = None,
    tasks: Sequence[str] | None = None,
    metrics: Literal["all", "main"] = "all",
    run: Run | None = None,
    intervals: Intervals | None = None,
) -> list[Verified]:
    """Run what a card claims and compare; one verdict a claim, in the card's order.

    Args:
        path: the card.
        model: whose card it is; by default the folder that the card lies in.
        tasks: only claims about these.
        metrics: `main`: only claims about the main metric of their task.
        run: how to run.
        intervals: where intervals come from; by default `intervals.of_record`.

    Raises:
        CardError: the card cannot be read, claims nothing, or its model is unknown.
        HarnessError: the model cannot be found, or the results folder cannot be written.
    """
    from harness.tasks import registry

    run, card = run or Run(), card_file.load(path)
    claims = _chosen(claims_of(card), tasks, path)
    model = model or model_beside(Path(path))
    specs = TaskLookup(registry.get_tasks([Path(folder) for folder in run.tasks_dirs]))
    targets = {claim: target_of(claim, specs, pinned_data=run.pinned_data, mirror=run.mirror) for claim in claims}
    if metrics == "main":
        claims = [claim for claim in claims if _is_main(targets[claim])]
    measured = _measured([target for target in targets.values() if isinstance(target, Target)], model, run)
    return [_verified(claim, targets[claim], measured, intervals or of_record) for claim in claims]


def judge(claim: Claim, ours: float, interval: Interval | None) -> Verdict:
    """How near our score is to the claim's.

    `reproduced`: to 0.0005 points, beyond what the claim's own digits round away. `in interval`: the claim lies where
    an equal run would. `within 0.1`: it does not, or that is unknown, but no more than 0.1 points are between them.
    """
    assert claim.score is not None
    digits = len(claim.text.partition(".")[2].partition("e")[0]) + (0 if claim.scale == "percent" else -2)
    rounding = 0.5 * 10.0**-digits
    apart = abs(ours - claim.score) * 100
    if apart <= EXACT + (rounding if rounding > EXACT else 0):
        return "reproduced"
    if interval is not None and interval[0] <= claim.score <= interval[1]:
        return "in interval"
    return "within 0.1" if apart <= NEAR else "not reproduced"


def model_beside(path: Path) -> str:
    """The model whose card lies at `path`: the folder that holds both.

    Raises:
        CardError: the folder holds no model.
    """
    folder = path.parent
    if any((folder / name).is_file() for name in ("modules.json", "config.json")):
        return str(folder.resolve())
    raise CardError(f"{path}: no model lies beside this card; name it with --model ORG/NAME or a folder")


def _chosen(claims: Sequence[Claim], tasks: Sequence[str] | None, path: str | os.PathLike[str]) -> list[Claim]:
    if not claims:
        raise CardError(f"{path}: claims nothing: its front matter has no `model-index` with results")
    for task in tasks or ():
        claimed = dict.fromkeys(claim.key.task for claim in claims)
        if task not in claimed:
            raise UnknownName.of(f"task in {path}", task, claimed)
    return [claim for claim in claims if tasks is None or claim.key.task in tasks]


def _is_main(target: Target | str) -> bool:
    return isinstance(target, str) or target.metric in ("main_score", target.task.main_metric)


class _Place(NamedTuple):
    """Where targets are run and recorded together: a task, its data, and whether that is the spec's own."""

    task: str
    source: Source
    elsewhere: bool


class _Measured(NamedTuple):
    records: dict[_Place, Record]
    failures: dict[tuple[_Place, Part], str]


def _measured(targets: Iterable[Target], model: str, run: Run) -> _Measured:
    """Records and failures. What does not run on the data that its spec pins is recorded apart, in the cache."""
    from harness.files.folders import cache_folder

    grouped: dict[_Place, list[Target]] = {}
    for target in targets:
        grouped.setdefault(_place(target), []).append(target)
    done = _Measured({}, {})
    for elsewhere in (False, True):
        folder = cache_folder() / "verify" if elsewhere else run.results
        todo = {place: wanted for place, wanted in grouped.items() if place.elsewhere == elsewhere}
        while todo:  # one run takes a task once, though a card may claim it of several revisions
            places = list({place.task: place for place in reversed(todo)}.values())
            _run([(place, todo.pop(place)) for place in reversed(places)], model, run, folder=folder, done=done)
    return done


def _run(
    wanted: Sequence[tuple[_Place, Sequence[Target]]],
    model: str,
    run: Run,
    *,
    folder: str | os.PathLike[str] | None,
    done: _Measured,
) -> None:
    from harness.runner import execution

    request = _request(model, [_narrowed(targets) for _, targets in wanted], run, folder=folder)
    places = {place.task: place for place, _ in wanted}

    def take(event: Any) -> None:
        place = places[event.job.task.name]
        if event.kind == "failed":
            done.failures[place, event.part] = event.failure.error
        elif event.kind == "inapplicable":
            done.failures.update({(place, part): event.message for part in event.job.todo})
        run.on_event(event)

    try:
        records = execution.carry_out(request, on_event=take)
    except CellsFailed as err:
        records = err.records
    done.records.update({places[record.task]: record for record in records})


def _request(model: str, tasks: Sequence[TaskSpec], run: Run, *, folder: str | os.PathLike[str] | None) -> Request:
    from harness.files.folders import results_folder
    from harness.runner.request import Request
    from harness.runner.selection import Selection

    return Request(
        models=(model,),
        selection=Selection(tasks=tuple(tasks)),
        options=EncodeOptions(device=run.device, precision=run.precision),
        results=results_folder(folder),
        trust_remote_code=run.trust_remote_code,
        allow_pickle=run.allow_pickle,
        offline=run.offline,
    )


def _place(target: Target) -> _Place:
    return _Place(target.task.name, target.task.source, target.elsewhere)


def _narrowed(targets: Sequence[Target]) -> TaskSpec:
    """The task with no other splits and subsets than the targets'."""
    task = targets[0].task
    subsets = {target.part.subset for target in targets}
    return replace(
        task,
        splits=tuple(dict.fromkeys(target.part.split for target in targets)),
        subsets={subset: spoken for subset, spoken in task.subsets.items() if subset in subsets},
    )


def _verified(claim: Claim, target: Target | str, measured: _Measured, intervals: Intervals) -> Verified:
    if isinstance(target, str):
        return Verified(claim, None, None, "cannot run", reason=target)
    place, part = _place(target), target.part
    record = measured.records.get(place)
    entry = record.parts.get(part) if record is not None else None
    if record is None or entry is None:
        reason = measured.failures.get((place, part), "it was not run")
        return Verified(claim, None, None, "cannot run", reason=reason)
    ours = entry.get(target.metric)
    if not isinstance(ours, int | float):
        return Verified(claim, None, None, "cannot run", reason=f"{target.metric} is undefined or not computed here")
    assert claim.score is not None
    metric = target.task.main_metric if target.metric == "main_score" else target.metric
    interval = intervals(record, part, metric)
    verdict = judge(claim, float(ours), interval)
    note = target.note or _other_data(claim, target, record)
    return Verified(claim, float(ours), (float(ours) - claim.score) * 100, verdict, interval, note)


def _other_data(claim: Claim, target: Target, record: Record) -> str:
    """Files have no commit: their record and their card hold a digest instead."""
    named = claim.key.revision
    if target.task.source.kind != "local" or named in (None, record.dataset_revision):
        return ""
    return f"the data is no longer the card's: {record.dataset_revision}, not {named}"
