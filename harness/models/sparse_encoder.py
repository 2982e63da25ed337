"""The kind of model "sparse encoder" (SPLADE): a weight for each token of the vocabulary instead of a dense vector."""

from __future__ import annotations

from harness.models.model_kind import Abilities, ModelKind
from harness.models.repository import Repository
from harness.types import EncodeOptions, Encoder, ModelSpec


def recognises(repository: Repository) -> bool:
    """As mteb: by the declared type, or by modules of `sentence_transformers.sparse_encoder`.

    A masked language model without modules counts too where its name says SPLADE.
    """
    declared = repository.declared_type
    if declared is not None:
        return declared == "SparseEncoder"
    if repository.modules:
        return any("sparse_encoder" in module.type for module in repository.modules)
    masked = any(name.endswith("ForMaskedLM") for name in repository.architectures)
    return masked and "splade" in repository.label


def _open(spec: ModelSpec, options: EncodeOptions) -> Encoder:
    """The model, by sentence-transformers.

    Raises:
        ModelError: it cannot be loaded.
    """
    from harness.models.sparse_model import SparseModel

    return SparseModel(spec, options)


KIND = ModelKind(
    name="sparse encoder",
    recognises=recognises,
    open=_open,
    abilities=Abilities(ranks=frozenset({"corpus", "candidates"})),
    settings=frozenset({"device", "precision", "batching", "store", "prompts", "like"}),
)
