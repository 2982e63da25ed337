"""`harness leaderboard` and `harness compare` from the shell: what they print, what they refuse, what they import."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.evaluators.items import values
from harness.results import put
from harness.types import Part, Record
from tests import boards
from tests.conftest import ROOT, environment

CASES = Path(__file__).parents[1] / "cases"
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two models on three tasks of the suite mini."""
    for number, task in enumerate(("MiniSTSEnglish", "MiniSTSGerman", "MiniSTSSpanish")):
        boards.put(tmp_path / "results", "org/a", task, 0.5 + number / 10)
        boards.put(tmp_path / "results", "org/b", task, 0.4 + number / 10)
    return tmp_path / "results"


def test_the_public_benchmark(harness: Command, shared: Path) -> None:
    """The suite on the public slice: 73 models ranked, the incomplete named with what they lack, one file remarked."""
    done = harness("leaderboard", "--results", str(shared / "public-results"), "--suite", "MTEB(eng, v2)")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split("  ")[0] == "Rank (Borda)"
    assert lines[2].split()[:3] == ["1", "jcorners/ingot-8b-r3", "75.98"]
    assert sum(line.lstrip()[:1].isdigit() and "/" in line for line in lines[2:75]) == 73
    assert "18 of 73 models lack tasks" in done.stdout
    assert "  avsolatorio/NoInstruct-small-Embedding-v0: MTOPDomainClassification: lacks test/en" in lines
    assert "left out" not in done.stderr
    assert "GermanSTSBenchmark.json: split 'test', subset 'default' stands 2 times" in done.stderr


def test_several_folders(harness: Command, results: Path, tmp_path: Path) -> None:
    """Own and other results together; a clone of the public repository is looked into."""
    boards.put(tmp_path / "clone" / "results", "org/public", "MiniSTSEnglish", 0.9)
    done = harness(
        *("leaderboard", "--results", str(results), "--results", str(tmp_path / "clone")),
        *("-t", "MiniSTSEnglish", "--format", "json"),
    )
    assert [model["model"] for model in json.loads(done.stdout)["models"]] == ["org/public", "org/a", "org/b"]


def test_every_recorded_task(harness: Command, results: Path) -> None:
    """Without a suite or tasks, all that is recorded counts: also a task that only mteb knows, or nobody."""
    boards.put(results, "org/a", "NoSuchTask", 0.5)
    boards.put(results, "org/a", "SummEval", 0.5)
    done = harness("leaderboard", "--format", "json")
    types = {task["name"]: task["type"] for task in json.loads(done.stdout)["tasks"]}
    assert types["NoSuchTask"] == "Unknown"
    assert types["SummEval"] == "Summarization"
    assert types["MiniSTSEnglish"] == "STS"


