"""The tokenizer of a BERT, with its padding token and maximum length. Owns `transformers`.

The reference is the tokenizer that transformers makes, but importing transformers takes as long as a small task. Where
`tokenizer.json` holds exactly what `BertTokenizer` of transformers 5.23 would build from the other files, that file is
read without transformers; otherwise transformers makes the tokenizer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.models.saved_modules import SavedModel, read_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_SPECIAL = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_WORDPIECE = {
    "type": "WordPiece",
    "unk_token": "[UNK]",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
}
_EXPECTED: Mapping[str, tuple[Any, ...]] = {
    "tokenizer_class": ("BertTokenizer", "BertTokenizerFast"),
    "do_basic_tokenize": (True,),
    "never_split": (None,),
    "padding_side": ("right",),
    "truncation_side": ("right",),
    "additional_special_tokens": (None, []),
    "extra_special_tokens": (None, [], {}),
    "backend": ("tokenizers",),
}
"""Settings that are allowed with these values."""
_WITHOUT_EFFECT = {
    "name_or_path",
    "tokenizer_file",
    "special_tokens_map_file",
    "clean_up_tokenization_spaces",
    "max_length",
    "stride",
    "truncation_strategy",
    "pad_to_multiple_of",
    "pad_token_type_id",
    "is_local",
}
"""Settings that change no token: they concern decoding, or cutting and padding, which are set again here."""
_READ = {"do_lower_case", "tokenize_chinese_chars", "strip_accents", "model_max_length", "added_tokens_decoder"}
_UNLIMITED = int(1e30)
"""The maximum length that transformers gives to a tokenizer that states none."""


class FastTokenizer(NamedTuple):
    """A tokenizer that neither cuts nor pads yet.

    Attributes:
        padding: id of the padding token.
        max_length: tokens, the special ones included, that the tokenizer's settings allow; 10^30 where they do not say.
    """

    tokenizer: Tokenizer
    padding: int
    max_length: int


def fast_tokenizer(model: SavedModel) -> FastTokenizer:
    """The model's fast tokenizer.

    Raises:
        LookupError: it is slow, cannot pad, or pads or cuts on the left.
        OSError, ValueError: transformers cannot make a tokenizer from the files.
    """
    fast = _without_transformers(model) or _of_transformers(model)
    fast.tokenizer.no_truncation()
    fast.tokenizer.no_padding()
    return fast


def _without_transformers(model: SavedModel) -> FastTokenizer | None:
    """The tokenizer in `tokenizer.json`; None where transformers might make another one from the model's files."""
    folder = model.module
    if model.config["model_type"] != "bert" or (folder / "added_tokens.json").exists():
        return None
    settings, names = read_json(folder / "tokenizer_config.json"), read_json(folder / "special_tokens_map.json")
    if not _is_usual(settings) or not _are_usual({} if names is None else names):
        return None
    content = read_json(folder / "tokenizer.json")  # the largest file, read last
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        return None
    vocabulary = content["model"].get("vocab")
    if not isinstance(vocabulary, dict) or not all(type(vocabulary.get(name)) is int for name in _SPECIAL.values()):
        return None
    added = _added(vocabulary)
    decoder = {str(token["id"]): {key: token[key] for key in token if key != "id"} for token in added}
    expected = {
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": settings.get("tokenize_chinese_chars", True),
            "strip_accents": settings.get("strip_accents"),
            "lowercase": settings.get("do_lower_case", True),
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": _template(vocabulary),
        "added_tokens": added,
        "model": {**_WORDPIECE, "vocab": vocabulary},
    }
    actual = {key: content.get(key) for key in expected}
    actual["model"] = {"type": "WordPiece", **content["model"]}
    length = settings.get("model_max_length", _UNLIMITED)
    if (
        actual != expected
        or settings.get("added_tokens_decoder", decoder) != decoder
        or not isinstance(length, int | float)
        or not 0 < length < math.inf
    ):
        return None
    from tokenizers import Tokenizer

    return FastTokenizer(Tokenizer.from_file(str(folder / "tokenizer.json")), vocabulary["[PAD]"], int(length))


def _is_usual(settings: Any) -> bool:
    """Whether the settings are those of a plain BERT."""
    return (
        isinstance(settings, dict)
        and "tokenizer_class" in settings
        and set(settings) <= {*_EXPECTED, *_WITHOUT_EFFECT, *_READ, *_SPECIAL}
        and all(settings[name] in usual for name, usual in _EXPECTED.items() if name in settings)
        and _are_usual({name: value for name, value in settings.items() if name in _SPECIAL})
    )


def _are_usual(special: Any) -> bool:
    """Whether the special tokens have their usual names, written as strings or as objects with flags."""
    return isinstance(special, dict) and all(
        (value.get("content") if isinstance(value, dict) else value) == _SPECIAL.get(name)
        for name, value in special.items()
    )


def _added(vocabulary: Mapping[str, int]) -> list[dict[str, Any]]:
    """The special tokens as `tokenizer.json` lists them."""
    flags = {"special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return [
        {"id": vocabulary[name], "content": name, **flags}
        for name in sorted(_SPECIAL.values(), key=lambda name: vocabulary[name])
    ]


def _template(vocabulary: Mapping[str, int]) -> dict[str, Any]:
    """`[CLS] A [SEP] B [SEP]` as it is written in `tokenizer.json`."""

    def special(name: str, side: int) -> dict[str, Any]:
        return {"SpecialToken": {"id": name, "type_id": side}}

    def text(name: str, side: int) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": side}}

    single = [special("[CLS]", 0), text("A", 0), special("[SEP]", 0)]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, text("B", 1), special("[SEP]", 1)],
        "special_tokens": {
            name: {"id": name, "ids": [vocabulary[name]], "tokens": [name]} for name in ("[CLS]", "[SEP]")
        },
    }


def _of_transformers(model: SavedModel) -> FastTokenizer:
    from transformers import AutoTokenizer
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(str(model.module), local_files_only=True)
    finally:
        logging.set_verbosity(verbosity)
    if (
        not tokenizer.is_fast
        or tokenizer.pad_token_id is None
        or tokenizer.padding_side != "right"
        or tokenizer.truncation_side != "right"
    ):
        raise LookupError("a tokenizer that is slow, cannot pad, or pads or cuts on the left")
    return FastTokenizer(tokenizer.backend_tokenizer, int(tokenizer.pad_token_id), int(tokenizer.model_max_length))
