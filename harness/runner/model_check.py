"""Checks of a model for `harness doctor`: equal vectors in every batch, and equal scores in half precision.

A vector should depend on its text alone, not on the other texts of its batch or their order. A difference beyond
rounding means that padding changes the result, or that the model's code has an error.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from harness import data, models
from harness.evaluators.similarity import unit_rows
from harness.runner.measurement import encode, score
from harness.runner.model_pair import Side, opened
from harness.runner.model_probes import Probe, probes, vectors
from harness.runner.probe_texts import mini_suite, texts_of
from harness.tasks import registry
from harness.types import Batching, EncodeOptions, Encoder, ModelSpec, Precision, TaskSpec

if TYPE_CHECKING:
    from harness.types import Float32

PROBE_TASKS = {"MiniSTSEnglish": "left", "MiniSTSGerman": "left", "MiniAnswersEnglish": "documents"}
"""Task -> the field whose texts are encoded."""
PROBE_TEXTS = 40
"""How many texts of each probe task: short sentences and passages, so that batches are padded."""
ROUNDING: Mapping[str, float] = {"fp32": 1e-5, "bf16": 2e-2, "fp16": 2e-3}
"""Precision -> how much rounding may change a number of a unit vector: some hundred units in the last place."""
HALVES: tuple[Precision, ...] = ("bf16", "fp16")
"""Precisions below fp32."""
_ALONE = 8
"""About how many texts are encoded alone."""
POINTS = 0.01
"""The least change of a score, of 100, that is reported."""
_DEPENDS = {
    "positions": "its positions follow from the longest text",
    "quantization": "activations, where they are quantized, follow from all texts",
}
"""Why no other batches than mteb's give a model's vectors."""


class Difference(NamedTuple):
    """The difference between two ways of encoding the same texts: the plain one and another.

    Attributes:
        what: the other way.
        largest: the largest absolute difference of two numbers, in rows scaled to unit length.
        cosine: the least cosine of the two rows of a text.
        fine: whether rounding explains the difference.
        precision: of the other way.
        suite_seconds: the estimated time of the suite `mini` in the other way.
    """

    what: str
    largest: float
    cosine: float
    fine: bool
    precision: Precision
    suite_seconds: float

    @property
    def is_half_precision(self) -> bool:
        """Whether the other way is a precision below that of the model."""
        return self.what == self.precision


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


def checked(spec: ModelSpec, options: EncodeOptions) -> Iterator[Probe | Difference]:
    """Probe the model; then compare other batches, another order and half precisions with fp32 in batches by tokens.

    A model whose kind takes no precision is checked in its own, and one whose vectors follow from mteb's batches in no
    others.

    Raises:
        ModelError: the model cannot be opened, or has no vectors.
    """
    texts = _probe()
    of_suite = (text for task in mini_suite() for field in texts_of(task).values() for text in field.items)
    longer = sum(map(len, of_suite)) / sum(map(len, texts))

    def compared(what: str, encoder: Encoder, batching: Batching, order: int, precision: Precision) -> Difference:
        started = time.perf_counter()
        rows = _unit_vectors(encoder, texts[::order], batching)[::order]
        seconds = time.perf_counter() - started
        largest = float(np.abs(plain - rows).max())
        cosine = float(np.einsum("ij,ij->i", plain.astype(np.float64), rows.astype(np.float64)).min())
        return Difference(what, largest, cosine, largest <= ROUNDING[precision], precision, seconds * longer)

    takes_none = models.refusal(spec, {"precision": "bf16"})
    with opened(Side(spec, options if takes_none else replace(options, precision="fp32"))) as encoder:
        plain = _unit_vectors(encoder, texts, "tokens")
        yield from probes(encoder, texts)
        if encoder.facts.encoding is not None:
            yield Probe("batches", True, encoder.facts.encoding)
        used = cast("Precision", encoder.facts.precision if encoder.facts.precision in ROUNDING else "fp32")
        if why := _DEPENDS.get(encoder.facts.depends_on_batch or ""):
            figure = f"not tried: {why} of a batch, so that runs use mteb's batches"
            yield Probe("other batches and orders", True, figure)
        else:
            if not encoder.facts.prompts.by_model:
                yield compared("batches of 32 texts", encoder, "mteb", 1, used)
            yield compared("the texts in reverse order", encoder, "tokens", -1, used)
            yield _alone(encoder, texts, plain, used)
    if takes_none:
        yield Probe("precision", True, f"not tried: {takes_none.partition(': ')[2].partition(' (')[0]}")
    for precision in () if takes_none else HALVES:
        with opened(Side(spec, replace(options, precision=precision))) as encoder:
            yield compared(precision, encoder, "tokens", 1, precision)


def changes(spec: ModelSpec, options: EncodeOptions, precisions: Sequence[Precision]) -> Iterator[Change]:
    """Every main score of the suite `mini`, in fp32 and in each of `precisions`.

    Raises:
        ModelError: the model cannot be opened.
    """
    options = replace(options, store="off")
    if not precisions:
        return
    with opened(Side(spec, replace(options, precision="fp32"))) as encoder:
        full = {task.name: _score(task, encoder, options) for task in mini_suite()}
    for precision in precisions:
        with opened(Side(spec, replace(options, precision=precision))) as encoder:
            for task in mini_suite():
                half = _score(task, encoder, options)
                yield Change(task.name, task.main_metric, precision, 100 * full[task.name], 100 * half)


def _alone(encoder: Encoder, texts: Sequence[str], among: Float32, precision: Precision) -> Probe:
    """Whether a text has the same vector without any other beside it, to the bit or to rounding."""
    chosen = range(0, len(texts), max(1, len(texts) // _ALONE))
    alone = np.concatenate([_unit_vectors(encoder, [texts[place]], "tokens") for place in chosen])
    same = int((alone == among[chosen]).all(axis=1).sum())
    figure = f"{same} of {len(chosen)} texts have the same bits as among others"
    largest = float(np.abs(alone - among[chosen]).max())
    if same < len(chosen):
        figure += f", the largest difference is {largest:.1e}"
    advice = "vectors depend on the texts beside them: check padding, attention mask and the model's code"
    passed = largest <= ROUNDING[precision]
    return Probe("a text alone", passed, figure, "" if passed else advice)


def _probe() -> list[str]:
    texts: list[str] = []
    for name, field in PROBE_TASKS.items():
        texts += texts_of(registry.get_tasks().get(name))[field].items[:PROBE_TEXTS]
    return texts


def _unit_vectors(encoder: Encoder, texts: Sequence[str], batching: Batching) -> Float32:
    """Rows of unit length."""
    return unit_rows(vectors(encoder, texts, batching=batching))


def _score(task: TaskSpec, encoder: Encoder, options: EncodeOptions) -> float:
    part = task.parts[0]
    return float(score(encode(task, part, encoder, data.load(task, part), options=options)).scores[task.main_metric])
