"""`harness run`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import arguments
from harness.cli.progress import show

if TYPE_CHECKING:
    from harness.events import Event, Failure
    from harness.forecast import Pace
    from harness.plan import Job


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "run",
        help="benchmark models on tasks",
        description="Benchmark models on tasks. What is already recorded is skipped.",
        epilog="Models: ORG/NAME[@REVISION] on the hub, a folder, bundled/all-MiniLM-L6-v2, baseline/hashing, "
        "baseline/bm25. Exit status: 0 all done, 1 some cell failed, 2 the request was wrong.",
    )
    command.add_argument("models", nargs="*", metavar="MODEL", help="default: bundled/all-MiniLM-L6-v2")
    arguments.add_tasks(command)
    arguments.add_filters(command)
    command.add_argument(
        "--max-texts",
        type=arguments.positive,
        metavar="N",
        help="quick mode: score a sample; recorded apart from full runs",
    )
    command.add_argument(
        "--precision",
        choices=("auto", "fp32", "fp16", "bf16"),
        default="auto",
        help="of the forward pass; auto: fp32 on a CPU, bf16 or fp16 on a GPU (scoring is always fp32)",
    )
    command.add_argument(
        "--device",
        default="auto",
        metavar="auto|cpu|cuda|cuda:N|cuda:all|mps",
        help="where the model runs; cuda:all or cuda:0,cuda:1 for several GPUs",
    )
    command.add_argument(
        "--batch-tokens",
        type=arguments.positive,
        metavar="N",
        help="tokens a batch, padding included; default: what suits the device",
    )
    command.add_argument(
        "--batching",
        choices=("auto", "mteb"),
        default="auto",
        help="mteb: its batches of 32 texts for every task; auto: only for pair classification in fp32, whose average "
        "precision hangs on the last bits",
    )
    command.add_argument(
        "--dims",
        type=arguments.positives,
        default=(),
        metavar="N,N",
        help="score the first N dimensions of the same vectors too (Matryoshka); recorded apart",
    )
    command.add_argument(
        "--quantize",
        type=arguments.quantizations,
        default=(),
        metavar="int8,binary",
        help="score the same vectors quantized too, also in each of --dims; recorded apart",
    )
    command.add_argument(
        "--store",
        choices=("float32", "float16", "off"),
        default="float32",
        help="how vectors are kept for the next run (see harness cache); float16 is recorded apart",
    )
    command.add_argument("--max-length", type=arguments.positive, metavar="N", help="cut texts at N tokens")
    command.add_argument(
        "--report", choices=("similarity",), help="similarity: Pearson and Spearman of four similarities per STS task"
    )
    arguments.add_results(command)
    command.add_argument("--overwrite", action="store_true", help="compute again what is recorded")
    command.add_argument("--plan", action="store_true", help="print what would run, and stop")
    command.add_argument("--offline", action="store_true", help="never ask the network; use what is cached or bundled")
    command.add_argument("--trust-remote-code", action="store_true", help="let models run code from their repository")
    command.add_argument("--allow-pickle", action="store_true", help="load weights that are not safetensors")
    arguments.add_json(command)
    command.set_defaults(do=do)


def do(args: argparse.Namespace) -> int:
    """Run, or only plan."""
    from harness import models
    from harness.plan import Environment, plan, results_folder, shapes
    from harness.types import EncodeOptions

    if args.offline:
        from harness import hub

        hub.go_offline()
    environment = Environment(
        results=results_folder(args.results),
        options=EncodeOptions(
            device=args.device,
            precision=args.precision,
            batching=args.batching,
            batch_tokens=args.batch_tokens,
            max_length=args.max_length,
            store=args.store,
        ),
        overwrite=args.overwrite,
        max_texts=args.max_texts,
        shapes=shapes(args.dims, args.quantize),
    )
    selection = arguments.chosen(args)
    jobs = plan(
        args.models or [models.BUNDLED],
        selection,
        environment,
        trust_remote_code=args.trust_remote_code,
        allow_pickle=args.allow_pickle,
    )
    if args.plan:
        return _show_plan(jobs, environment.results, as_json=args.json)
    from harness.events import in_order, kept

    started = time.monotonic()
    if any(job.todo for job in jobs):
        from harness.cells import execute

        events = in_order(show(execute(jobs, environment), jobs, quiet=args.json), jobs)
    else:
        events = show(kept(jobs), jobs, quiet=args.json)
    log = _log([event.failure for event in events if event.failure])
    if args.json:
        arguments.print_json({"results": str(environment.results), "cells": [_cell(event) for event in _final(events)]})
    else:
        _report(events, environment.results, time.monotonic() - started, log)
        if args.report == "similarity":
            _report_similarity(events)
    return 1 if any(event.kind == "failed" for event in events) else 0


def _show_plan(jobs: list[Job], folder: Path, *, as_json: bool) -> int:
    from harness.data.estimate import estimate

    rows: list[dict[str, Any]] = []
    paces = _paces(folder)
    for job in jobs:
        for part in (*job.done, *job.todo):
            size, pace = estimate(job.task, part), paces.get(job.model.name)
            rows.append(
                {
                    "model": _label(job),
                    "task": job.task.name,
                    "part": str(part),
                    "texts": size.texts if size else None,
                    "tokens": size.tokens if size else None,
                    "seconds": round(pace.seconds_per_token * size.tokens, 1) if pace and size else None,
                    "status": "recorded" if part in job.done else job.why if job.applies else "does not apply",
                }
            )
    if as_json:
        arguments.print_json(rows)
        return 0
    from tabulate import tabulate

    todo = [row for row in rows if row["status"] not in ("recorded", "does not apply")]
    shown = [{**row, **{key: row[key] or "?" for key in ("texts", "tokens", "seconds")}} for row in rows]
    print(tabulate(shown, headers="keys", disable_numparse=True, colalign=("left",) * 3 + ("right",) * 3 + ("left",)))
    texts, tokens = (sum(row[key] or 0 for row in todo) for key in ("texts", "tokens"))
    unknown = sum(row["texts"] is None for row in todo)
    print(
        f"\n{len(todo)} of {len(rows)} cells to run: about {texts:,} texts, {tokens:,} tokens "
        "(estimated at 4 characters each)" + (f"; {unknown} of unknown size" if unknown else "")
    )
    for model in dict.fromkeys(job.model.name for job in jobs if job.todo):
        if pace := paces.get(model):
            mine = [row["seconds"] for row in todo if row["model"].partition(" [")[0] == model]
            memory = f", {pace.peak_memory_mib:,.0f} MiB" if pace.peak_memory_mib else ""
            taken = sum(seconds or 0 for seconds in mine)
            print(f"{model}: about {taken:,.0f} s{memory}, going by {pace.parts} parts recorded on this machine")
    return 0


def _paces(folder: Path) -> dict[str, Pace]:
    from harness import environment, results
    from harness.forecast import paces
    from harness.types import Record

    if not folder.is_dir():
        return {}
    records = (item for item in results.scan(folder) if isinstance(item, Record))
    return paces(records, machine=environment.machine())


def _final(events: list[Event]) -> list[Event]:
    return [event for event in events if event.kind in ("kept", "recorded", "failed", "inapplicable")]


def _cell(event: Event) -> dict[str, Any]:
    job = event.job
    cell: dict[str, Any] = {
        "model": job.model.name,
        "revision": job.model.revision,
        "variant": job.variant,
        "task": job.task.name,
        "type": job.task.type,
        "status": event.kind,
    }
    if event.part:
        cell |= {"split": event.part.split, "subset": event.part.subset}
    if event.record is not None:
        cell["record"] = event.record.path
        cell["main_metric"] = job.task.main_metric
        parts = event.record.parts
        wanted = [event.part] if event.part else job.done
        cell["scores"] = {str(part): parts[part]["main_score"] for part in wanted}
    if event.failure:
        cell["error"] = event.failure.error
    if event.message:
        cell["reason"] = event.message
    return cell


def _report(events: list[Event], results: Path, seconds: float, log: Path | None) -> None:
    from tabulate import tabulate

    rows = []
    for event in events:
        if event.record is None or event.kind not in ("kept", "recorded"):
            continue
        for part in [event.part] if event.part else event.job.done:
            entry = event.record.parts[part]
            details = event.record.harness.get("parts", {}).get(str(part), {})
            took = sum(details.get("seconds", {}).values())
            rows.append(
                [
                    _label(event.job),
                    event.job.task.name,
                    event.job.task.type,
                    str(part),
                    event.job.task.main_metric,
                    f"{entry['main_score']:.4f}",
                    f"{took:.1f}" if event.kind == "recorded" else "kept",
                ]
            )
    headers = ["model", "task", "type", "split", "main metric", "score", "seconds"]
    if len({row[0] for row in rows}) == 1:
        print(f"model: {rows[0][0]}\n")
        headers, rows = headers[1:], [row[1:] for row in rows]
    if rows:
        align = ["left"] * (len(headers) - 2) + ["right", "right"]
        print(tabulate(rows, headers=headers, disable_numparse=True, colalign=align))
    kinds = [event.kind for event in events]
    _say_inapplicable(events)
    failures = [event.failure for event in events if event.failure]
    for failure in failures:
        print(f"FAILED {failure.cell}: {failure.error}")
    if log is not None:
        print(f"tracebacks: {log}")
    _say_what_it_took(events)
    kept = sum(len(event.job.done) for event in events if event.kind == "kept")
    print(
        f"\n{kinds.count('recorded')} computed, {kept} already recorded, {len(failures)} failed "
        f"in {seconds:.1f} s; records in {results}"
    )


def _say_what_it_took(events: list[Event]) -> None:
    from harness.outputs import telemetry

    by_model: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event.kind == "recorded" and event.record is not None:
            by_model.setdefault(_label(event.job), []).append(event.record.harness["parts"][str(event.part)])
    if by_model:
        print()
    for model, parts in by_model.items():
        print(f"{model}: {telemetry.line(parts)}")


def _report_similarity(events: list[Event]) -> None:
    from harness.outputs import similarity

    columns: dict[str, list[similarity.Column]] = {}
    for event in events:
        if event.record is None or event.job.task.type != "STS":
            continue
        for part in [event.part] if event.part else event.job.done:
            column = similarity.Column(model=_label(event.job), scores=event.record.parts[part])
            columns.setdefault(f"{event.job.task.name} {part}", []).append(column)
    for title, group in columns.items():
        print("\n" + similarity.render(title, group), end="")


def _say_inapplicable(events: list[Event]) -> None:
    left_out: dict[str, list[str]] = {}
    for event in events:
        if event.kind == "inapplicable":
            left_out.setdefault(f"{event.job.model.name}: {event.message}", []).append(event.job.task.name)
    for reason, names in left_out.items():
        print(f"\n{reason}; left out {len(names)} task{'s' if len(names) > 1 else ''}")


def _log(failures: list[Failure]) -> Path | None:
    traces = [f"{failure.cell}\n{failure.traceback}" for failure in failures if failure.traceback]
    if not traces:
        return None
    from harness.environment import cache_folder

    folder = cache_folder() / "logs"
    path = folder / f"run-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(traces), encoding="utf-8")
    except OSError:
        print("\n".join(traces), file=sys.stderr)
        return None
    return path


def _label(job: Job) -> str:
    return f"{job.model.name} [{job.variant}]" if job.variant else job.model.name
