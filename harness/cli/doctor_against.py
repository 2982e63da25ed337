"""`harness doctor MODEL --against OTHER`: two models compared text by text."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from harness.cli import shared_options
from harness.errors import HarnessError, UnknownName

if TYPE_CHECKING:
    from harness.runner.model_pair import Side

_LEFT_OUT = ("store",)
"""Options of encoding that a comparison does not use: nothing is cached."""
_OF_THE_MODEL = ("prompts", "like")


def do(args: argparse.Namespace) -> int:
    """Print the comparison; 1 where the models are different."""
    from harness.outputs import model_pair_text
    from harness.runner.difference_causes import diagnosed
    from harness.runner.model_pair import compared

    model = _side(args, args.model, {})
    other = _side(args, args.against or args.model, _settings(args.settings))
    pair = compared(model, other)
    diagnosis = diagnosed(pair)
    shown: dict[str, Any] = {"least_cosine": args.least_cosine, "worst": args.worst}
    if args.json:
        shared_options.print_json(model_pair_text.as_json(pair, diagnosis, **shown))
    else:
        print(model_pair_text.render(pair, diagnosis, **shown), end="")
    return 0 if pair.is_same(least_cosine=args.least_cosine) else 1


def _side(args: argparse.Namespace, name: str, settings: dict[str, Any]) -> Side:
    from harness import models
    from harness.models.model_prompts import asked_of
    from harness.runner.model_pair import Side
    from harness.types import EncodeOptions

    spec = models.resolve(name, trust_remote_code=args.trust_remote_code, allow_pickle=args.allow_pickle)
    spec = asked_of(spec, prompts=settings.get("prompts"), like=settings.get("like"))
    changes = {key: value for key, value in settings.items() if key not in _OF_THE_MODEL}
    return Side(spec, replace(EncodeOptions(device=args.device, store="off"), **changes))


def _settings(given: list[str]) -> dict[str, Any]:
    """`["precision=bf16"]` -> {"precision": "bf16"}: fields of `EncodeOptions`, prompts, and a model to be like.

    Raises:
        UnknownName, HarnessError: there is no such setting, or it has no such value.
    """
    from harness.types import EncodeOptions

    types = get_type_hints(EncodeOptions)
    names = [field.name for field in fields(EncodeOptions) if field.name not in _LEFT_OUT]
    settings: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        name = key.strip().replace("-", "_")
        if not equals or not value:
            raise HarnessError(f"--with {text}: expected KEY=VALUE, such as precision=bf16")
        if name not in (*names, *_OF_THE_MODEL):
            raise UnknownName.of("setting for --with", key, [entry.replace("_", "-") for entry in names])
        settings[name] = _value(text, name, value, types.get(name))
    return settings


def _value(text: str, name: str, value: str, type_: Any) -> Any:
    try:
        if name == "prompts":
            return shared_options.prompts(value)
        if int in get_args(type_):
            return shared_options.positive(value)
    except argparse.ArgumentTypeError as err:
        raise HarnessError(f"--with {text}: {err}") from err
    choices = [choice for choice in get_args(type_) if isinstance(choice, str)]
    if choices and value not in choices:
        raise HarnessError(f"--with {text}: expected {', '.join(choices)}")
    return value
