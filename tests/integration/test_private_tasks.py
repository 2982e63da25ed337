"""Private data becomes a task and a score: `harness tasks new`, `import`, `list` and `show`."""

from __future__ import annotations

import json
import math
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness import data
from harness.tasks import mteb_metadata, registry
from tests import in_process
from tests.conftest import environment
from tests.integration.test_readme import blocks, commands

Command = Callable[..., Any]

TICKETS = [
    ("The invoice shows the wrong address.", "My bill was sent to an old address.", 4.5),
    ("How do I reset my password?", "The parcel arrived broken.", 0),
    ("Please cancel my order.", "I would like to change the delivery date of my order.", 2),
    ("The app crashes when I log in.", "After logging in the app crashes.", 5),
]
CORPUS = {
    "d1": "red apple pie",
    "d2": "red apple",
    "d3": "green boat",
    "d4": "quick silver fox",
    "d5": "nothing of the kind",
}
QUERIES = {"q1": "red apple pie", "q2": "green boat", "q3": "quick silver fox"}


def write(path: Path, content: str | Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, str):
        content = "".join(json.dumps(row) + "\n" for row in content)
    path.write_text(content, encoding="utf-8")
    return path


def corpus_and_queries(folder: Path) -> Path:
    """A folder with a corpus and queries, without judgements."""
    write(folder / "corpus.jsonl", [{"_id": name, "title": "", "text": text} for name, text in CORPUS.items()])
    write(folder / "queries.jsonl", [{"_id": name, "text": text} for name, text in QUERIES.items()])
    return folder


def qrels(*rows: str) -> str:
    return "".join("\t".join(row.split()) + "\n" for row in ("query-id corpus-id score", *rows))


def files(folder: Path) -> set[str]:
    """Every file below a folder, but for records."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "results" not in path.parts
    }


def scores(results: Path, task: str, model: str = "hashing") -> dict[str, Any]:
    """split -> metrics, of the one record."""
    [file] = results.rglob(f"baseline__{model}/*/{task}.json")
    return {split: entries[0] for split, entries in json.loads(file.read_text())["scores"].items()}


# --- files -----------------------------------------------------------------------------------------------------------


def test_twenty_lines_become_a_score_in_two_commands(command: Command, here: Path, results: Path) -> None:
    """The README's two commands, on twenty lines of the kind that it shows, end with a record; the spec is as shown."""
    new, run = [line for line in commands() if "my-tasks" in line]
    rows = [{"a": f"{a} ({i})", "b": b, "grade": grade} for i in range(5) for a, b, grade in TICKETS]
    assert len(rows) == 20
    assert [json.loads(line) for line in blocks("json")[0].splitlines()] == [
        dict(zip(rows[0], row)) for row in TICKETS[:3]
    ]
    write(here / "my-tasks" / "tickets.jsonl", rows)
    said = command(*shlex.split(new)[1:])
    assert (said.status, said.err) == (0, "")
    assert shlex.split(run) == shlex.split(said.out.splitlines()[-1])
    assert (here / "my-tasks" / "Tickets.yaml").read_text() == blocks("yaml")[0]
    said = command(*shlex.split(run)[1:])
    assert said.status == 0
    assert 0.5 < scores(results, "Tickets")["test"]["cosine_spearman"] <= 1
    assert files(here) == {"my-tasks/tickets.jsonl", "my-tasks/Tickets.yaml"}


def test_it_says_what_it_decided(command: Command, here: Path) -> None:
    """Type, columns, what is not used, range, metric and language, each with its reason."""
    write(
        here / "my-sts.csv",
        "id,x,y,score\n1,the cat sleeps,the cat is asleep,0.9\n2,two boys play,rain on Monday,0.1\n",
    )
    said = command("tasks", "new", "--from", "my-sts.csv")
    assert said.out.splitlines() == [
        "wrote MySts.yaml",
        "",
        "  type         STS: two columns of texts and one of numbers",
        "  columns      left=x, right=y, gold=score",
        "  not used     'id': ids from 1 to 2",
        "  splits       test",
        "  settings     scores from 0.1 to 0.9, so the range is 0 to 1 (which moves no correlation)",
        "  main metric  cosine_spearman",
        "  language     eng-Latn: assumed; for another language add, for example, --language deu-Latn",
        "",
        "Run it with any model:",
        "",
        "  harness run baseline/hashing -t MySts",
    ]


