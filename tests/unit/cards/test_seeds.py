"""The two cards that the project was created from: shown, written into, read, linted."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from harness import cards, results
from harness.cards import lint, published_records
from harness.cards.card_writing import CardOptions
from harness.types import Record
from tests.cards import (
    GERMAN,
    GERMAN_MODEL,
    SPANISH,
    card_results,
    distinct,
    needs_seeds,
    record_german_card,
)

pytestmark = needs_seeds


@pytest.fixture(params=[True, False], ids=["divided", "point moved"])
def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    record_german_card(tmp_path / "results", divide=request.param)
    return tmp_path / "results"


@pytest.mark.parametrize("suite", ["german-card", None])
def test_show_gives_the_german_card_again(recorded: Path, suite: str | None) -> None:
    """From records of its numbers come its 24 different results: equal as data, in its order, suite named or not."""
    text, left_out = cards.show(GERMAN_MODEL, CardOptions(results=recorded, suite=suite, names="v1"))
    (model,) = yaml.safe_load(text)["model-index"]
    wanted = list(distinct(card_results()))
    assert len(wanted) == 24
    assert model == {"name": "German_Semantic_STS_V2", "results": wanted}
    assert left_out == []


def test_show_has_the_german_cards_layout(recorded: Path) -> None:
    """Line by line the block is the card's, but for digits of floats beyond those that tell them apart."""
    text, _ = cards.show(GERMAN_MODEL, CardOptions(results=recorded, suite="german-card", names="v1"))
    card = GERMAN.read_text(encoding="utf-8")
    block = card[card.index("model-index:") : card.index("\n---\n", 10) + 1]

    def lines(block: str) -> list[str]:
        return re.sub(r"value: (.*)", lambda found: f"value: {float(found[1])!r}", block).splitlines()

    shown = lines(text)
    assert shown == lines(block)[: len(shown)]
    assert len(shown) == 3 + 24 * 11


def test_writing_into_the_seed_changes_nothing(recorded: Path, tmp_path: Path) -> None:
    """The card that holds the numbers already keeps every byte, its two repeated results and 39.146000000000003 too."""
    card = tmp_path / "README.md"
    for names in ("v1", None):
        shutil.copyfile(GERMAN, card)
        written = cards.write(GERMAN_MODEL, card, options=CardOptions(results=recorded, names=names))
        assert card.read_bytes() == GERMAN.read_bytes()
        assert written.counts == (0, 0, 24, 0)
        assert written.diff == ""


def test_a_new_value_reaches_every_repetition(recorded: Path, tmp_path: Path) -> None:
    """A changed score of the repeated GermanSTSBenchmark changes the two lines of its values and no others."""
    card = tmp_path / "README.md"
    shutil.copyfile(GERMAN, card)
    old = results.get(recorded, model=GERMAN_MODEL, revision="0" * 40, task="GermanSTSBenchmark")
    assert old is not None
    (entry,) = old.scores["test"]
    new = {**old.scores, "test": [{**entry, "cosine_spearman": 0.9, "main_score": 0.9}]}
    results.put(
        recorded,
        Record(
            task=old.task, model=old.model, revision=old.revision, dataset_revision=old.dataset_revision, scores=new
        ),
        model_meta={},
    )
    cards.write(GERMAN_MODEL, card, options=CardOptions(results=recorded))
    before, after = (path.read_text(encoding="utf-8").splitlines() for path in (GERMAN, card))
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [
        ("      value: 84.67696933608695", "      value: 90.0"),
        ("      value: 84.67698604065061", "      value: 90.0"),
    ]


def test_names_are_changed_on_request_only(recorded: Path, tmp_path: Path) -> None:
    """`--names v2` renames the card's metrics of mteb 1 and leaves the values' bytes; without it they stay."""
    card = tmp_path / "README.md"
    shutil.copyfile(GERMAN, card)
    cards.write(GERMAN_MODEL, card, options=CardOptions(results=recorded, names="v2"))
    before, after = (path.read_text(encoding="utf-8").splitlines() for path in (GERMAN, card))
    changed = {(old.strip(), new.strip()) for old, new in zip(before, after, strict=True) if old != new}
    assert changed == {
        ("- type: cos_sim_spearman", "- type: cosine_spearman"),
        ("- type: ap", "- type: max_ap"),
    }
    cards.write(GERMAN_MODEL, card, options=CardOptions(results=recorded, names="v1"))
    assert card.read_bytes() == GERMAN.read_bytes()


def spanish_log() -> dict[str, dict[str, float]]:
    """The card's two reports of similarity: before and after training."""
    found: list[dict[str, float]] = []
    for line in SPANISH.read_text(encoding="utf-8").splitlines():
        if "EmbeddingSimilarityEvaluator" in line:
            found.append({})
        match = re.search(r"- (\w+)-\w+(?:-\w+)?\s*:\s+Pearson: (\S+)\s+Spearman: (\S+)", line)
        if match:
            family = match[1].lower()
            found[-1] |= {f"{family}_pearson": float(match[2]), f"{family}_spearman": float(match[3])}
    before, after = found
    return {"sentence-transformers/distiluse-base-multilingual-cased-v1": before, "eduardofv/stsb-es": after}


