"""Whether a plan can be carried out, found out before the night: `harness nightly --check`."""

from __future__ import annotations

import importlib.util
import os

from harness import results
from harness.errors import HarnessError
from harness.nightly.publish import destinations
from harness.nightly.schedule import schedule_models
from harness.nightly.schedule.night_cells import agenda, selection
from harness.nightly.schedule.schedule_file import Plan


def problems(plan: Plan) -> list[str]:
    """Everything that would go wrong: names, models, folders, tools. Opens no model and computes nothing."""
    found = [f"{entry.label}: {entry.problem}" for entry in schedule_models.resolve(plan) if entry.problem]
    for look in (_tasks, _folders, _tools):
        try:
            found += look(plan)
        except HarnessError as err:
            found.append(str(err))
    return found


def summary(plan: Plan) -> str:
    """What the plan comes to, in one line."""
    models, tasks = schedule_models.resolve(plan), selection(plan)
    whole = agenda(plan, models, tasks, now=0.0)
    count = len(whole.todo) + len(whole.recorded)
    return f"{len(models)} models, {len(tasks)} tasks, {count} cells, {len(whole.recorded)} of them recorded"


def _tasks(plan: Plan) -> list[str]:
    selection(plan)
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
