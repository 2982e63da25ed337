"""Summarization: does the similarity of machine summaries to human ones rank them as people do?

The score of a machine summary is its greatest similarity to a human summary of the same text. Each text gives Pearson's
and Spearman's correlation of these scores with the grades of the summaries, for the model's own similarity (`pearson`,
`spearman`), the cosine and the dot product; the metrics are means over texts. A text whose grades, cosines or dot
products are all equal is left out. Fabbri et al., 2021 (SummEval). Reference: mteb 2.26.24 (`AbsTaskSummarization`).

With `average_p_values`, a text counts with the mean of its correlation and the p-value of that, as in the first version
of mteb's tasks, whose published scores hold this mistake. Deliberate difference: None where mteb has NaN.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import DataError
from harness.evaluators import sampling, tables
from harness.evaluators.sts import range_problems
from harness.evaluators.tables import Table, at
from harness.evaluators.task_kind import (
    FromMteb,
    ReadPart,
    ReadTable,
    Scored,
    Sides,
    TaskKind,
    crossed,
    settings_from_mteb,
)
from harness.types import ItemText, Part, Scores, TaskSpec, Texts

if TYPE_CHECKING:
    from harness.evaluators.items import Items
    from harness.types import Float32, Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Summaries:
    """For each text, human summaries, machine summaries, and the grade of each machine summary.

    The texts themselves are only shown, not scored.
    """

    sources: Sequence[str]
    human: Sequence[Sequence[str]]
    machine: Sequence[Sequence[str]]
    grades: Sequence[Sequence[float]]

    def contents(self) -> Iterator[str]:
        """Text by text: the human summaries, then each machine summary with its grade."""
        for human, machine, grades in zip(self.human, self.machine, self.grades, strict=True):
            yield str(len(human))
            yield from human
            yield str(len(machine))
            for summary, grade in zip(machine, grades, strict=True):
                yield from (summary, repr(grade))

    def sample(self, n: int, *, settings: Any = None) -> Summaries:
        """At most `n` texts with all their summaries."""
        rows = sampling.rows(len(self.sources), n)
        return Summaries(
            sources=sampling.picked(self.sources, rows),
            human=sampling.picked(self.human, rows),
            machine=sampling.picked(self.machine, rows),
            grades=sampling.picked(self.grades, rows),
        )

    def item_text(self, position: int) -> ItemText:
        """A text, and the grades of its summaries."""
        return ItemText(
            (self.sources[position],), "grades " + ", ".join(f"{grade:g}" for grade in self.grades[position])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SummarizationSettings:
    """Grades are scaled from this range to 0-1; `average_p_values` is the protocol of mteb's first version."""

    min_score: float = 0
    max_score: float = 5
    average_p_values: bool = False


def texts(gold: Summaries, settings: SummarizationSettings) -> dict[str, Texts]:
    """`left`: all machine summaries; `right`: all human ones; both text by text."""
    return {
        "left": Texts(items=[summary for of_text in gold.machine for summary in of_text]),
        "right": Texts(items=[summary for of_text in gold.human for summary in of_text]),
    }


def score(gold: Summaries, given: Sides, *, settings: SummarizationSettings) -> Scored:
    """Mean correlations of the model's own similarity, the cosine and the dot product. The items are the texts.

    Args:
        gold: summaries and grades.
        given: the vectors of the machine summaries and of the human ones, and the name of the model's similarity.
        settings: the range of the grades, and what of each correlation is averaged.
    """
    import numpy as np

    from harness.evaluators import items

    similarities = {"": given.similarity, "cosine_": "cosine", "dot_": "dot"}
    per_text: dict[str, list[float | None]] = {
        f"{prefix}{name}": [] for prefix in similarities for name in _CORRELATIONS
    }
    kept = []
    machine_rows = np.split(given.left, np.cumsum([len(of_text) for of_text in gold.machine])[:-1])
    human_rows = np.split(given.right, np.cumsum([len(of_text) for of_text in gold.human])[:-1])
    for place, (machine, human) in enumerate(zip(machine_rows, human_rows, strict=True)):
        grades = (np.array(gold.grades[place]) - settings.min_score) / (settings.max_score - settings.min_score)
        nearest = {prefix: _nearest(machine, human, similarity=name) for prefix, name in similarities.items()}
        if any(len(set(values.tolist())) == 1 for values in (grades, nearest["cosine_"], nearest["dot_"])):
            continue
        kept.append(place)
        for prefix, values in nearest.items():
            for name in _CORRELATIONS:
                per_text[f"{prefix}{name}"].append(_agreement(grades, values, name, settings))
    scores: Scores = {}
    of_metrics: dict[str, Items] = {}
    for metric, of_texts in per_text.items():
        defined = [value for value in of_texts if value is not None]
        if not defined or len(defined) < len(of_texts):
            scores[metric] = None
            continue
        scores[metric] = float(np.mean(defined))
        of_metrics[metric] = items.values(defined, metric=metric, unit="text", position=kept)
    return Scored(scores, of_metrics)


