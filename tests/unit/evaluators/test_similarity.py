"""Similarities of vectors of any length: a cosine depends on directions alone."""

from __future__ import annotations

import numpy as np
import pytest

from harness.evaluators import similarity


@pytest.mark.parametrize("scale", [1e-38, 1e-30, 1e-20, 1e-9, 1.0, 1e9, 1e19, 1e25, 1e37])
def test_the_length_of_vectors_does_not_count(scale: float) -> None:
    """Rows a third of which are scaled have the cosines that they had, whether searched or compared in pairs."""
    generator = np.random.default_rng(0)
    left, right = (generator.normal(size=(60, 16)).astype(np.float32) for _ in range(2))
    scaled = left.copy()
    scaled[::3] *= np.float32(scale)
    expected = np.einsum("ij,ij->i", similarity.unit_rows(left), similarity.unit_rows(right))
    with np.errstate(all="ignore"):  # differences of such rows overflow, which is their distance
        pairs = similarity.pair_scores(scaled, right).cosine
    atol = 1e-5 if scale > 1e-37 else 1e-2  # below, float32 itself has few digits
    np.testing.assert_allclose(pairs, expected, atol=atol)
    np.testing.assert_allclose(similarity.paired(scaled, right, similarity="cosine"), expected, atol=atol)
    rows = similarity.prepare(scaled, similarity="cosine")
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_ordinary_vectors_keep_their_bits() -> None:
    """Rows of ordinary lengths are divided as scikit-learn divides them, beside extreme ones too; zeros stay zeros."""
    from sklearn.preprocessing import normalize

    rows = np.random.default_rng(1).normal(size=(50, 24)).astype(np.float32) * np.float32(3)
    mixed = np.concatenate([rows, rows[:5] * np.float32(1e-25), np.zeros((1, 24), np.float32)])
    assert similarity.unit_rows(mixed)[:50].tobytes() == normalize(rows).tobytes()
    assert not similarity.unit_rows(mixed)[-1].any()
