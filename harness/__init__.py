"""embedding-harness: benchmark text-embedding models with mteb's scores.

The rooms, in reading order. A room imports only from the rooms above it; a test reads the order from this list.

    errors          what can go wrong, with the exit status of each kind
    types           the vocabulary, with the glossary
    files           atomic writes, locks, digests, cache and results folders, the run environment
    hub             the Hugging Face hub: retries, offline mode, download, upload
    stats           confidence intervals, paired tests, corrections, rank intervals
    evaluators      gold and vectors -> scores and items, one file a task type
    tasks           a task's name -> TaskSpec: task files, suites, languages
    encoding        texts -> vectors: batches, pipeline, prompts, vector cache
    models          a model's name -> ModelSpec -> Encoder, one file a kind of model
    data            TaskSpec -> gold: hub, local files, mteb
    results         records on disk, items beside them, mteb's older formats
    runner          request -> plan -> cells -> measured parts: the straight line that joins the rooms
    leaderboard     records -> ranked rows; the comparison of two models
    outputs         records, leaderboards, comparisons -> tables and the site
    cards           records <-> the `model-index` of model cards
    nightly         a schedule, run every night: cells -> engine -> history -> alerts
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
    from harness.leaderboard.api import compare, rank
    from harness.results.loading import load_results
    from harness.runner.api import run
    from harness.runner.trainer_evaluator import HarnessEvaluator
    from harness.tasks.registry import get_task, get_tasks

__version__ = "0.1.0"
__all__ = [
    "CardError",
    "CellsFailed",
    "DataError",
    "EncodeError",
    "HarnessError",
    "HarnessEvaluator",
    "ModelError",
    "Record",
    "RecordError",
    "SpecError",
    "TaskSpec",
    "UnknownName",
    "compare",
    "get_task",
    "get_tasks",
    "load_results",
    "rank",
    "run",
]

_LAZY = {
    "run": "harness.runner.api",
    "get_task": "harness.tasks.registry",
    "get_tasks": "harness.tasks.registry",
    "load_results": "harness.results.loading",
    "rank": "harness.leaderboard.api",
    "compare": "harness.leaderboard.api",
    "HarnessEvaluator": "harness.runner.trainer_evaluator",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
