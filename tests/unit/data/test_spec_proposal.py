"""From columns to a task: what is guessed, what is left to the caller, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.column_contents import described
from harness.data.field_reader import SpecRequest
from harness.data.spec_proposal import name_from, propose, propose_search
from harness.errors import DataError, UnknownName
from harness.evaluators import KINDS
from harness.evaluators.clustering import ClusteringSettings
from harness.evaluators.sts import STSSettings
from harness.tasks import registry
from harness.tasks.task_file import SAFE_NAME
from harness.types import Source

LEFT = ["a red car stands in the yard", "the cat sleeps", "two boys play chess", "rain is forecast for Monday"]
RIGHT = ["a red car stands in the garden", "the cat is asleep", "two men play cards", "the stock fell on Monday"]
TOPICS = ["weather", "kitchen", "weather", "kitchen"]
WANTED = SpecRequest(
    name="Mine",
    data="my/data.jsonl",
    origin="data.jsonl",
    source=Source(kind="local", path="data.jsonl"),
    file="my/Mine.yaml",
)


def guess(*, train: dict[str, list[Any]] | None = None, request: SpecRequest = WANTED, **table: list[Any]) -> Any:
    """(type, columns) proposed for one table, or for a folder with training data."""
    tables = {"test": table} if train is None else {"train": train, "test": table}
    task = propose(tables, request).task
    return task.type, dict(task.columns)


def says(request: SpecRequest = WANTED, **table: list[Any]) -> str:
    """The message that refuses a table."""
    with pytest.raises(DataError) as caught:
        propose({"test": table}, request)
    return str(caught.value)


# --- columns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values", "shown"),
    [
        ("x", LEFT, "'x': 4 different texts in 4 rows"),
        ("x", TOPICS, "'x': 2 different labels in 4 rows"),
        ("x", [LEFT[0], LEFT[0], LEFT[1], LEFT[1]], "'x': 2 different texts in 4 rows"),
        ("x", ["a1", "b2", "c3", "d4"], "'x': 4 different ids in 4 rows"),
        ("doc_id", ["a", "b", "c", "d"], "'doc_id': 4 different ids in 4 rows"),
        ("topic_id", ["a", "b", "a", "b"], "'topic_id': 2 different labels in 4 rows"),
        ("id", [3, 1, 2, 0], "'id': ids from 0 to 3"),
        ("", [0, 1, 2, 3], "'': ids from 0 to 3"),
        ("rank", [3, 1, 2, 0], "'rank': whole numbers from 0 to 3"),
        ("x", [True, False, True, True], "'x': whole numbers from 0 to 1"),
        ("x", [0, 0.5, 4, 5], "'x': numbers from 0 to 5"),
        ("x", ["news"] * 4, "'x': the same in every row"),
        ("x", [3.5] * 4, "'x': the same in every row"),
        ("x", ["a", None, "b", "c"], "'x': no column of one kind ('a' (str) and null)"),
        ("x", [1, "b", "c", 2], "'x': no column of one kind (1 (int) and 'b' (str))"),
        ("x", [1.5, 2, float("nan"), 3], "'x': no column of one kind (1.5 (float) and nan (float))"),
        ("x", [["a"], ["b", "a"], [], [7]], "'x': lists of 3 different labels in 4 rows"),
        ("x", [["a"], [None], ["c"], ["d"]], "'x': no column of one kind (['a'] (list))"),
    ],
)
def test_what_a_column_holds(name: str, values: list[Any], shown: str) -> None:
    """Texts, labels that come back, ids that do not, numbers, and what is none of these."""
    [column] = described({name: values})
    assert str(column) == shown


# --- types -----------------------------------------------------------------------------------------------------------


def test_pairs_with_scores() -> None:
    """Two columns of texts and one of numbers are STS, in the order of the file, whatever they are called."""
    columns = {"left": "x", "right": "y", "gold": "z"}
    assert guess(x=LEFT, y=RIGHT, z=[0.5, 4, 2, 5]) == ("STS", columns)
    assert guess(z=[0, 4, 2, 5], x=LEFT, y=RIGHT) == ("STS", columns)


@pytest.mark.parametrize("gold", [[0, 1, 1, 0], [0.0, 1.0, 1.0, 0.0], [True, False, True, True]])
def test_pairs_with_zeros_and_ones(gold: list[Any]) -> None:
    """Where the numbers are only 0 and 1, the pairs are to be told apart."""
    assert guess(x=LEFT, y=RIGHT, z=gold) == ("PairClassification", {"left": "x", "right": "y", "gold": "z"})


def test_pairs_with_a_repeated_side() -> None:
    """A premise that comes back with several hypotheses is a text, not a label."""
    premises = [LEFT[0], LEFT[0], LEFT[1], LEFT[1]]
    assert guess(premise=premises, hypothesis=RIGHT, label=[0, 1, 2, 0])[0] == "STS"


def test_texts_with_labels() -> None:
    """One column of texts and one of labels are to be clustered, or learnt where there is training data."""
    table: dict[str, list[Any]] = {"body": LEFT, "topic": TOPICS}
    assert guess(**table) == ("Clustering", {"text": "body", "label": "topic"})
    assert guess(train=table, **table) == ("Classification", {"text": "body", "label": "topic"})
    assert guess(body=LEFT, topic=[0, 1, 0, 1]) == ("Clustering", {"text": "body", "label": "topic"})


def test_texts_with_lists_of_labels() -> None:
    """With training data, lists of labels make a multilabel classification; without, they may be anything."""
    table: dict[str, list[Any]] = {"body": LEFT, "tags": [["a", "b"], [], ["b"], ["a"]], "length": [5.5, 3, 4, 6]}
    assert guess(train=table, **table) == ("MultilabelClassification", {"text": "body", "label": "tags"})
    assert "'tags': lists of 2 different labels in 4 rows" in says(**table)
    decided = WANTED._replace(columns={"label": "tags"})
    assert guess(train=table, request=decided, **table)[0] == "MultilabelClassification"


def test_texts_with_numbers() -> None:
    """With training data, numbers that do not repeat like labels are to be predicted."""
    table: dict[str, list[Any]] = {"text": LEFT, "price": [1.5, 2, 3.25, 8]}
    assert guess(train=table, **table) == ("Regression", {"text": "text", "value": "price"})
    train, test = ({**table, "price": numbers} for numbers in ([1500, 2000, 3250, 8000], [900, 1800, 3000, 7500]))
    assert guess(train=train, **test) == ("Regression", {"text": "text", "value": "price"})
    stars = {**table, "price": [1, 2, 1, 2]}
    assert guess(train=stars, **stars)[0] == "Classification"
    decided = WANTED._replace(type="Regression")
    assert guess(train=stars, request=decided, **stars) == ("Regression", {"text": "text", "value": "price"})


def test_summaries_with_grades() -> None:
    """The usual names of its columns make a summarization; one that is called otherwise has to be named."""
    table = {
        "text": LEFT,
        "human_summaries": [["a cat"]] * 4,
        "machine_summaries": [["a dog", "a cat"]] * 4,
        "relevance": [[1, 4.5], [2, 3], [3, 2], [5, 1]],
    }
    columns = {"source": "text", "human": "human_summaries", "machine": "machine_summaries", "grades": "relevance"}
    assert guess(**table) == ("Summarization", columns)
    renamed = {"grades" if name == "relevance" else name: values for name, values in table.items()}
    assert guess(request=WANTED._replace(columns={"grades": "grades"}), **renamed)[0] == "Summarization"


def test_what_else_a_table_may_hold() -> None:
    """Ids, constants and mixed columns are not used; among several candidates a usual name decides."""
    extra: dict[str, list[Any]] = {"id": [0, 1, 2, 3], "genre": ["news"] * 4, "note": [None, "x", 1, "y"]}
    assert guess(**extra, a=LEFT, b=RIGHT, grade=[1, 2, 3, 4])[1] == {"left": "a", "right": "b", "gold": "grade"}
    assert guess(a=LEFT, b=RIGHT, score=[1, 2, 3, 4], length=[9, 8, 7, 6])[1]["gold"] == "score"
    assert guess(text=LEFT, label=[0, 1, 0, 1], label_text=TOPICS)[1] == {"text": "text", "label": "label"}
    assert guess(title=RIGHT, text=LEFT, label=[0, 1, 0, 1]) == ("Clustering", {"text": "text", "label": "label"})
    three = guess(sentence1=LEFT, sentence2=RIGHT, comment=LEFT[::-1], score=[1, 2, 3, 4])
    assert three == ("STS", {"left": "sentence1", "right": "sentence2", "gold": "score"})


def test_the_caller_knows_better() -> None:
    """A type and columns that are asked for are taken, also where the guess would have been another."""
    scores = [0, 1, 1, 0]
    assert guess(x=LEFT, y=RIGHT, z=scores, request=WANTED._replace(type="STS"))[0] == "STS"
    bitext = guess(de=LEFT, en=RIGHT, request=WANTED._replace(type="BitextMining"))
    assert bitext == ("BitextMining", {"left": "de", "right": "en"})
    swapped = WANTED._replace(columns={"left": "y", "right": "x"})
    assert guess(x=LEFT, y=RIGHT, z=[1, 2, 3, 4], request=swapped)[1] == {"left": "y", "right": "x", "gold": "z"}
    labelled = WANTED._replace(columns={"text": "x", "label": "z"})
    assert guess(x=LEFT, y=RIGHT, z=scores, request=labelled) == ("Clustering", {"text": "x", "label": "z"})
    short = guess(
        x=["sun", "rain", "sun", "rain"], y=TOPICS, request=WANTED._replace(type="Clustering", columns={"text": "x"})
    )
    assert short == ("Clustering", {"text": "x", "label": "y"})


@pytest.mark.parametrize(
    ("table", "decided", "why"),
    [
        ({"x": LEFT, "y": RIGHT}, {}, "its columns fit no task, or more than one"),
        ({"x": LEFT, "y": RIGHT, "z": LEFT[::-1]}, {}, "its columns fit no task, or more than one"),
        ({"x": LEFT, "y": [0.5, 1, 2, 3]}, {}, "its columns fit no task, or more than one"),
        ({"x": [1, 2, 3, 4]}, {}, "its columns fit no task, or more than one"),
        (
            {"x": LEFT, "y": RIGHT, "z": [1, 2, 3, 4], "w": [5, 6, 7, 8]},
            {},
            "2 columns could be the scores of the pairs",
        ),
        ({"x": LEFT, "y": RIGHT, "z": LEFT[::-1], "w": [1, 2, 3, 4]}, {}, "3 columns could be the texts to compare"),
        ({"x": LEFT, "y": TOPICS, "z": TOPICS[::-1]}, {}, "2 columns could be the labels, where one is expected"),
        (
            {"x": LEFT, "y": [1, 2, 3, 4]},
            {"type": "STS"},
            "1 columns could be the texts to compare, where two are expected",
        ),
        (
            {"x": LEFT, "y": RIGHT},
            {"type": "STS"},
            "no columns could be the scores of the pairs, where one is expected",
        ),
        ({"x": LEFT, "y": TOPICS}, {"type": "Classification"}, "Classification needs a folder with train and test"),
        ({"x": LEFT, "y": TOPICS}, {"type": "Retrieval"}, "Retrieval needs a folder with corpus, queries and qrels"),
    ],
)
def test_what_is_refused(table: dict[str, list[Any]], decided: dict[str, Any], why: str) -> None:
    """One message that says why, what every column holds, what would do, and how to say what is meant."""
    message = says(WANTED._replace(**decided), **table)
    assert message.startswith(f"my/data.jsonl: {why}")
    for column in described(table):
        assert str(column) in message
    assert "Expected two columns of texts and one of numbers (STS;" in message
    assert "--type STS --columns left=" in message


def test_what_does_not_exist() -> None:
    """An unknown column or field is named, with what there is."""
    with pytest.raises(UnknownName, match=r"no column of my/data\.jsonl named 'grad'; did you mean grade\?"):
        guess(a=LEFT, b=RIGHT, grade=[1, 2, 3, 4], request=WANTED._replace(columns={"gold": "grad"}))
    with pytest.raises(UnknownName, match=r"no field of STS named 'text'; known: left, right, gold"):
        guess(a=LEFT, b=RIGHT, z=[1, 2, 3, 4], request=WANTED._replace(type="STS", columns={"text": "a"}))


@pytest.mark.parametrize("name", ["1", "-2.5", "x" * 61])
def test_a_table_without_a_header(name: str) -> None:
    """A column that is called like a value shows that the first row was taken for the header."""
    assert says(**{"hello": LEFT, name: RIGHT}).endswith("expected the columns' names in the first line")


# --- the rest of the spec --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "low", "high"),
    [
        ([0.0, 0.2, 0.9, 1.0], 0, 1),
        ([0.3, 4.5, 1, 2], 0, 5),
        ([1, 5, 3, 2], 1, 5),
        ([-0.5, 0.7, 0.1, 0.2], -1, 1),
        ([12, 99.5, 3, 50], 3, 100),
    ],
)
def test_the_range_of_the_scores(scores: list[float], low: float, high: float) -> None:
    """The whole numbers that hold the scores."""
    found = propose({"test": {"x": LEFT, "y": RIGHT, "z": scores}}, WANTED)
    assert found.task.settings == STSSettings(min_score=low, max_score=high)
    assert f"so the range is {low} to {high}" in dict(found.reasons)["settings"]


def test_small_data_is_clustered_whole() -> None:
    """mteb's fraction of 0.04 would leave nothing of a small table; each draw is as large as the data."""
    task = propose({"test": {"x": LEFT, "y": TOPICS}}, WANTED).task
    assert task.settings == ClusteringSettings(max_fraction_of_documents_to_embed=None, max_documents_per_cluster=4)


