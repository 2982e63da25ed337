"""One defect a file: lint finds it, names its line, and finds nothing else; `--fix` mends what it says it mends."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml

from harness.cards import lint
from harness.errors import CardError

DEFECTS = Path(__file__).parent / "cards" / "defects"
CASES = DEFECTS.parent / "cases"

FOUND: dict[str, tuple[int, str]] = {
    "broken-yaml": (4, "unreadable"),
    "config-no": (10, "not-text"),
    "contradiction": (41, "contradiction"),
    "dataset-without-name": (10, "no-name"),
    "dataset-without-type": (10, "no-type"),
    "duplicate-key": (4, "duplicate-key"),
    "duplicate-model": (33, "duplicate-model"),
    "index-no-list": (7, "model-index-kind"),
    "language-no": (2, "not-text"),
    "metric-without-type": (16, "no-type"),
    "metric-without-value": (16, "no-value"),
    "misspelled-metrics": (16, "no-metrics"),
    "mixed-names": (16, "other-era"),
    "mixed-scale": (28, "mixed-scale"),
    "model-without-name": (7, "no-name"),
    "model-without-results": (7, "no-results"),
    "no-mapping": (2, "unreadable"),
    "no-metrics": (15, "no-metrics"),
    "no-revision": (10, "no-revision"),
    "no-split": (10, "no-split"),
    "none-text": (12, "none-text"),
    "not-closed": (1, "unreadable"),
    "numeric-revision": (12, "numeric-revision"),
    "repeated": (41, "repeated"),
    "result-without-dataset": (9, "no-dataset"),
    "result-without-task": (9, "no-task"),
    "source-bad-url": (19, "bad-url"),
    "source-without-url": (19, "no-url"),
    "tab-indent": (10, "unreadable"),
    "task-without-type": (19, "no-type"),
    "unknown-key": (11, "unknown-key"),
    "unknown-metric": (16, "unknown-metric"),
    "unknown-task": (11, "unknown-task"),
    "value-as-text": (17, "number-as-text"),
    "value-nan": (17, "not-finite"),
    "value-no-number": (17, "not-a-number"),
    "value-out-of-range": (17, "out-of-range"),
    "wrong-type": (19, "wrong-type"),
}

MENDED: dict[str, tuple[str, str]] = {
    "config-no": ("config: no\n", "config: 'no'\n"),
    "language-no": ("language: no\n", "language: 'no'\n"),
    "mixed-names": ("cos_sim_spearman", "cosine_spearman"),
    "numeric-revision": ("revision: 20240613\n", "revision: '20240613'\n"),
    "value-as-text": ("value: '82.03'", "value: 82.03"),
}
"""What `--fix` replaces, and by what."""


def test_every_file_is_expected() -> None:
    """Each file in the folder is in the table, but for the one without a defect; more than 25 kinds."""
    assert {path.stem for path in DEFECTS.glob("*.md")} == {*FOUND, "sound"}
    assert len(FOUND) >= 25


@pytest.mark.parametrize("name", FOUND)
def test_the_defect_is_found(name: str) -> None:
    """The one finding has the defect's line and kind, and says what to do."""
    (finding,) = lint.lint(DEFECTS / f"{name}.md")
    assert (finding.line, finding.code) == FOUND[name]
    assert finding.what
    assert finding.fix


def test_the_sound_card() -> None:
    """Nothing is found in the card that the defects were planted into."""
    assert lint.lint(DEFECTS / "sound.md") == []


@pytest.mark.parametrize("name", FOUND)
def test_fix(name: str, tmp_path: Path) -> None:
    """What is mended changes as the table says and is found no more; any other card keeps its bytes."""
    card = tmp_path / "README.md"
    shutil.copyfile(DEFECTS / f"{name}.md", card)
    before = card.read_text(encoding="utf-8")
    if FOUND[name][1] == "unreadable":
        with pytest.raises(CardError):
            lint.fix(card)
        assert card.read_text(encoding="utf-8") == before
        return
    fixed, left = lint.fix(card)
    after = card.read_text(encoding="utf-8")
    if name in MENDED:
        assert fixed == 1
        assert after == before.replace(*MENDED[name])
        assert left == []
    elif name == "repeated":
        assert (fixed, left) == (1, [])
        assert after == (DEFECTS / "sound.md").read_text(encoding="utf-8")
    else:
        assert fixed == 0
        assert [(finding.line, finding.code) for finding in left] == [FOUND[name]]
        assert after == before


def test_too_long(tmp_path: Path) -> None:
    """A front matter of more than a mebibyte is found; a long body is nobody's business."""
    card = tmp_path / "README.md"
    card.write_text(f"---\nabout: {'x' * 2**20}\n---\n", encoding="utf-8")
    (finding,) = lint.lint(card)
    assert finding.code == "too-long"
    card.write_text(f"---\nabout: x\n---\n{'x' * 2**20}\n", encoding="utf-8")
    assert lint.lint(card) == []


