"""Three kinds of model without a repository: the two baselines, and a Python callable."""

from __future__ import annotations

from harness.models.model_kind import NOT_STORED, Abilities, ModelKind
from harness.types import EncodeOptions, Encoder, ModelSpec, Searcher


def _open_hashing(spec: ModelSpec, options: EncodeOptions) -> Encoder:
    from harness.models.baselines import Hashing

    return Hashing()


def _open_bm25(spec: ModelSpec, options: EncodeOptions) -> Searcher:
    from harness.models.baselines import BM25

    return BM25()


def _open_callable(spec: ModelSpec, options: EncodeOptions) -> Encoder:
    from harness.models.python_callable import FunctionEncoder

    assert spec.function is not None
    return FunctionEncoder(spec.function)


_OF_BASELINES = {**NOT_STORED, "precision": frozenset({"fp32", "checkpoint"}), "batching": frozenset({"mteb"})}
"""What is true of a baseline anyway: it computes in fp32, and no text changes the vector of another."""

HASHING = ModelKind(
    name="hashing baseline",
    recognises=lambda repository: False,
    open=_open_hashing,
    settings=frozenset({"device", "dims", "quantize"}),
    true_anyway=_OF_BASELINES,
)
BM25 = ModelKind(
    name="BM25 baseline",
    recognises=lambda repository: False,
    open=_open_bm25,
    abilities=Abilities(
        vectors=False, ranks=frozenset({"corpus", "candidates"}), limits="BM25 ranks documents; it has no vectors"
    ),
    settings=frozenset({"device"}),
    true_anyway=_OF_BASELINES,
)
CALLABLE = ModelKind(
    name="Python callable",
    recognises=lambda repository: False,
    open=_open_callable,
    settings=frozenset({"device", "dims", "quantize"}),
)
