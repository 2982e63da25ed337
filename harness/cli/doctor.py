"""`harness doctor`: what this machine has, and what of it works."""

from __future__ import annotations

import argparse
from typing import Any

from harness.cli import arguments


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "doctor",
        help="check this machine",
        description="Versions, devices, precisions that work, hub reachable, bundled model present, folders writable.",
    )
    arguments.add_results(command)
    command.add_argument("--offline", action="store_true", help="do not ask the hub")
    arguments.add_json(command)
    command.set_defaults(do=do)


def do(args: argparse.Namespace) -> int:
    """Look at everything; exit 1 when something a default run needs does not work."""
    from harness import environment, hub, models, registry, results
    from harness.errors import HarnessError
    from harness.plan import results_folder

    if args.offline:
        hub.go_offline()
    problems = []
    try:
        from harness.models.devices import probe

        devices = [device._asdict() for device in probe()]
    except ImportError as err:
        devices = []
        problems.append(f"torch cannot be imported ({err})")
    try:
        spec = models.resolve(models.BUNDLED)
        bundled = f"present, weights checked ({spec.revision[:12]})"
    except HarnessError as err:
        bundled = str(err)
        problems.append(f"bundled model: {err}")
    endpoint, reachable = hub.reachable()
    folder = results_folder(args.results)
    try:
        results.check_writable(folder)
        writable = "writable"
    except HarnessError as err:
        writable = "not writable"
        problems.append(str(err))
    known = registry.tasks()
    problems += [str(err) for err in known.check()]
    report = {
        "versions": environment.versions(),
        "platform": environment.platform_name(),
        "devices": devices,
        "hub": {"endpoint": endpoint, "reachable": reachable},
        "bundled model": bundled,
        "results": f"{folder} ({writable})",
        "cache": str(environment.cache_folder()),
        "tasks": len(known.names()),
        "suites": list(known.suite_names()),
        "problems": problems,
    }
    if args.json:
        arguments.print_json(report)
    else:
        _print(report)
    return 1 if problems else 0


def _print(report: dict[str, Any]) -> None:
    print("versions   " + ", ".join(f"{name} {version}" for name, version in report["versions"].items()))
    print(f"platform   {report['platform']}")
    for device in report["devices"]:
        works = ", ".join(device["precisions"]) or "none"
        print(f"device     {device['device']} ({device['name']}, {device['memory_gib']} GiB): {works}")
    print(f"hub        {report['hub']['endpoint']}: {report['hub']['reachable']}")
    print(f"bundled    {report['bundled model']}")
    print(f"results    {report['results']}")
    print(f"cache      {report['cache']}")
    print(f"tasks      {report['tasks']} tasks, suites {', '.join(report['suites'])}")
    for problem in report["problems"]:
        print(f"PROBLEM    {problem}")
    print("\nall good" if not report["problems"] else f"\n{len(report['problems'])} problems")
