"""`harness tasks new` and `harness tasks import`: specs for private data, and of mteb's tasks."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.cli import shared_options
from harness.errors import DataError, SpecError, UnknownName, kind_of

if TYPE_CHECKING:
    from harness.data.spec_proposal import Proposal, Wanted
    from harness.data.tables import Filed, Table

_MODEL = "baseline/hashing"


def add(group: Any) -> None:
    """Declare the commands in the group `tasks`."""
    from harness.types import TASK_TYPES

    new = group.add_parser(
        "new",
        help="propose a spec for private data",
        description="Look at a JSONL, CSV, TSV or Parquet file, at a folder with such files (train, test), or at a "
        "BEIR folder (corpus, queries, qrels), and write a spec of the task that it makes. The data stays as it is.",
    )
    new.add_argument("--from", dest="source", required=True, metavar="PATH", help="the data: a file or a folder")
    new.add_argument("--name", help="the task's name (default: made from the name of the data)")
    new.add_argument("--type", choices=TASK_TYPES, help="the task's type (default: guessed from the columns)")
    new.add_argument("--columns", type=_columns, default={}, metavar="FIELD=COLUMN,...", help="which column is what")
    new.add_argument("--language", type=_languages, metavar="LANG", help="such as deu-Latn (default: eng-Latn)")
    new.add_argument("--to", metavar="DIR", help="folder of the spec, the data's own or one above it (default: own)")
    new.add_argument("--trec-qrels", metavar="FILE", help="judgements as TREC has them, to be converted into qrels/")
    new.add_argument("--trec-run", metavar="FILE", help="a ranking as TREC has it: its documents are to be reranked")
    new.add_argument("--split", default="test", help="what to call the split of --trec-qrels (default: test)")
    new.set_defaults(do=_new)

    importing = group.add_parser(
        "import",
        help="print mteb's task as a spec",
        description="Print a task of the installed mteb as a spec, to be reviewed and put into a folder of specs.",
    )
    importing.add_argument("name", metavar="NAME")
    importing.set_defaults(do=_import)


class _Search(NamedTuple):
    """The tables of a search problem.

    Attributes:
        tables: corpus, queries and, for reranking, candidates.
        qrels: split -> judgements.
        shared_queries: the queries are those of all splits together.
    """

    tables: dict[str, Table]
    qrels: dict[str, Table]
    shared_queries: bool


def _columns(value: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in shared_options.names(value)]
    if not all(field and sign and column for field, sign, column in pairs):
        raise argparse.ArgumentTypeError(
            f"found {value!r}; expected FIELD=COLUMN,... such as left=a,right=b,gold=score"
        )
    return {field.strip(): column.strip() for field, _, column in pairs}


def _languages(value: str) -> tuple[str, ...]:
    from harness.tasks.languages import LANGUAGE

    found = shared_options.names(value)
    for name in found:
        if not LANGUAGE.fullmatch(name):
            raise argparse.ArgumentTypeError(f"found {name!r}; expected language and script, such as deu-Latn")
    return tuple(dict.fromkeys(found))


def _new(args: argparse.Namespace) -> int:
    from harness.data import local_tables
    from harness.tasks import registry

    wanted, source = _wanted(args), Path(args.source)
    written: dict[Path, str] = {}
    if args.trec_qrels or args.trec_run:
        proposal, written = _from_trec(source, args, wanted)
    elif source.is_dir() and {"corpus", "queries"} & local_tables.tables_in(source).keys():
        proposal = _proposed_search(_search_in(source), wanted)
    else:
        proposal = _proposed(source, wanted)
    text = registry.render(proposal.task)
    if problems := _problems(wanted.name, text):
        raise SpecError(wanted.file, [f":{problem}" for problem in problems])
    _write_all({**written, Path(wanted.file): text})
    _report(proposal, list(written), args)
    return 0


def _wanted(args: argparse.Namespace) -> Wanted:
    from harness.data.spec_proposal import Wanted, name_from

    source = Path(args.source)
    if not source.exists():
        raise UnknownName(f"no file or folder {source}")
    to = Path(args.to) if args.to else source if source.is_dir() else source.parent
    name = args.name or name_from(source.resolve().name if source.is_dir() else source.stem)
    if not name:
        raise UnknownName(f"no task's name can be made from {source.name!r}; choose one with --name")
    _check_name(name)
    try:
        place = source.resolve() if source.is_dir() else source.parent.resolve() / source.name
        path = place.relative_to(to.resolve()).as_posix()
    except ValueError as err:
        raise UnknownName(f"--to {to}: {source} does not lie below it; expected its folder or one above") from err
    spec = to / f"{name}.yaml"
    if spec.exists():
        raise UnknownName(f"{spec} exists; delete it, or choose another --name")
    return Wanted(
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


def _proposed(source: Path, wanted: Wanted) -> Proposal:
    """The proposal for a table, or for the tables of a folder; all of it is read and checked."""
    from harness import data
    from harness.data import local_tables
    from harness.data import spec_proposal as proposal

    tables = (
        _splits_of(local_tables.tables_in(source), source) if source.is_dir() else {"test": local_tables.parsed(source)}
    )
    for table in tables.values():
        if not any(len(values) for values in table.values()):
            raise DataError(f"{table.file}: holds no rows; expected at least one")
    made = proposal.propose(tables, wanted)
    for part in made.task.parts:
        data.load(made.task, part)
    return made


def _splits_of(found: dict[str, Path], folder: Path) -> dict[str, Filed]:
    from harness.data import local_tables
    from harness.data.spec_proposal import EXPECTED, SPLITS

    if not found or not found.keys() <= {*SPLITS}:
        names = ", ".join(path.name for path in found.values()) or "no data file"
        raise DataError(
            f"{folder}: found {names}; expected files called {', '.join(SPLITS)} (.jsonl, .csv, .tsv or .parquet), "
            f"or corpus, queries and qrels; or name one file. Their columns: {EXPECTED}"
        )
    return {name: local_tables.parsed(found[name]) for name in SPLITS if name in found}


def _search_in(folder: Path) -> _Search:
    """Corpus, queries, the judgements of every split, and candidates if there are any."""
    from harness.data import local_tables

    found = local_tables.tables_in(folder)
    below = local_tables.tables_in(folder / "qrels") if (folder / "qrels").is_dir() else {}
    judged = below or ({"test": found["qrels"]} if "qrels" in found else {})
    missing = [name for name in ("corpus", "queries") if name not in found] + ([] if judged else ["qrels"])
    if missing:
        raise DataError(
            f"{folder}: no {' and no '.join(missing)}; expected corpus.jsonl, queries.jsonl and qrels/<split>.tsv "
            "(or qrels.tsv, or --trec-qrels FILE)"
        )
    if below and "qrels" in found:
        raise DataError(f"{folder}: both {found['qrels'].name} and the folder qrels exist; keep one")
    tables: dict[str, Table] = {
        name: local_tables.parsed(found[name]) for name in ("corpus", "queries", "candidates") if name in found
    }
    qrels: dict[str, Table] = {split: local_tables.parsed(path) for split, path in judged.items()}
    return _Search(tables, qrels, shared_queries=bool(below))


def _proposed_search(search: _Search, wanted: Wanted) -> Proposal:
    """The proposal, if the tables fit together."""
    from harness.data import rows_to_gold
    from harness.data import spec_proposal as proposal

    corpus, queries, candidates = (search.tables.get(name) for name in ("corpus", "queries", "candidates"))
    assert corpus is not None
    assert queries is not None
    greatest = 0
    for split, qrels in search.qrels.items():
        where = f"{wanted.name} {split}"
        judged = rows_to_gold.ranked(
            corpus, queries, qrels, where=where, strict=True, shared_queries=search.shared_queries
        )
        if candidates is not None:
            rows_to_gold.with_candidates(judged, candidates, where=f"{where}, candidates")
        greatest = max(greatest, *(score for docs in judged.gold.qrels.values() for score in docs.values()))
    return proposal.propose_search(list(search.qrels), wanted, candidates=candidates is not None, greatest=greatest)


def _from_trec(folder: Path, args: argparse.Namespace, wanted: Wanted) -> tuple[Proposal, dict[Path, str]]:
    """The proposal for a folder with judgements or a run in TREC's form, and the files to write: path -> text."""
    from harness.data import local_tables, trec_files

    if not folder.is_dir():
        raise UnknownName(f"--from {folder}: expected the folder with corpus and queries")
    written: dict[Path, str] = {}
    if args.trec_qrels:
        found = local_tables.tables_in(folder)
        for name in ("corpus", "queries"):
            if name not in found:
                raise DataError(f"{folder}: no {name}.jsonl (or .csv, .tsv, .parquet); the qrels need both")
        qrels = trec_files.qrels(Path(args.trec_qrels))
        target = folder / "qrels" / f"{args.split}.tsv"
        _check_free([folder / "qrels", folder / "qrels" / args.split], target)
        written[target] = trec_files.as_tsv(qrels)
        tables: dict[str, Table] = {name: local_tables.parsed(found[name]) for name in ("corpus", "queries")}
        search = _Search(tables, {args.split: qrels}, shared_queries=True)
    else:
        search = _search_in(folder)
    if args.trec_run:
        target = folder / "candidates.jsonl"
        _check_free([folder / "candidates"], target)
        search.tables["candidates"] = trec_files.run(Path(args.trec_run))
        written[target] = trec_files.as_jsonl(search.tables["candidates"])
    return _proposed_search(search, wanted), written


