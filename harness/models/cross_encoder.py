"""The kind of model "cross-encoder": it reads two texts together and gives a score, so it has no vectors."""

from __future__ import annotations

from harness.models.model_kind import Abilities, ModelKind
from harness.models.repository import Repository
from harness.types import EncodeOptions, ModelSpec, Searcher


def recognises(repository: Repository) -> bool:
    """As mteb: by the declared type; without one and without modules, by the architecture.

    A causal language model counts where it has labels, or where its name says that it ranks.
    """
    declared = repository.declared_type
    if declared is not None or repository.modules:
        return declared == "CrossEncoder"
    names, label = repository.architectures, repository.label
    if any(name.endswith("ForSequenceClassification") for name in names):
        return True
    labels = repository.config.get("num_labels")
    ranks = (isinstance(labels, int) and labels > 0) or "rerank" in label or "cross-encoder" in label
    return ranks and any(name.endswith("ForCausalLM") for name in names)


def _open(spec: ModelSpec, options: EncodeOptions) -> Searcher:
    """The model, by sentence-transformers.

    Raises:
        ModelError: it cannot be loaded.
    """
    from harness.models.cross_encoder_model import CrossEncoderRanker

    return CrossEncoderRanker(spec, options)


LIMITS = (
    "it scores a query with a document, and only reranking tasks name the documents; for retrieval, name the model "
    "that searches the corpus with"
)
"""What is said of other tasks, but for the name of the setting."""

KIND = ModelKind(
    name="cross-encoder",
    recognises=recognises,
    open=_open,
    abilities=Abilities(
        vectors=False,
        ranks=frozenset({"candidates"}),
        limits=f"{LIMITS} --first-stage MODEL",
    ),
    settings=frozenset({"device", "precision", "batching", "store"}),
)
