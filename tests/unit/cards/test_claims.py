"""Cards of four eras read alike; verdicts; intervals; the table's markers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cards import card_file, metric_names, model_index, published_records, results_table
from harness.cards.claims import Claim, ClaimKey, claims_of
from harness.cards.verify import equal_run_interval, judge, model_beside
from harness.errors import CardError
from harness.tasks import mteb_metadata, registry
from harness.types import Part, Record


def card(*results: dict[str, Any], name: str = "m") -> card_file.Card:
    front = yaml.safe_dump({"model-index": [{"name": name, "results": list(results)}]}, sort_keys=False)
    return card_file.parse(f"---\n{front}---\n", path="README.md")


def result(name: str, type_: str, /, **metrics: Any) -> dict[str, Any]:
    """A result of mteb 1: type, then values by metric."""
    return {
        "task": {"type": type_},
        "dataset": {"type": "a/b", "name": name, "config": "de", "split": "test", "revision": "1" * 40},
        "metrics": [{"type": metric, "value": value} for metric, value in metrics.items()],
    }


def test_metric_names_go_both_ways() -> None:
    """Each name of mteb 1 has one of mteb 2 and back; a name in neither table is the same in both."""
    for task_type, table in metric_names.RENAMED.items():
        assert len(set(table.values())) == len(table)
        for old, new in table.items():
            assert metric_names.to_v2(old, task_type) == new
            assert metric_names.to_v1(new, task_type) == old
            assert metric_names.to_v2(new, task_type) == new
    assert (
        metric_names.to_v2("accuracy", "Classification")
        == metric_names.to_v1("accuracy", "Classification")
        == "accuracy"
    )
    assert metric_names.to_v2("ap", "Classification") == "ap"
    assert metric_names.to_v2("ap", "PairClassification") == "max_ap"
    assert metric_names.to_v2("cos_sim_spearman", "") == "cosine_spearman"


@pytest.mark.parametrize(
    ("score", "digits", "text"),
    [
        (0.39146, None, "39.146"),
        (0.6700214132762312, None, "67.00214132762312"),
        (1.0, None, "100.0"),
        (0.0, None, "0.0"),
        (1e-07, None, "0.00001"),
        (-0.0492705655994, 2, "-4.93"),
        (0.825, 0, "82"),
        (0.81125, 2, "81.12"),
    ],
)
def test_percent(score: float, digits: int | None, text: str) -> None:
    """The decimal point moves two places; no exponent, no digits out of nothing; half rounds to even."""
    assert metric_names.percent_text(score, digits) == text


def test_the_first_era() -> None:
    """To June 2024: `MTEB X (lang)`, times 100, all metrics, names of mteb 1."""
    (first, second) = claims_of(
        card(result("MTEB STS22 (de)", "STS", cos_sim_pearson=50.5, cos_sim_spearman=39.146000000000003))
    )
    assert first.key == ClaimKey("STS22", "a/b", "de", "test", "1" * 40, "cosine_pearson")
    assert (first.metric, first.subset, first.score) == ("cos_sim_pearson", "de", 0.505)
    assert (second.score, second.line) == (0.39146, second.line)


def test_the_second_era() -> None:
    """To October 2025: `MTEB X (subset)`, times 100, with main_score and nauc."""
    found = claims_of(
        card(result("MTEB NFCorpus (default)", "Retrieval", main_score=31.594, nauc_ndcg_at_10_max=-2.5, map_at_1=0.4))
    )
    assert [claim.score for claim in found] == [0.31594, -0.025, 0.004]
    assert found[0].key.task == "NFCorpus"


def test_the_third_era() -> None:
    """mteb 2.0 to 2.12: `X (subset)`, 0-1, the type of the task as its name, one metric."""
    modern = result("STS22 (de)", "", cosine_spearman=0.5)
    modern["task"] = {"type": "sentence-similarity", "name": "STS"}
    (claim,) = claims_of(card(modern))
    assert (claim.key.task, claim.type, claim.subset, claim.score) == ("STS22", "STS", "de", 0.5)


def test_the_eras_side_by_side() -> None:
    """A card that mteb 2 merged into holds both scales; each result is read by its own era."""
    found = claims_of(
        card(
            result("MTEB STS22 (de)", "STS", cos_sim_spearman=50.0),
            result("STS22 (de)", "STS", cosine_spearman=0.5),
            result("MTEB STS17 (ko-ko)", "STS", cos_sim_spearman=-0.05),
        )
    )
    assert [(claim.scale, claim.score) for claim in found] == [
        ("percent", 0.5),
        ("fraction", 0.5),
        ("percent", -0.0005),
    ]


def test_read_tells_what_it_leaves_out(tmp_path: Path) -> None:
    """Values that are no scores and names that cannot be files are left out, each with its line."""
    path = tmp_path / "README.md"
    odd = result("MTEB ../../x", "STS", cos_sim_spearman=50.0)
    good = result("MTEB STS22", "STS", a="high", b=8000, cos_sim_spearman=50.0)
    path.write_text(card(good, odd, name="o/m").text, encoding="utf-8")
    found = published_records.read(path)
    assert [(record.model, record.task, len(record.parts)) for record in found.records] == [("o/m", "STS22", 1)]
    assert len(found.notes) == 3
    assert all(note.startswith(f"{path}:") for note in found.notes)


def read_one(folder: Path, *results: dict[str, Any]) -> Record:
    """The one record that a card of these results gives."""
    path = folder / "README.md"
    path.write_text(card(*results, name="o/m").text, encoding="utf-8")
    (record,) = published_records.read(path).records
    return record


def test_the_main_metric_of_a_task_without_a_spec_is_mtebs(tmp_path: Path) -> None:
    """Type, main metric and languages are those that mteb gives the task, not the usual ones of the card's type."""
    bsard = result("MTEB BSARDRetrieval", "Retrieval", ndcg_at_10=28.5, recall_at_100=65.8)
    bsard["dataset"]["config"] = "default"
    record = read_one(tmp_path, bsard)
    (entry,) = record.parts.values()
    assert (entry["main_score"], entry["languages"]) == (0.658, ["fra-Latn"])
    assert (record.harness["task_type"], record.harness["main_metric"]) == ("Retrieval", "recall_at_100")
    cmnli = read_one(tmp_path, result("MTEB Cmnli", "PairClassification", max_ap=70.0, max_accuracy=80.0))
    assert [entry["main_score"] for entry in cmnli.parts.values()] == [0.8]


