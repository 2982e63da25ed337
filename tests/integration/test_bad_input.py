"""What a user or a data set gets wrong: one clear message, the right exit status, and nothing half-written."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness as api
from harness.errors import CellsFailed
from harness.types import Record

from .conftest import GOOD, Said, Tasks, jsonl

Command = Callable[..., Said]


def one_message(said: Said, *words: str) -> None:
    """stderr is one message of the program that holds all `words`, and nobody was shown a traceback."""
    assert said.err.startswith("harness: ")
    assert "Traceback" not in said.out + said.err
    assert said.out == ""
    for word in words:
        assert word in said.err, f"{word!r} is not in {said.err!r}"


def names_of_files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def records(folder: Path) -> dict[str, Record]:
    """Task -> record; every file must be one."""
    loaded = api.load_results(folder)
    assert not loaded.refused
    return {record.task: record for record in loaded}


# --- the request is wrong: exit 2, nothing written -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["baseline/hashin", "-t", "MiniSTSGerman"], ["'baseline/hashin'", "did you mean baseline/hashing"]),
        (["bundled/MiniLM", "-t", "MiniSTSGerman"], ["'bundled/MiniLM'", "did you mean bundled/all-MiniLM-L6-v2?"]),
        (["./nowhere", "-t", "MiniSTSGerman"], ["nowhere: no such folder"]),
        (["baseline/hashing", "-t", "MiniSTSGermann"], ["'MiniSTSGermann'", "did you mean MiniSTSGerman"]),
        (["baseline/hashing", "-t", "scifact"], ["'scifact'", "did you mean SciFact?"]),
        (["baseline/hashing", "--suite", "minni"], ["no suite named 'minni'", "did you mean mini?"]),
        (["baseline/hashing", "-t", "MiniSTSGerman", "--splits", "tests"], ["no split named 'tests'", "test?"]),
        (["baseline/hashing", "-t", "SciFact,SIB200Classification", "--splits", "dev"], ["split", "'dev'", "test"]),
        (["baseline/hashing", "-t", "MiniSTSGerman", "--languages", "fr"], ["MiniSTSGerman", "fr", "deu-Latn"]),
        (["baseline/hashing", "--languages", "klingon"], ["no language or subset named 'klingon'"]),
        (
            ["baseline/hashing", "-t", "SIB200Classification", "--languages", "deu_Latin"],
            ["'deu_Latin'", "did you mean deu_Latn"],
        ),
        (["baseline/hashing", "-t", "MiniSTSGerman", "--tasks-dir", "nowhere"], ["nowhere", "there is none"]),
    ],
)
def test_an_unknown_name_is_refused(command: Command, results: Path, arguments: list[str], words: list[str]) -> None:
    """An unknown model, task, suite, split, language or folder is named with the nearest known ones; nothing is run."""
    said = command("run", *arguments)
    assert said.status == 2
    one_message(said, *words)
    assert len(said.err.splitlines()) == 1
    assert not results.exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["run", "--precision", "fp8"], "fp8"),
        (["run", "-t", ""], "one or more names"),
        (["run", "--max-length", "0"], "whole number above 0"),
        (["run", "--batch-tokens", "many"], "'many'"),
        (["table", "--format", "html"], "html"),
        (["tasks", "--json"], "--json"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(
    command: Command, results: Path, arguments: list[str], word: str
) -> None:
    """argparse's own refusals exit 2 as well, and say which value was wrong."""
    said = command(*arguments)
    assert said.status == 2
    assert word in said.err
    assert not results.exists()


def test_a_folder_that_is_no_model(command: Command, results: Path, tmp_path: Path) -> None:
    """A folder without a model's files, and a revision of a folder, are refused with what was expected."""
    (tmp_path / "empty").mkdir()
    said = command("run", str(tmp_path / "empty"))
    assert said.status == 2
    one_message(said, "not a saved model; expected modules.json or config.json")
    said = command("run", str(tmp_path / "empty") + "@main")
    assert said.status == 2
    one_message(said, "a folder has no revisions; leave out @main")
    assert not results.exists()


