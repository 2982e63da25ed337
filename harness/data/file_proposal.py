"""Proposing a task for data on disk: reading the tables, checking that they fit together, and choosing the task."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from harness import data
from harness.data import data_defects, local_tables, spec_proposal, training_shapes, trec_files
from harness.data.field_reader import EXPECTED, SpecRequest
from harness.data.spec_proposal import SPLITS, Proposal
from harness.errors import DataError, UnknownName
from harness.evaluators import KINDS, ranked, tables
from harness.evaluators.tables import Filed, Table
from harness.evaluators.task_kind import ReadPart, TaskKind
from harness.types import Loaded

_FURTHER_TABLES = ("candidates", "instructions", "changes")
"""Tables that a search problem may have; which of them there are decides its type."""


class FileProposal(NamedTuple):
    """A proposal, and the files that it needs beside its data: path -> text."""

    proposal: Proposal
    files: dict[Path, str]


class _SearchTables(NamedTuple):
    """The tables of a search problem.

    Attributes:
        tables: corpus, queries, and those of `_FURTHER_TABLES` that are there.
        qrels: split -> judgements.
        shared_queries: whether one table of queries serves all splits.
    """

    tables: dict[str, Table]
    qrels: dict[str, Table]
    shared_queries: bool


def propose_for(
    source: Path,
    request: SpecRequest,
    *,
    trec_qrels: Path | None = None,
    trec_run: Path | None = None,
    split: str = "test",
) -> FileProposal:
    """Propose a task for a file or folder. All of the data is read and checked.

    Args:
        source: a file with a table, a folder with a table per split, or a folder with corpus, queries and qrels.
            Training data (queries with answers; one file to learn from) are converted into further files.
        request: the caller's decisions.
        trec_qrels: judgements in TREC's format, which become the qrels of the split.
        trec_run: a ranking in TREC's format, which becomes the candidates to rerank.
        split: name of the split of `trec_qrels`.

    Raises:
        DataError: the data cannot be read, or are no task.
        UnknownName: a column that was requested does not exist, or a file is in the way.
    """
    if trec_qrels or trec_run:
        return _from_trec(source, request, trec_qrels=trec_qrels, trec_run=trec_run, split=split)
    if source.is_dir() and {"corpus", "queries"} & local_tables.tables_in(source).keys():
        return FileProposal(_propose_search(_search_tables(source), request), {})
    return propose_tables(_splits_in(source) if source.is_dir() else {"test": local_tables.parsed(source)}, request)


def propose_tables(tables: Mapping[str, Filed], request: SpecRequest) -> FileProposal:
    """Propose a task for tables, split -> table. All of the data is checked.

    Raises:
        DataError, UnknownName: as for `propose_for`.
    """
    proposed = _proposed(tables, request)
    formats = [("format", f"{table.file}: {'; '.join(table.remarks)}") for table in tables.values() if table.remarks]
    proposal = proposed.proposal
    return proposed._replace(proposal=proposal._replace(reasons=(*proposal.reasons, *formats)))


def _proposed(tables: Mapping[str, Filed], request: SpecRequest) -> FileProposal:
    for table in tables.values():
        if not any(len(values) for values in table.values()):
            raise DataError(f"{table.file}: has no rows; expected at least one")
    if not request.columns and (request.type is None or _is_plain_search(KINDS[request.type])):
        split = next((name for name in tables if name != "train"), "train")
        if columns := training_shapes.search_columns(tables[split]):
            return _from_rows(tables[split], columns, request, split=split)
    data_defects.refuse_tested_training(tables, data=request.name)
    try:
        if len(tables) == 1 and (converted := _split_rows(next(iter(tables.values())), request)):
            return converted
        proposal = spec_proposal.propose(tables, request)
    except DataError as err:
        if causes := [*data_defects.causes(tables, data=request.name)]:
            raise DataError("\n  ".join([*causes, str(err)])) from err
        raise
    return checked(proposal)


def checked(proposal: Proposal) -> FileProposal:
    """The proposal for data that lie where the spec says, with what is noted as they are loaded.

    Raises:
        DataError: they cannot be loaded.
    """
    return FileProposal(_noted(proposal, [data.load(proposal.task, part) for part in proposal.task.parts]), {})


def _noted(proposal: Proposal, read: Sequence[Loaded | ReadPart]) -> Proposal:
    """The proposal with what is noted of its data."""
    notes = [note for part in read for note in (*part.notes, *part.defects)]
    return proposal._replace(reasons=(*proposal.reasons, *(("note", note) for note in dict.fromkeys(notes))))


def _split_rows(table: Filed, request: SpecRequest) -> FileProposal | None:
    """One file of texts and of what is learnt about them, with a test split of its own; None for other data."""
    if request.type is not None and KINDS[request.type].training is None:
        return None
    as_it_is = None
    if request.type is None:
        with contextlib.suppress(DataError):
            as_it_is = spec_proposal.propose({"test": table}, request).task
        if as_it_is is None and any(data_defects.causes({"test": table}, data=request.name)):
            return None  # another column may be what it is only for its defect
        if as_it_is is not None and KINDS[as_it_is.type].purpose != "clustering":
            return None
    try:
        guessed, guesses = spec_proposal.propose({"test": table}, request, to_split=True)
    except DataError:
        if request.type is not None:
            raise
        return None
    if KINDS[guessed.type].training is None:
        return None
    field = "value" if "value" in guessed.columns else "label"
    split = training_shapes.split(table, guessed.columns[field], numbers=field == "value", where=request.name)
    tables = {"train": split.train, "test": split.test}
    proposal = spec_proposal.propose(tables, request.for_files_beside()._replace(columns=guessed.columns))
    task, counts = proposal.task, {name: len(next(iter(rows.values()))) for name, rows in tables.items()}
    how = (
        f"{counts['train']} rows to learn from and {counts['test']} to test, drawn from {split.drawn_from} with the "
        f"seed {training_shapes.SEED}"
    )
    advice = f"; --type {as_it_is.type} takes all rows as they are" if as_it_is else ""
    noted = [reason for reason in guesses if reason[0] == "note"]
    description = f"{task.description} Split: {how}."
    proposal = Proposal(replace(task, description=description), (*proposal.reasons, ("split", how + advice), *noted))
    read = [KINDS[task.type].read(task, part, _InMemory(tables)) for part in task.parts]
    folder = Path(request.file).parent / request.name
    files = {folder / f"{name}.jsonl": training_shapes.as_jsonl(rows) for name, rows in tables.items()}
    return FileProposal(_noted(proposal, read), files)


def _from_rows(
    table: Table, columns: training_shapes.SearchColumns, request: SpecRequest, *, split: str
) -> FileProposal:
    """Rows of queries and documents as a search problem, or with negatives as candidates to rank."""
    rows = training_shapes.search_rows(table, columns, where=request.name)
    tables: dict[str, Table] = {"corpus": rows.corpus, "queries": rows.queries}
    if rows.candidates and (request.type is None or KINDS[request.type].ranks == "candidates"):
        tables["candidates"] = rows.candidates
    folder = Path(request.file).parent / request.name
    files = {folder / f"{name}.jsonl": training_shapes.as_jsonl(content) for name, content in tables.items()}
    files[folder / "qrels.jsonl"] = training_shapes.as_jsonl(rows.qrels)
    search = _SearchTables(tables, {"test": rows.qrels}, shared_queries=False)
    proposal = _propose_search(search, request.for_files_beside())
    named = f"query={columns.query}, positives={'+'.join(columns.positives)}"
    named += f", negatives={'+'.join(columns.negatives)}" if columns.negatives else ""
    counts = (
        f"{len(rows.queries['_id'])} queries and {len(rows.corpus['_id'])} documents, the distinct texts of {split}"
    )
    return FileProposal(proposal._replace(reasons=(*proposal.reasons, ("columns", named), ("corpus", counts))), files)


def _is_plain_search(kind: TaskKind) -> bool:
    """Whether the type has queries and documents, and no instructions."""
    return kind.takes == "hits" and "instructions" not in kind.tables


class _InMemory:
    """Tables that are not on disk yet; see `ReadTable`."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables

    def __call__(self, name: str, *, subset: str | None = None, columns: Sequence[str] | None = None) -> Table:
        return self._tables[name]

    def rows(self, name: str, subset: str) -> int:
        return tables.length(self._tables[name])


