"""`harness card read`, `lint` and `verify`: what a card says, whether it is sound, and whether it is true."""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options
from harness.errors import CardError

if TYPE_CHECKING:
    from harness.cards import Finding, Verified
    from harness.cards.metric_names import Names


def add(kinds: Any) -> None:
    """Declare the subcommands."""
    _add_read(kinds)
    _add_lint(kinds)
    _add_verify(kinds)


# --- read ----------------------------------------------------------------------------------------------------------


def _add_read(kinds: Any) -> None:
    command = kinds.add_parser(
        "read",
        help="make records of the results on a card",
        description="Read the results on a card of any age as records under the revision `external`: names become "
        "today's, values 0-1. With --to they stand beside yours in tables.",
    )
    command.add_argument("card", metavar="README.md")
    command.add_argument("--to", metavar="DIR", help="write the records to this results folder")
    command.add_argument("--model", metavar="ORG/NAME", help="whose card it is (default: as its index says)")
    shared_options.add_tasks_dir(command)
    shared_options.add_json(command)
    command.set_defaults(do=_read)


def _read(args: argparse.Namespace) -> int:
    from harness.cards import published_records

    found = published_records.read(args.card, model=args.model, tasks_dirs=args.tasks_dir)
    for note in found.notes:
        print(f"harness: {note}", file=sys.stderr)
    if not found.records:
        raise CardError(f"{args.card}: no results to read: its front matter has no `model-index` with values")
    files = published_records.put(found, args.to) if args.to else []
    if args.json:
        shared_options.print_json(
            [
                {"model": record.model, "task": record.task, "revision": record.revision, "scores": dict(record.scores)}
                for record in found.records
            ]
        )
        return 0
    from harness.outputs import text_table

    rows = [
        [record.model, record.task, str(part), _shown(entry.get("main_score")), len(entry) - 3]
        for record in found.records
        for part, entry in record.parts.items()
    ]
    headers = ["model", "task", "split", "main score", "metrics"]
    print(text_table.plain(headers, rows, right=[3, 4]), end="")
    where = f", written to {args.to}" if files else "; --to DIR writes them to a results folder"
    print(f"\n{len(found.records)} records of {args.card}{where}")
    return 0


def _shown(value: Any) -> str:
    return "?" if value is None else f"{value:.4f}"


# --- lint ----------------------------------------------------------------------------------------------------------


def _add_lint(kinds: Any) -> None:
    command = kinds.add_parser(
        "lint",
        help="check cards without a network",
        description="Check cards for what the hub refuses and for what nobody should publish: mixed scales, unknown "
        "tasks and metrics, results that stand twice. Exit status 1 when something is found.",
    )
    command.add_argument("cards", nargs="+", metavar="README.md")
    command.add_argument("--fix", action="store_true", help="mend what is safe to mend")
    command.add_argument("--names", choices=("v1", "v2"), help="the metric names to use (default: one kind, whichever)")
    shared_options.add_tasks_dir(command)
    shared_options.add_json(command)
    command.set_defaults(do=_lint)


def _lint(args: argparse.Namespace) -> int:
    from harness.cards import lint

    found: list[tuple[str, Finding]] = []
    for path in args.cards:
        if args.fix:
            fixed, left = lint.fix(path, names=args.names, tasks_dirs=args.tasks_dir)
            if fixed:
                print(f"{path}: mended {fixed}", file=sys.stderr)
        else:
            left = lint.lint(path, names=args.names, tasks_dirs=args.tasks_dir)
        found += [(path, finding) for finding in left]
    if args.json:
        keys = ("line", "code", "what", "fix")
        shared_options.print_json(
            [
                {"file": path, **{key: getattr(finding, key) for key in keys}, "fixable": bool(finding.edits)}
                for path, finding in found
            ]
        )
    else:
        for path, finding in found:
            print(f"{path}:{finding.line}: {finding.what} [{finding.code}]\n    {finding.fix}")
        fixable = sum(bool(finding.edits) for _, finding in found)
        more = f", {fixable} of which --fix mends" if fixable else ""
        print(f"{len(found)} found in {len(args.cards)} card{'s' if len(args.cards) > 1 else ''}{more}")
    return 1 if found else 0


# --- verify --------------------------------------------------------------------------------------------------------


