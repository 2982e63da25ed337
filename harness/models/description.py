"""What is known of a model before it is loaded: mteb's entry, what its own small files say, and how it would run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from harness.encoding.prompts import choose
from harness.evaluators import KINDS
from harness.hub.model_lookup import find_model
from harness.models import catalog, kinds, mteb_kind, mteb_loaders, preflight
from harness.models.catalog import CatalogEntry
from harness.models.forward_precision import used_precision
from harness.models.model_files import repository_in_folder, repository_on_hub
from harness.models.model_prompts import opening, planned_rules, shown_prompt
from harness.models.repository import Repository
from harness.tasks import mteb_metadata
from harness.types import EncodeOptions, ModelSpec, PromptRules, Role

Way = Literal["mirrored", "mteb", "refused"]
"""How a model of mteb's registry is run: as its loader does it, by mteb itself, or not at all."""

_POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""How sentence-transformers below 6 says which states of tokens make a text's vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How a model would be run here.

    Attributes:
        way: see `Way`.
        reason: why it is refused; empty for a model that is run.
        flags: the options that it needs.
        opened: whether it was opened, so that all of its weights are in its files.
    """

    way: Way
    reason: str = ""
    flags: tuple[str, ...] = ()
    opened: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFiles:
    """What the small files of a model say.

    Attributes:
        spec: the model, as a run would name it.
        architecture: the classes that `config.json` names.
        pooling: how the states of tokens become a vector; None where the files do not say.
        normalized: whether its vectors get unit length; None where the files do not say.
        max_length: tokens at which texts are cut; None where the files do not say.
        packages: what must be installed besides this package's own dependencies.
        precision: of the forward pass on this machine, by default.
    """

    spec: ModelSpec
    architecture: tuple[str, ...] = ()
    pooling: str | None = None
    normalized: bool | None = None
    max_length: int | None = None
    packages: tuple[str, ...] = ()
    precision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A model.

    Attributes:
        entry: in mteb's registry; None for a model that mteb does not know.
        running: how it would be run.
        files: what its own files say; None where they were not read.
        not_read: why they were not.
        prompts: task type -> role (empty for none) -> the text with its prompt, `{text}` standing for the text.
        prompts_from: who says so.
        tasks_with_prompts: tasks for which other prompts are set than for their type.
    """

    name: str
    entry: CatalogEntry | None
    running: Running
    files: OwnFiles | None = None
    not_read: str = ""
    prompts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    prompts_from: str = ""
    tasks_with_prompts: tuple[str, ...] = ()


def running(entry: CatalogEntry) -> Running:
    """How a model of mteb's registry would be run on this machine."""
    if mteb_loaders.is_mirrored(entry):
        return Running(
            way="mirrored", flags=("--trust-remote-code",) if entry.arguments.get("trust_remote_code") else ()
        )
    if reason := mteb_kind.refusal(entry, trust_remote_code=True):
        return Running(way="refused", reason=reason)
    needs_trust = bool(mteb_kind.refusal(entry, trust_remote_code=False))
    return Running(way="mteb", flags=("--trust-remote-code",) if needs_trust else ())


def prompting(entry: CatalogEntry) -> Literal["instructions", "prompts", "own"]:
    """What mteb's loader puts before texts; `own` means what the model's files say."""
    if entry.instructions or entry.template is not None:
        return "instructions"
    return "prompts" if entry.prompts else "own"


def of_entry(entry: CatalogEntry, *, not_read: str) -> Description:
    """A model of mteb's registry whose own files are not read."""
    way = running(entry)
    rules = None
    if way.way == "mirrored" and prompting(entry) != "own":
        rules = mteb_loaders.prompt_rules(entry, PromptRules())
    return _with_prompts(entry.name, entry, way, rules, files=None, not_read=not_read)


