"""`harness doctor MODEL --against OTHER`: two models compared text by text."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from harness.cli import shared_options
from harness.errors import HarnessError, UnknownName

if TYPE_CHECKING:
    from harness.runner.model_pair import Side

_LEFT_OUT = ("store", "afresh")
"""Options of encoding that a comparison does not use: nothing is cached."""
_OF_THE_MODEL = ("prompts", "like")
_OF_A_FILE = ("backend", "backend_file")
_OF_SCORES = ("dims", "quantize")
"""Settings of a run that change vectors after the model, which a comparison of models does not do."""


def do(args: argparse.Namespace) -> int:
    """Print the comparison; 1 where the models are different."""
    from harness.files.folders import results_folder
    from harness.outputs import model_pair_text
    from harness.runner.difference_causes import diagnosed
    from harness.runner.model_names import named
    from harness.runner.model_pair import compared

    settings = _settings(args.settings)
    run_by = {"backend": args.backend, "backend_file": args.backend_file}
    model = _side(args, args.model, run_by)
    # A file belongs to its backend: OTHER is MODEL under other settings, or another model with none of MODEL's files.
    same = args.against is None and "backend" not in settings
    other = _side(args, args.against or args.model, {**(run_by if same else {}), **settings})
    specs = named([model.spec, other.spec], results=results_folder(args.results))
    model, other = (side._replace(spec=spec) for side, spec in zip((model, other), specs, strict=True))
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
    from harness.models.asked_settings import require_honoured
    from harness.models.model_prompts import asked_of
    from harness.runner.model_pair import Side
    from harness.types import EncodeOptions

    run_by = {key: settings.get(key) for key in _OF_A_FILE}
    spec = models.resolve(name, **{**shared_options.opening(args), **run_by})
    of_model = {key: settings.get(key) for key in _OF_THE_MODEL}
    require_honoured(spec, of_model)
    spec = asked_of(spec, prompts=of_model["prompts"], like=of_model["like"])
    changes = {key: value for key, value in settings.items() if key not in (*_OF_THE_MODEL, *_OF_A_FILE)}
    return Side(spec, replace(EncodeOptions(device=args.device, store="off"), **changes))


def _settings(given: list[str]) -> dict[str, Any]:
    """`["precision=bf16"]` -> {"precision": "bf16"}: fields of `EncodeOptions`, prompts, a model to be like, a backend.

    Raises:
        UnknownName, HarnessError: there is no such setting, or it has no such value.
    """
    from harness.types import BackendName, EncodeOptions

    types = {**get_type_hints(EncodeOptions), "backend": BackendName}
    names = [field.name for field in fields(EncodeOptions) if field.name not in _LEFT_OUT]
    settings: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        name = key.strip().replace("-", "_")
        if not equals or not value:
            raise HarnessError(f"--with {text}: expected KEY=VALUE, such as precision=bf16")
        if name in _OF_SCORES:
            raise HarnessError(
                f"--with {text}: changes vectors after the model, and whole vectors are compared here; to see what it "
                f"does to the scores, use harness run MODEL --{name} {value}"
            )
        others = (*names, *_OF_THE_MODEL, *_OF_A_FILE)
        if name not in others:
            raise UnknownName.of("setting for --with", key, [entry.replace("_", "-") for entry in others])
        settings[name] = _value(text, name, value, types.get(name))
    return settings


def _value(text: str, name: str, value: str, type_: Any) -> Any:
    try:
        if name == "prompts":
            return shared_options.prompts(value)
        if int in get_args(type_):
            return shared_options.positive(value)
        if float in get_args(type_):
            return shared_options.size(value)
    except argparse.ArgumentTypeError as err:
        raise HarnessError(f"--with {text}: {err}") from err
    choices = [choice for choice in get_args(type_) if isinstance(choice, str)]
    if choices and value not in choices:
        raise HarnessError(f"--with {text}: expected {', '.join(choices)}")
    return value
