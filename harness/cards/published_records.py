"""Turning a card's claims into records under the pseudo revision `external`, so that tables show published scores.

mteb's results repository treats cards the same way, under the same name. Of repeated results the last one counts,
because tools append. Notes tell what was left out or inferred.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness import results
from harness.cards import card_file
from harness.cards.claims import Claim, ClaimKey, claims_of
from harness.cards.metric_names import is_bounded
from harness.cards.model_records import EXTERNAL
from harness.cards.task_lookup import TaskLookup
from harness.cards.unrecognised import unrecognised
from harness.errors import CardError, RecordError
from harness.results import paths
from harness.results.json_format import NO_REVISION
from harness.results.schema import SCHEMA
from harness.tasks import registry
from harness.tasks.mteb_metadata import MtebTask
from harness.types import Record, TaskSpec
from harness.types.counted import counted


class PublishedRecords(NamedTuple):
    """The records of a card, and notes for the reader, each with its line."""

    records: list[Record]
    notes: list[str]


def read(
    path: str | os.PathLike[str],
    *,
    model: str | None = None,
    tasks_dirs: Sequence[str | os.PathLike[str]] = (),
) -> PublishedRecords:
    """Read the records of a card, one per model and task.

    Args:
        path: the card.
        model: the model (`org/name`) that the card's only entry is about; by default the name of each entry.
        tasks_dirs: folders with more task files.

    Raises:
        CardError: the card cannot be read, or `model` is given and the index has several entries.
    """
    card = card_file.load(path)
    notes: list[str] = []
    ignored = unrecognised(card)
    if ignored is not None:
        card = ignored.card
        notes.append(str(ignored))
    all_claims = claims_of(card)
    names = list(dict.fromkeys(claim.model for claim in all_claims))
    if model is not None and len(names) > 1:
        raise CardError(f"{path}: --model needs a card with one entry; this one has {len(names)} ({', '.join(names)})")
    lookup = TaskLookup(registry.get_tasks([Path(folder) for folder in tasks_dirs]))
    by_record: dict[tuple[str, str], list[Claim]] = {}
    for claim in all_claims:
        problem = _problem(claim)
        if problem:
            notes.append(f"{path}:{claim.line}: left out: {problem}")
        else:
            by_record.setdefault((model or claim.model, claim.key.task), []).append(claim)
    records = [
        _record(name, task, claims, lookup.facts(task), path=card.path, notes=notes)
        for (name, task), claims in by_record.items()
    ]
    fractions = sorted({claim.line for claim in all_claims if claim.scale == "fraction"})
    if fractions and len(fractions) < len(all_claims):
        notes.append(f"{path}:{fractions[0]}: {counted(len(fractions), 'value')} read as 0-1, the others as 0-100")
    weak = sorted({claim.line for claim in all_claims if claim.ambiguous and claim.scale == "percent"})
    if weak:
        notes.append(
            f"{path}:{weak[0]}: {counted(len(weak), 'value')} of tasks without a value above 1 read as 0-100, as mteb "
            "1 writes results named `MTEB ...`; compare them with the model's other results"
        )
    return PublishedRecords(records, notes)


def put(published: PublishedRecords, folder: str | os.PathLike[str]) -> list[Path]:
    """Write the records to a results folder, replacing those read earlier; the files.

    Raises:
        RecordError: a record cannot be written.
    """
    return [
        Path(results.put(Path(folder), record, model_meta={"name": record.model, "revision": EXTERNAL}).path)
        for record in published.records
    ]


def _problem(claim: Claim) -> str:
    if not claim.key.task:
        return "a result without a task's name (`dataset.name`)"
    if not claim.model:
        return "a result of a model without a name"
    if not claim.metric:
        return "a metric without a type"
    if claim.score is None:
        return f"{claim.key.task}: the value {claim.text!r} is not a number"
    if abs(claim.score) > 1.01 and is_bounded(claim.metric):
        return f"{claim.key.task}: the value {claim.text} is not a score from 0 to 100"
    try:
        paths.record_path(Path("results"), paths.Identity(claim.model, EXTERNAL), claim.key.task)
    except RecordError as err:
        return str(err)
    return ""


def _record(
    model: str, task: str, claims: Sequence[Claim], facts: TaskSpec | MtebTask | None, *, path: Path, notes: list[str]
) -> Record:
    revision = claims[0].key.revision
    parts: dict[tuple[str, str], dict[str, Any]] = {}
    lines: dict[tuple[str, str, str], Claim] = {}
    names: dict[ClaimKey, set[str | None]] = {}
    for claim in claims:
        names.setdefault(claim.key, set()).add(claim.name)
    for claim in claims:
        if claim.key.revision != revision:
            notes.append(
                f"{path}:{claim.line}: left out: {task} of revision {claim.key.revision}, after results of {revision}"
            )
            continue
        subset = _subset(claim, facts)
        metric = claim.name or claim.key.metric if len(names[claim.key]) > 1 else claim.key.metric
        place = (claim.key.split or "test", subset, metric)
        if place in lines and lines[place].score != claim.score:
            notes.append(
                f"{path}:{claim.line}: {task} {claim.key.split} {claim.metric} is repeated; "
                f"{claim.text} counts, {lines[place].text} (line {lines[place].line}) does not"
            )
        lines[place] = claim
        parts.setdefault((place[0], subset), {})[metric] = claim.score
    main = facts.main_metric if facts else ""
    task_type = facts.type if facts else claims[0].type
    scores: dict[str, list[Mapping[str, Any]]] = {}
    for (split, subset), metrics in parts.items():
        first = next(iter(metrics))
        stated = metrics.pop("main_score", None)
        score = _main_score(metrics, stated, main)
        where = f"{path}:{lines[split, subset, first].line}: {task} {split}/{subset}"
        if stated is not None and main in metrics and metrics[main] != stated:
            both = f"main_score {stated:g}, and {main} {metrics[main]:g}"
            notes.append(f"{where}: the card states {both}; the former counts")
        elif score is None and main:
            notes.append(f"{where}: no main score: its main metric is {main}, and the card states {', '.join(metrics)}")
        entry = {
            **metrics,
            "main_score": score,
            "hf_subset": subset,
            "languages": list(facts.subsets.get(subset, ())) if facts else [],
        }
        scores.setdefault(split, []).append(entry)
    return Record(
        task=task,
        model=model,
        revision=EXTERNAL,
        dataset_revision=revision or NO_REVISION,
        scores=scores,
        harness={
            "schema": SCHEMA,
            "card": path.name,
            **({"task_type": task_type} if task_type else {}),
            **({"main_metric": main} if main else {}),
            **({"source": {"kind": "hub", "path": claims[0].key.dataset}} if claims[0].key.dataset else {}),
        },
    )


def _main_score(metrics: Mapping[str, Any], stated: float | None, main: str) -> float | None:
    """The main score of a part: the stated one, else the main metric; where nobody knows that, the only value."""
    if stated is not None:
        return stated
    if main:
        return metrics.get(main)
    return next(iter(metrics.values())) if len(metrics) == 1 else None


def _subset(claim: Claim, facts: TaskSpec | MtebTask | None) -> str:
    """The subset that the config names, or else the name; the config as written if neither is a subset of the task."""
    if facts is not None:
        subsets = {config: subset for subset, config in facts.configs.items()} if isinstance(facts, TaskSpec) else {}
        for name in (claim.key.config, claim.subset):
            if name is not None and subsets.get(name, name) in facts.subsets:
                return subsets.get(name, name)
    return claim.key.config or claim.subset
