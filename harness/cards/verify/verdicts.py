"""How near a measured score is to the score that a card claims."""

from __future__ import annotations

from typing import Literal, NamedTuple

from harness.cards.claims import Claim
from harness.cards.verify.equal_run_interval import ScoreRange

Verdict = Literal["reproduced", "in interval", "within 0.1", "not reproduced", "cannot run"]
EXACT = 0.0005
NEAR = 0.1
"""Both in points (0-100)."""


class Verified(NamedTuple):
    """A claim and the outcome of measuring it again.

    Attributes:
        ours: the measured score, 0-1; None if the claim could not be run.
        difference: `ours` minus the claim, in points (0-100).
        interval: the interval of an equal run, 0-1; None if unknown.
        reason: why the claim could not be run, or a note on the comparison.
    """

    claim: Claim
    ours: float | None
    difference: float | None
    verdict: Verdict
    interval: ScoreRange | None = None
    reason: str = ""


def judge(claim: Claim, ours: float, interval: ScoreRange | None) -> Verdict:
    """Judge how near our score is to the claim's.

    `reproduced`: the two differ by at most 0.0005 points, plus the claim's rounding. `in interval`: the claim lies in
    the interval of an equal run. `within 0.1`: neither, but the two differ by at most 0.1 points.
    """
    assert claim.score is not None
    digits = len(claim.text.partition(".")[2].partition("e")[0]) + (0 if claim.scale == "percent" else -2)
    rounding = 0.5 * 10.0**-digits
    distance = abs(ours - claim.score) * 100
    if distance <= EXACT + (rounding if rounding > EXACT else 0):
        return "reproduced"
    if interval is not None and interval[0] <= claim.score <= interval[1]:
        return "in interval"
    return "within 0.1" if distance <= NEAR else "not reproduced"
