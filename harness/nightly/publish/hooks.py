"""Calling hooks: commands and webhooks, each with a time limit. A hook that fails or hangs does not stop the others.

A command is run by the shell in the schedule's folder. It gets the report as JSON on standard input, and in its
environment

    HARNESS_STATUS     0, 1 or 3, as the exit status      HARNESS_NIGHT      the night's number
    HARNESS_SUMMARY    one line                           HARNESS_REPORT     the JSON file
                                                          HARNESS_MARKDOWN   the Markdown file

A webhook gets the JSON by POST, and in it the summary as `text`, which chat programs show.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

from harness.errors import shown_address
from harness.nightly.history import report as reports
from harness.nightly.history.report import Report
from harness.nightly.schedule.schedule_contents import Hook, Schedule

_ASSIGNMENTS = re.compile(r"""^\s*(?:(?:export\s+)?\w+=(?:"[^"]*"|'[^']*'|\S)*[\s;]+)+""")
_VALUES = re.compile(r"""\b\w+=(?:"([^"]*)"|'([^']*)'|([^\s"';]+))""")
_PROGRAM = re.compile(r"[\w./+-]+")
_ADDRESS = re.compile(r"\w+://[^\s'\"]+")


class ReportFiles(NamedTuple):
    """The files of a report."""

    json: Path
    markdown: Path


def applies(hook: Hook, report: Report) -> bool:
    """Whether the hook is to be called for this night."""
    alert = bool(report.alerts.alerts)
    failure = report.status == reports.FAILED or (report.night is not None and bool(report.night.failures))
    change = report.diff is None or bool(report.diff.scores or report.diff.appeared or report.diff.vanished)
    return {"always": True, "alert": alert, "failure": alert or failure, "change": alert or failure or change}[
        hook.when
    ]


def call(hook: Hook, report: Report, *, schedule: Schedule, files: ReportFiles) -> str:
    """Call a hook; what went wrong, or an empty text."""
    return _command(hook, report, schedule, files) if hook.command else _webhook(hook, report)


def tell_of_early_end(schedule: Schedule, message: str) -> Report:
    """Call the hooks that want to know of failures after an error has ended a night.

    Returns the report that they got, with their own problems. It needs neither results nor history: its files lie in a
    temporary folder while the hooks run. Where that cannot be written either, a hook still gets the report on standard
    input, or by POST.
    """
    report = Report(night=None, problems=(message,))
    with contextlib.ExitStack() as closing:
        folder = Path(tempfile.gettempdir())
        with contextlib.suppress(OSError):
            folder = Path(closing.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        files = ReportFiles(folder / "night.json", folder / "night.md")
        with contextlib.suppress(OSError):
            files.json.write_text(reports.as_json(report), encoding="utf-8")
            files.markdown.write_text(reports.render(report), encoding="utf-8")
        wanted = [hook for hook in schedule.notify if applies(hook, report)]
        problems = [call(hook, report, schedule=schedule, files=files) for hook in wanted]
    return Report(night=None, problems=(message, *filter(None, problems)))


def name(hook: Hook) -> str:
    """The hook's name in messages, without parts that may be secret."""
    if hook.command:
        return f"command {_program(hook.command)!r}"
    return f"webhook {hook.webhook if hook.webhook.startswith('$') else shown_address(hook.webhook)}"


def _program(command: str) -> str:
    """The program that a command runs, without the variables that it sets and without its arguments."""
    words = _ASSIGNMENTS.sub("", command).split()
    return words[0] if words and _PROGRAM.fullmatch(words[0]) else "..."


def _without_secrets(text: str, command: str) -> str:
    """A message without addresses and without the values that the command gives to variables."""
    for value in {value for values in _VALUES.findall(command) for value in values if len(value) > 2}:
        text = text.replace(value, "...")
    return _ADDRESS.sub(lambda address: shown_address(address[0]), text)


def _command(hook: Hook, report: Report, schedule: Schedule, files: ReportFiles) -> str:
    variables = {
        "HARNESS_STATUS": str(report.status),
        "HARNESS_NIGHT": str(report.night.number if report.night else 0),
        "HARNESS_SUMMARY": reports.sentence(report),
        "HARNESS_REPORT": str(files.json),
        "HARNESS_MARKDOWN": str(files.markdown),
    }
    try:
        process = subprocess.Popen(
            hook.command,
            shell=True,
            cwd=schedule.file.parent,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    except OSError as err:
        return f"{name(hook)}: cannot be run: {err}"
    try:
        _, stderr = process.communicate(reports.as_json(report), timeout=hook.timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        return (
            f"{name(hook)}: not finished within {hook.timeout:g} s, so it was stopped; `timeout: 5m` gives it more time"
        )
    last = stderr.strip().splitlines()[-1:] or ["no message"]
    message = _without_secrets(last[0], hook.command)[:200]
    return "" if process.returncode == 0 else f"{name(hook)}: ended with status {process.returncode}: {message}"


def _end(process: subprocess.Popen[str]) -> None:
    """Stop the shell and the processes that it started."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except ProcessLookupError:
        pass
    process.wait()
    for stream in (process.stdin, process.stderr):
        if stream is not None:
            stream.close()


def _webhook(hook: Hook, report: Report) -> str:
    address = os.environ.get(hook.webhook[1:], "") if hook.webhook.startswith("$") else hook.webhook
    if not address.startswith(("http://", "https://")):
        return f"{name(hook)}: its address is missing or is not http(s)://...; check the environment variable"
    content = {"text": _text(report), **json.loads(reports.as_json(report))}
    answer: list[str] = []
    # A server that sends a byte now and then never exceeds a socket's time limit; this limit is for the whole call.
    thread = threading.Thread(target=lambda: answer.append(_post(address, content, hook.timeout)), daemon=True)
    thread.start()
    thread.join(hook.timeout)
    problem = answer[0] if answer else _late(hook.timeout)
    return f"{name(hook)}: {problem}" if problem else ""


def _late(seconds: float) -> str:
    return f"no answer within {seconds:g} s"


def _text(report: Report) -> str:
    return "\n".join([reports.sentence(report), *map(reports.alert_line, report.alerts.alerts[:10])])


def _post(address: str, content: object, seconds: float) -> str:
    """POST the content; what went wrong, or an empty text, without the address, which may hold a token."""
    from http.client import HTTPException
    from urllib import error, parse, request

    data = json.dumps(content).encode()

    class Unredirected(request.HTTPRedirectHandler):
        """Follows no redirect: the client would ask the other address by GET, without the report."""

        def redirect_request(self, *arguments: object) -> None:
            return None

    try:
        asked = request.Request(address, data=data, headers={"Content-Type": "application/json"}, method="POST")
        with request.build_opener(Unredirected).open(asked, timeout=seconds) as answer:
            answer.read(1024)
    except error.HTTPError as err:
        to = err.headers.get("Location") if 300 <= err.code < 400 else None
        moved = f": moved to {shown_address(parse.urljoin(address, to))}; name that address" if to else ""
        return f"answered with status {err.code}{moved}"
    except (OSError, ValueError) as err:
        reason = getattr(err, "reason", err)  # urllib wraps the error if there was no connection
        if isinstance(reason, TimeoutError):
            return _late(seconds)
        # Messages other than the system's may contain the address.
        return f"could not be reached: {reason if isinstance(reason, OSError) else type(err).__name__}"
    except HTTPException as err:
        return f"did not answer in HTTP: {type(err).__name__}"
    return ""
