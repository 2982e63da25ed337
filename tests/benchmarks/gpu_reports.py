"""What a part of the benchmark of a GPU prints: rows as JSON lines, and claims as a table."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.benchmarks.gpu_models import Shape, tiny


class Claim(NamedTuple):
    """What was claimed and what was measured; `measured` None where it could not be measured."""

    text: str
    target: float
    measured: float | None
    is_most: bool = False

    @property
    def holds(self) -> bool:
        """Whether the measured number is at least the target, or at most where that is claimed."""
        if self.measured is None or math.isnan(self.measured):
            return False
        return self.measured <= self.target if self.is_most else self.measured >= self.target


class Report:
    """The rows and claims of a part.

    Attributes:
        device: the torch device.
        tiny: whether shapes and texts are small; then nothing is claimed.
    """

    def __init__(self, part: str, *, device: str, tiny: bool, models: Sequence[str] | None) -> None:
        self.device, self.tiny = device, tiny
        self._part, self._models, self._claims = part, models, list[Claim]()

    def shapes(self, shapes: Sequence[Shape]) -> list[Shape]:
        """Those to measure."""
        return [tiny(s) if self.tiny else s for s in shapes if self._models is None or s.name in self._models]

    def row(self, what: str, **values: Any) -> None:
        """Print a row."""
        shown = {name: _rounded(value) for name, value in values.items()}
        print(json.dumps({"part": self._part, "what": what, **shown}), flush=True)

    def claim(self, text: str, target: float | None, measured: float | None, *, is_most: bool = False) -> None:
        """Note a claim, where there is a target."""
        if target is not None:
            self._claims.append(Claim(text, target, measured, is_most))

    def end(self) -> int:
        """Print the claims; returns 1 where one does not hold, and on tiny shapes 0."""
        rows = [("claim", "target", "measured", "pass")]
        for claim in self._claims:
            sign = "<=" if claim.is_most else ">="
            measured = "not measured" if claim.measured is None else f"{claim.measured:.4g}"
            verdict = "tiny" if self.tiny else "yes" if claim.holds else "NO"
            rows.append((claim.text, f"{sign} {claim.target:g}", measured, verdict))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            print(" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return 0 if self.tiny or all(claim.holds for claim in self._claims) else 1


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return None if not math.isfinite(value) else float(f"{value:.6g}")
    return value