TEXTS = [
    ("sun and rain and wind", "weather"),
    ("flour and butter", "kitchen"),
    ("snow and fog", "weather"),
    ("salt and oil", "kitchen"),
]


SAME = [{"x": a, "y": b, "same": i % 2} for i, (a, b, _) in enumerate(TICKETS)]
LABELLED = [{"text": text, "topic": topic} for text, topic in TEXTS]


@pytest.mark.parametrize(
    ("data", "rows", "type_", "columns"),
    [
        ("pairs.jsonl", SAME, "PairClassification", {"left": "x", "right": "y", "gold": "same"}),
        ("topics.jsonl", LABELLED, "Classification", {"text": "text", "label": "topic"}),
        ("sorted", LABELLED, "Classification", {"text": "text", "label": "topic"}),
    ],
)
def test_each_kind_of_table_runs(
    command: Command,
    here: Path,
    results: Path,
    data: str,
    rows: list[dict[str, Any]],
    type_: str,
    columns: dict[str, str],
) -> None:
    """What is proposed is valid and gives a score, without an edit."""
    for file in [data] if "." in data else [f"{data}/train.jsonl", f"{data}/test.jsonl"]:
        write(here / file, [{**row, "text": f"{row['text']} {file}"} for row in rows] if "text" in rows[0] else rows)
    assert command("tasks", "new", "--from", data, "--name", "Mine", "--language", "deu-Latn").status == 0
    [spec] = here.rglob("Mine.yaml")
    task = registry.load_file(spec)
    assert (task.type, task.columns, task.languages) == (type_, columns, ("deu-Latn",))
    assert command("tasks", "check", str(spec)).status == 0
    assert command("run", "baseline/hashing", "--tasks-dir", str(spec.parent), "-t", "Mine").status == 0
    assert scores(results, "Mine")["test"]["main_score"] is not None


def test_the_spec_may_lie_above_the_data(command: Command, here: Path, results: Path) -> None:
    """`--to` is a folder above the data; the spec's path leads down to it."""
    write(here / "tasks" / "raw" / "pairs.jsonl", [{"a": a, "b": b, "grade": grade} for a, b, grade in TICKETS])
    said = command("tasks", "new", "--from", "tasks/raw/pairs.jsonl", "--to", "tasks", "--name", "Mine")
    assert said.status == 0
    assert registry.load_file(here / "tasks" / "Mine.yaml").source.path == "raw/pairs.jsonl"
    assert command("run", "baseline/hashing", "--tasks-dir", "tasks", "-t", "Mine").status == 0
    assert len(list(results.rglob("Mine.json"))) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "nothing.jsonl"], "no file or folder nothing.jsonl"),
        (["--from", "data.xml"], "data.xml: unknown kind of file; expected .jsonl, .csv, .tsv, .parquet"),
        (["--from", "empty.jsonl"], "empty.jsonl: has no rows; expected at least one"),
        (["--from", "broken.jsonl"], "broken.jsonl:1: not JSON"),
        (
            ["--from", "texts.jsonl"],
            "texts.jsonl: its columns fit no task, or more than one. Found 'x': 2 different texts",
        ),
        (["--from", "pairs.jsonl", "--name", "STS12"], "the harness has a task named 'STS12'; choose another --name"),
        (["--from", "pairs.jsonl", "--name", "AJGT"], "mteb has a task named 'AJGT'; choose another --name"),
        (["--from", "pairs.jsonl", "--name", "../Mine"], "--name '../Mine': expected letters, digits and"),
        (["--from", "pairs.jsonl", "--to", "below"], "--to below: pairs.jsonl is not inside it"),
        (["--from", "日本.jsonl"], "no task name can be derived from '日本.jsonl'; choose one with --name"),
        (["--from", "same.jsonl"], "'grade': the same in every row"),
        (["--from", "pairs.jsonl", "--columns", "gold=nothing"], "no column of pairs.jsonl named 'nothing'"),
        (["--from", "pairs.jsonl", "--columns", "gold"], "expected FIELD=COLUMN,..."),
        (["--from", "pairs.jsonl", "--language", "de"], "expected language and script, such as deu-Latn"),
        (["--from", "below"], "below: found no data file; expected files called train, validation,"),
        (
            ["--from", "pairs.jsonl", "--trec-qrels", "q.txt"],
            "--from pairs.jsonl: expected the folder with corpus and queries",
        ),
        (
            ["--from", "below", "--trec-qrels", "q.txt", "--split", "/tmp/x"],
            "--split '/tmp/x': expected a split's name",
        ),
        (["--from", "below", "--trec-qrels", "q.txt", "--split", "../x"], "--split '../x': expected a split's name"),
        (
            ["--from", "below", "--trec-qrels", "q.txt"],
            "below: no corpus.jsonl (or .csv, .tsv, .parquet); the qrels need both",
        ),
        (
            ["--from", "half"],
            "half: no queries and no qrels; expected corpus.jsonl, queries.jsonl and qrels/<split>.tsv",
        ),
    ],
)
def test_what_is_refused(command: Command, here: Path, options: list[str], message: str) -> None:
    """One message, exit status 2, no traceback, and nothing is written."""
    rows = [{"a": a, "b": b, "grade": grade} for a, b, grade in TICKETS]
    write(here / "pairs.jsonl", rows)
    write(here / "日本.jsonl", rows)
    write(here / "same.jsonl", [{"a": a, "b": b, "grade": 3} for a, b, _ in TICKETS])
    write(
        here / "texts.jsonl", [{"x": "the first text", "y": "another one"}, {"x": "the second text", "y": "a last one"}]
    )
    write(here / "data.xml", "<a/>")
    write(here / "empty.jsonl", "")
    write(here / "broken.jsonl", "{\n")
    write(here / "half" / "corpus.jsonl", [{"_id": "d1", "text": "x"}])
    (here / "below").mkdir()
    before = files(here)
    said = command("tasks", "new", *options)
    assert said.status == 2
    assert said.out == ""
    assert message in said.err
    assert "Traceback" not in said.err
    assert files(here) == before


