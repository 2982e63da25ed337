"""The site in a headless browser, opened from disk as a person would."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.leaderboard.board_values import Leaderboard
from harness.leaderboard.counted_tasks import ScopedTask
from harness.leaderboard.ranking import rank
from harness.leaderboard.uncertainty import with_uncertainty
from harness.outputs import site
from harness.outputs.number_text import interval_text, score_text
from harness.outputs.site.urls import Urls
from tests import boards

SCRIPT = "<script>alert(1)</script>"
QUOTES = "Task \"with\" 'quotes' & <b>"


def made(folder: Path) -> Leaderboard:
    """A board of five models and eight tasks of three types, with gaps, two revisions, speeds and hostile names."""
    generator = np.random.default_rng(0)
    tasks = [
        *(ScopedTask(f"STS{n}", "STS", None, spoken={"default": ("eng-Latn",)}) for n in range(3)),
        *(ScopedTask(f"Search.v{n}", "Retrieval", None, spoken={"default": ("deu-Latn",)}) for n in range(3)),
        ScopedTask(QUOTES, "Clustering", None, dataset="org/data", main_metric="v_measure"),
        ScopedTask("Topics", "Clustering", None),
    ]
    models = {"org/best": 0.8, "org/good": 0.7, f"org/{SCRIPT}": 0.6, "org/old": 0.4, "org/partial": 0.5}
    for number, (model, level) in enumerate(models.items()):
        for at, task in enumerate(tasks):
            if model == "org/partial" and at > 4:
                continue
            part = {"seconds": {"encode": 1.0}, "texts": 10, "tokens": 1000 * (number + 1)}
            harness = {"task_type": task.type, "encoder": {"device": "cpu"}, "parts": {"test": part}}
            name = hashlib.sha256(task.name.encode()).hexdigest()[:8] if task.name == QUOTES else task.name
            place = folder / f"model{number}" / "r1"
            value = float(np.clip(level + generator.normal(0, 0.02), 0, 1))
            document = boards.document(task.name, value, harness=harness, date=1_700_000_000.0 + number * 10_000_000)
            boards.write(place / f"{name}.json", json.dumps(document))
            boards.write(
                place / "model_meta.json",
                json.dumps(
                    {"name": model, "revision": "r1", "n_parameters": 10**6 * 10**number, "open_weights": number != 1}
                ),
            )
    boards.put(folder, "org/best", "STS0", 0.5, revision="older", mteb_version="1.0.0", date=1_600_000_000.0)
    return with_uncertainty(boards.build(folder, tasks=tuple(tasks)))


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Leaderboard:
    patch = pytest.MonkeyPatch()
    patch.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("cache")))
    try:
        return made(tmp_path_factory.mktemp("results"))
    finally:
        patch.undo()


@pytest.fixture(scope="module")
def folder(board: Leaderboard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site") / "site"
    site.write(board, place)
    return place


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium here: `apt-get install chromium`")
    sync = pytest.importorskip("playwright.sync_api", reason="playwright (extra `dev`) is not installed")
    with sync.sync_playwright() as play:
        started = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, folder: Path) -> Iterator[Any]:
    """A page that fails the test on any error, dialog, or request that is not for a file of the site."""
    opened = browser.new_page(viewport={"width": 1400, "height": 1000})
    wrong: list[str] = []
    opened.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    inside = (folder.as_uri(), "data:")
    opened.on("request", lambda asked: None if asked.url.startswith(inside) else wrong.append(asked.url))
    opened.on("requestfailed", lambda asked: wrong.append(f"failed: {asked.url}"))
    yield opened
    opened.close()
    assert wrong == []


def go(page: Any, folder: Path, fragment: str = "") -> Any:
    """Open the board and wait until it is drawn."""
    page.goto("about:blank")
    page.goto(f"{(folder / 'index.html').as_uri()}{fragment}")
    page.wait_for_selector("html[data-ready=true]")
    page.wait_for_timeout(250)
    return page


def column(page: Any, name: str) -> list[str]:
    """The texts of a column, from top to bottom."""
    return [cell.inner_text() for cell in page.query_selector_all(f'.tabulator-cell[tabulator-field="{name}"]')]


def test_the_board(page: Any, folder: Path, board: Leaderboard) -> None:
    """Ranks, names and means as computed; the winner, its interval and its speed stand above the table."""
    go(page, folder)
    assert column(page, "label") == [short(row.label) for row in board.rows]
    assert [link.get_attribute("title") for link in page.query_selector_all('[tabulator-field="label"] a')] == [
        row.label for row in board.rows
    ]
    assert column(page, "mean") == [score_text(row.mean_task, digits=1) if row.mean_task else "–" for row in board.rows]
    for shown, row in zip(page.query_selector_all('.tabulator-cell[tabulator-field="mean"]'), board.rows, strict=True):
        if row.mean_task is None or row.interval is None:
            continue
        hover = shown.query_selector(".mean").get_attribute("title")
        assert hover == f"{score_text(row.mean_task)}, 95% interval {interval_text(row.interval)}"
        bar, fill, whisker = (shown.query_selector(part).bounding_box() for part in (".bar", ".fill", ".whisker"))
        scale = fill["width"] / row.mean_task
        assert whisker["x"] - bar["x"] == pytest.approx(scale * row.interval.low, abs=1)
        assert whisker["width"] == pytest.approx(scale * (row.interval.high - row.interval.low), abs=1)
    card = page.inner_text(".card >> nth=0")
    best = board.rows[0]
    assert best.interval is not None
    for text in ("org/best", score_text(best.mean_task), f"{score_text(best.interval.low)} to", "1,000 tokens/s"):
        assert text in card
    assert page.query_selector_all("figure .plot svg")
    assert len(page.query_selector_all("#pareto .points circle, #pareto circle")) >= 4


def short(label: str) -> str:
    """A model's name as the table shows it: without the organisation."""
    return label.partition("/")[2]


