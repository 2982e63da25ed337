"""Private data as people have it: what is odd about it is refused or said, with the file and the line."""

from __future__ import annotations

import json
import shlex
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from scipy.stats import spearmanr

import harness
from tests import tiny

Command = Callable[..., Any]

STS = ("--type", "STS", "--columns", "left=a,right=b,gold=grade")
CASES = Path(__file__).parents[1] / "cases" / "data"


def copied(case: str, to: Path) -> Path:
    """A copy of the case's file or folder."""
    source = CASES / case
    return Path((shutil.copytree if source.is_dir() else shutil.copy)(source, to / source.name))


def labelled(path: Path, *rows: tuple[str, str]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))


def test_labels_that_no_training_text_has(command: Command, here: Path) -> None:
    """Where no label of the test texts occurs in training, nothing is written; both sides are named."""
    copied("unseen_labels", here)
    said = command("tasks", "new", "--from", "unseen_labels", "--name", "U")
    assert said.status == 2
    assert "no label of the test texts occurs in U train: the test texts have -1, the training texts 0, 1" in said.err
    assert not (here / "unseen_labels" / "U.yaml").exists()


def test_a_label_with_a_blank_at_its_end(command: Command, here: Path, results: Path) -> None:
    """A test label that differs by a blank is named when the task is written, at the end of the run, and in the
    record, with the number of test texts that cannot be predicted right.
    """
    texts = ("sun and rain", "snow and fog", "wind and hail")
    labelled(here / "tone" / "train.jsonl", *((text, name) for text in texts for name in ("pos", "neg")))
    labelled(here / "tone" / "test.jsonl", *((f"{text} today", name) for text in texts for name in ("pos ", "neg")))
    note = "3 of 6 test texts cannot be predicted right: no training text in Tone train has the label 'pos ' "
    note += "(training texts have 'pos')"
    assert f"  note         {note}" in command("tasks", "new", "--from", "tone").out.splitlines()
    said = command("run", "baseline/hashing", "--tasks-dir", "tone", "-t", "Tone")
    assert said.status == 0
    assert f"note: Tone test: {note}" in said.out.splitlines()
    [record] = results.rglob("Tone.json")
    assert json.loads(record.read_text())["harness"]["parts"]["test"]["defects"] == [note]
    said = command("run", "baseline/hashing", "--tasks-dir", "tone", "-t", "Tone", "--json")
    [cell] = json.loads(said.out)["cells"]
    assert (cell["status"], cell["notes"]) == ("kept", [note])


def test_a_csv_file_without_a_header(command: Command, here: Path) -> None:
    """A first line that is data is not taken for names: the line that shows it is named, and nothing is written.

    The same file with the columns named by the caller, or with a header, keeps every row.
    """
    file = copied("headerless.csv", here)
    said = command("tasks", "new", "--from", file.name, "--name", "H")
    assert said.status == 2
    assert "headerless.csv:3: column 'positive' holds its own name as a value" in said.err
    assert "the first line (I love this product, positive) may be data" in said.err
    assert not (here / "H.yaml").exists()
    file.write_text("text,label\n" + file.read_text())
    assert command("tasks", "new", "--from", file.name, "--name", "H").status == 0
    spam = here / "spam.csv"
    spam.write_text("text,spam\nbuy now,spam\nhello there,ham\ncheap pills,spam\nsee you soon,ham\n")
    assert "spam.csv:2: column 'spam' holds its own name" in command("tasks", "new", "--from", "spam.csv").err
    assert command("tasks", "new", "--from", "spam.csv", "--columns", "text=text,label=spam").status == 0


def test_names_that_read_like_texts(command: Command, here: Path) -> None:
    """A header that may be data, though nothing proves it, is said."""
    (here / "odd.csv").write_text("I love this so much,fine\nit is bad,bad\nvery bad,bad\nso good,good\nyes,good\n")
    said = command("tasks", "new", "--from", "odd.csv")
    assert said.status == 0
    assert "the first line is read as the names of the columns, and 'I love this so much' reads like a text" in said.out


