"""What a model of sentence-transformers reads of the texts that it puts into batches itself: tokens, and what is cut.

The library tokenizes a batch in one call, whose result is looked at on its way: no text is tokenized twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.encoding.batches import sum_or_none
from harness.types import RankedDocuments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Hits


class ReadBatch(NamedTuple):
    """A batch of n texts, or of n pairs, as the model read it.

    Attributes:
        texts: in the order of the batch.
        tokens: (n,) int32, tokens of each, after it was cut; None where the model does not say.
        truncated: (n,) bool, whether it was cut; None where its tokenizer does not say.
        tokens_padded: tokens of all with padding; None where the model does not say.
    """

    texts: Sequence[Any]
    tokens: NDArray[np.int32] | None
    truncated: NDArray[np.bool_] | None
    tokens_padded: int | None


class ReadCounts(NamedTuple):
    """Sums over batches; None where they are not known of one of them."""

    tokens: int | None
    truncated: int | None
    tokens_padded: int | None


class ReadTexts:
    """Watches a model of sentence-transformers, whose `preprocess` and tokenizers it takes the place of."""

    def __init__(self, model: Any) -> None:
        self._preprocess: Callable[..., Any] = model.preprocess
        self._batches: list[ReadBatch] = []
        self._cuts: list[NDArray[np.bool_]] = []
        model.preprocess = self._watched
        tokenizers = {id(each): each for each in (getattr(module, "tokenizer", None) for module in model.modules())}
        for tokenizer in tokenizers.values():
            if getattr(tokenizer, "is_fast", False):
                _tell_of_calls(tokenizer, self._tokenized)

    def taken(self) -> list[ReadBatch]:
        """The batches since the last call."""
        batches, self._batches = self._batches, []
        return batches

    def _watched(self, inputs: Sequence[Any], *arguments: Any, **options: Any) -> Any:
        self._cuts.clear()
        features = self._preprocess(inputs, *arguments, **options)
        n = len(inputs)
        if n:
            # A prompt, and the end of a chat template, may be tokenized alone besides: neither is cut where no text is.
            cuts = [cut for cut in self._cuts if len(cut) == n]
            truncated = np.logical_or.reduce(cuts) if cuts else None
            mask, ids = features.get("attention_mask"), features.get("input_ids")
            of_each = mask is not None and mask.ndim == 2 and len(mask) == n
            tokens = mask.sum(dim=1).cpu().numpy().astype(np.int32) if of_each else None
            self._batches.append(ReadBatch(inputs, tokens, truncated, None if ids is None else int(ids.numel())))
        return features

    def _tokenized(self, encoding: Any) -> None:
        encodings = getattr(encoding, "encodings", None)
        if encodings is not None:
            cuts = (bool(each.overflowing) for each in encodings)
            self._cuts.append(np.fromiter(cuts, dtype=bool, count=len(encodings)))


def _tell_of_calls(tokenizer: Any, heard: Callable[[Any], None]) -> None:
    """Let a tokenizer pass on what each of its calls returns. Python looks for `__call__` in the class."""
    kind = type(tokenizer)

    def called(self: Any, *arguments: Any, **options: Any) -> Any:
        encoding = kind.__call__(self, *arguments, **options)
        heard(encoding)
        return encoding

    tokenizer.__class__ = type(kind.__name__, (kind,), {"__call__": called, "__module__": kind.__module__})


def total(batches: Iterable[ReadBatch]) -> ReadCounts:
    """The sums over all batches; zeros for none."""
    batches = list(batches)
    return ReadCounts(
        sum_or_none(None if batch.tokens is None else int(batch.tokens.sum()) for batch in batches),
        sum_or_none(None if batch.truncated is None else int(batch.truncated.sum()) for batch in batches),
        sum_or_none(batch.tokens_padded for batch in batches),
    )


class OfEach(NamedTuple):
    """Counts of each of n texts: (n,) int32 and (n,) bool, or None where they are not known."""

    tokens: NDArray[np.int32] | None
    truncated: NDArray[np.bool_] | None


def in_order(texts: Sequence[str], batches: Sequence[ReadBatch]) -> OfEach:
    """The counts of each of the texts, which `batches` hold in another order."""
    counts: dict[str, tuple[int, bool]] = {}
    for batch in batches:
        if batch.tokens is None or batch.truncated is None:
            return OfEach(None, None)
        counts.update(zip(batch.texts, zip(batch.tokens, batch.truncated, strict=True), strict=True))
    tokens = np.fromiter((counts[text][0] for text in texts), dtype=np.int32, count=len(texts))
    truncated = np.fromiter((counts[text][1] for text in texts), dtype=bool, count=len(texts))
    return OfEach(tokens, truncated)


def ranked(hits: Hits, batches: Sequence[ReadBatch]) -> RankedDocuments:
    """The hits of a model that read each text of a search once, with its counts."""
    counts = total(batches)
    return RankedDocuments(
        hits,
        texts_truncated=counts.truncated,
        tokens=counts.tokens,
        tokens_encoded=counts.tokens,
        tokens_padded=counts.tokens_padded,
    )
