"""Shards of large corpora: which cells are cut into shards, and the files that keep the hits of searched shards.

Any free worker searches a shard, and its best documents are kept on disk until all shards of the cell are searched.
Joined, they are exactly the best documents of the whole corpus: scores are compared as numbers and ties broken by
document id, as without shards.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from harness import models
from harness.data.size_estimate import estimate
from harness.errors import HarnessError
from harness.evaluators import KINDS
from harness.files import atomic, kept
from harness.nightly.engines.protocol import Shard
from harness.runner.cells import Cell
from harness.runner.corpus_search import SearchedShard
from harness.runner.text_fields import Counts
from harness.types import PLAIN, EncoderFacts, Hits, PromptRules

FORMAT = 1


def cut(cell: Cell, documents: int) -> tuple[Shard, ...]:
    """The shards of a cell whose corpus has more than `documents` texts; none for a smaller corpus.

    Only a search by the model's own vectors is cut: BM25 weighs words by all documents, and int8 vectors are scaled by
    the ranges of all.
    """
    whole = cell.transform != PLAIN or models.abilities(cell.model).ranks
    if not documents or whole or not KINDS[cell.task.type].shards:
        return ()
    try:
        size = estimate(cell.task, cell.part)
    except (HarnessError, OSError):  # running the cell will say what is wrong with its data
        return ()
    count = math.ceil(size.texts / documents) if size else 1
    return tuple(Shard(number, count) for number in range(count)) if count > 1 else ()


def path(folder: Path, cell: Cell, shard: Shard) -> Path:
    """The file of a shard's hits."""
    part = hashlib.sha256(repr(tuple(cell.part)).encode()).hexdigest()[:12]
    return folder / f"{cell.fingerprint}-{part}-{shard.number}-of-{shard.of}.npz"


def save(file: Path, shard: SearchedShard) -> None:
    """Write a shard's hits.

    Raises:
        OSError: the file cannot be written.
    """
    header = {
        "format": FORMAT,
        "start": shard.start,
        "stop": shard.stop,
        "seconds": shard.seconds,
        "counts": asdict(shard.counts),
        "facts": {**asdict(shard.facts), "prompts": shard.facts.prompts.source},
    }
    out = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez_compressed(out, header=text, indices=shard.hits.indices, scores=shard.hits.scores)
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(file, kept.sealed(file, out.getvalue()), locked=False)


def load(file: Path) -> SearchedShard | None:
    """The hits in a file; None where it is missing, damaged or of another format."""
    content = kept.read(file)
    if content is None:
        return None
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes().decode())
            if header["format"] != FORMAT:
                return None
            return SearchedShard(
                header["start"],
                header["stop"],
                Hits(indices=archive["indices"], scores=archive["scores"]),
                Counts(**header["counts"]),
                EncoderFacts(**{**header["facts"], "prompts": PromptRules(source=header["facts"]["prompts"])}),
                header["seconds"],
            )
    except (ValueError, KeyError, TypeError):  # of another version
        return None


def forget(folder: Path, cell: Cell, shards: Sequence[Shard]) -> None:
    """Delete the shard files of a cell that is recorded."""
    for shard in shards:
        with contextlib.suppress(OSError):
            path(folder, cell, shard).unlink()