def _check_free(stems: Sequence[Path], target: Path) -> None:
    from harness.data import local_tables

    for path in (path for stem in stems for path in local_tables.tables_called(stem)):
        raise UnknownName(f"{path} exists, and {target} would contradict it; move it away or choose another --split")


def _write_all(files: dict[Path, str]) -> None:
    """Every file whole, or none: what was written is taken back when a later one fails."""
    from harness.files import atomic

    with contextlib.ExitStack() as undo:
        for path, text in files.items():
            try:
                if not path.parent.exists():
                    path.parent.mkdir()
                    undo.callback(path.parent.rmdir)
                atomic.write(path, text)
            except OSError as err:
                raise DataError(
                    f"{path}: cannot be written ({err.strerror or err}); nothing was kept",
                    kind=kind_of(err, otherwise="request"),
                ) from err
            undo.callback(path.unlink)
        undo.pop_all()


def _report(proposal: Proposal, written: Sequence[Path], args: argparse.Namespace) -> None:
    spec = Path(proposal.task.file)
    for path in (*written, spec):
        print(f"wrote {path}")
    said = "as you say" if args.language else "assumed; say --language deu-Latn if it is another"
    reasons = [*proposal.reasons, ("language", f"{', '.join(proposal.task.languages)}: {said}")]
    print()
    for what, why in reasons:
        print(f"  {what:<12} {why}")
    command = ["harness", "run", _MODEL, "--tasks-dir", str(spec.parent), "-t", proposal.task.name]
    print(f"\nRun it with any model:\n\n  {shlex.join(command)}")