_CORRELATIONS = ("pearson", "spearman")


def _nearest(machine: Float32, human: Float32, *, similarity: str) -> Float32:
    """The greatest similarity of each machine summary to a human one: (m, dim), (h, dim) -> (m,) float32.

    Each pair is compared by itself, so that equal summaries are equally similar to the bit.
    """
    import numpy as np

    from harness.evaluators.similarity import paired

    left, right = np.repeat(machine, len(human), axis=0), np.tile(human, (len(machine), 1))
    return paired(left, right, similarity=similarity).reshape(len(machine), len(human)).max(axis=1)


def _agreement(grades: Float64, nearest: Float32, name: str, settings: SummarizationSettings) -> float | None:
    """What a text counts with: its correlation, or the mean of that and of its p-value; None where undefined."""
    from harness.evaluators import metrics

    correlation = metrics.pearson(grades, nearest) if name == "pearson" else metrics.spearman(grades, nearest)
    if correlation is None or not settings.average_p_values:
        return correlation
    import math

    from scipy import stats

    tested = (stats.pearsonr if name == "pearson" else stats.spearmanr)(grades, nearest)
    value = float(tested.statistic + tested.pvalue) / 2
    return None if math.isnan(value) else value


def _read(task: TaskSpec, part: Part, table: ReadTable) -> ReadPart:
    rows, where = table(part.split), f"{task.name} {part}"
    gold = Summaries(
        sources=tables.texts(rows, task.columns["source"], where=where),
        human=tables.lists(rows, task.columns["human"], where=where, of=str, called="texts"),
        machine=tables.lists(rows, task.columns["machine"], where=where, of=str, called="texts"),
        grades=tables.lists(rows, task.columns["grades"], where=where, of=(int, float), called="numbers"),
    )
    _check(gold, rows, task.columns, where=where)
    return ReadPart(gold, {part.split: tables.length(rows)})


def _check(gold: Summaries, table: Table, columns: Mapping[str, str], *, where: str) -> None:
    for row, (human, machine, grades) in enumerate(zip(gold.human, gold.machine, gold.grades, strict=True)):
        if not human or not machine or len(machine) != len(grades):
            raise DataError(
                f"{at(table, row, where=where)}: row {row} has {len(human)} human summaries, {len(machine)} machine "
                f"summaries and {len(grades)} grades (columns {columns['human']!r}, {columns['machine']!r} and "
                f"{columns['grades']!r}); expected at least one of each, and a grade for each machine summary"
            )


def _from_mteb(task: Any) -> FromMteb:
    settings = settings_from_mteb(SummarizationSettings, task)
    first_version = task.evaluator.__name__ == "DeprecatedSummarizationEvaluator"
    return FromMteb(
        columns={
            "source": task.text_column_name,
            "human": task.human_summaries_column_name,
            "machine": task.machine_summaries_column_name,
            "grades": task.relevancy_column_name,
        },
        settings=SummarizationSettings(
            min_score=settings.min_score, max_score=settings.max_score, average_p_values=first_version
        ),
    )


KIND = TaskKind(
    settings=SummarizationSettings,
    setting_problems=range_problems,
    main_metric="cosine_spearman",
    metrics=lambda settings: (*_CORRELATIONS, *crossed(("cosine", "dot"), _CORRELATIONS)),
    columns={
        "source": "text",
        "human": "human_summaries",
        "machine": "machine_summaries",
        "grades": "relevance",
    },
    read=_read,
    texts=texts,
    takes="sides",
    score=score,
    exact_batches=True,
    description="Texts with human summaries, and machine summaries with their grades",
    instruction="Given a news summary, retrieve other semantically similar summaries.",
    recognizes=lambda values, trainable: "lists of human summaries, machine summaries and grades",
    from_mteb=_from_mteb,
    former_metrics={f"cos_sim_{name}": f"cosine_{name}" for name in _CORRELATIONS},
)
