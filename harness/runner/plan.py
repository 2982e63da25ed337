"""Plans a request: the cells to compute and those that are recorded. Opens no model and loads no data.

Runs and nights use the same planner, with another look-up of records: a run reads the records of its models and tasks,
a night reads the leaderboard's index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness import models
from harness.errors import HarnessError
from harness.evaluators import KINDS
from harness.models.asked_settings import of_options, of_transforms, require_honoured
from harness.models.devices import require_device_names
from harness.models.forward_precision import used_precision
from harness.models.preflight import require_dimensions, require_room
from harness.runner.cells import Plan, TaskCells
from harness.runner.fingerprint import fingerprint, task_content
from harness.runner.recorded import LookUp, RecordedParts, in_folder, record_of
from harness.runner.request import Request
from harness.runner.selection import chosen
from harness.tasks.registry import ChosenTask
from harness.types import ModelSpec, TaskSpec, VectorTransform


def plan(
    request: Request, *, recorded: LookUp | None = None, contents: Mapping[str, Mapping[str, Any]] | None = None
) -> Plan:
    """The cells to compute, each with the reason, those that are up to date, and those that a model cannot do.

    Args:
        request: what is asked.
        recorded: the look-up of records; by default it reads the request's results folder.
        contents: task -> its `task_content`, for callers that plan the same tasks more than once.

    Raises:
        HarnessError: a model, a task or a filter does not exist, a model ignores a setting, has no room for the
            maximum length or fewer dimensions than are asked for, or the files of a local task cannot be read.
    """
    require_device_names(request.options.device)
    tasks = chosen(request.selection)
    request = replace(request, options=replace(request.options, afresh=request.overwrite))
    specs = request.resolved()
    look_up = recorded or in_folder(request.results)
    if contents is None:
        contents = {task.name: task_content(task) for task, _ in tasks}
    _require_search(request.transforms, tasks)
    planned: list[TaskCells] = []
    asked = {**of_options(request.options), **of_transforms(request.transforms)}
    for model in specs:
        require_honoured(model, asked)
        precision = used_precision(model, request.options)
        require_room(model, request.options)
        require_dimensions(model, request.transforms)
        if model.first_stage is not None:
            first = model.first_stage.model
            require_room(first, models.options_of_first(request.options, first))
        of_model: dict[tuple[str, VectorTransform], TaskCells] = {}
        for task in tasks:
            for transform in request.transforms:
                cells = _task_cells(
                    model, task, request, transform, precision=precision, look_up=look_up, contents=contents
                )
                members = [of_model[member.name, transform] for member in task.task.members]
                of_model[task.task.name, transform] = _mean_of(cells, members) if members else cells
        planned += of_model.values()
    return Plan(tuple(planned))


def _require_search(transforms: Sequence[VectorTransform], tasks: Sequence[ChosenTask]) -> None:
    """Refuse a second scoring of hits where no task has hits."""
    rescored = dict.fromkeys(str(transform.rescore) for transform in transforms if transform.rescore)
    if rescored and all(KINDS[task.type].ranks is None for task, _ in tasks):
        types = ", ".join(name for name, kind in KINDS.items() if kind.ranks)
        raise HarnessError(
            f"--rescore {','.join(rescored)}: is for tasks that search ({types}), and none of the tasks does; leave it "
            "out, or name such a task"
        )


def _mean_of(cells: TaskCells, members: Sequence[TaskCells]) -> TaskCells:
    """The cells of a task that is the mean of `members`: none is valid if one of those is to compute."""
    cells = replace(cells, members={member.task.name: member.fingerprint for member in members})
    if not cells.done or not any(member.todo for member in members):
        return cells
    parts = [part for part in cells.task.parts if part in (*cells.done, *cells.todo)]
    return replace(cells, todo=tuple(parts), done=(), why="a task that it is the mean of is computed")


def _task_cells(
    model: ModelSpec,
    chosen_task: ChosenTask,
    request: Request,
    transform: VectorTransform,
    *,
    precision: str,
    look_up: LookUp,
    contents: Mapping[str, Mapping[str, Any]],
) -> TaskCells:
    (task, parts), options = chosen_task, request.options
    stages = _with_needed_stages(model, task)
    variant = models.variant(stages, options, max_texts=request.max_texts, transform=transform)
    current = fingerprint(
        stages,
        task,
        precision=precision,
        max_length=options.max_length,
        transform=transform,
        of_task=contents[task.name],
        of_first_stage=_of_first_stage(stages, task, request, contents),
    )
    recorded: RecordedParts | str
    if model.origin == "python" or (stages.first_stage and stages.first_stage.model.origin == "python"):
        recorded = "a Python callable has no revision to compare"
    elif request.overwrite:
        recorded = "--overwrite"
    else:
        recorded = look_up(model, variant=variant, task=task.name)
    other_prompts = _other_prompts(recorded, current, model)
    why = recorded if isinstance(recorded, str) else _why(recorded, current, precision, other_prompts)
    valid = recorded if isinstance(recorded, RecordedParts) and recorded.fingerprint == current else None
    defective = _with_defects(valid) if valid and options.strict else ()
    why = "--strict, and the record has defects" if defective else why
    done = {part: None for part in parts if valid and part in valid.parts and str(part) not in defective}
    return TaskCells(
        model=model,
        task=task,
        options=options,
        transform=transform,
        max_texts=request.max_texts,
        precision=precision,
        variant=variant,
        fingerprint=current,
        todo=tuple(part for part in parts if part not in done),
        done=tuple(done),
        why=why,
        replaces_prompts=bool(other_prompts),
        recorded=valid,
    )


def _with_needed_stages(model: ModelSpec, task: TaskSpec) -> ModelSpec:
    """The model as it measures the task: without its first stage where no corpus is searched."""
    return model if KINDS[task.type].ranks == "corpus" else replace(model, first_stage=None)


def _of_first_stage(
    model: ModelSpec, task: TaskSpec, request: Request, contents: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """The fingerprint of a model's first stage on a task; None where it has none."""
    if model.first_stage is None:
        return None
    first = model.first_stage.model
    precision = used_precision(first, models.options_of_first(request.options, first))
    return fingerprint(first, task, precision=precision, max_length=None, of_task=contents[task.name])


def _with_defects(recorded: RecordedParts) -> list[str]:
    """The parts of a record whose data or vectors had a defect when they were measured."""
    details = recorded.record.harness.get("parts", {}) if recorded.record else {}
    return [part for part, of_part in details.items() if of_part.get("defects")]


def _other_prompts(recorded: RecordedParts | str, current: str, model: ModelSpec) -> str:
    """Why a record that was made with another --like than that of the model is replaced; empty where it was not."""
    if isinstance(recorded, str) or recorded.fingerprint in (None, current):
        return ""
    record = record_of(recorded)
    of_model = record.harness.get("model") if record else None
    before = of_model.get("like") if isinstance(of_model, Mapping) else None
    if record is None or before == model.like:
        return ""
    was = f"with the prompts of {before} (--like)" if before else "with other prompts"
    return f"recorded {was}, now {f'those of {model.like} (--like)' if model.like else 'its own (no --like)'}"


def _why(recorded: RecordedParts, current: str, precision: str, other_prompts: str) -> str:
    """The reason to compute parts of a task that has a record."""
    if recorded.fingerprint is None:
        return "the record was written by another program"
    if recorded.fingerprint == current:
        return "some parts are not recorded yet"
    if recorded.precision is not None and recorded.precision != precision:
        return f"recorded in {recorded.precision}, now {precision}"
    return other_prompts or "the recorded settings differ"