def test_the_spanish_report_as_a_table(tmp_path: Path) -> None:
    """From the card's log lines as records comes a table with its 16 numbers, the better of each pair in bold."""
    log = spanish_log()
    for model, scores in log.items():
        assert len(scores) == 8
        entry = {**scores, "main_score": scores["cosine_spearman"], "hf_subset": "es", "languages": ["spa-Latn"]}
        record = Record(
            task="stsb_multi_mt", model=model, revision="1", dataset_revision="a" * 40, scores={"test": [entry]}
        )
        results.put(tmp_path / "results", record, model_meta={})
    base, tuned = log
    card = tmp_path / "README.md"
    shutil.copyfile(SPANISH, card)
    options = CardOptions(results=tmp_path / "results", suite="spanish-sts")
    cards.write(tuned, card, options=options, table="similarity", compare=[base])
    text = card.read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    header, _, *lines = rows
    assert header[1:] == [
        "eduardofv/stsb-es: Pearson",
        "eduardofv/stsb-es: Spearman",
        "sentence-transformers/distiluse-base-multilingual-cased-v1: Pearson",
        "sentence-transformers/distiluse-base-multilingual-cased-v1: Spearman",
    ]
    families = ("cosine", "manhattan", "euclidean", "dot")
    kinds = ("pearson", "spearman")
    wanted = [
        [f"**{log[tuned][f'{family}_{kind}']:.4f}**" for kind in kinds]
        + [f"{log[base][f'{family}_{kind}']:.4f}" for kind in kinds]
        for family in families
    ]
    assert [line[1:] for line in lines] == wanted
    assert [line[0] for line in lines] == [
        "Cosine-Similarity",
        "Manhattan-Distance",
        "Euclidean-Distance",
        "Dot-Product-Similarity",
    ]
    rest = re.sub(r"\n## Evaluation results\n\n<!-- harness.*end -->\n", "", text, flags=re.DOTALL)
    index = rest[rest.index("model-index:") : rest.index("---\n", 10)]
    assert rest.replace(index, "") == SPANISH.read_text(encoding="utf-8")
    before = card.read_bytes()
    cards.write(tuned, card, options=options, table="similarity", compare=[base])
    assert card.read_bytes() == before


def test_the_german_cards_table(recorded: Path, tmp_path: Path) -> None:
    """Comparison models beside ours, one column a task, the best in bold, as the card's own table shows it."""
    entry = {"cosine_spearman": 0.8550, "main_score": 0.8550, "hf_subset": "default", "languages": ["deu-Latn"]}
    record = Record(
        task="GermanSTSBenchmark",
        model="T-Systems-onsite/cross-en-de",
        revision="1",
        dataset_revision="a" * 40,
        scores={"test": [entry], "validation": [entry]},
    )
    results.put(recorded, record, model_meta={})
    options = CardOptions(results=recorded, tasks=["GermanSTSBenchmark"])
    card = tmp_path / "README.md"
    written = cards.write(GERMAN_MODEL, card, options=options, table="scores", compare=["T-Systems-onsite/cross-en-de"])
    rows = [line.replace(" ", "") for line in written.text.splitlines() if line.startswith("|")]
    assert rows[0] == "|Model|GermanSTSBenchmark|"
    assert rows[2:] == [r"|aari1995/German\_Semantic\_STS\_V2|**0.8636**|", "|T-Systems-onsite/cross-en-de|0.8550|"]


def test_read_gives_the_cards_numbers(tmp_path: Path) -> None:
    """The card becomes 16 records of 24 scores (0-1) under `external`; a repetition is told, and the later counts."""
    found = published_records.read(GERMAN, model=GERMAN_MODEL)
    assert {record.revision for record in found.records} == {"external"}
    assert len(found.records) == 16
    assert sum(len(record.parts) for record in found.records) == 24
    assert len(found.notes) == 1
    assert ":294: GermanSTSBenchmark test cos_sim_spearman is repeated" in found.notes[0]
    sts = next(record for record in found.records if record.task == "GermanSTSBenchmark")
    assert sts.scores["test"][0]["cosine_spearman"] == 0.8467698604065061
    paws = next(record for record in found.records if record.task == "PawsX")
    assert paws.scores["test"][0]["max_ap"] == paws.scores["test"][0]["main_score"] == 0.5747670853851811
    assert paws.dataset_revision == "8a04d940a42cd40658986fdd8e3da561533a3646"
    published_records.put(found, tmp_path)
    text, left_out = cards.show(GERMAN_MODEL, CardOptions(results=tmp_path, suite="german-card", names="v1"))
    assert len(yaml.safe_load(text)["model-index"][0]["results"]) == 24
    assert left_out == []


def test_lint_finds_what_is_wrong_with_the_seeds() -> None:
    """Nothing in the Spanish card; in the German one only that a part of GermanSTSBenchmark stands twice, twice."""
    assert lint.lint(SPANISH) == []
    found = [(finding.line, finding.code) for finding in lint.lint(GERMAN)]
    assert found == [(294, "contradiction"), (305, "repeated")]


def test_what_is_missing_is_told(recorded: Path) -> None:
    """A part or task of the suite that is not recorded is named; the rest is shown."""
    (recorded / "aari1995__German_Semantic_STS_V2" / ("0" * 40) / "STS22.json").unlink()
    path = recorded / "aari1995__German_Semantic_STS_V2" / ("0" * 40) / "PawsX.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["scores"]["validation"]
    path.write_text(json.dumps(content), encoding="utf-8")
    text, left_out = cards.show(GERMAN_MODEL, CardOptions(results=recorded, suite="german-card"))
    assert dict(left_out) == {"STS22": "not recorded for this model", "PawsX": "not recorded: validation/de"}
    assert len(yaml.safe_load(text)["model-index"][0]["results"]) == 22