def test_others_results_are_left_alone(tmp_path: Path) -> None:
    """Results that are not of mteb's kind, such as a trainer's, may have any task, metric and scale."""
    card = tmp_path / "README.md"
    result = {
        "task": {"type": "semantic-similarity", "name": "Semantic Similarity"},
        "dataset": {"name": "sts dev", "type": "sts-dev"},
        "metrics": [{"type": "pearson_cosine", "value": 0.88, "name": "Pearson Cosine"}],
    }
    front = yaml.safe_dump({"model-index": [{"name": "m", "results": [result]}]})
    mteb = (DEFECTS / "sound.md").read_text(encoding="utf-8").split("  results:\n")[1].split("---\n")[0]
    card.write_text(f"---\n{front}{mteb}---\n", encoding="utf-8")
    assert lint.lint(card) == []


def test_thresholds_are_no_scores(tmp_path: Path) -> None:
    """mteb wrote thresholds times 100 onto cards: they may be larger than 100."""
    card = tmp_path / "README.md"
    text = (DEFECTS / "sound.md").read_text(encoding="utf-8")
    card.write_text(text.replace("type: f1\n      value: 55.1", "type: dot_f1_threshold\n      value: 78321.5"))
    assert lint.lint(card) == []


def test_names_on_request(tmp_path: Path) -> None:
    """With `names`, every name of the other vocabulary is found, and mended."""
    card = tmp_path / "README.md"
    shutil.copyfile(DEFECTS / "sound.md", card)
    assert [finding.code for finding in lint.lint(card, names="v1")] == ["other-era"]
    assert lint.fix(card, names="v1") == (1, [])
    assert "- type: cos_sim_spearman\n" in card.read_text(encoding="utf-8")


def test_types_of_tasks_that_only_mteb_has(tmp_path: Path) -> None:
    """The type of a task without a spec is compared with mteb's, and mteb's main metric of a task is never unknown."""
    card = tmp_path / "README.md"
    result = {
        "task": {"type": "Classification"},
        "dataset": {
            "name": "MTEB RuSciBenchYearPublRegression (ru)",
            "type": "mlsa-iai-msu-lab/ru_sci_bench_yearpubl",
            "config": "ru",
            "split": "test",
            "revision": "1" * 40,
        },
        "metrics": [{"type": "kendalltau", "value": 20.5}],
    }
    for type_, codes in (("Classification", ["wrong-type"]), ("Regression", [])):
        result["task"]["type"] = type_
        front = yaml.safe_dump({"model-index": [{"name": "m", "results": [result]}]})
        card.write_text(f"---\n{front}---\n", encoding="utf-8")
        assert [finding.code for finding in lint.lint(card)] == codes


@pytest.mark.parametrize("path", sorted([*DEFECTS.glob("*.md"), *CASES.glob("*.md")]), ids=lambda path: path.stem)
def test_mending_leaves_no_new_finding(path: Path, tmp_path: Path) -> None:
    """Every finding after `--fix` was one before it."""
    card = tmp_path / "README.md"
    shutil.copyfile(path, card)
    before = Counter(finding.code for finding in lint.lint(card))
    if "unreadable" not in before:
        fixed, left = lint.fix(card)
        after = Counter(finding.code for finding in left)
        assert after <= before
        assert after.total() == before.total() - fixed


TOO_MUCH = (
    "model-index: [{name: m, results: [{task: {type: STS}, dataset: {type: a/b, name: MTEB STS12, split: test, "
    "revision: x, config: None}, metrics: [{type: cosine_spearman, value: '120'}]}]}]"
)


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("language: 12", ["not-a-language"]),
        ("license: 1.0", ["not-a-licence"]),
        (TOO_MUCH, ["none-text", "out-of-range"]),
    ],
)
def test_a_mended_value_may_still_be_wrong(line: str, codes: list[str], tmp_path: Path) -> None:
    """What is wrong with a value besides its quotes is found before they are mended, not after."""
    card = tmp_path / "README.md"
    card.write_text(f"---\n{line}\n---\n", encoding="utf-8")
    before = [finding.code for finding in lint.lint(card)]
    left = lint.fix(card).left
    assert [finding.code for finding in left] == codes
    assert set(codes) < set(before)


def test_a_none_on_its_own_line_is_removed(tmp_path: Path) -> None:
    """`config: None` goes with its line, since no rule asks for a config; `revision: None` stays for the author."""
    card = tmp_path / "README.md"
    text = (DEFECTS / "sound.md").read_text(encoding="utf-8")
    card.write_text(text.replace("config: default", "config: None"), encoding="utf-8")
    assert lint.fix(card) == (1, [])
    assert card.read_text(encoding="utf-8") == text.replace("      config: default\n", "")
