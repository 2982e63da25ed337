"""`harness run`: models benchmarked on tasks."""

from __future__ import annotations

import argparse
import sys
import time
from itertools import chain
from typing import Any

from harness.cli import report_text, shared_options
from harness.cli.progress import show
from harness.errors import HANDLING


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "run",
        help="benchmark models on tasks",
        description="Benchmark models on tasks. Cells that are already recorded are skipped.",
        epilog="Models: ORG/NAME[@REVISION] on the hub, a folder, bundled/all-MiniLM-L6-v2, baseline/hashing, "
        "baseline/bm25, or behind HTTP: openai:MODEL[@URL], voyage:MODEL, cohere:MODEL, google:MODEL. "
        "Exit status: 0 success, 1 some cell failed, 2 the request was wrong.",
    )
    command.add_argument("models", nargs="*", metavar="MODEL", help="models to run (default: bundled/all-MiniLM-L6-v2)")
    shared_options.add(command, *shared_options.TASKS, *shared_options.FILTERS)
    command.add_argument(
        "--max-texts",
        type=shared_options.positive,
        metavar="N",
        help="quick mode: score a sample of N texts, recorded separately from full runs",
    )
    shared_options.add(
        command,
        "--precision",
        help="of the forward pass; auto: that of the checkpoint where the device computes in it, else fp32; "
        "checkpoint: that of the checkpoint everywhere; fp16 and bf16 are recorded apart (scoring is always fp32)",
    )
    shared_options.add(
        command,
        "--device",
        metavar="auto|cpu|cuda|cuda:N|cuda:all|mps",
        help="device of the model (default: auto); cuda:all or cuda:0,cuda:1 for several GPUs",
    )
    command.add_argument(
        "--batch-tokens",
        type=shared_options.positive,
        metavar="N",
        help="tokens per batch, including padding (default: depends on the device)",
    )
    command.add_argument(
        "--batching",
        choices=("auto", "mteb", "packed", "padded"),
        default="auto",
        help="mteb: mteb's batches of 32 texts for every task; auto (default): only where five decimals of a score "
        "depend on the batches (pair classification; classification without unit lengths; dynamic positions); packed, "
        "padded: as auto, with texts end to end, or with padding, in the other batches (see harness guide encoding)",
    )
    command.add_argument(
        "--dims",
        type=shared_options.positives,
        default=(),
        metavar="N,N",
        help="also score the first N dimensions of the vectors (Matryoshka), recorded separately",
    )
    command.add_argument(
        "--quantize",
        type=shared_options.quantizations,
        default=(),
        metavar="int8,binary",
        help="also score the vectors quantized, in full and in each of --dims, recorded separately",
    )
    command.add_argument(
        "--rescore",
        type=shared_options.counts,
        default=(),
        metavar="N,N",
        help="with --quantize, for tasks that search: also search in the quantized vectors and rank the first N "
        "documents again by the float ones, recorded separately (see harness table --compression)",
    )
    command.add_argument(
        "--store",
        choices=("float32", "float16", "off"),
        default="float32",
        help="number format of the vector cache (default: float32; see harness cache); float16 is recorded separately",
    )
    command.add_argument(
        "--price",
        type=shared_options.size,
        metavar="USD",
        help="price of a million tokens at an endpoint, for the cost in --plan and in the records",
    )
    command.add_argument(
        "--max-length",
        type=shared_options.positive,
        metavar="N",
        help="truncate texts to N tokens (default: the model's limit)",
    )
    command.add_argument(
        "--prompts",
        type=shared_options.prompts,
        metavar="FILE|JSON",
        help='prompts in place of the model\'s own, as a JSON object such as {"query": "query: "}, or a file with one; '
        "recorded separately",
    )
    command.add_argument(
        "--like",
        metavar="MODEL",
        help="use the prompts, instructions and settings with which mteb runs MODEL, for a model fine-tuned from it",
    )
    command.add_argument(
        "--first-stage",
        metavar="MODEL",
        help="for models that only rank candidates (cross-encoders): the model that searches the corpus of retrieval "
        "tasks; recorded separately",
    )
    command.add_argument(
        "--top",
        type=shared_options.positive,
        metavar="N",
        help="how many of the best documents of --first-stage are ranked (default: 100)",
    )
    command.add_argument(
        "--name",
        metavar="NAME",
        help="name of the model in records, for a folder (default: the end of its path that tells it apart)",
    )
    shared_options.add(command, *shared_options.BACKEND)
    command.add_argument(
        "--report",
        choices=("similarity",),
        help="similarity: print Pearson and Spearman correlations of four similarities per STS task",
    )
    shared_options.add(command, "--results")
    command.add_argument("--overwrite", action="store_true", help="also compute cells that are already recorded")
    command.add_argument(
        "--strict",
        action="store_true",
        help="refuse what is scored, as in mteb, though it is wrong: texts with a zero vector, document ids that stand "
        "twice, labels that no training text has",
    )
    command.add_argument("--plan", action="store_true", help="print what would run, and exit")
    shared_options.add(command, "--offline", "--trust-remote-code", "--allow-pickle", "--json")
    command.set_defaults(do=do)


def do(args: argparse.Namespace) -> int:
    """Run, or print the plan."""
    from harness import models
    from harness.models import devices
    from harness.runner.plan import plan
    from harness.runner.request import requested

    request = requested({**vars(args), "models": tuple(args.models) or (models.BUNDLED,)})
    if not args.plan:  # a plan may be made on a machine without the GPU
        devices.require_devices(request.options.device)
    planned = plan(request)
    if not args.json:
        from harness.outputs.text_table import one_line

        for remark in planned.prompts_remarks:
            print(one_line(remark, most=400), file=sys.stderr)
    if args.plan:
        from harness.cli.plan_text import show_plan

        show_plan(planned, request.results, as_json=args.json)
        planned.require_applicable()
        return 0
    from harness.runner.events import in_order, left_as_they_are

    started = time.monotonic()
    if planned.todo:
        from harness.runner.execution import execute

        happening = execute(planned, request.results)
    else:  # avoids the imports that computing needs
        happening = chain.from_iterable(map(left_as_they_are, planned.task_cells))
    events = in_order(show(happening, total=len(planned.todo), quiet=args.json), planned)
    refusals = [event.failure for event in events if event.kind == "refused" and event.failure]
    if refusals and all(event.kind in ("load", "open", "refused", "inapplicable") for event in events):
        if args.json or any(failure.traceback for failure in refusals):
            report_text.tell(events, request.results, seconds=0.0, as_json=args.json, similarity=False)
        return HANDLING[refusals[0].kind].exit_status
    if args.json or any(event.kind != "inapplicable" for event in events):
        report_text.tell(
            events,
            request.results,
            seconds=time.monotonic() - started,
            as_json=args.json,
            similarity=args.report == "similarity",
        )
    planned.require_applicable()
    return 1 if any(event.kind in ("failed", "refused") for event in events) else 0