def test_a_spec_is_never_overwritten(command: Command, here: Path) -> None:
    """A second call refuses, whatever the first spec has become, and says what to do."""
    write(here / "pairs.jsonl", [{"a": a, "b": b, "grade": grade} for a, b, grade in TICKETS])
    assert command("tasks", "new", "--from", "pairs.jsonl").status == 0
    write(here / "Pairs.yaml", "reviewed")
    said = command("tasks", "new", "--from", "pairs.jsonl")
    assert (said.status, said.err) == (2, "harness: Pairs.yaml exists; say --force, or choose another --name\n")
    assert (here / "Pairs.yaml").read_text() == "reviewed"


# --- search problems -------------------------------------------------------------------------------------------------


def test_a_beir_folder(command: Command, here: Path, results: Path) -> None:
    """One split for each file of qrels; both baselines score each split's own queries.

    q1 and q2 find the copy of themselves first. The one relevant document of q3 is what neither model finds:
    it shares no word with the query, and four other documents are no worse.
    """
    corpus_and_queries(here / "beir")
    write(here / "beir" / "qrels" / "dev.tsv", qrels("q3 d5 1", "q3 d1 0"))
    write(here / "beir" / "qrels" / "test.tsv", qrels("q1 d1 2", "q1 d2 1", "q2 d3 1"))
    said = command("tasks", "new", "--from", "beir", "--name", "Mine")
    assert said.status == 0
    task = registry.load_file(here / "beir" / "Mine.yaml")
    assert (task.type, task.splits, task.source.path, task.main_metric) == (
        "Retrieval",
        ("dev", "test"),
        ".",
        "ndcg_at_10",
    )
    said = command("run", "baseline/hashing", "baseline/bm25", "--tasks-dir", "beir", "-t", "Mine")
    assert said.status == 0
    for model in ("hashing", "bm25"):
        found = scores(results, "Mine", model)
        assert found["test"]["ndcg_at_10"] == 1
        assert found["test"]["recall_at_1"] == 0.75  # of q1's two documents one, of q2's one all
        assert found["dev"]["recall_at_1"] == 0
    record = json.loads(next(results.rglob("baseline__bm25/*/Mine.json")).read_text())
    assert record["harness"]["parts"]["test"]["notes"] == ["1 queries that this split does not judge, left out: 'q3'"]


