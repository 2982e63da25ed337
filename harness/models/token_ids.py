"""Token ids of texts, made once: flat arrays, long texts cut beforehand, and found again by every model of a tokenizer.

A fast tokenizer uses all cores and holds the interpreter for a fiftieth of the time, so threads feed a device as well
as processes would.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from harness.types import Int64

_KEPT_BYTES = 1 << 28
_CHARACTERS_OF_TOKEN = 8
"""Twice as many as most tokens have: the first cut of a long text holds enough tokens for nearly all texts."""
_SHORT = 2048
"""A text of so many characters is tokenized whole."""


class TokenIds(NamedTuple):
    """The token ids of n texts, one behind another.

    Attributes:
        ids: (tokens,) int32.
        lengths: (n,) int64, tokens of each text.
        truncated: (n,) bool, whether a text has more tokens than the maximum length.
    """

    ids: NDArray[np.int32]
    lengths: Int64
    truncated: NDArray[np.bool_]

    @property
    def starts(self) -> Int64:
        """(n,) int64, where the ids of each text begin."""
        starts: Int64 = np.cumsum(self.lengths) - self.lengths
        return starts


class _RecentIds:
    """Token ids of blocks of texts, those used last, under the digests of tokenizer and texts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: OrderedDict[tuple[str, bytes], TokenIds] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[str, bytes]) -> TokenIds | None:
        with self._lock:
            block = self._blocks.get(key)
            if block is not None:
                self._blocks.move_to_end(key)
            return block

    def put(self, key: tuple[str, bytes], block: TokenIds) -> None:
        with self._lock:
            if key not in self._blocks:
                self._blocks[key] = block
                self._bytes += block.ids.nbytes
            while self._bytes > _KEPT_BYTES:
                self._bytes -= self._blocks.popitem(last=False)[1].ids.nbytes


_KEPT = _RecentIds()


class TextTokenizer:
    """A fast tokenizer that cuts texts at a maximum length, on the right.

    Args:
        tokenizer: it neither cuts nor pads yet.
        max_length: in tokens, the special ones included.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_length: int) -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length)
        self._tokenizer, self._max_length = tokenizer, max_length
        settings = tokenizer.to_str()
        self._digest = hashlib.sha256(settings.encode()).hexdigest()
        self._may_cut = _splits_at_spaces(json.loads(settings))

    def token_ids(self, texts: Sequence[str]) -> TokenIds:
        """Those of the texts, made now or for an earlier model with this tokenizer and maximum length."""
        digest = hashlib.sha256()
        for text in texts:
            digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
        key = (self._digest, digest.digest())
        block = _KEPT.get(key)
        if block is None:
            block = self._made(list(texts))
            _KEPT.put(key, block)
        return block

    def _made(self, texts: list[str]) -> TokenIds:
        cut = [self._cut(text) for text in texts] if self._may_cut else texts
        encodings = self._tokenizer.encode_batch_fast(cut)
        too_short = [
            place
            for place, (text, short, encoding) in enumerate(zip(texts, cut, encodings, strict=True))
            if short is not text and not encoding.overflowing
        ]
        again = self._tokenizer.encode_batch_fast([texts[place] for place in too_short])
        for place, encoding in zip(too_short, again, strict=True):
            encodings[place] = encoding
        ids = [encoding.ids for encoding in encodings]
        lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
        return TokenIds(
            ids=np.fromiter(itertools.chain.from_iterable(ids), dtype=np.int32, count=int(lengths.sum())),
            lengths=lengths,
            truncated=np.fromiter((bool(encoding.overflowing) for encoding in encodings), dtype=bool, count=len(ids)),
        )

    def _cut(self, text: str) -> str:
        """The beginning of a long text up to a space; the text itself where it is short or has none there."""
        length = max(_SHORT, _CHARACTERS_OF_TOKEN * self._max_length)
        if len(text) <= length:
            return text
        space = text.rfind(" ", 0, length)
        return text[:space] if space > 0 else text


def _splits_at_spaces(settings: dict[str, object]) -> bool:
    """Whether the tokens of a text up to a space are the first tokens of the whole text.

    They are for WordPiece with the normalizer and the splitter of BERT: both look at one character at a time, and no
    word holds a space. They are not where an added token may hold spaces or take those beside it.
    """
    kinds = [settings[name] for name in ("normalizer", "pre_tokenizer", "model")]
    names = [kind.get("type") if isinstance(kind, dict) else None for kind in kinds]
    added = settings["added_tokens"]
    assert isinstance(added, list)
    are_plain = not any(
        any(map(str.isspace, token["content"])) or token["lstrip"] or token["rstrip"] or token["single_word"]
        for token in added
    )
    return names == ["BertNormalizer", "BertPreTokenizer", "WordPiece"] and are_plain
