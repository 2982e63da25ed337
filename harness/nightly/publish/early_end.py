"""Tells the hooks of a night that an error ended, from a place that needs neither results nor history."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from harness.nightly.history import report as reports
from harness.nightly.history.report import Report
from harness.nightly.publish import hooks
from harness.nightly.schedule.schedule_contents import Schedule


def tell(schedule: Schedule, message: str) -> Report:
    """Call the hooks that want to know of failures; returns the report that they got, with their own problems.

    Its files lie in a temporary folder while the hooks run. Where that cannot be written either, a hook still gets the
    report on standard input, or by POST.
    """
    report = Report(night=None, problems=(message,))
    with contextlib.ExitStack() as closing:
        folder = Path(tempfile.gettempdir())
        with contextlib.suppress(OSError):
            folder = Path(closing.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        files = hooks.ReportFiles(folder / "night.json", folder / "night.md")
        with contextlib.suppress(OSError):
            files.json.write_text(reports.as_json(report), encoding="utf-8")
            files.markdown.write_text(reports.render(report), encoding="utf-8")
        wanted = [hook for hook in schedule.notify if hooks.applies(hook, report)]
        problems = [hooks.call(hook, report, schedule=schedule, files=files) for hook in wanted]
    return Report(night=None, problems=(message, *filter(None, problems)))