def test_beir_and_trec_judgements_are_the_same(command: Command, here: Path, results: Path) -> None:
    """TREC qrels become qrels/<split>.tsv and score as the same judgements in BEIR's form."""
    rows = ["q1 d1 2", "q1 d2 1", "q2 d3 1", "q2 d1 -1"]
    beir, trec = corpus_and_queries(here / "beir"), corpus_and_queries(here / "trec")
    write(beir / "qrels" / "test.tsv", qrels(*rows))
    write(here / "judged.txt", "".join(f"{a}\t0 {b}  {c}\r\n" for a, b, c in map(str.split, rows)))
    assert command("tasks", "new", "--from", "beir", "--name", "Beir").status == 0
    said = command("tasks", "new", "--from", "trec", "--name", "Trec", "--trec-qrels", "judged.txt")
    assert said.status == 0
    assert said.out.startswith(f"wrote {Path('trec/qrels/test.tsv')}\nwrote {Path('trec/Trec.yaml')}\n")
    assert (trec / "qrels" / "test.tsv").read_bytes() == (beir / "qrels" / "test.tsv").read_bytes()
    for name in ("Beir", "Trec"):
        models = ("baseline/hashing", "baseline/bm25")
        assert command("run", *models, "--tasks-dir", name.lower(), "-t", name).status == 0
    for model in ("hashing", "bm25"):
        assert scores(results, "Beir", model) == scores(results, "Trec", model)
    (trec / "Trec.yaml").unlink()  # as if the import had been killed before it wrote the spec
    assert command("tasks", "new", "--from", "trec", "--name", "Trec", "--trec-qrels", "judged.txt").status == 0
    write(here / "judged.txt", "q1 0 d1 1\nq2 0 d3 1\n")
    again = command("tasks", "new", "--from", "trec", "--name", "Other", "--trec-qrels", "judged.txt")
    assert again.status == 2
    assert "choose another --split" in again.err
    assert (
        command(
            "tasks", "new", "--from", "trec", "--name", "Other", "--trec-qrels", "judged.txt", "--split", "dev"
        ).status
        == 0
    )
    assert registry.load_file(trec / "Other.yaml").splits == ("dev",)


def test_a_run_is_reranked(command: Command, here: Path, results: Path) -> None:
    """TREC qrels and a run become a reranking task, whose scores are those that one finds by hand.

    q1: of d3, d2 and d1 the copy d1 comes first, then the relevant d2: 1/2. q2: d3, relevant and equal to the query, is
    no candidate: 0. q3: its copy d4 is relevant and comes first: 1. So MAP is (1/2 + 0 + 1) / 3.
    """
    folder = corpus_and_queries(here / "mine")
    write(here / "qrels.txt", "q1 0 d2 1\nq2 0 d3 1\nq3 0 d4 1\n")
    run = [
        "q1 Q0 d3 1 9.5 x",
        "q1 Q0 d2 2 9 x",
        "q1 Q0 d1 3 8 x",
        "q2 Q0 d1 1 7 x",
        "q2 Q0 d4 2 1 x",
        "q3 Q0 d1 1 2 x",
        "q3 Q0 d4 2 2.5 x",
    ]
    write(here / "run.txt", "\n".join(run))
    said = command("tasks", "new", "--from", "mine", "--trec-qrels", "qrels.txt", "--trec-run", "run.txt")
    assert said.status == 0
    task = registry.load_file(folder / "Mine.yaml")
    assert (task.type, task.main_metric) == ("Reranking", "map_at_1000")
    candidates = [json.loads(line) for line in (folder / "candidates.jsonl").read_text().splitlines()]
    assert candidates == [
        {"query-id": "q1", "corpus-ids": ["d3", "d2", "d1"]},
        {"query-id": "q2", "corpus-ids": ["d1", "d4"]},
        {"query-id": "q3", "corpus-ids": ["d4", "d1"]},
    ]
    assert command("run", "baseline/hashing", "--tasks-dir", "mine", "-t", "Mine").status == 0
    found = scores(results, "Mine")["test"]
    assert found["main_score"] == found["map_at_1000"] == 0.5
    assert found["ndcg_at_10"] == round((1 / math.log2(3) + 0 + 1) / 3, 5)
    assert found["recall_at_1"] == round(1 / 3, 5)
    assert found["recall_at_1000"] == round(2 / 3, 5)


