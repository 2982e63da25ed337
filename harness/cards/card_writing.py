"""Writing a model's records into its card: `show` and `write`."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.cards import card_file, model_index, results_table
from harness.cards.card_file import Card
from harness.cards.edit import pruning, yaml_layout
from harness.cards.edit.merge import IsOurs, ValueCounts, merge, model_name
from harness.cards.metric_names import Names
from harness.cards.model_index import Collected, LeftOut, Metrics
from harness.cards.model_records import ModelRecords, chosen_parts, narrowed, records_of
from harness.cards.task_lookup import TaskLookup
from harness.errors import UnknownName
from harness.files.model_folders import is_path
from harness.tasks import registry
from harness.tasks.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class CardOptions:
    """Which records go on a card, and how they are written.

    Attributes:
        results: the folder of the records.
        tasks: names of tasks; every record is taken if both this and `suite` are None.
        suite: name of a suite.
        tasks_dirs: folders with more task files.
        metrics: each task's main metric (`main`), all metrics (`all`), or the named ones.
        names: the vocabulary of metric names; None writes that of the card, else mteb 2's, and renames nothing.
        digits: decimals of the values (0-100); None for all.
    """

    results: str | os.PathLike[str] = "results"
    tasks: Sequence[str] | None = None
    suite: str | None = None
    tasks_dirs: Sequence[str | os.PathLike[str]] = ()
    metrics: Metrics | Sequence[str] = "main"
    names: Names | None = None
    digits: int | None = None

    @property
    def registry(self) -> Registry:
        """The registry of all tasks, with those of `tasks_dirs`."""
        return registry.get_tasks([Path(folder) for folder in self.tasks_dirs])


class WrittenCard(NamedTuple):
    """What `write` did, or would do.

    Attributes:
        text: the card's new text.
        diff: a unified diff of the text; empty if nothing changes.
        counts: how many values were added, changed, left unchanged and pruned.
        left_out: recorded tasks that are not on the card, with reasons.
        other_models: names of other entries of the index, which were not touched.
    """

    text: str
    diff: str
    counts: ValueCounts
    left_out: list[LeftOut]
    other_models: tuple[str, ...]


def collected(model: str, options: CardOptions) -> tuple[ModelRecords, Collected]:
    """The records of a model, and the results that a card gets from them.

    Raises:
        UnknownName: the model, a task, the suite or a metric does not exist, or no result is left.
    """
    recorded, (results, left_out) = _collect(model, options, metrics=options.metrics)
    unread = [LeftOut(Path(reason.partition(": ")[0]).stem, reason) for reason in recorded.refused]
    left_out = [*left_out, *unread]
    if not results:
        reasons = "; ".join(f"{task}: {reason}" for task, reason in left_out[:3])
        raise UnknownName(f"no record of {model} can be written on a card ({reasons or 'no record matches'})")
    return recorded, Collected(results, left_out)


def _collect(model: str, options: CardOptions, *, metrics: Metrics | Sequence[str]) -> tuple[ModelRecords, Collected]:
    task_registry = options.registry
    recorded = records_of(Path(options.results), model)
    parts = chosen_parts(task_registry, options.tasks, options.suite, recorded.records)
    return recorded, model_index.collect(narrowed(recorded.records, parts), task_registry, parts=parts, metrics=metrics)


def show(model: str, options: CardOptions) -> tuple[str, list[LeftOut]]:
    """The `model-index` block of a model as YAML, and the tasks that were left out.

    Raises:
        HarnessError: as in `collected`.
    """
    recorded, (results, left_out) = collected(model, options)
    name = model_name(recorded.model)
    text = yaml_layout.render(name, results, names=options.names or "v2", digits=options.digits)
    return text, left_out


def write(
    model: str,
    path: str | os.PathLike[str],
    *,
    options: CardOptions,
    entry: str | None = None,
    table: results_table.TableName | None = None,
    compare: Sequence[str] = (),
    prune: bool = False,
    dry_run: bool = False,
) -> WrittenCard:
    """Merge the results of a model into a card; see `merge` for what is kept.

    Args:
        model: the recorded model, with `@revision` if it has several.
        path: the card; a new one is written if it does not exist.
        options: what to write, and how.
        entry: the model's name in the card's index; by default its name without the organisation.
        table: kind of table to maintain in the body, if any.
        compare: more recorded models for the table.
        prune: remove results that this program wrote and that are no longer recorded.
        dry_run: change no file.

    Raises:
        HarnessError: as in `collected`, or the card cannot be read, changed or written; the file is untouched.
    """
    card = card_file.load(path, to_change=True)
    written = merged(model, card, options=options, entry=entry, table=table, compare=compare, prune=prune)
    if not dry_run:
        card_file.save(card, written.text)
    return written


def merged(
    model: str,
    card: Card,
    *,
    options: CardOptions,
    entry: str | None = None,
    table: results_table.TableName | None = None,
    compare: Sequence[str] = (),
    prune: bool = False,
) -> WrittenCard:
    """What `write` would do to a card that was read.

    Raises:
        HarnessError: as in `write`.
    """
    recorded, (results, left_out) = collected(model, options)
    card_merge = merge(
        card,
        results,
        name=entry or model_name(recorded.model),
        names=options.names,
        digits=options.digits,
        prune=_ours(options) if prune else None,
    )
    text = card_merge.text
    if table is not None:
        text = results_table.put(card, text, _table((model, *compare), options, kind=table))
    return WrittenCard(text, diff(card, text), card_merge.counts, left_out, card_merge.other_models)


def diff(card: Card, text: str) -> str:
    """A unified diff from the card's text to `text`."""
    old, new = card.text.splitlines(keepends=True), text.splitlines(keepends=True)
    source = str(card.path) if card.raw is not None else os.devnull
    lines = difflib.unified_diff(old, new, source, str(card.path))
    return "".join(line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _ours(options: CardOptions) -> IsOurs:
    task_registry = options.registry
    tasks, chosen = TaskLookup(task_registry), chosen_parts(task_registry, options.tasks, options.suite)
    return lambda result, key: (chosen is None or key.task in chosen) and pruning.written_here(result, key, tasks)


def _table(names: Sequence[str], options: CardOptions, *, kind: results_table.TableName) -> str:
    metrics: Metrics = "main" if kind == "scores" else "all"
    models = []
    for name in names:
        recorded, of_model = _collect(name, options, metrics=metrics)
        models.append(results_table.Compared(recorded.model if is_path(name) else name, of_model.results))
    table = results_table.scores(models) if kind == "scores" else results_table.similarity(models)
    if not table:
        raise UnknownName("--table similarity shows STS tasks, and no STS task is recorded; leave the option out")
    return table
