"""Semantic textual similarity: does the similarity of two vectors rank sentence pairs as people do?

Pearson's and Spearman's correlation of the gold scores with the model's own similarity (`pearson`, `spearman`), the
cosine, and the negative Manhattan and Euclidean distance of each pair. Reimers, Beyer & Gurevych, 2016, argue for
Spearman of the cosine. Reference: mteb 2.26.24 (`AbsTaskSTS`). All similarities are float32, as there. Deliberate
differences: cosines of vectors that are shorter than 1e-6 or longer than 1e18 (`similarity.unit_rows`); None
where mteb has NaN (a constant column), and `dot_pearson` and `dot_spearman` beside mteb's metrics,
because sentence-transformers' `EmbeddingSimilarityEvaluator` reports them and cards quote them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import DataError
from harness.evaluators import sampling, tables
from harness.evaluators.tables import Table, at
from harness.evaluators.task_kind import (
    Fit,
    FromMteb,
    ReadPart,
    ReadTable,
    Scored,
    SettingProblem,
    TaskKind,
    crossed,
    settings_from_mteb,
)
from harness.types import ItemText, Part, Scores, TaskSpec, Texts

if TYPE_CHECKING:
    from harness.evaluators.items import Items
    from harness.types import Float32, Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Sentence pairs. `gold` (n,) float64: graded similarity for STS, 0/1 for pair classification."""

    left: Sequence[str]
    right: Sequence[str]
    gold: Float64

    def __post_init__(self) -> None:
        assert len(self.left) == len(self.right) == len(self.gold)

    def contents(self) -> Iterator[str]:
        """Each pair with its score."""
        for left, right, score in zip(self.left, self.right, self.gold.tolist(), strict=True):
            yield from (left, right, repr(score))

    def sample(self, n: int, *, settings: Any = None) -> Pairs:
        """At most `n` pairs."""
        rows = sampling.rows(len(self.left), n)
        left, right = sampling.picked(self.left, rows), sampling.picked(self.right, rows)
        return Pairs(left=left, right=right, gold=self.gold[rows])

    def item_text(self, position: int) -> ItemText:
        """A pair, and its score."""
        return ItemText((self.left[position], self.right[position]), f"gold {self.gold[position]:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class STSSettings:
    """Gold scores are scaled from this range to 0-1, as mteb does before correlating."""

    min_score: float = 0
    max_score: float = 5


def texts(gold: Pairs, settings: Any) -> dict[str, Texts]:
    """Both sides of every pair: `left` and `right`."""
    return {"left": Texts(items=gold.left), "right": Texts(items=gold.right)}


def score(gold: Pairs, given: Mapping[str, Float32], *, settings: STSSettings) -> Scored:
    """Both correlations of the model's own similarity and of four others. The items are the pairs.

    Args:
        gold: n pairs.
        given: the vectors of `left` and `right`, each (n, dim) float32, and `similarity` (n,), the model's own of each
            pair; without it the cosine is used.
        settings: the range of the gold scores.
    """
    import numpy as np

    from harness.evaluators import items, metrics
    from harness.evaluators.similarity import pair_scores

    pairs = pair_scores(given["left"], given["right"])
    by_prefix = {
        "": given.get("similarity", pairs.cosine),
        "cosine_": pairs.cosine,
        "manhattan_": -pairs.manhattan,
        "euclidean_": -pairs.euclidean,
        "dot_": np.vecdot(given["left"], given["right"]),
    }
    target = (gold.gold - settings.min_score) / (settings.max_score - settings.min_score)
    scores: Scores = {}
    of_metrics: dict[str, Items] = {}
    for prefix, values in by_prefix.items():
        scores[f"{prefix}pearson"] = metrics.pearson(target, values)
        scores[f"{prefix}spearman"] = metrics.spearman(target, values)
        of_metrics[f"{prefix}pearson"] = items.correlation(values, gold.gold, metric="pearson")
        of_metrics[f"{prefix}spearman"] = items.correlation(values, gold.gold, metric="spearman")
    return Scored(scores, of_metrics)


def read_pairs(table: Table, columns: Mapping[str, str], *, where: str, binary: bool) -> Pairs:
    """Sentence pairs with gold scores (any finite number) or, when `binary`, labels 0 and 1.

    A table of one row that holds lists is unpacked: older pair data sets were stored so.

    Raises:
        DataError: a column is missing or of another kind, or all gold scores are the same.
    """
    import numpy as np

    if table and all(len(values) == 1 and isinstance(values[0], list) for values in table.values()):
        table = {name: values[0] for name, values in table.items()}
    left = tables.texts(table, columns["left"], where=where)
    right = tables.texts(table, columns["right"], where=where)
    gold = tables.numbers(table, columns["gold"], where=where)
    if binary:
        wrong = np.flatnonzero(~np.isin(gold, (0.0, 1.0)))
        if len(wrong):
            row = int(wrong[0])
            place = at(table, row, where=where)
            raise DataError(f"{place}: column {columns['gold']!r}, row {row}: label {gold[row]:g}; expected 0 or 1")
    if np.all(gold == gold[0]):
        what = "labels of one class only" if binary else "the same gold score everywhere"
        place = at(table, where=where)
        raise DataError(f"{place}: column {columns['gold']!r} holds {what} ({gold[0]:g}); nothing can be ranked")
    return Pairs(left=left, right=right, gold=gold)


def read(task: TaskSpec, part: Part, table: ReadTable, *, binary: bool = False) -> ReadPart:
    """The pairs of a part; see `read_pairs`."""
    gold = read_pairs(table(part.split), task.columns, where=f"{task.name} {part}", binary=binary)
    return ReadPart(gold, {part.split: len(gold.left)})


def range_problems(settings: Any, given: Collection[str]) -> Iterator[SettingProblem]:
    """A range of scores that is empty; of settings with `min_score` and `max_score`."""
    low, high = settings.min_score, settings.max_score
    if low >= high:
        yield SettingProblem("", f"min_score ({low:g}) must be below max_score ({high:g})")


def _recognizes(values: Mapping[str, Sequence[Any]], trainable: bool) -> str:
    return "" if set(values["gold"]) <= {0, 1} else "two columns of texts and one of numbers"


def _fit(values: Mapping[str, Sequence[Any]], rows: int) -> Fit:
    least, most = min(values["gold"]), max(values["gold"])
    low, high = math.floor(least), math.ceil(most)
    if low >= high:
        return Fit(STSSettings())
    why = f"scores from {least:g} to {most:g}, so the range is {low} to {high} (which moves no correlation)"
    return Fit(STSSettings(min_score=low, max_score=high), why)


def _from_mteb(task: Any) -> FromMteb:
    left, right = task.column_names
    return FromMteb({"left": left, "right": right, "gold": "score"}, settings_from_mteb(STSSettings, task))


KIND = TaskKind(
    purpose="similarity",
    settings=STSSettings,
    setting_problems=range_problems,
    main_metric="cosine_spearman",
    metrics=lambda settings: (
        "pearson",
        "spearman",
        *crossed(("cosine", "manhattan", "euclidean"), ("pearson", "spearman")),
    ),
    columns={"left": "sentence1", "right": "sentence2", "gold": "score"},
    read=read,
    texts=texts,
    takes="pairs",
    score=score,
    similarity_report=True,
    description="Pairs of texts with a score of how similar they are",
    instruction="Retrieve semantically similar text.",
    recognizes=_recognizes,
    fit=_fit,
    from_mteb=_from_mteb,
    former_metrics={f"cos_sim_{kind}": f"cosine_{kind}" for kind in ("pearson", "spearman")},
)
