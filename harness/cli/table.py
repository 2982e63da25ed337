"""`harness table`: the main scores of recorded models side by side."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options
from harness.errors import HarnessError, UnknownName
from harness.outputs import score_table

if TYPE_CHECKING:
    from harness.tasks.registry import Registry
    from harness.types import Part, Record


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "table",
        help="show recorded models side by side",
        description="Show recorded models side by side: one main score per task (mean over splits and subsets), the "
        "best in bold if the format allows. Models are in the order in which they are named, else best first.",
    )
    command.add_argument("models", nargs="*", metavar="MODEL", help="models to show (default: every recorded model)")
    shared_options.add(command, *shared_options.TASKS, "--splits")
    command.add_argument("--metric", metavar="NAME", help="this metric instead of each task's main one")
    command.add_argument(
        "--compression",
        action="store_true",
        help="show what fewer dimensions, quantized vectors and rescoring keep of each model (see harness run --dims, "
        "--quantize, --rescore): bytes a document, scores, recall against the float search",
    )
    command.add_argument(
        "--format",
        choices=(*score_table.FORMATS, "svg"),
        default="table",
        help="output format (default: table); svg: with --compression, a picture of quality against bytes",
    )
    shared_options.add(command, "--digits", "--results")
    command.set_defaults(do=do)


def do(args: argparse.Namespace) -> int:
    """Print the table."""
    from harness import results
    from harness.files.folders import existing_results
    from harness.tasks import registry
    from harness.types import Refused

    folder = existing_results(args.results)
    task_registry = registry.get_tasks(args.tasks_dirs)
    suite = task_registry.suite(args.suite) if args.suite else None
    requested = [task_registry.find(name).name for name in args.tasks or []] + list(suite.tasks if suite else [])
    parts = suite.parts if suite else {}
    records: list[Record] = []
    for item in results.scan(folder):
        if isinstance(item, Refused):
            print(f"harness: left out {item.path}: {item.reason}", file=sys.stderr)
        elif not requested or item.task in requested:
            records.append(item)
    records, order = _chosen(records, args.models, folder)
    if args.compression:
        score = functools.partial(
            _score, metric=args.metric, splits=args.splits, parts_of_tasks=parts, task_registry=task_registry
        )
        print(_compression(records, args, score=score), end="")
        return 0
    if args.format == "svg":
        raise HarnessError("--format svg: draws quality against bytes; add --compression, or choose another format")
    table = _table(records, args, order=order, requested=requested, parts=parts, task_registry=task_registry)
    print(score_table.render(table, format=args.format, digits=args.digits), end="")
    return 0


def _compression(records: list[Record], args: argparse.Namespace, *, score: Callable[[Record], float | None]) -> str:
    """The table or the picture of compressed vectors."""
    from harness.leaderboard.compression import compressions
    from harness.outputs import compression_picture, compression_table

    tables = compressions(records, score=score)
    if not tables:
        raise UnknownName(
            "no record with compressed vectors fits the request; `harness run MODEL --dims N --quantize int8,binary` "
            "makes some"
        )
    if args.format != "svg":
        return compression_table.render(tables, format=args.format, digits=args.digits)
    if len(tables) > 1:
        names = ", ".join(compression_table.name_of(table, tables) for table in tables)
        raise HarnessError(f"--format svg: draws one model; found {len(tables)} ({names}); name one of them")
    drawn = compression_picture.picture(tables[0])
    if not drawn:
        raise HarnessError("--format svg: fewer than two rows have bytes and a score; see the table")
    return drawn


def _table(
    records: list[Record],
    args: argparse.Namespace,
    *,
    order: list[str],
    requested: list[str],
    parts: Mapping[str, tuple[Part, ...]],
    task_registry: Registry,
) -> score_table.ScoreTable:
    labels = _labels(records)
    scores: dict[str, dict[str, float]] = {}
    metrics: set[str] = set()
    for record in sorted(records, key=lambda record: order.index(record.model)):
        row = scores.setdefault(labels[_identity(record)], {})
        value = _score(
            record, metric=args.metric, splits=args.splits, parts_of_tasks=parts, task_registry=task_registry
        )
        metrics.update(
            name for entry in record.parts.values() for name, score in entry.items() if isinstance(score, int | float)
        )
        if value is not None:
            row[record.task] = value
    present = {task for row in scores.values() for task in row}
    if args.metric and not present and scores:
        raise UnknownName.of("recorded metric", args.metric, sorted(metrics))
    if not present:
        raise UnknownName("no record matches the request; `harness run --plan` shows what is recorded")
    tasks = [task for task in dict.fromkeys(requested) if task in present] or sorted(present)
    missing = [task for task in dict.fromkeys(requested) if task not in present]
    if missing:
        print(f"harness: not recorded for any model: {', '.join(missing)}", file=sys.stderr)
    shown = score_table.ScoreTable(models=list(scores), tasks=tasks, scores=scores)
    return shown if args.models else shown.best_first()


def _chosen(records: list[Record], asked: list[str], folder: Path) -> tuple[list[Record], list[str]]:
    """The records of the models that are asked for, and the models in the order of the table."""
    revisions: dict[str, set[str]] = {}
    for record in records:
        revisions.setdefault(record.model, set()).add(record.revision)
    if not asked:
        return records, sorted(revisions)
    from harness.results.asked_names import recorded_name

    chosen = [recorded_name(name, revisions, folders=[folder]) for name in asked]
    kept = [record for record in records if any(name.covers(record.model, record.revision) for name in chosen)]
    return kept, list(dict.fromkeys(name.name for name in chosen))


def _identity(record: Record) -> tuple[str, str, str]:
    return record.model, record.revision, record.variant


def _labels(records: list[Record]) -> dict[tuple[str, str, str], str]:
    """Names of models, with the revision if a model has several, and with the variant if there is one."""
    from harness.types import model_label

    identities = {_identity(record) for record in records}
    revisions: dict[str, set[str]] = {}
    for model, revision, _ in identities:
        revisions.setdefault(model, set()).add(revision)
    return {
        (model, revision, variant): model_label(
            model + (f"@{revision[:10]}" if len(revisions[model]) > 1 else ""), variant
        )
        for model, revision, variant in identities
    }


def _score(
    record: Record,
    *,
    metric: str | None,
    splits: list[str] | None,
    parts_of_tasks: Mapping[str, tuple[Part, ...]],
    task_registry: Registry,
) -> float | None:
    """Mean over the task's parts; if a suite narrows the task, all of the suite's parts must be recorded."""
    entries, parts = record.parts, parts_of_tasks.get(record.task)
    if parts is None and record.task in task_registry.names() and not splits:
        declared = task_registry.get(record.task).parts
        chosen = [part for part in declared if part in entries] or list(entries)
    else:
        chosen = list(parts) if parts is not None else list(entries)
    if splits:
        chosen = [part for part in chosen if part.split in splits]
    values = [entries.get(part, {}).get(metric or "main_score") for part in chosen]
    numbers = [value for value in values if isinstance(value, int | float)]
    return sum(numbers) / len(numbers) if numbers and len(numbers) == len(values) else None
