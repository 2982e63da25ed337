"""The command and the Python call, as a user meets them."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import harness as api
from harness.files import available_memory
from harness.types import Part, Record
from tests.conftest import ROOT, environment
from tests.tiny import save_sentence_transformer

from .conftest import GOOD, Said, Tasks, jsonl

Command = Callable[..., Said]
HEAVY = ("torch", "mteb", "datasets", "sklearn", "scipy", "transformers", "sentence_transformers", "huggingface_hub")


def records(folder: Path) -> dict[str, Record]:
    """Task -> record; every file must be one."""
    loaded = api.load_results(folder)
    assert not loaded.refused
    return {record.task: record for record in loaded}


def statuses(said: Said) -> dict[str, str]:
    return {cell["task"]: cell["status"] for cell in json.loads(said.out)["cells"]}


def vectors(texts: list[str]) -> np.ndarray[Any, Any]:
    """Any fixed function of the text."""
    return np.array([[1 + len(text), sum(map(ord, text)) % 17, text.count("a")] for text in texts], dtype=np.float32)


# --- starting up -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["tasks", "list", "--json"],
        ["tasks", "show", "SciFact"],
        ["tasks", "check"],
        ["models", "list"],
        ["suites"],
        ["suites", "mini"],
        ["table"],
        ["run", "baseline/hashing", "-t", "MiniAnswersGerman", "--plan"],
    ],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(
    arguments: list[str], command: Command, results: Path, tmp_path: Path
) -> None:
    """Commands that encode nothing leave torch, mteb, datasets, scikit-learn and scipy alone."""
    if arguments == ["table"]:
        assert command("run", "baseline/hashing", "-t", "MiniSTSGerman").status == 0
    program = (
        "import sys\nfrom harness import cli\n"
        "try:\n    status = cli.main(sys.argv[1:])\nexcept SystemExit as leaving:\n    status = leaving.code\n"
        f"print(status or 0, *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment(tmp_path, HARNESS_RESULTS=str(results)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "0\n"
    assert done.stdout


def test_the_name_run_is_the_function(tmp_path: Path) -> None:
    """`harness.run` is the function, however often it is used and whatever of the package was imported before."""
    program = (
        "import harness, harness.cli, harness.runner.execution, harness.results\n"
        "f = lambda texts: [[len(text), 1.0] for text in texts]\n"
        "for _ in range(2):\n    [record] = harness.run(f, 'MiniAnswersGerman', results='r')\nprint(record.task)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(tmp_path), cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "MiniAnswersGerman\n"), done.stderr


def test_version(command: Command) -> None:
    """`--version` prints the package's version."""
    said = command("--version")
    assert (said.status, said.out) == (0, f"embedding-harness {api.__version__}\n")


def test_a_reader_that_leaves(tmp_path: Path) -> None:
    """As in `harness tasks list | head`: a closed pipe is no error and no traceback."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "harness", "tasks", "list"],
        stdout=write,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
        text=True,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


# --- tasks and suites ------------------------------------------------------------------------------------------------


def test_the_repository_s_own_files_are_sound(command: Command) -> None:
    """`harness tasks check` passes on every task and suite that is shipped."""
    said = command("tasks", "check")
    count = len([file for file in (ROOT / "tasks").rglob("*.yaml") if "data" not in file.parts])
    assert (said.status, said.out) == (0, f"{count} files, 0 defective\n")


def test_listing_tasks(command: Command) -> None:
    """`tasks list` narrows by type and language; `--json` gives the same tasks as data."""
    args = ("tasks", "list", "--types", "STS,Retrieval", "--languages", "de")
    listed = json.loads(command(*args, "--json").out)
    assert {"MiniSTSGerman", "MiniAnswersGerman", "GermanSTSBenchmark"} <= {task["name"] for task in listed}
    assert {task["type"] for task in listed} == {"STS", "Retrieval"}
    assert all("deu-Latn" in task["languages"] for task in listed)
    said = command(*args)
    assert said.out.endswith(f"\n{len(listed)} tasks\n")
    assert [line.split()[0] for line in said.out.splitlines()[2:-2]] == [task["name"] for task in listed]
    unknown = command("tasks", "list", "--languages", "de,xx")
    assert (unknown.status, unknown.out) == (2, "")
    assert "no language of these tasks named 'xx'" in unknown.err
    wrong = command("tasks", "list", "--types", "Retrival")
    assert wrong.status == 2
    assert "did you mean Retrieval or Any2AnyRetrieval?" in wrong.err


def test_showing_a_task(command: Command) -> None:
    """`tasks show` prints a spec that is the file's content again."""
    shown = yaml.safe_load(command("tasks", "show", "MiniTopicsGerman").out)
    assert shown == yaml.safe_load((ROOT / "tasks/mini/MiniTopicsGerman.yaml").read_text(encoding="utf-8"))


