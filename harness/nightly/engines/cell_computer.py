"""Computes cells in a worker process, which keeps the model of the last cell open."""

from __future__ import annotations

import functools

from harness import models
from harness.encoding import cache_upkeep
from harness.encoding.vector_cache import Namespaces
from harness.errors import HANDLING, EncodeError, Failure, failure_of, kind_of
from harness.models.forward_precision import used_precision
from harness.nightly.engines.protocol import Shard, Work
from harness.runner.cells import Cell
from harness.runner.corpus_search import SearchedShard, search_shard
from harness.runner.measurement import MeasuredPart, encode, join, load, score
from harness.runner.open_model import OpenModel
from harness.types import Encoder, Searcher


class CellComputer:
    """Computes cells, searches shards and joins shards, one at a time; see `protocol.Computer`."""

    def __init__(self) -> None:
        self._model = OpenModel()
        self._namespaces = Namespaces()

    def compute(self, work: Work) -> MeasuredPart | SearchedShard | Failure:
        """Do the work. Nothing is written. A model that cannot be opened is a failure of the model, not of the cell.

        Raises:
            HarnessError: the cell cannot be computed; the message says why.
        """
        cell, shard = work.cell, work.shard
        if work.shards:
            return score(join(cell.task, cell.part, load(cell), work.shards))
        try:
            encoder = self._opened(cell)
        except Exception as err:  # an error fails the cells of this model only
            return failure_of(err, cell=cell.group_label)
        try:
            return self._computed(cell, shard, encoder)
        finally:
            self._namespaces.flush()  # the worker may be killed while it waits for more work

    def _computed(self, cell: Cell, shard: Shard | None, encoder: Encoder | Searcher) -> MeasuredPart | SearchedShard:
        loaded = load(cell)
        if shard is None:
            encoded = encode(
                cell.task,
                cell.part,
                encoder,
                loaded,
                options=cell.options,
                transform=cell.transform,
                namespaces=self._namespaces,
            )
            return score(encoded)
        assert isinstance(encoder, Encoder), "only vectors are searched in shards"
        return search_shard(
            cell.task,
            cell.part,
            encoder,
            loaded,
            number=shard.number,
            of=shard.of,
            options=cell.options,
            namespaces=self._namespaces,
        )

    def _opened(self, cell: Cell) -> Encoder | Searcher:
        """The cell's model, opened if another one is open. A failed opening is repeated only if the error may pass."""
        if not self._model.holds(cell.group):
            self._namespaces.close()
            self._model.open(cell.group, functools.partial(_open, cell))
            cache_upkeep.evict()
        try:
            return self._model.encoder()
        except Exception as err:
            if HANDLING[kind_of(err)].retried:
                self._model.close()
            raise


def _open(cell: Cell) -> Encoder | Searcher:
    """Open the cell's model in the planned precision."""
    used = used_precision(cell.model, cell.options)
    if used != cell.precision:
        raise EncodeError(
            f"{cell.label}: planned in {cell.precision}, but this worker would use {used}; "
            "name the precision in the schedule (precisions: [fp32])"
        )
    return models.open_model(cell.model, cell.options)
