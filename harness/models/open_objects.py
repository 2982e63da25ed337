"""Models that the caller has opened: objects of sentence-transformers, and any object with `encode`.

An object of sentence-transformers is measured through a copy that shares its weights (see `shared_weights`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from harness.models import cross_encoder, sparse_encoder
from harness.models.devices import DTYPES
from harness.models.model_kind import NOT_STORED, Abilities, ModelKind
from harness.types import EncodeOptions, Encoder, ModelSpec, Precision, Searcher


def _open_dense(spec: ModelSpec, options: EncodeOptions) -> Encoder:
    from harness.models.sentence_transformer import SentenceTransformerEncoder

    return SentenceTransformerEncoder(spec, _as_it_is(spec, options))


def _open_sparse(spec: ModelSpec, options: EncodeOptions) -> Searcher:
    from harness.models.sparse_model import SparseModel

    return SparseModel(spec, _as_it_is(spec, options))


def _open_cross_encoder(spec: ModelSpec, options: EncodeOptions) -> Searcher:
    from harness.models.cross_encoder_model import CrossEncoderRanker

    return CrossEncoderRanker(spec, _as_it_is(spec, options))


def _open_other(spec: ModelSpec, options: EncodeOptions) -> Encoder:
    from harness.models.model_prompts import object_prompts, prompt_rules
    from harness.models.python_callable import FunctionEncoder

    model: Any = spec.function
    return FunctionEncoder(model.encode, prompts=prompt_rules(spec, object_prompts(spec)))


def _kind(
    name: str,
    opener: Callable[[ModelSpec, EncodeOptions], Encoder | Searcher],
    *,
    abilities: Abilities | None = None,
    settings: frozenset[str],
) -> ModelKind:
    return ModelKind(
        name=name,
        recognises=lambda repository: False,
        open=opener,
        abilities=abilities or Abilities(),
        settings=settings,
        true_anyway=NOT_STORED,
    )


_BY_CLASS: Mapping[str, ModelKind] = {
    "CrossEncoder": _kind(
        "open CrossEncoder",
        _open_cross_encoder,
        abilities=cross_encoder.KIND.abilities._replace(limits=f"{cross_encoder.LIMITS} first_stage"),
        settings=frozenset({"batching"}),
    ),
    "SparseEncoder": _kind(
        "open SparseEncoder",
        _open_sparse,
        abilities=sparse_encoder.KIND.abilities,
        settings=frozenset({"batching", "prompts", "like"}),
    ),
    "SentenceTransformer": _kind(
        "open SentenceTransformer",
        _open_dense,
        settings=frozenset({"batching", "batch_tokens", "dims", "quantize", "prompts", "like"}),
    ),
}
OTHER = _kind("object with encode", _open_other, settings=frozenset({"dims", "quantize", "prompts", "like"}))
KINDS: tuple[ModelKind, ...] = (*_BY_CLASS.values(), OTHER)


def kind_of_object(model: Any) -> ModelKind | None:
    """The kind of an open model, by its class or those that it derives from; None for what has no `encode`."""
    for parent in type(model).__mro__:
        if parent.__module__.partition(".")[0] == "sentence_transformers" and parent.__name__ in _BY_CLASS:
            return _BY_CLASS[parent.__name__]
    return OTHER if callable(getattr(model, "encode", None)) else None


def _as_it_is(spec: ModelSpec, options: EncodeOptions) -> EncodeOptions:
    """The options with the device and the precision of the model, which is open already."""
    model: Any = spec.function
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    precision: Precision = next((name for name, of_torch in DTYPES.items() if of_torch == dtype), "fp32")
    return replace(options, device=str(model.device), precision=precision)