def test_a_plan_of_many_parts_is_short(command: Command) -> None:
    """A task with thousands of parts is one row of the plan, in which each text counts once; `--json` has each part."""
    plan = ("run", "baseline/hashing", "-t", "FloresBitextMining,MiniSTSGerman", "--plan")
    lines = command(*plan).out.splitlines()
    [row] = [line.split() for line in lines if "FloresBitextMining" in line]
    assert row[2:5] == ["41,412", "parts", str(204 * 1012)]
    assert len(json.loads(command(*plan, "--json").out)) == 41_413


def test_finding_tasks_of_a_benchmark(command: Command) -> None:
    """`tasks list --suite` lists a benchmark's tasks, narrowed by licence and size; `tasks show` names its suites."""
    everything = json.loads(command("tasks", "list", "--suite", "MTEB(eng, v2)", "--json").out)
    assert len(everything) == 41
    free = json.loads(command("tasks", "list", "--suite", "MTEB(eng, v2)", "--license", "mit", "--json").out)
    assert {task["license"] for task in free} == {"mit"}
    small = json.loads(command("tasks", "list", "--suite", "MTEB(eng, v2)", "--max-tokens", "6000", "--json").out)
    assert [task["name"] for task in small] != []
    assert {task["name"] for task in small} < {task["name"] for task in everything}
    assert "did you mean mit" in command("tasks", "list", "--license", "mti").err
    shown = command("tasks", "show", "STSBenchmark").out
    assert "# Size: 1 part, about 2,758 texts to encode" in shown
    assert "MTEB(eng, v2)" in shown.split("# Suites: ")[1].splitlines()[0]
    example = command("tasks", "show", "MiniSTSEnglish", "--example").out
    assert '#   left: "' in example


def test_suites(command: Command) -> None:
    """`suites` lists them, `suites NAME` its tasks, `--json` both as data."""
    assert "mini " in command("suites").out
    [mini] = json.loads(command("suites", "mini", "--json").out)
    assert len(mini["tasks"]) == 15
    shown = command("suites", "mini").out
    assert all(f"\n{task} " in shown for task in mini["tasks"])
    assert "15 tasks, 15 parts: about " in shown
    [english] = json.loads(command("suites", "show", "mteb-eng-v2", "--json").out)
    assert english["name"] == "MTEB(eng, v2)"
    assert command("suites", "MTEB(eng,v2)").out == command("suites", "MTEB(eng, v2)").out
    assert "did you mean MTEB(eng, v2)" in command("suites", "MTEB(eng, v22)").err


# --- what is run -----------------------------------------------------------------------------------------------------


@pytest.fixture
def three(tasks: Tasks) -> list[str]:
    """Arguments for three private tasks: two splits; two languages; German only. And a suite of parts of them."""
    tasks.write("Splits", "Retrieval", splits=["dev", "test"])
    tasks.write("Languages", "Retrieval", subsets={"de": ["deu-Latn"], "en": ["eng-Latn"]})
    tasks.write("German", "Retrieval", subsets={"default": ["deu-Latn"]})
    data = Path(tasks.path) / "data" / "Languages"
    for subset in ("de", "en"):
        (data / subset).mkdir()
        for file, rows in GOOD["Retrieval"].items():
            (data / subset / file).write_text(jsonl(rows))
    suites = Path(tasks.path) / "suites"
    suites.mkdir()
    (suites / "two.yaml").write_text(
        "name: two\ndescription: Two tasks.\ntasks:\n- German\n- {task: Languages, subsets: [en]}\n"
    )
    return ["run", "baseline/hashing", "--tasks-dir", tasks.path]


