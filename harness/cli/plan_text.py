"""What `harness run --plan` prints: every cell, why it would run, and an estimate of its size and time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options
from harness.cli.access_text import AccessText
from harness.types.counted import counted, listed

MOST_PARTS = 20
"""A task with more parts of one status is one row of the table; `--json` has them all."""

if TYPE_CHECKING:
    from harness.data.size_estimate import Size
    from harness.runner.cells import Plan, TaskCells
    from harness.runner.forecast import Pace
    from harness.types import ModelSpec, Part, PromptRules, TaskSpec


def show_plan(planned: Plan, folder: Path, *, as_json: bool) -> None:
    """Print the plan."""
    from harness.models.model_prompts import planned_prompts, planned_rules, shown_prompt

    to_run = [cells.task for cells in planned.task_cells if cells.applies and cells.todo]
    asking = None if as_json else AccessText(to_run)
    rows: list[dict[str, Any]] = []
    paces = _paces(folder)
    rules: dict[ModelSpec, PromptRules] = {}
    for cells in planned.task_cells:
        if cells.model not in rules:
            rules[cells.model] = planned_rules(cells.model)
        prompts = {
            role: shown_prompt(prompt)
            for role, prompt in planned_prompts(rules[cells.model], cells.task).items()
            if prompt.text or prompt.suffix or prompt.adapter
        }
        parts = (*cells.done, *cells.todo)
        for part, size in zip(parts, _sizes(cells.task, cells.done) + _sizes(cells.task, cells.todo), strict=True):
            pace = paces.get(cells.model.name)
            price = cells.options.price
            rows.append(
                {
                    "model": cells.model_label,
                    "task": cells.task.name,
                    "part": str(part),
                    "texts": size.texts if size else None,
                    "tokens": size.tokens if size else None,
                    "seconds": round(pace.seconds_per_token * size.tokens, 1) if pace and size else None,
                    **({"cost_usd": size and round(size.tokens * price / 1e6, 8)} if price is not None else {}),
                    "memory_mib": _mebibytes(cells, size),
                    "prompts": prompts,
                    "status": "recorded" if part in cells.done else cells.why if cells.applies else "does not apply",
                }
            )
    if as_json:
        shared_options.print_json(rows)
        return
    from harness.outputs import text_table
    from harness.outputs.run_costs import dollars

    for row in rows:
        by_role = [f"{role or 'text'}: {prompt!r}" for role, prompt in row["prompts"].items()]
        row["prompts"] = " | ".join(by_role) or "none"
    todo = [row for row in rows if row["status"] not in ("recorded", "does not apply")]
    numbers = ("texts", "tokens", "seconds", *(("cost_usd",) if rows and "cost_usd" in rows[0] else ()))
    shown = [
        {
            **{key: value for key, value in row.items() if key != "memory_mib"},
            **{key: "?" if row[key] is None else row[key] for key in numbers},
            **({"cost_usd": dollars(row["cost_usd"])} if row.get("cost_usd") is not None else {}),
        }
        for row in _joined(rows, numbers)
    ]
    print(text_table.plain_records(shown, right=range(3, 3 + len(numbers))), end="")
    texts, tokens = (sum(row[key] or 0 for row in todo) for key in ("texts", "tokens"))
    unknown = sum(row["texts"] is None for row in todo)
    print(
        f"\n{len(todo)} of {counted(len(rows), 'cell')} to run: about {counted(texts, 'text')}, "
        f"{counted(tokens, 'token')} (estimated at 4 characters each)"
        + (f", ${dollars(sum(row['cost_usd'] or 0 for row in todo))}" if "cost_usd" in numbers else "")
        + (f"; {unknown} of unknown size" if unknown else "")
    )
    if warning := _memory_warning(todo):
        print(warning)
    for model in dict.fromkeys(cells.model.name for cells in planned.task_cells if cells.todo):
        if pace := paces.get(model):
            seconds = [row["seconds"] for row in todo if row["model"].partition(" [")[0] == model]
            memory = f", {pace.peak_memory_mib:,.0f} MiB" if pace.peak_memory_mib else ""
            taken = sum(value or 0 for value in seconds)
            basis = f"{counted(pace.parts, 'part')} recorded on this machine"
            print(f"{model}: about {taken:,.0f} s{memory}, going by {basis}")
    for line in asking.lines() if asking else ():
        print(line)


def _mebibytes(cells: TaskCells, size: Size | None) -> int | None:
    """The memory for a part's texts and vectors; None for a part of unknown size."""
    from harness.runner.memory_forecast import part_bytes

    return None if size is None else part_bytes(cells.task, size, cells.model, max_texts=cells.max_texts) >> 20


def _memory_warning(todo: Sequence[Mapping[str, Any]]) -> str:
    """A sentence about the tasks whose texts and vectors may not fit into the memory of this machine; else empty."""
    from harness.files.available_memory import available_bytes

    available, large = available_bytes(), dict[str, int]()
    for row in todo:
        needed = row["memory_mib"] or 0
        if available is not None and needed << 20 > available:
            large[row["task"]] = max(needed, large.get(row["task"], 0))
    if not large:
        return ""
    tasks = [f"{task} (about {large[task] / 1024:,.0f} GiB)" for task in sorted(large, key=lambda task: -large[task])]
    free = f"{(available or 0) / 2**30:,.0f} GiB"
    return (
        f"memory: texts and vectors of {listed(tasks)} may not fit into the {free} that are available here, and "
        "the system may end the run; use a machine with more memory, or --max-texts N"
    )


def _sizes(task: TaskSpec, parts: Sequence[Part]) -> list[Size | None]:
    """The size of each part. A mean of other tasks has no texts of its own: they have rows of their own."""
    from harness.data.size_estimate import Size, of_parts

    return [Size(0, 0) for _ in parts] if task.members else of_parts(task, parts)


def _joined(rows: Sequence[Mapping[str, Any]], numbers: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The rows, but the many parts of a task that have the same status in one row."""
    for _, group in itertools.groupby(rows, key=lambda row: (row["model"], row["task"], row["status"])):
        parts = list(group)
        if len(parts) <= MOST_PARTS:
            yield from parts
        else:
            totals = {key: [part[key] for part in parts if part[key] is not None] for key in numbers}
            sums = {key: round(sum(values), 8) if values else None for key, values in totals.items()}
            yield {**parts[0], "part": f"{len(parts):,} parts", **sums}


def _paces(folder: Path) -> dict[str, Pace]:
    from harness import results
    from harness.files import run_environment
    from harness.runner.forecast import paces
    from harness.types import Record

    if not folder.is_dir():
        return {}
    records = (item for item in results.scan(folder) if isinstance(item, Record))
    return paces(records, machine=run_environment.machine())
