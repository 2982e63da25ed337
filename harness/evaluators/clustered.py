"""`Clustered` and `ClusteredSets`, the gold of clustering, and how they are read from tables."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import DataError
from harness.evaluators import sampling, tables
from harness.evaluators.tables import Filed, Table, at
from harness.types import ItemText

Path = tuple[str | int, ...]
"""The labels of a text, from the broadest level of the hierarchy to the narrowest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustered:
    """Texts to cluster. `labels[i]` is the path of text i through the levels of the hierarchy, one label when flat."""

    texts: Sequence[str]
    labels: Sequence[Path]

    def __post_init__(self) -> None:
        assert len(self.texts) == len(self.labels)

    def contents(self) -> Iterator[str]:
        """Each text with its path."""
        for text, levels in zip(self.texts, self.labels, strict=True):
            yield from (text, json.dumps(levels))

    def sample(self, n: int, *, settings: Any = None) -> Clustered:
        """At most `n` texts; where the settings cluster only a fraction, so many that the fraction is `n`."""
        fraction = settings.max_fraction_of_documents_to_embed if settings else None
        rows = sampling.rows(len(self.texts), n if fraction is None else math.ceil(n / fraction))
        return Clustered(texts=sampling.picked(self.texts, rows), labels=sampling.picked(self.labels, rows))

    @property
    def has_two_labels(self) -> bool:
        """Whether the texts have more than one label."""
        return len(set(self.labels)) > 1

    def item_text(self, position: int) -> ItemText:
        """A text with its labels."""
        return ItemText((self.texts[position],), f"label {' > '.join(map(str, self.labels[position]))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredSets:
    """The legacy protocol: independent sets, each clustered on its own. All labels are flat."""

    sets: Sequence[Clustered]

    def contents(self) -> Iterator[str]:
        """One set after the other."""
        for inner in self.sets:
            yield str(len(inner.texts))
            yield from inner.contents()

    def sample(self, n: int, *, settings: Any = None) -> ClusteredSets:
        """The first sets with at most `n` texts together; if the first set is larger, a sample of it."""
        ends = list(itertools.accumulate(len(inner.texts) for inner in self.sets))
        fitting = max(1, sum(end <= n for end in ends))
        return ClusteredSets(sets=[inner.sample(n) for inner in self.sets[:fitting]])

    def item_text(self, position: int) -> ItemText:
        """A set, described by its number of texts."""
        return ItemText((f"{len(self.sets[position].texts)} texts",))


def read_clustered(table: Table, columns: Mapping[str, str], *, where: str) -> Clustered:
    """Texts with a label, or a list of labels from the broadest level to the narrowest.

    The sets of the legacy layout are read as one table, one set after the other.

    Raises:
        DataError: a column is missing or of another kind, or all texts have the same label.
    """
    table = joined(table, columns, where=where)
    members = tables.texts(table, columns["text"], where=where)
    labels = []
    values = tables.column(table, columns["label"], where=where)
    if isinstance(table, Filed) and not any(isinstance(value, list) for value in values):
        values = tables.labels(table, columns["label"], where=where)
    for row, value in enumerate(values):
        levels = value if isinstance(value, list | tuple) else [value]
        if not levels:
            place = at(table, row, where=where)
            raise DataError(f"{place}: column {columns['label']!r}, row {row}: an empty list of labels")
        labels.append(tuple(tables.label(level, row, columns["label"], table=table, where=where) for level in levels))
    if len({levels[0] for levels in labels}) < 2:
        place = at(table, where=where)
        raise DataError(f"{place}: labels of one class only ({labels[0][0]!r}); nothing can be clustered")
    return Clustered(texts=members, labels=labels)


def read_sets(table: Table, columns: Mapping[str, str], *, where: str) -> ClusteredSets:
    """The legacy layout: every row is a set, a list of texts beside a list of labels. Flat rows are one set.

    Raises:
        DataError: a column is missing or of another kind, or the lists of a row are not of the same length.
    """
    members = tables.column(table, columns["text"], where=where)
    if not isinstance(members[0], list):
        return ClusteredSets(sets=(read_clustered(table, columns, where=where),))
    labels = tables.column(table, columns["label"], where=where)
    _check_lists(members, labels, where=where)
    sets = []
    for row, (of_set, names) in enumerate(zip(members, labels, strict=True)):
        place = f"{where}, set {row}"
        of_labels = [(tables.label(name, i, columns["label"], table={}, where=place),) for i, name in enumerate(names)]
        inner = {columns["text"]: of_set, columns["label"]: names}
        sets.append(Clustered(texts=tables.texts(inner, columns["text"], where=place), labels=of_labels))
    return ClusteredSets(sets=tuple(sets))


def joined(table: Table, columns: Mapping[str, str], *, where: str) -> Table:
    """The rows of legacy clustering, each a list of texts beside a list of labels, one set after the other.

    A flat table is returned unchanged.

    Raises:
        DataError: in some row the two lists are not of the same length.
    """
    names = (columns["text"], columns["label"])
    members, labels = (table.get(name, []) for name in names)
    if not members or not isinstance(members[0], list):
        return table
    _check_lists(members, labels, where=where)
    return {name: [value for of_set in table[name] for value in of_set] for name in names}


def _check_lists(members: Sequence[Any], labels: Sequence[Any], *, where: str) -> None:
    for row, (of_set, marks) in enumerate(zip(members, labels, strict=True)):
        if not isinstance(of_set, list) or not isinstance(marks, list) or len(of_set) != len(marks):
            raise DataError(f"{where}, set {row}: expected a list of texts and a list of as many labels")
