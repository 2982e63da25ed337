"""What a worker does with its work, with the model that it keeps loaded. Runs in worker processes only."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness import models
from harness.encoding import cache_upkeep
from harness.errors import HANDLING, EncodeError, HarnessError
from harness.models.forward_precision import used_precision
from harness.nightly.engines.protocol import Answer, Delivered, Searched, Shard, Work
from harness.results.items import get_items
from harness.runner import execution
from harness.runner.cells import Cell
from harness.types import Encoder, Record, Searcher


class CellComputer:
    """Cells, shards and merges, one at a time; see `engine.Computer`."""

    def __init__(self) -> None:
        self._group: tuple[str, str, str] | None = None
        self._encoder: Encoder | Searcher | None = None
        self._broken: HarnessError | None = None

    def compute(self, work: Work) -> Answer:
        """Do it.

        Raises:
            HarnessError: the cell cannot be computed, and why.
        """
        if work.shard is not None:
            return Answer(searched=self._searched(work.cell, work.shard))
        if work.results is not None:
            self._recorded(work, work.results)
            return Answer()
        with tempfile.TemporaryDirectory(prefix="harness-") as folder:
            record = self._recorded(work, Path(folder))
            facts = work.searched[0].facts if work.searched else self._opened(work.cell).facts
            meta = models.meta(work.cell.model, facts)
            return Answer(delivered=Delivered(record=record, model_meta=meta, items=get_items(record) or {}))

    def _recorded(self, work: Work, folder: Path) -> Record:
        if work.searched:
            hits = [searched.hits for searched in work.searched]
            return execution.record_shards(work.cell, work.searched[0].facts, hits, folder)
        return execution.compute(work.cell, self._opened(work.cell), folder)

    def _searched(self, cell: Cell, shard: Shard) -> Searched:
        encoder = self._opened(cell)
        assert isinstance(encoder, Encoder), "only vectors are searched in shards"
        hits = execution.compute_shard(cell, encoder, number=shard.number, of=shard.of)
        return Searched(shard=shard, hits=hits, facts=encoder.facts)

    def _opened(self, cell: Cell) -> Encoder | Searcher:
        """The cell's model, loaded now or still. One that could not be loaded is not tried again for its next cell."""
        if self._group != cell.group:
            self._close()
            try:
                self._encoder = _fitting(cell)
            except HarnessError as err:
                self._broken = err
            self._group = cell.group
        if self._encoder is None:
            assert self._broken is not None
            if HANDLING[self._broken.kind].retried:
                self._group = None
            raise self._broken
        return self._encoder

    def _close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()
            cache_upkeep.evict()
        self._encoder, self._broken, self._group = None, None, None


def _fitting(cell: Cell) -> Encoder | Searcher:
    """The cell's model, in the precision that was planned."""
    used = used_precision(cell.model, cell.options)
    if used != cell.precision:
        raise EncodeError(
            f"{cell.label}: planned in {cell.precision}, and this worker would use {used}; "
            "name the precision in the schedule (precisions: [fp32])"
        )
    return models.open_model(cell.model, cell.options)
