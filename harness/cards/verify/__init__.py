"""Verifying a card: measuring again what it claims, and comparing the scores.

    claims -> targets (task, part, metric, data) -> runs -> verdicts

A claim that names other data than the task's spec is run on the data that it names, and recorded in a separate folder.
A claim that cannot be run gets the reason. `judge` decides how near is near enough. `intervals` is a function of the
record and can be replaced by a better one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from harness.cards import card_file
from harness.cards.claims import Claim, claims_of
from harness.cards.task_lookup import TaskLookup
from harness.cards.verify.claim_runs import RunOutcome, RunSettings, measure, task_data
from harness.cards.verify.equal_run_interval import Intervals, of_record
from harness.cards.verify.targets import Target, target_of
from harness.cards.verify.verdicts import Verified, judge
from harness.errors import CardError, UnknownName
from harness.types import Record

__all__ = ["RunSettings", "Verified", "judge", "model_beside", "verify"]


def verify(
    path: str | os.PathLike[str],
    *,
    model: str | None = None,
    tasks: Sequence[str] | None = None,
    metrics: Literal["all", "main"] = "all",
    run: RunSettings | None = None,
    intervals: Intervals | None = None,
) -> list[Verified]:
    """Measure what a card claims and compare; one verdict per claim, in the card's order.

    Args:
        path: the card.
        model: the model to run; by default the one in the card's folder.
        tasks: check only claims about these tasks.
        metrics: `main` checks only claims about the main metric of their task.
        run: how to run the model.
        intervals: computes the interval of an equal run; by default `equal_run_interval.of_record`.

    Raises:
        CardError: the card cannot be read or has no results, or no model is in its folder.
        HarnessError: the model cannot be found, or the results folder cannot be written.
    """
    from harness.tasks import registry

    run, card = run or RunSettings(), card_file.load(path)
    claims = _chosen(claims_of(card), tasks, path)
    model = model or model_beside(Path(path))
    lookup = TaskLookup(registry.get_tasks([Path(folder) for folder in run.tasks_dirs]))
    targets = {claim: target_of(claim, lookup, pinned_data=run.pinned_data, mirror=run.mirror) for claim in claims}
    if metrics == "main":
        claims = [claim for claim in claims if _is_main(targets[claim])]
    outcome = measure([target for target in targets.values() if isinstance(target, Target)], model, run)
    return [_verified(claim, targets[claim], outcome, intervals or of_record) for claim in claims]


def model_beside(path: Path) -> str:
    """The model in the card's folder.

    Raises:
        CardError: the folder has no model.
    """
    folder = path.parent
    if any((folder / name).is_file() for name in ("modules.json", "config.json")):
        return str(folder.resolve())
    raise CardError(f"{path}: this card's folder has no model; name the model with --model ORG/NAME or a folder")


def _chosen(claims: Sequence[Claim], tasks: Sequence[str] | None, path: str | os.PathLike[str]) -> list[Claim]:
    if not claims:
        raise CardError(f"{path}: has no results: its front matter has no `model-index` with results")
    UnknownName.refuse(f"task in {path}", tasks, dict.fromkeys(claim.key.task for claim in claims))
    return [claim for claim in claims if tasks is None or claim.key.task in tasks]


def _is_main(target: Target | str) -> bool:
    return isinstance(target, str) or target.metric in ("main_score", target.task.main_metric)


def _verified(claim: Claim, target: Target | str, outcome: RunOutcome, intervals: Intervals) -> Verified:
    if isinstance(target, str):
        return Verified(claim, None, None, "cannot run", reason=target)
    data, part = task_data(target), target.part
    record = outcome.records.get(data)
    entry = record.parts.get(part) if record is not None else None
    if record is None or entry is None:
        reason = outcome.failures.get((data, part), "it was not run")
        return Verified(claim, None, None, "cannot run", reason=reason)
    ours = entry.get(target.metric)
    if not isinstance(ours, int | float):
        return Verified(
            claim, None, None, "cannot run", reason=f"{target.metric} is undefined or not computed by the harness"
        )
    assert claim.score is not None
    metric = target.task.main_metric if target.metric == "main_score" else target.metric
    interval = intervals(record, part, metric)
    verdict = judge(claim, float(ours), interval)
    note = target.note or _changed_files(claim, target, record)
    return Verified(claim, float(ours), (float(ours) - claim.score) * 100, verdict, interval, note)


def _changed_files(claim: Claim, target: Target, record: Record) -> str:
    """A note if local files changed since the card was written; records and cards name their digest, not a commit."""
    claimed = claim.key.revision
    if target.task.source.kind != "local" or claimed in (None, record.dataset_revision):
        return ""
    return f"the data files differ from the card's: {record.dataset_revision}, not {claimed}"
