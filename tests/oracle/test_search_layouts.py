"""Search tasks in the hub's own layout, through the local hub: the same scores as mteb, from every source."""

from __future__ import annotations

import json
import random
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import harness
from harness import data
from harness.evaluators import KINDS
from harness.evaluators.tables import Table
from harness.models.baselines import Hashing
from harness.runner import measurement
from harness.tasks import registry
from harness.types import Part, Scores, TaskSpec
from tests import in_process
from tests.conftest import environment
from tests.oracle.mteb_tasks import plain, same
from tests.oracle.test_bridge import expected

WORDS = ("rain wind snow flour butter sugar river eagle chess", "violin engine harbour lantern meadow copper thunder")
CONFIGS = {
    "qrels": ("default", "test"),
    "candidates": ("top_ranked", "top_ranked"),
    "instructions": ("instruction", "instruction"),
    "changes": ("qrel_diff", "qrel_diff"),
}
"""Table -> its config and split on the hub, where these are not the table's name."""

Tables = dict[str, list[dict[str, Any]]]


def words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choices(" ".join(WORDS).split(), k=count))


def problem(seed: str, query_ids: Sequence[str], *, others: int = 3) -> Tables:
    """Corpus, queries and qrels. Every query has three relevant documents; it has the title of one and other words."""
    rng = random.Random(seed)
    corpus = [{"_id": f"d{i}", "title": words(rng, 2), "text": words(rng, 8)} for i in range(40)]
    queries, qrels = [], []
    for name in query_ids:
        right = rng.sample(corpus, 3)
        queries.append({"_id": name, "text": f"{right[0]['title']} {words(rng, others)}"})
        qrels += [{"query-id": name, "corpus-id": row["_id"], "score": rng.choice((1, 1, 2))} for row in right]
    return {"corpus": corpus, "queries": queries, "qrels": qrels}


def with_candidates(tables: Tables, *, alike: Mapping[str, str] | None = None) -> Tables:
    """Twelve candidates for each query, the relevant ones among them; the same for queries that are `alike`."""
    rng, names = random.Random("candidates"), [row["_id"] for row in tables["corpus"]]
    judged: dict[str, list[str]] = {}
    for row in tables["qrels"]:
        judged.setdefault(row["query-id"], []).append(row["corpus-id"])
    groups: dict[str, list[str]] = {}
    for query, right in judged.items():
        groups.setdefault((alike or {}).get(query, query), []).extend([*right, *rng.sample(names, 9)])
    rows = [
        {"query-id": query, "corpus-ids": [*dict.fromkeys(groups[(alike or {}).get(query, query)])]} for query in judged
    ]
    return {**tables, "candidates": rows}


def with_instructions(tables: Tables) -> Tables:
    rng = random.Random("instructions")
    rows = [{"query-id": row["_id"], "instruction": f"only {words(rng, 4)}"} for row in tables["queries"]]
    return {**tables, "instructions": rows}


def followed() -> Tables:
    """Every query with two instructions, and the documents that the second one makes irrelevant."""
    ids = [f"{i}-{ending}" for i in range(6) for ending in ("og", "changed")]
    alike = {name: name.partition("-")[0] for name in ids}
    tables = with_instructions(with_candidates(problem("followed", ids), alike=alike))
    first = {row["query-id"]: row["corpus-id"] for row in tables["qrels"] if row["query-id"].endswith("-og")}
    changes = [{"query-id": name.removesuffix("-og"), "corpus-ids": [document]} for name, document in first.items()]
    return {**tables, "changes": changes}


def one_relevant(tables: Tables) -> Tables:
    """Only the first relevant document of each query, which shares most words with it."""
    return {**tables, "qrels": tables["qrels"][::3]}


def conversations() -> Tables:
    tables = problem("conversations", [f"q{i}" for i in range(8)])
    rng = random.Random("turns")
    for place, row in enumerate(tables["queries"]):
        turns = [{"role": "user", "content": row["text"]}, {"role": "assistant", "content": words(rng, 3)}]
        row["text"] = [*turns, {"role": "user", "content": words(rng, 2)}][: 1 + place % 3]
    return tables


def subqueries() -> Tables:
    ids = [f"user_{i}_{j}" for i in range(5) for j in range(3)]
    alike = {name: name.rpartition("_")[0] for name in ids}
    tables = with_candidates(problem("subqueries", ids), alike=alike)
    first = {name: f"{group}_0" for name, group in alike.items()}
    of_first: dict[str, list[dict[str, Any]]] = {}
    for row in tables["qrels"]:
        of_first.setdefault(row["query-id"], []).append(row)
    qrels = [{**row, "query-id": name} for name in ids for row in of_first[first[name]]]
    return {**tables, "qrels": qrels}


def by_language(tables: Tables, languages: Iterable[str], pattern: str) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """Config -> split and rows; `pattern` joins a config and a language."""
    return {
        pattern.format(config=config, language=language): (split, rows)
        for language in languages
        for config, (split, rows) in configs(tables).items()
    }


def configs(tables: Tables) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    named = {table: CONFIGS.get(table, (table, table)) for table in tables}
    return {config: (split, tables[table]) for table, (config, split) in named.items()}


