"""`harness.HarnessEvaluator`: scores a model on tasks or a suite while sentence-transformers trains it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.runner.api import run
from harness.types import Record, TaskSpec

with warnings.catch_warnings():  # sentence-transformers 6 has it at another place, older ones do not
    warnings.simplefilter("ignore", DeprecationWarning)
    from sentence_transformers.evaluation import SentenceEvaluator

_NANO = "NanoBEIR"


class HarnessEvaluator(SentenceEvaluator):  # type: ignore[misc,unused-ignore]
    """An evaluator for the trainers of sentence-transformers.

    It is called with the model that is trained, measures it without changing it, and returns the main scores, which the
    trainer logs as it logs all metrics (so also to wandb, TensorBoard and the others that the trainer reports to).
    """

    def __init__(
        self,
        tasks: str | TaskSpec | Sequence[str | TaskSpec] | None = None,
        *,
        suite: str | None = None,
        name: str = "",
        results: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        """Choose what is measured.

        Args:
            tasks: tasks by name; by default the suite, and without one NanoBEIR.
            suite: name of a suite.
            name: stands before the names of the metrics, with an underscore.
            results: folder of the records; by default `harness` in the folder that the trainer gives, and without one
                `$HARNESS_RESULTS`, else `results`.
            options: of `harness.run`, such as `languages`, `max_texts` or `prompts`.
        """
        super().__init__()
        self.tasks, self.results, self.options = tasks, results, options
        self.suite = _NANO if tasks is None and suite is None else suite
        self.name = name
        self.greater_is_better = True
        self.primary_metric = self._metric("mean")

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1, *args: Any, **kwargs: Any
    ) -> dict[str, float]:
        """Measure the model.

        Args:
            model: the model that is trained.
            output_path: the folder of the trainer's evaluations.
            epoch: how many epochs are trained; -1 outside training.
            steps: how many steps are trained; -1 outside training.

        Returns:
            `[NAME_]TASK_METRIC` -> the main score of each task, the mean over its parts, 0-1; `[NAME_]mean` -> the
            mean over the tasks.

        Raises:
            HarnessError: the request is wrong, or a cell failed.
        """
        folder = self.results
        if folder is None and output_path is not None:
            folder = Path(output_path) / "harness"
        # Records of one step stand beside those of the others: the step is part of the model's name.
        step = f"-step-{steps}" if steps >= 0 else f"-epoch-{epoch:g}" if epoch >= 0 else ""
        label = f"python/{self.name or 'model'}{step}"
        records = run(model, self.tasks, suite=self.suite, results=folder, name=label, **self.options)
        scores = {self._metric(f"{record.task}_{record.harness['main_metric']}"): _mean(record) for record in records}
        metrics = {**scores, self.primary_metric: sum(scores.values()) / len(scores)}
        self.store_metrics_in_model_card_data(model, metrics, int(epoch), steps)
        return metrics

    def get_config_dict(self) -> dict[str, Any]:
        """What was measured, for the model card."""
        named = self.suite if self.tasks is None else self.tasks
        return {"tasks": named if isinstance(named, str) else str(named)}

    def _metric(self, metric: str) -> str:
        return f"{self.name}_{metric}" if self.name else metric


def _mean(record: Record) -> float:
    values = [float(entry["main_score"]) for entry in record.parts.values()]
    return sum(values) / len(values)