def of_spec(spec: ModelSpec, *, refusal: str, weights: str | None = None) -> Description:
    """A model that was found by its name.

    Args:
        spec: the model.
        refusal: why it cannot be run; empty where it can.
        weights: what is wrong with its weights; empty for nothing, None where they were not looked at.

    Raises:
        ModelError: its files cannot be read.
    """
    entry = catalog.entry(spec.name) if spec.origin in ("hub", "bundled") else None
    by_mteb = mteb_kind.is_run_by_mteb(spec)
    if reason := refusal or weights:
        way = Running(way="refused", reason=reason)
    else:
        way = running(entry) if entry is not None else Running(way="mirrored")
    way = replace(way, opened=weights == "")
    if spec.origin in ("baseline", "python"):
        return Description(name=spec.name, entry=None, running=way, files=OwnFiles(spec=spec))
    files = OwnFiles(spec=spec) if by_mteb or spec.origin == "endpoint" else _own_files(spec)
    return _with_prompts(spec.name, entry, way, None if by_mteb else planned_rules(spec), files=files, not_read="")


def pooling_of(repository: Repository) -> str | None:
    """How the states of tokens become a text's vector, `+` between several ways; None where the files do not say."""
    if not repository.modules:
        return "mean"
    types = [module.type.rpartition(".")[2] for module in repository.modules]
    if "StaticEmbedding" in types:
        return "mean"
    for module in repository.modules:
        if module.type.rpartition(".")[2] == "Pooling":
            settings = repository.mapping("config.json", folder=module.path)
            mode = settings.get("pooling_mode")
            if mode is not None:
                return mode if isinstance(mode, str) else "+".join(map(str, mode))
            return "+".join(name for flag, name in _POOLING_FLAGS.items() if settings.get(flag)) or None
    return None


def repository_of(spec: ModelSpec) -> Repository:
    """What the small files of a model say; only those are fetched.

    Raises:
        ModelError: they cannot be had.
    """
    if spec.origin != "hub":
        return repository_in_folder(spec.name, Path(spec.location))
    files = frozenset(find_model(spec.location, revision=spec.revision).files)
    return repository_on_hub(spec.location, spec.revision, files)


def _own_files(spec: ModelSpec) -> OwnFiles:
    repository = repository_of(spec)
    kind = kinds.kind_of_spec(spec)
    types = [module.type.rpartition(".")[2] for module in repository.modules]
    return OwnFiles(
        spec=spec,
        architecture=repository.architectures,
        pooling=pooling_of(repository) if kinds.abilities(spec).vectors else None,
        normalized=types[-1] == "Normalize" if types else None,
        max_length=opening(spec).max_length or preflight.stated_length(repository),
        packages=tuple(
            dict.fromkeys({**preflight.packages_of(repository), **kind.packages(repository)}.values()),
        ),
        precision=used_precision(spec, EncodeOptions()),
    )


def _with_prompts(
    name: str,
    entry: CatalogEntry | None,
    way: Running,
    rules: PromptRules | None,
    *,
    files: OwnFiles | None,
    not_read: str,
) -> Description:
    return Description(
        name=name,
        entry=entry,
        running=way,
        files=files,
        not_read=not_read,
        prompts={} if rules is None else dict(_by_type(rules)),
        prompts_from="" if rules is None else rules.source,
        tasks_with_prompts=() if entry is None else _tasks(entry),
    )


def _by_type(rules: PromptRules) -> Iterator[tuple[str, Mapping[str, str]]]:
    for task_type, kind in KINDS.items():
        roles: tuple[Role | None, ...] = (None,) if kind.search is None else ("query", "document")
        by_role: dict[str, str] = {}
        for role in roles:
            prompt = choose(rules, task="", task_type=task_type, role=role, type_prompt=kind.instruction)
            by_role[role or ""] = shown_prompt(prompt)
        yield task_type, by_role


def _tasks(entry: CatalogEntry) -> tuple[str, ...]:
    """The tasks of mteb that are named in the prompts of its loader."""
    names = (key.removesuffix("-query").removesuffix("-document") for key in (*entry.prompts, *entry.instructions))
    return tuple(dict.fromkeys(name for name in names if mteb_metadata.type_of(mteb_metadata.current_name(name))))
