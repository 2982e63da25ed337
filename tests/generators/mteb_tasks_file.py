"""The generator of `tasks/mteb_tasks.json`; its fields are those of `tasks.mteb_metadata.MtebTask`."""

from __future__ import annotations

from importlib import metadata

from harness.data.mteb_metadata_file import row
from tests.generators.json_line import line


def text() -> str:
    """The file's text: JSON with one line a task, sorted by name."""
    from mteb.get_tasks import _TASK_RENAMES, _TASKS_REGISTRY
    from mteb.results.task_result import renamed_tasks

    head = {"mteb": metadata.version("mteb"), "renamed": dict(sorted((renamed_tasks | _TASK_RENAMES).items()))}
    rows = [line(row(kind)) for _, kind in sorted(_TASKS_REGISTRY.items())]
    return line(head)[:-1] + ',"tasks":[\n' + ",\n".join(rows) + "\n]}\n"