def test_instructions_beside_a_corpus_become_a_task(command: Command, here: Path, results: Path) -> None:
    """With instructions it is InstructionRetrieval, with candidates and changes too InstructionReranking by p-MRR.

    The first instruction asks for the copy d1, the changed one for d2: d1 falls from rank 1 to 2, so p-MRR is 1 - 1/2.
    """
    for name in ("mine", "other"):
        texts = {"d1": "rain in spring", "d2": "snow in winter", "d3": "a copper kettle"}
        write(here / name / "corpus.jsonl", [{"_id": key, "title": "", "text": text} for key, text in texts.items()])
        write(here / name / "queries.jsonl", [{"_id": key, "text": "weather"} for key in ("q-og", "q-changed")])
        told = {"q-og": "rain in spring", "q-changed": "snow in winter"}
        write(
            here / name / "instructions.jsonl",
            [{"query-id": key, "instruction": text} for key, text in told.items()],
        )
        right = [("q-og", "d1"), ("q-og", "d2"), ("q-changed", "d2")]
        write(here / name / "qrels.jsonl", [{"query-id": q, "corpus-id": d, "score": 1} for q, d in right])
    candidates = [{"query-id": key, "corpus-ids": ["d1", "d2", "d3"]} for key in ("q-og", "q-changed")]
    write(here / "mine" / "candidates.jsonl", candidates)
    write(here / "mine" / "changes.jsonl", [{"query-id": "q", "corpus-ids": ["d1"]}])
    for name, type_, metric in (
        ("mine", "InstructionReranking", "p-MRR"),
        ("other", "InstructionRetrieval", "ndcg_at_20"),
    ):
        assert command("tasks", "new", "--from", name).status == 0
        task = registry.load_file(here / name / f"{name.title()}.yaml")
        assert (task.type, task.main_metric) == (type_, metric)
        assert command("run", "baseline/hashing", "--tasks-dir", name, "-t", task.name).status == 0
    assert scores(results, "Mine")["test"]["p-MRR"] == 0.5
    assert scores(results, "Mine")["test"]["og"]["recall_at_1"] == 0.5
    assert scores(results, "Other")["test"]["recall_at_1"] == 0.75
    (here / "mine" / "changes.jsonl").unlink()
    failed = command("run", "baseline/hashing", "--tasks-dir", "mine", "-t", "Mine", "--overwrite")
    assert failed.status == 1
    assert "changes: no rows; expected the documents whose relevance the changed instructions change" in failed.out


def test_a_run_for_judgements_that_are_there(command: Command, here: Path) -> None:
    """A BEIR folder and a run, without TREC qrels: every split is reranked; graded judgements are scored by nDCG."""
    folder = corpus_and_queries(here / "mine")
    write(folder / "qrels" / "test.tsv", qrels("q1 d1 2"))
    write(here / "run.txt", "q1 Q0 d1 1 1 x\n")
    assert command("tasks", "new", "--from", "mine", "--trec-run", "run.txt").status == 0
    task = registry.load_file(folder / "Mine.yaml")
    assert (task.type, task.splits, task.main_metric) == ("Reranking", ("test",), "ndcg_at_10")


@pytest.mark.parametrize(
    ("judged", "run", "message"),
    [
        ("", None, "qrels.txt: is empty; expected lines of query 0 document relevance"),
        ("q1 0 d1\n", None, "qrels.txt:1: 3 fields; expected 4: query 0 document relevance"),
        ("q1 0 d1 1\n\nq1 0 d2 high\n", None, "qrels.txt:3: relevance 'high'; expected a whole number"),
        ("q1 0 d1 1\nq1 0 d1 0\n", None, "qrels.txt:2: document 'd1' is judged twice for query 'q1'; expected once"),
        (
            "q1 0 d9 1\n",
            None,
            "1 judged documents that the corpus lacks: 'd9'; correct the qrels or remove them (qrels.txt:1)",
        ),
        (
            "q9 0 d1 1\n",
            None,
            "1 judged queries that do not exist: 'q9'; correct the qrels or remove them (qrels.txt:1)",
        ),
        ("q1 0 d1 0\n", None, "1 queries without a relevant document: 'q1'"),
        ("q1 0 d1 1\n", "q1 0 d1 1\n", "run.txt:1: 4 fields; expected 6: query Q0 document rank score tag"),
        ("q1 0 d1 1\n", "q1 Q0 d1 1 best x\n", "run.txt:1: score 'best'; expected a number"),
        ("q1 0 d1 1\n", "q1 Q0 d1 1 2 x\nq1 Q0 d1 2 1 x\n", "run.txt:2: document 'd1' stands twice for query 'q1'"),
        ("q1 0 d1 1\n", "q1 Q0 d8 1 2 x\n", "candidates: run.txt:1: 1 candidates that the corpus lacks: 'd8'"),
        ("q1 0 d1 1\n", "", "run.txt: is empty; expected lines of query Q0"),
    ],
)
def test_bad_trec_files(command: Command, here: Path, judged: str, run: str | None, message: str) -> None:
    """File and line, and nothing is converted."""
    corpus_and_queries(here / "mine")
    write(here / "qrels.txt", judged)
    if run is not None:
        write(here / "run.txt", run)
    before = files(here)
    said = command(
        "tasks",
        "new",
        "--from",
        "mine",
        "--trec-qrels",
        "qrels.txt",
        *(["--trec-run", "run.txt"] if run is not None else []),
    )
    assert said.status == 2
    assert message in said.err
    assert files(here) == before
    assert not (here / "mine" / "qrels").exists()


