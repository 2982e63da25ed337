"""(j) Strange vectors: lengths from the least to the greatest numbers, zeros, repeated and constant rows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from tests.faults import children
from tests.faults.outcomes import Fault

TITLE = "strange vectors"
AT_ONCE = 200
SCALES = (1e-44, 1e-38, 1e-30, 1e-20, 1e-12, 1e-6, 1.0, 1e6, 1e18, 1e25, 1e37)


def faults(chance: random.Random, folder: Path) -> Iterator[Fault]:
    """Faults without end."""
    while True:
        yield from children.batch(lambda: _tried(chance), AT_ONCE)
        chance.seed(chance.random())


def _tried(chance: random.Random) -> Fault:
    import numpy as np

    from harness.evaluators import similarity

    generator = np.random.default_rng(chance.randrange(2**32))
    n, width = chance.choice([(1, 1), (2, 3), (7, 16), (33, 5)])
    rows = generator.normal(size=(n, width)).astype(np.float32)
    rows[np.abs(rows) < 0.01] = 0.01
    scale = chance.choice(SCALES)
    label = f"{n} x {width}, some times {scale:g}"
    strange = rows.copy()
    picked = generator.random(n) < 0.4
    with np.errstate(all="ignore"):
        strange[picked] *= np.float32(scale)
        if chance.random() < 0.3:
            strange[0] = 0
        try:
            unit = similarity.unit_rows(strange)
            paired = similarity.paired(strange, rows, similarity="cosine")
            cosine = similarity.pair_scores(strange, rows).cosine
            prepared = similarity.prepare(strange, similarity="cosine")
            block = similarity.block_scores(
                prepared, similarity.prepare(rows, similarity="cosine"), similarity="cosine"
            )
        except Exception as err:
            return Fault(label, "traceback", f"{type(err).__name__}: {err}")
    lengths = np.sqrt((unit.astype(np.float64) ** 2).sum(axis=1))
    is_zero = ~strange.any(axis=1)
    if not (np.abs(lengths[~is_zero] - 1) < 1e-5).all() or lengths[is_zero].any():
        return Fault(label, "wrong", f"lengths {lengths.tolist()}"[:200])
    if scale >= 1e-37:  # below, float32 itself rounds directions
        expected = similarity.unit_rows(rows)
        rest = ~is_zero
        same = np.einsum("ij,ij->i", expected, expected)
        for name, values in (("paired", paired), ("cosine", cosine), ("block", np.diagonal(block))):
            if not (np.abs(values[rest] - same[rest]) < 1e-4).all():
                return Fault(label, "wrong", f"{name} {values.tolist()}"[:200])
    return Fault(label, "right")
