"""`harness models list`, `show` and `check`: the models that mteb knows, what a model is, and whether it is sound."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from harness.cli import doctor, shared_options
from harness.errors import UnknownName
from harness.files.folders import expanded

if TYPE_CHECKING:
    from harness.models.catalog import CatalogEntry
    from harness.models.description import Description

_UNITS = {"k": 1e3, "m": 1e6, "b": 1e9}


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser("models", help="list, show and check models").add_subparsers(
        title="commands", metavar="COMMAND"
    )
    listing = group.add_parser(
        "list",
        help="list the text models of mteb's registry",
        description="List the text models of mteb's registry and how each would be run: mirrored (by the harness, as "
        "mteb's loader does), mteb (by its loader), or refused. Other models of the hub and folders can be run too.",
    )
    listing.add_argument("part", nargs="?", metavar="PART", help="only models with this in their name")
    listing.add_argument(
        "--kinds", type=shared_options.names, metavar="KIND,...", help="only these kinds (dense, sparse, ...)"
    )
    listing.add_argument(
        "--loaders", type=shared_options.names, metavar="LOADER,...", help="only these loaders of mteb"
    )
    listing.add_argument("--run", choices=("mirrored", "mteb", "refused"), help="only models that are run in this way")
    listing.add_argument(
        "--max-parameters", type=_number, metavar="N", help="only models with at most so many parameters (500M, 1.5B)"
    )
    listing.add_argument("--licenses", type=shared_options.names, metavar="LICENSE,...", help="only these licenses")
    shared_options.add(listing, "--languages", help="only models for all of these languages")
    listing.add_argument(
        "--prompts",
        choices=("instructions", "prompts", "own"),
        help="only models whose texts get instructions or prompts from mteb's loader, or those of their own files",
    )
    listing.add_argument("--open-weights", action="store_true", help="only models with open weights")
    listing.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="output format (default: table)"
    )
    listing.set_defaults(do=_list)
    showing = group.add_parser(
        "show",
        help="show what a model is and how it would be run",
        description="Show what a model is and how it would be run: kind, pooling, prompts by task type and role, "
        "precision, maximum length, what it needs, license, and what mteb does. For a model of mteb's registry, only "
        "what this machine has is read, unless --hub is given.",
    )
    showing.add_argument("model", metavar="MODEL", help="a name of mteb's registry, or a model as for `harness run`")
    showing.add_argument("--hub", action="store_true", help="also read the files of a model of the registry on the hub")
    shared_options.add(showing, *shared_options.BACKEND, *shared_options.OPENING, "--json")
    showing.set_defaults(do=_show)
    checking = group.add_parser(
        "check",
        help="probe a model: dimensions, lengths, truncation, prompts, batches, order, precision",
        description="Open a model and probe its dimensions and lengths, whether the same texts give the same vectors "
        "again, in other batches and in another order, truncation, and what its prompts and half precision change. "
        "Each probe passes or fails with a figure and advice. The same as `harness doctor MODEL`. Exit status: 1 if a "
        "probe fails.",
    )
    checking.add_argument("model", metavar="MODEL", help="a model as for `harness run`")
    doctor.add_check(checking)
    shared_options.add(checking, "--json")
    checking.set_defaults(do=doctor.check_model)


def _list(args: argparse.Namespace) -> int:
    from harness.models import catalog
    from harness.models.description import running
    from harness.outputs.model_catalog import ListedModel, render_list

    entries = list(catalog.entries())
    UnknownName.refuse("kind of model", args.kinds, {kind for entry in entries for kind in entry.kinds})
    UnknownName.refuse("loader", args.loaders, {entry.loader for entry in entries if entry.loader})
    UnknownName.refuse("license", args.licenses, {entry.license for entry in entries if entry.license})
    _refuse_unknown_languages(args.languages, {language for entry in entries for language in entry.languages})
    listed = [ListedModel(entry, running(entry)) for entry in entries if _matches(entry, args)]
    if args.run:
        listed = [model for model in listed if model.running.way == args.run]
    print(render_list(listed, format=args.format), end="")
    if args.format == "table":
        print(f"\n{len(listed)} of {len(entries)} models")
    return 0


def _matches(entry: CatalogEntry, args: argparse.Namespace) -> bool:
    from harness.models.description import prompting
    from harness.tasks.languages import matches

    small = args.max_parameters is None or (entry.parameters is not None and entry.parameters <= args.max_parameters)
    speaks = all(any(matches(name, language) for language in entry.languages) for name in args.languages or ())
    return (
        (args.part or "").lower() in entry.name.lower()
        and (not args.kinds or bool(set(args.kinds) & set(entry.kinds)))
        and (not args.loaders or entry.loader in args.loaders)
        and (not args.licenses or entry.license in args.licenses)
        and (not args.prompts or prompting(entry) == args.prompts)
        and (not args.open_weights or bool(entry.open_weights))
        and small
        and speaks
    )


def _refuse_unknown_languages(names: list[str] | None, spoken: set[str]) -> None:
    from harness.tasks.languages import matches

    for name in names or ():
        if not any(matches(name, language) for language in spoken):
            raise UnknownName.of("language", name, sorted(spoken), hint="expected for example de, deu or deu-Latn")


def _show(args: argparse.Namespace) -> int:
    from harness.outputs.model_catalog import as_json, render

    description = _described(args)
    if args.json:
        shared_options.print_json(as_json(description))
    else:
        print(render(description), end="")
    return 0


def _described(args: argparse.Namespace) -> Description:
    from harness import models
    from harness.errors import ModelError
    from harness.hub.offline import offline_mode
    from harness.models import catalog, description

    entry = catalog.entry(args.model)
    if entry is None:
        return _of_files(args)
    if (way := description.running(entry)).way == "refused":
        return description.of_entry(entry, not_read=f"it is not run: {way.reason}")
    if args.hub:
        return _of_files(args)
    try:
        with offline_mode():
            return _of_files(args)
    except ModelError:
        where = "not all on" if entry.name in models.cached_models() else "not on"
        return description.of_entry(entry, not_read=f"they are {where} this machine; --hub reads them from the hub")


def _of_files(args: argparse.Namespace) -> Description:
    """The description of a model whose own files are read; what keeps it from being run is part of it."""
    from harness import models
    from harness.errors import ModelError
    from harness.files import folders
    from harness.files.model_folders import shown_path
    from harness.models import description
    from harness.runner import model_names

    asked = shared_options.opening(args)
    spec, refusal = models.resolve(args.model, **asked, runnable=False), ""
    try:
        models.resolve(args.model, **asked)
    except ModelError as err:
        shown = shown_path(expanded(args.model)) if spec.origin == "folder" else spec.name
        refusal = str(err).removeprefix(f"model {shown}: ")
    spec = model_names.named([spec], results=folders.results_folder(None))[0]
    return description.of_spec(spec, refusal=refusal, weights=None if refusal else models.checked_weights(spec))


def _number(value: str) -> float:
    """`500M` -> 500,000,000."""
    unit = _UNITS.get(value[-1:].lower())
    try:
        number = float(value[:-1] if unit else value) * (unit or 1)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"found {value!r}; expected a number such as 22000000, 500M or 1.5B")
    return number
