"""A run, a leaderboard and a card leave their process as they found it."""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness as api
from harness.cards import card_writing
from harness.cards.card_writing import CardOptions
from tests import tiny
from tests.conftest import ROOT

from .conftest import GOOD, Said, Tasks


def in_a_thread(ask: Callable[[], Any]) -> Any:
    """The answer of a thread that starts now: some libraries keep settings for threads that are yet to come."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    thread.join()
    return answers[0]


def state() -> dict[str, Any]:
    """Everything in this process that a library may set and that others can see."""
    import datasets.config
    import huggingface_hub.constants
    import numpy as np
    import threadpoolctl
    import torch
    from transformers.utils import logging as transformers_logging

    loggers = {"": logging.getLogger(), **logging.root.manager.loggerDict}
    return {
        **{f"variable {name}": value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
        "garbage collector": (gc.isenabled(), gc.get_threshold()),
        **{f"log level of {name}": each.level for name, each in loggers.items() if getattr(each, "level", 0)},
        "warnings": list(warnings.filters),
        "torch threads": (torch.get_num_threads(), in_a_thread(torch.get_num_threads)),
        "torch modes": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype()),
        **{f"threads of {pool['filepath']}": pool["num_threads"] for pool in threadpoolctl.threadpool_info()},
        "offline": (huggingface_hub.constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE),
        "session": "send" in vars(huggingface_hub.get_session()),
        "progress bars": (
            huggingface_hub.utils.are_progress_bars_disabled(),
            datasets.utils.are_progress_bars_disabled(),
            transformers_logging.is_progress_bar_enabled(),
        ),
        "random": (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()),
        "signals": {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)},
        "places": (Path.cwd(), list(sys.path)),
    }


@pytest.fixture
def unchanged() -> Callable[[], None]:
    """Compare the process with what it was when the fixture was made, with the libraries loaded that it uses."""
    import bm25s  # noqa: F401
    import sentence_transformers  # noqa: F401
    import sklearn.linear_model  # noqa: F401

    before = state()

    def compare() -> None:
        after = state()
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        assert {name: (before.get(name), after.get(name)) for name in changed} == {}

    return compare


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    """A model that the harness computes itself, one that sentence-transformers computes, and two without a network."""
    bert = tiny.save_sentence_transformer(tmp_path / "bert")
    return [str(bert), str(tiny.save_static(tmp_path / "static")), "baseline/hashing", "baseline/bm25"]


def test_the_functions(
    models: list[str], tasks: Tasks, tmp_path: Path, results: Path, unchanged: Callable[[], None]
) -> None:
    """`harness.run(offline=True)` on each type of task, `harness.rank`, `harness.compare` and a card change nothing."""
    for kind in GOOD:
        tasks.write(f"My{kind}", kind)
    names = [f"My{kind}" for kind in GOOD]
    records = api.run(models, names, results=results, tasks_dirs=[tasks.path], offline=True)
    assert len(records) == 3 * len(GOOD) + 1
    unchanged()
    assert len(api.rank(results=results, tasks_dirs=[tasks.path]).rows) == len(models)
    api.compare("baseline/hashing", records[0].model, results=results, tasks_dirs=[tasks.path])
    unchanged()
    card_writing.write("baseline/hashing", tmp_path / "README.md", options=CardOptions(results=results))
    unchanged()


def test_the_commands(
    tasks: Tasks, tmp_path: Path, command: Callable[..., Said], unchanged: Callable[[], None]
) -> None:
    """Nor do the commands when they are called in a process that goes on."""
    tasks.write("MySTS")
    assert command("run", "baseline/hashing", "-t", "MySTS", "--tasks-dir", tasks.path, "--offline").status == 0
    assert command("leaderboard", "-t", "MySTS", "--tasks-dir", tasks.path).status == 0
    assert command("card", "write", "baseline/hashing", str(tmp_path / "README.md")).status == 0
    assert command("doctor", "--offline").status == 0
    unchanged()


def test_clients_that_are_imported_offline() -> None:
    """Clients copy the mode when they are first imported: offline within the block, and not after it."""
    program = (
        "from harness.hub.offline import offline_mode\n"
        "with offline_mode():\n"
        "    import huggingface_hub.constants as constants, datasets.config as config\n"
        "    print(constants.HF_HUB_OFFLINE, config.HF_HUB_OFFLINE)\n"
        "print(constants.HF_HUB_OFFLINE, config.HF_HUB_OFFLINE)\n"
    )
    env = {name: value for name, value in os.environ.items() if not name.endswith("OFFLINE")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "True", "False", "False"]
