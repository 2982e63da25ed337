"""A hub that fails, throttles, cuts bodies or is gone changes no score."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.hub import retries
from tests import in_process
from tests.conftest import environment

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
FEW = ("GermanSTSBenchmark",)
FIVE = (*FEW, "SIB200ClusteringS2S", "STSBenchmarkMultilingualSTS", "PawsXPairClassification", "SciFact")


def options(tasks: tuple[str, ...]) -> tuple[str, ...]:
    """Quick mode: the same downloads and parsing, little encoding."""
    return ("-t", ",".join(tasks), "--languages", "deu,default", "--splits", "test", "--max-texts", "12", "--json")


def scores(done: Any, tasks: tuple[str, ...]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    cells = json.loads(done.stdout)["cells"]
    found = {
        f"{cell['model']} {cell['task']} {part}": score for cell in cells for part, score in cell["scores"].items()
    }
    assert {cell["task"] for cell in cells} == set(tasks)
    return found


@pytest.fixture(scope="module")
def undisturbed(
    localhub: ModuleType, hub_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[tuple[str, ...]], dict[str, Any]]:
    """The scores that a hub without faults gives."""

    @functools.cache
    def measured(tasks: tuple[str, ...]) -> dict[str, Any]:
        folder = tmp_path_factory.mktemp("undisturbed")
        with localhub.LocalHub(str(hub_root)) as server:
            done = in_process.run_command(
                ["run", MODEL, "baseline/hashing", *options(tasks)],
                env=environment(folder, HF_ENDPOINT=server.endpoint),
                cwd=folder,
            )
        return scores(done, tasks)

    return measured


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("tasks", "faults"),
    [
        pytest.param(FEW, {"fail_rate": 0.3, "status": 503, "seed": 3}, id="503"),
        pytest.param(FIVE, {"fail_rate": 0.3, "status": 503, "seed": 3}, id="503 on five", marks=SLOW),
        pytest.param(FIVE, {"fail_first": 1, "status": 429, "retry_after": 0}, id="429", marks=SLOW),
        pytest.param(FIVE, {"truncate_rate": 0.3, "seed": 5}, id="cut", marks=SLOW),
    ],
)
def test_faults_change_no_score(
    tasks: tuple[str, ...],
    faults: dict[str, Any],
    harness: Callable[..., Any],
    localhub: ModuleType,
    hub_root: Path,
    undisturbed: Callable[[tuple[str, ...]], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Data and a model come through 30% failures, throttling and cut bodies with the same scores."""
    monkeypatch.setattr(retries, "_wait", lambda attempt, retry_after: 0.01)  # how long it waits is tested elsewhere
    with localhub.LocalHub(str(hub_root), **faults) as server:
        done = harness("run", MODEL, "baseline/hashing", *options(tasks), env={"HF_ENDPOINT": server.endpoint})
        injected = [request for request in server.requests if request["fault"]]
    found = scores(done, tasks)
    assert injected, "no fault was injected: the test tests nothing"
    assert found == undisturbed(tasks)


def test_nothing_but_the_cache_is_needed_after_prefetch(
    harness: Callable[..., Any], hub: Any, undisturbed: Callable[[tuple[str, ...]], dict[str, Any]]
) -> None:
    """With the hub gone, --offline after prefetch gives the same scores; without the cache it says what to do."""
    without = harness("run", "baseline/hashing", *options(FEW), "--offline")
    assert without.returncode == 1
    assert "harness prefetch" in without.stdout
    fetched = harness("prefetch", MODEL, *options(FEW)[:-3], env={"HF_ENDPOINT": hub.endpoint})
    assert fetched.returncode == 0, fetched.stdout + fetched.stderr
    asked = len(hub.requests)
    done = harness("run", MODEL, "baseline/hashing", *options(FEW), "--offline")
    assert scores(done, FEW) == undisturbed(FEW)
    assert len(hub.requests) == asked


def test_a_warm_run_asks_for_no_data(harness: Callable[..., Any], hub: Any) -> None:
    """The second run of a task asks the hub for nothing: a pinned revision cannot have changed."""
    options = ("run", "baseline/hashing", "-t", "GermanSTSBenchmark", "--splits", "test", "--overwrite")
    assert harness(*options, env={"HF_ENDPOINT": hub.endpoint}).returncode == 0
    asked = len(hub.requests)
    assert asked > 0
    assert harness(*options, env={"HF_ENDPOINT": hub.endpoint}).returncode == 0
    # The client itself asks for things that are neither models nor data.
    assert [request["path"] for request in hub.requests[asked:] if "/datasets/" in request["path"]] == []


def test_other_data_under_the_same_revision_is_noticed(
    harness: Callable[..., Any], localhub: ModuleType, tmp_path: Path
) -> None:
    """Data that changes under a pinned revision is a clear error, and the record stays as it was."""
    data = tmp_path / "root" / "datasets" / "acme" / "pairs" / "data"
    data.mkdir(parents=True)
    spec = tmp_path / "tasks" / "Acme.yaml"
    spec.parent.mkdir()
    spec.write_text(
        "name: Acme\ntype: STS\ndescription: pairs\n"
        f"source: {{kind: hub, path: acme/pairs, revision: {'a' * 40}}}\n"
        "splits: [test]\nsubsets: {default: [eng-Latn]}\nmain_metric: cosine_spearman\n"
    )
    rows = [("a b", "a b", 5), ("a b", "c d", 0), ("e f g", "e f", 3)]

    def write(score: float) -> None:
        lines = [{"sentence1": left, "sentence2": right, "score": value} for left, right, value in rows]
        lines[-1]["score"] = score
        (data / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    options = ("run", "baseline/hashing", "-t", "Acme", "--tasks-dir", str(spec.parent), "--overwrite")
    write(3)
    with localhub.LocalHub(str(tmp_path / "root")) as server:
        first = harness(*options, env={"HF_ENDPOINT": server.endpoint})
        assert first.returncode == 0, first.stdout + first.stderr
        record = next((tmp_path / "results").rglob("Acme.json"))
        before = record.read_bytes()
        write(2)
        # A new download, as on a machine whose hub cache was cleared.
        again = harness(*options, env={"HF_ENDPOINT": server.endpoint, "HF_HOME": str(tmp_path / "other")})
    assert again.returncode == 1
    assert "holds other data than before" in again.stdout
    assert record.read_bytes() == before


def test_a_hub_that_never_lets_go_is_quoted(
    localhub: ModuleType, hub_root: Path, harness: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that is refused to the end fails with the hub's answer, for a data set and for a model."""
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    with localhub.LocalHub(str(hub_root), fail_rate=1.0, status=429, retry_after=0) as server:
        env = {"HF_ENDPOINT": server.endpoint}
        data = harness("run", "baseline/hashing", "-t", "STSBenchmark", env=env)
        model = harness("run", "sentence-transformers/all-MiniLM-L6-v2", "-t", "MiniSTSEnglish", env=env)
    assert data.returncode == 1
    assert "the hub could not be asked (the hub answered with status 429, Too Many Requests, 8 times)" in data.stdout
    assert "FileNotFoundError" not in data.stdout + data.stderr
    assert model.returncode == 2
    assert "the hub answered with status 429, Too Many Requests" in model.stderr
