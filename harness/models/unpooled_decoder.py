"""The kind of model "decoder without pooling": a language model that does not say which state stands for a text."""

from __future__ import annotations

from harness.models.model_kind import ModelKind
from harness.models.repository import Repository

_DECODERS = frozenset(
    (
        *("bloom", "codegen", "cohere", "cohere2", "falcon", "gemma", "gemma2", "gemma3", "gemma3_text", "glm", "gpt2"),
        *("gpt_bigcode", "gpt_neo", "gpt_neox", "gpt_oss", "gptj", "granite", "llama", "mistral", "mixtral", "mpt"),
        *("nemotron", "olmo", "olmo2", "opt", "persimmon", "phi", "phi3", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe"),
        *("smollm3", "stablelm", "starcoder2", "xglm"),
    )
)
"""Values of `model_type`."""


def recognises(repository: Repository) -> bool:
    """A causal language model by its class or its type, without modules, that is not made to look both ways."""
    if repository.modules or repository.declared_type is not None:
        return False
    config = repository.config
    if config.get("is_causal") is False or config.get("use_bidirectional_attention") is True:
        return False
    causal = any(name.endswith("ForCausalLM") for name in repository.architectures)
    return causal or config.get("model_type") in _DECODERS


KIND = ModelKind(
    name="decoder without pooling",
    recognises=recognises,
    advice="it has no modules.json, which would say how the states of its tokens become a vector; save it with "
    "sentence-transformers and the pooling that it was trained with",
)
