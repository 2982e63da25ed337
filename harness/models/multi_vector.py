"""The kind of model "multi-vector" (ColBERT): a vector for each token, compared by the sum of the best similarities."""

from __future__ import annotations

from harness.models.model_kind import ModelKind
from harness.models.repository import Repository


def recognises(repository: Repository) -> bool:
    """By the declared type; else by modules of pylate, or by what ColBERT's own code saves."""
    declared = repository.declared_type
    if declared is not None:
        return declared == "MultiVectorEncoder"
    if repository.modules:
        return any(module.type.startswith("pylate.") for module in repository.modules)
    return "artifact.metadata" in repository.files or any("ColBERT" in name for name in repository.architectures)


KIND = ModelKind(
    name="multi-vector",
    recognises=recognises,
    advice="it has a vector for each token and none for a text; name a model with one vector for each text",
)
