"""Retrieval in two stages: one model searches the corpus, another ranks what that one found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import ModelError
from harness.models.kinds import abilities
from harness.types import (
    EncodeOptions,
    Encoder,
    EncoderFacts,
    FirstStage,
    ModelSpec,
    RankedDocuments,
    Searcher,
    SidePrompts,
)

if TYPE_CHECKING:
    from harness.types import Int64

TOP = 100
"""Candidates of a query by default: as BEIR's rerankers had (Thakur et al. 2021, arXiv:2104.08663)."""
_SHOWN = ("backend", "device", "precision", "max_length", "similarity")


class TwoStages:
    """A model that ranks candidates, with the model that searches for them.

    The latter is opened when a corpus is searched for the first time: tasks that name their candidates do without.
    """

    def __init__(
        self,
        ranker: Searcher,
        stage: FirstStage,
        *,
        options: EncodeOptions,
        open_first: Callable[[], Encoder | Searcher],
    ) -> None:
        self.facts = ranker.facts
        self.top, self.options = stage.top, options
        self._ranker, self._stage, self._open_first = ranker, stage, open_first
        self._first: Encoder | Searcher | None = None

    def first(self) -> Encoder | Searcher:
        """The model that searches, opened with `options`.

        Raises:
            ModelError: it cannot be opened.
        """
        if self._first is None:
            self._first = self._open_first()
        return self._first

    def facts_with_first_stage(self) -> EncoderFacts:
        """The facts of both models, for the record of a part whose corpus was searched."""
        facts, model = self.first().facts, self._stage.model
        shown: dict[str, Any] = {name: getattr(facts, name) for name in _SHOWN}
        shown["prompts_from"] = facts.prompts.source
        stage = {"model": model.name, "revision": model.revision, "top": self.top, **shown}
        return replace(self.facts, first_stage=stage)

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
        """The best `k` candidates of each query, by the second model."""
        return self._ranker.search(
            queries,
            documents,
            document_ids=document_ids,
            candidates=candidates,
            k=k,
            languages=languages,
            prompts=prompts,
        )

    def close(self) -> None:
        """Free the memory of both models."""
        self._ranker.close()
        if self._first is not None:
            self._first.close()


def options_of_first(options: EncodeOptions, first: ModelSpec) -> EncodeOptions:
    """The options of the model that searches: its own defaults, on the device of the other one if it runs here."""
    device = "auto" if first.origin == "endpoint" else options.device
    store: Literal["off", "float32"] = "off" if options.store == "off" else "float32"
    return EncodeOptions(device=device, store=store, afresh=options.afresh)


def in_two_stages(spec: ModelSpec, stage: FirstStage) -> ModelSpec:
    """The model with another one that searches for it.

    Raises:
        ModelError: the model searches by itself, or the other one does not.
    """
    if "corpus" in abilities(spec).ranks or abilities(spec).vectors:
        raise ModelError(
            f"model {spec.name}: searches a corpus by itself; --first-stage is for models that only rank candidates, "
            "such as cross-encoders; leave it out"
        )
    of_first = abilities(stage.model)
    if not of_first.vectors and "corpus" not in of_first.ranks:
        raise ModelError(
            f"--first-stage {stage.model.name}: only ranks candidates itself; name a model that searches a corpus, "
            "such as an embedding model or baseline/bm25"
        )
    return replace(spec, first_stage=stage)
