"""Rows as a data frame, and what a notebook shows of it. Owns `pandas`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas


def data_frame(rows: Iterable[Mapping[str, Any]], *, columns: Sequence[str] | None = None) -> pandas.DataFrame:
    """One row for each mapping; `columns` gives their order, by default that of the first mapping."""
    import pandas

    return pandas.DataFrame(list(rows), columns=columns)


def notebook_html(frame: pandas.DataFrame) -> str:
    """The frame as an HTML table, with its texts escaped."""
    return str(frame.to_html(index=False))
