"""How long the site of a large leaderboard takes to write, and its table to sort in a browser."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from harness.outputs import site
from tests import boards
from tests.integration.test_site import browser, go

__all__ = ["browser"]  # the fixture


def test_a_large_board(browser: Any, tmp_path: Path) -> None:
    """700 models on 150 tasks: written in under 60 s, sorted in under 200 ms (the best of ten)."""
    board = boards.synthetic(models=700, tasks=150)
    started = time.perf_counter()
    site.write(board, tmp_path / "site")
    assert time.perf_counter() - started < 60
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    go(page, tmp_path / "site")
    best = min(
        page.evaluate(
            """direction => { const table = Tabulator.findTable('#board')[0]; const start = performance.now();
            table.setSort('mean', direction); table.element.getBoundingClientRect();
            return performance.now() - start; }""",
            direction,
        )
        for direction in ("asc", "desc") * 5
    )
    page.close()
    print(f"sorted in {best:.0f} ms")
    assert best < 200
