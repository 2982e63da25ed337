"""Models that mteb's own loaders open and run: texts go in as mteb's batches. Owns `mteb`, `torch` and `datasets`."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ModelError, first_line
from harness.evaluators import search
from harness.evaluators.similarity import NAMES, block_scores, paired, prepare
from harness.files import run_environment
from harness.hub.progress_bars import hidden_bars
from harness.hub.retries import kind_of_failure, retried_requests
from harness.models import catalog
from harness.models.dense_loading import quiet
from harness.models.mteb_tasks import metadata_of
from harness.types import (
    Batching,
    Encoded,
    EncodeOptions,
    EncoderFacts,
    ModelSpec,
    Prompt,
    PromptRules,
    Purpose,
    RankedDocuments,
    Role,
    SidePrompts,
)

if TYPE_CHECKING:
    from harness.types import Float32, Int64

BATCH = 32
"""Texts in a batch: mteb's default."""
_BY_MODEL = PromptRules(by_model=True, source="catalog")
_PRECISIONS = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
_PACKAGES = ("embedding-harness", "mteb", "torch", "transformers", "tokenizers", "sentence-transformers")


def open_through_mteb(spec: ModelSpec, options: EncodeOptions, *, vectors: bool) -> MtebEncoder | MtebSearcher:
    """The model, by mteb's loader.

    Args:
        spec: the model.
        options: of which only the device counts.
        vectors: whether it has vectors, and does not only rank.

    Raises:
        ModelError: it cannot be loaded, or compares vectors in a way that is not known here.
    """
    from mteb.models.model_implementations import MODEL_REGISTRY

    try:
        meta = MODEL_REGISTRY[spec.name].model_copy(update={"revision": spec.revision})
        with hidden_bars(), quiet(), retried_requests():
            # Without a device, each loader takes the one that it takes in mteb.
            model = meta.load_model(device=None if options.device == "auto" else options.device)
    except Exception as err:
        raise ModelError(
            f"model {spec.name}: mteb's loader cannot load it ({first_line(err)})",
            kind=kind_of_failure(err, otherwise="model"),
        ) from err
    return MtebEncoder(spec, model) if vectors else MtebSearcher(spec, model)


class MtebEncoder:
    """A model of mteb's `EncoderProtocol`. It gets all texts of a field at once, and the task that they are for."""

    def __init__(self, spec: ModelSpec, model: Any) -> None:
        self._model = model
        self.facts = _facts(spec, model, similarity=_similarity(spec, model))
        self._spec, self._device = spec, self.facts.device_name

    def identity(self, *, prompt: Prompt, role: Role | None) -> Mapping[str, Any] | None:
        """Model, loader, versions, device, and the part that the texts are for: the loader may look at any of it."""
        if prompt.purpose is None:
            return None
        task, part = prompt.purpose
        entry, versions = catalog.entry(self._spec.name), run_environment.versions()
        return {
            "model": self._spec.name,
            "revision": self._spec.revision,
            "trust_remote_code": self._spec.trust_remote_code,
            "backend": self.facts.backend,
            "loader": entry.loader if entry else None,
            "device": self._device,
            "versions": {name: versions.get(name) for name in _PACKAGES},
            "role": role or "",
            "purpose": {"task": task.name, "type": task.type, "split": part.split, "subset": part.subset},
        }

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "model"
    ) -> Iterator[Encoded]:
        """The (n, dim) float32 vectors of each block; whether they came in half precision is a fact afterwards."""
        import datasets

        assert prompt.purpose is not None, "mteb's loaders are told what texts are for"
        for texts in blocks:
            with hidden_bars(datasets.utils):
                answer = self._model.encode(
                    _batches(texts, purpose=prompt.purpose, role=role),
                    **_asked_for(prompt.purpose),
                    prompt_type=_prompt_type(role),
                    batch_size=BATCH,
                    show_progress_bar=False,
                )
            rows, dtype = _as_rows(answer)
            self.facts = replace(self.facts, precision=_PRECISIONS.get(dtype, dtype), dimensions=rows.shape[-1])
            yield Encoded(rows, None, None)

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """The model's similarity of row i with row i: (n, dim), (n, dim) -> (n,) float32."""
        import torch

        if not hasattr(self._model, "similarity_pairwise"):
            return paired(left, right, similarity="cosine")
        answer = self._model.similarity_pairwise(torch.from_numpy(left), torch.from_numpy(right))
        return np.asarray(_as_rows(answer)[0])

    def close(self) -> None:
        """Free the model's memory."""
        del self._model
        gc.collect()