def _splits_in(folder: Path) -> dict[str, Filed]:
    paths = local_tables.tables_in(folder)
    for path in () if paths else sorted(folder.iterdir()):
        if local_tables.is_workbook(path):
            local_tables.parsed(path)  # says how to export it
    if not paths or not paths.keys() <= {*SPLITS}:
        names = ", ".join(path.name for path in paths.values()) or "no data file"
        raise DataError(
            f"{folder}: found {names}; expected files called {', '.join(SPLITS)} (.jsonl, .csv, .tsv or .parquet), "
            f"or corpus, queries and qrels; or name one file. Their columns: {EXPECTED}"
        )
    return {name: local_tables.parsed(paths[name]) for name in SPLITS if name in paths}


def _search_tables(folder: Path) -> _SearchTables:
    """Read the corpus, the queries, the judgements of every split, and the further tables that there are."""
    paths = local_tables.tables_in(folder)
    qrels_folder = local_tables.tables_in(folder / "qrels") if (folder / "qrels").is_dir() else {}
    qrels_paths = qrels_folder or ({"test": paths["qrels"]} if "qrels" in paths else {})
    missing = [name for name in ("corpus", "queries") if name not in paths] + ([] if qrels_paths else ["qrels"])
    if missing:
        raise DataError(
            f"{folder}: no {' and no '.join(missing)}; expected corpus.jsonl, queries.jsonl and qrels/<split>.tsv "
            "(or qrels.tsv, or --trec-qrels FILE)"
        )
    if qrels_folder and "qrels" in paths:
        raise DataError(f"{folder}: both {paths['qrels'].name} and the folder qrels exist; keep one")
    tables: dict[str, Table] = {
        name: local_tables.parsed(paths[name]) for name in ("corpus", "queries", *_FURTHER_TABLES) if name in paths
    }
    qrels: dict[str, Table] = {split: local_tables.parsed(path) for split, path in qrels_paths.items()}
    return _SearchTables(tables, qrels, shared_queries=bool(qrels_folder))


