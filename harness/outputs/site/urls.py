"""Addresses of the site's pages."""

from __future__ import annotations

import hashlib
import re

from harness.leaderboard.board_values import Leaderboard, Row
from harness.leaderboard.counted_tasks import ScopedTask


class Urls:
    """Addresses of pages, relative to the site's folder; different names have different ones, whatever they hold."""

    def __init__(self, board: Leaderboard) -> None:
        self._models = {row.who: f"models/{_slug('/'.join(row.who))}.html" for row in board.rows}
        self._tasks = {task.name: f"tasks/{_slug(task.name)}.html" for task in board.tasks}

    def model(self, row: Row) -> str:
        """Of a model's page."""
        return self._models[row.who]

    def task(self, task: ScopedTask) -> str:
        """Of a task's page."""
        return self._tasks[task.name]


def _slug(name: str) -> str:
    """A file name that reads like `name`, on any disk: what is left of it, and a digest of the whole."""
    kept = re.sub(r"[^A-Za-z0-9._-]+|\.{2,}", "-", name)[:60].strip("-.")
    return f"{kept or 'page'}-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:10]}"
