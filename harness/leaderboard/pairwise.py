"""Three or more recorded models: each pair compared on the tasks that all of them have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import UnknownName
from harness.leaderboard.board_values import Leaderboard, Row
from harness.leaderboard.comparison import Comparison, Verdict, compare, verdict_of
from harness.stats import multiple
from harness.types.data_frame import data_frame, notebook_html

if TYPE_CHECKING:
    import pandas


class ComparedPair(NamedTuple):
    """Two of the models.

    Attributes:
        comparison: of the two, on the common tasks.
        corrected: p of their difference after Holm's correction over all pairs; None where there is no test.
        verdict: which is better after this correction.
    """

    comparison: Comparison
    corrected: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class PairwiseComparison:
    """Three or more models on the tasks that all of them have.

    Attributes:
        models: their labels, in the order in which they were named.
        tasks: the common tasks.
        scores: (models, tasks) scores, 0-1.
        pairs: the first model with the second, with the third, and so on.
        left_out: tasks that some of the models have and another lacks.
    """

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    scores: tuple[tuple[float, ...], ...]
    pairs: tuple[ComparedPair, ...]
    left_out: tuple[str, ...]

    def to_pandas(self) -> pandas.DataFrame:
        """One row for each pair: the difference of the means over the common tasks, 0-1, its interval and p."""
        return data_frame(
            {
                "a": pair.comparison.a,
                "b": pair.comparison.b,
                "difference": pair.comparison.overall.difference,
                "low": pair.comparison.overall.span.low if pair.comparison.overall.span else None,
                "high": pair.comparison.overall.span.high if pair.comparison.overall.span else None,
                "p": pair.comparison.overall.p,
                "p_holm": pair.corrected,
                "verdict": pair.verdict,
            }
            for pair in self.pairs
        )

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return notebook_html(self.to_pandas())


def compare_all(board: Leaderboard, rows: Sequence[Row]) -> PairwiseComparison:
    """Each pair of the rows of a leaderboard, on the tasks that all of the rows have.

    Raises:
        UnknownName: they have no task in common.
    """
    tasks = tuple(task.name for task in board.tasks if all(task.name in row.scores for row in rows))
    if not tasks:
        raise UnknownName(f"{', '.join(row.label for row in rows)} have no task in common that is recorded in full")
    comparisons = [compare(board, a, b, tasks=tasks) for a, b in combinations(rows, 2)]
    tested = [number for number, comparison in enumerate(comparisons) if comparison.overall.p is not None]
    p_values = multiple.holm([comparisons[number].overall.p or 0.0 for number in tested]).tolist()
    corrected = dict(zip(tested, p_values, strict=True))
    some = {name for row in rows for name in row.scores}
    return PairwiseComparison(
        models=tuple(row.label for row in rows),
        tasks=tasks,
        scores=tuple(tuple(row.scores[task] for task in tasks) for row in rows),
        pairs=tuple(
            ComparedPair(
                comparison,
                corrected.get(number),
                verdict_of(comparison.overall.difference, corrected[number]) if number in corrected else "unknown",
            )
            for number, comparison in enumerate(comparisons)
        ),
        left_out=tuple(sorted(some.difference(tasks))),
    )
