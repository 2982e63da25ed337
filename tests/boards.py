"""Results folders of any content, made by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.leaderboard import board, counted_tasks, file_index
from harness.leaderboard.board_values import Leaderboard, Row
from harness.leaderboard.counted_tasks import ScopedTask
from harness.leaderboard.record_choice import Who
from harness.stats.bootstrap import Interval
from harness.stats.ranks import RankSpan
from harness.tasks import registry
from harness.types import Part

DEFAULT = Part("test", "default")


def document(task: str, scores: Mapping[Part, float | None] | float | None, **extra: Any) -> dict[str, Any]:
    """A result file in mteb's schema; one number stands for the part `test`/`default`."""
    by_part = scores if isinstance(scores, Mapping) else {DEFAULT: scores}
    splits: dict[str, list[dict[str, Any]]] = {}
    for part, value in by_part.items():
        entry = {"main_score": value, "hf_subset": part.subset, "languages": ["eng-Latn"]}
        splits.setdefault(part.split, []).append(entry)
    return {"task_name": task, "dataset_revision": "1", "mteb_version": "2.0.0", "scores": splits, **extra}


def put(
    folder: Path,
    model: str,
    task: str,
    scores: Mapping[Part, float | None] | float | None,
    *,
    revision: str = "r1",
    meta: Mapping[str, Any] | None = None,
    **extra: Any,
) -> Path:
    """Write one result file, old enough that the index trusts its time stamp, and `model_meta.json` beside it."""
    place = folder / model.replace("/", "__") / revision
    path = place / f"{task}.json"
    write(path, json.dumps(document(task, scores, **extra), indent=1))
    if meta is not None or not (place / "model_meta.json").exists():
        write(place / "model_meta.json", json.dumps({"name": model, "revision": revision, **(meta or {})}))
    return path


def write(path: Path, text: str, *, age: int = 100) -> None:
    """Write a file and make it `age` seconds old."""
    import os
    import time

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    moment = time.time_ns() - age * 1_000_000_000
    os.utime(path, ns=(moment, moment))


def scoped(*names: str, type: str = "STS") -> tuple[ScopedTask, ...]:
    """Tasks of which every recorded part counts."""
    return tuple(ScopedTask(name, type, None) for name in names)


def of_suite(name: str, *task_folders: Path) -> tuple[ScopedTask, ...]:
    """The tasks that count on a suite's leaderboard."""
    declared = registry.get_tasks(task_folders)
    return counted_tasks.of_suite(declared, declared.suite(name))


def build(*folders: Path, tasks: tuple[ScopedTask, ...], **options: Any) -> Leaderboard:
    """The leaderboard of some folders."""
    return board.build([file_index.read(folder) for folder in folders], tasks, title="Test", **options)


def synthetic(*, models: int, tasks: int) -> Leaderboard:
    """A board without files behind it."""
    generator = np.random.default_rng(0)
    scores = np.clip(generator.uniform(0.3, 0.7, (models, 1)) + generator.normal(0, 0.1, (models, tasks)), 0, 1)
    order = np.argsort(-scores.mean(axis=1))
    columns = tuple(ScopedTask(f"Task{n}", f"Type{n % 7}", None) for n in range(tasks))
    rows = [
        Row(
            who=Who(f"organisation/model-{at}"),
            label=f"organisation/model-{at}",
            revisions=("r1",),
            rank=place + 1,
            points=0.0,
            mean_task=float(scores[at].mean()),
            mean_type=float(scores[at].mean()),
            by_type={f"Type{n}": float(scores[at][n::7].mean()) for n in range(7)},
            scores={task.name: float(value) for task, value in zip(columns, scores[at], strict=True)},
            missing={},
            files={},
            interval=Interval(float(scores[at].mean()) - 0.05, float(scores[at].mean()) + 0.05),
            rank_span=RankSpan(place + 1, place + 1),
            tie_group=place // 5 + 1,
        )
        for place, at in enumerate(order.tolist())
    ]
    return Leaderboard(
        title="Large",
        tasks=columns,
        parts=tuple((DEFAULT,) for _ in columns),
        types=tuple(f"Type{n}" for n in range(7)),
        rows=tuple(rows),
        uncertainty="95%",
    )
