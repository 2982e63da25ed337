"""Whether a server still runs the weights that cached vectors came from: two texts whose vectors are kept from before.

A server can be started again with other weights under the same URL and name. Vectors of the same weights differ by
rounding, which depends on what else the server computes, so they are compared by cosine.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

from harness.files.atomic import write_cache
from harness.files.folders import cache_folder
from harness.files.locks import locked

if TYPE_CHECKING:
    from harness.types import Float32

TEXTS = (
    "Which of the two routes over the pass is open in winter?",
    "The lighthouse keeper wrote down the weather, the ships and the price of bread every evening for thirty years.",
)
SAME = 1 - 2e-4
"""The least cosine of two vectors of one text under the same weights."""


def weights_id(revision: str, vectors: Float32) -> str:
    """A name for the weights that gave `TEXTS` these vectors: the same as before where they are close to those kept.

    Args:
        revision: of the endpoint.
        vectors: (2, dim) float32.
    """
    folder = cache_folder() / "endpoints"
    file = folder / f"{revision}.json"
    rows = _unit(vectors)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time, not results
            stack.enter_context(locked(folder))
        kept: dict[str, list[list[float]]] = {}
        with contextlib.suppress(OSError, ValueError):
            kept = json.loads(file.read_text(encoding="utf-8"))
        for name, before in kept.items():
            earlier = np.array(before)
            if earlier.shape == rows.shape and float((earlier * rows).sum(axis=1).min()) >= SAME:
                return name
        name = hashlib.sha256(rows.tobytes()).hexdigest()[:16]
        write_cache(file, json.dumps({**kept, name: rows.tolist()}))
    return name


def _unit(vectors: Float32) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    rows = vectors.astype(np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
