"""Two models compared, as text for people and as JSON (pure)."""

from __future__ import annotations

from typing import Any

from harness.leaderboard.comparison import ALPHA, Comparison, Overall, TaskDifference
from harness.outputs import text_table
from harness.outputs.number_text import MISSING, difference_text, interval_text, p_text, score_text


def render(comparison: Comparison, *, digits: int = 2) -> str:
    """The comparison for a terminal, ending in a newline."""
    rows = [_row(task, comparison, digits) for task in comparison.tasks]
    lines = [f"A  {comparison.a}", f"B  {comparison.b}", ""]
    headers = ["Task", "A", "B", "A - B", "95%", "p (Holm)", "items", "better"]
    lines += text_table.plain(headers, rows, right=range(1, 7), compact=True).splitlines()
    lines += ["", *_overall(comparison.overall, digits)]
    untested = [task for task in comparison.tasks if task.why]
    if untested:
        count = f"{len(untested)} of {len(comparison.tasks)} {'task' if len(comparison.tasks) == 1 else 'tasks'}"
        lines += ["", f"No items, so no test, on {count}; the first reason:"]
        lines += [f"  {untested[0].task}: {untested[0].why}"]
    for name, only in (("A", comparison.only_a), ("B", comparison.only_b)):
        if only:
            lines += [f"Only {name} has {', '.join(only)}."]
    return "\n".join(lines) + "\n"


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as values that JSON can hold."""
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
        score_text(task.a, digits=digits),
        score_text(task.b, digits=digits),
        difference_text(task.difference, digits=digits),
        interval_text(task.interval, digits=digits, signed=True),
        p_text(task.corrected),
        str(task.n) if task.n else MISSING,
        MISSING if task.verdict == "unknown" else task.verdict,
    ]


def _overall(overall: Overall, digits: int) -> list[str]:
    difference = overall.a - overall.b
    means = ", ".join(
        (
            f"A {score_text(overall.a, digits=digits)}",
            f"B {score_text(overall.b, digits=digits)}",
            f"A - B {difference_text(difference, digits=digits)}",
        )
    )
    lines = [f"Mean over {overall.tasks} {'task' if overall.tasks == 1 else 'tasks'}: {means}"]
    if overall.on_these:
        interval = interval_text(overall.on_these, digits=digits, signed=True)
        lines.append(f"  on these tasks, items resampled: 95% {interval}")
    if overall.interval:
        interval = interval_text(overall.interval, digits=digits, signed=True)
        lines.append(f"  on similar tasks, tasks resampled: 95% {interval}, p {p_text(overall.p)}")
    verdicts = {"A": "A is better.", "B": "B is better.", "not separable": "The difference is not significant."}
    lines.append(verdicts.get(overall.verdict, "Fewer than three tasks: no verdict on similar tasks."))
    return lines
