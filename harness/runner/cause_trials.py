"""Tries on a model what may explain another one: a cut, a precision, int8 weights, another pooling or prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness import encoding
from harness.errors import HarnessError
from harness.models import altered_copies, catalog
from harness.models.mteb_kind import is_run_by_mteb
from harness.runner.model_pair import EncodedSide, Side, cosines, matrix, opened
from harness.runner.watched_encoder import TextKey
from harness.types import Encoder, Precision, Prompt, Texts

if TYPE_CHECKING:
    from harness.types import Float32

REPRODUCED = 0.1
"""The share of a difference that may remain where its cause is reproduced."""
_CUTS = (32, 64, 128, 256, 384, 512, 768, 1024, 2048, 4096, 8192)
"""Usual maximum lengths in tokens."""
_CLOSE = 3
"""How many lengths in a row are tried besides the usual ones."""
_USUAL_PROMPTS = 12
"""How many of the most frequent prompts of mteb's registry are tried."""
_LEAST = 1e-15
"""A difference that is not zero."""


class Trial(NamedTuple):
    """A cause that was tried.

    Attributes:
        cause: `precision`, `int8 weights`, `pooling`, `prompt` or `truncation`.
        what: the cause in full, about the side that was changed.
        remaining: the share of the mean difference that it leaves.
        size: the mean difference that it makes to the model that was changed, as a multiple of the one to explain.
    """

    cause: str
    what: str
    remaining: float
    size: float


class CauseTrials:
    """The causes that can be tried on a model, against the vectors of another.

    Args:
        changed: the model.
        fixed: the other.
        keys: the texts.
        label: what the model is called.
    """

    def __init__(self, changed: EncodedSide, fixed: EncodedSide, keys: Sequence[TextKey], *, label: str) -> None:
        self._side, self._keys, self._label = changed.side, keys, label
        self._changed, self._fixed = changed, fixed
        self._start, self._target = matrix(changed.rows, keys), matrix(fixed.rows, keys)
        self._difference = max(mean_difference(self._start, self._target), _LEAST)
        spec = changed.side.spec
        by_code = changed.facts.prompts.by_model or is_run_by_mteb(spec)
        self.is_possible = not by_code and spec.origin in ("hub", "folder", "bundled")

    def stated_length(self, length: int) -> Iterator[Trial]:
        """The maximum length that the other model states: it explains a cut even where few texts fit into it."""
        yield from self._cut(length)

    def truncation(self, whole: int, cut: int) -> Iterator[Trial]:
        """Maximum lengths at which a text of `whole` tokens is read whole and one of `cut` tokens is not."""
        likely = [length for length in (self._fixed.facts.max_length, *_CUTS) if length is not None]
        for length in dict.fromkeys((*likely, *range(whole, min(cut, whole + _CLOSE)), cut - 1)):
            if whole <= length < cut:
                yield from self._cut(length)

    def _cut(self, length: int) -> Iterator[Trial]:
        side = self._side._replace(options=replace(self._side.options, max_length=length))
        yield from self._reopened(side, "truncation", f"{self._label} with texts cut at {length} tokens")

    def precisions(self) -> Iterator[Trial]:
        """Other precisions, and int8 weights."""
        precisions: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
        for precision in precisions:
            if precision != self._changed.facts.precision:
                options = replace(self._side.options, precision=precision)
                yield from self._reopened(
                    self._side._replace(options=options), "precision", f"{self._label} in {precision}"
                )
        if altered_copies.can_be_altered(self._side.spec):
            with altered_copies.with_int8_weights(self._side.spec) as spec:
                if spec is not None:
                    yield from self._reopened(
                        self._side._replace(spec=spec), "int8 weights", f"{self._label} with weights rounded to int8"
                    )

    def poolings(self) -> Iterator[Trial]:
        """Other ways from the states of tokens to a text's vector."""
        if not altered_copies.can_be_altered(self._side.spec):
            return
        for mode in altered_copies.other_poolings(self._side.spec):
            with altered_copies.with_pooling(self._side.spec, mode) as spec:
                yield from self._reopened(
                    self._side._replace(spec=spec), "pooling", f"{self._label} with {mode} pooling"
                )

    def prompts(self) -> Iterator[Trial]:
        """Other prompts: for each role the one that comes nearest."""
        with opened(self._side) as encoder:
            rows, names = np.array(self._start), []
            for role in dict.fromkeys(key.role for key in self._keys):
                places = [place for place, key in enumerate(self._keys) if key.role == role]
                before = mean_difference(self._start[places], self._target[places])
                tried = [
                    (mean_difference(vectors, self._target[places]), text, vectors)
                    for text, vectors in self._prompted(encoder, places)
                ]
                remaining, text, vectors = min(tried, key=lambda outcome: outcome[0])
                if remaining < before * REPRODUCED:
                    rows[places] = vectors
                    names.append(f"{text!r} before {f'a {role}' if role else 'a text'}" if text else "no prompt")
        if names:
            yield self._trial("prompt", f"{self._label} with {' and '.join(dict.fromkeys(names))}", rows)

    def _prompted(self, encoder: Encoder, places: Sequence[int]) -> Iterator[tuple[str, Float32]]:
        """(prompt, vectors of the texts at these places), for every prompt that is tried."""
        keys = [self._keys[place] for place in places]
        usual = {prompt.text or "" for prompt in self._changed.prompts.values()}
        others = [prompt.text or "" for prompt in self._fixed.prompts.values()]
        named = [str(text) for text in encoder.facts.prompts.prompts.values()]
        for text in dict.fromkeys(("", *others, *usual, *named, *_usual_prompts())):
            texts = Texts(items=[key.text for key in keys], role=keys[0].role)
            yield text, encoding.encode(encoder, texts, prompt=Prompt(None, text or None)).vectors

    def _reopened(self, side: Side, cause: str, what: str) -> Iterator[Trial]:
        try:
            with opened(side) as encoder:
                rows = np.array(self._start)
                groups: dict[tuple[Prompt, str | None], list[int]] = {}
                for place, key in enumerate(self._keys):
                    groups.setdefault((self._changed.prompts[key], key.role), []).append(place)
                for (prompt, _), places in groups.items():
                    texts = Texts(items=[self._keys[place].text for place in places], role=self._keys[places[0]].role)
                    rows[places] = encoding.encode(encoder, texts, prompt=prompt).vectors
        except HarnessError:  # this model or machine cannot do that, so it is not what the other one does
            return
        yield self._trial(cause, what, rows)

    def _trial(self, cause: str, what: str, rows: Float32) -> Trial:
        remaining, size = mean_difference(rows, self._target), mean_difference(rows, self._start)
        return Trial(cause, what, remaining / self._difference, size / self._difference)


def mean_difference(left: Float32, right: Float32) -> float:
    """The mean of 1 - cosine over the rows: (n, dim), (n, dim) -> a number."""
    return float((1 - cosines(left, right)).mean())


def _usual_prompts() -> list[str]:
    """The most frequent short prompts of mteb's registry."""
    counts: dict[str, int] = {}
    for entry in catalog.entries():
        for text in dict.fromkeys(text for text in entry.prompts.values() if isinstance(text, str) and text):
            counts[text] = counts.get(text, 0) + 1
    return sorted(counts, key=lambda text: -counts[text])[:_USUAL_PROMPTS]
