"""Options that several commands share."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_Number = TypeVar("_Number", int, float)


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
    """A whole number above zero, which fits where numbers of 64 bits are expected."""
    return _number(value, int, lambda number: 1 <= number < 2**53, expected="a whole number above 0")


def digits(value: str) -> int:
    """How many decimals: 1 to 30."""
    return _number(value, int, lambda number: 1 <= number <= 30, expected="a whole number from 1 to 30")


def size(value: str) -> float:
    """A finite number that is not negative."""
    return _number(value, float, lambda number: 0 <= number < float("inf"), expected="a number, 0 or more")


def share(value: str) -> float:
    """A number from 0 to 1."""
    return _number(value, float, lambda number: 0 <= number <= 1, expected="a number from 0 to 1")


def _number(value: str, kind: Callable[[str], _Number], fits: Callable[[_Number], bool], *, expected: str) -> _Number:
    try:
        number = kind(value)
    except ValueError:
        number = None
    if number is None or not fits(number):
        raise argparse.ArgumentTypeError(f"found {value!r}; expected {expected}")
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


_OPTIONS: dict[str, dict[str, Any]] = {
    "--tasks": {
        "type": names,
        "action": "extend",
        "metavar": "TASK,...",
        "help": "tasks by name (see: harness tasks list)",
    },
    "--suite": {"metavar": "NAME", "help": "the tasks of a suite (see: harness suites)"},
    "--tasks-dir": {
        "dest": "tasks_dirs",
        "action": "append",
        "default": [],
        "metavar": "DIR",
        "help": "a folder with more task and suite files",
    },
    "--splits": {"type": names, "metavar": "SPLIT,...", "help": "only these splits"},
    "--languages": {
        "type": names,
        "metavar": "LANG,...",
        "help": "only parts in these languages (de, deu, deu-Latn), or subsets",
    },
    "--types": {"type": names, "metavar": "TYPE,...", "help": "only tasks of these types"},
    "--domains": {"type": names, "metavar": "DOMAIN,...", "help": "only tasks of these domains"},
    "--mirror": {
        "action": "store_true",
        "help": "load data from the mirror of the data set, if the task's spec names one",
    },
    "--precision": {"choices": ("auto", "checkpoint", "fp32", "fp16", "bf16"), "default": "auto"},
    "--device": {"default": "auto", "metavar": "DEVICE", "help": "device of the model (default: auto)"},
    "--backend": {
        "choices": ("torch", "onnx", "openvino", "gguf"),
        "help": "run the ONNX, OpenVINO or GGUF file of the model's repository, recorded separately (default: torch; "
        "gguf where there is nothing else)",
    },
    "--backend-file": {
        "metavar": "FILE",
        "help": "which of these files, such as onnx/model_qint8_avx512.onnx (default: the usual name, or the only one)",
    },
    "--trust-remote-code": {"action": "store_true", "help": "let models run code from their repository"},
    "--allow-pickle": {"action": "store_true", "help": "load weights that are not safetensors"},
    "--offline": {"action": "store_true", "help": "use only cached and bundled files, never the network"},
    "--results": {"metavar": "DIR", "help": "folder with the records (default: $HARNESS_RESULTS, else ./results)"},
    "--digits": {
        "type": digits,
        "default": 2,
        "metavar": "N",
        "help": "decimals of scores, shown times 100 (default: 2)",
    },
    "--json": {"action": "store_true", "help": "print JSON instead of text"},
}
TASKS = ("--tasks", "--suite", "--tasks-dir")
FILTERS = ("--splits", "--languages", "--types", "--domains", "--mirror")
BACKEND = ("--backend", "--backend-file")
OPENING = ("--trust-remote-code", "--allow-pickle", "--offline")


def add(command: argparse.ArgumentParser, *options: str, **changes: Any) -> None:
    """Declare options that several commands have, in this order; `changes` replace what their table says of them."""
    for option in options:
        flags = ("-t", option) if option == "--tasks" else (option,)
        command.add_argument(*flags, **{**_OPTIONS[option], **changes})


def given(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Options by name, as keyword arguments."""
    return {name: getattr(args, name) for name in names}


def opening(args: argparse.Namespace) -> dict[str, Any]:
    """How a model may be opened, as arguments of `models.resolve`."""
    return given(args, "backend", "backend_file", "trust_remote_code", "allow_pickle")


def print_json(value: Any) -> None:
    """Print strict JSON."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    print()