def _import(args: argparse.Namespace) -> int:
    import dataclasses
    from importlib import metadata

    from harness.data import mteb_bridge
    from harness.tasks import mteb_metadata, registry

    mteb_task = mteb_bridge.find(args.name)
    if mteb_task is None:
        raise UnknownName.of("task", args.name, mteb_metadata.names())
    task = mteb_metadata.spec_of(mteb_task)
    if mteb_task.code:
        source = f"mteb changes the data in code ({'; '.join(mteb_task.code)}), so the source is mteb itself."
    else:
        task = dataclasses.replace(task, source=dataclasses.replace(task.source, kind="hub"))
        source = "mteb scores the data set as it lies on the hub, so the source is the hub."
    text = registry.render(task)
    problems = _problems(task.name, text)
    version = mteb_metadata.version() if mteb_metadata.get(args.name) else metadata.version("mteb")
    header = [
        f"From mteb {version}.",
        source,
        f"Review it, check it against the data, and save it as {task.name}.yaml.",
        *(f"DEFECT {problem.partition(': ')[2]}" for problem in problems),
    ]
    print("".join(f"# {line}\n" for line in header) + text, end="")
    return 1 if problems else 0


def _problems(name: str, text: str) -> list[str]:
    """What a spec of this text would be refused for."""
    from harness.tasks import registry

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            registry.load_file(path)
        except SpecError as err:
            return [problem.removeprefix(":") for problem in err.problems]
    return []