def test_a_key_that_stands_twice(command: Command, here: Path) -> None:
    """An object of JSON with a key twice is refused with its line: no value is dropped."""
    copied("duplicate_json_key.jsonl", here)
    said = command("tasks", "new", "--from", "duplicate_json_key.jsonl", "--name", "D")
    assert said.status == 2
    assert "duplicate_json_key.jsonl:5: the key 'a' stands more than once in one object" in said.err
    assert not (here / "D.yaml").exists()


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of static embeddings, which gives an empty text a zero vector."""
    return tiny.save_static(tmp_path_factory.mktemp("static") / "static")


def test_an_empty_text_is_scored_as_in_mteb(command: Command, here: Path, results: Path, static: Path) -> None:
    """A text with a zero vector is scored with mteb's number, counted, and told at the end of the run and in the
    record; `--strict` refuses it, also where it is recorded.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import pairwise_cos_sim
    from sklearn.metrics.pairwise import paired_cosine_distances

    rows = [json.loads(line) for line in copied("empty_text.jsonl", here).read_text().splitlines()]
    assert command("tasks", "new", "--from", "empty_text.jsonl", "--name", "Z").status == 0
    run = ("run", str(static), "--tasks-dir", ".", "-t", "Z")
    refused = command(*run, "--strict")
    assert refused.status == 1
    assert "Z test: 1 of 10 texts has a zero vector, scored as in mteb; --strict refuses it" in refused.out
    said = command(*run)
    assert said.status == 0
    assert "note: Z test: 1 of 10 texts has a zero vector, scored as in mteb" in said.out
    [record] = results.rglob("Z.json")
    content = json.loads(record.read_text())
    part, [scores] = content["harness"]["parts"]["test"], content["scores"]["test"]
    assert (part["texts_zero"], part["defects"]) == (1, ["1 of 10 texts has a zero vector, scored as in mteb"])
    left, right = (SentenceTransformer(str(static)).encode([row[side] for row in rows]) for side in ("a", "b"))
    grades = [row["grade"] for row in rows]
    expected = spearmanr(1 - paired_cosine_distances(left, right), grades).statistic
    assert scores["cosine_spearman"] == pytest.approx(expected, abs=1e-6)
    own = spearmanr(pairwise_cos_sim(left, right), grades).statistic
    assert scores["spearman"] == pytest.approx(own, abs=1e-6)
    assert command(*run, "--strict").status == 1
    assert "kept" in command(*run).out
    with pytest.raises(harness.CellsFailed, match="Z test: 1 of 10 texts has a zero vector"):
        harness.run(str(static), "Z", tasks_dirs=["."], results=results, strict=True)
    schedule = here / "strict.yaml"
    night = {"models": [str(static)], "tasks": ["Z"], "tasks_dirs": ["."], "results": "nights", "history": "history"}
    schedule.write_text(yaml.safe_dump({**night, "strict": True}), encoding="utf-8")
    strict = command("nightly", str(schedule))
    assert strict.status == 1
    assert "1 of 10 texts has a zero vector, scored as in mteb; --strict refuses it" in strict.out
    schedule.write_text(yaml.safe_dump(night), encoding="utf-8")
    assert command("nightly", str(schedule)).status == 0


