"""The four-line report of similarity that sentence-transformers' trainers print and model cards quote (pure).

Pearson and Spearman of cosine similarity, Manhattan and Euclidean distance and dot product with the gold scores, to
four decimals; side by side for several models (before and after a training).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.outputs import text_table

LINES = (
    ("Cosine-Similarity", "cosine"),
    ("Manhattan-Distance", "manhattan"),
    ("Euclidean-Distance", "euclidean"),
    ("Dot-Product-Similarity", "dot"),
)
CORRELATIONS = ("pearson", "spearman")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelScores:
    """One model's scores on one part: metric -> value; a metric that it lacks shows as n/a."""

    model: str
    scores: Mapping[str, object]


def render(title: str, columns: Sequence[ModelScores]) -> str:
    """The report of one part, ending in a newline."""
    header = ["", *(column.model for column in columns)]
    rows = [[label, *(_cell(column.scores, family) for column in columns)] for label, family in LINES]
    return f"{title}\n{text_table.plain(header, rows)}"


def _cell(scores: Mapping[str, object], family: str) -> str:
    shown = []
    for correlation in CORRELATIONS:
        value = scores.get(f"{family}_{correlation}")
        shown.append(f"{correlation.capitalize()}: {value:.4f}" if isinstance(value, int | float) else "n/a")
    return "  ".join(shown)
