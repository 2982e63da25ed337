"""Checks before the night whether a schedule can run: `harness nightly --check`."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence

from harness import results
from harness.errors import HarnessError
from harness.nightly.publish import destinations
from harness.nightly.schedule.night_plan import checked, plan_night, tasks_of
from harness.nightly.schedule.schedule_contents import Schedule
from harness.nightly.schedule.schedule_models import ScheduledModel
from harness.types.counted import counted


def problems(schedule: Schedule, resolved: Sequence[ScheduledModel]) -> list[str]:
    """Every problem that a night would meet: names, models, folders, tools. Opens no model and computes nothing.

    Args:
        schedule: the schedule.
        resolved: its models.
    """
    checked_models = [checked(scheduled, schedule) for scheduled in resolved]
    defects = [f"{scheduled.label}: {scheduled.problem}" for scheduled in checked_models if scheduled.problem]
    for look in (_tasks, _folders, _tools):
        try:
            defects += look(schedule)
        except HarnessError as err:
            defects.append(str(err))
    return defects


def summary(schedule: Schedule, resolved: Sequence[ScheduledModel]) -> str:
    """The size of the schedule in one line: models, tasks, cells."""
    tasks = tasks_of(schedule)
    whole = plan_night(schedule, resolved, tasks, now=0.0)
    count = len(whole.todo) + len(whole.recorded)
    counts = (counted(len(resolved), "model"), counted(len(tasks), "task"), counted(count, "cell"))
    return f"{', '.join(counts)}, {len(whole.recorded)} of them recorded"


def _tasks(schedule: Schedule) -> list[str]:
    tasks_of(schedule)
    return []


def _folders(schedule: Schedule) -> list[str]:
    results.check_writable(schedule.results)
    results.check_writable(schedule.history)
    return []


def _tools(schedule: Schedule) -> list[str]:
    defects = []
    if schedule.engine.kind == "ray" and importlib.util.find_spec("ray") is None:
        defects.append("engine ray: Ray is not installed; run: pip install 'embedding-harness[ray]'")
    secrets = [hook.webhook[1:] for hook in schedule.notify if hook.webhook.startswith("$")]
    unset = [name for name in secrets if not os.environ.get(name)]
    defects += [f"notify: the environment variable {name} of a webhook is not set" for name in unset]
    if schedule.publish.branch:
        destinations.git_root(schedule)
    return defects
