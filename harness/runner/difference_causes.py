"""What the difference of two models is consistent with: each cause is tried on one of them, and what remains counts.

A cause that leaves a tenth of the difference or less reproduces it. Otherwise the pattern of the differences, and the
size of those that half precision and int8 weights make in this model, say what they are consistent with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from harness.runner.cause_trials import REPRODUCED, CauseTrials, Trial
from harness.runner.model_pair import GROWING, EncodedSide, ModelPair, cosines, matrix
from harness.runner.watched_encoder import TextKey

_NOISE = 3e-5
"""A difference (1 - cosine) that is not looked into further: what remains of a cause in another implementation."""
_SMALL = 0.02
"""Median difference below which precision is tried before pooling and prompts."""
_TINY = 1e-4
"""Median difference that is too small for another pooling."""
_LIKE_SIZES = 8.0
"""Two differences are of like size if one is at most so many times the other."""
_UNEVEN = 30.0
"""How many times the difference of the shortest texts that of a text is which was cut."""
_FEW = 8
"""How many texts must be short enough to be read whole."""
_MOST = 0.8
"""The share of the longer texts that must differ."""
_MUCH = 3
"""How many times the difference of long texts that of short ones is, where a prompt makes it."""
_SHORT, _LONG = 16, 64
"""Words of a short and of a long text."""
_OF_EACH_ROLE = 12


class Diagnosis(NamedTuple):
    """What a difference is consistent with.

    Attributes:
        cause: as in `Trial`, or `none`, `normalization`, `dimensions` or `unknown`.
        what: a sentence's end, after "consistent with".
        reproduced: whether the cause, tried on one model, makes it the other.
        trials: everything that was tried.
    """

    cause: str
    what: str
    reproduced: bool
    trials: tuple[Trial, ...] = ()


def diagnosed(pair: ModelPair) -> Diagnosis:
    """What the difference of two models is consistent with.

    Raises:
        HarnessError: a model cannot be opened any more.
    """
    if pair.is_exact:
        return Diagnosis("none", "an exact copy", reproduced=True)
    if not len(pair.cosines):
        return _other_dimensions(pair)
    if 1 - pair.cosines.min() <= _NOISE and pair.has_other_lengths:
        return Diagnosis("normalization", "vectors of the same directions and other lengths", reproduced=True)
    trials: list[Trial] = []
    names = ("MODEL", "OTHER")
    for changed, fixed, label, name in ((pair.model, pair.other, *names), (pair.other, pair.model, *names[::-1])):
        for trial in _trials(pair, changed, fixed, label):
            trials.append(trial)
            if trial.remaining <= REPRODUCED:
                return Diagnosis(trial.cause, f"{name} being {trial.what}", reproduced=True, trials=tuple(trials))
    return _by_pattern(pair, trials)


def _other_dimensions(pair: ModelPair) -> Diagnosis:
    first, second = (matrix(side.rows, pair.keys) for side in (pair.model, pair.other))
    width = min(first.shape[1], second.shape[1])
    sizes = f"vectors of {second.shape[1]} dimensions instead of {first.shape[1]}"
    if 1 - cosines(first[:, :width], second[:, :width]).min() <= _NOISE:
        return Diagnosis("dimensions", f"{sizes}, which are the first {width} of the longer ones", reproduced=True)
    return Diagnosis("unknown", f"another model: {sizes}", reproduced=False)


def _trials(pair: ModelPair, changed: EncodedSide, fixed: EncodedSide, label: str) -> Iterator[Trial]:
    """Every cause, on one of the models, the likeliest first."""
    keys = _probed(pair)
    tests = CauseTrials(changed, fixed, keys, label=label)
    if not tests.is_possible:
        return
    median = float(np.median(1 - pair.cosines))
    shorter = fixed.facts.max_length
    if shorter is not None and (changed.facts.max_length or 0) > shorter:
        yield from tests.stated_length(shorter)
    if (cut := _cut_of(pair, changed)) is not None and cut.unit == "tokens":
        yield from tests.truncation(cut.whole, cut.cut)
    if median < _SMALL:
        yield from tests.precisions()
    yield from tests.prompts()
    if median > _TINY:
        yield from tests.poolings()
    if median >= _SMALL:
        yield from tests.precisions()


def _probed(pair: ModelPair) -> list[TextKey]:
    """The texts on which causes are tried: of each role some of all and the worst, and those of growing length."""
    keys = [key for key in pair.keys if key.task == GROWING]
    worst = np.argsort(pair.cosines, kind="stable").tolist()
    for role in dict.fromkeys(key.role for key in pair.keys):
        of_role = [place for place in worst if pair.keys[place].role == role and pair.keys[place].task != GROWING]
        step = max(1, len(of_role) // _OF_EACH_ROLE)
        keys += [pair.keys[place] for place in (*of_role[:_OF_EACH_ROLE:3], *of_role[::step])]
    return list(dict.fromkeys(keys))


class Cut(NamedTuple):
    """Where texts begin to differ, in tokens, or in characters where no model counts tokens.

    Attributes:
        whole: the length of the longest text up to which all are the same.
        cut: the length of the shortest text that differs.
    """

    whole: int
    cut: int
    unit: str


def _cut_of(pair: ModelPair, counted_by: EncodedSide | None = None) -> Cut | None:
    """Where texts begin to differ, if shorter ones are the same and longer ones are not; None for any other pattern.

    Args:
        pair: the models.
        counted_by: the model whose tokens count; None for either.
    """
    sides = (pair.model, pair.other) if counted_by is None else (counted_by,)
    tokens = next((side.tokens for side in sides if all(key in side.tokens for key in pair.keys)), None)
    lengths = np.array([len(key.text) if tokens is None else tokens[key] for key in pair.keys])
    differences = 1 - pair.cosines
    shortest = differences[np.argsort(lengths, kind="stable")[:_FEW]]
    differs = differences > max(_NOISE, _UNEVEN * float(np.median(shortest)))
    if not differs.any():
        return None
    cut = int(lengths[differs].min())
    whole, beyond = lengths[lengths < cut], differs[lengths >= cut]
    if len(whole) < _FEW or beyond.mean() < _MOST:
        return None
    return Cut(int(whole.max()), cut, "characters" if tokens is None else "tokens")


def _by_pattern(pair: ModelPair, trials: Sequence[Trial]) -> Diagnosis:
    """What the size and the pattern of the differences are like."""
    if (cut := _cut_of(pair)) is not None:
        what = f"input that a model cuts: up to {cut.whole} {cut.unit} the vectors are the same, from {cut.cut} on not"
        return Diagnosis("truncation", what, reproduced=False, trials=tuple(trials))
    noises = [trial for trial in trials if trial.cause in ("precision", "int8 weights") and trial.size > 0]
    nearest = min(noises, key=lambda trial: abs(np.log(trial.size)), default=None)
    if nearest is not None and 1 / _LIKE_SIZES <= nearest.size <= _LIKE_SIZES:
        kind = "int8 weights" if nearest.cause == "int8 weights" else "another precision"
        what = f"{kind}: {nearest.what} differs {nearest.size:.2g} times as much from itself, in other numbers"
        return Diagnosis(nearest.cause, what, reproduced=False, trials=tuple(trials))
    if 1 - pair.cosines.min() <= _NOISE:
        return Diagnosis("precision", "the noise of another implementation", reproduced=False, trials=tuple(trials))
    short, long = (
        1 - pair.cosines[[place for place, key in enumerate(pair.keys) if fits(len(key.text.split()))]]
        for fits in (_SHORT.__ge__, _LONG.__le__)
    )
    if len(short) and len(long) and np.median(short) > _MUCH * np.median(long):
        what = "a prompt that was not tried: short texts differ more than long ones"
        return Diagnosis("prompt", what, reproduced=False, trials=tuple(trials))
    return Diagnosis("unknown", "other weights, or with several causes at once", reproduced=False, trials=tuple(trials))
