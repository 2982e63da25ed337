"""mteb's benchmarks of text alone, read from a committed file, so that no look-up imports mteb.

`tests.generators` makes the file, and an oracle test compares it with the installed mteb. A benchmark is a
list of tasks, some of them narrowed to some splits and subsets; what a task is, `mteb_metadata` knows.
"""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from harness.tasks import mteb_metadata
from harness.types import Part, RecordedTask, Suite

FILE = Path(__file__).with_name("mteb_benchmarks.json")


class Member(NamedTuple):
    """A task of a benchmark.

    Attributes:
        splits, subsets: those that the benchmark has; None for all of the task's.
    """

    task: str
    splits: tuple[str, ...] | None = None
    subsets: tuple[str, ...] | None = None

    def parts(self, task: mteb_metadata.MtebTask) -> tuple[Part, ...]:
        """The parts of the task that the benchmark has, splits outermost."""
        subsets = task.subsets if self.subsets is None else self.subsets
        splits = task.splits if self.splits is None else self.splits
        return tuple(Part(split, subset) for split in splits for subset in subsets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A benchmark of mteb.

    Attributes:
        name: mteb's, such as `MTEB(eng, v2)`.
        aliases: further names that mteb knows.
        title: the name in mteb's menus.
        superseded_by: the benchmarks that mteb recommends instead.
        means: the columns of mteb's table that are means: `mean_task`, `mean_task_type`, `task_types`, `mean_subset`,
            `public_private`.
        tasks: in mteb's order.
        groupings: name of a dimension -> label -> tasks, for the means of mteb's further columns.
    """

    name: str
    tasks: tuple[Member, ...]
    aliases: tuple[str, ...] = ()
    title: str = ""
    reference: str | None = None
    superseded_by: tuple[str, ...] = ()
    means: tuple[str, ...] = ()
    groupings: Mapping[str, Mapping[str, tuple[Member, ...]]] = field(default_factory=dict)


def version() -> str:
    """The version of mteb that the file was made from."""
    return str(_content()["mteb"])


def names() -> tuple[str, ...]:
    """The names of all benchmarks, sorted."""
    return tuple(_rows())


@functools.cache
def get(name: str) -> Benchmark | None:
    """The benchmark of this name or alias, however it is spaced, or of this short name; None where there is none."""
    aliases = _aliases()
    fields = _rows().get(name) or _rows().get(aliases.get(name, aliases.get(short_name(name), name)))
    return _benchmark(fields) if fields is not None else None


def suite_of(benchmark: Benchmark) -> Suite:
    """The benchmark as a suite.

    A task that cannot be run here counts where it is recorded. A task whose data is not public counts nowhere, as in
    mteb's own table; the notes name it.
    """
    tasks: list[str] = []
    parts: dict[str, tuple[Part, ...]] = {}
    recorded_only: list[RecordedTask] = []
    closed: list[str] = []
    for member in benchmark.tasks:
        task = mteb_metadata.get(member.task)
        if task is None:
            raise AssertionError(f"{FILE.name} and {mteb_metadata.FILE.name} are of different versions of mteb")
        if task.private:
            closed.append(task.name)
        elif reason := mteb_metadata.why_not_scored(task):
            recorded_only.append(
                RecordedTask(
                    name=task.name, type=task.type, parts=member.parts(task), subsets=task.subsets, reason=reason
                )
            )
        else:
            tasks.append(task.name)
            if member.splits is not None or member.subsets is not None:
                parts[task.name] = member.parts(task)
    return Suite(
        name=benchmark.name,
        description=_description(benchmark),
        tasks=tuple(tasks),
        parts=parts,
        notes=_notes(benchmark, recorded_only, closed),
        aliases=benchmark.aliases,
        recorded_only=tuple(recorded_only),
        mirror=True,
    )


def _description(benchmark: Benchmark) -> str:
    """What mteb calls it, and how many tasks it has of each type: `English: 10 Retrieval, 9 STS`."""
    types = Counter(mteb_metadata.type_of(member.task) for member in benchmark.tasks)
    return f"{benchmark.title or benchmark.name}: " + ", ".join(
        f"{count} {type_}" for type_, count in types.most_common()
    )


def _notes(benchmark: Benchmark, recorded_only: Sequence[RecordedTask], closed: Sequence[str]) -> str:
    """What the suite leaves out, and why."""
    sentences = []
    if benchmark.superseded_by:
        sentences.append(f"mteb recommends {' and '.join(benchmark.superseded_by)} instead.")
    if recorded_only:
        reasons = "; ".join(f"{task.name}: {task.reason}" for task in recorded_only)
        sentences.append(f"Not run here, counted where recorded: {reasons}.")
    if closed:
        sentences.append(f"Not counted, because the data is not public: {', '.join(closed)}.")
    return " ".join(sentences)


def short_name(name: str) -> str:
    """A benchmark's name without signs that a shell reads: `mteb-eng-v2` for `MTEB(eng, v2)`."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")


@functools.cache
def _aliases() -> Mapping[str, str]:
    """Every alias and short name -> the benchmark's name; a name of a benchmark is nobody's alias."""
    aliases: dict[str, str] = {}
    for name, fields in _rows().items():
        for alias in (*fields.get("aliases", ()), short_name(name)):
            if alias not in _rows():
                aliases.setdefault(alias, name)
    return aliases


def _benchmark(fields: Mapping[str, Any]) -> Benchmark:
    return Benchmark(
        name=fields["name"],
        tasks=_members(fields["tasks"]),
        aliases=(*fields.get("aliases", ()), short_name(fields["name"])),
        title=fields.get("title", ""),
        reference=fields.get("reference"),
        superseded_by=tuple(fields.get("superseded_by", ())),
        means=tuple(fields["means"]),
        groupings={
            dimension: {label: _members(tasks) for label, tasks in groups.items()}
            for dimension, groups in fields.get("groupings", {}).items()
        },
    )


def _members(tasks: Iterable[str | Mapping[str, Any]]) -> tuple[Member, ...]:
    members = []
    for task in tasks:
        fields: Mapping[str, Any] = {"task": task} if isinstance(task, str) else task
        members.append(
            Member(
                fields["task"],
                tuple(fields["splits"]) if "splits" in fields else None,
                tuple(fields["subsets"]) if "subsets" in fields else None,
            )
        )
    return tuple(members)


def _rows() -> Mapping[str, Mapping[str, Any]]:
    rows: Mapping[str, Mapping[str, Any]] = _content()["benchmarks"]
    return rows


@functools.cache
def _content() -> dict[str, Any]:
    content = json.loads(FILE.read_text(encoding="utf-8"))
    return {**content, "benchmarks": {fields["name"]: fields for fields in content["benchmarks"]}}
