"""`harness view`: the board of a results folder, served on this machine and opened in the browser."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from harness.cli import leaderboard, shared_options
from harness.cli.process_variables import default_variables
from harness.types.counted import counted


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "view",
        help="open the board of a results folder in the browser",
        description="Write the board as a site beside the results folder (DIR-board), serve it on 127.0.0.1, and open "
        "it in the browser. Only this machine can reach it. Ctrl+C ends the command; the site stays.",
    )
    command.add_argument(
        "results", nargs="?", metavar="DIR", help="the results folder (default: $HARNESS_RESULTS, else ./results)"
    )
    leaderboard.add_scope(command)
    command.add_argument("--variants", action="store_true", help="add rows for variants of models")
    command.add_argument("--site", metavar="DIR", help="write the site to this folder instead")
    command.add_argument(
        "--port", type=_port, default=0, metavar="N", help="port of the server (default: one that is free)"
    )
    command.add_argument("--no-browser", action="store_true", help="print the address, and open nothing")
    command.set_defaults(do=do)


@default_variables(OPENBLAS_NUM_THREADS="1")
def do(args: argparse.Namespace) -> int:
    """Write the site and serve it until the user ends it."""
    import webbrowser

    from harness.cli import board_server
    from harness.files.folders import results_folder
    from harness.leaderboard.api import ranked
    from harness.leaderboard.uncertainty import with_uncertainty
    from harness.outputs import site

    folder = results_folder(args.results)
    place = Path(args.site) if args.site else folder.parent / f"{folder.resolve().name}-board"
    args.results = [folder]
    board = with_uncertainty(ranked(leaderboard.scope_of(args), variants=args.variants))
    leaderboard.report(board)
    site.write(board, place)
    with board_server.serve(place, args.port) as server:
        address = f"http://{board_server.HOST}:{server.server_address[1]}/"
        print(f"{counted(len(board.rows), 'model')} on {address} (written to {place}); Ctrl+C ends", flush=True)
        if not args.no_browser:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


def _port(value: str) -> int:
    number = shared_options.positive(value)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"found {value!r}; expected a port, 1 to 65535")
    return number
