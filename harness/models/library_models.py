"""Opens the models whose texts sentence-transformers puts into batches itself: cross-encoders, sparse, multi-vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from harness.encoding.batches import MTEB_BATCH
from harness.models import dense_loading, model_prompts
from harness.models.devices import device_name, pick_single_device
from harness.models.forward_precision import forward_precision
from harness.models.read_texts import ReadTexts
from harness.types import EncodeOptions, EncoderFacts, ModelSpec, PromptRules


class LibraryModel(NamedTuple):
    """A model that is open.

    Attributes:
        model: as sentence-transformers opened it.
        facts: what it uses.
        read_texts: counts what it reads.
    """

    model: Any
    facts: EncoderFacts
    read_texts: ReadTexts


def open_by_library(
    spec: ModelSpec,
    options: EncodeOptions,
    *,
    class_name: str,
    similarity: Callable[[Any], str],
    unit: Literal["texts", "pairs"],
) -> LibraryModel:
    """The model on one device, ready to encode.

    Args:
        spec: the model.
        options: device and precision.
        class_name: the class of sentence-transformers that it is.
        similarity: the open model -> by what it compares.
        unit: what a batch consists of; pairs get no prompts.

    Raises:
        ModelError: it cannot be loaded.
    """
    device = pick_single_device(options.device)
    precision = forward_precision(spec, options)
    model = dense_loading.load(spec, model_prompts.opening(spec), device, precision, class_name=class_name)
    prompts = PromptRules() if unit == "pairs" else model_prompts.prompt_rules(spec, dense_loading.prompts_of(model))
    facts = EncoderFacts(
        backend="sentence-transformers",
        device=str(device),
        device_name=device_name(device),
        precision=precision,
        max_length=model.max_seq_length,
        max_lengths=_lengths_by_role(model),
        similarity=similarity(model),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        batching=f"{MTEB_BATCH} {unit}",
        prompts=prompts,
    )
    return LibraryModel(model, facts, ReadTexts(model))


def _lengths_by_role(model: Any) -> Mapping[str, int] | None:
    """The maximum lengths of queries and documents where a multi-vector model has some of their own."""
    first, lengths = model[0], {}
    expansion = getattr(first, "query_expansion", None) or {}
    for role in ("query", "document"):
        length = getattr(first, f"{role}_length", None)
        if role == "query" and expansion.get("strategy") == "fixed":
            length = expansion["length"]
        if length is not None:
            lengths[role] = int(length)
    return lengths or None
