"""`harness card eval-results` and `harness card push`: writing scores into a model's repository."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Mapping
from typing import Any

from harness.cli import card_options, shared_options
from harness.errors import CardError
from harness.types.counted import counted


def add(kinds: Any) -> None:
    """Declare the subcommands."""
    command = kinds.add_parser(
        "eval-results",
        help="write scores as .eval_results/*.yaml",
        description="Write a model's main scores as `.eval_results/<Task>.yaml`, the hub's newer format, into a clone "
        "of its repository. Entries of other tasks are kept.",
    )
    command.add_argument("model", metavar="MODEL[@REVISION]", help="a recorded model")
    command.add_argument("folder", metavar="DIR", help="a clone of the model's repository")
    card_options.add_selection(command)
    command.add_argument(
        "--digits", type=shared_options.digits, metavar="N", help="decimals of the values (default: 5)"
    )
    command.set_defaults(do=_eval_results)

    command = kinds.add_parser(
        "push",
        help="merge results into a card on the hub",
        description="Merge a model's results into its card on the hub, as `card write` does with a file. Shows the "
        "changes and asks before pushing. Needs a token with write access (HF_TOKEN).",
    )
    command.add_argument("model", metavar="MODEL[@REVISION]", help="a recorded model")
    command.add_argument("--repo", metavar="ORG/NAME", help="the repository on the hub (default: the model's name)")
    command.add_argument("--eval-results", action="store_true", help="push .eval_results files instead of the card")
    command.add_argument("--pr", action="store_true", help="open a pull request instead of committing")
    command.add_argument("--yes", action="store_true", help="push without asking")
    card_options.add_selection(command)
    card_options.add_values(command)
    card_options.add_card(command)
    command.set_defaults(do=_push)


def _eval_results(args: argparse.Namespace) -> int:
    from harness.cards import eval_results

    changed, left_out = eval_results.write(args.model, args.folder, options=card_options.options(args))
    card_options.report_left_out(left_out)
    for path in changed:
        print(path)
    print(f"{counted(len(changed), 'file')} written" if changed else "nothing to change")
    return 0


def _push(args: argparse.Namespace) -> int:
    from harness.hub import commits

    repo = args.repo or args.model.partition("@")[0]
    remote = commits.fetch(repo, prefix=".eval_results/" if args.eval_results else commits.CARD)
    changed, diff = _eval_files(args, remote.files) if args.eval_results else _card(args, remote.files)
    if not changed:
        print(f"{repo}: nothing to change")
        return 0
    print(diff, end="", flush=True)
    where = f"a pull request to {repo}" if args.pr else repo
    if not args.yes and not _confirmed(f"Push this as {where}? [y/N] " if args.pr else f"Push this to {where}? [y/N] "):
        print("nothing pushed")
        return 1
    print(commits.commit(remote, changed, message="Update evaluation results", as_pull_request=args.pr))
    return 0


def _card(args: argparse.Namespace, existing: Mapping[str, bytes]) -> tuple[dict[str, bytes], str]:
    from harness import cards
    from harness.hub import commits

    raw = existing.get(commits.CARD)
    card = cards.decode(raw, path=commits.CARD)
    written = cards.merged(args.model, card, options=card_options.options(args), **card_options.card_arguments(args))
    card_options.report_left_out(written.left_out)
    content = cards.encode(card, written.text)
    return ({} if content == raw else {commits.CARD: content}), written.diff


def _eval_files(args: argparse.Namespace, existing: Mapping[str, bytes]) -> tuple[dict[str, bytes], str]:
    from harness.cards import eval_results

    contents, left_out = eval_results.files(args.model, card_options.options(args), existing=existing)
    card_options.report_left_out(left_out)
    changed = {path: content for path, content in contents.items() if existing.get(path) != content}
    diffs: list[str] = []
    for path, content in changed.items():
        old = existing.get(path, b"").decode("utf-8", errors="replace").splitlines(keepends=True)
        new = content.decode().splitlines(keepends=True)
        diffs += difflib.unified_diff(old, new, path if path in existing else os.devnull, path)
    return changed, "".join(diffs)


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise CardError(
            "cannot ask for confirmation, because the input is not a terminal; check the changes and add --yes"
        )
    return input(question).strip().lower() in ("y", "yes")
