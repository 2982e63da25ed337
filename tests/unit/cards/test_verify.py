"""What `verify` runs for which claim, with a runner that answers from a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.cards import card_file
from harness.cards.claims import claims_of
from harness.cards.task_lookup import TaskLookup
from harness.cards.verify import RunSettings, verify
from harness.cards.verify.targets import Target, target_of
from harness.errors import CardError, UnknownName
from harness.runner import execution
from harness.runner.request import Request
from harness.tasks import registry
from harness.types import Record, TaskSpec

OWN = registry.get_tasks().get("GermanSTSBenchmark")
PATH, REVISION = OWN.source.path, OWN.source.revision


def result(*, path: str = PATH, revision: str | None = REVISION, split: str = "test", value: float = 50.0) -> str:
    line = f"      revision: {revision}\n" if revision else ""
    return (
        f"  - dataset:\n      config: default\n      name: MTEB GermanSTSBenchmark\n{line}      split: {split}\n"
        f"      type: {path}\n    metrics:\n    - type: cos_sim_spearman\n      value: {value}\n"
        "    task:\n      type: STS\n"
    )


def write(folder: Path, *results: str) -> Path:
    path = folder / "README.md"
    path.write_text("---\nmodel-index:\n- name: m\n  results:\n" + "".join(results) + "---\n", encoding="utf-8")
    return path


def target(text: str, **options: Any) -> Target | str:
    (claim,) = claims_of(card_file.parse(f"---\nmodel-index:\n- name: m\n  results:\n{text}---\n", path="x"))
    return target_of(claim, TaskLookup(registry.get_tasks()), **options)


def test_the_specs_own_data() -> None:
    """A claim of the data that the spec pins runs there; so does one without a revision, with a note."""
    own = target(result())
    assert isinstance(own, Target)
    assert (own.task.source, own.off_spec, own.note, str(own.part)) == (OWN.source, False, "", "test")
    assert own.metric == "cosine_spearman"
    unsaid = target(result(revision=None))
    assert isinstance(unsaid, Target)
    assert (unsaid.off_spec, unsaid.note) == (False, "the card names no revision of the data")


def test_a_mean_of_other_tasks() -> None:
    """Its one metric can be run where the user accepts the data of the tasks that it is made of."""

    def mean(metric: str, **options: Any) -> Target | str:
        text = result(path="BeIR/cqadupstack", revision=None).replace("GermanSTSBenchmark", "CQADupstackRetrieval")
        return target(text.replace("cos_sim_spearman", metric).replace("STS\n", "Retrieval\n"), **options)

    own = mean("ndcg_at_10", pinned_data=True)
    assert isinstance(own, Target)
    assert (len(own.task.members), own.off_spec, str(own.part)) == (12, False, "test")
    assert own.note == "run on the data of the tasks that it is the mean of"
    assert "--pinned-data runs those" in str(mean("ndcg_at_10"))
    assert mean("map_at_10", pinned_data=True) == "the harness does not compute the metric map_at_10"


def test_other_data() -> None:
    """The mirror is taken where the card names it, another revision is taken as named, another data set is refused."""
    assert OWN.mirror is not None
    mirror = target(result(path=OWN.mirror.path, revision=OWN.mirror.revision))
    assert isinstance(mirror, Target)
    assert (mirror.task.source.path, mirror.off_spec) == (OWN.mirror.path, True)
    other = target(result(revision="f" * 40))
    assert isinstance(other, Target)
    assert (other.task.source.revision, other.off_spec) == ("f" * 40, True)
    refused = target(result(path="somebody/else"))
    assert isinstance(refused, str)
    assert "somebody/else" in refused
    pinned = target(result(path="somebody/else"), pinned_data=True)
    assert isinstance(pinned, Target)
    assert (pinned.task.source, pinned.off_spec) == (OWN.source, False)
    assert "the card names somebody/else" in pinned.note
    asked = target(result(), mirror=True)
    assert isinstance(asked, Target)
    assert (asked.task.source.path, asked.off_spec) == (OWN.mirror.path, True)


def test_another_split() -> None:
    """A split that the spec leaves out is run apart from the records, with a note."""
    train = target(result(split="train"))
    assert isinstance(train, Target)
    assert (train.part.split, train.off_spec) == ("train", True)
    assert "not usually scored" in train.note


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str | None, list[TaskSpec]]]:
    """The calls of `carry_out`: folder and specs. Every part of revision `f...` scores 0.25, any other 0.5."""
    calls: list[tuple[str | None, list[TaskSpec]]] = []

    def carry_out(request: Request, *, on_event: Any) -> list[Record]:
        [model] = request.models
        specs = [spec for spec in request.selection.tasks or () if isinstance(spec, TaskSpec)]
        assert len({spec.name for spec in specs}) == len(request.selection.tasks or ()) == len(specs)
        calls.append((str(request.results), specs))
        return [
            Record(
                task=spec.name,
                model=str(model),
                revision="1",
                dataset_revision=str(spec.source.revision),
                scores={
                    split: [
                        {
                            "cosine_spearman": 0.25 if str(spec.source.revision).startswith("f") else 0.5,
                            "main_score": 0.5,
                            "hf_subset": subset,
                            "languages": [],
                        }
                        for subset in spec.subsets
                    ]
                    for split in spec.splits
                },
            )
            for spec in specs
        ]

    monkeypatch.setattr(execution, "carry_out", carry_out)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return calls


def test_each_claim_is_held_against_its_own_data(ran: list[tuple[str | None, list[TaskSpec]]], tmp_path: Path) -> None:
    """One task of three revisions is run three times, the other two apart; each claim meets its own score."""
    card = write(
        tmp_path,
        result(value=50.0),
        result(revision="f" * 40, value=25.0),
        result(split="validation", value=50.0),
        result(revision="e" * 40, value=25.0),
    )
    found = verify(card, model="m", run=RunSettings(results="mine"))
    assert [one.verdict for one in found] == ["reproduced", "reproduced", "reproduced", "not reproduced"]
    assert [one.difference for one in found] == [0, 0, 0, 25]
    apart = str(tmp_path / "cache" / "verify")
    assert [folder for folder, _ in ran] == ["mine", apart, apart]
    assert [spec.source.revision for _, specs in ran for spec in specs] == [REVISION, "f" * 40, "e" * 40]
    assert ran[0][1][0].splits == ("test", "validation")


def test_intervals_can_be_given(ran: list[tuple[str | None, list[TaskSpec]]], tmp_path: Path) -> None:
    """Intervals come from the function that is passed: of the record, the part and the metric."""
    asked: list[tuple[str, str, str]] = []

    def intervals(record: Record, part: Any, metric: str) -> tuple[float, float]:
        asked.append((record.task, str(part), metric))
        return 0.4, 0.6

    card = write(tmp_path, result(value=41.0), result(split="validation", value=39.0))
    found = verify(card, model="m", run=RunSettings(), intervals=intervals)
    assert [one.verdict for one in found] == ["in interval", "not reproduced"]
    assert asked == [
        ("GermanSTSBenchmark", "test", "cosine_spearman"),
        ("GermanSTSBenchmark", "validation", "cosine_spearman"),
    ]


def test_nothing_to_verify(tmp_path: Path) -> None:
    """A card without claims, and tasks that it does not claim, are told before anything runs."""
    with pytest.raises(CardError, match="has no results"):
        verify(write(tmp_path), model="m")
    with pytest.raises(UnknownName, match="did you mean GermanSTSBenchmark"):
        verify(write(tmp_path, result()), model="m", tasks=["GermanSTSBenchmrk"])
