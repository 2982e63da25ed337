"""The kind of model "multi-vector" (ColBERT): a vector for each token, compared by the sum of the best similarities."""

from __future__ import annotations

from harness.models.model_kind import Abilities, ModelKind
from harness.models.repository import Repository
from harness.types import EncodeOptions, ModelSpec, Searcher


def recognises(repository: Repository) -> bool:
    """By the declared type; else by modules of pylate, or by the settings that ColBERT's own code saves."""
    declared = repository.declared_type
    if declared is not None:
        return declared == "MultiVectorEncoder"
    if repository.modules:
        return any(module.type.startswith("pylate.") for module in repository.modules)
    return "artifact.metadata" in repository.files


def recognises_weights(repository: Repository) -> bool:
    """By the architecture alone: what projects the states of tokens cannot be found without settings."""
    return not repository.modules and any("ColBERT" in name for name in repository.architectures)


def _open(spec: ModelSpec, options: EncodeOptions) -> Searcher:
    """The model, by sentence-transformers.

    Raises:
        ModelError: it cannot be loaded.
    """
    from harness.models.multi_vector_model import MultiVectorModel

    return MultiVectorModel(spec, options)


KIND = ModelKind(
    name="multi-vector",
    recognises=recognises,
    open=_open,
    packages=lambda repository: {"sentence_transformers": "sentence-transformers>=6"},
    abilities=Abilities(
        vectors=False,
        ranks=frozenset({"corpus", "candidates"}),
        limits="it has a vector for each token and none for a text; only retrieval and reranking are scored by MaxSim",
    ),
    settings=frozenset({"device", "precision", "batching", "store", "prompts", "like"}),
)
WITHOUT_SETTINGS = ModelKind(
    name="multi-vector",
    recognises=recognises_weights,
    advice="its settings (modules.json, or artifact.metadata) are missing; save it with sentence-transformers 6",
)
