"""Records of a model -> its card: `show` and `write`."""

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
from harness.cards.model_records import Recorded, chosen_parts, narrowed, records_of
from harness.cards.task_lookup import Specs
from harness.errors import UnknownName
from harness.tasks import registry
from harness.tasks.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Which records go on a card, and how.

    Attributes:
        results: the folder of the records.
        tasks: names; None with `suite` None takes every record.
        suite: a named list of tasks.
        tasks_dirs: folders with more task files.
        metrics: the main one of each task, all, or these.
        names: of metrics; None writes mteb 2's, but leaves those that a card has under mteb 1's name.
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
    def known(self) -> Registry:
        """The tasks."""
        return registry.get_tasks([Path(folder) for folder in self.tasks_dirs])


class Written(NamedTuple):
    """What `write` did, or would do.

    Attributes:
        text: the card's text.
        diff: a unified diff of it; empty where nothing changes.
        counts: how many values were added, changed, left unchanged and pruned.
        left_out: recorded tasks that are not on the card, and why.
        other_models: other models of the index, which were left alone.
    """

    text: str
    diff: str
    counts: ValueCounts
    left_out: list[LeftOut]
    other_models: tuple[str, ...]


def collected(model: str, options: Options) -> tuple[Recorded, Collected]:
    """The records of a model and the results that they are on a card.

    Raises:
        UnknownName: the model, a task, the suite or a metric does not exist, or nothing is left to be written.
    """
    known = options.known
    recorded = records_of(Path(options.results), model)
    parts = chosen_parts(known, options.tasks, options.suite, recorded.records)
    found = model_index.collect(narrowed(recorded.records, parts), known, parts=parts, metrics=options.metrics)
    unread = [LeftOut(Path(reason.partition(": ")[0]).stem, reason) for reason in recorded.refused]
    found = Collected(found.results, [*found.left_out, *unread])
    if not found.results:
        reasons = "; ".join(f"{task}: {reason}" for task, reason in found.left_out[:3])
        raise UnknownName(f"nothing recorded for {model} can stand on a card ({reasons or 'no record fits'})")
    return recorded, found


def show(model: str, options: Options) -> tuple[str, list[LeftOut]]:
    """The `model-index` block of a model as YAML, and what was left out.

    Raises:
        HarnessError: as `collected`.
    """
    recorded, found = collected(model, options)
    name = model_name(recorded.model)
    text = yaml_layout.render(name, found.results, names=options.names or "v2", digits=options.digits)
    return text, found.left_out


def write(
    model: str,
    path: str | os.PathLike[str],
    *,
    options: Options,
    entry: str | None = None,
    table: results_table.Kind | None = None,
    compare: Sequence[str] = (),
    prune: bool = False,
    dry_run: bool = False,
) -> Written:
    """Merge the results of a model into a card; see `merge` for what stays as it is.

    Args:
        model: as recorded, with `@revision` where there are several.
        path: the card; made from a template where there is none.
        options: what to write, and how.
        entry: the model's name in the card's index; by default its name without the organisation.
        table: maintain this table in the body, too.
        compare: further recorded models of the table.
        prune: take out results that were written here and are no longer recorded.
        dry_run: change no file.

    Raises:
        HarnessError: as `collected`, or the card cannot be read, changed or written. Then it is untouched.
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
    options: Options,
    entry: str | None = None,
    table: results_table.Kind | None = None,
    compare: Sequence[str] = (),
    prune: bool = False,
) -> Written:
    """What `write` would make of a card that was read.

    Raises:
        HarnessError: as `write`.
    """
    recorded, found = collected(model, options)
    done = merge(
        card,
        found.results,
        name=entry or model_name(recorded.model),
        names=options.names,
        digits=options.digits,
        prune=_ours(options) if prune else None,
    )
    text = done.text
    if table is not None:
        text = results_table.put(card, text, _table((model, *compare), options, kind=table))
    return Written(text, diff(card, text), done.counts, found.left_out, done.other_models)


def diff(card: Card, text: str) -> str:
    """A unified diff from the card's text to `text`."""
    old, new = card.text.splitlines(keepends=True), text.splitlines(keepends=True)
    source = str(card.path) if card.raw is not None else os.devnull
    lines = difflib.unified_diff(old, new, source, str(card.path))
    return "".join(line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _ours(options: Options) -> IsOurs:
    known = options.known
    specs, wanted = Specs(known), chosen_parts(known, options.tasks, options.suite)
    return lambda result, key: (wanted is None or key.task in wanted) and pruning.written_here(result, key, specs)


def _table(names: Sequence[str], options: Options, *, kind: results_table.Kind) -> str:
    known = options.known
    models = []
    for name in names:
        recorded = records_of(Path(options.results), name)
        parts = chosen_parts(known, options.tasks, options.suite, recorded.records)
        metrics: Metrics = "main" if kind == "scores" else "all"
        found = model_index.collect(narrowed(recorded.records, parts), known, parts=parts, metrics=metrics)
        models.append(results_table.Compared(name, found.results))
    made = results_table.scores(models) if kind == "scores" else results_table.similarity(models)
    if not made:
        raise UnknownName("no STS task is among the records, and --table similarity is about those; leave it out")
    return made
