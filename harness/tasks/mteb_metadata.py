"""What mteb says about its tasks, read from a committed file, so that no look-up imports mteb.

`tests.generators` makes the file, and an oracle test compares it with the installed mteb. It is the only
source of the names of mteb's tasks, their former names, types, main metrics, languages and sizes. mteb itself is
imported only to load the data of such a task.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from harness.errors import DataError, UnknownName
from harness.evaluators import KINDS
from harness.types import Part, Source, TaskSpec

FILE = Path(__file__).with_name("mteb_tasks.json")

_PROTOCOLS: Mapping[str, str] = {
    "cross_validation": "scored by cross-validation, which is not offered here",
    "other_model": "scored with another classifier or regression than the type's, which is not offered here",
    "own_scores": "scored by code of its own, which is not offered here",
}


class PartSize(NamedTuple):
    """The size of a part, as mteb published it.

    Attributes:
        texts: the number of texts; both sides of pairs, or queries and documents, are counted together.
        characters: of all texts.
        labels: the number of different labels; None for a task without labels.
    """

    texts: int
    characters: int
    labels: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MtebTask:
    """A task of mteb. A task that is not of text alone has only name, type, main metric and modalities.

    Attributes:
        type: mteb's name of the type, which need not be one of `evaluators.KINDS`.
        dataset, revision: the data set on the hub and its commit; an aggregate has no data set, and a number in place
            of the commit.
        subsets: subset -> languages.
        columns, settings: where they are not the defaults of the type.
        protocol: `cross_validation` or `other_model`, if mteb scores the task in this way.
        members: the tasks of an aggregate, which is scored by their mean.
        superseded_by: the task that mteb recommends instead.
        ranks: what is ranked for a query, where the data has candidates and its type has not, or the reverse.
        private: whether the data is not public.
        code: what mteb does besides loading the data set from the hub.
        sizes: part -> size, as far as mteb published it, for the splits that are scored and a training split.
        column_sizes: split -> column -> size, for a parallel table, of which any two columns make a subset.
    """

    name: str
    type: str
    main_metric: str
    modalities: tuple[str, ...] = ("text",)
    dataset: str | None = None
    revision: str | None = None
    splits: tuple[str, ...] = ()
    subsets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    protocol: str | None = None
    prompt: str | Mapping[str, str] | None = None
    domains: tuple[str, ...] = ()
    license: str | None = None
    reference: str | None = None
    description: str = ""
    members: tuple[str, ...] = ()
    superseded_by: str | None = None
    ranks: Literal["corpus", "candidates"] | None = None
    private: bool = False
    code: tuple[str, ...] = ()
    sizes: Mapping[Part, PartSize] = field(default_factory=dict)
    column_sizes: Mapping[str, Mapping[str, PartSize]] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every (split, subset), splits outermost."""
        return tuple(Part(split, subset) for split in self.splits for subset in self.subsets)


def version() -> str:
    """The version of mteb that the file was made from."""
    return str(_content()["mteb"])


def names() -> tuple[str, ...]:
    """The names of all of mteb's tasks, of whatever modality, sorted."""
    return tuple(_rows())


@functools.cache
def types() -> frozenset[str]:
    """mteb's names of task types."""
    return frozenset(fields["type"] for fields in _rows().values())


@functools.cache
def get(name: str) -> MtebTask | None:
    """mteb's task of this name, which must be today's; None where there is none."""
    fields = _rows().get(name)
    return task_of(fields) if fields is not None else None


def main_metric(name: str) -> str | None:
    """The main metric of mteb's task of this name; None where mteb has no such task."""
    fields = _rows().get(name)
    return str(fields["main_metric"]) if fields is not None else None


def type_of(name: str) -> str | None:
    """The type of mteb's task of this name; None where mteb has no such task."""
    fields = _rows().get(name)
    return str(fields["type"]) if fields is not None else None


def ranks(name: str) -> str | None:
    """What is ranked for a query of mteb's task of this name, where that is not what its type says; else None."""
    return _rows().get(name, {}).get("ranks")


def current_name(name: str) -> str:
    """Today's name of a task that mteb renamed; any other name as it is."""
    renamed: Mapping[str, str] = _content()["renamed"]
    return renamed.get(name, name)


def in_todays_case(name: str) -> str:
    """The name of mteb's task that is this name but for upper and lower case; the name as it is if there is none."""
    return name if name in _rows() else _names_by_lower_case().get(name.lower(), name)


