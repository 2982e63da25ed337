"""Cards as they are found on the hub, one kind a file: what `card read` and `card lint` make of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import cards
from harness.cards import lint, published_records
from harness.cards.card_writing import CardOptions
from harness.cards.lint import hub_values
from harness.errors import CardError
from harness.types import Part

CASES = Path(__file__).parent / "cards" / "cases"


def read(card: Path) -> tuple[dict[str, Mapping[Part, Mapping[str, Any]]], list[str]]:
    """The parts of each task on a card, and the notes of the reader."""
    records, notes = published_records.read(card)
    return {record.task: record.parts for record in records}, notes


def main_scores(card: Path) -> list[float | None]:
    return [entry["main_score"] for parts in read(card)[0].values() for entry in parts.values()]


def test_a_weak_score_in_percent() -> None:
    """0.3 beside 33.1 of the same task is a percentage, not 30 percent, and nothing is wrong with it."""
    card = CASES / "card_weak_score_in_percent.md"
    assert main_scores(card) == [0.277, 0.0025]
    assert lint.lint(card) == []


@pytest.mark.parametrize("names", [None, "v1", "v2"])
def test_what_is_written_is_read_back(tmp_path: Path, names: Any) -> None:
    """Records with a score below one percent come back from a card as they were; lint finds nothing in it."""
    card = tmp_path / "README.md"
    cards.write("me/m", card, options=CardOptions(results=CASES / "roundtrip", names=names))
    parts, _ = read(card)
    assert {part.subset: entry["main_score"] for part, entry in parts["Tatoeba"].items()} == {
        "ara-eng": 0.003,
        "fra-eng": 0.4,
    }
    assert [entry["main_score"] for entry in parts["STSBenchmark"].values()] == [0.61]
    assert lint.lint(card) == []


def test_a_weak_score_alone_is_read_back(tmp_path: Path) -> None:
    """A card whose only task is weak has no value that tells its scale; its names tell that it holds percentages."""
    card = tmp_path / "README.md"
    cards.write("me/m", card, options=CardOptions(results=CASES / "roundtrip", tasks=["Tatoeba"], metrics=["accuracy"]))
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace("value: 44.0", "value: 0.7"), encoding="utf-8")
    parts, notes = read(card)
    assert [entry["accuracy"] for entry in parts["Tatoeba"].values()] == [0.004, 0.007]
    assert any("read as 0-100" in note for note in notes)


def test_a_card_of_fractions_stays_one(tmp_path: Path) -> None:
    """Results named `MTEB ...` without a value above 1 are fractions where percentages would be below chance."""
    card = tmp_path / "README.md"
    text = (CASES.parent / "defects" / "sound.md").read_text(encoding="utf-8")
    values = {"82.03": "0.8203", "57.82": "0.5782", "55.1": "0.551"}
    for percent, fraction in values.items():
        text = text.replace(percent, fraction)
    card.write_text(text, encoding="utf-8")
    assert main_scores(card) == [0.8203, 0.5782]
    assert lint.lint(card) == []


def test_a_v1_card_gets_its_own_names(tmp_path: Path) -> None:
    """A card with names of mteb 1 gets new results under names of mteb 1, unless others are asked for."""
    old = (CASES.parent / "defects" / "sound.md").read_text(encoding="utf-8").replace("cosine_", "cos_sim_")
    old = old.replace("STSBenchmark", "BIOSSES")
    for names, name in ((None, "cos_sim_spearman"), ("v2", "cosine_spearman")):
        card = tmp_path / "README.md"
        card.write_text(old, encoding="utf-8")
        options = CardOptions(results=CASES / "roundtrip", tasks=["STSBenchmark"], names=names)
        cards.write("me/m", card, options=options, entry="model")
        assert f"- type: {name}\n      value: 61.0\n" in card.read_text(encoding="utf-8")
        assert lint.lint(card) == [] or names == "v2"


def test_the_stated_main_score_counts(tmp_path: Path) -> None:
    """`main_score` is the main score; so is the task's own main metric; where they differ, the former, with a note."""
    card = CASES / "card_main_score_overridden.md"
    assert main_scores(card) == [0.65766]
    copy = tmp_path / "README.md"
    text = card.read_text(encoding="utf-8")
    copy.write_text(text.replace("    - type: main_score\n      value: 65.766\n", ""), encoding="utf-8")
    assert main_scores(copy) == [0.65766]
    copy.write_text(text.replace("main_score\n      value: 65.766", "main_score\n      value: 60.0"), encoding="utf-8")
    assert main_scores(copy) == [0.6]
    assert "the card states main_score 0.6, and recall_at_100 0.65766" in read(copy)[1][0]