def test_first_sight(page: Any, folder: Path, board: Leaderboard) -> None:
    """At 1440 px, unscrolled: date, the best rows with every type's column, and quality against size beside them."""
    page.set_viewport_size({"width": 1440, "height": 900})
    go(page, folder)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", page.inner_text(".lead time"))
    types = [f'.tabulator-col[tabulator-field="type{at}"]' for at in range(len(board.types))]
    table = page.query_selector("#board").bounding_box()
    for place in (*types, '.tabulator-row [tabulator-field="mean"] .bar', "#pareto svg"):
        box = page.query_selector(place).bounding_box()
        assert box["x"] + box["width"] <= (1440 if "svg" in place else table["x"] + table["width"])
        assert box["y"] + box["height"] <= 900
    for at, name in enumerate(board.types):
        best = page.query_selector_all(f'.tabulator-cell[tabulator-field="type{at}"] .best')
        top = max(row.by_type[name] for row in board.rows if row.by_type[name] is not None)
        assert [cell.inner_text() for cell in best] == [score_text(top, digits=1)]
    assert "paired difference" in page.inner_text(".note")
    assert "Borda" in page.get_attribute('.tabulator-col[tabulator-field="rank"] button', "aria-description")


def test_phone(page: Any, folder: Path) -> None:
    """At 390 px, rank, name and the mean with its bar fit the screen, and the page does not scroll sideways."""
    page.set_viewport_size({"width": 390, "height": 844})
    go(page, folder)
    for field in ("rank", "label", "mean"):
        box = page.query_selector(f'.tabulator-row .tabulator-cell[tabulator-field="{field}"]').bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["y"] + box["height"] <= 844
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_ranks_follow_the_view(page: Any, folder: Path, board: Leaderboard) -> None:
    """Words in any order and the largest size narrow the models; ranks and cards are those of the models left."""
    go(page, folder)
    page.fill("#search", "o org/")
    page.wait_for_timeout(400)
    assert column(page, "label") == [short(row.label) for row in board.rows]  # every name has both
    page.fill("#search", "d g org")
    page.wait_for_timeout(400)
    assert set(column(page, "label")) == {"good", "old"}
    left = [row for row in board.rows if row.label in ("org/good", "org/old")]
    names = [task.name for task in board.tasks]
    ranking = rank(
        np.array([[row.scores[name] for name in names] for row in left]), [task.type for task in board.tasks]
    )
    assert column(page, "rank") == [str(place) for place in sorted(ranking.rank.tolist())]
    assert "ranks are among these models" in page.inner_text("#status")
    assert "org/good" in page.inner_text(".card >> nth=0")
    page.click("text=Reset")
    page.wait_for_timeout(400)
    page.check("#open")
    page.wait_for_timeout(400)
    assert column(page, "label") == [short(row.label) for row in board.rows if row.label != "org/good"]
    assert "open=1" in page.url
    page.focus("#size")
    page.keyboard.press("Home")
    page.wait_for_timeout(400)
    assert column(page, "label") == ["best"]
    assert "size=" in page.url


