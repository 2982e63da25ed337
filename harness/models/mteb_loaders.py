"""What mteb's loaders do besides calling sentence-transformers, for those that are mirrored here.

A loader that is not here runs code that only mteb has. Source: mteb 2.26.24, `mteb/models`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.evaluators import KINDS
from harness.models.catalog import CatalogEntry
from harness.types import AdapterRules, InstructionRules, Precision, PromptRules
from harness.types.prompts import USUAL_PRIORITY

_PROMPTED = frozenset(
    {
        "SentenceTransformerEncoderWrapper",
        "sentence_transformers_loader",
        "voyage_4_nano_loader",
        "BekkoEncoderWrapper",
        "NomicWrapper",
        "UAEWrapper",
        "JinaWrapper",
        "JinaV5TextWrapper",
    }
)
_INSTRUCTED = frozenset(
    {
        "InstructSentenceTransformerModel",
        "q3e_instruct_loader",
        "instruct_loader",
        "ultrabert_embed_loader",
        "KALMWrapper",
        "_NVEmbedWrapper",
        "JasperModel",
    }
)
_OTHER_KINDS = frozenset({"CrossEncoderWrapper", "SparseEncoderWrapper"})
_REPOSITORIES = {"mongodb/voyage-4-nano": "voyageai/voyage-4-nano"}
_JINA_V3_PROMPTS = {
    "retrieval.query": "Represent the query for retrieving evidence documents: ",
    "retrieval.passage": "Represent the document for retrieval: ",
}
_FOR_THE_TOKENIZER = {
    "max_seq_length": "model_max_length",
    "padding_side": "padding_side",
    "add_eos_token": "add_eos_token",
}
_OWN_ARGUMENTS = frozenset({*_FOR_THE_TOKENIZER, "include_prompt", "embed_dim", "device", "model_kwargs"})
_DTYPE = ("dtype", "torch_dtype")
_PRECISIONS: Mapping[str, Precision] = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}


_DEFECTS = {
    "BMRetrieverWrapper": "its loader gives a device to sentence-transformers' Transformer, which takes none",
    "OPSWrapper": "its loader gives the task to SentenceTransformer.encode, which takes none",
    "_loader.<locals>.loader_inner": "its loader takes no model name, with which mteb calls it",
}
"""mteb's loader -> why each of its models fails in mteb itself, with every sentence-transformers that runs here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How mteb opens a model through sentence-transformers.

    Attributes:
        repository: where the weights lie, if not under the model's own name.
        precision: of the weights; None for the one that the checkpoint holds.
        arguments: further arguments of `SentenceTransformer`.
        max_length: the maximum length that is set afterwards; None for the model's own.
        include_prompt: whether the tokens of a prompt are pooled; None for the model's own setting.
        tokenizer: attributes of the tokenizer that are set afterwards.
        after: what is done with the vectors.
        similarity: the similarity that mteb takes in place of the model's own.
        similarity_pairwise: the same for pairs of rows.
    """

    repository: str | None = None
    precision: Precision | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    max_length: int | None = None
    include_prompt: bool | None = None
    tokenizer: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[Literal["layer_norm", "normalize"], ...] = ()
    similarity: str | None = None
    similarity_pairwise: str | None = None

    @property
    def is_usual(self) -> bool:
        """Whether nothing but the precision and the similarity is asked for."""
        usual = Opening(
            precision=self.precision, similarity=self.similarity, similarity_pairwise=self.similarity_pairwise
        )
        return replace(self, arguments={}) == usual and self.arguments.keys() <= {"model_kwargs", "trust_remote_code"}


def is_mirrored(entry: CatalogEntry) -> bool:
    """Whether the model is opened and fed here as mteb does it."""
    mirrored = entry.loader in _PROMPTED | _INSTRUCTED | _OTHER_KINDS and "activation_fn" not in entry.arguments
    return mirrored and not defect(entry)


def defect(entry: CatalogEntry) -> str:
    """Why mteb's loader fails with the model, whatever is installed; empty where it does not."""
    unknown = sorted(set(entry.arguments) & set(_FOR_THE_TOKENIZER)) if entry.loader in _PROMPTED else []
    if unknown:
        return f"its entry gives {unknown[0]} to {entry.loader}, which takes none"
    return _DEFECTS.get(entry.loader or "", "")


