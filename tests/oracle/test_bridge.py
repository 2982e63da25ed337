"""The bridge: mteb's own mock tasks, by name and without a spec, score as mteb scores them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import data
from harness.data import mteb_bridge
from harness.errors import DataError, UnknownName
from harness.models.baselines import Hashing
from harness.runner import selection
from harness.runner.measurement import measure
from harness.tasks import registry
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
    "MockBitextMiningTask",
    "MockMultilingualBitextMiningTask",
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
    return {name: value for name, value in found.items() if name.startswith("Mock") and hasattr(value, "metadata")}


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The mock tasks are known to mteb by name."""
    theirs = sys.modules["mteb.get_tasks"]  # the package's attribute of that name is a function
    for task in mock_tasks().values():
        monkeypatch.setitem(theirs._TASKS_REGISTRY, task.metadata.name, task)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    mteb_bridge._loaded.cache_clear()


def expected(task: TaskSpec, part: Part) -> dict[str, Any]:
    import mteb

    fresh = mteb.get_task(task.name, hf_subsets=None if part.subset == "default" else [part.subset])
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
def test_a_task_without_a_spec_scores_as_mteb_scores_it(name: str) -> None:
    """Every metric of every part equals mteb's on the same vectors, and the spec renders and reads back."""
    spec = mteb_bridge.spec(mock_tasks()[name].metadata.name)
    assert spec.source.kind == "mteb"
    assert spec.main_metric
    for part in spec.parts:
        loaded = data.load(spec, part)
        scores = measure(spec, part, Hashing(), loaded).scores
        assert spec.main_metric in scores
        assert not differences(scores, expected(spec, part))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("MockMultilabelClassification", "type MultilabelClassification is not scored"),
        ("MockSummarizationTask", "type Summarization is not scored"),
        ("MockMultilingualParallelBitextMiningTask", "parallel table"),
    ],
)
@pytest.mark.usefixtures("mocked")
def test_what_cannot_be_scored_is_said(name: str, reason: str) -> None:
    """A task of another kind is refused with the reason."""
    with pytest.raises(DataError, match=reason):
        mteb_bridge.spec(mock_tasks()[name].metadata.name)


def test_names_are_known_without_importing_mteb() -> None:
    """The list of mteb's names is long, and a name that nobody has gets suggestions from it."""
    listed = mteb_bridge.listed()
    assert len(listed) > 1000
    assert "SciFact" in listed
    with pytest.raises(UnknownName, match="SICK-R"):
        selection.find(registry.get_tasks(), "SICKR")
