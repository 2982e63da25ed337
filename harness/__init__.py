"""embedding-harness: benchmark text-embedding models with mteb's scores.

The line that a number travels, in reading order:

    types           the vocabulary
    registry        a task's name -> TaskSpec                   tasks/**/*.yaml
    models          a model's name -> ModelSpec -> Encoder
    plan            what is to be done, minus what is recorded
    data            TaskSpec -> gold
    encoding        texts -> embeddings, checked
    search          queries and corpus blocks -> hits
    evaluators      gold and embeddings -> scores               metrics: the formulas
    cells           the straight line that joins them: `run`
    results         records on disk                             items: per-item scores beside them
    leaderboard     records -> ranked rows                      stats: intervals and tests
    comparison      two of these rows, task by task
    outputs         records, leaderboards -> tables, sites
    cards           records <-> the results in model cards
    cli             the command `harness`

`harness.run(models, tasks)` does all of it. Importing this package imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import (
    CardError,
    CellsFailed,
    DataError,
    EncodeError,
    HarnessError,
    ModelError,
    RecordError,
    SpecError,
    UnknownName,
)
from harness.types import Record, TaskSpec

if TYPE_CHECKING:
    from harness.cells import run
    from harness.registry import tasks
    from harness.results import scan

__version__ = "0.1.0"
__all__ = [
    "CardError",
    "CellsFailed",
    "DataError",
    "EncodeError",
    "HarnessError",
    "ModelError",
    "Record",
    "RecordError",
    "SpecError",
    "TaskSpec",
    "UnknownName",
    "run",
    "scan",
    "tasks",
]

_LAZY = {"run": "harness.cells", "tasks": "harness.registry", "scan": "harness.results"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
