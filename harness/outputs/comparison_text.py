"""Two models compared, as text for people and as JSON (pure)."""

from __future__ import annotations

from typing import Any

from harness.leaderboard.comparison import ALPHA, Comparison, Overall, TaskDifference
from harness.outputs import text_table
from harness.outputs.number_text import MISSING, difference_text, interval_text, p_text, score_text
from harness.stats.bootstrap import Interval
from harness.types.counted import counted


def render(comparison: Comparison, *, digits: int = 2) -> str:
    """The comparison for a terminal, ending in a newline."""
    rows = [_row(task, comparison, digits) for task in comparison.tasks]
    lines = [f"A  {comparison.a}", f"B  {comparison.b}", ""]
    headers = ["Task", "A", "B", "A - B", "95%", "p (Holm)", "items", "better"]
    lines += text_table.plain(headers, rows, right=range(1, 7), compact=True).splitlines()
    lines += ["", *_overall(comparison.overall, digits), conclusion(comparison)]
    untested = [task for task in comparison.tasks if task.why]
    if untested:
        count = f"{len(untested)} of {counted(len(comparison.tasks), 'task')}"
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
            "difference": overall.difference,
            "interval": list(overall.interval) if overall.interval else None,
            "interval_on_these_tasks": list(overall.on_these) if overall.on_these else None,
            "p": overall.p,
            "verdict": overall.verdict,
            "conclusion": conclusion(comparison),
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
    means = ", ".join(
        (
            f"A {score_text(overall.a, digits=digits)}",
            f"B {score_text(overall.b, digits=digits)}",
            f"A - B {difference_text(overall.difference, digits=digits)}",
        )
    )
    lines = [f"Mean over {counted(overall.tasks, 'task')}: {means}"]
    if overall.on_these:
        interval = interval_text(overall.on_these, digits=digits, signed=True)
        lines.append(f"  on these tasks, items resampled: 95% {interval}")
    if overall.interval:
        interval = interval_text(overall.interval, digits=digits, signed=True)
        lines.append(f"  on similar tasks, tasks resampled: 95% {interval}, p {p_text(overall.p)}")
    return lines


def conclusion(comparison: Comparison) -> str:
    """What the comparison shows, as one sentence about A and B.

    Where there is no evidence of a difference, it says how large a difference would have been found: the smallest one
    that a two-sided test at 5% finds with a power of 80%, (1.96 + 0.84) standard errors, the standard error being the
    half width of the 95% interval by 1.96 (Cohen, 1988, Statistical Power Analysis for the Behavioral Sciences).
    """
    overall = comparison.overall
    better, sign = ("A", 1) if overall.difference > 0 else ("B", -1)
    gap = score_text(abs(overall.difference))
    these, span = _these(comparison), overall.span
    if span is None or overall.p is None:
        return f"No test is possible with fewer than three tasks and no items; the means differ by {gap} points."
    if overall.verdict in ("A", "B"):
        where = "on similar tasks" if overall.interval else f"by {these}"
        average = f" on average over {counted(overall.tasks, 'task')}" if overall.interval else ""
        ends = interval_text((min(sign * span.low, sign * span.high), max(sign * span.low, sign * span.high)))
        return f"{better} is better: by {gap} points{average} (95% {where}: {ends})."
    shown = f"{these} could show a difference of about {score_text(_detectable(span))} points"
    if overall.difference == 0:
        return f"The means are equal; {shown}."
    if overall.interval and overall.on_these and not overall.on_these.low <= 0 <= overall.on_these.high:
        return f"{better} is better on these tasks, by {gap} points; no evidence that it is on similar ones: {shown}."
    return f"No evidence that {better} is better: the means differ by {gap} points, and {shown}."


def _detectable(span: Interval) -> float:
    return (1.96 + 0.84) * (span.high - span.low) / 2 / 1.96


def _these(comparison: Comparison) -> str:
    """What was drawn again: `these 191 queries`, `these 15 tasks`."""
    overall = comparison.overall
    if overall.interval:
        return f"these {counted(overall.tasks, 'task')}"
    number = sum(task.n for task in comparison.tasks)
    units = {pair.a.unit for pair in comparison.items}
    unit = units.pop() if len(units) == 1 else "item"
    return f"these {counted(number, unit, 'queries' if unit == 'query' else '')}"