ALL = "Splits,Languages,German"


@pytest.mark.parametrize(
    ("arguments", "cells"),
    [
        (["-t", "Splits", "-t", "German"], ["Splits dev", "Splits test", "German test"]),
        (["-t", ALL, "--splits", "dev"], ["Splits dev"]),
        (["-t", ALL, "--languages", "de"], ["Languages test/de", "German test"]),
        (["-t", ALL, "--languages", "deu-Latn"], ["Languages test/de", "German test"]),
        (["-t", ALL, "--languages", "eng", "--splits", "test"], ["Splits test", "Languages test/en"]),
        (["--suite", "two"], ["German test", "Languages test/en"]),
        (["--suite", "two", "--languages", "de"], ["German test"]),
        (["--suite", "two", "-t", "Splits", "--splits", "test"], ["Splits test", "German test", "Languages test/en"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_selection(command: Command, three: list[str], results: Path, arguments: list[str], cells: list[str]) -> None:
    """-t, --suite, --splits and --languages choose the same cells in a plan and in a run, and nothing else is run."""
    planned = json.loads(command(*three, *arguments, "--plan", "--json").out)
    assert [f"{row['task']} {row['part']}" for row in planned] == cells
    assert {row["status"] for row in planned} == {"not recorded yet"}
    assert not results.exists()
    said = command(*three, *arguments)
    assert said.status == 0
    found = [f"{task} {part}" for task, record in records(results).items() for part in record.parts]
    assert sorted(found) == sorted(cells)


def test_a_choice_that_leaves_nothing(command: Command, three: list[str]) -> None:
    """A split and a language that exist but never together are refused."""
    said = command(*three, "-t", "Splits,German", "--splits", "dev", "--languages", "de")
    assert said.status == 2
    assert "no part of the tasks fits all the filters together" in said.err


def test_the_plan(command: Command, three: list[str], results: Path) -> None:
    """--plan counts texts and tokens of what is still to run, says what is recorded, and runs nothing."""
    assert command(*three, "-t", "German").status == 0
    before = {path: path.read_bytes() for path in results.rglob("*.json")}
    said = command(*three[:2], "baseline/bm25", *three[2:], "-t", "German,Splits,MiniSTSGerman", "--plan")
    assert said.status == 0
    rows = [line.split() for line in said.out.splitlines()]
    without_seconds = [row[:5] + row[6:] for row in rows]
    assert ["baseline/hashing", "German", "test", "8", "40", "none", "recorded"] in without_seconds
    assert ["baseline/bm25", "German", "test", "8", "40", "none", "not", "recorded", "yet"] in without_seconds
    assert [*rows[9][:2], *rows[9][-3:]] == ["baseline/bm25", "MiniSTSGerman", "does", "not", "apply"]
    assert "6 of 8 cells to run" in said.out
    assert {path: path.read_bytes() for path in results.rglob("*.json")} == before


def test_the_plan_warns_of_memory(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task whose texts and vectors may not fit is named in one sentence, which refuses nothing."""
    folder = save_sentence_transformer(tmp_path / "model")
    asked = ("run", str(folder), "-t", "MindSmallReranking,SciFact", "--plan")
    monkeypatch.setattr(available_memory, "available_bytes", lambda: 2 << 30)
    said = command(*asked)
    assert said.status == 0
    (line,) = [line for line in said.out.splitlines() if line.startswith("memory: ")]
    assert re.fullmatch(
        r"memory: texts and vectors of MindSmallReranking \(about 3 GiB\) may not fit .* 2 GiB .*", line
    )
    sizes = {row["task"]: row["memory_mib"] for row in json.loads(command(*asked, "--json").out)}
    assert sizes["SciFact"] < 100 < 2048 < sizes["MindSmallReranking"] < 4096
    for available in (1 << 40, None):
        monkeypatch.setattr(available_memory, "available_bytes", lambda available=available: available)
        assert "memory: " not in command(*asked).out


@pytest.mark.parametrize("how", [[], ["--plan"], ["--json"], ["--json", "--plan"]])
def test_nothing_that_was_asked_for_applies(how: list[str], command: Command) -> None:
    """A model that can do none of the tasks ends with 2 and the reason, which JSON holds too; Python raises it."""
    said = command("run", "baseline/bm25", "-t", "MiniSTSGerman,MiniSTSEnglish", *how)
    assert said.status == 2
    reason = "nothing to measure: baseline/bm25: BM25 ranks documents; it has no vectors; left out 2 tasks"
    assert said.err == f"harness: {reason}\n"
    assert said.out.count("does not apply" if "--plan" in how else "inapplicable") == (2 if how else 0)
    with pytest.raises(api.HarnessError, match=reason):
        api.run("baseline/bm25", ["MiniSTSGerman", "MiniSTSEnglish"])


def test_a_plan_of_data_that_is_not_here(command: Command) -> None:
    """The size of a hub task comes from mteb's published statistics: nothing is downloaded for a plan."""
    [row] = json.loads(command("run", "baseline/hashing", "-t", "SciFact", "--plan", "--json").out)
    assert row["texts"] == 5183 + 300
    assert row["tokens"] > 1_000_000


def test_json(command: Command, three: list[str], results: Path) -> None:
    """--json prints one JSON value and nothing else, on stdout or stderr; its scores are those of the record."""
    said = command(*three[:2], "baseline/bm25", *three[2:], "-t", "German,MiniSTSGerman", "--json")
    assert (said.status, said.err) == (0, "")
    answer = json.loads(said.out)
    assert answer["results"] == str(results)
    assert [(cell["model"], cell["task"], cell["status"]) for cell in answer["cells"]] == [
        ("baseline/hashing", "German", "recorded"),
        ("baseline/hashing", "MiniSTSGerman", "recorded"),
        ("baseline/bm25", "German", "recorded"),
        ("baseline/bm25", "MiniSTSGerman", "inapplicable"),
    ]
    for cell in answer["cells"][:3]:
        written = json.loads(Path(cell["record"]).read_text())
        assert cell["scores"] == {"test": written["scores"]["test"][0]["main_score"]}


def test_what_is_recorded_is_kept(command: Command, three: list[str], results: Path) -> None:
    """A second run computes nothing and says so; --overwrite computes again, to the same scores."""
    assert "1 computed, 0 already recorded" in command(*three, "-t", "German").out
    [path] = results.rglob("German.json")
    first = path.read_text()
    again = command(*three, "-t", "German")
    assert again.status == 0
    assert "kept baseline/hashing German: recorded with the same fingerprint" in again.err
    assert "0 computed, 1 already recorded, 0 failed" in again.out
    assert path.read_text() == first
    over = command(*three, "-t", "German", "--overwrite")
    assert "1 computed, 0 already recorded" in over.out
    assert json.loads(path.read_text())["date"] > json.loads(first)["date"]
    assert json.loads(path.read_text())["scores"] == json.loads(first)["scores"]


def test_more_parts_of_a_recorded_task(command: Command, three: list[str], results: Path) -> None:
    """Parts are added to the record that is there; those it holds are not computed again."""
    assert command(*three, "-t", "Languages", "--languages", "de").status == 0
    said = command(*three, "-t", "Languages")
    assert "kept baseline/hashing Languages (1 of 2 parts): recorded with the same fingerprint" in said.err
    assert "1 computed, 1 already recorded" in said.out
    assert set(records(results)["Languages"].parts) == {Part("test", "de"), Part("test", "en")}


@pytest.mark.parametrize(
    ("changes", "files", "is_rerun"),
    [
        ({"settings": {"k_values": [1, 10]}}, {}, True),
        ({"main_metric": "recall_at_10"}, {}, True),
        ({}, {"queries.jsonl": [{"_id": "q0", "text": "rain"}, {"_id": "q1", "text": "oil and salt"}]}, True),
        ({"description": "Other words for the same task."}, {}, False),
        ({"subsets": {"default": ["deu-Latn"]}}, {}, False),
    ],
    ids=["settings", "main metric", "data", "description", "languages"],
)
def test_a_changed_task_is_run_again(
    command: Command, tasks: Tasks, results: Path, changes: dict[str, Any], files: dict[str, Any], is_rerun: bool
) -> None:
    """A record is out of date when the settings or the data changed, and not when only a description did."""
    arguments = ["run", "baseline/hashing", "-t", "Mine", "--tasks-dir", tasks.path, "--json"]
    tasks.write("Mine", "Retrieval")
    assert statuses(command(*arguments)) == {"Mine": "recorded"}
    tasks.write("Mine", "Retrieval", files, **changes)
    [row] = json.loads(command(*arguments, "--plan").out)
    assert row["status"] == ("the recorded settings differ" if is_rerun else "recorded")
    assert statuses(command(*arguments)) == {"Mine": "recorded" if is_rerun else "kept"}
    assert statuses(command(*arguments)) == {"Mine": "kept"}
    assert set(records(results)) == {"Mine"}


def test_another_program_s_record_is_not_trusted(command: Command, three: list[str], results: Path) -> None:
    """A record without a fingerprint, such as mteb's own, is shown as such in a plan and replaced by a run."""
    assert command(*three, "-t", "German").status == 0
    [path] = results.rglob("German.json")
    content = json.loads(path.read_text())
    del content["harness"]
    path.write_text(json.dumps(content))
    [row] = json.loads(command(*three, "-t", "German", "--plan", "--json").out)
    assert row["status"] == "the record was written by another program"
    assert statuses(command(*three, "-t", "German", "--json")) == {"German": "recorded"}


def test_bm25_only_searches(command: Command, three: list[str], results: Path) -> None:
    """A model without vectors runs the retrieval tasks; the others are left out, with the reason, and exit 0."""
    said = command("run", "baseline/bm25", *three[2:], "-t", "German,MiniSTSGerman,MiniPairsGerman")
    assert said.status == 0
    assert "baseline/bm25: BM25 ranks documents; it has no vectors; left out 2 tasks" in said.out
    assert "[1/1 " in said.err
    assert set(records(results)) == {"German"}


def test_progress_on_a_terminal(tasks: Tasks, tmp_path: Path) -> None:
    """With a terminal on stderr there is a live line and a line for each result; stdout holds the report alone."""
    tasks.write("Bad", "Retrieval", {"corpus.jsonl": ""})
    tasks.write("Mine", "Retrieval")
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def drain() -> None:
        try:
            while chunk := os.read(ours, 4096):
                shown.append(chunk)
        except OSError:  # how Linux says that the other end is closed
            return

    reader = threading.Thread(target=drain)
    reader.start()
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "baseline/hashing", "-t", "Bad,Mine", "--tasks-dir", tasks.path],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment(tmp_path, TERM="xterm", COLUMNS="200"),
        text=True,
        check=False,
    )
    os.close(theirs)
    reader.join()
    os.close(ours)
    text = b"".join(shown).decode()
    assert done.returncode == 1
    assert "baseline/hashing Mine test: ndcg_at_10 " in text
    assert "FAILED baseline/hashing Bad test: " in text
    assert "1 computed, 0 already recorded, 1 failed" in done.stdout
    assert "\x1b" not in done.stdout


# --- tables ----------------------------------------------------------------------------------------------------------


def test_a_table_of_records(command: Command, three: list[str]) -> None:
    """`table` compares recorded models on chosen tasks, in every format, with the main or another metric."""
    assert command(*three[:2], "baseline/bm25", *three[2:], "--suite", "two").status == 0
    rows = json.loads(command("table", "--tasks-dir", three[-1], "--format", "json").out)
    assert [row["model"] for row in rows] == ["baseline/bm25", "baseline/hashing"]
    assert all(set(row["scores"]) == {"German", "Languages"} for row in rows)
    args = ["table", "baseline/hashing", "-t", "German", "--tasks-dir", three[-1]]
    [row] = json.loads(command(*args, "--metric", "recall_at_1", "--format", "json").out)
    assert row["scores"] == {"German": row["mean"]}
    assert command(*args, "--digits", "2", "--format", "markdown").out.startswith("| Model")
    for style in ("table", "csv", "latex"):
        said = command(*args, "--format", style)
        assert (said.status, said.err) == (0, "")
        assert "German" in said.out


def test_a_table_says_what_is_missing(command: Command, three: list[str], results: Path) -> None:
    """Tasks that nobody has, and files that are no records, are named on stderr; the rest is shown."""
    assert command(*three, "-t", "German").status == 0
    (results / "baseline__hashing" / "1" / "Broken.json").write_text("{")
    said = command("table", "-t", "German,MiniSTSGerman", "--tasks-dir", three[-1])
    assert said.status == 0
    assert "not recorded for any model: MiniSTSGerman" in said.err
    assert "left out" in said.err
    assert "Broken.json" in said.err
    assert "German" in said.out


# --- the bundled model -----------------------------------------------------------------------------------------------


def test_experiments_stand_beside_the_plain_record(
    command: Command, tasks: Tasks, results: Path, bundled: Path
) -> None:
    """Half precision and a shorter maximum length get records of their own and leave the plain one as it was."""
    tasks.write("Mine", "Retrieval")
    arguments = ["run", "-t", "Mine", "--tasks-dir", tasks.path]
    said = command(*arguments)
    assert said.status == 0, said.out
    [folder] = results.glob("bundled__all-MiniLM-L6-v2/*/")
    plain = (folder / "Mine.json").read_text()
    content = json.loads(plain)
    assert content["harness"]["encoder"]["precision"] == "fp32"
    assert content["harness"]["parts"]["test"]["texts_truncated"] == 0
    for options, variant in {
        ("--precision", "fp16"): "precision=fp16",
        ("--max-length", "4"): "max_length=4",
    }.items():
        said = command(*arguments, *options)
        assert said.status == 0, said.out
        assert "1 computed" in said.out
        assert f"model: bundled/all-MiniLM-L6-v2 [{variant}]" in said.out
        path = folder / "experiments" / variant.replace("=", "_") / "Mine.json"
        content = json.loads(path.read_text())
        assert content["harness"]["fingerprint"] != json.loads(plain)["harness"]["fingerprint"]
        assert (folder / "Mine.json").read_text() == plain
        assert "1 already recorded" in command(*arguments, *options).out
    assert content["harness"]["encoder"]["max_length"] == 4
    # 8 texts of 3 to 5 words: with the two special tokens every one is longer than 4 tokens
    assert content["harness"]["parts"]["test"]["texts_truncated"] == 8
    assert "1 already recorded" in command(*arguments).out
    labels = [row["model"] for row in json.loads(command("table", "--format", "json").out)]
    assert sorted(labels) == [
        "bundled/all-MiniLM-L6-v2",
        "bundled/all-MiniLM-L6-v2 [max_length=4]",
        "bundled/all-MiniLM-L6-v2 [precision=fp16]",
    ]


def test_a_model_that_cannot_be_opened(command: Command, tasks: Tasks, results: Path, tmp_path: Path) -> None:
    """It is refused once, not once a cell, and the next model is run all the same; alone, it is a wrong request."""
    tasks.write("Mine", "Retrieval")
    tasks.write("Other", "STS")
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    asked = ["-t", "Mine,Other", "--tasks-dir", tasks.path]
    said = command("run", str(folder), "baseline/hashing", *asked)
    assert said.status == 1
    assert "Traceback" not in said.out + said.err
    (line,) = [line for line in said.out.splitlines() if "broken" in line]
    assert line.startswith("FAILED model local/broken: cannot be loaded (")
    assert line.endswith("; left out 2 cells")
    assert said.err.count("cannot be loaded (") == 1
    assert "2 computed, 0 already recorded, 2 failed" in said.out
    assert {record.model for record in records(results).values()} == {"baseline/hashing"}
    alone = command("run", str(folder), *asked)
    assert (alone.status, alone.out) == (2, "")
    assert [line for line in alone.err.splitlines() if "broken" in line] == [
        "opening local/broken",
        "harness: " + line.removeprefix("FAILED ").removesuffix("; left out 2 cells"),
    ]
    cells = json.loads(command("run", str(folder), "--json", *asked).out)["cells"]
    assert [(cell["task"], cell["status"]) for cell in cells] == [("Mine", "refused"), ("Other", "refused")]
    with pytest.raises(api.CellsFailed, match=r"^local/broken: model local/broken: cannot be loaded") as failed:
        api.run(str(folder), ["Mine", "Other"], tasks_dirs=[tasks.path], results=results)
    assert len(failed.value.failures) == 1


@pytest.fixture
def bundled() -> Path:
    """The bundled model's folder, or a skip."""
    from tests.conftest import bundled_folder

    return bundled_folder()


def test_doctor(command: Command, bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`doctor --json` exits 0 on a sound machine without a hub, and says what it found."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    said = command("doctor", "--json")
    assert said.status == 0, said.out
    report = json.loads(said.out)
    assert report["problems"] == []
    assert report["versions"]["embedding-harness"]
    assert "fp32" in report["devices"][0]["precisions"]
    assert report["hub"]["endpoint"] == "http://127.0.0.1:9"
    assert report["hub"]["reachable"].startswith("no (")
    assert report["bundled model"].startswith("present, weights checked")


def test_doctor_finds_problems(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A results folder that cannot be made is a problem: it is named, and the exit status is 1."""
    monkeypatch.setattr("harness.hub.model_lookup.reachable", lambda: ("http://hub", "yes"))
    (tmp_path / "taken").write_text("")
    said = command("doctor", "--results", str(tmp_path / "taken"))
    assert said.status == 1
    assert f"results    {tmp_path / 'taken'} (not writable)" in said.out
    assert [line for line in said.out.splitlines() if line.startswith("PROBLEM ") and "taken" in line]


# --- from Python -----------------------------------------------------------------------------------------------------


def test_run_a_callable(tmp_path: Path) -> None:
    """`harness.run` with a callable returns one record per task, in order, as they lie on disk."""
    found = api.run(vectors, ["MiniSTSGerman", "MiniAnswersGerman"], results=tmp_path / "results")
    assert [record.task for record in found] == ["MiniSTSGerman", "MiniAnswersGerman"]
    assert {record.model for record in found} == {"python/vectors"}
    on_disk = records(tmp_path / "results")
    for record in found:
        assert on_disk[record.task].scores == record.scores
        assert Path(record.path).is_file()
        assert -1 <= record.parts[Part("test", "default")]["main_score"] <= 1


def test_a_callable_is_always_run(tasks: Tasks, tmp_path: Path) -> None:
    """A callable has no revision by which to know it again, so its record is never taken for current."""
    tasks.write("Mine", "Retrieval")
    calls: list[int] = []

    def model(texts: list[str]) -> Any:
        calls.append(len(texts))
        return vectors(texts)

    for _ in range(2):
        api.run(model, "Mine", tasks_dirs=[tasks.path], results=tmp_path / "results")
    assert calls == [2, 6, 2, 6]


def test_run_takes_what_the_command_takes(three: list[str], tmp_path: Path) -> None:
    """Several models and languages; a TaskSpec for a task; events of each cell in order; found records come too."""
    known = api.get_tasks([three[-1]])
    events: list[Any] = []
    options: dict[str, Any] = {"results": tmp_path / "results", "on_event": events.append}
    models = ["baseline/hashing", "baseline/bm25"]
    found = api.run(models, [known.get("German"), known.get("Languages")], languages=["de"], **options)
    assert [(record.model, record.task) for record in found] == [
        (model, task) for model in models for task in ("German", "Languages")
    ]
    cells = {(event.cells.model.name, event.cells.task.name): [] for event in events}  # type: ignore[var-annotated]
    for event in events:
        if event.part is not None:
            cells[event.cells.model.name, event.cells.task.name].append(event.kind)
    assert list(cells.values()) == [["load", "encode", "recorded"]] * 4
    assert [event.cells.model.name for event in events if event.kind == "open"] == models
    events.clear()
    again = api.run(models, [known.get("German")], **options)
    assert [event.kind for event in events] == ["kept", "kept"]
    assert [record.scores for record in again] == [found[0].scores, found[2].scores]
