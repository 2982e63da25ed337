"""`harness card read`, `lint` and `verify`: reading a card's results, checking them, and measuring them again."""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options
from harness.errors import CardError
from harness.outputs.number_text import score_text
from harness.types.counted import counted

if TYPE_CHECKING:
    from harness.cards import Finding, Verified
    from harness.cards.metric_names import Names


_RUN_SETTINGS = (
    *("results", "tasks_dirs", "pinned_data", "mirror", "device", "precision", "offline"),
    *("trust_remote_code", "allow_pickle"),
)


def add(kinds: Any) -> None:
    """Declare the subcommands."""
    _add_read(kinds)
    _add_lint(kinds)
    _add_verify(kinds)


# --- read ----------------------------------------------------------------------------------------------------------


def _add_read(kinds: Any) -> None:
    command = kinds.add_parser(
        "read",
        help="read a card's results as records",
        description="Read the results on a card of any age as records under the revision `external`, with today's "
        "names and scores from 0 to 1. With --to they are written to a results folder and appear in tables with "
        "yours.",
    )
    command.add_argument("card", metavar="README.md", help="the card")
    command.add_argument("--to", metavar="DIR", help="write the records to this results folder")
    command.add_argument(
        "--model", metavar="ORG/NAME", help="the model that the card is about (default: the name in its index)"
    )
    shared_options.add(command, "--tasks-dir", "--json")
    command.set_defaults(do=_read)


def _read(args: argparse.Namespace) -> int:
    from harness.cards import published_records

    published = published_records.read(args.card, model=args.model, tasks_dirs=args.tasks_dirs)
    for note in published.notes:
        print(f"harness: {note}", file=sys.stderr)
    if not published.records:
        raise CardError(f"{args.card}: no results to read: its front matter has no `model-index` with values")
    files = published_records.put(published, args.to) if args.to else []
    if args.json:
        shared_options.print_json(
            [
                {"model": record.model, "task": record.task, "revision": record.revision, "scores": dict(record.scores)}
                for record in published.records
            ]
        )
        return 0
    from harness.outputs import text_table

    rows = [
        [record.model, record.task, str(part), _shown(entry.get("main_score")), len(entry) - 3]
        for record in published.records
        for part, entry in record.parts.items()
    ]
    headers = ["model", "task", "split", "main score", "metrics"]
    print(text_table.plain(headers, rows, right=[3, 4]), end="")
    where = f", written to {args.to}" if files else "; --to DIR writes them to a results folder"
    print(f"\n{counted(len(published.records), 'record')} of {args.card}{where}")
    return 0


def _shown(value: Any) -> str:
    return "?" if value is None else score_text(value)


# --- lint ----------------------------------------------------------------------------------------------------------


def _add_lint(kinds: Any) -> None:
    command = kinds.add_parser(
        "lint",
        help="check cards offline",
        description="Check cards for what the hub refuses, and for mixed scales, unknown tasks and metrics, and "
        "repeated results (`harness guide cards` lists the rules). Exit status 1 if there are findings.",
    )
    command.add_argument("cards", nargs="+", metavar="README.md", help="the cards")
    command.add_argument("--fix", action="store_true", help="make the changes that are safe")
    command.add_argument(
        "--names",
        choices=("v1", "v2"),
        help="the vocabulary of metric names to require (default: either, but not both)",
    )
    shared_options.add(command, "--tasks-dir", "--json")
    command.set_defaults(do=_lint)


def _lint(args: argparse.Namespace) -> int:
    from harness.cards import lint

    findings: list[tuple[str, Finding]] = []
    for path in args.cards:
        if args.fix:
            fixed, left = lint.fix(path, names=args.names, tasks_dirs=args.tasks_dirs)
            if fixed:
                print(f"{path}: fixed {fixed}", file=sys.stderr)
        else:
            left = lint.lint(path, names=args.names, tasks_dirs=args.tasks_dirs)
        findings += [(path, finding) for finding in left]
    if args.json:
        keys = ("line", "code", "what", "fix")
        shared_options.print_json(
            [
                {"file": path, **{key: getattr(finding, key) for key in keys}, "fixable": bool(finding.edits)}
                for path, finding in findings
            ]
        )
    else:
        for path, finding in findings:
            print(f"{path}:{finding.line}: {finding.what} [{finding.code}]\n    {finding.fix}")
        fixable = sum(bool(finding.edits) for _, finding in findings)
        more = f", {fixable} of which --fix can fix" if fixable else ""
        print(f"{counted(len(findings), 'finding')} in {counted(len(args.cards), 'card')}{more}")
    return 1 if findings else 0


