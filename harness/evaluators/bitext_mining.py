"""Bitext mining: is the nearest text on the other side the translation?

The right text of highest similarity is chosen for every left text. The metrics are accuracy, and precision, recall and
F1 with right texts as classes, weighted by how often each is the true one. Reference: mteb 2.26.24
(`AbsTaskBitextMining`), with the model's own similarity. Of equally similar texts the first is chosen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import DataError
from harness.evaluators import sampling, tables
from harness.evaluators.sts import texts
from harness.evaluators.tables import Table, at
from harness.evaluators.task_kind import (
    FromMteb,
    ReadPart,
    ReadTable,
    Scored,
    Sides,
    TaskKind,
    settings_from_mteb,
)
from harness.types import ItemText, Part, TaskSpec

if TYPE_CHECKING:
    from harness.types import Int64

_SCORES_AT_ONCE = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Mined:
    """Two sides of a bitext: `gold` (n_left,) int64 is the position in `right` of the translation of each left text."""

    left: Sequence[str]
    right: Sequence[str]
    gold: Int64

    def __post_init__(self) -> None:
        assert len(self.left) == len(self.gold)

    def contents(self) -> Iterator[str]:
        """Both sides, one after the other, and the positions."""
        for side in (self.left, self.right):
            yield str(len(side))
            yield from side
        yield json.dumps(self.gold.tolist())

    def sample(self, n: int, *, settings: Any = None) -> Mined:
        """At most `n` left texts with their translations."""
        import numpy as np

        rows = sampling.rows(len(self.left), n)
        kept, position = np.unique(self.gold[rows], return_inverse=True)
        left, right = sampling.picked(self.left, rows), sampling.picked(self.right, kept.tolist())
        return Mined(left=left, right=right, gold=position.astype(np.int64))

    def item_text(self, position: int) -> ItemText:
        """A left text and its translation."""
        return ItemText((self.left[position], self.right[int(self.gold[position])]))


@dataclass(frozen=True, slots=True, kw_only=True)
class BitextMiningSettings:
    """Where the languages of all subsets lie in one table.

    With `parallel_subsets`, every split is one table with a column for each language, and the subset
    `deu_Latn-eng_Latn` compares the columns `deu_Latn` and `eng_Latn`.
    """

    parallel_subsets: bool = False


def score(gold: Mined, given: Sides, *, settings: BitextMiningSettings) -> Scored:
    """accuracy, f1, precision, recall; the items of accuracy and f1 are the left texts.

    Args:
        gold: both sides, and which right text translates each left one.
        given: the vectors of both sides, and the name of the model's similarity.
        settings: none.
    """
    from harness.evaluators import items, metrics

    nearest = _nearest(given)
    means = metrics.classification(gold.gold, nearest)
    scores = {
        "accuracy": means["accuracy"],
        "f1": means["f1_weighted"],
        "precision": means["precision_weighted"],
        "recall": means["recall_weighted"],
    }
    return Scored(
        scores,
        {
            "accuracy": items.mined(gold.gold, nearest, metric="accuracy"),
            "f1": items.mined(gold.gold, nearest, metric="f1"),
        },
    )


def _nearest(given: Sides) -> Int64:
    """The position in the right side of the text nearest to each left one."""
    import numpy as np

    from harness.evaluators.similarity import block_scores, prepare

    left, right = (prepare(side, similarity=given.similarity) for side in (given.left, given.right))
    step = max(1, _SCORES_AT_ONCE // max(1, len(right)))
    rows = [
        block_scores(left[start : start + step], right, similarity=given.similarity).argmax(axis=1)
        for start in range(0, len(left), step)
    ]
    return np.concatenate(rows).astype(np.int64)


def read_mined(table: Table, columns: Mapping[str, str], *, where: str) -> Mined:
    """Aligned texts in two languages: the translation of a left text is the right text of the same row.

    A column `gold` of (left, right) positions from 0, if there is one, gives the translations instead (BUCC in mteb).

    Raises:
        DataError: a column is missing or of another kind, or a position is that of no text.
    """
    import numpy as np

    left = tables.texts(table, columns["left"], where=where)
    right = tables.texts(table, columns["right"], where=where)
    aligned = table.get("gold")
    gold = np.arange(len(left)) if aligned is None else np.array([pair[1] for pair in aligned], dtype=np.int64)
    if len(gold) != len(left) or (len(gold) and gold.max() >= len(right)):
        raise DataError(
            f"{where}: {len(left)} texts and {len(gold)} translations among {len(right)}; expected one each"
        )
    return Mined(left=left, right=right, gold=gold.astype(np.int64))


def _read(task: TaskSpec, part: Part, table: ReadTable) -> ReadPart:
    where, columns = f"{task.name} {part}", task.columns
    if task.settings.parallel_subsets:
        columns = _languages(part.subset, where=where)
        rows = table(part.split, subset="default", columns=[*columns.values()])
        for language in columns.values():
            if language not in rows:
                raise DataError(
                    f"{at(rows, where=where)}: the parallel table has no column {language!r}; a subset is called after "
                    "the columns that it compares"
                )
    else:
        rows = table(part.split)
    gold = read_mined(rows, columns, where=where)
    return ReadPart(gold, {part.split: tables.length(rows)})


def _languages(subset: str, *, where: str) -> dict[str, str]:
    sides = subset.split("-")
    if len(sides) != 2:
        raise DataError(f"{where}: expected the names of two columns of the parallel table with a hyphen between them")
    return {"left": sides[0], "right": sides[1]}


def _from_mteb(task: Any) -> FromMteb:
    settings = settings_from_mteb(BitextMiningSettings, task)
    return FromMteb({"left": "sentence1", "right": "sentence2"}, settings)


KIND = TaskKind(
    near_zero="often",
    settings=BitextMiningSettings,
    main_metric="f1",
    metrics=lambda settings: ("f1", "accuracy", "precision", "recall"),
    columns={"left": "sentence1", "right": "sentence2"},
    read=_read,
    texts=texts,
    takes="sides",
    score=score,
    description="Find each text's translation",
    instruction="Retrieve parallel sentences.",
    recognizes=lambda values, trainable: "two columns of texts, called after their languages",
    from_mteb=_from_mteb,
)