def test_sort(page: Any, folder: Path) -> None:
    """A click on a header sorts, best first, and once more the other way; what is missing stays last both times."""
    go(page, folder)
    for expected in ("descending", "ascending"):
        page.click('.tabulator-col[tabulator-field="mean"] button')
        page.wait_for_timeout(250)
        shown = column(page, "mean")
        values = [float(text) for text in shown if text != "–"]
        assert values == sorted(values, reverse=expected == "descending")
        assert shown[-1] == "–"
        header = page.query_selector('.tabulator-col[tabulator-field="mean"]')
        assert header.get_attribute("aria-sort") == expected
    page.focus('.tabulator-col[tabulator-field="rank"] button')
    page.keyboard.press("Enter")
    page.wait_for_timeout(250)
    assert column(page, "rank") == ["1", "2", "3", "4", "5"]


def test_search_and_filters(page: Any, folder: Path, board: Leaderboard) -> None:
    """Search narrows the models, a type or language the tasks: a mean over these tasks appears and sorts."""
    go(page, folder)
    page.fill("#search", "goo")
    page.wait_for_timeout(250)
    assert column(page, "label") == ["good"]
    assert "1 of 5 models" in page.inner_text("#status")
    page.click("text=Reset")
    page.wait_for_timeout(300)
    assert len(column(page, "label")) == 5
    page.click("#types summary")
    page.check('#types input[value="Retrieval"]')
    page.wait_for_timeout(400)
    best = board.rows[0]
    mean = np.mean([best.scores[f"Search.v{n}"] for n in range(3)])
    assert column(page, "chosen")[0] == score_text(mean, digits=1)
    assert "3 of 8 tasks" in page.inner_text("#status")
    page.click("#languages summary")
    page.check('#languages input[value="eng-Latn"]')
    page.wait_for_timeout(400)
    assert "0 of 8 tasks" in page.inner_text("#status")


def test_common_tasks(page: Any, folder: Path, board: Leaderboard) -> None:
    """The switch ranks over the tasks that all of the shown models have, says so, and follows the search."""
    go(page, folder)
    page.check("#common")
    page.wait_for_timeout(400)
    shared = [task.name for task in board.tasks if all(task.name in row.scores for row in board.rows)]
    assert 0 < len(shared) < len(board.tasks)
    assert f"{len(shared)} of 8 tasks, those that all of these models have" in page.inner_text("#status")
    best = max(board.rows, key=lambda row: np.mean([row.scores[name] for name in shared]))
    assert column(page, "label")[0] == short(best.label)
    assert column(page, "chosen")[0] == score_text(float(np.mean([best.scores[name] for name in shared])), digits=1)
    page.fill("#search", "goo")
    page.wait_for_timeout(400)
    assert "8 of 8 tasks" in page.inner_text("#status")
    assert "common=1" in unquote(page.url)


def test_permalink(page: Any, folder: Path) -> None:
    """The address holds the view: opened again, it shows the same."""
    go(page, folder)
    page.click("#types summary")
    page.check('#types input[value="STS"]')
    page.wait_for_timeout(400)
    page.fill("#search", "o")
    page.check("#complete")
    page.click('.tabulator-col[tabulator-field="rank"] button')
    page.click("#theme")
    page.wait_for_timeout(400)
    address, seen = page.url, (column(page, "label"), column(page, "chosen"), page.inner_text("#status"))
    for part in ("types=STS", "search=o", "complete=1", "theme=dark"):
        assert part in unquote(address)
    go(page, folder, "#" + address.partition("#")[2])
    assert (column(page, "label"), column(page, "chosen"), page.inner_text("#status")) == seen
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_columns(page: Any, folder: Path) -> None:
    """Columns can be hidden and shown, tasks among them."""
    go(page, folder)
    page.click("#columns summary")
    page.uncheck('#columns input[value="mean_type"]')
    page.check('#columns input[value="task0"]')
    page.wait_for_timeout(400)
    assert not page.is_visible('.tabulator-col[tabulator-field="mean_type"]')
    assert "columns=" in page.url
    titles = page.evaluate(
        "[...document.querySelectorAll('.tabulator-col[tabulator-field=task0]')].map(e => e.style.display)"
    )
    assert titles != ["none"]


