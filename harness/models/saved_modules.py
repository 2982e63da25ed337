"""The modules of a saved sentence-transformers model, read from its JSON files.

Two kinds of model cover most published ones, and code of this package runs them, which starts faster and pads less:
BERT with pooling (`models.bert_encoder`) and static embeddings (`models.static`). `read` recognizes them. For a model
that deviates in any way from what that code computes it returns None, and sentence-transformers runs the model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

_BERTS = {"bert": 0, "roberta": 2, "xlm-roberta": 2, "camembert": 2}
"""Architectures with BERT's forward pass -> how many of their positions stand for no token."""
_TRANSFORMER_KEYS = {"max_seq_length", "do_lower_case", "transformer_task", "modality_config", "module_output_name"}
_TEXT_ONLY = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
_POOLINGS = ("mean", "cls")
SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedModel:
    """A saved model of one of the two kinds that this package runs by itself.

    Attributes:
        folder: where `modules.json` lies.
        module: the folder of the transformer or of the static embeddings.
        config: the transformer's `config.json`; empty for static embeddings.
        max_length: that the model states; None where the tokenizer's limit holds, and for static embeddings.
        prompts: name -> text; `query` and `document` are always there, empty where the model has none.
    """

    kind: Literal["bert", "static"]
    folder: Path
    module: Path
    config: Mapping[str, Any]
    pooling: str
    normalize: bool
    max_length: int | None
    prompts: Mapping[str, str]
    default_prompt: str | None
    similarity: str


def read(folder: Path) -> SavedModel | None:
    """The model in `folder`; None where it is not exactly of one of the two kinds."""
    modules, settings = read_json(folder / "modules.json"), read_json(folder / "config_sentence_transformers.json")
    if not isinstance(modules, list) or not modules or not all(isinstance(module, dict) for module in modules):
        return None
    if not isinstance(settings, dict | None):
        return None
    settings = settings or {}
    if not isinstance(settings.get("prompts"), dict | None):
        return None
    types = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    official = all(str(module.get("type", "")).startswith("sentence_transformers.") for module in modules)
    similarity = settings.get("similarity_fn_name") or "cosine"
    if not official or settings.get("truncate_dim") is not None or similarity not in SIMILARITIES:
        return None
    prompts = {"query": "", "document": "", **(settings.get("prompts") or {})}
    if not all(isinstance(text, str) for text in prompts.values()):
        return None
    folders = [folder / str(module.get("path", "")) for module in modules]
    normalize = types[-1:] == ["Normalize"]
    if normalize:
        types.pop()
    if normalize and not _is_usual_normalize(read_json(folders[-1] / "config.json")):
        return None
    common: dict[str, Any] = {
        "folder": folder,
        "module": folders[0],
        "normalize": normalize,
        "prompts": prompts,
        "default_prompt": settings.get("default_prompt_name"),
        "similarity": similarity,
    }
    if types == ["StaticEmbedding"]:
        return SavedModel(kind="static", config={}, pooling="mean", max_length=None, **common)
    if types != ["Transformer", "Pooling"]:
        return None
    config, max_length = read_json(folders[0] / "config.json"), _length(folders[0])
    pooling = _pooling(read_json(folders[1] / "config.json"))
    if not isinstance(config, dict) or max_length == 0 or pooling is None or not _is_bert(config):
        return None
    if (folders[0] / "adapter_config.json").exists():  # its weights belong on top of those of another model
        return None
    return SavedModel(kind="bert", config=config, pooling=pooling, max_length=max_length, **common)


def longest(config: Mapping[str, Any]) -> int:
    """The most tokens that a BERT has positions for."""
    return int(config["max_position_embeddings"]) - _BERTS[config["model_type"]]


def padding(config: Mapping[str, Any]) -> int | None:
    """The id of the padding token in RoBERTa and its relatives, whose positions start after that number; None for BERT.

    Those models give padding tokens no position.
    """
    return None if config["model_type"] == "bert" else int(config.get("pad_token_id", 1))


def _is_bert(config: Mapping[str, Any]) -> bool:
    numbers = ("hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings")
    return (
        config.get("model_type") in _BERTS
        and config.get("hidden_act", "gelu") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
        and not config.get("add_cross_attention")
        and not config.get("auto_map")
        and not config.get("quantization_config")
        and all(isinstance(config.get(name), int) and config[name] > 0 for name in numbers)
        and config["hidden_size"] % config["num_attention_heads"] == 0
    )


def _length(folder: Path) -> int | None:
    """The maximum length in the transformer's settings; None where they have none, 0 where anything is unusual."""
    for name in ("sentence_bert_config.json", "sentence_roberta_config.json", "sentence_camembert_config.json",
                 "sentence_xlm-roberta_config.json"):  # fmt: skip
        settings = read_json(folder / name)
        if settings is None:
            continue
        usual = (
            isinstance(settings, dict)
            and set(settings) <= _TRANSFORMER_KEYS
            and not settings.get("do_lower_case")
            and settings.get("transformer_task", "feature-extraction") == "feature-extraction"
            and settings.get("modality_config", _TEXT_ONLY) == _TEXT_ONLY
            and settings.get("module_output_name", "token_embeddings") == "token_embeddings"
        )
        length = settings.get("max_seq_length") if usual else 0
        return length if length is None or (isinstance(length, int) and length > 0) else 0
    return None


def _pooling(config: Any) -> str | None:
    """How token vectors become a text's vector: `mean` or `cls`; None for any other way, or for several."""
    if not isinstance(config, dict) or config.get("include_prompt", True) is not True:
        return None
    if isinstance(config.get("pooling_mode"), str):
        modes = [config["pooling_mode"]]
    else:
        flags = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
        modes = [flags.get(key, key) for key, value in config.items() if key.startswith("pooling_mode") and value]
    return modes[0] if len(modes) == 1 and modes[0] in _POOLINGS else None


def _is_usual_normalize(config: Any) -> bool:
    names = config.values() if isinstance(config, dict) else [] if config is None else [config]
    return all(name == "sentence_embedding" for name in names)


def brings_code(folder: Path) -> bool:
    """Whether a saved model needs code from its repository: for a module, or for classes named in a `config.json`."""
    modules = read_json(folder / "modules.json")
    listed = [module for module in modules if isinstance(module, dict)] if isinstance(modules, list) else []
    configs = [read_json(file) for file in folder.rglob("config.json")]
    return any(not str(module.get("type", "")).startswith("sentence_transformers.") for module in listed) or any(
        isinstance(config, dict) and "auto_map" in config for config in configs
    )


def read_json(file: Path) -> Any:
    """The content of a JSON file; None where the file does not exist or cannot be read."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
