"""The kind of model "gguf": a file that llama.cpp runs, by the package llama-cpp-python."""

from __future__ import annotations

from harness.models import weight_files
from harness.models.model_kind import ModelKind
from harness.models.repository import Repository
from harness.types import EncodeOptions, Encoder, ModelSpec


def recognises(repository: Repository) -> bool:
    """It has files of this format, and no weights that torch could load."""
    has_any = any(file.endswith(".gguf") for file in repository.files)
    return has_any and not weight_files.loaded_weights(repository, repository.transformer)


def _open(spec: ModelSpec, options: EncodeOptions) -> Encoder:
    """The model, by llama.cpp.

    Raises:
        ModelError: it cannot be loaded, or does not say how it pools.
    """
    from harness.models.gguf_encoder import GgufEncoder

    return GgufEncoder(spec, options)


KIND = ModelKind(
    name="gguf",
    recognises=recognises,
    open=_open,
    packages=lambda repository: {"llama_cpp": "llama-cpp-python"},
    settings=frozenset({"device", "max_length", "store", "dims", "quantize", "prompts", "like"}),
)
