"""`harness tasks new`: a spec for private data."""

from __future__ import annotations

import argparse
import contextlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options
from harness.errors import DataError, SpecError, UnknownName, kind_of

if TYPE_CHECKING:
    from harness.data.field_reader import SpecRequest
    from harness.data.spec_proposal import Proposal

_MODEL = "baseline/hashing"


def add(group: Any) -> None:
    """Declare the command in the group `tasks`."""
    command = group.add_parser(
        "new",
        help="write a spec for private data",
        description="Write a spec for private data: a JSONL, CSV, TSV or Parquet file, a folder with such files per "
        "split (train, test), or a BEIR folder (corpus, queries, qrels). The data is read and checked, not changed.",
    )
    command.add_argument("--from", dest="source", required=True, metavar="PATH", help="the data: a file or a folder")
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
        "--to", metavar="DIR", help="where to write the spec: the data's folder (default) or one above it"
    )
    command.add_argument("--trec-qrels", metavar="FILE", help="judgements in TREC's format, converted into qrels/")
    command.add_argument(
        "--trec-run", metavar="FILE", help="a ranking in TREC's format, whose documents are to be reranked"
    )
    command.add_argument("--split", default="test", help="name of the split of --trec-qrels (default: test)")
    command.add_argument("--force", action="store_true", help="replace a spec and converted data that exist")
    command.add_argument("--dry-run", action="store_true", help="print what would be written, and write nothing")
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
    from harness.data.file_proposal import propose_for
    from harness.tasks import task_file

    request = _request(args)
    proposal, files = propose_for(
        Path(args.source),
        request,
        trec_qrels=Path(args.trec_qrels) if args.trec_qrels else None,
        trec_run=Path(args.trec_run) if args.trec_run else None,
        split=args.split,
    )
    text = task_file.render(proposal.task)
    if problems := task_file.problems_of(request.name, text):
        raise SpecError(request.file, [f":{problem}" for problem in problems])
    everything = {**files, Path(request.file): text}
    existing = [str(path) for path in files if path.exists()]
    if existing and not args.force:
        raise UnknownName(f"{', '.join(existing)}: exists already; say --force, or choose another --name")
    if not args.dry_run:
        _write_all(everything)
    _report(proposal, list(files), args)
    return 0


def _request(args: argparse.Namespace) -> SpecRequest:
    from harness.data.field_reader import SpecRequest
    from harness.data.spec_proposal import name_from
    from harness.evaluators import KINDS

    if args.type is not None and args.type not in KINDS:
        raise UnknownName.of("task type", args.type, KINDS)
    source = Path(args.source)
    if not source.exists():
        raise UnknownName(f"no file or folder {source}")
    to = Path(args.to) if args.to else source if source.is_dir() else source.parent
    name = args.name or name_from(source.resolve().name if source.is_dir() else source.stem)
    if not name:
        raise UnknownName(f"no task name can be derived from {source.name!r}; choose one with --name")
    _check_name(name)
    try:
        place = source.resolve() if source.is_dir() else source.parent.resolve() / source.name
        path = place.relative_to(to.resolve()).as_posix()
    except ValueError as err:
        raise UnknownName(f"--to {to}: {source} is not inside it; expected the data's folder or one above it") from err
    spec = to / f"{name}.yaml"
    if spec.exists() and not args.force:
        raise UnknownName(f"{spec} exists; say --force, or choose another --name")
    return SpecRequest(
        name=name,
        data=str(source),
        path=path,
        file=str(spec),
        type=args.type,
        languages=args.language or ("eng-Latn",),
        columns=args.columns,
    )


def _check_name(name: str) -> None:
    from harness.tasks import mteb_metadata, registry
    from harness.tasks.task_file import SAFE_NAME

    if not SAFE_NAME.fullmatch(name):
        raise UnknownName(f"--name {name!r}: expected letters, digits and . _ + - (at most 100, no dot at the end)")
    for owner, names in (("the harness", registry.get_tasks().names()), ("mteb", mteb_metadata.names())):
        if name in names:
            raise UnknownName(f"{owner} has a task named {name!r}; choose another --name")


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
                atomic.write(path, text)
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
    command = ["harness", "run", _MODEL, "--tasks-dir", str(spec.parent), "-t", proposal.task.name]
    print(f"\nRun it with any model:\n\n  {shlex.join(command)}")
