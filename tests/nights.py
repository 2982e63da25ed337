"""Nights of any content: schedules, models that load at once, snapshots and records made by hand."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from harness import results
from harness.evaluators.items import Items, values
from harness.evaluators.sts import STSSettings
from harness.nightly.engines.cell_computer import CellComputer
from harness.nightly.engines.protocol import Answer, Outcome, Work
from harness.nightly.engines.worker import attempt
from harness.nightly.history.snapshot_files import Night, NightCell, RunEnvironment
from harness.nightly.schedule import schedule_file
from harness.nightly.schedule.schedule_contents import Schedule
from harness.runner.cells import Cell
from harness.types import EncodeOptions, ModelSpec, Part, Record, Source, TaskSpec

FAST = ["MiniAnswersEnglish", "MiniAnswersGerman", "MiniSTSEnglish", "MiniSTSGerman"]
"""Tasks that need no scikit-learn."""
PART = Part("test", "default")


def write_schedule(folder: Path, **keys: Any) -> Path:
    """A schedule file; by default two baselines on tasks that start at once."""
    content = {"models": ["baseline/hashing"], "baselines": ["baseline/bm25"], "tasks": FAST, **keys}
    file = folder / "nightly.yaml"
    file.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return file


def schedule_of(folder: Path, **keys: Any) -> Schedule:
    """The schedule that `write_schedule` writes, read."""
    return schedule_file.read(write_schedule(folder, **keys))


def save_bag_of_words(folder: Path, *, dimensions: int, words: Sequence[str], seed: int = 0) -> Path:
    """A static model: a random vector for each word, short for frequent ones; few dimensions make a bad model.

    `words` may repeat themselves.
    """
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace

    counts = Counter(["[UNK]", *words])
    vocabulary = {word: number for number, word in enumerate(counts)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = Lowercase(), Whitespace()
    module = folder / "0_StaticEmbedding"
    module.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(module / "tokenizer.json"))
    rows = np.random.default_rng(seed).normal(size=(len(vocabulary), dimensions))
    rows = (rows / np.array(list(counts.values()))[:, None]).astype(np.float32)
    save_file({"embedding.weight": rows}, module / "model.safetensors")
    kind = "sentence_transformers.models.StaticEmbedding"
    modules = [{"idx": 0, "name": "0", "path": module.name, "type": kind}]
    (folder / "modules.json").write_text(json.dumps(modules))
    return folder


def mini_words(*tasks: str) -> list[str]:
    """The words of some of the bundled tasks, as often as they come."""
    root = Path(__file__).parents[1] / "tasks" / "mini" / "data"
    text = " ".join(path.read_text().lower() for task in tasks for path in sorted((root / task).rglob("*.jsonl")))
    return sorted("".join(char if char.isalnum() else " " for char in text).split())


def spec(name: str = "Timed", type_: str = "STS") -> TaskSpec:
    """A task that nothing is loaded of."""
    return TaskSpec(
        name=name,
        type=type_,  # type: ignore[arg-type]
        description="",
        source=Source(kind="hub", path="me/mine", revision="0" * 40),
        splits=("test",),
        subsets={"default": ("eng-Latn",)},
        columns={},
        main_metric="cosine_spearman",
        settings=STSSettings(),
    )


def cell(model: str = "org/a", task: str = "Timed") -> Cell:
    """A cell of a model that is never opened."""
    return Cell(
        label=model,
        model=ModelSpec(name=model, revision="r", location=model, origin="hub"),
        task=spec(task),
        part=PART,
        options=EncodeOptions(),
        precision="fp32",
        variant="",
        fingerprint=f"{model}-{task}",
    )


def work(model: str = "org/a", task: str = "Timed", *, timeout: float = 30.0) -> Work:
    """That cell as work."""
    return Work(cell=cell(model, task), timeout=timeout)


class Sleeper:
    """Computes nothing, for a time that the task's name tells: `0.5`, `0.5 crash`, `hang`, `error`."""

    def compute(self, work: Work) -> Any:
        """Sleep, or worse; the result is the process's id.

        Where `NIGHTS_STARTS` names a folder, a line there says that it began.
        """
        if folder := os.environ.get("NIGHTS_STARTS"):
            with (Path(folder) / str(os.getpid())).open("a") as file:
                file.write(f"{work.cell.task.name}\n")
        seconds, _, end = work.cell.task.name.partition(" ")
        if seconds == "hang":
            time.sleep(600)
        if seconds == "error":
            raise ValueError("no such thing")
        time.sleep(float(seconds))
        if end == "crash":
            os.kill(os.getpid(), 9)
        return os.getpid()


class InThisProcess:
    """An engine that computes in this process, in order."""

    def run(self, work: Sequence[Work], *, stop: Callable[[], bool]) -> Iterator[Outcome]:
        computer = CellComputer()
        for piece in work:
            yield Outcome("started", piece, "here")
            yield Outcome("done", piece, "here", Answer(attempt(computer, piece)))

    def close(self) -> None:
        """Nothing to free."""


def night(
    number: int, scores: Mapping[tuple[str, str], float], *, environment: RunEnvironment | None = None, **changes: Any
) -> Night:
    """A snapshot: (model, task) -> score; `changes` are of every cell."""
    common = {"model": "", "revision": "r1", "fingerprint": "f", "environment": 0, "data": "d", "date": float(number)}
    cells = tuple(
        NightCell(
            label=model,
            task=task,
            type="Retrieval",
            split="test",
            subset="default",
            metric="ndcg_at_10",
            score=score,
            **{**common, "model": model, **changes},
        )
        for (model, task), score in scores.items()
    )
    return Night(
        number=number,
        started=1e9 + number * 86400,
        finished=1e9 + number * 86400 + 60,
        schedule="nightly.yaml",
        computed=len(cells),
        environment=RunEnvironment(),
        environments=(environment or RunEnvironment(),),
        cells=cells,
    )


def queries(level: float, *, seed: int, n: int = 200, noise: float = 0.05) -> Items:
    """Scores of the same queries under a model of some level: what is hard is hard for all."""
    hardness = np.random.default_rng(1).normal(0, 0.2, n)
    own = np.random.default_rng(seed).normal(0, noise, n)
    return values(np.clip(level + hardness + own, 0, 1), metric="ndcg_at_10", unit="query")


def put(folder: Path, model: str, task: str, own: Items, *, revision: str = "r1", date: float = 1e9) -> Path:
    """A record with its items, as a run leaves them."""
    record = Record(
        task=task,
        model=model,
        revision=revision,
        dataset_revision="1",
        date=date,
        scores={"test": [{"main_score": own.whole(), "hf_subset": "default", "languages": ["eng-Latn"]}]},
        harness={
            "fingerprint": f"{model}-{revision}-{task}",
            "task_type": "Retrieval",
            "parts": {"test": {"seconds": {"encode": 1.0}, "sha256": "d", "tokens": 10, "texts": 1}},
        },
    )
    return Path(results.put(folder, record, model_meta={}, items={PART: own}).path)