def test_no_main_metric_is_guessed_for_a_task_that_nobody_has(tmp_path: Path) -> None:
    """Of a task that neither mteb nor a spec has, the main value is the `main_score`, or the only value there is."""
    several = result("MTEB OurOwn", "STS", cosine_spearman=50.0, cosine_pearson=60.0)
    record = read_one(tmp_path, several)
    assert [entry["main_score"] for entry in record.parts.values()] == [None]
    assert "main_metric" not in record.harness
    stated = result("MTEB OurOwn", "STS", cosine_spearman=50.0, main_score=60.0)
    assert [entry["main_score"] for entry in read_one(tmp_path, stated).parts.values()] == [0.6]
    alone = result("MTEB OurOwn", "STS", cosine_spearman=50.0)
    assert [entry["main_score"] for entry in read_one(tmp_path, alone).parts.values()] == [0.5]


def test_a_task_of_mteb_without_a_spec_can_stand_on_a_card() -> None:
    """Type, main metric and data set of another program's record are mteb's; of data at another revision, nobody's."""
    facts = mteb_metadata.get("Assin2STS")
    assert facts is not None
    assert facts.revision is not None
    entry = {"main_score": 0.5, "cosine_spearman": 0.5, "pearson": 0.4, "hf_subset": "default", "languages": []}

    def recorded(revision: str) -> Record:
        return Record(task="Assin2STS", model="o/m", revision="r", dataset_revision=revision, scores={"test": [entry]})

    (found,) = model_index.collect([recorded(facts.revision)], registry.get_tasks()).results
    assert (found.type, found.dataset, found.metrics) == ("STS", facts.dataset, {"cosine_spearman": 0.5})
    other = model_index.collect([recorded("0" * 40)], registry.get_tasks())
    assert (other.results, [left.task for left in other.left_out]) == ([], ["Assin2STS"])
    assert "its data set is unknown: the record is of revision 0000" in other.left_out[0].reason


def claim(text: str, score: float, *, scale: Any = "percent") -> Claim:
    key = ClaimKey("T", None, None, None, None, "m")
    return Claim(
        model="m",
        key=key,
        type="STS",
        subset="de",
        metric="m",
        text=text,
        scale=scale,
        score=score,
        line=1,
        place=(0, 0, 0),
    )