def _add_verify(kinds: Any) -> None:
    command = kinds.add_parser(
        "verify",
        help="run what a card claims, and compare",
        description="Run what a card claims and compare. A claim is reproduced, lies in the interval of an equal run, "
        "lies within 0.1 points, is not reproduced, or cannot be run. Exit status 1 when a claim is not reproduced, or "
        "none could be run.",
    )
    command.add_argument("card", metavar="README.md")
    command.add_argument("--model", metavar="NAME_OR_PATH", help="whose card it is (default: the model beside it)")
    command.add_argument(
        "-t",
        "--tasks",
        type=shared_options.names,
        action="extend",
        metavar="TASK,...",
        help="only claims about these tasks",
    )
    command.add_argument(
        "--metrics", choices=("all", "main"), default="all", help="main: only claims about the main metric of a task"
    )
    command.add_argument(
        "--pinned-data",
        action="store_true",
        help="use the data that a task's spec pins, also where the card names another data set or commit",
    )
    command.add_argument(
        "--mirror", action="store_true", help="take data from a task's mirror where its spec names one"
    )
    shared_options.add_tasks_dir(command)
    shared_options.add_results(command)
    command.add_argument("--names", choices=("v1", "v2"), help="metric names to show (default: the card's)")
    command.add_argument("--device", default="auto", metavar="auto|cpu|cuda|cuda:N|mps", help="where the model runs")
    command.add_argument("--precision", choices=("auto", "fp32", "fp16", "bf16"), default="auto")
    command.add_argument("--offline", action="store_true", help="never ask the network; use what is cached or bundled")
    command.add_argument("--trust-remote-code", action="store_true", help="let models run code from their repository")
    command.add_argument("--allow-pickle", action="store_true", help="load weights that are not safetensors")
    shared_options.add_json(command)
    command.set_defaults(do=_verify)


def _verify(args: argparse.Namespace) -> int:
    from harness.cards.verify import RunSettings, verify

    found = verify(
        args.card,
        model=args.model,
        tasks=args.tasks,
        metrics=args.metrics,
        run=RunSettings(
            results=args.results,
            tasks_dirs=args.tasks_dir,
            pinned_data=args.pinned_data,
            mirror=args.mirror,
            device=args.device,
            precision=args.precision,
            offline=args.offline,
            trust_remote_code=args.trust_remote_code,
            allow_pickle=args.allow_pickle,
            on_event=_say,
        ),
    )
    count = Counter(one.verdict for one in found)
    if args.json:
        shared_options.print_json([_as_json(one) for one in found])
    else:
        _report(found, args.names)
        print("\n" + ", ".join(f"{number} {verdict}" for verdict, number in count.most_common()))
    return 1 if count["not reproduced"] or count["cannot run"] == len(found) else 0


def _say(event: Any) -> None:
    if event.kind in ("open", "encode"):
        what = (
            f"{event.cells.task.name} {event.part}" if event.part is not None else f"opening {event.cells.model.name}"
        )
        print(f"harness: {what}", file=sys.stderr, flush=True)


def _report(found: list[Verified], names: Names | None) -> None:
    from harness.cards.metric_names import named
    from harness.outputs import text_table

    rows = []
    reasons: dict[str, int] = {}
    for one in found:
        key = one.claim.key
        note = str(reasons.setdefault(one.reason, len(reasons) + 1)) if one.reason else ""
        rows.append(
            [
                str(one.claim.line),
                key.task,
                f"{key.split or '?'} {one.claim.subset}",
                named(key.metric, one.claim.type, names=names) if names else one.claim.metric,
                _points(one.claim.score),
                _points(one.ours),
                "" if one.difference is None else f"{one.difference:+.3f}",
                one.verdict,
                note,
            ]
        )
    headers = ["line", "task", "part", "metric", "claim", "ours", "difference", "verdict", "note"]
    print(text_table.plain(headers, rows, right=[0, 4, 5, 6, 8]), end="")
    for reason, number in reasons.items():
        print(f"{'' if number > 1 else chr(10)}{number}: {reason}")


def _points(score: float | None) -> str:
    return "" if score is None or not math.isfinite(score) else f"{score * 100:.3f}"


def _as_json(one: Verified) -> dict[str, Any]:
    key = one.claim.key
    return {
        "line": one.claim.line,
        "model": one.claim.model,
        "task": key.task,
        "split": key.split,
        "subset": one.claim.subset,
        "metric": one.claim.metric,
        "claim": one.claim.score,
        "ours": one.ours,
        "difference": one.difference,
        "interval": list(one.interval) if one.interval else None,
        "verdict": one.verdict,
        "reason": one.reason,
    }
