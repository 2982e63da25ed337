"""The report of a night: Markdown for people and CI job pages, JSON for programs (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.nightly.history.alerts import NO_ALERTS, Alert, Alerts
from harness.nightly.history.changes import Diff
from harness.nightly.history.snapshot_files import Night
from harness.outputs.data_text import json_text
from harness.outputs.number_text import difference_text, interval_text, p_text, score_text
from harness.outputs.score_table import markdown
from harness.outputs.text_table import escape_markdown
from harness.types.counted import counted, listed

MOST = 50
"""Most rows of a table in the Markdown report; the JSON report has all."""
OK, FAILED, ALERT = 0, 1, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of a night.

    Attributes:
        night: the snapshot; None if nothing was ever recorded.
        nothing_to_do: whether nothing had changed since that snapshot, so that no snapshot was added.
        diff: the changes since the night before; None without one.
        problems: failures other than cells: of publishing, a hook, a disk.
        published: where results and site were published.
    """

    night: Night | None
    nothing_to_do: bool = False
    alerts: Alerts = NO_ALERTS
    diff: Diff | None = None
    problems: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def status(self) -> int:
        """The exit status: 3 with an alert, else 1 if something failed, else 0."""
        if self.alerts.alerts and not self.nothing_to_do:
            return ALERT
        failed = self.problems or (self.night is not None and self.night.failures and not self.nothing_to_do)
        return FAILED if failed else OK


def sentence(report: Report) -> str:
    """Summarise the night in one line."""
    night = report.night
    if report.nothing_to_do and night is not None:
        return f"nothing to do: {counted(len(night.cells), 'cell')}, unchanged since night {night.name}"
    if night is None:
        return f"the night ended early: {'; '.join(report.problems)}" if report.problems else "nothing was recorded"
    pieces = [f"night {night.name}: {night.computed} computed, {counted(len(night.cells), 'cell')}"]
    pieces += [f"{len(night.failures)} failed"] if night.failures else []
    pieces += [f"{night.left} left for the next night"] if night.left else []
    pieces += [counted(len(report.alerts.alerts), "alert")] if report.alerts.alerts else []
    pieces += [counted(len(report.problems), "problem")] if report.problems else []
    return ", ".join(pieces)


def alert_line(alert: Alert) -> str:
    """Describe an alert in one line."""
    moved = f"{score_text(alert.before)} -> {score_text(alert.after)} ({difference_text(alert.difference)})"
    because = f"; {', '.join(map(str, alert.causes))}" if alert.causes else ""
    if alert.kind == "unexplained":
        return (
            f"CHANGED {alert.model} {alert.task}: {alert.metric} {moved} with the same model, data and settings"
            f"{because or '; nothing else in the record has changed'}"
        )
    return (
        f"WORSE {alert.model} {alert.task}: {alert.metric} {moved}, "
        f"95% interval {interval_text(_span(alert), signed=True)}, p {p_text(alert.p)}, "
        f"{counted(alert.n, 'item')}{because}"
    )


def _span(alert: Alert) -> tuple[float, float] | None:
    return None if alert.low is None or alert.high is None else (alert.low, alert.high)


def render(report: Report) -> str:
    """Render the report in Markdown."""
    night = report.night
    if night is None:
        return f"# Nightly\n\n{_capital(escape_markdown(sentence(report)))}.\n"
    lines = [f"# Night {night.number}", "", f"{_capital(sentence(report))}.", ""]
    lines += _alerts(report.alerts)
    if night.failures:
        rows = [[name, escape_markdown(_cut(why))] for name, why in night.failures.items()]
        lines += ["## Failed", "", _table(["Cell", "Why"], rows), "These are tried again the next night.", ""]
    if report.problems:
        lines += ["## Problems", "", *(f"- {escape_markdown(_cut(problem))}" for problem in report.problems), ""]
    if report.diff is not None:
        lines += _diff(report.diff)
    if report.published:
        lines += ["## Published", "", *(f"- {escape_markdown(place)}" for place in report.published), ""]
    if night.notes:
        lines += [*(f"- {escape_markdown(note)}" for note in night.notes), ""]
    return "\n".join(lines)


def render_diff(diff: Diff) -> str:
    """Render the changes between two nights in Markdown."""
    title = f"# Night {diff.before.number} to night {diff.after.number}"
    return "\n".join([title, "", *(_diff(diff) or ["No difference.", ""])])


def as_json(report: Report) -> str:
    """Render the whole report as strict JSON."""
    night = report.night
    content: dict[str, Any] = {
        "night": None if night is None else night.number,
        "started": None if night is None else night.started,
        "status": report.status,
        "summary": sentence(report),
        "nothing_to_do": report.nothing_to_do,
        "computed": 0 if night is None or report.nothing_to_do else night.computed,
        "cells": 0 if night is None else len(night.cells),
        "left": 0 if night is None else night.left,
        "failures": {} if night is None else night.failures,
        "alerts": [_alert_json(alert) for alert in report.alerts.alerts],
        "untested": [drop._asdict() for drop in report.alerts.untested],
        "problems": list(report.problems),
        "published": list(report.published),
        "seconds": round(report.seconds, 3),
        "changes": None if report.diff is None else diff_json(report.diff),
    }
    return json_text(content)


