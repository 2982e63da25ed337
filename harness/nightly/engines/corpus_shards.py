"""Large corpora in pieces: which cells are cut, and the pieces that are done, kept on disk until all of them are.

Every shard is searched by itself, on whichever worker is free, and its best documents are kept. Put together they are
exactly the best of the whole corpus: scores are compared as numbers and ties broken by document id, as without shards.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from harness import models
from harness.data.size_estimate import estimate
from harness.errors import HarnessError
from harness.evaluators import KINDS
from harness.files import atomic
from harness.nightly.engines.protocol import Shard
from harness.runner.cells import Cell
from harness.runner.corpus_search import SearchedShard
from harness.runner.text_fields import Counts
from harness.types import EncoderFacts, Hits

FORMAT = 1


def cut(cell: Cell, documents: int) -> tuple[Shard, ...]:
    """The shards of a cell whose corpus has more than `documents` texts; none where it stays in one piece.

    Only a search through a whole corpus by vectors can be cut: BM25 weighs words by all documents.
    """
    if not documents or not KINDS[cell.task.type].shards or models.abilities(cell.model).ranks:
        return ()
    try:
        size = estimate(cell.task, cell.part)
    except (HarnessError, OSError):  # running the cell will say what is wrong with its data
        return ()
    count = math.ceil(size.texts / documents) if size else 1
    return tuple(Shard(number, count) for number in range(count)) if count > 1 else ()


def path(folder: Path, cell: Cell, shard: Shard) -> Path:
    """Where the hits of a shard are kept."""
    part = hashlib.sha256(repr(tuple(cell.part)).encode()).hexdigest()[:12]
    return folder / f"{cell.fingerprint}-{part}-{shard.number}-of-{shard.of}.npz"


def save(file: Path, shard: SearchedShard) -> None:
    """Keep a shard's hits.

    Raises:
        OSError: the disk refuses.
    """
    header = {
        "format": FORMAT,
        "start": shard.start,
        "stop": shard.stop,
        "seconds": shard.seconds,
        "counts": asdict(shard.counts),
        "facts": asdict(shard.facts),
    }
    out = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez_compressed(out, header=text, indices=shard.hits.indices, scores=shard.hits.scores)
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(file, out.getvalue())


def load(file: Path) -> SearchedShard | None:
    """The hits that were kept; None where there are none that can be used."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes().decode())
            if header["format"] != FORMAT:
                return None
            return SearchedShard(
                header["start"],
                header["stop"],
                Hits(indices=archive["indices"], scores=archive["scores"]),
                Counts(**header["counts"]),
                EncoderFacts(**header["facts"]),
                header["seconds"],
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def forget(folder: Path, cell: Cell, shards: Sequence[Shard]) -> None:
    """Remove the hits of a cell that is recorded."""
    for shard in shards:
        with contextlib.suppress(OSError):
            path(folder, cell, shard).unlink()
