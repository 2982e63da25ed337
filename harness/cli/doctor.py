"""`harness doctor`: checks of this machine, or of a model's vectors in other batches, orders and precisions."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from harness.cli import shared_options
from harness.errors import HarnessError
from harness.types.counted import counted

if TYPE_CHECKING:
    from harness.runner.model_check import Change

LEAST_COSINE = 0.999
"""Half precision turns few texts by more, in models that were trained for it."""
_LONGEST_SUITE_SECONDS = 120
"""Half precision takes many times longer than fp32 on processors without such arithmetic."""


_ADVICE = (
    "vectors depend on the texts beside them: check padding, attention mask and the model's code; compare "
    "`harness run --batching mteb`",
    "this precision changes vectors: use --precision fp32, or compare the scores",
)
"""For the model's own precision, and for half precision."""


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "doctor",
        help="check this machine, or a model, or compare two models text by text",
        description="Check this machine: versions, devices, precisions that work, the hub, the bundled model, and "
        "whether folders are writable. With MODEL, check instead, as `harness models check`, its dimensions, "
        "lengths, truncation and prompts, whether its vectors stay the same again, in other batches, another order and "
        "half precision, and whether bf16 or fp16 changes its scores on the suite mini by more than "
        "0.01 points of 100. With --against or --with, compare its vectors and scores with those of another model, or "
        "of the same one under other settings, and say what the difference is consistent with (see harness guide "
        "doctor).",
        epilog="Exit status with --against or --with: 0 the same, 1 different, 2 the request was wrong.",
    )
    command.add_argument("model", nargs="?", metavar="MODEL", help="check this model instead of the machine")
    command.add_argument("--against", metavar="OTHER", help="compare with this model: any that `harness run` takes")
    command.add_argument(
        "--with",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of OTHER alone, such as precision=bf16, max-length=128, backend=onnx, prompts=FILE; without "
        "--against, OTHER is MODEL under these settings; repeat the option for more",
    )
    command.add_argument(
        "--least-cosine",
        type=shared_options.share,
        default=LEAST_COSINE,
        metavar="C",
        help=f"the cosine that every text must reach for two models to be the same (default: {LEAST_COSINE})",
    )
    command.add_argument(
        "--worst", type=shared_options.positive, default=5, metavar="N", help="how many of the worst texts to show"
    )
    add_check(command)
    shared_options.add(command, "--results")
    command.add_argument("--format", choices=("text", "json"), default="text", help="output format (default: text)")
    shared_options.add(command, "--json")
    command.set_defaults(do=do)


def add_check(command: argparse.ArgumentParser) -> None:
    """`--device`, `--full`, what runs the model, and how it may be opened."""
    shared_options.add(command, "--device")
    command.add_argument(
        "--full", action="store_true", help="score the suite mini in half precision even if that takes long"
    )
    shared_options.add(command, *shared_options.BACKEND, *shared_options.OPENING)


def do(args: argparse.Namespace) -> int:
    """Run all checks; 1 if one of them fails."""
    args.json = args.json or args.format == "json"
    if args.model is None and (args.against or args.settings):
        raise HarnessError("--against and --with compare a MODEL with another; name it first")
    if args.against or args.settings:
        from harness.cli import doctor_against

        return doctor_against.do(args)
    if args.model:
        return check_model(args)
    from harness import models, results
    from harness.files import run_environment
    from harness.files.folders import cache_folder, results_folder
    from harness.hub import model_lookup
    from harness.tasks import registry

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
    endpoint, reachable = model_lookup.reachable()
    folder = results_folder(args.results)
    try:
        results.check_writable(folder)
        writable = "writable"
    except HarnessError as err:
        writable = "not writable"
        problems.append(str(err))
    tasks = registry.get_tasks()
    problems += [str(err) for err in tasks.check()]
    report = {
        "versions": run_environment.versions(),
        "platform": run_environment.platform_name(),
        "devices": devices,
        "hub": {"endpoint": endpoint, "reachable": reachable},
        "bundled model": bundled,
        "results": f"{folder} ({writable})",
        "cache": str(cache_folder()),
        "tasks": len(tasks.names()),
        "suites": list(tasks.suite_names()),
        "problems": problems,
    }
    if args.json:
        shared_options.print_json(report)
    else:
        _print(report)
    return 1 if problems else 0


def check_model(args: argparse.Namespace) -> int:
    """Check a model; 1 if one of the checks fails."""
    from harness import models
    from harness.outputs.text_table import one_line
    from harness.runner import model_check
    from harness.runner.model_probes import Probe
    from harness.types import EncodeOptions

    spec = models.resolve(args.model, **shared_options.opening(args))
    options = EncodeOptions(device=args.device)
    probes, differences = [], []
    for outcome in model_check.checked(spec, options):
        if isinstance(outcome, Probe):
            probes.append(outcome)
            text = f"{one_line(outcome.figure)}: {'pass' if outcome.passed else f'FAIL; {outcome.advice}'}"
            name = one_line(outcome.name)
        else:
            differences.append(outcome)
            verdict = "rounding" if outcome.fine else f"MORE THAN ROUNDING; {_ADVICE[outcome.is_half_precision]}"
            text = f"largest difference {outcome.largest:.1e}, least cosine {outcome.cosine:.7f}: {verdict}"
            name = outcome.what
        if not args.json:
            print(f"{name:<28} {text}", flush=True)
    half = {
        difference.precision: difference.suite_seconds for difference in differences if difference.is_half_precision
    }
    precisions = [precision for precision, seconds in half.items() if args.full or seconds < _LONGEST_SUITE_SECONDS]
    scores = list(model_check.changes(spec, options, precisions))
    if args.json:
        shared_options.print_json(
            {
                "model": spec.name,
                "probes": [probe._asdict() for probe in probes],
                "differences": [difference._asdict() for difference in differences],
                "scores": [{**change._asdict(), "points": change.points} for change in scores],
            }
        )
    else:
        _print_changes(scores)
        for precision, seconds in half.items():
            print(f"{precision}: {_score_changes(precision, seconds, scores, tried=precision in precisions)}")
    passed = all(probe.passed for probe in probes) and all(difference.fine for difference in differences)
    return 0 if passed else 1


def _score_changes(precision: str, seconds: float, scores: list[Change], *, tried: bool) -> str:
    from harness.runner.model_check import POINTS

    if not tried:
        return f"the suite mini would take about {seconds:.0f} s in {precision} on this machine; --full runs it"
    moved = [change.task for change in scores if change.precision == precision and abs(change.points) > POINTS]
    scores_moved = counted(len(moved), "score") if moved else "no score"
    return f"changes {scores_moved} by more than {POINTS} points of 100 on the suite mini"


def _print_changes(scores: list[Change]) -> None:
    from harness.outputs import text_table

    by_task: dict[str, dict[str, str]] = {}
    for change in scores:
        row = by_task.setdefault(
            change.task, {"task": change.task, "metric": change.metric, "fp32": f"{change.full:.3f}"}
        )
        row[change.precision] = f"{change.points:+.3f}"
    print(text_table.plain_records(list(by_task.values())), end="")


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
    print(f"tasks      {counted(report['tasks'], 'task')}, suites {', '.join(report['suites'])}")
    for problem in report["problems"]:
        print(f"PROBLEM    {problem}")
    print("\nall good" if not report["problems"] else f"\n{counted(len(report['problems']), 'problem')}")
