"""Proposing a task for a data set on the hub: choosing config and splits, then as for files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.data import file_proposal, hub_tables, spec_proposal
from harness.data.field_reader import SpecRequest
from harness.data.file_proposal import FileProposal
from harness.data.spec_proposal import SPLITS
from harness.errors import DataError, UnknownName
from harness.evaluators import KINDS, tables
from harness.evaluators.tables import Filed
from harness.types import TaskSpec

_OF_SEARCH = ("corpus", "queries", "qrels", "top_ranked", "instruction", "qrel_diff")
_WITHOUT_PREFIX = ("query", "default")


class _Choice(NamedTuple):
    """What may be chosen with `--config`: a config, or the search problem whose tables are several configs."""

    name: str
    searches: bool


def propose_from_hub(request: SpecRequest, *, config: str | None = None, split: str | None = None) -> FileProposal:
    """Propose a task for a data set on the hub. All of its data is read and checked.

    Args:
        request: the caller's decisions; its source is the data set at a commit.
        config: of the data set, where it has several.
        split: to score this one alone; by default those called validation, test and so on, or the only one.

    Raises:
        DataError: the data cannot be read, or are no task.
        UnknownName: a config, split or column that was requested does not exist.
    """
    probe = _probe(request)
    chosen = _chosen(_choices(hub_tables.configs(probe)), config, request)
    if chosen.name != "default":
        request = request._replace(configs={"default": chosen.name}, data=f"{request.data}, config {chosen.name}")
    proposal = _search(probe, request, chosen, split) if chosen.searches else _plain(probe, request, chosen, split)
    return proposal._replace(
        proposal=proposal.proposal._replace(
            reasons=(("revision", str(request.source.revision)), *proposal.proposal.reasons)
        )
    )


def _plain(probe: TaskSpec, request: SpecRequest, chosen: _Choice, split: str | None) -> FileProposal:
    """A proposal for the splits of one config, each of which is a table."""
    by_split = {}
    for name in _splits(hub_tables.splits(probe, chosen.name), split, request):
        content = hub_tables.rows(probe, chosen.name, split=name)
        columns = {column: list(values) for column, values in content.items()}
        by_split[name] = Filed(columns, file=f"{request.data}, split {name}")
    return file_proposal.propose_tables(by_split, request)


def _search(probe: TaskSpec, request: SpecRequest, chosen: _Choice, split: str | None) -> FileProposal:
    """A proposal for the configs with corpus, queries and judgements; each split of the judgements is one."""
    present = hub_tables.splits(probe, chosen.name, table="qrels")
    splits = _splits(present, split, request, searches=True)
    more = [name for name in KINDS[probe.type].optional_tables if hub_tables.splits(probe, chosen.name, table=name)]
    greatest = 0
    for name in splits:
        qrels = hub_tables.read(probe, table="qrels", subset=chosen.name, split=name)
        where = f"{request.data}, qrels of {name}"
        greatest = max(greatest, int(tables.numbers(qrels, "score", where=where, fixed=True).max()))
    return file_proposal.checked(spec_proposal.propose_search(splits, request, more=more, greatest=greatest))


def _splits(present: Sequence[str], wanted: str | None, request: SpecRequest, *, searches: bool = False) -> list[str]:
    """The splits to read: the wanted one with `train` beside it, else those with usual names, or the only one."""
    if wanted is not None:
        if wanted not in present:
            raise UnknownName.of(f"split of {request.data}", wanted, present)
        return [name for name in present if name == wanted or (name == "train" and not searches)]
    usual = [name for name in SPLITS if name in present]
    if searches:
        usual = [name for name in usual if name != "train"] or usual
    if not usual and len(present) != 1:
        raise DataError(
            f"{request.data}: has the splits {', '.join(present)}; say with --split which is to be scored",
            kind="request",
        )
    return usual or list(present)


def _choices(configs: Sequence[str]) -> list[_Choice]:
    """The configs, of which the tables of one search problem (`corpus`, or `de-corpus` of a subset `de`) count once."""
    prefixes = [name.removesuffix("corpus") for name in configs if name == "corpus" or name.endswith("-corpus")]
    of_search = {f"{prefix}{table}" for prefix in prefixes for table in _OF_SEARCH}
    of_search |= {*_WITHOUT_PREFIX} if prefixes else set()
    searching = [_Choice(prefix.removesuffix("-") or "default", True) for prefix in prefixes]
    return [*searching, *(_Choice(name, False) for name in configs if name not in of_search)]


def _chosen(choices: Sequence[_Choice], config: str | None, request: SpecRequest) -> _Choice:
    names = [choice.name for choice in choices]
    if config is None and len(choices) != 1:
        raise DataError(f"{request.data}: has the configs {', '.join(names)}; choose one with --config", kind="request")
    if config is not None and config not in names:
        raise UnknownName.of(f"config of {request.data}", config, names)
    return choices[0] if config is None else choices[names.index(config)]


def _probe(request: SpecRequest) -> TaskSpec:
    """A searching task over the data set, to read its tables with."""
    return TaskSpec(
        name=request.name,
        type=next(name for name, kind in KINDS.items() if kind.tables and not kind.training and kind.optional_tables),
        description="",
        source=request.source,
        splits=(),
        subsets={},
        columns={},
        main_metric="",
        settings=None,
    )
