"""A dense model is opened and run with every version of sentence-transformers and transformers that is allowed.

These tests are part of `make test-oldest`; those against mteb are not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import models
from harness.models import dense_kinds
from harness.types import EncodeOptions
from tests.encoders import one_block
from tests.tiny import save_sentence_transformer, save_transformer

TEXTS = ["a text that is a little longer", "a text", ""]
"""In the order of mteb's batches: the longest first."""


@pytest.mark.parametrize("save", [save_transformer, save_sentence_transformer])
def test_a_dense_model(save: Any, tmp_path: Path) -> None:
    """Its vectors are those of `SentenceTransformer.encode` to the bit, in mteb's batches."""
    from sentence_transformers import SentenceTransformer

    folder = save(tmp_path / "model")
    encoder: Any = dense_kinds.open_dense(models.resolve(str(folder)), EncodeOptions(device="cpu"))
    encoded = one_block(encoder, TEXTS, batching="mteb")
    assert np.array_equal(encoded.vectors, SentenceTransformer(str(folder), device="cpu").encode(TEXTS))
    assert encoded.tokens is not None
    assert encoder.facts.dimensions == encoded.vectors.shape[1]
