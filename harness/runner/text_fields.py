"""Encodes the fields of a part with one encoder: chooses batches and prompts, and counts texts and tokens."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from harness.encoding import transforms
from harness.encoding.batches import sum_or_none
from harness.evaluators import KINDS
from harness.types import Batching, EncodeOptions, Encoder, Part, TaskSpec, Texts, VectorTransform

if TYPE_CHECKING:
    from harness.encoding.vector_cache import Namespaces
    from harness.types import Float32


NUMBERS = (
    *("texts", "texts_encoded", "texts_cached", "texts_truncated"),
    *("tokens", "tokens_encoded", "tokens_padded", "texts_zero"),
)


@dataclass(slots=True, kw_only=True)
class Counts:
    """Counts of the texts and tokens of a part; a count is None where that of some field is unknown.

    Attributes:
        texts: texts of the part, repeated ones included.
        texts_encoded: texts that the model encoded; the others were repeated, or in the vector cache.
        texts_cached: distinct texts that were in the vector cache.
        texts_truncated: texts cut at the maximum length.
        tokens: tokens of all texts.
        tokens_encoded: tokens of the texts that the model encoded.
        tokens_padded: the same, with padding.
        texts_zero: texts with a zero vector.
        batching: how batches were made; None where nothing was encoded in batches.
        prompts: field -> the prompt put before its texts.
        pairs: pairs of a query with a document that a cross-encoder read as one text; None for other models.
        pairs_truncated: how many of these were cut at the maximum length.
        adapters: field -> the adapter that encoded its texts, or the input type that an endpoint was told.
    """

    texts: int = 0
    texts_encoded: int = 0
    texts_cached: int = 0
    texts_truncated: int | None = 0
    tokens: int | None = 0
    tokens_encoded: int | None = 0
    tokens_padded: int | None = 0
    texts_zero: int | None = 0
    pairs: int | None = None
    pairs_truncated: int | None = None
    batching: Batching | None = None
    prompts: dict[str, str | None] = field(default_factory=dict)
    adapters: dict[str, str] = field(default_factory=dict)

    def add(self, **more: int | None) -> None:
        """Add numbers to the counts of these names; None makes the sum None."""
        for name, number in more.items():
            setattr(self, name, sum_or_none((getattr(self, name), number)))

    def as_recorded(self) -> dict[str, Any]:
        """By name; those of pairs only where pairs were read."""
        return {name: value for name, value in asdict(self).items() if self.pairs is not None or "pairs" not in name}


def batching_for(task: TaskSpec, encoder: Encoder, options: EncodeOptions) -> Batching:
    """How the texts of `task` are put into batches.

    The last bits of a float32 vector depend on the other texts of its batch. A task whose scores depend on these bits
    is therefore encoded in mteb's batches, so that its scores are mteb's: pair classification, and classification with
    vectors that are not normalised, whose solver stops elsewhere. So is every task for a model whose positions follow
    from the longest text of a batch, or whose activations are quantized by it, in any precision.
    """
    if encoder.facts.prompts.by_model:
        return "model"
    if options.batch_tokens is not None:
        return "tokens"
    kind, facts = KINDS[task.type], encoder.facts
    unnormalized = kind.uses_lengths and facts.normalized is False and facts.depends_on_batch is not None
    exact = (kind.exact_batches or unnormalized) and facts.precision == "fp32"
    mteb = options.batching == "mteb" or exact or facts.depends_on_batch in ("positions", "quantization")
    return "mteb" if mteb else "tokens"


class Fields:
    """Encodes the fields of a part with one encoder, and counts what it encodes.

    Attributes:
        task: whose part it is.
        encoder: the loaded model.
        transform: of the vectors.
        counts: what was encoded so far.
        dimensions: of the model's vectors before `transform`; 0 before anything is encoded.
    """

    def __init__(
        self,
        task: TaskSpec,
        part: Part,
        encoder: Encoder,
        *,
        options: EncodeOptions,
        transform: VectorTransform,
        namespaces: Namespaces | None,
    ) -> None:
        self.task, self.encoder, self._part, self._options = task, encoder, part, options
        self._namespaces = namespaces
        self.counts = Counts(batching=batching_for(task, encoder, options))
        self.transform, self.dimensions = transform, 0

    def encode(self, name: str, texts: Texts) -> Float32:
        """The transformed vectors of `texts`, counted under the field `name`."""
        return transforms.transformed(self.model_vectors(name, texts), self.transform)

    def model_vectors(self, name: str, texts: Texts) -> Float32:
        """The vectors of `texts` as the model gives them, counted under the field `name`."""
        from harness import encoding

        counts = self.counts
        prompt = encoding.prompt_for(self.encoder.facts.prompts, self.task, texts, part=self._part)
        assert counts.batching is not None
        encoded = encoding.encode(
            self.encoder,
            texts,
            prompt=prompt,
            batching=counts.batching,
            cache=self._options.store,
            namespaces=self._namespaces,
        )
        counts.add(
            texts=len(texts.items),
            texts_encoded=encoded.texts_encoded,
            texts_cached=encoded.texts_cached,
            texts_truncated=encoded.texts_truncated,
            tokens=encoded.tokens,
            tokens_encoded=encoded.tokens_encoded,
            tokens_padded=encoded.tokens_padded,
            texts_zero=encoded.texts_zero,
        )
        counts.prompts[name] = prompt.text or None
        if prompt.adapter is not None:
            counts.adapters[name] = prompt.adapter
        self.dimensions = max(self.dimensions, encoded.vectors.shape[1])
        return encoded.vectors
