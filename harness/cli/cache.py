"""`harness cache`: the vectors that are kept on disk for the next run."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from harness.cli import shared_options


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser(
        "cache",
        help="look at, check and clear the vector cache",
        description="The vector cache keeps what models returned, so that a run that was stopped goes on where it was, "
        "and a run that scores the same texts again does not encode them again. It lies in $HARNESS_CACHE/embeddings "
        "(default ~/.cache/embedding-harness) and holds at most $HARNESS_STORE_GIB gibibytes (default 20); vectors "
        "used longest ago are deleted first. Deleting them is always safe.",
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION")
    info = actions.add_parser("info", help="what the cache holds, by model and way of encoding")
    shared_options.add(info, "--json")
    info.set_defaults(do=_info)
    clear = actions.add_parser("clear", help="delete cached vectors")
    clear.add_argument("models", nargs="*", metavar="MODEL", help="only those of these models")
    clear.add_argument(
        "--to", type=shared_options.size, metavar="GIB", help="only the least recently used, down to this size"
    )
    clear.set_defaults(do=_clear)
    verify = actions.add_parser("verify", help="check every block against its digest; broken ones are deleted")
    verify.set_defaults(do=_verify)


def _info(args: argparse.Namespace) -> int:
    from harness.encoding import cache_upkeep, vector_files

    namespaces = cache_upkeep.usage()
    total = sum(namespace.bytes for namespace in namespaces)
    if args.json:
        shared_options.print_json(
            {
                "folder": str(vector_files.folder()),
                "bytes": total,
                "limit": cache_upkeep.limit_bytes(),
                "namespaces": [namespace._asdict() for namespace in namespaces],
            }
        )
        return 0
    from harness.outputs import text_table

    rows = [
        [
            namespace.identity.get("model", "?"),
            str(namespace.identity.get("revision", "?"))[:12],
            namespace.identity.get("precision", "?"),
            namespace.identity.get("max_length", "?"),
            namespace.identity.get("batching", "?"),
            repr(namespace.identity.get("prompt", "")),
            namespace.blocks,
            f"{namespace.bytes / 2**20:.1f}",
            time.strftime("%Y-%m-%d %H:%M", time.localtime(namespace.used)),
        ]
        for namespace in namespaces
    ]
    headers = ["model", "revision", "precision", "length", "batches", "prompt", "blocks", "MiB", "last used"]
    if rows:
        print(text_table.plain(headers, rows))
    print(f"{total / 2**30:.2f} of {cache_upkeep.limit_bytes() / 2**30:.0f} GiB in {vector_files.folder()}")
    return 0


def _clear(args: argparse.Namespace) -> int:
    from harness.encoding import cache_upkeep
    from harness.errors import HarnessError
    from harness.files.folders import results_folder
    from harness.results.asked_names import recorded_name

    if args.to is not None and args.models:
        raise HarnessError(
            "--to deletes vectors of any model, those used longest ago first; leave out --to or the models"
        )
    if args.to is not None:
        freed = cache_upkeep.evict(int(min(args.to * 2**30, float(sys.maxsize))))
    elif args.models:
        usages = {
            usage.namespace: (str(usage.identity.get("model")), str(usage.identity.get("revision")))
            for usage in cache_upkeep.usage()
        }
        models: dict[str, set[str]] = {}
        for model, revision in usages.values():
            models.setdefault(model, set()).add(revision)
        folders, what = [results_folder(None)], "model with cached vectors"
        chosen = [recorded_name(name, models, folders=folders, what=what) for name in args.models]
        freed = cache_upkeep.clear(
            namespaces=[namespace for namespace, used in usages.items() if any(name.covers(*used) for name in chosen)]
        )
    else:
        freed = cache_upkeep.clear()
    print(f"{freed / 2**20:.1f} MiB freed")
    return 0


def _verify(args: argparse.Namespace) -> int:
    from harness.encoding import cache_upkeep

    valid, removed = cache_upkeep.verify()
    for file in removed:
        print(f"BROKEN, deleted: {file}")
    print(f"{valid} valid block{'' if valid == 1 else 's'}, {len(removed)} broken")
    return 1 if removed else 0