def prefixed(tables: Tables, subsets: Iterable[str]) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """Config -> split and rows, with each subset in front of the names of its configs."""
    named = {**configs(tables), "qrels": ("test", tables["qrels"])}
    del named["default"]
    return {f"{subset}-{config}": content for subset in subsets for config, content in named.items()}


PAIRS = [f"{i}_q{j}" for i in range(8) for j in (1, 2)]
SERVED: Mapping[str, tuple[Part, dict[str, tuple[str, list[dict[str, Any]]]]]] = {
    "Core17InstructionRetrieval": (Part("test", "default"), configs(followed())),
    "mFollowIR": (Part("test", "rus"), by_language(followed(), ("fas", "rus", "zho"), "{config}-{language}")),
    "InstructIR": (
        Part("test", "default"),
        configs(with_instructions(problem("instructed", [f"{i}_{j}" for i in range(4) for j in range(3)]))),
    ),
    "StatcanDialogueDatasetRetrieval": (Part("test", "english"), prefixed(conversations(), ("english", "french"))),
    "MindSmallReranking": (Part("test", "default"), configs(subqueries())),
    "NevIR": (
        Part("test", "default"),
        configs(
            with_candidates(one_relevant(problem("negated", [f"{i}_q{j}" for i in range(8) for j in (1, 2)], others=0)))
        ),
    ),
    "OBLIQBenchMathRetrieval": (
        Part("test", "math"),
        prefixed(with_candidates(problem("narrowed", [f"q{i}" for i in range(8)])), ["math"]),
    ),
}
"""Task -> a part, and what the hub holds: config -> split and rows."""
CODE_OF_MTEB = {"mFollowIR"}
"""Tasks that mteb loads with code of its own, so that no other source has their layout."""


def ours(task: TaskSpec, part: Part) -> Scores:
    return measurement.score(measurement.encode(task, part, Hashing(), data.load(task, part))).scores


def recorded(task: TaskSpec, part: Part) -> Scores:
    [record] = harness.run("baseline/hashing", task, splits=[part.split], languages=[part.subset])
    return {k: v for k, v in record.parts[part].items() if k not in ("main_score", "hf_subset", "languages")}


def sides(name: str, part: Part) -> dict[str, dict[str, Any]]:
    """Side -> its scores, or how it failed."""
    task, scores = harness.get_task(name), {}
    on_hub = replace(task, source=replace(task.source, kind="hub"))
    for side, measured, spec in (("run", recorded, task), ("mteb", expected, task), ("hub", ours, on_hub)):
        try:
            scores[side] = plain(measured(spec, part))
        except Exception:
            scores[side] = {"error": traceback.format_exc()[-2000:]}
    return scores


def serve(folder: Path, served: Mapping[str, tuple[str, list[dict[str, Any]]]]) -> None:
    """A data set with these configs."""
    card = []
    for config, (split, rows) in served.items():
        file = folder / config / f"{split}.jsonl"
        file.parent.mkdir(parents=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        card.append({"config_name": config, "data_files": [{"split": split, "path": f"{config}/{split}.jsonl"}]})
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': card})}---\n", encoding="utf-8")


@pytest.fixture(scope="module")
def scored(localhub: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Task -> the scores of `harness run`, of mteb, and of a task file that names the data set on the hub."""
    folder = tmp_path_factory.mktemp("search")
    for name, (_, served) in SERVED.items():
        serve(folder / "hub" / "datasets" / registry.get_task(name).source.path, served)
    with (
        localhub.LocalHub(str(folder / "hub")) as hub,
        in_process.environment_of(environment(folder, HF_ENDPOINT=hub.endpoint), folder=folder),
    ):
        return {name: sides(name, Part(*part)) for name, (part, _) in SERVED.items()}


@pytest.mark.parametrize("name", SERVED)
def test_every_metric_is_mtebs(scored: dict[str, dict[str, Any]], name: str) -> None:
    """`harness run` and a task file over the same data set give every metric of mteb, nested ones too, to 1e-5."""
    theirs = scored[name]["mteb"]
    assert "error" not in theirs, theirs["error"]
    metric = registry.get_task(name).main_metric
    assert 0 < abs(theirs[metric]) < 1
    for side in ("run", "hub"):
        scores = scored[name][side]
        if side == "hub" and name in CODE_OF_MTEB:
            continue
        assert "error" not in scores, f"{side}: {scores['error']}"
        assert scores.keys() == theirs.keys()
        wrong = {
            key: (scores[key], theirs[key]) for key in theirs if not same(scores[key], theirs[key], tolerance=1e-5)
        }
        assert not wrong, f"{side}, (ours, mteb's): {wrong}"


def test_a_reranking_task_of_mteb_without_candidates_ranks_the_corpus() -> None:
    """As in mteb, and the record says so."""
    task, tables = registry.get_task("CodeRAGProgrammingSolutions"), problem("code", ["q0", "q1"])

    def table(name: str, **_: Any) -> Table:
        rows = tables.get(name, [])
        return {column: [row[column] for row in rows] for column in (rows[0] if rows else {})}

    gold, _, notes, _ = KINDS[task.type].read(task, task.parts[0], table)  # type: ignore[arg-type]
    assert KINDS[task.type].search is not None
    assert KINDS[task.type].search(gold, task.settings).candidates is None
    assert notes == ("the data name no candidates, so the whole corpus is ranked, as in mteb",)