def test_outputs(harness: Command, results: Path, tmp_path: Path) -> None:
    """A file instead of the screen; Parquet; a site that says where it lies; the same again changes nothing."""
    done = harness("leaderboard", "--format", "csv", "--output", "out/board.csv")
    assert done.stdout == "wrote out/board.csv\n"
    assert (tmp_path / "out" / "board.csv").read_text().startswith("rank_borda,model,")
    assert harness("leaderboard", "--format", "parquet", "--output", "board.parquet").returncode == 0
    assert (tmp_path / "board.parquet").read_bytes()[:4] == b"PAR1"
    done = harness("leaderboard", "--site", "site")
    assert done.stdout == f"6 pages in site; open {Path('site') / 'index.html'}\n"
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "site").rglob("*")}
    harness("leaderboard", "--site", "site")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "site").rglob("*")} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--results", "nowhere"), "no results folder nowhere"),
        (("--suite", "minni"), "did you mean mini"),
        (("-t", "MiniSTSEnglsh"), "did you mean MiniSTSEnglish"),
        (("org/c",), "no recorded model named 'org/c'"),
        (("--sort", "Mean(Task)"), "did you mean Mean (Task)"),
        (("--format", "parquet"), "--output FILE"),
        (("--types", "Retrieval"), "no task type named 'Retrieval'"),
        (("--suite", "mini", "--types", "Retrieval"), "no record fits"),
        (("--site", "results"), "not a site of ours"),
    ],
)
def test_bad_requests(harness: Command, results: Path, arguments: tuple[str, ...], message: str) -> None:
    """Each wrong request is one line, exit 2, no traceback."""
    (results / "page.html").write_text("")
    done = harness("leaderboard", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_empty_folder(harness: Command, tmp_path: Path) -> None:
    """No record at all: what to do next."""
    (tmp_path / "results").mkdir()
    done = harness("leaderboard")
    assert (done.returncode, "run `harness run` first" in done.stderr) == (2, True)


def test_hostile_files(harness: Command, results: Path) -> None:
    """Truncated, foreign, huge, future and misplaced files are reported, and the board still stands."""
    place = results / "org__a" / "r1"
    boards.write(place / "Cut.json", '{"task_name": "Cut", "scores"')
    boards.write(place / "Foreign.json", '{"name": "package", "version": "1.0.0"}')
    boards.write(place / "Types.json", json.dumps(boards.document("Types", 0.5)).replace("0.5", '"a"'))
    boards.write(place / "Future.json", json.dumps(boards.document("Future", 0.5, harness={"schema": 99})))
    boards.write(results / "stray.json", "{}")
    with (place / "Huge.json").open("wb") as file:
        file.truncate(100 * 2**20)
    boards.put(results, "org/evil", "../../../../tmp/escape".replace("/", "_"), 0.5)
    document = boards.document("../../etc/passwd", 0.5)
    boards.write(results / "org__evil" / "r1" / "Passwd.json", json.dumps(document))
    done = harness("leaderboard", "--suite", "mini")
    assert done.returncode == 0
    assert done.stderr.count("left out") == 6
    for name in ("Cut", "Foreign", "Types", "Future", "stray", "Huge"):
        assert f"{name}.json: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "org/a" in done.stdout
    site = harness("leaderboard", "--site", "site")
    assert site.returncode == 0
    assert all(".." not in path.name for path in (results.parent / "site").rglob("*"))


def test_formats() -> None:
    """The command offers every format that there is."""
    from harness.cli import leaderboard
    from harness.outputs import leaderboard_text

    assert leaderboard.FORMATS == leaderboard_text.FORMATS


def test_nothing_heavy_is_imported(results: Path, tmp_path: Path) -> None:
    """A leaderboard needs neither torch nor mteb nor datasets, sklearn, scipy or pandas; its help not even numpy."""
    code = """
import sys
from harness.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
heavy = {"torch", "mteb", "datasets", "sklearn", "scipy", "pandas", "huggingface_hub", "numpy", "jinja2", "pyarrow"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    for arguments, expected in ((["leaderboard", "--help"], "[]"), (["leaderboard", "--suite", "mini"], "['numpy']")):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.stderr.splitlines()[-1] == expected


class TestCompare:
    def test_models_with_items(self, harness: Command, tmp_path: Path) -> None:
        """Per task and overall verdicts, and the texts of the items that each does better."""
        for model, level in (("org/a", 0.75), ("org/b", 0.5)):
            own = values([level, level, 0.25 if model == "org/a" else 0.5], metric="ndcg_at_10", unit="query")
            record = Record(
                task="MiniAnswersEnglish",
                model=model,
                revision="r",
                dataset_revision="1",
                scores={"test": [{"main_score": own.whole(), "hf_subset": "default", "languages": []}]},
                harness={"fingerprint": model, "task_type": "Retrieval", "parts": {"test": {"seconds": {}}}},
            )
            put(tmp_path / "results", record, model_meta={}, items={Part("test", "default"): own})
        done = harness("compare", "org/a", "org/b", "--items", "2", "-t", "MiniAnswersEnglish")
        assert done.returncode == 0, done.stderr
        assert "MiniAnswersEnglish  58.33  50.00  +8.33" in done.stdout
        better_a, better_b = done.stdout.partition("better with A:")[2].split("better with B:")
        assert "+25.00  [1] " in better_a
        assert "-25.00  [2] " in better_b
        assert "how does compound interest work" in better_a

    def test_models_without_items(self, harness: Command) -> None:
        """The committed reference run: tasks alone are compared, and it is said why there is no test per task."""
        arguments = ("compare", "bundled/all-MiniLM-L6-v2", "baseline/hashing", "--suite", "mini")
        done = harness(*arguments, "--results", str(ROOT / "results"))
        assert done.returncode == 0, done.stderr
        assert "Mean over 15 tasks: A 53.88, B 39.96, A - B +13.93" in done.stdout
        assert "A is better: by 13.93 points on average over 15 tasks (95% on similar tasks: " in done.stdout
        document = json.loads(harness(*arguments, "--json", "--results", str(ROOT / "results")).stdout)
        assert document["overall"]["p"] < 0.05
        assert len(document["tasks"]) == 15

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (("org/a", "org/c"), "no recorded model named 'org/c'"),
            (("org/a@r9", "org/b"), "no recorded revision of org/a named 'r9'; known: r1, r2"),
            (("org/a@r", "org/b"), "fits 2 recorded revisions; name one of org/a@r1, org/a@r2"),
        ],
    )
    def test_bad_names(self, harness: Command, results: Path, names: tuple[str, str], message: str) -> None:
        """An unknown model or an ambiguous revision is one clear error."""
        boards.put(results, "org/a", "MiniSTSEnglish", 0.1, revision="r2")
        done = harness("compare", *names)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr

    def test_two_revisions_of_one_model(self, harness: Command, results: Path) -> None:
        """MODEL@REVISION tells the runs of one model apart."""
        boards.put(results, "org/a", "MiniSTSEnglish", 0.1, revision="r2")
        done = harness("compare", "org/a@r1", "org/a@r2")
        assert "MiniSTSEnglish  50.00  10.00  +40.00" in done.stdout
        assert "Only A has MiniSTSGerman, MiniSTSSpanish." in done.stdout


def test_a_model_without_a_main_score_is_named(harness: Command) -> None:
    """A model whose only record has no main score stands under the table with the reason, in JSON too; alone, or
    beside models that lack its task, it is named as well.
    """
    folder = CASES / "nan_main" / "results"
    done = harness("leaderboard", "--results", str(folder), "-t", "STSBenchmark")
    assert "so no row: me/b (STSBenchmark: no main score for test)." in done.stdout
    content = json.loads(harness("leaderboard", "--results", str(folder), "--format", "json").stdout)
    assert content["without_row"] == {"me/b": {"STSBenchmark": "no main score for test"}}
    alone = harness("leaderboard", "me/b", "--results", str(folder))
    assert alone.returncode == 2
    assert "me/b (STSBenchmark: no main score)" in alone.stderr


def test_a_model_is_named_though_its_task_is_not_counted(harness: Command, results: Path) -> None:
    """A task for which no record has a main score is not counted, and the model that has it is named."""
    part = {Part("test", "default"): float("nan")}
    boards.put(results, "org/c", "MiniSTSFrench", part)
    done = harness("leaderboard", "--results", str(results))
    assert "so no row: org/c (MiniSTSFrench: no main score)." in done.stdout


def test_what_is_no_record_is_named(harness: Command, tmp_path: Path) -> None:
    """Where there is no record, a truncated file and a link to another place are named, with the reasons."""
    done = harness("leaderboard", "--results", str(CASES / "only_broken" / "results"))
    assert done.returncode == 2
    assert "no record in " in done.stderr
    assert "STSBenchmark.json: " in done.stderr
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "me__a").symlink_to(CASES / "nan_main" / "results" / "me__a")
    done = harness("leaderboard", "--results", str(folder))
    assert done.returncode == 2
    assert f"left out {folder / 'me__a'}: a symbolic link to a place outside the results folder" in done.stderr
