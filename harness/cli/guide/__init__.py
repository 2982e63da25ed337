"""`harness guide`: pages of this folder, printed as they are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from harness.errors import UnknownName

_FOLDER = Path(__file__).parent


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser("guide", help="read a page about a subject")
    command.add_argument("page", nargs="?", metavar="PAGE", help="the page (default: list all pages)")
    command.set_defaults(do=do)


def do(args: argparse.Namespace) -> int:
    """Print a page, or the names and titles of all."""
    pages = {file.stem: file for file in sorted(_FOLDER.glob("*.md"))}
    if args.page is None:
        for name, file in pages.items():
            title = file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
            print(f"harness guide {name:<10} {title}")
        return 0
    UnknownName.refuse("page", [args.page], pages)
    print(pages[args.page].read_text(encoding="utf-8"), end="")
    return 0
