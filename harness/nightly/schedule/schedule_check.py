"""Whether a plan can be carried out, found out before the night: `harness nightly --check`."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence

from harness import results
from harness.errors import HarnessError
from harness.nightly.publish import destinations
from harness.nightly.schedule.night_plan import plan_night, tasks_of
from harness.nightly.schedule.schedule_file import Plan
from harness.nightly.schedule.schedule_models import Entry


def problems(plan: Plan, entries: Sequence[Entry]) -> list[str]:
    """Everything that would go wrong: names, models, folders, tools. Opens no model and computes nothing.

    Args:
        plan: the schedule.
        entries: its models, resolved.
    """
    found = [f"{entry.label}: {entry.problem}" for entry in entries if entry.problem]
    for look in (_tasks, _folders, _tools):
        try:
            found += look(plan)
        except HarnessError as err:
            found.append(str(err))
    return found


def summary(plan: Plan, entries: Sequence[Entry]) -> str:
    """What the schedule comes to, in one line."""
    tasks = tasks_of(plan)
    whole = plan_night(plan, entries, tasks, now=0.0)
    count = len(whole.todo) + len(whole.recorded)
    return f"{len(entries)} models, {len(tasks)} tasks, {count} cells, {len(whole.recorded)} of them recorded"


def _tasks(plan: Plan) -> list[str]:
    tasks_of(plan)
    return []


def _folders(plan: Plan) -> list[str]:
    results.check_writable(plan.results)
    results.check_writable(plan.history)
    return []


def _tools(plan: Plan) -> list[str]:
    found = []
    if plan.engine.kind == "ray" and importlib.util.find_spec("ray") is None:
        found.append("engine ray: Ray is not installed; run: pip install 'embedding-harness[ray]'")
    secrets = [hook.webhook[1:] for hook in plan.notify if hook.webhook.startswith("$")]
    unset = [name for name in secrets if not os.environ.get(name)]
    found += [f"notify: the environment variable {name} of a webhook is not set" for name in unset]
    if plan.publish.branch:
        destinations.git_root(plan)
    return found
