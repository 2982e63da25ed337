"""What a task is: where its data lies, what of it is scored and how, and which tasks make a suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple


class Part(NamedTuple):
    """What gets a score: one split of one subset (a subset is a config of the data set, often a language)."""

    split: str
    subset: str

    def __str__(self) -> str:
        return self.split if self.subset == "default" else f"{self.split}/{self.subset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the data of a task are: a hub data set at a pinned commit, files beside the spec, or those of mteb's task.

    Attributes:
        layout: a layout that the task's type reads beside its usual one, such as `dpr` for a search problem in one
            table, with a question and its passages in each row; None for the usual one.
        qrels: the data set with the judgements of a search problem, where it is another one.
    """

    kind: Literal["hub", "local", "mteb"]
    path: str
    revision: str | None = None
    layout: str | None = None
    qrels: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Another place on the hub with the same data, for a data set that has moved.

    Attributes:
        columns: field of the gold value -> column, where it differs from the task's.
        subsets: subset of the task -> config of the mirror, where they differ.
    """

    path: str
    revision: str
    columns: Mapping[str, str] = field(default_factory=dict)
    subsets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One task, as its YAML file declares it. See `registry` for the file format.

    Attributes:
        type: a name in `evaluators.KINDS`.
        subsets: subset -> languages (`deu-Latn`), in file order.
        columns: field of the gold value -> column of the data.
        settings: of the class that the type's kind names; only the kind looks into them.
        merge_splits: split -> the splits of the data that are concatenated to make it; absent where it is one of them.
        mirror: another place with the same data, used only on request.
        configs: subset -> config of the source, where their names differ.
        prompt: an instruction for instruction-tuned models, for both roles or by role.
        members: the tasks whose mean it is; such a task has no data of its own.
        file: the YAML file, for messages and to find the data of a local task.
    """

    name: str
    type: str
    description: str
    source: Source
    splits: tuple[str, ...]
    subsets: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, str]
    main_metric: str
    settings: Any
    merge_splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mirror: Mirror | None = None
    configs: Mapping[str, str] = field(default_factory=dict)
    prompt: str | Mapping[str, str] | None = None
    domains: tuple[str, ...] = ()
    reference: str | None = None
    license: str | None = None
    members: tuple[TaskSpec, ...] = ()
    file: str = ""

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language of the task, in order of first mention."""
        return tuple(dict.fromkeys(language for group in self.subsets.values() for language in group))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every (split, subset), splits outermost."""
        return tuple(Part(split, subset) for split in self.splits for subset in self.subsets)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTask:
    """A task that cannot be run here but counts on a suite's leaderboard, with the records of others.

    Attributes:
        type: mteb's name of its type, which need not be one that is scored here.
        parts: the (split, subset) pairs that count.
        subsets: subset -> languages.
        reason: why it cannot be run here; empty where a suite's file does not say.
    """

    name: str
    type: str
    parts: tuple[Part, ...]
    subsets: Mapping[str, tuple[str, ...]]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named list of tasks; `parts` narrows a task to some of its splits or subsets.

    Attributes:
        tasks: task names in order.
        parts: task -> the (split, subset) pairs that belong to the suite; a task that is absent is whole.
        notes: what the suite leaves out, and why.
        aliases: further names, which need not be safe as file names (`MTEB(eng, v2)`).
        recorded_only: tasks that count on its leaderboard and cannot be run here.
        mirror: whether the data of a task comes from its mirror, if it has one, as mteb reads it.
    """

    name: str
    description: str
    tasks: tuple[str, ...]
    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    notes: str = ""
    aliases: tuple[str, ...] = ()
    recorded_only: tuple[RecordedTask, ...] = ()
    mirror: bool = False