def _propose_search(search: _SearchTables, request: SpecRequest) -> Proposal:
    corpus, queries = search.tables["corpus"], search.tables["queries"]
    candidates, changes = search.tables.get("candidates"), search.tables.get("changes")
    greatest = 0
    for split, qrels in search.qrels.items():
        where = f"{request.name} {split}"
        judged = ranked.read_ranked(
            corpus,
            queries,
            qrels,
            where=where,
            strict=True,
            shared_queries=search.shared_queries,
            instructions=search.tables.get("instructions", {}),
        )
        if candidates is not None:
            ranked.with_candidates(judged.gold, candidates, where=f"{where}, candidates")
        if changes is not None:
            ranked.with_changes(judged.gold, changes, where=f"{where}, changes")
        greatest = max(greatest, judged.greatest)
    more = [name for name in _FURTHER_TABLES if name in search.tables]
    return spec_proposal.propose_search(list(search.qrels), request, more=more, greatest=greatest)


def _from_trec(
    folder: Path, request: SpecRequest, *, trec_qrels: Path | None, trec_run: Path | None, split: str
) -> FileProposal:
    if not folder.is_dir():
        raise UnknownName(f"--from {folder}: expected the folder with corpus and queries")
    files: dict[Path, str] = {}
    if trec_qrels:
        paths = local_tables.tables_in(folder)
        for name in ("corpus", "queries"):
            if name not in paths:
                raise DataError(f"{folder}: no {name}.jsonl (or .csv, .tsv, .parquet); the qrels need both")
        qrels = trec_files.qrels(trec_qrels)
        target = folder / "qrels" / f"{split}.tsv"
        files[target] = trec_files.as_tsv(qrels)
        _check_free([folder / "qrels", folder / "qrels" / split], target, files[target])
        tables: dict[str, Table] = {name: local_tables.parsed(paths[name]) for name in ("corpus", "queries")}
        search = _SearchTables(tables, {split: qrels}, shared_queries=True)
    else:
        search = _search_tables(folder)
    if trec_run:
        target = folder / "candidates.jsonl"
        search.tables["candidates"] = trec_files.run(trec_run)
        files[target] = trec_files.as_jsonl(search.tables["candidates"])
        _check_free([folder / "candidates"], target, files[target])
    return FileProposal(_propose_search(search, request), files)


def _check_free(stems: Sequence[Path], target: Path, content: str) -> None:
    """Refuse other tables of the same kind. What an import wrote before it was killed is what this one writes."""
    for path in (path for stem in stems for path in local_tables.tables_called(stem)):
        if path == target and path.read_bytes() == content.encode():
            continue
        raise UnknownName(f"{path} exists, and {target} would contradict it; move it away or choose another --split")
