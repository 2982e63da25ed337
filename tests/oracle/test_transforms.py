"""Fewer dimensions and fewer bits are those of sentence-transformers and of mteb's CompressionWrapper."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness.encoding.compression import Compression
from harness.encoding.transforms import transformed
from harness.errors import EncodeError
from harness.evaluators import compressed_search
from harness.evaluators.task_kind import SearchProblem
from harness.types import PLAIN, VectorTransform
from tests.oracle.test_encoder import encode, opened, some_texts
from tests.tiny import save_sentence_transformer

pytest.importorskip("mteb", reason="the oracle is mteb")

ROWS = np.random.default_rng(5).normal(size=(300, 24)).astype(np.float32)


def compressed(rows: np.ndarray, how: Literal["int8", "binary"]) -> np.ndarray:
    """What mteb's wrapper makes of the vectors that a model returns."""
    from mteb.models import CompressionWrapper
    from mteb.types import OutputDType

    class Model:
        mteb_model_meta: Any = SimpleNamespace(
            output_dtypes=None, experiment_kwargs=None, name="rows", model_copy=lambda update: None
        )

        def encode(self, inputs: Any, **_: Any) -> np.ndarray:
            return rows

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrapper = CompressionWrapper(Model(), output_dtype=OutputDType(how))  # type: ignore[arg-type]
        found = wrapper.encode(None, task_metadata=None, hf_split="test", hf_subset="default")  # type: ignore[arg-type]
    return np.asarray(found)


@pytest.mark.parametrize("how", ["int8", "binary"])
@pytest.mark.parametrize("scale", [1e-3, 1, 100])
def test_quantization(how: Literal["int8", "binary"], scale: float) -> None:
    """The same numbers as mteb's wrapper makes, for vectors of any length."""
    rows = (ROWS * scale).astype(np.float32)
    found = transformed(rows, VectorTransform(None, how))
    assert found.dtype == np.float32
    assert np.array_equal(found, compressed(rows, how))
    allowed = set(range(-128, 128)) if how == "int8" else {0, 1}
    assert set(np.unique(found).tolist()) <= allowed


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(np.float32, (6, 3), elements=st.floats(-8, 8, width=16)), st.sampled_from(["int8", "binary"]))
def test_quantization_of_anything(rows: np.ndarray, how: Literal["int8", "binary"]) -> None:
    """Also of numbers that repeat; a dimension that does not vary is -128, where mteb divides by zero."""
    found, theirs = transformed(rows, VectorTransform(None, how)), compressed(rows, how)
    varied = rows.min(axis=0) < rows.max(axis=0) if how == "int8" else np.ones(3, dtype=bool)
    assert np.array_equal(found[:, varied], theirs[:, varied])
    assert (found[:, ~varied] == -128).all()
    assert np.isfinite(found).all()


@pytest.mark.parametrize("dims", [1, 8, 32])
@pytest.mark.parametrize("normalize", [False, True])
def test_fewer_dimensions(dims: int, normalize: bool, tmp_path: Path) -> None:
    """The vectors of `SentenceTransformer(truncate_dim=...)`, cut and not made unit length again."""
    from sentence_transformers import SentenceTransformer

    folder = save_sentence_transformer(tmp_path / "model", normalize=normalize)
    texts = some_texts(60)
    expected = SentenceTransformer(str(folder), device="cpu", truncate_dim=dims).encode(texts)
    found = transformed(encode(opened(folder), texts, batching="mteb").vectors, VectorTransform(dims, None))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("how", ["int8", "binary"])
def test_both(how: Literal["int8", "binary"]) -> None:
    """Cut first, then quantized."""
    assert np.array_equal(
        transformed(ROWS, VectorTransform(8, how)), compressed(np.ascontiguousarray(ROWS[:, :8]), how)
    )


def test_the_plain_shape() -> None:
    """Nothing is touched, and nothing is copied."""
    assert transformed(ROWS, PLAIN) is ROWS
    before = ROWS.copy()
    transformed(ROWS, VectorTransform(4, "int8"))
    assert np.array_equal(ROWS, before)


def test_too_many_dimensions() -> None:
    """More dimensions than there are is an error that says how many there are."""
    with pytest.raises(EncodeError, match=r"dims 25: the model's vectors have 24 dimensions"):
        transformed(ROWS, VectorTransform(25, None))
    assert transformed(ROWS, VectorTransform(24, None)).shape == (300, 24)


@pytest.mark.parametrize(
    "transform", [VectorTransform(8, None), VectorTransform(None, "int8"), VectorTransform(8, "binary")]
)
def test_no_vectors(transform: VectorTransform) -> None:
    """Nothing in, nothing out."""
    assert len(transformed(np.empty((0, 0), np.float32), transform)) == 0


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("dims", [None, 11])
def test_codes_of_candidates(similarity: str, dims: int | None) -> None:
    """What candidates are searched by is what sentence-transformers quantizes with the ranges of the documents."""
    from sentence_transformers.util import quantize_embeddings

    documents, queries = ROWS[:200], ROWS[200:] * np.float32(1.5)
    compression = Compression.calibrated(VectorTransform(dims, "int8", 5), similarity, documents=documents)
    views = [compression.views(rows) for rows in (documents, queries)]
    ranges = np.stack([views[0].rescored.min(axis=0), views[0].rescored.max(axis=0)])
    for view in views:
        theirs = quantize_embeddings(view.rescored, precision="int8", ranges=ranges)
        assert np.array_equal(view.searched, theirs)
    clipped = (views[1].rescored < ranges[0]) | (views[1].rescored > ranges[1])
    assert clipped.any(), "some numbers of queries lie outside of the documents' ranges"


@pytest.mark.parametrize("dims", [None, 11])
def test_candidates_by_packed_bits(dims: int | None) -> None:
    """Their order is that of the Hamming distances of sentence-transformers' packed bits, ties by document id."""
    from sentence_transformers.util import quantize_embeddings

    documents, queries = ROWS[:200], ROWS[200:220]
    compression = Compression.calibrated(VectorTransform(dims, "binary", 1), "dot", documents=documents)
    ids = [f"d{place:03}" for place in range(200)]
    hits, _ = compressed_search.search(
        compression.views(queries),
        [compression.views(documents)],
        problem=SearchProblem(ids, 200, None),
        similarity="dot",
        searched_by=compression.searched_by,
        rescore=1,
    )
    bits, asked = (quantize_embeddings(rows[:, :dims], precision="ubinary") for rows in (documents, queries))
    apart = np.unpackbits(asked[:, None] ^ bits[None], axis=-1).sum(axis=-1).astype(int)
    expected = [sorted(range(200), key=lambda place: (-row[place], ids[place]), reverse=True) for row in apart]
    assert hits.indices.tolist() == expected
