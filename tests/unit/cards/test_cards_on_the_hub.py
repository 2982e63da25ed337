"""What huggingface_hub makes of the cards we write, against a strict copy of the hub's schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from harness.cards import card_file
from harness.cards.edit import yaml_layout
from harness.cards.edit.merge import merge
from harness.cards.edit.yaml_layout import Result
from harness.cards.lint import hub_schema
from tests.cards import NEW
from tests.front_matters import CORPUS

TWO_TASKS = [
    Result(
        task=task,
        type="Classification",
        dataset="mteb/one",
        config="default",
        split="test",
        revision="1" * 40,
        metrics={"accuracy": value, "f1": value / 2},
    )
    for task, value in (("OneClassification", 0.5), ("OtherClassification", 0.25))
]
"""Two of mteb's tasks on one data set, as 215 of them are: type, path, config, split and revision are the same."""


def check_schema(model_index: Any) -> None:
    """The model-index of the hub's specification, nothing missing, nothing unknown, every type right."""
    assert isinstance(model_index, list)
    assert model_index
    for model in model_index:
        assert set(model) == {"name", "results"}
        assert isinstance(model["name"], str)
        for result in model["results"]:
            assert {"task", "dataset", "metrics"} <= set(result) <= {"task", "dataset", "metrics", "source"}
            _texts(result["task"], required={"type"}, optional={"name"})
            _texts(result["dataset"], required={"type", "name"}, optional={"config", "split", "revision"})
            assert result["metrics"]
            for metric in result["metrics"]:
                value = metric.pop("value")
                assert isinstance(value, float)
                assert -100 <= value <= 100
                _texts(metric, required={"type"}, optional={"name"})
            if "source" in result:
                _texts(result["source"], required={"url"}, optional={"name"})


def _texts(mapping: dict[str, Any], *, required: set[str], optional: set[str]) -> None:
    assert required <= set(mapping) <= required | optional
    assert all(isinstance(value, str) and value for value in mapping.values())


@pytest.mark.parametrize("names", ["v1", "v2"])
@pytest.mark.parametrize("digits", [None, 2])
def test_the_schema_holds(names: Any, digits: int | None) -> None:
    """Every output is of the hub's schema: both vocabularies, rounded or not, awkward names and revisions."""
    awkward = [
        Result(task="A: b", type="STS", dataset="x/y", config="no", split="test", revision="0123", metrics={"f": 0.0}),
        Result(task="C", type="STS", dataset="1e5", config="123", split="y", revision=None, metrics={"f": 1e-7}),
        Result(
            task="'q' \"r\" #", type="STS", dataset="~", config="null", split="1.0", revision="12e4", metrics={"f": 1}
        ),
    ]
    text = yaml_layout.render("a: [b]", [*TWO_TASKS, NEW, *awkward], names=names, digits=digits)
    front = yaml.safe_load(text)
    assert [result["dataset"]["config"] for result in front["model-index"][0]["results"][-3:]] == ["no", "123", "null"]
    assert front["model-index"][0]["results"][-3]["dataset"]["revision"] == "0123"
    check_schema(front["model-index"])
    again = merge(card_file.parse(f"---\n{text}---\n", path="x"), awkward, name="a: [b]", names=names, digits=digits)
    assert again.counts == (0, 0, 3, 0)
    assert list(hub_schema.check(card_file.parse(f"---\n{text}---\n", path="x"))) == []


def results_of(card: ModelCard) -> list[tuple[Any, ...]]:
    return [
        (
            *(one.dataset_name, one.dataset_type, one.dataset_config, one.dataset_split, one.dataset_revision),
            *(one.task_type, one.metric_type, one.metric_value),
        )
        for one in card.data.eval_results
    ]


def expected(results: list[Result]) -> list[tuple[Any, ...]]:
    return [
        (
            f"MTEB {one.task}",
            one.dataset,
            one.config,
            one.split,
            one.revision,
            one.type,
            metric,
            pytest.approx(value * 100),
        )
        for one in results
        for metric, value in one.metrics.items()
    ]


def test_the_hub_reads_every_result(tmp_path: Path) -> None:
    """huggingface_hub's ModelCard gives back every value that was written, into a new card and into one that was."""
    for text in ("", "---\nlicense: mit\n---\n# A\n"):
        merged = merge(card_file.parse(text, path="x"), [*TWO_TASKS, NEW], name="mine")
        card = ModelCard(merged.text)
        assert card.data.model_name == "mine"
        assert results_of(card) == expected([*TWO_TASKS, NEW])


def test_where_the_hubs_grouping_loses_ours_does_not() -> None:
    """A round trip through huggingface_hub makes one of two tasks of one data set; a second write of ours does not."""
    merged = merge(card_file.parse("", path="x"), TWO_TASKS, name="mine")
    listed = yaml.safe_load(card_file.parse(merged.text, path="x").front_matter)["model-index"]
    assert [result["dataset"]["name"] for result in listed[0]["results"]] == [f"MTEB {one.task}" for one in TWO_TASKS]
    theirs = eval_results_to_model_index(*model_index_to_eval_results(listed))
    assert len(theirs[0]["results"]) == 1
    again = merge(card_file.parse(merged.text, path="x"), [*TWO_TASKS, NEW], name="mine")
    assert again.counts == (1, 0, 4, 0)
    assert results_of(ModelCard(again.text)) == expected([*TWO_TASKS, NEW])


def test_where_the_hub_collapses_models_ours_does_not() -> None:
    """Of several models huggingface_hub keeps the last name for all results; ours keeps each with its own."""
    text = CORPUS["several models"]
    name, _ = model_index_to_eval_results(yaml.safe_load(text.split("---\n")[1])["model-index"])
    assert name == "third"
    merged = merge(card_file.parse(text, path="x"), [NEW], name="mine")
    listed = yaml.safe_load(merged.text.split("---\n")[1])["model-index"]
    assert {model["name"]: len(model["results"]) for model in listed} == {"mine": 2, "other": 1, "third": 0}