def test_dark(page: Any, folder: Path) -> None:
    """The button turns the page dark and back, and says so to a screen reader; text stays readable on its ground."""
    go(page, folder, "#theme=light")
    grounds = []
    for _ in range(2):
        page.click("#theme")
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert contrast(page) > 7
    assert len(set(grounds)) == 2
    assert page.get_attribute("#theme", "aria-pressed") == "false"


def contrast(page: Any) -> float:
    """Of the table's text on its ground, as WCAG 2 defines it."""
    colors = page.evaluate(
        "(() => { const row = getComputedStyle(document.querySelector('.tabulator-row'));"
        "return [row.color, row.backgroundColor]; })()"
    )

    def luminance(color: str) -> float:
        channels = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
        linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    light, dark = sorted(map(luminance, colors), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_hostile_names_stay_text(page: Any, folder: Path) -> None:
    """A model named like a script and a task with quotes are shown as they are, on every page, and nothing runs."""
    go(page, folder)
    assert short(f"org/{SCRIPT}") in column(page, "label")
    page.click(f".tabulator-cell a:text-is({json.dumps(short(f'org/{SCRIPT}'))})")
    page.wait_for_selector("#scores tbody tr")
    assert page.inner_text("h1") == f"org/{SCRIPT}"
    assert page.title().startswith(f"org/{SCRIPT}")
    page.click(f"#scores a:text-is({json.dumps(QUOTES)})")
    page.wait_for_selector("#scores tbody tr")
    assert page.inner_text("h1") == QUOTES
    assert f"org/{SCRIPT}" in page.inner_text("#scores")
    assert page.evaluate("document.querySelectorAll('main script, main b').length") == 0


def test_a_model_page(page: Any, folder: Path, board: Leaderboard) -> None:
    """Scores with places, the card block as YAML, the history of revisions."""
    import yaml

    go(page, folder)
    page.click('.tabulator-cell a:text-is("best")')
    page.wait_for_selector("#scores tbody tr")
    assert score_text(board.rows[0].scores["STS0"]) in page.inner_text("#scores tbody tr >> nth=0")
    assert "1 of 5" in page.inner_text("#scores")
    page.click("#card summary")
    (model,) = yaml.safe_load(page.inner_text("#card pre"))["model-index"]
    (result,) = model["results"]
    assert (model["name"], result["dataset"]["name"]) == ("best", f"MTEB {QUOTES}")
    assert result["metrics"] == [{"type": "v_measure", "value": pytest.approx(100 * board.rows[0].scores[QUOTES])}]
    history = page.inner_text("#history")
    assert "older" in history
    assert "2020-09-13" in history
    assert page.query_selector("#history .plot svg")


def test_a_task_page(page: Any, folder: Path, board: Leaderboard) -> None:
    """All models best first, those without a score last with the reason, the distribution drawn."""
    urls = Urls(board)
    task = next(task for task in board.tasks if task.name == "Topics")
    page.goto((folder / urls.task(task)).as_uri())
    page.wait_for_selector("#scores tbody tr")
    lines = [row.inner_text() for row in page.query_selector_all("#scores tbody tr")]
    scores = [float(line.split("\t")[2]) for line in lines[:4]]
    assert scores == sorted(scores, reverse=True)
    assert "org/partial" in lines[4]
    assert "not recorded" in lines[4]
    assert page.query_selector("#distribution svg")


def test_keyboard_and_screen_reader(page: Any, folder: Path) -> None:
    """The first stop is the way to the content; controls have names; the table has the roles of one."""
    go(page, folder)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    unnamed = page.evaluate(
        "[...document.querySelectorAll('header button, #controls input, #controls button, select')]"
        ".filter(e => !e.textContent && !e.labels?.length && !e.ariaLabel).length"
    )
    assert unnamed == 0
    assert page.query_selector("#board[role=grid], #board [role=grid]")
    assert page.query_selector("[role=columnheader]")


@pytest.mark.parametrize("kind", ["board", "models", "tasks"])
def test_roles(page: Any, folder: Path, kind: str) -> None:
    """As axe asks: a grid owns only rows, what scrolls takes the focus, what has a label has a role."""
    page.set_viewport_size({"width": 390, "height": 844})
    if kind == "board":
        go(page, folder)
    else:
        page.goto(sorted((folder / kind).iterdir())[0].as_uri())
        page.wait_for_selector("#scores tbody tr")
    wrong = page.evaluate(
        """() => [...document.querySelectorAll("main *")].filter((element) => {
          const style = getComputedStyle(element);
          const scrolls = [style.overflowX, style.overflowY].some((value) => ["auto", "scroll"].includes(value)) &&
            (element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight);
          const focusable = element.tabIndex >= 0 || element.querySelector("a, button, input, [tabindex]");
          const labelled = element.matches("g[aria-label]:not([role])");
          const stray = element.matches("[role=grid] > :not([role=rowgroup])");
          return (scrolls && !focusable) || labelled || stray;
        }).map((element) => element.outerHTML.slice(0, 100))"""
    )
    assert wrong == []
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((heading) => Number(heading.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_without_scripts(browser: Any, folder: Path) -> None:
    """A browser without scripts shows the board as a plain table."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "index.html").as_uri())
    assert page.inner_text("#board tbody tr >> nth=0").split("\t")[:2] == ["1", "org/best"]
    context.close()


def test_print(page: Any, folder: Path) -> None:
    """Printed, the page holds the table and leaves the controls out."""
    go(page, folder)
    page.emulate_media(media="print")
    assert not page.is_visible("#controls")
    assert not page.is_visible("#theme")
    assert page.pdf()[:4] == b"%PDF"


class TestFiles:
    def test_the_same_results_give_the_same_bytes(self, board: Leaderboard, tmp_path: Path) -> None:
        """Written again, nothing changes; written elsewhere, every byte is the same."""
        first = site.write(board, tmp_path / "one")
        assert site.write(board, tmp_path / "one") == (first.pages, 0, 0)
        site.write(board, tmp_path / "two")
        contents = [
            {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}
            for place in (tmp_path / "one", tmp_path / "two")
        ]
        assert contents[0] == contents[1]
        assert len(contents[0]) > 20

    def test_pages_that_are_gone_are_removed(self, board: Leaderboard, tmp_path: Path) -> None:
        """A model that left the board leaves the site; files that are not the site's stay."""
        import dataclasses

        site.write(board, tmp_path)
        (tmp_path / "CNAME").write_text("example.org")
        fewer = dataclasses.replace(board, rows=board.rows[:-1])
        assert site.write(fewer, tmp_path).removed == 1
        assert len(list((tmp_path / "models").iterdir())) == 4
        assert (tmp_path / "CNAME").exists()

    def test_a_folder_of_somebody_else(self, board: Leaderboard, tmp_path: Path) -> None:
        """A folder with pages of others, or a list that points outside, is left alone."""
        (tmp_path / "index.html").write_text("mine")
        with pytest.raises(HarnessError, match="not a site of ours"):
            site.write(board, tmp_path)
        assert (tmp_path / "index.html").read_text() == "mine"
        place = tmp_path / "other"
        place.mkdir()
        outside = tmp_path / "precious"
        outside.write_text("keep")
        (place / "site.json").write_text(json.dumps({"files": ["../precious", str(outside)]}))
        site.write(board, place)
        assert outside.exists()

    def test_downloads(self, board: Leaderboard, folder: Path) -> None:
        """CSV, JSON and Parquet hold every model and every task's score at full precision."""
        import csv

        from pyarrow import parquet

        with (folder / "board.csv").open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        whole = json.loads((folder / "board.json").read_text(encoding="utf-8"))
        table = parquet.read_table(folder / "board.parquet").to_pylist()
        for at, row in enumerate(board.rows):
            for task, score in row.scores.items():
                assert float(lines[at][f"task:{task}"]) == whole["models"][at]["scores"][task] == score
                assert table[at][f"task:{task}"] == score
        partial = next(at for at, row in enumerate(board.rows) if row.label == "org/partial")
        assert lines[partial]["mean_task"] == ""
        assert table[partial]["mean_task"] is None

    def test_size(self, tmp_path: Path) -> None:
        """100 models on 50 tasks take less than 2 MB besides the libraries."""
        site.write(boards.synthetic(models=100, tasks=50), tmp_path)
        files = [path for path in tmp_path.rglob("*") if path.is_file() and "vendor" not in path.parts]
        assert len(files) > 150
        assert sum(path.stat().st_size for path in files) < 2_000_000
