"""Forecasts how much memory the texts and vectors of a part take while it is measured (pure)."""

from __future__ import annotations

from harness.data.size_estimate import CHARACTERS_PER_TOKEN, Size
from harness.evaluators import KINDS
from harness.models import abilities
from harness.runner.corpus_search import CORPUS_BLOCK
from harness.types import ModelSpec, TaskSpec

_BYTES_A_TEXT = 1000
"""Of a text of a corpus besides its characters: its id, its place in the ranking, the objects of Python. Measured."""
_BYTES_A_CHARACTER = 1.2
"""Most text is ASCII; other scripts take two bytes or four."""
_SIDES = 2
_COPIES = 2.2
"""Vectors stand twice in memory while they are put in order. Measured."""


def part_bytes(task: TaskSpec, size: Size, model: ModelSpec, *, max_texts: int | None = None) -> int:
    """The memory of a part, besides the model itself.

    Args:
        task: whose part it is. The vectors of a corpus are in memory block by block, all others together.
        size: of the part.
        model: where its settings do not say how many dimensions its vectors have, only texts are counted.
        max_texts: of each side of a part in quick mode, whose texts are all loaded nevertheless.
    """
    texts = size.texts * _BYTES_A_TEXT + size.tokens * CHARACTERS_PER_TOKEN * _BYTES_A_CHARACTER
    dimensions = (model.truncate_dim or model.dimensions or 0) if abilities(model).vectors else 0
    rows = min(size.texts, CORPUS_BLOCK) if KINDS[task.type].ranks == "corpus" else size.texts
    if max_texts is not None:
        rows = min(rows, _SIDES * max_texts)
    return int(texts + _COPIES * rows * dimensions * 4)
