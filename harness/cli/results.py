"""`harness results export`: records in the formats of others."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options
from harness.errors import HarnessError, UnknownName
from harness.types.counted import counted

if TYPE_CHECKING:
    from harness.outputs.every_eval_ever import Uncertainty
    from harness.results.loading import Results
    from harness.types import Part, Record

_RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser("results", help="export recorded results").add_subparsers(
        title="commands", metavar="COMMAND"
    )
    command = group.add_parser(
        "export",
        help="write records for mteb's results repository, for Every Eval Ever, or as one table",
        description="Write records in the format of others. mteb: a folder for a pull request to mteb's public results "
        "repository, read back with mteb's own loader. every-eval-ever: JSON of the schema 0.3.0, one file a model. "
        "csv and parquet: one table, a row for each part.",
    )
    command.add_argument("models", nargs="*", metavar="MODEL", help="models to export (default: every recorded model)")
    command.add_argument(
        "--format", required=True, choices=("mteb", "every-eval-ever", "csv", "parquet"), help="the format"
    )
    command.add_argument("--output", required=True, metavar="PATH", help="the folder to write, or the file of a table")
    shared_options.add(command, *shared_options.TASKS)
    command.add_argument("--organization", metavar="NAME", help="who evaluated; every-eval-ever needs it")
    command.add_argument(
        "--relationship",
        choices=_RELATIONSHIPS,
        default="other",
        help="of that organization to the makers of the models, for every-eval-ever (default: other)",
    )
    shared_options.add(command, "--results")
    command.set_defaults(do=_export)


def _export(args: argparse.Namespace) -> int:
    from harness.results.loading import load_results
    from harness.tasks import registry

    task_registry = registry.get_tasks(args.tasks_dirs)
    tasks = [task_registry.find(name).name for name in args.tasks or []]
    if args.suite:
        tasks += task_registry.suite(args.suite).tasks
    results = load_results(args.results, models=args.models or None, tasks=tasks or None, require_models=True)
    for refusal in results.refused:
        print(f"harness: left out {refusal.path}: {refusal.reason}", file=sys.stderr)
    for record in results.records:
        for remark in record.remarks:
            print(f"harness: {record.path}: {remark}", file=sys.stderr)
    if not results.records:
        raise UnknownName("no record fits the request; `harness table` shows what is recorded")
    writers: Mapping[str, Callable[[Results, argparse.Namespace], str]] = {
        "mteb": _mteb,
        "every-eval-ever": _every_eval_ever,
        "csv": _table,
        "parquet": _table,
    }
    print(writers[args.format](results, args))
    return 0


def _mteb(results: Results, args: argparse.Namespace) -> str:
    from harness.data import mteb_bridge
    from harness.files.atomic import write_output
    from harness.outputs import mteb_results
    from harness.results.paths import META

    metas = {}
    for record in results.records:
        path = Path(record.path).parent / META
        if path.is_file():
            metas[record.model, record.revision] = path.read_text(encoding="utf-8")
    folder = mteb_results.render(results.records, metas)
    for note, labels in folder.notes.items():
        more = f" and {counted(len(labels) - 1, 'more record')}" if len(labels) > 1 else ""
        print(f"harness: {labels[0]}{more}: {note}", file=sys.stderr)
    target = Path(args.output)
    for name, text in folder.files.items():
        write_output(target / name, text)
    records = [target / name for name in folder.files if not name.endswith(META)]
    mteb_bridge.check_results(records)
    return f"{counted(len(records), 'record')} in {target / 'results'}, each read back by mteb"


def _every_eval_ever(results: Results, args: argparse.Namespace) -> str:
    if not args.organization:
        raise HarnessError("--format every-eval-ever needs --organization NAME: the schema asks who evaluated")
    from harness.files.atomic import write_output
    from harness.outputs import every_eval_ever

    evaluator = every_eval_ever.Evaluator(args.organization, args.relationship)
    files = dict(every_eval_ever.render(results.records, evaluator, uncertainty=_uncertainty(results.records)))
    for name, text in files.items():
        write_output(Path(args.output) / name, text)
    return f"{counted(len(files), 'file')} of schema {every_eval_ever.SCHEMA} in {Path(args.output) / 'data'}"


def _uncertainty(records: Sequence[Record]) -> dict[tuple[str, Part], Uncertainty]:
    """The intervals of the main scores whose items are recorded."""
    import numpy as np

    from harness.errors import RecordError
    from harness.evaluators.items import replicates
    from harness.leaderboard.uncertainty import RESAMPLES
    from harness.outputs.every_eval_ever import Uncertainty
    from harness.results.items import get_items

    errors: dict[tuple[str, Part], Uncertainty] = {}
    for record in records:
        try:
            recorded = get_items(record) or {}
        except RecordError as err:
            print(f"harness: {record.task} of {record.model} has no interval: {err}", file=sys.stderr)
            continue
        for part, items in recorded.items():
            scores = replicates(items, task=record.task, part=part, resamples=RESAMPLES)
            low, high = np.quantile(scores, [0.025, 0.975])
            if np.isfinite([low, high]).all():
                errors[record.path, part] = Uncertainty(float(low), float(high), len(items), RESAMPLES)
    return errors


def _table(results: Results, args: argparse.Namespace) -> str:
    from harness.files.atomic import write_output

    table = results.to_pandas()
    if args.format == "csv":
        content: str | bytes = table.to_csv(index=False)
    else:
        content = table.to_parquet(index=False)
    write_output(Path(args.output), content)
    return f"{counted(len(table), 'row')} in {args.output}"