@pytest.mark.parametrize(
    ("text", "score", "ours", "interval", "verdict"),
    [
        ("84.67696933608695", 0.8467696933608695, 0.8467697, None, "reproduced"),
        ("84.67696933608695", 0.8467696933608695, 0.846775, None, "within 0.1"),
        ("84.68", 0.8468, 0.8467697, None, "reproduced"),
        ("84.68", 0.8468, 0.84674, None, "within 0.1"),
        ("84.68", 0.8468, 0.85, (0.84, 0.86), "in interval"),
        ("84.68", 0.8468, 0.8475, (0.847, 0.86), "within 0.1"),
        ("84.68", 0.8468, 0.85, (0.85, 0.86), "not reproduced"),
        ("84.68", 0.8468, 0.85, None, "not reproduced"),
        ("85", 0.85, 0.8467, None, "reproduced"),
    ],
)
def test_judge(text: str, score: float, ours: float, interval: Any, verdict: str) -> None:
    """Equal to the claim's own digits, else within the interval, else within 0.1 points, else not."""
    assert judge(claim(text, score), ours, interval) == verdict


def test_judge_by_the_digits_of_a_fraction() -> None:
    """0.85 on a card of fractions rounds away half a point."""
    assert judge(claim("0.85", 0.85, scale="fraction"), 0.8467, None) == "reproduced"
    assert judge(claim("0.850", 0.85, scale="fraction"), 0.8467, None) == "not reproduced"


def record(**entry: Any) -> Record:
    scores = {"test": [{**entry, "main_score": 0.5, "hf_subset": "default", "languages": []}]}
    return Record(task="T", model="m", revision="1", dataset_revision="2", scores=scores)


def test_the_interval_of_draws() -> None:
    """Draws with standard deviation sqrt(0.02 / 3): the mean of others lies within 5.841 * sqrt(2 / 4) times that."""
    values = [0.4, 0.5, 0.6, 0.5]
    part = Part("test", "default")
    found = equal_run_interval.of_record(record(v_measures={"Level 0": values}), part, "v_measure")
    assert found == pytest.approx((0.5 - 0.337230, 0.5 + 0.337230), abs=1e-6)
    assert equal_run_interval.of_record(record(v_measures={"Level 0": values}), part, "ami") is None
    assert equal_run_interval.of_record(record(v_measures=values), part, "v_measure") is None
    assert equal_run_interval.of_record(record(), part, "v_measure") is None


def test_the_interval_of_rounding() -> None:
    """Average precisions of unit vectors differ by rounding alone; where they differ more, there is no interval."""
    near = {"cosine_ap": 0.47251, "dot_ap": 0.4801, "euclidean_ap": 0.47642, "similarity_ap": 0.4717}
    part = Part("test", "default")
    assert equal_run_interval.of_record(record(**near), part, "max_ap") == (0.4717, 0.4801)
    assert equal_run_interval.of_record(record(**near), part, "max_f1") is None
    assert equal_run_interval.of_record(record(**{**near, "dot_ap": 0.6}), part, "max_ap") is None


def test_the_model_beside_a_card(tmp_path: Path) -> None:
    """A card in a model's folder is that model's; elsewhere the model has to be named."""
    with pytest.raises(CardError, match="--model"):
        model_beside(tmp_path / "README.md")
    (tmp_path / "modules.json").write_text("[]", encoding="utf-8")
    assert model_beside(tmp_path / "README.md") == str(tmp_path.resolve())


def test_the_table_stays_between_its_markers() -> None:
    """The table goes where its markers are, with the file's line endings; without markers to the end."""
    text = f"# A\r\n\r\n{results_table.BEGIN}\r\nold\r\n{results_table.END}\r\nafter\r\n"
    found = results_table.put(card_file.parse(text, path="x"), text, "| a |\n")
    assert found == f"# A\r\n\r\n{results_table.BEGIN}\r\n\r\n| a |\r\n\r\n{results_table.END}\r\nafter\r\n"
    assert results_table.put(card_file.parse(found, path="x"), found, "| a |\n") == found
    bare = "# A"
    end = results_table.put(card_file.parse(bare, path="x"), bare, "| a |\n")
    assert end.startswith("# A\n\n## Evaluation results\n\n<!--")


@pytest.mark.parametrize("lines", [["B"], ["E"], ["E", "B"], ["B", "B", "E"]])
def test_broken_markers_are_refused(lines: list[str]) -> None:
    """Markers that do not stand as one pair are refused with the first one's line."""
    text = "# A\n" + "".join({"B": results_table.BEGIN, "E": results_table.END}[line] + "\n" for line in lines)
    with pytest.raises(CardError, match=r"README.md:2: found"):
        results_table.put(card_file.parse(text, path="README.md"), text, "| a |\n")
