"""Options that several commands share."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def names(value: str) -> list[str]:
    """`a,b` -> ["a", "b"]."""
    parsed = [name.strip() for name in value.split(",") if name.strip()]
    if not parsed:
        raise argparse.ArgumentTypeError("expected one or more names, separated by commas")
    return parsed


def prompts(text: str) -> dict[str, str]:
    """A JSON object of prompts by name, or the path of a file with one."""
    try:
        content = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a JSON object nor a file with one ({err}); "
            """expected for example {"query": "query: ", "document": "passage: "}"""
        ) from err
    if not isinstance(content, dict) or not all(isinstance(prompt, str) for prompt in content.values()):
        raise argparse.ArgumentTypeError("expected a JSON object whose values are prompts, as text")
    return content


def positive(value: str) -> int:
    """A whole number above zero."""
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"found {value!r}; expected a whole number above 0")
    return number


def size(value: str) -> float:
    """A finite number that is not negative."""
    try:
        number = float(value)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"found {value!r}; expected a number, 0 or more")
    return number


def share(value: str) -> float:
    """A number from 0 to 1."""
    try:
        number = float(value)
    except ValueError:
        number = -1
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"found {value!r}; expected a number from 0 to 1")
    return number


def positives(value: str) -> list[int]:
    """`64,128` -> [64, 128]."""
    return [positive(number) for number in names(value)]


def counts(value: str) -> list[int]:
    """`0,100` -> [0, 100]."""
    return [0 if number == "0" else positive(number) for number in names(value)]


def quantizations(value: str) -> list[str]:
    """`int8,binary` -> ["int8", "binary"]; other names are refused."""
    for name in names(value):
        if name not in ("int8", "binary"):
            raise argparse.ArgumentTypeError(f"found {name!r}; expected int8, binary, or both with a comma")
    return names(value)


def add_tasks(command: argparse.ArgumentParser) -> None:
    """`-t`, `--suite`, `--tasks-dir`."""
    command.add_argument(
        "-t", "--tasks", type=names, action="extend", metavar="TASK,...", help="tasks by name (see: harness tasks list)"
    )
    command.add_argument("--suite", metavar="NAME", help="the tasks of a suite (see: harness suites)")
    add_tasks_dir(command)


def add_filters(command: argparse.ArgumentParser) -> None:
    """`--splits`, `--languages`, `--types`, `--domains`, `--mirror`."""
    command.add_argument("--splits", type=names, metavar="SPLIT,...", help="only these splits")
    command.add_argument(
        "--languages",
        type=names,
        metavar="LANG,...",
        help="only parts in these languages (de, deu, deu-Latn), or subsets",
    )
    command.add_argument("--types", type=names, metavar="TYPE,...", help="only tasks of these types")
    command.add_argument("--domains", type=names, metavar="DOMAIN,...", help="only tasks of these domains")
    command.add_argument(
        "--mirror", action="store_true", help="load data from the mirror of the data set, if the task's spec names one"
    )


def add_tasks_dir(command: argparse.ArgumentParser) -> None:
    """`--tasks-dir`."""
    command.add_argument(
        "--tasks-dir",
        dest="tasks_dirs",
        action="append",
        default=[],
        metavar="DIR",
        help="a folder with more task and suite files",
    )


def add_backend(command: argparse.ArgumentParser) -> None:
    """`--backend`, `--backend-file`."""
    command.add_argument(
        "--backend",
        choices=("torch", "onnx", "openvino", "gguf"),
        help="run the ONNX, OpenVINO or GGUF file of the model's repository, recorded separately (default: torch; gguf "
        "where there is nothing else)",
    )
    command.add_argument(
        "--backend-file",
        metavar="FILE",
        help="which of these files, such as onnx/model_qint8_avx512.onnx (default: the usual name, or the only one)",
    )


def add_results(command: argparse.ArgumentParser) -> None:
    """`--results`."""
    command.add_argument(
        "--results", metavar="DIR", help="folder with the records (default: $HARNESS_RESULTS, else ./results)"
    )


def add_opening(command: argparse.ArgumentParser) -> None:
    """`--trust-remote-code`, `--allow-pickle`, `--offline`."""
    command.add_argument("--trust-remote-code", action="store_true", help="let models run code from their repository")
    command.add_argument("--allow-pickle", action="store_true", help="load weights that are not safetensors")
    command.add_argument("--offline", action="store_true", help="use only cached and bundled files, never the network")


def opening(args: argparse.Namespace) -> dict[str, Any]:
    """What `add_backend` and `add_opening` declare, as arguments of `models.resolve`."""
    names = ("backend", "backend_file", "trust_remote_code", "allow_pickle")
    return {name: getattr(args, name) for name in names}


def add_json(command: argparse.ArgumentParser) -> None:
    """`--json`."""
    command.add_argument("--json", action="store_true", help="print JSON instead of text")


def print_json(value: Any) -> None:
    """Print strict JSON."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    print()
