"""What can be said of a model before anything is loaded: each defect is one sentence with what to do about it."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path

from harness.errors import ModelError
from harness.hub.downloads import fetch_files
from harness.hub.model_lookup import find_model
from harness.models import own_code, weight_files
from harness.models.model_kind import ModelKind
from harness.models.model_prompts import opening
from harness.models.repository import Repository, joined
from harness.models.saved_modules import read_json
from harness.models.special_tokens import require_room_for_text
from harness.types import BackendName, EncodeOptions, ModelSpec, VectorTransform

_TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model"),
    *("sentencepiece.bpe.model", "spm.model", "tekken.json", "bpe.codes"),
)
_SENTENCEPIECE = (".model",)
_QUANTIZERS: Mapping[str, Mapping[str, str]] = {
    "bitsandbytes": {"bitsandbytes": "bitsandbytes", "accelerate": "accelerate"},
    "gptq": {"gptqmodel": "gptqmodel", "optimum": "optimum"},
    "awq": {"gptqmodel": "gptqmodel"},
    "compressed-tensors": {"compressed_tensors": "compressed-tensors"},
    "torchao": {"torchao": "torchao"},
    "quanto": {"optimum": "optimum-quanto"},
    "hqq": {"hqq": "hqq"},
    "aqlm": {"aqlm": "aqlm"},
    "eetq": {"eetq": "eetq"},
}
"""`quant_method` -> the module that transformers imports for it -> the package to install."""
_WITHOUT_PADDING = frozenset({"GPT2", "Llama", "CodeLlama", "GPTNeoX", "PreTrained", "Tokenizers"})
"""Tokenizers that have no padding token unless their settings name one."""
_FROM_ZERO = ("bert", "distilbert", "electra", "ernie", "albert", "nezha", "bart")
_FROM_TWO = (
    *("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer"),
    *("roberta-prelayernorm", "data2vec-text"),
)
_ABSOLUTE = dict.fromkeys(_FROM_ZERO, 0) | dict.fromkeys(_FROM_TWO, 2)
"""Architectures with a table of positions -> how many of them stand for no token."""


def check(
    repository: Repository,
    kind: ModelKind,
    *,
    trust_remote_code: bool,
    allow_pickle: bool,
    fetch: Callable[[str], Path],
    backend: BackendName = "torch",
) -> None:
    """Refuse a model that could not be loaded, or not as what it is.

    Args:
        repository: what its small files say.
        kind: its kind.
        trust_remote_code: whether its own code may run.
        allow_pickle: whether its weights may be pickles.
        fetch: gives the place of one of its other files.
        backend: what will run it; only torch reads its weights from safetensors or pickles.

    Raises:
        ModelError: with the first reason.
    """
    if not trust_remote_code:
        own_code.require_trust(repository)
    _require_default_prompt(repository)
    if not trust_remote_code and backend == "torch":
        weight_files.require_weights(repository)
    if not allow_pickle:
        weight_files.require_safetensors(repository, transformer=backend == "torch")
    needed = {**packages_of(repository), **kind.packages(repository)}
    if trust_remote_code:
        needed |= own_code.packages(repository, fetch, _fetch_elsewhere)
    _require_packages(repository, needed)
    if not trust_remote_code and backend != "gguf":
        _require_tokenizer(repository, fetch)


def _fetch_elsewhere(name: str, file: str) -> Path:
    """A file of another repository of the hub, at its newest commit."""
    return fetch_files(name, [file], commit=find_model(name).commit) / file


def packages_of(repository: Repository) -> dict[str, str]:
    """The modules that transformers imports for a model besides its own dependencies -> the packages to install."""
    needed: dict[str, str] = {}
    names = repository.names_in(repository.transformer)
    if "adapter_config.json" in names:
        needed["peft"] = "peft"
    if "tokenizer.json" not in names and any(name.endswith(_SENTENCEPIECE) for name in names):
        needed["sentencepiece"] = "sentencepiece"
    quantization = repository.config.get("quantization_config") or repository.mapping(
        "quantization_config.json", folder=repository.transformer
    )
    method = quantization.get("quant_method") if isinstance(quantization, dict) else None
    return {**needed, **_QUANTIZERS.get(str(method), {})}


def most_tokens(repository: Repository) -> int | None:
    """How many tokens a model with a table of positions has room for; None for any other, and for code of its own."""
    config = repository.config
    positions, spare = config.get("max_position_embeddings"), _ABSOLUTE.get(str(config.get("model_type")))
    if "auto_map" in config or not isinstance(positions, int) or spare is None:
        return None
    return positions - spare


def stated_length(repository: Repository) -> int | None:
    """The maximum length that sentence-transformers takes from the settings; None where they have none."""
    stated = repository.transformer_settings.get("max_seq_length")
    if isinstance(stated, int):
        return stated
    length = repository.mapping("tokenizer_config.json", folder=repository.transformer).get("model_max_length")
    positions = repository.config.get("max_position_embeddings")
    bounds = [int(bound) for bound in (length, positions) if isinstance(bound, int | float) and bound > 0]
    return min(bounds, default=None)


def stated_dimensions(repository: Repository) -> int | None:
    """How many dimensions a model's vectors have before its settings cut them; None where the settings do not say."""
    config = repository.config
    size = config.get("hidden_size") if config.get("model_type") in _ABSOLUTE and "auto_map" not in config else None
    for module in repository.modules:
        settings = repository.mapping("config.json", folder=module.path)
        class_name = "" if module.is_own_code else module.type.rpartition(".")[2]
        if class_name == "Pooling":
            width = settings.get("embedding_dimension", settings.get("word_embedding_dimension"))
            mode = settings.get("pooling_mode")
            flags = sum(1 for name, value in settings.items() if name.startswith("pooling_mode_") and value is True)
            modes = flags if mode is None else 1 if isinstance(mode, str) else len(mode)
            size = width * modes if isinstance(width, int) else None
        elif class_name == "Dense":
            size = settings.get("out_features")
        elif class_name not in ("Transformer", "Normalize", "Dropout", "LayerNorm"):
            return None
    return size if isinstance(size, int) and size > 0 else None


