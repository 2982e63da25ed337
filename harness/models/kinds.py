"""The table of the kinds of models: a repository belongs to the first row that recognises it."""

from __future__ import annotations

from harness.errors import ModelError
from harness.models import (
    bert_kind,
    catalog,
    cross_encoder,
    dense_kinds,
    endpoint_kinds,
    gguf_kind,
    graph_kinds,
    kinds_without_files,
    mteb_kind,
    mteb_loaders,
    multi_vector,
    open_objects,
    sparse_encoder,
    static_kind,
    unpooled_decoder,
)
from harness.models.model_kind import Abilities, ModelKind
from harness.models.repository import Repository
from harness.types import BackendName, ModelSpec
from harness.types.counted import listed

KINDS: tuple[ModelKind, ...] = (
    gguf_kind.KIND,
    cross_encoder.KIND,
    sparse_encoder.KIND,
    multi_vector.KIND,
    multi_vector.WITHOUT_SETTINGS,
    unpooled_decoder.KIND,
    bert_kind.KIND,
    static_kind.KIND,
    dense_kinds.SENTENCE_TRANSFORMERS,
    dense_kinds.TRANSFORMERS,
    *mteb_kind.KINDS,
    *endpoint_kinds.KINDS,
    *graph_kinds.KINDS,
)


_BY_LOADER = {"CrossEncoderWrapper": cross_encoder.KIND, "SparseEncoderWrapper": sparse_encoder.KIND}
"""mteb's loader -> the kind of the models that it opens, where that is not a dense one."""
_NOT_DENSE = KINDS[1 : KINDS.index(bert_kind.KIND)]


def kind_of(repository: Repository) -> ModelKind:
    """The kind of the model in a repository.

    Raises:
        ModelError: no row recognises it; the message says what was found.
    """
    entry = catalog.entry(repository.name)
    of_mteb = entry.loader if entry is not None and mteb_loaders.is_mirrored(entry) else None
    if of_mteb in _BY_LOADER:
        return _BY_LOADER[of_mteb]
    for kind in KINDS:
        # What mteb opens as a dense model is one, whatever its files look like.
        if kind.recognises(repository) and (of_mteb is None or kind not in _NOT_DENSE):
            return kind
    shown = listed(sorted(repository.files), most=5)
    raise ModelError(
        f"model {repository.name}: not a saved model; expected modules.json or config.json in it, found "
        f"{shown or 'no files'}"
    )


def kind_for(repository: Repository, backend: BackendName | None) -> ModelKind:
    """The kind of the model in a repository, as a backend runs it; None for the backend that the files call for.

    Raises:
        ModelError: no row recognises it, or the backend cannot run its kind.
    """
    if backend == "gguf":
        return gguf_kind.KIND
    kind = kind_of(repository)
    of_backend = next((row for row in graph_kinds.KINDS if row.name == backend), None)
    if of_backend is None:
        if backend == "torch" and kind is gguf_kind.KIND:
            raise ModelError(f"model {repository.name}: has weights as GGUF only; leave out --backend torch")
        return kind
    if kind.name not in graph_kinds.RUNS_GRAPHS:
        raise ModelError(
            f'model {repository.name}: kind "{kind.name}" is not run by --backend {backend}, only dense transformers '
            "are; leave the option out"
        )
    return of_backend


def kind_of_spec(spec: ModelSpec) -> ModelKind:
    """The kind of a model that was found."""
    if spec.origin == "baseline":
        return kinds_without_files.BM25 if spec.name.endswith("bm25") else kinds_without_files.HASHING
    if spec.origin == "python":
        return next((kind for kind in open_objects.KINDS if kind.name == spec.kind), kinds_without_files.CALLABLE)
    return next((kind for kind in KINDS if kind.name == spec.kind), dense_kinds.SENTENCE_TRANSFORMERS)


def abilities(spec: ModelSpec) -> Abilities:
    """What a model can do, with the first stage that it was given."""
    of_kind = kind_of_spec(spec).abilities
    return of_kind if spec.first_stage is None else of_kind._replace(ranks=of_kind.ranks | {"corpus"})
