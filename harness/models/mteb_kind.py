"""Three kinds of model that mteb runs by code of its own: found by name in its registry, opened through its loader."""

from __future__ import annotations

import re

from harness.errors import ModelError
from harness.hub.model_lookup import find_model
from harness.models import api_names, catalog, mteb_loaders, mteb_requirements, weight_files
from harness.models.catalog import CatalogEntry
from harness.models.model_files import repository_on_hub
from harness.models.model_kind import Abilities, ModelKind
from harness.types import EncodeOptions, Encoder, ModelSpec, Ranking, Searcher

CODE_LOADERS = frozenset(
    {
        "ByrneEmbedModel",
        "CDEWrapper",
        "JinaReranker",
        "ListConRanker",
        "LlamaEmbedNemotron",
        "OPSWrapper",
        "OgmaWrapper",
        "QueritWrapper",
    }
)
"""Loaders that run code of the model's repository, or unpickle its files, whatever their arguments say."""
_READS_TITLES = "StructuralSeparatorEncoder"
_WITHOUT_REPOSITORY = "mteb/baseline-"
_COMMIT = re.compile(r"[0-9a-f]{40}")


def _open(spec: ModelSpec, options: EncodeOptions) -> Encoder | Searcher:
    """The model, by mteb's loader.

    Raises:
        ModelError: it cannot be loaded.
    """
    from harness.models import mteb_backend

    return mteb_backend.open_through_mteb(spec, options, vectors=spec.kind == ENCODERS.name)


def _kind(name: str, abilities: Abilities, *, of_vectors: frozenset[str] = frozenset()) -> ModelKind:
    return ModelKind(
        name=name,
        recognises=lambda repository: False,
        open=_open,
        abilities=abilities,
        settings=frozenset({"device", "store"}) | of_vectors,
        true_anyway={"batching": frozenset({"mteb"})},
    )


def _ranks(*ranks: Ranking, limits: str) -> Abilities:
    return Abilities(vectors=False, ranks=frozenset(ranks), limits=limits)


ENCODERS = _kind("mteb's loader, vectors", Abilities(), of_vectors=frozenset({"dims", "quantize"}))
RERANKERS = _kind(
    "mteb's loader, reranking",
    _ranks(
        "candidates",
        limits="it scores a query with a document, and only reranking tasks name the documents; for retrieval, name "
        "the model that searches the corpus with --first-stage MODEL",
    ),
)
SEARCHERS = _kind(
    "mteb's loader, search",
    _ranks("corpus", "candidates", limits="it ranks documents; it has no vectors"),
)
KINDS = (ENCODERS, RERANKERS, SEARCHERS)
_NAMES = frozenset(kind.name for kind in KINDS)


def is_run_by_mteb(spec: ModelSpec) -> bool:
    """Whether mteb's loader opens the model."""
    return spec.kind in _NAMES


def entry_run_by_mteb(name: str) -> CatalogEntry | None:
    """The entry of a model that mteb runs by code which is not mirrored here; None for any other model."""
    entry = catalog.entry(name)
    return None if entry is None or mteb_loaders.is_mirrored(entry) else entry


def found(
    entry: CatalogEntry,
    revision: str | None,
    *,
    trust_remote_code: bool,
    allow_pickle: bool,
) -> ModelSpec:
    """The model of such an entry.

    Args:
        entry: from `entry_run_by_mteb`.
        revision: as the user names it; None for mteb's.
        trust_remote_code: whether code of the model's repository may run.
        allow_pickle: whether its weights may be pickles.

    Raises:
        ModelError: the model cannot be run, and why.
    """
    if reason := refusal(entry, revision, trust_remote_code=trust_remote_code):
        raise ModelError(f"model {entry.name}: {reason}")
    commit = entry.revision or ""
    if not entry.name.startswith(_WITHOUT_REPOSITORY):
        # Two commits stand for a base model and its adapter, which is the repository of this name.
        last = commit.rpartition("-")[2]
        on_hub = find_model(entry.name, revision=last if _COMMIT.fullmatch(last) else None)
        if not allow_pickle:
            weight_files.require_safetensors(repository_on_hub(entry.name, on_hub.commit, frozenset(on_hub.files)))
    return ModelSpec(
        name=entry.name,
        revision=commit,
        location=entry.name,
        origin="hub",
        trust_remote_code=trust_remote_code,
        kind=_kind_of(entry).name,
    )


def refusal(entry: CatalogEntry, revision: str | None = None, *, trust_remote_code: bool) -> str:
    """Why the model of such an entry cannot be run here; empty where it can."""
    if not entry.open_weights:
        asked = api_names.endpoint_of_entry(entry)
        advice = f"ask it as {asked}" if asked else "name a model with open weights"
        return f"closed weights, which only its provider's API runs; {advice}"
    if entry.loader is None:
        return "mteb lists it without a loader, so nothing says how its vectors are made; name another model"
    if why := mteb_loaders.defect(entry):
        return f"mteb cannot open or run it ({why}), so nothing says how its vectors are made; name another model"
    if entry.loader == _READS_TITLES:
        return "its loader reads titles and bodies of documents apart, which are one text here; name another model"
    if revision is not None and revision != entry.revision:
        return f"mteb's loader runs it at revision {entry.revision}; leave out @{revision}"
    if conflicts := mteb_requirements.conflicting(entry.requires):
        return f"mteb runs it with {', '.join(conflicts)}; install a version that fits, or name another model"
    if not trust_remote_code and (entry.arguments.get("trust_remote_code") or entry.loader in CODE_LOADERS):
        return "mteb's loader runs code of its repository; allow that with --trust-remote-code if you trust it"
    if missing := mteb_requirements.missing(entry.requires):
        extras = ",".join(entry.requires)
        return f"needs packages that are not installed ({', '.join(missing)}); run: pip install 'mteb[{extras}]'"
    return ""


def caution(name: str) -> str:
    """What a reader of a record must know where mteb asks for other versions than are installed; else empty."""
    entry = catalog.entry(name)
    conflicts = () if entry is None else mteb_requirements.conflicting(entry.requires)
    return f"mteb runs this model with {', '.join(conflicts)}; its vectors may be others here" if conflicts else ""


def _kind_of(entry: CatalogEntry) -> ModelKind:
    if "cross-encoder" in entry.kinds:
        return RERANKERS
    return ENCODERS if {"dense", "router"} & set(entry.kinds) else SEARCHERS