@pytest.mark.parametrize(
    ("case", "options", "words"),
    [
        ("grades_as_text.jsonl", STS, ["grades_as_text.jsonl:1: column 'grade', row 0: found '4.5' (str)"]),
        ("null_grade.parquet", STS, ["null_grade.parquet, row 0: column 'grade': found null; expected a number"]),
        ("null_text.jsonl", (), ["null_text.jsonl:2: column 'a' is null"]),
        ("pair_labels_as_text.jsonl", (), ["pair_labels_as_text.jsonl:1: column 'dup' holds numbers as texts"]),
        ("train_is_test", (), ["test.jsonl:1: all 12 rows of test stand in train too, first at G: ", "train.jsonl:1"]),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    command: Command, here: Path, case: str, options: tuple[str, ...], words: list[str]
) -> None:
    """One message with file, line and cause; no traceback, and nothing is written."""
    copied(case, here)
    said = command("tasks", "new", "--from", case, "--name", "G", *options)
    assert (said.status, said.out) == (2, "")
    assert not [word for word in words if word not in said.err], said.err
    assert not list(here.rglob("*.yaml"))


WEATHER = ("rain and wind", "snow and fog", "sun and heat")
SHAPES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "pairs": ("Retrieval", [{"query": text, "positive": f"it is {text} today"} for text in WEATHER]),
    "answers": ("Retrieval", [{"question": text, "answer": f"we have {text}"} for text in WEATHER]),
    "lists": (
        "Retrieval",
        [{"question": text, "relevant_docs": [f"so much {text}", f"no end to {text}"]} for text in WEATHER],
    ),
    "several positives": (
        "Retrieval",
        [{"query": text, "positive": f"{word} {text}"} for text in WEATHER for word in ("here", "there")],
    ),
    "triplets": (
        "Reranking",
        [{"anchor": text, "positive": f"it is {text}", "negative": "flour and butter"} for text in WEATHER],
    ),
    "hard negatives": (
        "Reranking",
        [{"query": t, "positive": f"it is {t}", "negative_1": "oil", "negative_2": "salt"} for t in WEATHER],
    ),
    "lists of negatives": (
        "Reranking",
        [{"query": t, "pos": [f"it is {t}"], "neg": ["oil and salt", "flour"]} for t in WEATHER],
    ),
    "labels": (
        "Classification",
        [{"text": f"{t} {i}", "label": t.split()[0]} for t in WEATHER for i in range(5)],
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_training_data_becomes_a_score_in_two_commands(command: Command, here: Path, results: Path, shape: str) -> None:
    """The file of a training set, as it is, becomes a task of the right type, and the command that is printed runs."""
    type_, rows = SHAPES[shape]
    (here / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dry = command("tasks", "new", "--from", "data.jsonl", "--name", "Mine", "--dry-run")
    assert (dry.status, [path.name for path in here.iterdir()]) == (0, ["data.jsonl"])
    assert "would write Mine.yaml" in dry.out
    said = command("tasks", "new", "--from", "data.jsonl", "--name", "Mine")
    assert said.status == 0, said.err
    assert f"  type         {type_}: " in said.out
    assert command(*shlex.split(said.out.splitlines()[-1])[1:]).status == 0
    [record] = results.rglob("Mine.json")
    [scores] = json.loads(record.read_text())["scores"]["test"]
    assert scores["main_score"] > 0.5
    assert command("tasks", "new", "--from", "data.jsonl", "--name", "Mine").status == 2
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert command("tasks", "new", "--from", "data.jsonl", "--name", "Mine", "--force").status == 0
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


def test_the_corpus_is_the_distinct_texts(command: Command, here: Path) -> None:
    """Queries and documents that come back are one each, and rows of one query are joined."""
    rows = [("q one", "a"), ("q two", "b"), ("q one", "b"), ("q one", "a")]
    (here / "d.jsonl").write_text("".join(json.dumps({"query": q, "positive": p}) + "\n" for q, p in rows))
    assert command("tasks", "new", "--from", "d.jsonl", "--name", "Mine").status == 0
    tables = {path.stem: path.read_text().splitlines() for path in (here / "Mine").iterdir()}
    assert {name: len(lines) for name, lines in tables.items()} == {"corpus": 2, "queries": 2, "qrels": 3}


def test_the_split_is_stratified_and_can_be_declined(command: Command, here: Path) -> None:
    """A fifth of each label is tested, a label with one row is for training alone, no row is lost or in both; the spec
    records it. `--type Clustering` takes the file as it is.
    """
    rows = [(f"{label} {i}", label) for label, n in (("a", 20), ("b", 10), ("c", 1)) for i in range(n)]
    labelled(here / "d.jsonl", *rows)
    assert command("tasks", "new", "--from", "d.jsonl", "--name", "Mine").status == 0
    parts = {
        name: [json.loads(line) for line in (here / "Mine" / f"{name}.jsonl").read_text().splitlines()]
        for name in ("train", "test")
    }
    assert Counter(row["label"] for row in parts["test"]) == {"a": 4, "b": 2}
    together = [(row["text"], row["label"]) for part in parts.values() for row in part]
    assert sorted(together) == sorted(rows)
    text = " ".join((here / "Mine.yaml").read_text().split())
    assert "25 rows to learn from and 6 to test, drawn from each label with the seed 42" in text
    assert command("tasks", "new", "--from", "d.jsonl", "--name", "Other", "--type", "Clustering").status == 0
    assert "type: Clustering" in (here / "Other.yaml").read_text()


def test_one_file_of_lists_of_labels_or_numbers_is_split(command: Command, here: Path) -> None:
    """Pairs of labels are drawn in proportion, numbers from ranges with equally many rows; no row is lost or in both,
    the spec records it, and the same file gives the same split.
    """
    topics = [
        {"text": f"{a} and {b} {i}", "topics": [a, b]} for i in range(5) for a, b in (("sun", "sea"), ("car", "sea"))
    ]
    prices = [{"text": f"offer {i}", "price": i} for i in range(25)]
    for name, rows, how in (("Topics", topics, "each pair of labels"), ("Prices", prices, "5 ranges of the numbers")):
        (here / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert command("tasks", "new", "--from", f"{name}.jsonl").status == 0
        files = {part: (here / name / f"{part}.jsonl").read_text() for part in ("train", "test")}
        test = [json.loads(line) for line in files["test"].splitlines()]
        together = [json.loads(line) for content in files.values() for line in content.splitlines()]
        assert sorted(together, key=str) == sorted(rows, key=str)
        assert len(test) == len(rows) // 5
        if name == "Topics":
            assert sorted(row["topics"] for row in test) == [["car", "sea"], ["sun", "sea"]]
        else:
            assert [row["price"] // 5 for row in test] == [0, 1, 2, 3, 4]
        text = " ".join((here / f"{name}.yaml").read_text().split())
        assert f"{len(test)} to test, drawn from {how} with the seed 42" in text
        assert command("tasks", "new", "--from", f"{name}.jsonl", "--force").status == 0
        assert files == {part: (here / name / f"{part}.jsonl").read_text() for part in files}


def test_a_null_text_does_not_make_a_regression(command: Command, here: Path) -> None:
    """Pairs with a score of which a text is null are no texts with numbers: the null is named."""
    rows = [{"a": None if i == 3 else f"one {i}", "b": f"two {i}", "grade": i / 2} for i in range(10)]
    (here / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = command("tasks", "new", "--from", "d.jsonl")
    assert said.status == 2
    assert "d.jsonl:4: column 'a' is null" in said.err


def test_translations_are_called_after_their_languages(command: Command, here: Path) -> None:
    """Two columns of texts under names of languages are a bitext; under other names their type must be told."""
    for name, columns in (("one", ("de", "en")), ("two", ("source", "target"))):
        rows = [dict(zip(columns, (f"Satz {i}", f"sentence {i}"), strict=True)) for i in range(5)]
        (here / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert (
        "type         BitextMining: two columns of texts, called after"
        in command("tasks", "new", "--from", "one.jsonl").out
    )
    said = command("tasks", "new", "--from", "two.jsonl")
    assert said.status == 2
    assert "two of texts alone (BitextMining, with --type where they are not called after languages" in said.err
    assert command("tasks", "new", "--from", "two.jsonl", "--type", "BitextMining").status == 0


def test_a_text_that_is_positive_and_negative(command: Command, here: Path) -> None:
    """A contradiction between rows is refused with its line."""
    rows = [{"query": "q", "positive": "a", "negative": "b"}, {"query": "q", "positive": "b", "negative": "c"}]
    (here / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = command("tasks", "new", "--from", "d.jsonl")
    assert said.status == 2
    assert "d.jsonl:2: 'b' is positive and negative for the query 'q'" in said.err
