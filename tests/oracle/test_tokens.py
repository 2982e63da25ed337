"""Texts become the tokens that transformers makes of them, whether it is asked or not."""

from __future__ import annotations

import functools
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from harness.models import bert_tokenizer
from harness.models.saved_modules import SavedModel
from tests.conftest import bundled_folder

FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json")
CONFIG, JSON = "tokenizer_config.json", "tokenizer.json"


def copied(folder: Path) -> Path:
    """The bundled model's tokenizer."""
    folder.mkdir()
    for name in FILES:
        shutil.copy(bundled_folder() / name, folder)
    return folder


def saved(folder: Path) -> SavedModel:
    return SavedModel(
        kind="bert",
        folder=folder,
        module=folder,
        config=json.loads((folder / "config.json").read_text()),
        pooling="mean",
        normalize=True,
        max_length=None,
        prompts={},
        default_prompt=None,
        similarity="cosine",
    )


def change(file: Path, edit: Callable[[Any], object]) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    edit(content)
    file.write_text(json.dumps(content), encoding="utf-8")


def setting(**given: Any) -> Callable[[Path], None]:
    """The settings say something else."""
    return lambda folder: change(folder / CONFIG, lambda content: content.update(given))


def normalizing(**given: Any) -> Callable[[Path], None]:
    """`tokenizer.json` normalizes otherwise."""
    return lambda folder: change(folder / JSON, lambda content: content["normalizer"].update(given))


def both(*edits: Callable[[Path], None]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        for one in edits:
            one(folder)

    return edit


def without(name: str, key: str) -> Callable[[Path], None]:
    return lambda folder: change(folder / name, lambda content: content.pop(key))


def with_added_tokens(folder: Path) -> None:
    added = json.loads((folder / JSON).read_text(encoding="utf-8"))["added_tokens"]
    setting(added_tokens_decoder={str(token.pop("id")): token for token in added})(folder)


def with_another_token(folder: Path) -> None:
    token = {"id": 30522, "content": "[X]", "special": True, "single_word": False, "lstrip": False, "rstrip": False}
    change(folder / JSON, lambda content: content["added_tokens"].append({**token, "normalized": False}))


def with_added_tokens_elsewhere(folder: Path) -> None:
    (folder / "added_tokens.json").write_text(json.dumps({"[X]": 30522}))


PLAIN: dict[str, Callable[[Path], None]] = {
    "as it is": lambda folder: None,
    "cased": both(setting(do_lower_case=False), normalizing(lowercase=False)),
    "accents kept": both(setting(strip_accents=False), normalizing(strip_accents=False)),
    "accents stripped though cased": both(
        setting(strip_accents=True, do_lower_case=False), normalizing(strip_accents=True, lowercase=False)
    ),
    "Chinese in one piece": both(setting(tokenize_chinese_chars=False), normalizing(handle_chinese_chars=False)),
    "silent about its length": without(CONFIG, "model_max_length"),
    "its added tokens listed": with_added_tokens,
    "without padding": both(without(JSON, "padding"), without(JSON, "truncation")),
    "of the old name": setting(tokenizer_class="BertTokenizerFast"),
    "with flags": setting(mask_token={"content": "[MASK]", "lstrip": False, "__type": "AddedToken"}),
}
OTHERS: dict[str, Callable[[Path], None]] = {
    "files that disagree": setting(do_lower_case=False),
    "an unknown setting": setting(split_special_tokens=True),
    "another class": setting(tokenizer_class="PreTrainedTokenizerFast"),
    "no class": without(CONFIG, "tokenizer_class"),
    "another token": with_another_token,
    "another token elsewhere": with_added_tokens_elsewhere,
    "another normalizer": lambda folder: change(folder / JSON, lambda content: content.update(normalizer=None)),
    "short words only": lambda folder: change(
        folder / JSON, lambda content: content["model"].update(max_input_chars_per_word=7)
    ),
}


@functools.cache
def theirs(folder: Path) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


TEXTS = [
    "",
    " ",
    "Straße, Éa\u0301ñ ﬁ",
    "[CLS] a [MASK]b[SEP] [pad] [PAD]",
    "漢字とkana mixed",
    "a" * 120,
    "un\u00adsoft\u200bzero\x00\ufffd\t\n",
    "don't U.S. $5.00",
]


def assert_same_tokens(folder: Path, found: bert_tokenizer.FastTokenizer, texts: list[str]) -> None:
    reference = theirs(folder)
    expected = [encoding.ids for encoding in reference.backend_tokenizer.encode_batch(texts)]
    assert [encoding.ids for encoding in found.tokenizer.encode_batch_fast(texts)] == expected


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_bert_is_read_alone(name: str, tmp_path: Path) -> None:
    """Its `tokenizer.json` alone gives the tokens, the padding and the length that transformers finds."""
    folder = copied(tmp_path / "model")
    PLAIN[name](folder)
    found = bert_tokenizer._without_transformers(saved(folder))
    assert found is not None
    assert found[1:] == (theirs(folder).pad_token_id, theirs(folder).model_max_length)
    assert_same_tokens(folder, bert_tokenizer.fast_tokenizer(saved(folder)), TEXTS)


@pytest.mark.parametrize("name", OTHERS)
def test_transformers_is_asked_about_any_other(name: str, tmp_path: Path) -> None:
    """Whatever might make other tokens is its to say."""
    folder = copied(tmp_path / "model")
    OTHERS[name](folder)
    assert bert_tokenizer._without_transformers(saved(folder)) is None
    assert_same_tokens(folder, bert_tokenizer.fast_tokenizer(saved(folder)), TEXTS)


@pytest.mark.parametrize("length", [math.inf, math.nan, 0, -1, "512", None])
def test_a_length_that_is_none(length: Any, tmp_path: Path) -> None:
    """A maximum length that cannot be one is transformers' to understand."""
    folder = copied(tmp_path / "model")
    setting(model_max_length=length)(folder)
    assert bert_tokenizer._without_transformers(saved(folder)) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model": []}', '{"model": {"vocab": ["a"]}}'])
def test_a_broken_file_is_not_ours_to_read(content: str, tmp_path: Path) -> None:
    """transformers says what is wrong with it."""
    folder = copied(tmp_path / "model")
    (folder / JSON).write_text(content)
    assert bert_tokenizer._without_transformers(saved(folder)) is None


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_any_text(texts: list[str]) -> None:
    """Whatever characters a text is made of, the bundled model's tokens are those of transformers."""
    folder = bundled_folder()
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    assert_same_tokens(folder, plain_of_the_bundled_model(), texts)


@functools.cache
def plain_of_the_bundled_model() -> bert_tokenizer.FastTokenizer:
    found = bert_tokenizer._without_transformers(saved(bundled_folder()))
    assert found is not None
    found.tokenizer.no_truncation()
    found.tokenizer.no_padding()
    return found
