"""Whether a server still runs the weights that cached vectors came from: two texts whose vectors are kept from before.

A server can be started again with other weights under the same URL and name. Vectors of the same weights differ by
rounding, which depends on what else the server computes, so they are compared by cosine.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import TYPE_CHECKING

import numpy as np

from harness.files import kept
from harness.files.folders import cache_folder
from harness.files.locks import locked

if TYPE_CHECKING:
    from harness.types import Float32, Float64

TEXTS = (
    "Which of the two routes over the pass is open in winter?",
    "The lighthouse keeper wrote down the weather, the ships and the price of bread every evening for thirty years.",
)
SAME = 1 - 2e-4
"""The least cosine of two vectors of one text under the same weights."""


def weights_id(revision: str, vectors: Float32, *, afresh: bool = False) -> str:
    """A name for the weights that gave `TEXTS` these vectors: the same as before where they are close to those kept.

    Args:
        revision: of the endpoint.
        vectors: (2, dim) float32.
        afresh: give the weights a new name, from now on, under which no vectors are cached.
    """
    folder = cache_folder() / "endpoints"
    file = folder / f"{revision}.json"
    rows = _unit(vectors)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time, not results
            stack.enter_context(locked(folder))
        earlier: dict[str, list[list[float]]] = kept.read_json(file) or {}
        same = [name for name, before in earlier.items() if _is_same(np.array(before), rows)]
        if same and not afresh:
            return same[0]
        others = {name: before for name, before in earlier.items() if name not in same}
        name = hashlib.sha256(rows.tobytes() + (os.urandom(16) if afresh else b"")).hexdigest()[:16]
        kept.write(file, json.dumps({**others, name: rows.tolist()}))
    return name


def _is_same(earlier: Float64, rows: Float64) -> bool:
    return earlier.shape == rows.shape and float((earlier * rows).sum(axis=1).min()) >= SAME


def _unit(vectors: Float32) -> Float64:
    rows = vectors.astype(np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