def diff_json(diff: Diff) -> dict[str, Any]:
    """The changes between two nights as JSON values."""
    return {
        "before": diff.before.number,
        "after": diff.after.number,
        "scores": [
            {
                **_key_json(change.key),
                "metric": change.metric,
                "before": change.before,
                "after": change.after,
                "same_settings": change.same_settings,
                "causes": [cause._asdict() for cause in change.causes],
            }
            for change in diff.scores
        ],
        "causes": [{**cause._asdict(), "cells": count} for cause, count in diff.causes],
        "appeared": [_key_json(key) for key in diff.appeared],
        "vanished": [_key_json(key) for key in diff.vanished],
    }


def _key_json(key: Any) -> dict[str, str]:
    return {
        "model": key.label,
        "variant": key.variant,
        "task": key.task,
        "split": key.part.split,
        "subset": key.part.subset,
    }


def _alert_json(alert: Alert) -> dict[str, Any]:
    causes = [cause._asdict() for cause in alert.causes]
    return {**asdict(alert), "causes": causes, "difference": alert.difference, "parts": list(alert.parts)}


def _alerts(alerts: Alerts) -> list[str]:
    lines: list[str] = []
    worse = [alert for alert in alerts.alerts if alert.kind == "regression"]
    changed = [alert for alert in alerts.alerts if alert.kind == "unexplained"]
    if worse:
        header = ["Model", "Task", "Metric", "Before", "After", "Drop", "95% interval", "p", "Items"]
        rows = [
            [
                *(alert.model, escape_markdown(alert.task), escape_markdown(alert.metric)),
                *(score_text(alert.before), score_text(alert.after), difference_text(alert.difference)),
                *(interval_text(_span(alert), signed=True), p_text(alert.p), str(alert.n)),
            ]
            for alert in worse
        ]
        lines += ["## Worse than the night before", "", _table(header, rows)]
        lines += _reasons(worse)
    if changed:
        lines += ["## Changed with the same model, data and settings", ""]
        lines += [_table(["Model", "Task", "Parts", "Before", "After", "Change"], _changed_rows(changed))]
        lines += _reasons(changed) or ["The recorded machine and software have not changed.", ""]
    if alerts.untested:
        rows = [
            [drop.model, escape_markdown(drop.task), difference_text(drop.difference), escape_markdown(drop.why)]
            for drop in alerts.untested
        ]
        lines += ["## Lower, not tested", "", _table(["Model", "Task", "Change", "Why"], rows)]
    return lines


def _changed_rows(alerts: Iterable[Alert]) -> list[list[str]]:
    return [
        [
            *(alert.model, escape_markdown(alert.task), escape_markdown(", ".join(alert.parts))),
            *(score_text(alert.before, digits=4), score_text(alert.after, digits=4)),
            difference_text(alert.difference, digits=4),
        ]
        for alert in alerts
    ]


def _reasons(alerts: Sequence[Alert]) -> list[str]:
    """The causes of the alerts, each once, with their models."""
    by_cause: dict[str, dict[str, None]] = {}
    for alert in alerts:
        for cause in alert.causes:
            by_cause.setdefault(str(cause), {})[alert.model] = None
    lines = [f"- {escape_markdown(f'{cause} ({listed(list(models))})')}" for cause, models in by_cause.items()]
    return [*lines, ""] if lines else []


def _diff(diff: Diff) -> list[str]:
    lines: list[str] = []
    since = f"night {diff.before.name}"
    if diff.scores:
        rows = [
            [
                *(str(change.key), score_text(change.before), score_text(change.after)),
                difference_text(change.difference),
                escape_markdown("; ".join(map(str, change.causes)) or "nothing in the record"),
            ]
            for change in diff.scores
        ]
        table = _table(["Cell", "Before", "After", "Change", "What changed with it"], rows)
        lines += [f"## Scores that changed since {since}", "", table]
    if diff.causes:
        rows = [
            [cause.what, escape_markdown(cause.before), escape_markdown(cause.after), str(count)]
            for cause, count in diff.causes
        ]
        lines += [
            f"## Models, data, software and devices since {since}",
            "",
            _table(["What", "Before", "After", "Cells"], rows),
        ]
    for title, keys in (("New", diff.appeared), ("Gone", diff.vanished)):
        if keys:
            by_model: dict[str, int] = {}
            for key in keys:
                by_model[key.label] = by_model.get(key.label, 0) + 1
            rows = [[model, str(count)] for model, count in by_model.items()]
            lines += [f"## {title} since {since}", "", _table(["Model", "Cells"], rows)]
    return lines


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    more = f"\n... and {len(rows) - MOST} more.\n" if len(rows) > MOST else ""
    return markdown(header, rows[:MOST]) + more


def _capital(text: str) -> str:
    return escape_markdown(text[:1].upper() + text[1:])


def _cut(text: str, *, most: int = 300) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 3] + "..."
