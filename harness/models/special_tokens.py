"""How many special tokens a model's tokenizer puts around a text, which a maximum length must leave room for.

Owns `transformers`, for tokenizers without `tokenizer.json`.
"""

from __future__ import annotations

from pathlib import Path

from harness.errors import ModelError
from harness.models.model_files import settings_folder
from harness.models.model_prompts import opening
from harness.models.mteb_kind import is_run_by_mteb
from harness.models.repository import module_folders
from harness.types import EncodeOptions, ModelSpec

_MOST = 16
"""No tokenizer puts so many special tokens around a text: with a longer maximum length no file is read."""


def require_room_for_text(spec: ModelSpec, options: EncodeOptions) -> None:
    """Refuse a maximum length that leaves no token of a text beside the special tokens.

    Args:
        spec: the model.
        options: of encoding; their maximum length goes before that of mteb's loader, and that before the model's.

    Raises:
        ModelError: nothing of a text would be left, or of the second text of a pair that a cross-encoder reads.
    """
    if spec.origin not in ("hub", "folder", "bundled") or is_run_by_mteb(spec):
        return
    length = options.max_length or opening(spec).max_length or spec.max_length
    if length is None or length >= _MOST:
        return
    pair = spec.kind == "cross-encoder"
    special = _count(spec, pair=pair)
    least = 1 if special is None else special + (2 if pair else 1)
    if length < least:
        what = f"--max-length {length}" if options.max_length is not None else f"its maximum length of {length}"
        texts = "each text of a pair" if pair else "the text"
        raise ModelError(
            f"model {spec.name}: {what} leaves no token of {texts} beside the special tokens ({special}); expected "
            f"{least} or more"
        )


def _count(spec: ModelSpec, *, pair: bool) -> int | None:
    """Special tokens around a text, or around and between two; None where the tokenizer cannot be read."""
    folder = settings_folder(spec)
    folders = [folder, *(folder / path for path in module_folders(spec.name, folder))]
    for place in folders:
        if (file := place / "tokenizer.json").is_file():
            return _of_file(file, pair=pair)
    for place in folders:
        if (place / "tokenizer_config.json").is_file():
            return _of_transformers(place, pair=pair)
    return None


def _of_file(file: Path, *, pair: bool) -> int | None:
    from tokenizers import Tokenizer

    try:
        return int(Tokenizer.from_file(str(file)).num_special_tokens_to_add(pair))
    except Exception:  # the library raises that class itself; whoever loads the tokenizer says what is wrong
        return None


def _of_transformers(folder: Path, *, pair: bool) -> int | None:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (ImportError, OSError, ValueError, LookupError):  # whoever loads the tokenizer says what is wrong
        return None
    return int(tokenizer.num_special_tokens_to_add(pair))
