"""The bridge: mteb's own mock tasks, by name and without a spec, score as mteb scores them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from harness import data
from harness.data import mteb_bridge, mteb_metadata_file
from harness.errors import DataError, UnknownName
from harness.models.baselines import Hashing
from harness.runner import measurement, selection
from harness.tasks import mteb_metadata, registry
from harness.types import Part, TaskSpec
from tests.encoders import one_block
from tests.oracle.mteb_tasks import plain, same

pytest.importorskip("mteb.mocks.mock_tasks", reason="the oracle is mteb")

TASKS = (
    "MockSTSTask",
    "MockMultilingualSTSTask",
    "MockPairClassificationTask",
    "MockMultilingualPairClassificationTask",
    "MockClassificationTask",
    "MockMultilingualClassificationTask",
    "MockClusteringTask",
    "MockMultilingualClusteringTask",
    "MockMultilingualClusteringFastTask",
    "MockRetrievalTask",
    "MockMultilingualRetrievalTask",
    "MockRerankingTask",
    "MockMultilingualRerankingTask",
    "MockRetrievalDialogTask",
    "MockInstructionRetrieval",
    "MockMultilingualInstructionRetrieval",
    "MockInstructionReranking",
    "MockMultilingualInstructionReranking",
    "MockBitextMiningTask",
    "MockMultilingualBitextMiningTask",
    "MockMultilingualParallelBitextMiningTask",
    "MockMultilabelClassification",
    "MockMultilingualMultilabelClassification",
    "MockSummarizationTask",
    "MockMultilingualSummarizationTask",
    "MockRegressionTask",
)


class Theirs:
    """The hashing baseline as mteb wants an encoder."""

    mteb_model_meta = None

    def encode(self, inputs: Any, **_: Any) -> np.ndarray:
        texts = [text for batch in inputs for text in batch["text"]]
        return one_block(Hashing(), texts).vectors

    def similarity(self, left: Any, right: Any) -> np.ndarray:
        return np.asarray(left) @ np.asarray(right).T

    def similarity_pairwise(self, left: Any, right: Any) -> np.ndarray:
        return Hashing().similarity_pairwise(np.asarray(left), np.asarray(right))


def mock_tasks() -> dict[str, Any]:
    """Class name -> class, of every module of mteb's mock tasks."""
    modules = [module for name, module in sys.modules.items() if name.startswith("mteb.mocks.mock_tasks")]
    found = {name: value for module in modules for name, value in vars(module).items()}
    found.pop("MockAggregatedTask", None)  # which has the name of another
    return {name: value for name, value in found.items() if name.startswith("Mock") and hasattr(value, "metadata")}


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The mock tasks are known to mteb by name."""
    theirs = sys.modules["mteb.get_tasks"]  # the package's attribute of that name is a function
    for task in mock_tasks().values():
        monkeypatch.setitem(theirs._TASKS_REGISTRY, task.metadata.name, task)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    mteb_bridge._loaded.cache_clear()


def spec_of(name: str) -> TaskSpec:
    """The spec of a mock task, made as the committed file makes those of mteb's tasks."""
    return mteb_metadata.spec_of(mteb_metadata.task_of(mteb_metadata_file.row(mock_tasks()[name])))


def expected(task: TaskSpec, part: Part) -> dict[str, Any]:
    """What mteb gives the part; with all subsets where the draws of one depend on those before it."""
    import mteb

    whole = part.subset == "default" or task.type == "MultilabelClassification"
    fresh = mteb.get_task(task.name, hf_subsets=None if whole else [part.subset])
    fresh.load_data()
    scores = fresh.evaluate(Theirs(), split=part.split, encode_kwargs={"batch_size": 8, "show_progress_bar": False})
    return plain({key: value for key, value in scores[part.subset].items() if key != "main_score"})


def differences(found: dict[str, Any], theirs: dict[str, Any], ignored: Sequence[str] = ()) -> dict[str, Any]:
    return {
        key: (found.get(key), value)
        for key, value in theirs.items()
        if key not in ignored and not same(found.get(key), value, tolerance=1e-6)
    }


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.usefixtures("mocked")
def test_a_task_without_a_spec_scores_as_mteb_scores_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every metric of every part equals mteb's on the same vectors, and the spec renders and reads back.

    Classifications and clusterings are repeated three times instead of ten, on both sides.
    """
    for attribute in ("n_experiments", "n_clusters"):
        if hasattr(mock_tasks()[name], attribute):
            monkeypatch.setattr(mock_tasks()[name], attribute, 3)
    spec = spec_of(name)
    assert spec.source.kind == "mteb"
    assert spec.main_metric
    for part in spec.parts:
        loaded = data.load(spec, part)
        scores = measurement.score(measurement.encode(spec, part, Hashing(), loaded)).scores
        assert spec.main_metric in scores
        assert not differences(scores, expected(spec, part))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("MockAudioReranking", "type AudioReranking is not scored"),
    ],
)
@pytest.mark.usefixtures("mocked")
def test_what_cannot_be_scored_is_said(name: str, reason: str) -> None:
    """A task of another kind is refused with the reason."""
    with pytest.raises(DataError, match=reason):
        spec_of(name)


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("MockMultilabelClassification", {"evaluator_model": LogisticRegression()}),
        ("MockRegressionTask", {"evaluator_model": Ridge()}),
    ],
)
def test_another_model_than_the_types_is_refused(name: str, attributes: dict[str, Any]) -> None:
    """A task that mteb scores with another classifier or regression would get other numbers here."""
    other = type(name, (mock_tasks()[name],), attributes)
    with pytest.raises(DataError, match="another classifier or regression than the type's"):
        mteb_metadata.spec_of(mteb_metadata.task_of(mteb_metadata_file.row(other)))


@pytest.mark.usefixtures("mocked")
def test_a_task_that_the_file_lacks_comes_from_another_version_of_mteb(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the file lacks is looked up in the installed mteb, unless that is the version of the file."""
    name = mock_tasks()["MockSTSTask"].metadata.name
    with pytest.raises(UnknownName, match=name):
        selection.find(registry.get_tasks(), name)
    monkeypatch.setattr(mteb_metadata, "version", lambda: "0.1")
    assert selection.find(registry.get_tasks(), name) == spec_of("MockSTSTask")
    with pytest.raises(UnknownName, match="TaskOfTomorrow"):
        selection.find(registry.get_tasks(), "TaskOfTomorrow")


@pytest.mark.usefixtures("mocked")
def test_other_data_than_the_spec_names_is_refused() -> None:
    """Where mteb pins another revision than the spec, nothing is loaded: a record would name the wrong one."""
    spec = spec_of("MockSTSTask")
    other = replace(spec, source=replace(spec.source, revision="f" * 40))
    with pytest.raises(
        DataError, match=rf"and the spec names .* at {'f' * 40}; install mteb=={mteb_metadata.version()}"
    ):
        data.load(other, spec.parts[0])
    unknown = replace(spec, name="TaskOfTomorrow")
    with pytest.raises(DataError, match=r"the installed mteb \S+ has no task of this name"):
        data.load(unknown, spec.parts[0])
