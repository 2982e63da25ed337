"""Two models side by side: the cosine of their vectors text by text, and their scores on the suite `mini`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness import data, encoding, models
from harness.errors import ModelError
from harness.evaluators.paired_items import PartItems, same_items, tested
from harness.runner import probe_texts
from harness.runner.measurement import MeasuredPart, encode, score
from harness.runner.watched_encoder import TextKey, WatchedEncoder
from harness.stats import multiple
from harness.stats.bootstrap import Interval
from harness.tasks import registry
from harness.types import EncodeOptions, Encoder, EncoderFacts, ModelSpec, Prompt, TaskSpec, Texts

if TYPE_CHECKING:
    from harness.types import Float32, Float64

GROWING = "texts of growing length"
"""Stands for a task of texts that are not scored."""
_PASSAGES = "MiniAnswersEnglish"
"""The task whose documents' prompt those texts get."""
_ROUNDING = 1e-5
"""The largest difference of two numbers of unit vectors that rounding in float32 explains."""
_SAME_SCORE = 1e-9
"""The largest difference of two scores that rounding explains."""
_OTHER_LENGTH = 0.01
"""Lengths of vectors that differ by more than this share are other lengths."""


class Side(NamedTuple):
    """One of two models: what is opened, and how."""

    spec: ModelSpec
    options: EncodeOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedSide:
    """A model's vectors and scores.

    Attributes:
        rows: (dim,) float32 of each text.
        prompts: what was put before each text.
        tokens: of each text; empty where the model does not count them.
        scores: task -> what was measured.
    """

    side: Side
    facts: EncoderFacts
    rows: Mapping[TextKey, Float32]
    prompts: Mapping[TextKey, Prompt]
    tokens: Mapping[TextKey, int]
    scores: Mapping[str, MeasuredPart]


class ScorePair(NamedTuple):
    """The main score of a task under both models.

    Attributes:
        interval: of `other` minus `model`, by resampled items; None where the items do not say, be it that
            there is one or that all differ by the same.
        p: of no difference, after Holm's correction over the tasks; None without an interval.
    """

    task: str
    metric: str
    model: float
    other: float
    interval: Interval | None
    p: float | None

    @property
    def difference(self) -> float:
        """The score of the other model minus that of the model."""
        return self.other - self.model


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPair:
    """Two models compared.

    Attributes:
        keys: the n texts.
        cosines: (n,) float64, of the two vectors of each text; empty where the models have other dimensions.
        largest: the largest absolute difference of two numbers, in rows scaled to unit length; None for other
            dimensions.
        length_ratio: the median length of a vector of the other model, as a multiple of the model's.
    """

    model: EncodedSide
    other: EncodedSide
    keys: tuple[TextKey, ...]
    cosines: Float64
    largest: float | None
    length_ratio: float
    scores: tuple[ScorePair, ...]

    @property
    def is_exact(self) -> bool:
        """Whether rounding in float32 explains every difference."""
        return self.largest is not None and self.largest <= _ROUNDING and not self.has_other_lengths

    @property
    def has_other_lengths(self) -> bool:
        """Whether the vectors of one model are longer."""
        return abs(self.length_ratio - 1) > _OTHER_LENGTH

    def is_same(self, *, least_cosine: float) -> bool:
        """Whether the models are exact copies, or every cosine is at least `least_cosine` and the vectors as long."""
        if self.is_exact:
            return True
        turned_little = len(self.cosines) > 0 and float(self.cosines.min()) >= least_cosine
        return turned_little and not self.has_other_lengths


def compared(model: Side, other: Side) -> ModelPair:
    """Encode and score with both models, one after the other.

    Raises:
        ModelError: a model cannot be opened, or has no vectors.
    """
    tasks = probe_texts.mini_suite()
    first, second = encoded_side(model, tasks), encoded_side(other, tasks)
    keys = tuple(key for key in first.rows if key in second.rows)
    left, right = matrix(first.rows, keys), matrix(second.rows, keys)
    alike = left.shape == right.shape
    lengths = [np.linalg.norm(rows.astype(np.float64), axis=1) for rows in (left, right)]
    return ModelPair(
        model=first,
        other=second,
        keys=keys,
        cosines=cosines(left, right) if alike else np.empty(0),
        largest=float(np.abs(_unit(left) - _unit(right)).max()) if alike else None,
        length_ratio=float(np.median(lengths[1] / lengths[0])),
        scores=tuple(_score_pairs(tasks, first, second)),
    )


def encoded_side(side: Side, tasks: Sequence[TaskSpec]) -> EncodedSide:
    """The vectors and scores of a model on these tasks, and its vectors of the texts of growing length.

    Raises:
        ModelError: it cannot be opened, or has no vectors.
    """
    measured: dict[str, MeasuredPart] = {}
    with opened(side) as encoder:
        watched = WatchedEncoder(encoder)
        for task in tasks:
            watched.task = task.name
            part = task.parts[0]
            encoded = encode(task, part, watched, data.load(task, part), options=replace(side.options, store="off"))
            measured[task.name] = score(encoded)
        watched.task = GROWING
        passages, growing = (
            registry.get_tasks().get(_PASSAGES),
            Texts(items=probe_texts.growing_texts(), role="document"),
        )
        prompt = encoding.prompt_for(encoder.facts.prompts, passages, growing, part=passages.parts[0])
        encoding.encode(watched, growing, prompt=prompt)
        return EncodedSide(
            side=side,
            facts=encoder.facts,
            rows=watched.rows,
            prompts=watched.prompts,
            tokens=watched.tokens,
            scores=measured,
        )


@contextlib.contextmanager
def opened(side: Side) -> Iterator[Encoder]:
    """The open model, whose vectors are not cached.

    Raises:
        ModelError: it cannot be opened, or has no vectors.
    """
    encoder = models.open_model(side.spec, replace(side.options, store="off"))
    try:
        if not isinstance(encoder, Encoder):
            raise ModelError(f"model {side.spec.name}: ranks documents by itself and has no vectors to check")
        yield encoder
    finally:
        encoder.close()


def matrix(rows: Mapping[TextKey, Float32], keys: Sequence[TextKey]) -> Float32:
    """The vectors of these texts: (n, dim) float32."""
    return np.stack([rows[key] for key in keys])


def cosines(left: Float32, right: Float32) -> Float64:
    """The cosine of row i with row i: (n, dim), (n, dim) -> (n,) float64."""
    return np.einsum("ij,ij->i", _unit(left), _unit(right))


def _unit(rows: Float32) -> Float64:
    """Rows of unit length, in double precision, so that rounding here does not pass for a difference."""
    wide = rows.astype(np.float64)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def _score_pairs(tasks: Sequence[TaskSpec], first: EncodedSide, second: EncodedSide) -> Iterator[ScorePair]:
    tests = {}
    for task in tasks:
        a, b = (side.scores[task.name].items for side in (first, second))
        if a is not None and b is not None and same_items(a, b) and len(a) > 1:
            of_task = tested([PartItems(task.name, task.parts[0], b, a)])
            if np.ptp(of_task.replicates) > _SAME_SCORE or np.abs(of_task.replicates).max() <= _SAME_SCORE:
                tests[task.name] = of_task
    corrected = dict(zip(tests, multiple.holm([test.p for test in tests.values()]).tolist(), strict=True))
    for task in tasks:
        model, other = (float(side.scores[task.name].scores[task.main_metric]) for side in (first, second))
        test = tests.get(task.name)
        yield ScorePair(
            task.name, task.main_metric, model, other, test.interval if test else None, corrected.get(task.name)
        )