# --- verify --------------------------------------------------------------------------------------------------------


def _add_verify(kinds: Any) -> None:
    command = kinds.add_parser(
        "verify",
        help="measure a card's results again, and compare",
        description="Measure what a card claims and compare. Each claim is reproduced, in the interval of an equal "
        "run, within 0.1 points, not reproduced, or cannot be run. Exit status 1 if a claim is not reproduced or no "
        "claim can be run.",
    )
    command.add_argument("card", metavar="README.md", help="the card")
    command.add_argument(
        "--model", metavar="NAME_OR_PATH", help="the model to run (default: the model in the card's folder)"
    )
    shared_options.add(command, "--tasks", help="only claims about these tasks")
    command.add_argument(
        "--metrics",
        choices=("all", "main"),
        default="all",
        help="all claims (default), or only claims about the main metric of each task",
    )
    command.add_argument(
        "--pinned-data",
        action="store_true",
        help="use the data that each task's spec pins, even if the card names another data set or commit",
    )
    shared_options.add(command, "--mirror", "--tasks-dir", "--results")
    command.add_argument(
        "--names", choices=("v1", "v2"), help="vocabulary of metric names to print (default: as on the card)"
    )
    shared_options.add(command, "--device", metavar="auto|cpu|cuda|cuda:N|mps")
    shared_options.add(command, "--precision", help="as in `harness run`")
    shared_options.add(command, "--offline", "--trust-remote-code", "--allow-pickle", "--json")
    command.set_defaults(do=_verify)


def _verify(args: argparse.Namespace) -> int:
    from harness.cards.verify import RunSettings, verify

    verified = verify(
        args.card,
        model=args.model,
        tasks=args.tasks,
        metrics=args.metrics,
        run=RunSettings(on_event=_print_progress, **shared_options.given(args, *_RUN_SETTINGS)),
    )
    count = Counter(claim.verdict for claim in verified)
    if args.json:
        shared_options.print_json([_as_json(claim) for claim in verified])
    else:
        _report(verified, args.names)
        print("\n" + ", ".join(f"{number} {verdict}" for verdict, number in count.most_common()))
    return 1 if count["not reproduced"] or count["cannot run"] == len(verified) else 0


def _print_progress(event: Any) -> None:
    if event.kind in ("open", "encode"):
        what = (
            f"{event.cells.task.name} {event.part}" if event.part is not None else f"opening {event.cells.model.name}"
        )
        print(f"harness: {what}", file=sys.stderr, flush=True)


def _report(verified: list[Verified], names: Names | None) -> None:
    from harness.cards.metric_names import named
    from harness.outputs import text_table

    rows = []
    reasons: dict[str, int] = {}
    for result in verified:
        claim, key = result.claim, result.claim.key
        note = str(reasons.setdefault(result.reason, len(reasons) + 1)) if result.reason else ""
        rows.append(
            [
                str(claim.line),
                key.task,
                f"{key.split or '?'} {claim.subset}",
                named(key.metric, claim.type, names=names) if names else claim.metric,
                _points(claim.score),
                _points(result.ours),
                "" if result.difference is None else f"{result.difference:+.3f}",
                result.verdict,
                note,
            ]
        )
    headers = ["line", "task", "part", "metric", "claim", "ours", "difference", "verdict", "note"]
    print(text_table.plain(headers, rows, right=[0, 4, 5, 6, 8]), end="")
    for reason, number in reasons.items():
        print(f"{'' if number > 1 else chr(10)}{number}: {reason}")


def _points(score: float | None) -> str:
    return "" if score is None or not math.isfinite(score) else f"{score * 100:.3f}"


def _as_json(result: Verified) -> dict[str, Any]:
    claim, key = result.claim, result.claim.key
    return {
        "line": claim.line,
        "model": claim.model,
        "task": key.task,
        "split": key.split,
        "subset": claim.subset,
        "metric": claim.metric,
        "claim": claim.score,
        "ours": result.ours,
        "difference": result.difference,
        "interval": list(result.interval) if result.interval else None,
        "verdict": result.verdict,
        "reason": result.reason,
    }