def test_pickled_weights_are_refused(command: Command, tmp_path: Path) -> None:
    """A model whose only weights are pickles is not opened unless the user says so."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.json").write_text("{}")
    (tmp_path / "old" / "tokenizer.json").write_text("{}")
    (tmp_path / "old" / "pytorch_model.bin").write_bytes(b"")
    said = command("run", str(tmp_path / "old"), "-t", "MiniSTSGerman", "--plan")
    assert said.status == 2
    one_message(said, "pytorch_model.bin", "--allow-pickle")
    assert command("run", str(tmp_path / "old"), "-t", "MiniSTSGerman", "--plan", "--allow-pickle").status == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--metric", "cosine_spearmann"], ["'cosine_spearmann'", "did you mean cosine_spearman"]),
        (["--metric", "languages"], ["no recorded metric named 'languages'"]),
        (["baseline/hashin"], ["no recorded model named 'baseline/hashin'", "did you mean baseline/hashing"]),
        (["-t", "MiniSTSgerman"], ["'MiniSTSgerman'", "did you mean MiniSTSGerman"]),
        (["-t", "MiniSTSSpanish"], ["no record matches the request"]),
        (["--suite", "maxi"], ["no suite named 'maxi'", "`harness suites` lists them"]),
        (["--suite", "minni"], ["no suite named 'minni'", "did you mean mini"]),
    ],
)
def test_a_table_of_what_is_not_recorded(command: Command, arguments: list[str], words: list[str]) -> None:
    """A metric, model or task that no record has is refused with suggestions."""
    assert command("run", "baseline/hashing", "-t", "MiniSTSGerman").status == 0
    said = command("table", *arguments)
    assert said.status == 2
    one_message(said, *words)


def test_a_table_of_nothing(command: Command, results: Path) -> None:
    """Without a results folder, or with an empty one, `table` says what to do first."""
    said = command("table")
    assert said.status == 2
    one_message(said, str(results), "run `harness run` first")
    results.mkdir()
    said = command("table")
    assert said.status == 2
    one_message(said, "no record matches the request")


# --- specs -----------------------------------------------------------------------------------------------------------

HUB_SOURCE = {"kind": "hub", "path": "me/mine"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"main_metrik": "pearson"}, ["main_metrik", "main_metric"]),
        ({"source": HUB_SOURCE}, ["source", "revision"]),
        (
            {"source": {**HUB_SOURCE, "revision": "main"}},
            ["source.revision", "a commit (40 hexadecimal digits", "'main'"],
        ),
        ({"splits": "test"}, ["splits", "a list", "'test'"]),
        ({"settings": {"min_score": "low"}}, ["settings.min_score", "a number", "'low'"]),
        ({"type": "STSS"}, ["task type", "'STSS'", "did you mean STS?"]),
        ({"main_metric": "accuracy"}, ["main_metric", "'accuracy'", "STS metric"]),
        ({"main_metrik": "pearson", "splits": 3}, ["main_metrik", "splits"]),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_a_defective_spec(
    command: Command, tasks: Tasks, results: Path, changes: dict[str, Any], words: list[str]
) -> None:
    """A spec's defects are all reported with file and line, by `run` (exit 2) and by `tasks check` (exit 1)."""
    file = tasks.write("Mine", **changes)
    said = command("run", "baseline/hashing", "-t", "Mine", "--tasks-dir", tasks.path)
    assert said.status == 2
    one_message(said, *words)
    assert said.err.count(f"{file}:") == len(changes)
    assert not results.exists()
    checked = command("tasks", "check", str(file))
    assert checked.status == 1
    assert f"harness: {checked.out}".startswith(said.err.rstrip("\n"))
    assert checked.out.endswith("1 file, 1 defective\n")


def test_two_files_of_one_name(command: Command, tasks: Tasks, results: Path) -> None:
    """A private task that takes a bundled task's name is refused, and both files are named."""
    file = tasks.write("MiniSTSGerman")
    said = command("run", "baseline/hashing", "-t", "MiniSTSGerman", "--tasks-dir", tasks.path)
    assert said.status == 2
    one_message(said, str(file), "mini/MiniSTSGerman.yaml", "rename one of them")
    assert not results.exists()


def test_a_broken_spec_disturbs_no_other_task(command: Command, tasks: Tasks, results: Path) -> None:
    """Only a request that names the broken task fails; `tasks list` shows the others and says what is wrong."""
    tasks.write("Broken", splits=[])
    tasks.write("Mine")
    assert command("run", "baseline/hashing", "-t", "Mine", "--tasks-dir", tasks.path).status == 0
    assert set(records(results)) == {"Mine"}
    listed = command("tasks", "list", "--tasks-dir", tasks.path)
    assert listed.status == 1
    assert "Mine " in listed.out
    assert "Broken.yaml" in listed.err