def spec(name: str) -> TaskSpec:
    """The TaskSpec of mteb's task `name`, with source kind `mteb`.

    Raises:
        UnknownName: mteb has no such task.
        DataError: the task cannot be scored here; the message says why.
    """
    task = get(name)
    if task is None:
        raise UnknownName.of("task", name, names())
    return spec_of(task)


def scored() -> tuple[TaskSpec, ...]:
    """The specs of all of mteb's tasks that can be scored here, sorted by name."""
    return tuple(spec_of(task_of(fields)) for fields in _rows().values() if _is_scored(fields))


def spec_of(task: MtebTask) -> TaskSpec:
    """The TaskSpec of a task of mteb, with source kind `mteb`.

    Raises:
        DataError: the task cannot be scored here; the message says why.
    """
    if reason := why_not_scored(task):
        raise DataError(f"{task.name}: {reason}")
    kind = KINDS[task.type]
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in task.settings.items()
    }
    return TaskSpec(
        name=task.name,
        type=task.type,
        description=task.description,
        source=Source(kind="mteb", path=task.dataset or "", revision=task.revision),
        splits=task.splits,
        subsets=task.subsets,
        columns={**kind.columns, **task.columns},
        main_metric=task.main_metric,
        settings=kind.settings(**settings),
        prompt=task.prompt,
        domains=task.domains,
        reference=task.reference,
        license=task.license,
        members=tuple(map(spec, task.members)),
    )


def task_of(fields: Mapping[str, Any]) -> MtebTask:
    """The task in a line of the file.

    The line has its subsets as a mapping to languages; or as a list, if their names tell the languages; or as the
    `subset_pairs` of which any two make a subset.
    """
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    sides = values.pop("subset_pairs", None)
    subsets = paired(sides) if sides else values.get("subsets", ())
    if not isinstance(subsets, Mapping):
        subsets = languages_in_names(subsets)
    values["subsets"] = {name: tuple(languages) for name, languages in subsets.items()}
    values["sizes"] = {
        Part(split, subset): PartSize(*size)
        for split, sizes in fields.get("sizes", {}).items()
        for subset, size in zip(subsets, sizes, strict=True)
        if size
    }
    values["column_sizes"] = {
        split: {column: PartSize(*size) for column, size in columns.items()}
        for split, columns in fields.get("column_sizes", {}).items()
    }
    return MtebTask(**values)


def languages_in_names(subsets: Iterable[str]) -> dict[str, list[str]]:
    """Subset -> the languages in its name: `deu_Latn-eng_Latn` is in deu-Latn and eng-Latn."""
    return {name: [side.replace("_", "-") for side in name.split("-")] for name in subsets}


def paired(sides: Sequence[str]) -> list[str]:
    """The subsets that pair each of the sides with each other one."""
    return [f"{left}-{right}" for left in sides for right in sides if left != right]


def why_not_scored(task: MtebTask) -> str:
    """Why the task cannot be scored here; empty if it can."""
    if task.type not in KINDS:
        return f"mteb's type {task.type} is not scored here; types: {', '.join(KINDS)}"
    if task.modalities != ("text",):
        return f"holds {', '.join(task.modalities)}; only tasks of text alone are scored here"
    if task.private:
        return (
            f"its data, {task.dataset}, is not public; with access to it, declare the task in a file, which "
            f"`harness tasks import {task.name}` prints"
        )
    if task.members:
        reasons = (why_not_scored(cast(MtebTask, get(name))) for name in task.members)
        return next((f"{name}: {reason}" for name, reason in zip(task.members, reasons) if reason), "")
    return _PROTOCOLS[task.protocol] if task.protocol else ""


def _is_scored(fields: Mapping[str, Any]) -> bool:
    """As `why_not_scored`, for a line. Making a task of each line is slow: one task has 41,000 subsets."""
    return fields["type"] in KINDS and fields.keys().isdisjoint(("modalities", "private", "protocol"))


def _rows() -> dict[str, Mapping[str, Any]]:
    return cast(dict[str, Mapping[str, Any]], _content()["rows"])


@functools.cache
def _names_by_lower_case() -> dict[str, str]:
    return {name.lower(): name for name in _rows()}


@functools.cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return {**content, "rows": {fields["name"]: fields for fields in content.pop("tasks")}}
