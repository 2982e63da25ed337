"""Does a model give the same vectors however it is fed, and do its scores survive half precision? For `harness doctor`.

A vector should depend on its text alone: not on the texts that share its batch, nor on their order. What moves beyond
rounding points to padding that leaks into the result, or to a model whose own code is at fault.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness import data, encoding, models
from harness.errors import ModelError
from harness.evaluators import KINDS
from harness.evaluators.similarity import unit_rows
from harness.runner.measurement import measure
from harness.tasks import registry
from harness.types import Batching, EncodeOptions, Encoder, ModelSpec, Precision, Prompt, TaskSpec, Texts

if TYPE_CHECKING:
    from harness.types import Float32

PROBE_TASKS = {"MiniSTSEnglish": "left", "MiniSTSGerman": "left", "MiniAnswersEnglish": "documents"}
"""Task -> the field whose texts are encoded."""
PROBE_TEXTS = 40
"""Of each probe task: short sentences and passages, so that batches are padded."""
ROUNDING: Mapping[str, float] = {"fp32": 1e-5, "bf16": 2e-2, "fp16": 2e-3}
"""How far a number of a unit vector may move by rounding, by precision: some hundred units in the last place."""
POINTS = 0.01
"""A change of a score, of 100, that is worth telling."""


class Difference(NamedTuple):
    """Two ways of encoding the same texts.

    Attributes:
        what: which ways.
        largest: the largest absolute difference of two numbers, of rows scaled to unit length.
        cosine: the least cosine of two rows of the same text.
        fine: whether that is rounding.
        precision: of the second way.
        suite_seconds: how long the suite `mini` would take that way, going by the time that the texts took.
    """

    what: str
    largest: float
    cosine: float
    fine: bool
    precision: Precision
    suite_seconds: float


class Change(NamedTuple):
    """A score of the suite `mini` in half precision.

    Attributes:
        full: the score in fp32, of 100.
        half: the score in `precision`, of 100.
    """

    task: str
    metric: str
    precision: Precision
    full: float
    half: float

    @property
    def points(self) -> float:
        """How much the score changes, of 100."""
        return self.half - self.full


def differences(spec: ModelSpec, options: EncodeOptions) -> Iterator[Difference]:
    """Two batch shapes, two orders, two half precisions, against fp32 in batches by tokens.

    Raises:
        ModelError: the model cannot be opened, or has no vectors.
    """
    texts = _probe()
    options = replace(options, store="off")
    longer = sum(map(len, _suite_texts())) / sum(map(len, texts))

    def compared(what: str, encoder: Encoder, batching: Batching, order: int, precision: Precision) -> Difference:
        started = time.perf_counter()
        rows = _vectors(encoder, texts[::order], batching)[::order]
        seconds = time.perf_counter() - started
        largest = float(np.abs(plain - rows).max())
        cosine = float(np.einsum("ij,ij->i", plain.astype(np.float64), rows.astype(np.float64)).min())
        return Difference(what, largest, cosine, largest <= ROUNDING[precision], precision, seconds * longer)

    with _opened(spec, replace(options, precision="fp32")) as encoder:
        plain = _vectors(encoder, texts, "tokens")
        yield compared("batches of 32 texts", encoder, "mteb", 1, "fp32")
        yield compared("the texts in reverse order", encoder, "tokens", -1, "fp32")
    for precision in _halves(spec):
        with _opened(spec, replace(options, precision=precision)) as encoder:
            yield compared(precision, encoder, "tokens", 1, precision)


def changes(spec: ModelSpec, options: EncodeOptions, precisions: Sequence[Precision]) -> Iterator[Change]:
    """Every main score of the suite `mini`, in fp32 and in each of `precisions`.

    Raises:
        ModelError: the model cannot be opened.
    """
    options = replace(options, store="off")
    if not precisions:
        return
    with _opened(spec, replace(options, precision="fp32")) as encoder:
        full = {task.name: _score(task, encoder, options) for task in _suite()}
    for precision in precisions:
        with _opened(spec, replace(options, precision=precision)) as encoder:
            for task in _suite():
                half = _score(task, encoder, options)
                yield Change(task.name, task.main_metric, precision, 100 * full[task.name], 100 * half)


def _suite() -> list[TaskSpec]:
    tasks = registry.get_tasks()
    return [tasks.get(name) for name in tasks.suite("mini").tasks]


def _suite_texts() -> list[str]:
    texts: list[str] = []
    for task in _suite():
        for field in _texts(task).values():
            texts += field.items
    return texts


def _texts(task: TaskSpec) -> Mapping[str, Texts]:
    """What the first part of a task has encoded, by field."""
    return KINDS[task.type].texts(data.load(task, task.parts[0]).gold, task.settings)


class _opened:
    """An encoder for the time of a block; refuses models without vectors."""

    def __init__(self, spec: ModelSpec, options: EncodeOptions) -> None:
        encoder = models.open_model(spec, options)
        if not isinstance(encoder, Encoder):
            raise ModelError(f"model {spec.name}: ranks documents by itself and has no vectors to check")
        self._encoder = encoder

    def __enter__(self) -> Encoder:
        return self._encoder

    def __exit__(self, *_: object) -> None:
        self._encoder.close()


def _halves(spec: ModelSpec) -> tuple[Precision, ...]:
    """Precisions below fp32; built-in baselines and Python callables know none."""
    return ("bf16", "fp16") if spec.origin in ("hub", "folder", "bundled") else ()


def _probe() -> list[str]:
    texts: list[str] = []
    for name, field in PROBE_TASKS.items():
        texts += _texts(registry.get_tasks().get(name))[field].items[:PROBE_TEXTS]
    return texts


def _vectors(encoder: Encoder, texts: Sequence[str], batching: Batching) -> Float32:
    """Rows of unit length."""
    embedded = encoding.encode(encoder, Texts(items=texts), prompt=Prompt(None, None), batching=batching)
    return unit_rows(embedded.vectors, too_short="keep")


def _score(task: TaskSpec, encoder: Encoder, options: EncodeOptions) -> float:
    part = task.parts[0]
    return float(measure(task, part, encoder, data.load(task, part), options=options).scores[task.main_metric])