def test_a_local_task_without_data(command: Command, tasks: Tasks) -> None:
    """A private task whose files are not there is refused before anything runs."""
    tasks.write("Mine", source={"kind": "local", "path": "data/Elsewhere"})
    said = command("run", "baseline/hashing", "-t", "Mine", "--tasks-dir", tasks.path)
    assert said.status == 2
    one_message(said, "Mine: no data at", "Elsewhere")


# --- data that does not hold what the task needs: exit 1, the other tasks recorded -----------------------------------


def spoiled(type_: str, file: str, row: int, **changes: Any) -> dict[str, Any]:
    rows = [dict(found) for found in GOOD[type_][file]]
    rows[row] |= changes
    return {file: rows}


def only(type_: str, file: str, **changes: Any) -> dict[str, Any]:
    return {file: [{**row, **changes} for row in GOOD[type_][file]]}


BAD_DATA = {
    "an empty split": ("STS", {"test.jsonl": ""}, ["test", "holds no rows"]),
    "an empty split of pairs": ("PairClassification", {"test.jsonl": "\n"}, ["holds no rows"]),
    "an empty training split": ("Classification", {"train.jsonl": ""}, ["train", "holds no rows"]),
    "an empty corpus": ("Retrieval", {"corpus.jsonl": ""}, ["corpus", "holds no rows"]),
    "no queries": ("Retrieval", {"queries.jsonl": ""}, ["queries", "holds no rows"]),
    "no judgements": ("Retrieval", {"qrels.jsonl": ""}, ["qrels", "holds no rows"]),
    "a null text": ("STS", spoiled("STS", "test.jsonl", 2, sentence2=None), ["'sentence2'", "row 2", "null"]),
    "a number for a text": (
        "Clustering",
        spoiled("Clustering", "test.jsonl", 0, sentences=7),
        ["'sentences'", "row 0", "7 (int)", "expected a text"],
    ),
    "a list for a text": (
        "Classification",
        spoiled("Classification", "train.jsonl", 1, text=["a"]),
        ["'text'", "row 1", "(list)", "train"],
    ),
    "a null document": ("Retrieval", spoiled("Retrieval", "corpus.jsonl", 3, text=None), ["corpus", "row 3", "null"]),
    "a null query": ("Retrieval", spoiled("Retrieval", "queries.jsonl", 1, text=None), ["queries", "row 1", "null"]),
    "a text for a score": (
        "STS",
        spoiled("STS", "test.jsonl", 4, score="high"),
        ["'score'", "row 4", "'high'", "expected a number"],
    ),
    "NaN for a score": ("STS", spoiled("STS", "test.jsonl", 4, score=float("nan")), ["'score'", "row 4", "nan"]),
    "a label that is neither 0 nor 1": (
        "PairClassification",
        spoiled("PairClassification", "test.jsonl", 0, labels=2),
        ["'labels'", "row 0", "label 2", "expected 0 or 1"],
    ),
    "scores that are all equal": ("STS", only("STS", "test.jsonl", score=3), ["'score'", "same gold score"]),
    "pairs of one class": (
        "PairClassification",
        only("PairClassification", "test.jsonl", labels=1),
        ["'labels'", "labels of one class only"],
    ),
    "training texts of one class": (
        "Classification",
        only("Classification", "train.jsonl", label="weather"),
        ["train", "labels of one class only ('weather')"],
    ),
    "clusters of one class": (
        "Clustering",
        only("Clustering", "test.jsonl", labels="kitchen"),
        ["labels of one class only ('kitchen')"],
    ),
    "labels of two kinds": (
        "Classification",
        spoiled("Classification", "test.jsonl", 0, label=1),
        ["'label'", "integer and text"],
    ),
    "a query without judgements": (
        "Retrieval",
        {"queries.jsonl": [*GOOD["Retrieval"]["queries.jsonl"], {"_id": "q9", "text": "lonely"}]},
        ["1 queries without a relevant document", "'q9'"],
    ),
    "a query judged irrelevant only": (
        "Retrieval",
        spoiled("Retrieval", "qrels.jsonl", 1, score=0),
        ["1 queries without a relevant document", "'q1'"],
    ),
    "judgements of an unknown document": (
        "Retrieval",
        spoiled("Retrieval", "qrels.jsonl", 0, **{"corpus-id": "d77"}),
        ["1 judged documents that the corpus lacks", "'d77'"],
    ),
    "judgements of an unknown query": (
        "Retrieval",
        {"qrels.jsonl": [*GOOD["Retrieval"]["qrels.jsonl"], {"query-id": "q7", "corpus-id": "d0", "score": 1}]},
        ["1 judged queries that do not exist", "'q7'"],
    ),
    "two documents of one id": (
        "Retrieval",
        spoiled("Retrieval", "corpus.jsonl", 1, _id="d0"),
        ["corpus", "'d0'", "more than once"],
    ),
    "two queries of one id": (
        "Retrieval",
        spoiled("Retrieval", "queries.jsonl", 1, _id="q0"),
        ["queries", "'q0'", "more than once"],
    ),
    "a column of another name": (
        "STS",
        {
            "test.jsonl": [
                {"a": row["sentence1"], "b": row["sentence2"], "score": 1} for row in GOOD["STS"]["test.jsonl"]
            ]
        },
        ["no column 'sentence1'", "found 'a', 'b', 'score'", "columns:"],
    ),
    "a row with other keys": (
        "STS",
        {"test.jsonl": jsonl(GOOD["STS"]["test.jsonl"]) + '{"sentence1": "a"}\n'},
        ["test.jsonl:7", "other keys", "score, sentence2"],
    ),
    "a line that is not JSON": ("STS", {"test.jsonl": '{"sentence1": \n'}, ["test.jsonl:1", "not JSON"]),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_fails_its_own_task_only(command: Command, tasks: Tasks, results: Path, case: str) -> None:
    """The task with the bad data fails with a message that says where; the task beside it is recorded; exit 1."""
    type_, files, words = BAD_DATA[case]
    tasks.write("Bad", type_, files)
    tasks.write("Good")
    said = command("run", "baseline/hashing", "-t", "Bad,Good", "--tasks-dir", tasks.path)
    assert said.status == 1
    assert "Traceback" not in said.out + said.err
    assert "tracebacks:" not in said.out  # the message is the whole story
    [failed] = [line for line in said.out.splitlines() if line.startswith("FAILED")]
    assert failed.startswith("FAILED baseline/hashing Bad test: ")
    for word in words:
        assert word in failed
    assert failed in said.err
    assert "1 computed, 0 already recorded, 1 failed" in said.out
    assert set(records(results)) == {"Good"}
    assert names_of_files(results) <= {"Good.json", "Good.items.npz", "model_meta.json", ".harness.lock"}


def test_a_bug_in_a_cell_is_logged(command: Command, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is nobody's message still costs one cell only; its traceback goes to a file that is named."""
    from harness.models.baselines import Hashing

    monkeypatch.setattr(Hashing, "encode", lambda self, texts, **options: 1 / 0)
    said = command("run", "baseline/hashing", "-t", "MiniSTSGerman")
    assert said.status == 1
    assert "Traceback" not in said.out + said.err
    assert "FAILED baseline/hashing MiniSTSGerman test: ZeroDivisionError: division by zero" in said.out
    [log] = [line.removeprefix("tracebacks: ") for line in said.out.splitlines() if line.startswith("tracebacks: ")]
    assert "Traceback (most recent call last)" in Path(log).read_text()
    assert records(results) == {}


def test_failures_as_json(command: Command, tasks: Tasks) -> None:
    """With `--json` the failure is data: status and error of each cell, and nothing else on stdout."""
    tasks.write("Bad", "STS", {"test.jsonl": ""})
    tasks.write("Good")
    said = command("run", "baseline/hashing", "-t", "Bad,Good", "--tasks-dir", tasks.path, "--json")
    assert said.status == 1
    bad, good = json.loads(said.out)["cells"]
    assert (bad["task"], bad["status"], good["task"], good["status"]) == ("Bad", "failed", "Good", "recorded")
    assert "holds no rows" in bad["error"]
    assert set(good["scores"]) == {"test"}


# --- models that return nonsense -------------------------------------------------------------------------------------


def vectors(texts: list[str]) -> np.ndarray[Any, Any]:
    """Any fixed function of the text."""
    return np.array([[1 + len(text), sum(map(ord, text)) % 17, text.count("a")] for text in texts], dtype=np.float32)


def with_first_row(rows: np.ndarray[Any, Any], value: float) -> np.ndarray[Any, Any]:
    rows[0] = value
    return rows


WRONG = {
    "NaN": (
        lambda rows: with_first_row(rows, float("nan")),
        "NaN or infinity for 1 of 6 texts, first for 'a red",
    ),
    "infinity": (lambda rows: with_first_row(rows, float("inf")), "NaN or infinity for 1 of 6 texts"),
    "zero vectors": (lambda rows: rows * 0, "a zero vector for all of 6 texts, first for '"),
    "too few rows": (lambda rows: rows[:-1], "5 vectors for 6 texts; expected one per text"),
    "too many rows": (lambda rows: np.concatenate([rows, rows]), "12 vectors for 6 texts"),
    "a 1-d array": (lambda rows: rows[:, 0], "shape (6,)"),
    "a 3-d array": (lambda rows: rows[None], "shape (1, 6, 3)"),
    "integers": (lambda rows: rows.astype(int), "type int64"),
    "nothing": (lambda rows: None, "expected one row of floats per text"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_model_that_returns_nonsense(tasks: Tasks, tmp_path: Path, case: str) -> None:
    """`CellsFailed` names the cell and what came back, and carries the record of the task that went well."""
    spoil, message = WRONG[case]
    tasks.write("Bad")
    tasks.write("Good", "Retrieval")

    def model(texts: list[str]) -> Any:
        rows = vectors(texts)
        return spoil(rows) if texts[0].startswith("a red car") else rows

    with pytest.raises(CellsFailed) as caught:
        api.run(model, ["Bad", "Good"], tasks_dirs=[tasks.path], results=tmp_path / "results")
    [failure] = caught.value.failures
    assert failure.cell.endswith(" Bad test")
    assert message in failure.error
    assert failure.cell in str(caught.value)
    assert [record.task for record in caught.value.records] == ["Good"]
    assert set(records(tmp_path / "results")) == {"Good"}


def test_a_model_that_raises(tasks: Tasks, tmp_path: Path) -> None:
    """An exception of the callable is the cell's: reported with its traceback, the next task is still run."""
    tasks.write("Bad")
    tasks.write("Good", "Retrieval")

    def model(texts: list[str]) -> Any:
        if texts[0].startswith("a red car"):
            raise KeyError("missing weight")
        return vectors(texts)

    with pytest.raises(CellsFailed) as caught:
        api.run(model, ["Bad", "Good"], tasks_dirs=[tasks.path], results=tmp_path / "results")
    [failure] = caught.value.failures
    assert failure.error == "KeyError: 'missing weight'"
    assert 'raise KeyError("missing weight")' in failure.traceback
    assert set(records(tmp_path / "results")) == {"Good"}


def test_what_is_not_a_model(tmp_path: Path) -> None:
    """Something that is neither a name nor callable is refused before anything is written."""
    with pytest.raises(api.ModelError, match=r"a name, a callable .* found int"):
        api.run([7], ["MiniSTSGerman"], results=tmp_path / "results")  # type: ignore[list-item]
    assert not (tmp_path / "results").exists()


# --- the disk --------------------------------------------------------------------------------------------------------


def test_a_file_where_the_results_folder_should_be(command: Command, tmp_path: Path) -> None:
    """The disk's refusal comes before the first cell, as one message with what to do; the file is left alone."""
    (tmp_path / "taken").write_text("mine")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "below"):
        said = command("run", "baseline/hashing", "-t", "MiniSTSGerman", "--results", str(folder))
        assert said.status == 2
        one_message(said, str(folder), "choose another folder")
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_full_disk_in_between(command: Command, tasks: Tasks, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that the disk refuses fails its cell; the record before it is kept, and no temporary file stays."""
    tasks.write("First")
    tasks.write("Second", "PairClassification")
    replace = os.replace

    def full(source: Any, target: Any) -> None:
        if Path(target).name == "Second.json":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        said = command("run", "baseline/hashing", "-t", "First,Second", "--tasks-dir", tasks.path)
    assert said.status == 1
    assert "Traceback" not in said.out + said.err
    assert "No space left on device; free some space and run again" in said.out
    assert set(records(results)) == {"First"}
    assert not [name for name in names_of_files(results) if name.endswith(".tmp")]
    again = command("run", "baseline/hashing", "-t", "First,Second", "--tasks-dir", tasks.path)
    assert again.status == 0
    assert "1 computed, 1 already recorded, 0 failed" in again.out


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB without a free block."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small tmpfs here: {mounted.stderr.decode().strip()}")
    try:
        with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as stream:
            while True:
                stream.write(bytes(4096))
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(command: Command, full_disk: Path) -> None:
    """On a disk that is really full nothing is recorded and the message says so; with space again the run succeeds."""
    arguments = ("run", "baseline/hashing", "-t", "MiniSTSGerman", "--results", str(full_disk / "results"))
    said = command(*arguments)
    assert said.status in (1, 2)
    assert "Traceback" not in said.out + said.err
    assert "No space left on device; free some space and run again" in said.err
    assert names_of_files(full_disk / "results") <= {".harness.lock"}
    (full_disk / "filler").unlink()
    assert command(*arguments).status == 0
    assert set(records(full_disk / "results")) == {"MiniSTSGerman"}


def test_a_file_size_limit(process: Callable[..., Any], tasks: Tasks, tmp_path: Path) -> None:
    """Where the system cuts a write off in the middle (here: files of 600 bytes at most), no half record stays."""
    tasks.write("Mine", "Retrieval")
    done = process(
        "run",
        "baseline/hashing",
        "-t",
        "Mine",
        "--tasks-dir",
        tasks.path,
        env={"PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600)),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "File too large; free some space and run again" in done.stderr
    assert names_of_files(tmp_path / "results") <= {"model_meta.json", ".harness.lock"}


# --- the hub ---------------------------------------------------------------------------------------------------------

TOKEN = "hf_secretTokenOfThisTest"
KNOWN = "1" * 40
UNKNOWN = "2" * 40


@pytest.fixture
def small_hub(localhub: Any, tmp_path: Path) -> Iterator[Any]:
    """Data sets with one revision, of which me/secret is private; a model me/secret-model, only good for a plan."""
    root = tmp_path / "small-hub"
    for name in ("open", "secret", "empty"):
        folder = root / "datasets" / "me" / name
        (folder / "data").mkdir(parents=True)
        rows = GOOD["STS"]["test.jsonl"]
        (folder / "data" / "test.jsonl").write_text(jsonl(rows) if name != "empty" else "")
        (folder / ".revisions").write_text(f"main {KNOWN}\n")
    (root / "datasets" / "me" / "secret" / ".private").write_text(TOKEN)
    model = root / "models" / "me" / "secret-model"
    model.mkdir(parents=True)
    (model / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"], "dtype": "float32"}')
    (model / "tokenizer.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"")
    (model / ".private").write_text(TOKEN)
    (model / ".revisions").write_text(f"main {KNOWN}\n")
    with localhub.LocalHub(str(root)) as hub:
        yield hub


def on_hub(name: str, revision: str = KNOWN) -> dict[str, Any]:
    return {"source": {"kind": "hub", "path": f"me/{name}", "revision": revision}}


def test_models_that_the_hub_does_not_give(harness: Callable[..., Any], small_hub: Any, tmp_path: Path) -> None:
    """No such model, no such revision, private without a token: exit 2 and one message each, nothing written."""
    env = {"HF_ENDPOINT": small_hub.endpoint}
    for model, words in {
        "me/nothing": "model me/nothing: not on the hub, or private and no token with access is set (HF_TOKEN)",
        "me/secret-model": "model me/secret-model: not on the hub, or private and no token with access is set",
        "two/slashes/here": "neither a folder that exists nor a valid hub name",
    }.items():
        done = harness("run", model, "-t", "MiniSTSGerman", env=env)
        assert done.returncode == 2
        one_message(Said(2, done.stdout, done.stderr), words)
    done = harness("run", f"me/secret-model@{UNKNOWN}", "-t", "MiniSTSGerman", env={**env, "HF_TOKEN": TOKEN})
    assert done.returncode == 2
    one_message(Said(2, done.stdout, done.stderr), "model me/secret-model: the hub has no revision", UNKNOWN)
    assert not (tmp_path / "results").exists()


def test_a_private_model_with_a_token(harness: Callable[..., Any], small_hub: Any) -> None:
    """With HF_TOKEN a private model is found; the token is in nothing that is printed."""
    env = {"HF_ENDPOINT": small_hub.endpoint, "HF_TOKEN": TOKEN}
    done = harness("run", "me/secret-model", "-t", "MiniSTSGerman", "--plan", "--json", env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["model"] == "me/secret-model"
    assert TOKEN not in done.stdout + done.stderr


def test_data_sets_that_the_hub_does_not_give(
    harness: Callable[..., Any], tasks: Tasks, small_hub: Any, tmp_path: Path
) -> None:
    """A private, missing, empty or wrongly pinned data set fails its own task with a message; the others are run."""
    tasks.write("Secret", **on_hub("secret"))
    tasks.write("Missing", **on_hub("missing"))
    tasks.write("Pinned", **on_hub("open", UNKNOWN))
    tasks.write("Split", **on_hub("open"), splits=["validation"])
    tasks.write("Subset", **on_hub("open"), subsets={"de": ["deu-Latn"]})
    tasks.write("Empty", **on_hub("empty"))
    tasks.write("Mine", "Retrieval")
    names = "Secret,Missing,Pinned,Split,Subset,Empty,Mine"
    done = harness(
        "run", "baseline/hashing", "-t", names, "--tasks-dir", tasks.path, env={"HF_ENDPOINT": small_hub.endpoint}
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    failed = {line.split()[2]: line for line in done.stdout.splitlines() if line.startswith("FAILED")}
    assert set(failed) == {"Secret", "Missing", "Pinned", "Split", "Subset", "Empty"}
    assert f"me/secret@{KNOWN}" in failed["Secret"]
    assert "HF_TOKEN" in failed["Secret"]
    assert f"me/missing@{KNOWN}" in failed["Missing"]
    assert f"me/open@{UNKNOWN}" in failed["Pinned"]
    assert "revision" in failed["Pinned"]
    assert "validation" in failed["Split"]
    assert "'de'" in failed["Subset"]
    assert "1 computed, 0 already recorded, 6 failed" in done.stdout
    assert set(records(tmp_path / "results")) == {"Mine"}


def test_a_private_data_set_with_a_token(
    harness: Callable[..., Any], tasks: Tasks, small_hub: Any, tmp_path: Path
) -> None:
    """With HF_TOKEN a private data set is scored; the token is in no output and in no file of the results."""
    tasks.write("Secret", **on_hub("secret"))
    env = {"HF_ENDPOINT": small_hub.endpoint, "HF_TOKEN": TOKEN}
    done = harness("run", "baseline/hashing", "-t", "Secret", "--tasks-dir", tasks.path, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert any(request["auth"] for request in small_hub.requests)
    assert TOKEN not in done.stdout + done.stderr
    written = [path for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert "Secret.json" in {path.name for path in written}
    assert not [path for path in written if TOKEN in path.read_bytes().decode(errors="replace")]


def test_a_hub_that_is_not_there(harness: Callable[..., Any]) -> None:
    """Where no hub answers the message says so and points to --offline, which then says what the cache lacks."""
    done = harness("run", "me/model", "-t", "MiniSTSGerman")
    assert done.returncode == 2
    one_message(Said(2, done.stdout, done.stderr), "model me/model: the hub could not be asked", "--offline")
    done = harness("run", "me/model", "-t", "MiniSTSGerman", "--offline")
    assert done.returncode == 2
    one_message(Said(2, done.stdout, done.stderr), "model me/model: not in the local cache, and --offline forbids")


def test_the_message_reaches_a_real_shell(harness: Callable[..., Any]) -> None:
    """In a process of its own: exit status 2, the message on stderr, nothing on stdout."""
    done = harness("run", "baseline/hashing", "-t", "MiniSTSGermann")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "harness: no task named 'MiniSTSGermann'; did you mean MiniSTSGerman or MiniTopicsGerman or MiniIntentsGerman?"
    ]


def test_a_pipe_among_the_task_files(command: Command, tasks: Tasks) -> None:
    """A FIFO with the name of a task file is named in one sentence; nobody waits for what will never be written."""
    tasks.write("Mine")
    pipe = Path(tasks.path) / "Pipe.yaml"
    os.mkfifo(pipe)
    checked = command("tasks", "check", "--tasks-dir", tasks.path)
    assert checked.status != 0
    assert f"{pipe}: not a regular file" in checked.out + checked.err
    os.mkfifo(data := Path(tasks.path) / "pipe.jsonl")
    proposed = command("tasks", "new", "--from", str(data), "--name", "Other")
    assert proposed.status == 2
    one_message(proposed, f"{data}: not a regular file")
