"""`harness cache`: the embeddings that are kept on disk for the next run."""

from __future__ import annotations

import argparse
import time
from typing import Any

from harness.cli import shared_options


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser(
        "cache",
        help="look at, check and clear kept embeddings",
        description="Embeddings are kept so that a run that was stopped goes on where it was, and one that scores the "
        "same texts again need not encode them. They lie in $HARNESS_CACHE/embeddings (default "
        "~/.cache/embedding-harness), at most $HARNESS_STORE_GIB gibibytes of them (default 20); those used longest "
        "ago go first. Deleting them is always safe.",
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    info = actions.add_parser("info", help="what is kept, by model and way of encoding")
    shared_options.add_json(info)
    info.set_defaults(do=_info)
    clear = actions.add_parser("clear", help="delete kept embeddings")
    clear.add_argument("models", nargs="*", metavar="MODEL", help="only those of these models")
    clear.add_argument(
        "--to", type=shared_options.size, metavar="GIB", help="only the least recently used, down to this size"
    )
    clear.set_defaults(do=_clear)
    verify = actions.add_parser("verify", help="check every block against its digest; broken ones are deleted")
    verify.set_defaults(do=_verify)


def _info(args: argparse.Namespace) -> int:
    from harness.encoding import cache_upkeep, vector_files

    found = cache_upkeep.usage()
    total = sum(one.bytes for one in found)
    if args.json:
        shared_options.print_json(
            {
                "folder": str(vector_files.folder()),
                "bytes": total,
                "limit": cache_upkeep.limit_bytes(),
                "namespaces": [one._asdict() for one in found],
            }
        )
        return 0
    from tabulate import tabulate

    rows = [
        [
            one.identity.get("model", "?"),
            str(one.identity.get("revision", "?"))[:12],
            one.identity.get("precision", "?"),
            one.identity.get("max_length", "?"),
            one.identity.get("batching", "?"),
            repr(one.identity.get("prompt", "")),
            one.blocks,
            f"{one.bytes / 2**20:.1f}",
            time.strftime("%Y-%m-%d %H:%M", time.localtime(one.used)),
        ]
        for one in found
    ]
    headers = ["model", "revision", "precision", "length", "batches", "prompt", "blocks", "MiB", "last used"]
    if rows:
        print(tabulate(rows, headers=headers, disable_numparse=True) + "\n")
    print(f"{total / 2**30:.2f} of {cache_upkeep.limit_bytes() / 2**30:.0f} GiB in {vector_files.folder()}")
    return 0


def _clear(args: argparse.Namespace) -> int:
    from harness.encoding import cache_upkeep
    from harness.errors import HarnessError, UnknownName

    if args.to is not None and args.models:
        raise HarnessError("--to takes what was used longest ago, of all models; leave out the option or the models")
    if args.to is not None:
        freed = cache_upkeep.evict(int(args.to * 2**30))
    elif args.models:
        found = cache_upkeep.usage()
        known = list(dict.fromkeys(str(one.identity.get("model")) for one in found))
        for name in args.models:
            if name not in known:
                raise UnknownName.of("model with kept embeddings", name, known)
        freed = cache_upkeep.clear(
            namespaces=[one.namespace for one in found if one.identity.get("model") in args.models]
        )
    else:
        freed = cache_upkeep.clear()
    print(f"{freed / 2**20:.1f} MiB freed")
    return 0


def _verify(args: argparse.Namespace) -> int:
    from harness.encoding import cache_upkeep

    sound, broken = cache_upkeep.verify()
    for file in broken:
        print(f"BROKEN, deleted: {file}")
    print(f"{sound} blocks are sound, {len(broken)} were broken")
    return 1 if broken else 0
