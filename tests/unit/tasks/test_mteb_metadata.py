"""What is known about mteb's tasks without mteb."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.data import size_estimate
from harness.data.size_estimate import Size
from harness.errors import DataError, UnknownName
from harness.evaluators.classification import ClassificationSettings
from harness.evaluators.retrieval import RetrievalSettings
from harness.runner import selection
from harness.tasks import mteb_metadata, registry
from harness.types import Part, TaskSpec


def test_a_spec_is_whole() -> None:
    """A spec has the data set, parts, main metric and settings that mteb gives the task, and defaults elsewhere."""
    task = mteb_metadata.spec("BSARDRetrieval")
    assert (task.source.kind, task.source.path) == ("mteb", "mteb/BSARDRetrieval")
    assert len(str(task.source.revision)) == 40
    assert task.parts == (Part("test", "default"),)
    assert task.languages == ("fra-Latn",)
    assert task.main_metric == "recall_at_100"
    assert task.settings == RetrievalSettings(ignore_identical_ids=True)


def test_a_spec_renders_and_reads_back(tmp_path: Path) -> None:
    """What `tasks show` prints of mteb's task is a valid file that declares the same task."""
    task = mteb_metadata.spec("LccSentimentClassification")
    file = tmp_path / f"{task.name}.yaml"
    file.write_text(registry.render(task), encoding="utf-8")
    again = registry.load_file(file)
    assert (again.source, again.subsets, again.settings) == (task.source, task.subsets, task.settings)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SciRepEvalDRSMClassification", "scored by cross-validation"),
        ("German1Retrieval", "its data, mteb-private/German1Retrieval, is not public"),
        ("VidoreArxivQARetrieval", "mteb's type DocumentUnderstanding is not scored here"),
        ("CUB200I2IRetrieval", "holds image; only tasks of text alone are scored here"),
        ("StakeholderGrounding", "scored by code of its own"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_the_reason(name: str, reason: str) -> None:
    """The message names the task and says why it cannot be run; the list of tasks that can be leaves it out."""
    with pytest.raises(DataError, match=f"^{name}: .*{reason}"):
        mteb_metadata.spec(name)
    assert name in mteb_metadata.names()
    assert name not in {task.name for task in mteb_metadata.scored()}


def test_a_name_that_nobody_has() -> None:
    """A misspelt name gets the nearest of ours and of mteb's, and no mteb is imported to find them."""
    with pytest.raises(UnknownName, match=r"did you mean .*SICK-R"):
        selection.find(registry.get_tasks(), "SICKR")
    with pytest.raises(UnknownName, match="did you mean Assin2STS"):
        selection.find(registry.get_tasks(), "Asin2STS")
    assert mteb_metadata.get("Asin2STS") is None
    assert mteb_metadata.main_metric("Asin2STS") is None


def test_main_metrics_that_are_not_the_usual_ones_of_their_type() -> None:
    """The main metric is the task's, not a guess by type."""
    expected = {
        "BSARDRetrieval": "recall_at_100",
        "Cmnli": "max_accuracy",
        "FeedbackQARetrieval": "precision_at_1",
        "GermanQuAD-Retrieval": "mrr_at_5",
        "SIB200ClusteringS2S": "v_measure",
        "SummEval": "cosine_spearman",
    }
    assert {name: mteb_metadata.main_metric(name) for name in expected} == expected


def test_every_own_task_that_mteb_has_too_agrees_on_type_and_main_metric() -> None:
    """One main metric a task: a spec of ours and the file about mteb never name two."""
    ours = {task.name: (task.type, task.main_metric) for task in registry.get_tasks()}
    theirs = {name: (mteb_metadata.type_of(name), mteb_metadata.main_metric(name)) for name in ours}
    assert {name for name, facts in theirs.items() if facts not in ((None, None), ours[name])} == set()


def test_sizes_count_both_sides_and_the_training_texts() -> None:
    """Both sides of a bitext count, and of a classification the training texts that its experiments may draw."""

    def size(task: TaskSpec, part: Part) -> Size | None:
        return size_estimate.estimate(task, part)

    assert size(mteb_metadata.spec("BUCC.v2"), Part("test", "de-en")) == Size(19_160, 1_919_197 // 4)
    task = mteb_metadata.spec("Banking77Classification")
    assert isinstance(task.settings, ClassificationSettings)
    facts = mteb_metadata.get(task.name)
    assert facts is not None
    tested, trained = facts.sizes[Part("test", "default")], facts.sizes[Part("train", "default")]
    assert (tested.texts, tested.labels, trained.texts) == (3080, 77, 10_003)
    drawn = min(77 * task.settings.samples_per_label * task.settings.n_experiments, 10_003)
    found = size(task, Part("test", "default"))
    assert found is not None
    assert found.texts == 3080 + drawn
    assert size(task, Part("validation", "default")) is None


def test_a_column_of_a_parallel_table_counts_once() -> None:
    """Each language of Flores is encoded once: a pair has both columns, the next one only the column that is new."""
    task = mteb_metadata.spec("FloresBitextMining")
    first, second = (Part("devtest", subset) for subset in ("ace_Arab-bam_Latn", "ace_Arab-dzo_Tibt"))
    assert size_estimate.estimate(task, first) == Size(2 * 1012, (111_621 + 126_387) // 4)
    sizes = size_estimate.of_parts(task, [first, second])
    assert [size.texts for size in sizes if size is not None] == [2 * 1012, 1012]
    whole = size_estimate.of_parts(task, task.parts)
    assert sum(size.texts for size in whole if size is not None) == 204 * 1012


def test_a_mean_of_tasks_is_as_large_as_its_members() -> None:
    """The size of CQADupstackRetrieval is that of its twelve forums."""
    task = mteb_metadata.spec("CQADupstackRetrieval")
    members = [size_estimate.estimate(member, part) for member in task.members for part in member.parts]
    assert len(members) == 12
    assert size_estimate.of_parts(task, task.parts) == members