def require_dimensions(spec: ModelSpec, transforms: Iterable[VectorTransform]) -> None:
    """Refuse to keep more dimensions than a model's vectors have, where its settings say how many those are.

    Raises:
        ModelError: it has fewer.
    """
    cut = spec.truncate_dim if opening(spec).is_usual else None
    most = min((size for size in (spec.dimensions, cut) if size is not None), default=None)
    for transform in transforms:
        if most is not None and transform.dims is not None and transform.dims > most:
            raise ModelError(
                f"model {spec.name}: --dims {transform.dims}: its vectors have {most} dimensions; ask for fewer"
            )


def require_room(spec: ModelSpec, options: EncodeOptions) -> None:
    """Refuse a maximum length beyond a model's table of positions, or without room for any token of a text.

    Beyond the table, a longer text would have no position to look up.

    Args:
        spec: the model.
        options: of encoding; their maximum length goes before that of mteb's loader, and that before the model's.

    Raises:
        ModelError: there is no room.
    """
    require_room_for_text(spec, options)
    if options.max_length is not None:
        if spec.max_positions is not None and options.max_length > spec.max_positions:
            raise ModelError(
                f"model {spec.name}: --max-length {options.max_length} is more than the {spec.max_positions} tokens "
                "that it can take"
            )
        return
    length = opening(spec).max_length or spec.max_length
    if length is not None and spec.max_positions is not None and length > spec.max_positions:
        raise ModelError(
            f"model {spec.name}: its maximum length of {length} tokens is more than the {spec.max_positions} that it "
            f"has positions for; run it with --max-length {spec.max_positions}"
        )


def _require_default_prompt(repository: Repository) -> None:
    """Refuse a default prompt that is none of the model's prompts, as sentence-transformers does."""
    settings = repository.sentence_transformers
    default, prompts = settings.get("default_prompt_name"), settings.get("prompts")
    names = dict.fromkeys(("query", "document", *(prompts if isinstance(prompts, dict) else ())))
    if default is not None and default not in names:
        raise ModelError(
            f"model {repository.name}: config_sentence_transformers.json names {default!r} as default_prompt_name, and "
            f"its prompts are {', '.join(names)}; name one of them, or take the setting out"
        )


def _require_packages(repository: Repository, needed: Mapping[str, str]) -> None:
    missing = list(dict.fromkeys(package for module, package in needed.items() if not _is_installed(module, package)))
    if missing:
        single = len(missing) == 1
        raise ModelError(
            f"model {repository.name}: needs the {'package' if single else 'packages'} {', '.join(missing)}, which "
            f"{'is' if single else 'are'} not installed; run: pip install {shlex.join(missing)}"
        )


def _is_installed(module: str, package: str) -> bool:
    """Whether a module can be imported, from a version that is new enough where the package is named with one."""
    if importlib.util.find_spec(module) is None:
        return False
    name, _, least = package.partition(">=")
    return not least or int(metadata.version(name).partition(".")[0]) >= int(least)


def _require_tokenizer(repository: Repository, fetch: Callable[[str], Path]) -> None:
    if repository.modules and not repository.has_transformer:
        return
    folder = repository.transformer
    names = repository.names_in(folder)
    if not names & set(_TOKENIZER_FILES):
        raise ModelError(
            f"model {repository.name}: has no tokenizer files; expected {joined(folder, 'tokenizer.json')}; save the "
            "tokenizer beside the model"
        )
    settings = repository.mapping("tokenizer_config.json", folder=folder)
    special = repository.mapping("special_tokens_map.json", folder=folder)
    class_name = str(settings.get("tokenizer_class") or "")
    family = class_name.removesuffix("Fast").removesuffix("Backend").removesuffix("Tokenizer")
    if family in _WITHOUT_PADDING and not settings.get("pad_token") and not special.get("pad_token"):
        content = read_json(fetch(joined(folder, "tokenizer.json"))) if "tokenizer.json" in names else None
        if isinstance(content, dict) and content.get("padding"):
            return
        raise ModelError(
            f"model {repository.name}: its tokenizer ({class_name}) has no padding token, without which texts cannot "
            f"share a batch; name one as pad_token in {joined(folder, 'tokenizer_config.json')}"
        )