def test_large_data_is_sampled() -> None:
    """Beyond 16,384 texts a sample of as many is clustered."""
    table = {"x": [f"text number {i} of many" for i in range(20_000)], "y": ["one", "two"] * 10_000}
    settings = propose({"test": table}, WANTED).task.settings
    assert settings == ClusteringSettings(max_fraction_of_documents_to_embed=None, max_document_to_embed=16_384)


def test_training_data_is_not_scored() -> None:
    """Every split is one of the task but train, unless there is nothing else."""
    table = {"x": LEFT, "y": RIGHT, "z": [1, 2, 3, 4]}
    assert propose({"train": table, "dev": table, "test": table}, WANTED).task.splits == ("dev", "test")
    assert propose({"train": table}, WANTED).task.splits == ("train",)


def test_search_problems() -> None:
    """Retrieval with a split for each qrels; with candidates Reranking, by nDCG where judgements are graded."""
    task = propose_search(["dev", "test"], WANTED, more=(), greatest=2).task
    assert (task.type, task.splits, task.main_metric) == ("Retrieval", ("dev", "test"), "ndcg_at_10")
    plain = propose_search(["test"], WANTED, more=["candidates"], greatest=1).task
    assert (plain.type, plain.main_metric) == ("Reranking", "map_at_1000")
    assert propose_search(["test"], WANTED, more=["candidates"], greatest=2).task.main_metric == "ndcg_at_10"
    with pytest.raises(DataError, match="which make a Retrieval; leave out --type STS"):
        propose_search(["test"], WANTED._replace(type="STS"), more=(), greatest=1)
    with pytest.raises(DataError, match="which make a Reranking; leave out --columns"):
        propose_search(["test"], WANTED._replace(columns={"text": "x"}), more=["candidates"], greatest=1)