def prompt_rules(entry: CatalogEntry, of_model: PromptRules) -> PromptRules:
    """The rules by which mteb's loader introduces texts.

    Args:
        entry: a model whose loader is mirrored.
        of_model: the prompts of the model's own files.
    """
    if entry.loader in _INSTRUCTED:
        instructions = InstructionRules(
            by_key=entry.instructions,
            template=entry.template,
            without=entry.template_without,
            by_role=entry.template_by_role,
            priority=entry.priority or USUAL_PRIORITY,
            for_documents=entry.instruct_documents and entry.loader != "JasperModel",
            not_for=_compared_types() if entry.loader == "KALMWrapper" else (),
        )
        return replace(of_model, instructions=instructions, tells_role=False, source="catalog")
    if entry.loader == "JinaWrapper":
        return PromptRules(adapters=AdapterRules(by_key=entry.prompts, prompts=_JINA_V3_PROMPTS), source="catalog")
    if entry.loader == "JinaV5TextWrapper":
        adapters = AdapterRules(by_key=entry.prompts, otherwise="retrieval", query="Query: ", other="Document: ")
        return PromptRules(adapters=adapters, source="catalog")
    if not entry.prompts:
        return of_model
    rules = PromptRules(prompts=entry.prompts, source="catalog")
    if entry.loader == "NomicWrapper":
        return replace(rules, otherwise="document", tells_role=False)
    return replace(rules, with_text=True, tells_role=False) if entry.loader == "UAEWrapper" else rules


def _compared_types() -> tuple[str, ...]:
    """The task types in which texts are compared with each other, as KALM's loader lists them."""
    return (*(name for name, kind in KINDS.items() if kind.takes == "pairs"), "Summarization")


def opening(entry: CatalogEntry) -> Opening:
    """How mteb's loader opens the model."""
    given = entry.arguments
    instructed = entry.loader in _INSTRUCTED
    arguments = {name: value for name, value in given.items() if name not in _OWN_ARGUMENTS}
    tokenizer = {_FOR_THE_TOKENIZER[name]: given[name] for name in _FOR_THE_TOKENIZER if name in given}
    set_afterwards: dict[str, Any] = {}
    if entry.loader == "_NVEmbedWrapper":
        set_afterwards = {name: given[name] for name in ("padding_side", "add_eos_token")}
    elif instructed and entry.loader != "JasperModel" and tokenizer:
        arguments["tokenizer_kwargs"] = {**given.get("tokenizer_kwargs", {}), **tokenizer}
    if given.get("embed_dim"):
        arguments["truncate_dim"] = given["embed_dim"]
    of_model = {name: value for name, value in given.get("model_kwargs", {}).items() if name not in _DTYPE}
    if entry.loader == "ultrabert_embed_loader":
        of_model["attn_implementation"] = "sdpa"
    if of_model:
        arguments["model_kwargs"] = of_model
    return Opening(
        repository=_REPOSITORIES.get(entry.name),
        precision=_precision(given),
        arguments=arguments,
        max_length=given.get("max_seq_length") if instructed else None,
        include_prompt=given.get("include_prompt"),
        tokenizer=set_afterwards,
        after=_after(entry),
        similarity=entry.similarity if instructed else None,
        similarity_pairwise=entry.similarity,
    )


def _precision(given: Mapping[str, Any]) -> Precision | None:
    of_model = given.get("model_kwargs", {})
    names = [str(of_model[name]).removeprefix("torch.") for name in _DTYPE if name in of_model]
    return _PRECISIONS.get(names[0]) if names else None


def _after(entry: CatalogEntry) -> tuple[Literal["layer_norm", "normalize"], ...]:
    if entry.name == "nomic-ai/nomic-embed-text-v1.5":
        return ("layer_norm", "normalize")
    return ("normalize",) if entry.loader in ("BekkoEncoderWrapper", "JasperModel") else ()