@pytest.mark.parametrize("fails_at", [1, 2, 3])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_half_written(
    command: Command, here: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int, error: BaseException
) -> None:
    """When the first, second or third file cannot be written, or one loses patience, none of the three is there."""
    corpus_and_queries(here / "mine")
    write(here / "qrels.txt", "q1 0 d1 1\n")
    write(here / "run.txt", "q1 Q0 d1 1 1 x\n")
    before = files(here)
    replace, calls = os.replace, []

    def failing(source: Any, target: Any) -> None:
        calls.append(target)
        if len(calls) == fails_at:
            raise error
        replace(source, target)

    options = ["tasks", "new", "--from", "mine", "--trec-qrels", "qrels.txt", "--trec-run", "run.txt"]
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", failing)
        said = command(*options)
    assert said.status == (2 if isinstance(error, OSError) else 130)
    assert len(calls) == fails_at
    assert files(here) == before
    assert not (here / "mine" / "qrels").exists()
    if isinstance(error, OSError):
        assert "cannot be written (No space left on device); no file was kept" in said.err
    assert command(*options).status == 0
    assert files(here) - before == {"mine/qrels/test.tsv", "mine/candidates.jsonl", "mine/Mine.yaml"}


def test_scifact_as_a_beir_folder(shared: Path, hub: Any, harness: Callable[..., Any], tmp_path: Path) -> None:
    """SciFact's own files, imported from a BEIR folder, score as the hub's SciFact does."""
    place = shared / "hub" / "datasets" / "mteb" / "scifact"
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    for name in ("corpus", "queries"):
        (folder / f"{name}.jsonl").write_bytes((place / name / f"{name}.jsonl").read_bytes())
    rows = [json.loads(line) for line in (place / "data" / "test.jsonl").read_text().splitlines()]
    judged = qrels(*(f"{row['query-id']} {row['corpus-id']} {row['score']:g}" for row in rows))
    write(folder / "qrels" / "test.tsv", judged)
    env = {"HF_ENDPOINT": hub.endpoint}
    assert harness("tasks", "new", "--from", "beir", "--name", "Mine").returncode == 0
    done = harness("run", "baseline/hashing", "--tasks-dir", "beir", "-t", "SciFact,Mine", "--splits", "test", env=env)
    assert done.returncode == 0, done.stderr
    results = tmp_path / "results"
    assert scores(results, "Mine")["test"] == scores(results, "SciFact")["test"]


# --- mteb's tasks ----------------------------------------------------------------------------------------------------


def test_import_prints_a_spec(command: Command, tmp_path: Path) -> None:
    """Data that mteb scores as it lies on the hub gets a hub source, other data mteb as the source; both are valid."""
    pytest.importorskip("mteb")
    for name, kind, reason in (
        ("LccSentimentClassification", "hub", "mteb scores the data set as it is on the hub"),
        ("STSBenchmarkMultilingualSTS", "mteb", "(STSBenchmarkMultilingualSTS.dataset_transform"),
    ):
        said = command("tasks", "import", name)
        assert said.status == 0
        first, why, review, *_ = said.out.splitlines()
        assert first.startswith("# From mteb 2.")
        assert reason in why
        assert review == f"# Review it, check it against the data, and save it as {name}.yaml."
        task = registry.load_file(write(tmp_path / "imported" / f"{name}.yaml", said.out))
        assert task.source.kind == kind


