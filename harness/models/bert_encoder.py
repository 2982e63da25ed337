"""The kind of model "BERT with mean or CLS pooling", run from its files without sentence-transformers. Owns `torch`.

Importing sentence-transformers takes longer than a small task: opening all-MiniLM-L6-v2 and encoding 150 short texts
takes 2.1 s of processor time with this module and 5.8 s without it. Encoding itself takes as long either way.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.encoding import batches, pipeline
from harness.errors import ModelError
from harness.models import bert_forward, forward_threads, model_prompts, packing
from harness.models.bert_tokenizer import fast_tokenizer
from harness.models.devices import DTYPES, device_name
from harness.models.forward_precision import forward_precision
from harness.models.saved_modules import SavedModel, longest
from harness.models.token_ids import TextTokenizer, TokenIds
from harness.models.vector_identity import identity
from harness.types import Batching, Encoded, EncodeOptions, EncoderFacts, ModelSpec, Prompt, PromptRules, Role

if TYPE_CHECKING:
    import torch

    from harness.types import Float32, Int64


class _Inputs(NamedTuple):
    """A padded batch.

    Attributes:
        ids: (n, longest) int64 token ids.
        lengths: (n,) int64, tokens of each text.
        ragged: whether any text is shorter than the longest.
        exact: compute as transformers does, to the bit.
    """

    ids: torch.Tensor
    lengths: torch.Tensor
    ragged: bool
    exact: bool


class BertEncoder:
    """A BERT with mean or CLS pooling, on a CPU.

    Raises:
        KeyError, OSError, LookupError: the files differ from what `saved_modules.read` expects; sentence-transformers
            may still open them.
        ModelError: the options do not fit the model or the machine.
    """

    def __init__(self, spec: ModelSpec, options: EncodeOptions, model: SavedModel) -> None:
        import torch

        self._device = torch.device("cpu")
        precision = forward_precision(spec, options)
        tokenizer, self._padding, limit = fast_tokenizer(model)
        self._max_length = _max_length(model, limit, options.max_length, name=spec.name)
        self._tokenizer = TextTokenizer(tokenizer, max_length=self._max_length)
        self._bert, parameters = bert_forward.load(model, dtype=getattr(torch, DTYPES[precision]))
        dimensions = self._bert.dimensions
        self._budget = options.batch_tokens or forward_threads.budget(self._device, dimensions=dimensions)
        self._memory = forward_threads.memory(self._device)
        self.facts = EncoderFacts(
            backend="harness",
            device=str(self._device),
            device_name=device_name(self._device),
            precision=precision,
            architecture=next(iter(model.config.get("architectures") or ()), None),
            pooling=model.pooling,
            normalized=model.normalize,
            depends_on_batch="last bits",
            attention="sdpa",
            encoding=packing.AS_ASKED if options.batching == "padded" else packing.ON_CPU,
            max_length=self._max_length,
            similarity=model.similarity,
            dimensions=dimensions,
            parameters=parameters,
            batching=f"{self._budget} tokens",
            batch_tokens=self._budget,
            prompts=model_prompts.prompt_rules(spec, PromptRules(prompts=model.prompts, default=model.default_prompt)),
        )
        self._identity = identity(
            spec, self.facts, packages=("embedding-harness", "torch", "transformers", "tokenizers")
        )

    def identity(self, *, prompt: Prompt, role: Role | None) -> Mapping[str, Any]:
        """Model, settings and prompt; the role decides nothing but the prompt."""
        return {**self._identity, "prompt": prompt.text or ""}

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """The (n, dim) float32 vectors of each block, its tokens, and which texts were cut."""
        exact = batching == "mteb"

        def prepare(texts: Sequence[str]) -> pipeline.Prepared:
            return self._prepared([(prompt.text or "") + text for text in texts], exact=exact)

        return pipeline.encode(
            blocks,
            prepare=prepare,
            lanes=forward_threads.lanes(self._forward, self._device, exact=exact),
            memory=self._memory,
        )

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """The model's similarity of row i with row i: (n, dim), (n, dim) -> (n,) float32."""
        return paired(left, right, similarity=self.facts.similarity)

    def close(self) -> None:
        """Free the model's memory."""
        del self._bert
        gc.collect()

    def _prepared(self, texts: list[str], *, exact: bool) -> pipeline.Prepared:
        """A block in padded batches: 32 texts in the given order with `exact`, else as many as the budget allows."""
        tokens = self._tokenizer.token_ids(texts)
        positions_of_batches = (
            batches.by_count(len(texts), size=batches.MTEB_BATCH)
            if exact
            else batches.by_tokens(tokens.lengths, budget=self._memory.budget(self._budget))
        )
        return pipeline.Prepared(
            [
                self._batch(positions, self._padded(positions, tokens, exact=exact))
                for positions in positions_of_batches
            ],
            tokens=tokens.lengths.astype(np.int32),
            truncated=tokens.truncated,
        )

    def _padded(self, positions: Int64, tokens: TokenIds, *, exact: bool) -> _Inputs:
        import torch

        batch_lengths, starts = tokens.lengths[positions], tokens.starts[positions]
        padded = np.full((len(positions), int(batch_lengths.max())), self._padding, dtype=np.int64)
        for row, start, length in zip(padded, starts, batch_lengths, strict=True):
            row[:length] = tokens.ids[start : start + length]
        ragged = bool(batch_lengths.min() < batch_lengths.max())
        return _Inputs(torch.from_numpy(padded), torch.from_numpy(batch_lengths), ragged=ragged, exact=exact)

    def _batch(self, positions: Int64, inputs: _Inputs) -> pipeline.Batch:
        def halves() -> tuple[pipeline.Batch, pipeline.Batch]:
            half = len(positions) // 2
            first, second = (
                self._batch(positions[part], inputs._replace(ids=inputs.ids[part], lengths=inputs.lengths[part]))
                for part in (slice(None, half), slice(half, None))
            )
            return first, second

        return pipeline.Batch(positions, inputs, inputs.ids.numel(), halves if len(positions) > 1 else None)

    def _forward(self, inputs: _Inputs) -> torch.Tensor:
        return self._bert.forward(inputs.ids, inputs.lengths, ragged=inputs.ragged, exact=inputs.exact)


def paired(left: Float32, right: Float32, *, similarity: str) -> Float32:
    """Similarity of row i with row i, equal to the bit to what sentence-transformers 6.2 computes.

    Args:
        left: (n, dim) float32.
        right: (n, dim) float32.
        similarity: `cosine`, `dot`, `euclidean` or `manhattan`.

    Returns:
        (n,) float32; the distances have a minus sign.
    """
    import torch

    rows, others = torch.from_numpy(left), torch.from_numpy(right)
    if similarity == "cosine":
        rows, others = (torch.nn.functional.normalize(side, p=2, dim=1) for side in (rows, others))
    if similarity in ("cosine", "dot"):
        scores = (rows * others).sum(dim=-1)
    elif similarity == "euclidean":
        scores = -torch.linalg.vector_norm(rows - others, dim=-1)
    else:
        scores = -torch.sum(torch.abs(rows - others), dim=-1)
    return scores.numpy()


def _max_length(model: SavedModel, of_tokenizer: int, requested: int | None, *, name: str) -> int:
    limit = longest(model.config)
    of_model = model.max_length or min(of_tokenizer, int(model.config["max_position_embeddings"]))
    if of_model > limit:
        raise LookupError(f"a maximum length of {of_model} tokens for {limit} positions")
    if requested is not None and requested > limit:
        raise ModelError(f"model {name}: --max-length {requested} is more than the {limit} tokens that it can take")
    return requested or of_model
