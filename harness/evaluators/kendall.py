"""Kendall's tau-b of predictions with true numbers, and what each item adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Float64

_SIGNS_AT_ONCE = 1 << 24


class Agreement(NamedTuple):
    """How well predictions order the items.

    Attributes:
        tau: tau-b; None where all numbers or all predictions are equal.
        of_items: (n,) values whose mean is tau and whose spread is that of tau: a resample of the items has, to first
            order, the mean of their values. Empty where tau is None.
    """

    tau: float | None
    of_items: Float64


def agreements(true: Float64, predictions: Sequence[NDArray[np.floating]]) -> list[Agreement]:
    """Tau-b of each of the predictions with `true`, all (n,): `scipy.stats.kendalltau` (scipy 1.17).

    With s(i, j) = 1 for two items that both orders rank alike, -1 for two that they rank differently and 0 for a tie in
    either, tau-b is the mean of s over the root of the product of the shares of pairs that are not tied. All three are
    means over pairs, so that item i counts twice with the mean over its own pairs.
    """
    n = len(true)
    untied = np.zeros(n)
    balance, untied_predictions = np.zeros((len(predictions), n)), np.zeros((len(predictions), n))
    step = max(1, _SIGNS_AT_ONCE // n)
    for start in range(0, n, step):
        here = slice(start, start + step)
        order = _signs(true, here)
        untied[here] = np.count_nonzero(order, axis=1)
        for place, predicted in enumerate(predictions):
            predicted_order = _signs(predicted, here)
            untied_predictions[place, here] = np.count_nonzero(predicted_order, axis=1)
            balance[place, here] = (order * predicted_order).sum(axis=1, dtype=np.int64)
    return [_agreement(*counts, untied) for counts in zip(balance, untied_predictions, strict=True)]


def _agreement(balance: Float64, untied_prediction: Float64, untied: Float64) -> Agreement:
    left, right = float(untied.sum()), float(untied_prediction.sum())
    if not left or not right:
        return Agreement(None, np.empty(0))
    tau = float(balance.sum()) / left**0.5 / right**0.5
    n = len(balance)
    of_pairs = n * balance / left**0.5 / right**0.5
    of_ties = tau * n * (untied / left + untied_prediction / right) / 2
    return Agreement(min(1.0, max(-1.0, tau)), tau + 2 * (of_pairs - of_ties))


def _signs(values: NDArray[np.floating], here: slice) -> NDArray[np.int8]:
    """The signs of the differences of the values `here` and all values, (m, n) int8."""
    rows, columns = values[here, None], values[None, :]
    return np.greater(rows, columns).view(np.int8) - np.less(rows, columns).view(np.int8)
