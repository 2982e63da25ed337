"""Two kinds of model that sentence-transformers runs: those with `modules.json`, and plain encoders without it."""

from __future__ import annotations

from harness.models.model_kind import SETTINGS, ModelKind
from harness.types import EncodeOptions, Encoder, ModelSpec

SETTINGS_OF_DENSE = SETTINGS | {"batching=packed"}


def open_dense(spec: ModelSpec, options: EncodeOptions) -> Encoder:
    """The model, by sentence-transformers.

    Raises:
        ModelError: it cannot be loaded.
    """
    from harness.models.sentence_transformer import SentenceTransformerEncoder

    return SentenceTransformerEncoder(spec, options)


SENTENCE_TRANSFORMERS = ModelKind(
    name="sentence-transformers",
    recognises=lambda repository: bool(repository.modules),
    open=open_dense,
    on_each_device=True,
    settings=SETTINGS_OF_DENSE,
)
TRANSFORMERS = ModelKind(
    name="transformers encoder",
    recognises=lambda repository: "config.json" in repository.files or "adapter_config.json" in repository.files,
    open=open_dense,
    on_each_device=True,
    settings=SETTINGS_OF_DENSE,
)
"""Without settings of sentence-transformers a text's vector is the mean of its tokens' states, as there."""