def test_another_metric_is_no_main_score() -> None:
    """A task with only another metric than its main one has no main score, and the reader says so."""
    parts, notes = read(CASES / "card_only_other_metric.md")
    (entry,) = parts["SciFact"].values()
    assert (entry["main_score"], entry["recall_at_100"]) == (None, 0.951)
    assert len(notes) == 1
    assert "no main score: its main metric is ndcg_at_10, and the card states recall_at_100" in notes[0]


@pytest.mark.parametrize(
    "name",
    ["aggregate_task", "metric_names_of_mteb_1", "nauc_below_minus_100", "two_named_metrics", "only_other_metric"],
)
def test_nothing_is_wrong_with_it(name: str) -> None:
    """Aggregates, names of mteb 1, an unbounded nAUC and the results of other tools are no findings."""
    assert lint.lint(CASES / f"card_{name}.md") == []


def test_a_low_nauc_is_kept() -> None:
    """nAUC has no lower bound: -174.08 is a value like any other."""
    parts, notes = read(CASES / "card_nauc_below_minus_100.md")
    (entry,) = parts["SciFact"].values()
    assert (entry["main_score"], entry["nauc_precision_at_100_std"]) == (0.645, -1.7407785375176616)
    assert notes == []


def test_metrics_of_one_type_are_told_apart_by_name() -> None:
    """ROUGE-1 and ROUGE-2 have one type; both are read, under their names, and neither repeats the other."""
    parts, notes = read(CASES / "card_two_named_metrics.md")
    (entry,) = parts["some_news"].values()
    assert (entry["ROUGE-1"], entry["ROUGE-2"], entry["main_score"]) == (0.429, 0.208, None)
    assert notes == []


def test_results_named_as_mteb_names_them_are_still_checked(tmp_path: Path) -> None:
    """A task under mteb's name and type is mteb's without the prefix too; its unknown metric is found."""
    card = tmp_path / "README.md"
    text = (CASES / "card_only_other_metric.md").read_text(encoding="utf-8").replace("MTEB SciFact", "SciFact")
    card.write_text(text.replace("recall_at_100", "rouge"), encoding="utf-8")
    assert [finding.code for finding in lint.lint(card)] == ["unknown-metric"]


HUB_RULES = {
    "lang_zhCN": (2, "not-a-language", "write `zh`, and the longer tag under `language_bcp47`"),
    "license_bad": (2, "not-a-licence", "did you mean `mit`?"),
    "datasets_prose": (3, "not-a-dataset", "write the name of the repository"),
    "base_model_url": (2, "not-a-model", "write `intfloat/e5-small`"),
    "trail_space": (1, "ignored-front-matter", "delete them"),
    "comment_first": (2, "ignored-front-matter", "move that text below the front matter"),
    "tab": (2, "tab", "write spaces"),
    "crcrlf": (1, "unreadable", "save the file with the line endings"),
}


@pytest.mark.parametrize("name", HUB_RULES)
def test_what_the_hub_refuses_or_ignores(name: str) -> None:
    """The one finding has the line, the kind, and what to do."""
    (finding,) = lint.lint(CASES / f"card_{name}.md")
    line, code, fix = HUB_RULES[name]
    assert (finding.line, finding.code) == (line, code)
    assert fix in finding.fix


def test_line_endings_are_named() -> None:
    r"""Lines that end in \r\r\n are called that, not a front matter that is never closed."""
    (finding,) = lint.lint(CASES / "card_crcrlf.md")
    assert finding.what.startswith(r"the lines end in \r\r\n")


@pytest.mark.parametrize("name", ["trail_space", "comment_first"])
def test_no_second_front_matter_is_written(name: str, tmp_path: Path) -> None:
    """A card whose front matter the hub ignores is refused, with the line and what to do, and keeps its bytes."""
    card = tmp_path / "README.md"
    before = (CASES / f"card_{name}.md").read_bytes()
    card.write_bytes(before)
    with pytest.raises(CardError, match=r"README.md:[12]: the hub ignores this front matter"):
        cards.write("me/m", card, options=CardOptions(results=CASES / "roundtrip"), entry="m")
    assert card.read_bytes() == before
    parts, notes = read(card)
    assert [entry["main_score"] for entry in parts["STSBenchmark"].values()] == [0.8203]
    assert "the hub ignores this front matter" in notes[0]