@pytest.mark.parametrize("type_", KINDS)
def test_every_type_has_a_main_metric_of_its_own(type_: Any) -> None:
    """The proposed metric is one that a spec of the type may name."""
    kind = KINDS[type_]
    assert kind.main_metric in kind.metrics(kind.settings())


TABLES = st.dictionaries(
    st.text("abcXYZ_ ", min_size=1, max_size=8),
    st.sampled_from(
        [
            LEFT,
            RIGHT,
            TOPICS,
            [0, 1, 2, 3],
            [0.5, 1.5, 2.5, 3.5],
            [0, 1, 0, 1],
            [1, 1, 1, 1],
            ["k1", "k2", "k3", "k4"],
            [None, 1, "a", 2],
        ]
    ),
    min_size=1,
    max_size=5,
)


@given(table=TABLES, train=st.booleans(), type_=st.sampled_from([None, *KINDS]))
def test_a_proposal_is_a_spec_or_a_message(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, list[Any]], train: bool, type_: Any
) -> None:
    """Whatever the columns: a spec that reads back as what was proposed, or one DataError."""
    tables = {"train": table, "test": table} if train else {"test": table}
    try:
        found = propose(tables, WANTED._replace(type=type_))
    except DataError:
        return
    assert type_ in (None, found.task.type)
    assert set(found.task.columns.values()) <= set(table)
    assert len(set(found.task.columns.values())) == len(found.task.columns)
    file = tmp_path_factory.mktemp("spec") / "Mine.yaml"
    file.write_text(registry.render(found.task), encoding="utf-8")
    read = registry.load_file(file)
    assert registry.fingerprint_of(read) == registry.fingerprint_of(found.task)
    assert read.subsets == {"default": ("eng-Latn",)}


@given(stem=st.text(max_size=120))
def test_names(stem: str) -> None:
    """A name made from a file's is empty or safe."""
    name = name_from(stem)
    assert name == "" or SAFE_NAME.fullmatch(name)


def test_names_are_readable() -> None:
    """Words are joined, and start with a capital."""
    assert [name_from(stem) for stem in ("my-sts", "tickets_2024 final", "STS.v2", "日本")] == [
        "MySts", "Tickets2024Final", "STSV2", "",
    ]  # fmt: skip


def test_the_source_is_where_the_data_lies() -> None:
    """Path and file are the caller's, and the description names the data."""
    task = propose({"test": {"x": LEFT, "y": RIGHT, "z": [1, 2, 3, 4]}}, WANTED).task
    assert (task.source.kind, task.source.path, Path(task.file)) == ("local", "data.jsonl", Path("my/Mine.yaml"))
    assert "from data.jsonl" in task.description