class MtebSearcher:
    """A model of mteb's `SearchProtocol`, or of its `CrossEncoderProtocol`, which ranks candidates."""

    def __init__(self, spec: ModelSpec, model: Any) -> None:
        from mteb.models import CrossEncoderProtocol, SearchCrossEncoderWrapper

        self._model = SearchCrossEncoderWrapper(model) if isinstance(model, CrossEncoderProtocol) else model
        self.facts = _facts(spec, model, similarity="unknown")

    def search(
        self,
        queries: Sequence[str],
        documents: Sequence[str],
        *,
        document_ids: Sequence[str],
        candidates: Sequence[Int64] | None,
        k: int,
        languages: Sequence[str],
        prompts: SidePrompts,
    ) -> RankedDocuments:
        """The best `k` documents of every query, as mteb's search returns them; equal scores by document id."""
        import datasets

        assert prompts.query.purpose is not None, "mteb's loaders are told what texts are for"
        asked_for = _asked_for(prompts.query.purpose)
        encode_kwargs: Any = {"batch_size": BATCH, "show_progress_bar": False}
        names = [f"query {row}" for row in range(len(queries))]
        chosen = None
        if candidates is not None:
            chosen = {
                name: [document_ids[place] for place in dict.fromkeys(places.tolist())]
                for name, places in zip(names, candidates, strict=True)
            }
        corpus = datasets.Dataset.from_dict({"id": list(document_ids), "text": list(documents)})
        with hidden_bars(datasets.utils):
            self._model.index(corpus, **asked_for, encode_kwargs=encode_kwargs, num_proc=None)
            results = self._model.search(
                datasets.Dataset.from_dict({"id": names, "text": list(queries)}),
                **asked_for,
                top_k=k,
                encode_kwargs=encode_kwargs,
                top_ranked=chosen,
                num_proc=None,
            )
        top = search.TopK(len(queries), k=k, document_ids=document_ids)
        place_of = {name: place for place, name in enumerate(document_ids)}
        for row, name in enumerate(names):
            scored = results.get(name, {})
            if scored:
                at = np.array([place_of[document] for document in scored], dtype=np.int64)
                top.fold(np.array([list(scored.values())], dtype=np.float32), at=at, first_query=row)
        return RankedDocuments(top.hits())

    def close(self) -> None:
        """Free the model's memory."""
        del self._model
        gc.collect()


def _facts(spec: ModelSpec, model: Any, *, similarity: str) -> EncoderFacts:
    holders: tuple[Any, ...] = (model, getattr(model, "model", None))
    device = next((holder.device for holder in holders if hasattr(holder, "device")), "unknown")
    entry = catalog.entry(spec.name)
    return EncoderFacts(
        backend="mteb",
        device=str(device),
        device_name=_device_name(device),
        precision="unknown",
        similarity=similarity,
        parameters=entry.parameters if entry else None,
        batching=f"mteb's loader, {BATCH} texts",
        prompts=_BY_MODEL,
    )


def _device_name(device: Any) -> str:
    import torch

    from harness.models.devices import device_name

    try:
        return device_name(torch.device(device))
    except RuntimeError:
        return "unknown"


def _similarity(spec: ModelSpec, model: Any) -> str:
    """The name of the similarity by which the model compares vectors, found out by asking it."""
    if not hasattr(model, "similarity"):
        return "cosine"
    import torch

    rows = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    left, right = rows[:3], rows[3:]
    answer = np.asarray(_as_rows(model.similarity(torch.from_numpy(left), torch.from_numpy(right)))[0])
    for name in NAMES:
        scores = block_scores(prepare(left, similarity=name), prepare(right, similarity=name), similarity=name)
        if np.allclose(scores, answer, atol=1e-4):
            return name
    raise ModelError(f"model {spec.name}: compares vectors in a way of its own, which no task is scored by here")


def _batches(texts: Sequence[str], *, purpose: Purpose, role: Role | None) -> Any:
    """The texts as mteb gives them to a model: a loader of batches, with the columns that its role brings."""
    from datasets import Dataset
    from mteb._create_dataloaders import create_dataloader
    from torch.utils.data import DataLoader

    if role is None:
        return DataLoader(Dataset.from_dict({"text": list(texts)}), batch_size=BATCH)
    ids = [str(place) for place in range(len(texts))]
    return create_dataloader(
        Dataset.from_dict({"id": ids, "text": list(texts)}),
        task_metadata=metadata_of(purpose.task),
        prompt_type=_prompt_type(role),
        batch_size=BATCH,
    )


def _asked_for(purpose: Purpose) -> dict[str, Any]:
    return {
        "task_metadata": metadata_of(purpose.task),
        "hf_split": purpose.part.split,
        "hf_subset": purpose.part.subset,
    }


def _prompt_type(role: Role | None) -> Any:
    from mteb.types import PromptType

    return None if role is None else PromptType(role)


def _as_rows(answer: Any) -> tuple[Float32, str]:
    """An answer as float32 numpy, and the name of the type that it had."""
    if hasattr(answer, "detach"):
        dense = answer.to_dense() if answer.is_sparse else answer
        return dense.detach().float().cpu().numpy(), str(answer.dtype).removeprefix("torch.")
    rows = np.asarray(answer)
    return rows.astype(np.float32, copy=False), str(rows.dtype)
