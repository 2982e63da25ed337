"""`harness tasks new`: a spec for private data."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.cli import settings_file, shared_options
from harness.errors import DataError, SpecError, UnknownName, kind_of
from harness.files.disk_errors import on_disk

if TYPE_CHECKING:
    from harness.data.field_reader import SpecRequest
    from harness.data.file_proposal import FileProposal
    from harness.data.spec_proposal import Proposal
    from harness.types import Source

_MODEL = "baseline/hashing"
_HUB = "hub:"
_SPLIT = re.compile(r"[^\W_][\w.-]{0,99}")


def add(group: Any) -> None:
    """Declare the command in the group `tasks`."""
    command = group.add_parser(
        "new",
        help="write a spec for private data",
        description="Write a spec for private data: a JSONL, CSV, TSV or Parquet file, a folder with such files per "
        "split (train, test), a BEIR folder (corpus, queries, qrels), or a data set on the hub. The data is read and "
        "checked, not changed. `harness guide data` lists the shapes.",
    )
    command.add_argument(
        "--from",
        dest="source",
        required=True,
        metavar="PATH|hub:ORG/NAME[@REV]",
        help="the data: a file, a folder, or a data set on the hub, whose commit the spec pins",
    )
    command.add_argument("--name", help="the task's name (default: derived from the name of the data)")
    command.add_argument("--type", metavar="TYPE", help="the task's type, such as STS (default: inferred)")
    command.add_argument(
        "--columns",
        type=_columns,
        default={},
        metavar="FIELD=COLUMN,...",
        help="columns of the task's fields, such as left=a,right=b,gold=score",
    )
    command.add_argument(
        "--language", type=_languages, metavar="LANG", help="languages, such as deu-Latn (default: eng-Latn)"
    )
    command.add_argument(
        "--to",
        metavar="DIR",
        help="where to write the spec: the data's folder (default) or one above it; for the hub, by default here",
    )
    command.add_argument("--config", help="of a data set on the hub, where it has several")
    command.add_argument("--trec-qrels", metavar="FILE", help="judgements in TREC's format, converted into qrels/")
    command.add_argument(
        "--trec-run", metavar="FILE", help="a ranking in TREC's format, whose documents are to be reranked"
    )
    command.add_argument(
        "--split", help="of a data set on the hub, which is to be scored; of --trec-qrels, its name (default: test)"
    )
    command.add_argument("--force", action="store_true", help="replace a spec and converted data that exist")
    command.add_argument("--dry-run", action="store_true", help="print what would be written, and write nothing")
    command.add_argument("--offline", action="store_true", help="read data sets of the hub from the cache only")
    command.set_defaults(do=_new)


def _columns(value: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in shared_options.names(value)]
    if not all(field and sign and column for field, sign, column in pairs):
        raise argparse.ArgumentTypeError(
            f"found {value!r}; expected FIELD=COLUMN,... such as left=a,right=b,gold=score"
        )
    return {field.strip(): column.strip() for field, _, column in pairs}


def _languages(value: str) -> tuple[str, ...]:
    from harness.tasks.languages import LANGUAGE

    languages = shared_options.names(value)
    for name in languages:
        if not LANGUAGE.fullmatch(name):
            raise argparse.ArgumentTypeError(f"found {name!r}; expected language and script, such as deu-Latn")
    return tuple(dict.fromkeys(languages))


def _new(args: argparse.Namespace) -> int:
    from harness.tasks import task_file

    request = _request(args)
    proposal, files = _proposed(request, args)
    text = task_file.render(proposal.task)
    if problems := task_file.problems_of(request.name, text):
        raise SpecError(request.file, [f":{problem}" for problem in problems])
    everything = {**files, Path(request.file): text}
    # Of an import that was killed before it wrote the spec, the converted data are there already.
    existing = [str(path) for path, content in files.items() if not _is_free(path, content)]
    if existing and not args.force:
        raise UnknownName(f"{', '.join(existing)}: exists already; say --force, or choose another --name")
    if not args.dry_run:
        _write_all(everything)
    _report(proposal, list(files), args)
    return 0


def _proposed(request: SpecRequest, args: argparse.Namespace) -> FileProposal:
    if request.source.kind == "hub":
        from harness.data.hub_proposal import propose_from_hub

        return propose_from_hub(request, config=args.config, split=args.split)
    from harness.data.file_proposal import propose_for

    return propose_for(
        Path(args.source),
        request,
        trec_qrels=Path(args.trec_qrels) if args.trec_qrels else None,
        trec_run=Path(args.trec_run) if args.trec_run else None,
        split=args.split or "test",
    )


def _request(args: argparse.Namespace) -> SpecRequest:
    if args.split is not None and not _SPLIT.fullmatch(args.split):
        raise UnknownName(f"--split {args.split!r}: expected a split's name, such as test or dev-2")
    from harness.data.field_reader import SpecRequest
    from harness.data.spec_proposal import name_from
    from harness.evaluators import KINDS

    UnknownName.refuse("task type", [args.type] if args.type is not None else None, KINDS)
    place = _on_hub(args) if args.source.startswith(_HUB) else _on_disk(args)
    name = args.name or name_from(place.stem)
    if not name:
        raise UnknownName(f"no task name can be derived from {place.origin!r}; choose one with --name")
    _check_name(name)
    spec = place.to / f"{name}.yaml"
    if spec.exists() and not args.force:
        raise UnknownName(f"{spec} exists; say --force, or choose another --name")
    return SpecRequest(
        name=name,
        data=place.data,
        origin=place.origin,
        source=place.source,
        file=str(spec),
        type=args.type,
        languages=args.language or ("eng-Latn",),
        columns=args.columns,
    )


class _Place(NamedTuple):
    """Where data are, what they are called, and where their spec goes; `data` is for messages."""

    source: Source
    data: str
    origin: str
    stem: str
    to: Path


def _on_disk(args: argparse.Namespace) -> _Place:
    from harness.types import Source

    for option, value in (("--config", args.config), ("--split", None if args.trec_qrels else args.split)):
        if value is not None:
            raise UnknownName(f"{option} {value}: belongs to --from hub:ORG/NAME; {args.source} is a path")
    source = Path(args.source)
    if not source.exists():
        raise UnknownName(f"no file or folder {source}; for a data set on the hub say --from hub:ORG/NAME")
    to = Path(args.to) if args.to else source if source.is_dir() else source.parent
    place = source.resolve() if source.is_dir() else source.parent.resolve() / source.name
    try:
        path = place.relative_to(to.resolve()).as_posix()
    except ValueError as err:
        raise UnknownName(f"--to {to}: {source} is not inside it; expected the data's folder or one above it") from err
    stem = place.name if source.is_dir() else source.stem
    return _Place(Source(kind="local", path=path), str(source), place.name, stem, to)


def _on_hub(args: argparse.Namespace) -> _Place:
    from harness.hub.dataset_lookup import dataset_commit
    from harness.tasks.task_file import HUB_PATH
    from harness.types import Source

    for option in ("trec_qrels", "trec_run"):
        if getattr(args, option):
            raise UnknownName(f"--{option.replace('_', '-')}: belongs to a folder with corpus and queries")
    name, _, revision = args.source.removeprefix(_HUB).partition("@")
    if not HUB_PATH.fullmatch(name):
        raise UnknownName(f"--from {args.source}: expected hub:ORG/NAME or hub:ORG/NAME@REVISION")
    to = Path(args.to) if args.to else Path()
    if not to.is_dir():
        raise UnknownName(f"--to {to}: no such folder")
    commit = dataset_commit(name, revision=revision or None)
    source = Source(kind="hub", path=name, revision=commit)
    return _Place(source, f"{name}@{commit}", name, name.rpartition("/")[2], to)


def _check_name(name: str) -> None:
    from harness.tasks import mteb_metadata, registry
    from harness.tasks.task_file import SAFE_NAME

    if not SAFE_NAME.fullmatch(name):
        raise UnknownName(f"--name {name!r}: expected letters, digits and . _ + - (at most 100, no dot at the end)")
    for owner, names in (("the harness", registry.get_tasks().names()), ("mteb", mteb_metadata.names())):
        if name in names:
            raise UnknownName(f"{owner} has a task named {name!r}; choose another --name")


def _is_free(path: Path, content: str) -> bool:
    """Whether nothing lies there, or what would be written."""
    with on_disk(path, "read", error=DataError):
        return not os.path.lexists(path) or (path.is_file() and path.read_bytes() == content.encode())


def _write_all(files: dict[Path, str]) -> None:
    """Write all files, or none: if one fails, the files before it are deleted."""
    from harness.files import atomic

    with contextlib.ExitStack() as undo:
        for path, text in files.items():
            existed = path.exists()
            try:
                if not path.parent.exists():
                    path.parent.mkdir()
                    undo.callback(path.parent.rmdir)
                atomic.write(path, text, locked=False)
            except OSError as err:
                raise DataError(
                    f"{path}: cannot be written ({err.strerror or err}); no file was kept",
                    kind=kind_of(err, otherwise="request"),
                ) from err
            if not existed:
                undo.callback(path.unlink)
        undo.pop_all()


def _report(proposal: Proposal, written: Sequence[Path], args: argparse.Namespace) -> None:
    spec = Path(proposal.task.file)
    for path in (*written, spec):
        print(f"{'would write' if args.dry_run else 'wrote'} {path}")
    reason = "as requested" if args.language else "assumed; for another language add, for example, --language deu-Latn"
    reasons = [*proposal.reasons, ("language", f"{', '.join(proposal.task.languages)}: {reason}")]
    print()
    for what, why in reasons:
        print(f"  {what:<12} {why}")
    place = [] if _is_searched(spec.parent) else ["--tasks-dir", str(spec.parent)]
    command = ["harness", "run", _MODEL, *place, "-t", proposal.task.name]
    print(f"\nRun it with any model:\n\n  {shlex.join(command)}")


def _is_searched(folder: Path) -> bool:
    """Whether a command run here looks for tasks in `folder` anyway."""
    searched = [Path.cwd(), *(Path(place).resolve() for place in settings_file.read(Path.cwd()).tasks)]
    return folder.resolve() in searched