def test_import_says_what_is_wrong_with_a_spec(command: Command) -> None:
    """Where mteb's metadata make no valid spec, the header says why and the status is 1."""
    pytest.importorskip("mteb")
    said = command("tasks", "import", "IFIRAila")
    assert said.status == 1
    assert "# DEFECT source.revision: expected a commit (40 hexadecimal digits" in said.out
    nobody = command("tasks", "import", "SciFacts")
    assert (nobody.status, nobody.out) == (2, "")
    assert "no task named 'SciFacts'; did you mean SciFact" in nobody.err


def test_an_imported_hub_source_holds_mtebs_data(hub: Any, harness: Callable[..., Any], tmp_path: Path) -> None:
    """For tasks of three types, what the imported spec loads from the hub is what mteb loads, text by text."""
    pytest.importorskip("mteb")
    variables = {"HF_ENDPOINT": hub.endpoint}
    for name in ("STSBenchmark", "Banking77Classification", "SciFact"):
        printed = harness("tasks", "import", name, env=variables).stdout
        ours, theirs = registry.load_file(write(tmp_path / f"{name}.yaml", printed)), mteb_metadata.spec(name)
        assert (ours.source.kind, theirs.source.kind) == ("hub", "mteb")
        part = next(part for part in ours.parts if part.split == "test")
        with in_process.environment_of(environment(tmp_path, **variables), folder=tmp_path):
            assert data.load(ours, part).digest == data.load(theirs, part).digest


def test_show_knows_mtebs_tasks(command: Command, tmp_path: Path) -> None:
    """A task without a spec here is shown as the spec that the bridge makes."""
    pytest.importorskip("mteb")
    said = command("tasks", "show", "LccSentimentClassification")
    assert said.status == 0
    task = registry.load_file(write(tmp_path / "LccSentimentClassification.yaml", said.out))
    assert (task.type, task.source.kind) == ("Classification", "mteb")


def test_list_of_mtebs_tasks(command: Command) -> None:
    """`--mteb` adds the tasks that have no spec here; types, languages and domains narrow them as they narrow ours."""
    ours = {row["name"] for row in json.loads(command("tasks", "list", "--types", "STS", "--json").out)}
    rows = json.loads(command("tasks", "list", "--types", "STS", "--mteb", "--json").out)
    added = [row for row in rows if row["name"] not in ours]
    assert {row["name"] for row in rows} > ours
    assert "Assin2STS" in {row["name"] for row in added}
    assert all(row["type"] == "STS" and row["source"]["kind"] == "mteb" for row in added)
    text = command("tasks", "list", "--types", "STS", "--mteb").out
    assert text.endswith(f"{len(ours)} tasks, and {len(added)} that only mteb has\n")
    narrowed = command("tasks", "list", "--mteb", "--domains", "Web", "--languages", "por", "--types", "STS", "--json")
    assert {row["name"] for row in json.loads(narrowed.out)} - ours == {"SICK-BR-STS"}


def test_lists_do_not_import_mteb(tmp_path: Path) -> None:
    """What is known about mteb's tasks needs neither mteb nor numpy: no seconds of waiting for an import."""
    code = (
        "import sys; from harness import cli; cli.main(['tasks', 'list', '--mteb']); "
        "sys.exit(str({'mteb', 'numpy'} & sys.modules.keys()) if {'mteb', 'numpy'} & sys.modules.keys() else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_list_by_domain(command: Command) -> None:
    """`--domains` keeps the tasks of any of the domains, and refuses one that no task has."""
    rows = json.loads(command("tasks", "list", "--domains", "Medical,News", "--json").out)
    found = {row["name"]: set(registry.get_tasks().get(row["name"]).domains) for row in rows}
    assert "SciFact" in found
    assert all(domains & {"Medical", "News"} for domains in found.values())
    said = command("tasks", "list", "--domains", "Newz")
    assert (said.status, said.out) == (2, "")
    assert "no domain named 'Newz'; did you mean News?" in said.err


def test_an_unknown_type_is_refused_with_the_nearest_one(command: Command, tmp_path: Path) -> None:
    """`--type` takes a task type of the harness; another word is refused before the data is read."""
    source = tmp_path / "pairs.jsonl"
    source.write_text('{"a": "x", "b": "y", "grade": 1}\n')
    said = command("tasks", "new", "--from", str(source), "--type", "Clusterng")
    assert (said.status, "did you mean Clustering" in said.err) == (2, True)
