"""Two models compared, as text for people and as JSON (pure)."""

from __future__ import annotations

from typing import Any

from harness.leaderboard.comparison import ALPHA, Comparison, Overall, TaskDifference
from harness.outputs import text_table

NOTHING = "–"


def render(comparison: Comparison, *, digits: int = 4) -> str:
    """The comparison for a terminal, ending in a newline."""
    rows = [_row(task, comparison, digits) for task in comparison.tasks]
    lines = [f"A  {comparison.a}", f"B  {comparison.b}", ""]
    headers = ["Task", "A", "B", "A - B", "95%", "p (Holm)", "items", "better"]
    lines += text_table.plain(headers, rows, right=range(1, 7), compact=True).splitlines()
    lines += ["", *_overall(comparison.overall, digits)]
    unknown = [task for task in comparison.tasks if task.why]
    if unknown:
        lines += ["", f"No items, so no test, on {len(unknown)} of {len(comparison.tasks)} tasks; the first reason:"]
        lines += [f"  {unknown[0].task}: {unknown[0].why}"]
    for name, only in (("A", comparison.only_a), ("B", comparison.only_b)):
        if only:
            lines += [f"Only {name} has {', '.join(only)}."]
    return "\n".join(lines) + "\n"


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON has it."""
    overall = comparison.overall
    return {
        "a": comparison.a,
        "b": comparison.b,
        "alpha": ALPHA,
        "overall": {
            "tasks": overall.tasks,
            "a": overall.a,
            "b": overall.b,
            "difference": overall.a - overall.b,
            "interval": list(overall.interval) if overall.interval else None,
            "interval_on_these_tasks": list(overall.on_these) if overall.on_these else None,
            "p": overall.p,
            "verdict": overall.verdict,
        },
        "tasks": [
            {
                "task": task.task,
                "type": task.type,
                "a": task.a,
                "b": task.b,
                "difference": task.difference,
                "interval": list(task.interval) if task.interval else None,
                "p": task.p,
                "p_holm": task.corrected,
                "items": task.n,
                "verdict": task.verdict,
                "why": task.why or None,
            }
            for task in comparison.tasks
        ],
        "only_a": list(comparison.only_a),
        "only_b": list(comparison.only_b),
    }


def _row(task: TaskDifference, comparison: Comparison, digits: int) -> list[str]:
    return [
        task.task,
        f"{task.a:.{digits}f}",
        f"{task.b:.{digits}f}",
        f"{task.difference:+.{digits}f}",
        _span(task.interval, digits),
        NOTHING if task.corrected is None else _p(task.corrected),
        str(task.n) if task.n else NOTHING,
        NOTHING if task.verdict == "unknown" else task.verdict,
    ]


def _overall(overall: Overall, digits: int) -> list[str]:
    difference = overall.a - overall.b
    means = f"A {overall.a:.{digits}f}, B {overall.b:.{digits}f}, A - B {difference:+.{digits}f}"
    lines = [f"Mean over {overall.tasks} tasks: {means}"]
    if overall.on_these:
        lines.append(f"  on these tasks, items drawn anew: 95% {_span(overall.on_these, digits)}")
    if overall.interval:
        lines.append(
            f"  on tasks of the kind, tasks drawn anew: 95% {_span(overall.interval, digits)}, p {_p(overall.p)}"
        )
    said = {"A": "A is better.", "B": "B is better.", "not separable": "They cannot be told apart."}
    lines.append(said.get(overall.verdict, "Fewer than three tasks: no verdict on tasks of the kind."))
    return lines


def _span(value: tuple[float, float] | None, digits: int) -> str:
    return NOTHING if value is None else f"{value[0]:+.{digits}f} to {value[1]:+.{digits}f}"


def _p(value: float | None) -> str:
    if value is None:
        return NOTHING
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
