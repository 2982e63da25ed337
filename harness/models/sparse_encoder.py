"""The kind of model "sparse encoder" (SPLADE): a weight for each token of the vocabulary instead of a dense vector."""

from __future__ import annotations

from harness.models.model_kind import ModelKind
from harness.models.repository import Repository


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
    return masked and "splade" in repository.name.lower()


KIND = ModelKind(
    name="sparse encoder",
    recognises=recognises,
    advice="its vectors are weights of tokens, and the mean of its hidden states is not what it was trained for; name "
    "a model with dense vectors",
)