def test_blanks_after_the_dashes_are_mended(tmp_path: Path) -> None:
    """`--fix` deletes the blanks and nothing else; then the card is written to like any other."""
    card = tmp_path / "README.md"
    before = (CASES / "card_trail_space.md").read_text(encoding="utf-8")
    card.write_text(before, encoding="utf-8")
    assert lint.fix(card) == (1, [])
    assert card.read_text(encoding="utf-8") == before.replace("---  \n", "---\n", 1)
    cards.write("me/m", card, options=CardOptions(results=CASES / "roundtrip"), entry="m")
    assert card.read_text(encoding="utf-8").count("model-index:") == 1


@pytest.mark.parametrize("before", ["# A model\n\n", "\u200b", "text\n```yaml\na: 1\n```\n"])
def test_any_text_before_the_front_matter_is_found(before: str, tmp_path: Path) -> None:
    """A heading, an invisible character, a fence: whatever stands before the front matter, the hub ignores it."""
    card = tmp_path / "README.md"
    card.write_text(f"{before}---\nlicense: mit\ntags: [a]\n---\n", encoding="utf-8")
    assert [finding.code for finding in lint.lint(card)] == ["ignored-front-matter"]


@pytest.mark.parametrize(
    "text",
    [
        "# A model\n\n---\n\nmore\n\n---\n",
        "# A model\n\n---\nLicense: see below\n\n---\n",
        "Write this:\n```\n---\nlicense: mit\n---\n```\n",
        "---\nlicense: mit\n---\n\n---\ntags: [a]\n---\n",
    ],
)
def test_rules_in_the_body_are_no_front_matter(text: str, tmp_path: Path) -> None:
    """Horizontal rules, an example in a fence, and a second block below the first are the body's."""
    card = tmp_path / "README.md"
    card.write_text(text, encoding="utf-8")
    assert lint.lint(card) == []


@pytest.mark.parametrize(
    ("front", "line", "code"),
    [
        ("tags:\t[a,\tb]", 3, "tab"),
        ("date: 2024-13-45", 3, "not-plain-data"),
        ("a: [1,\n 0x_]", 4, "not-plain-data"),
        ("value: !!python/object/apply:numpy.core.multiarray.scalar [1]", 3, "not-plain-data"),
        ("? [a]\n: b", 3, "not-plain-data"),
    ],
)
def test_what_huggingface_hub_cannot_load(front: str, line: int, code: str, tmp_path: Path) -> None:
    """Whatever keeps huggingface_hub from loading a card is found, with its line."""
    from huggingface_hub import ModelCard

    card = tmp_path / "README.md"
    card.write_text(f"---\nlicense: mit\n{front}\n---\n", encoding="utf-8")
    with pytest.raises((yaml.YAMLError, ValueError)):
        ModelCard(card.read_text(encoding="utf-8"))
    assert [(finding.line, finding.code) for finding in lint.lint(card)] == [(line, code)]


def test_names_of_repositories_are_those_of_huggingface_hub() -> None:
    """The rule for names agrees with `validate_repo_id` on names of every odd shape."""
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    names = ["a", "a/b", "a/b/c", "a b", "-a", "a-", ".a", "a.", "a--b", "a..b", "a.git", "org/a.git", "o/" + "a" * 97]
    names += ["https://huggingface.co/a/b", "./a", "a/", "/a", "Foo-BAR_foo.bar123", "1", "ü/b", "a\n", "_a_"]
    for name in names:
        try:
            validate_repo_id(name)
            accepted = True
        except HFValidationError:
            accepted = False
        assert hub_values.is_repository(name) == accepted, name


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("language: [en, de, multilingual, code, deu]", []),
        ("language: English", ["not-a-language"]),
        ("language: [en, zh_CN, EN]", ["not-a-language", "not-a-language"]),
        ("license: [mit, apache-2.0]", []),
        ("license: Apache 2.0", ["not-a-licence"]),
        ("datasets: [ms_marco, a/b, 'a/b (train)']", ["not-a-dataset"]),
        ("base_model: [a/b, ../b]", ["not-a-model"]),
        ("base_model_relation: distilled", ["not-a-relation"]),
        ("new_version: the next one", ["not-a-model"]),
    ],
)
def test_values_of_the_hub(text: str, codes: list[str], tmp_path: Path) -> None:
    """Each value that the hub refuses is found, and no other."""
    card = tmp_path / "README.md"
    card.write_text(f"---\n{text}\n---\n", encoding="utf-8")
    assert [finding.code for finding in lint.lint(card)] == codes
