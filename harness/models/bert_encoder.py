"""BERT-shaped models straight from their files: tokenizer, weights and forward pass, without sentence-transformers.

Its import alone takes longer than many a task, and its batches hold 32 texts whatever their length. Owns `torch`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.encoding import batches, pipeline
from harness.errors import ModelError
from harness.models import bert_forward, forward_threads, prompt_catalog
from harness.models.bert_tokenizer import tokens
from harness.models.devices import DTYPES, device_name, pick_devices, pick_precision
from harness.models.saved_modules import Saved, longest
from harness.models.vector_identity import identity
from harness.types import Batching, Encoded, EncodeOptions, EncoderFacts, ModelSpec, Prompt, Role

if TYPE_CHECKING:
    import torch

    from harness.types import Float32, Int64


class _Inputs(NamedTuple):
    """A padded batch on the host: ids (n, longest) int64, lengths (n,) int64; whether any text is shorter; how."""

    ids: torch.Tensor
    lengths: torch.Tensor
    ragged: bool
    exact: bool


class BertEncoder:
    """A BERT with mean or CLS pooling.

    Raises:
        KeyError, OSError, LookupError: the files are not what `saved.read` took them for; open it another way.
        ModelError: the options do not fit the model or the machine.
    """

    def __init__(self, spec: ModelSpec, options: EncodeOptions, model: Saved) -> None:
        import torch

        self._devices = pick_devices(options.device)
        precision = pick_precision(options.precision, self._devices[0])
        self._tokenizer, self._padding, limit = tokens(model)
        self._max_length = _max_length(model, limit, options.max_length, name=spec.name)
        self._tokenizer.enable_truncation(self._max_length)
        self._copies, parameters = bert_forward.load(
            model, dtype=getattr(torch, DTYPES[precision]), devices=self._devices
        )
        self._at = dict(zip(self._devices, self._copies, strict=True))
        dimensions = self._copies[0].dimensions
        self._budget = options.batch_tokens or forward_threads.budget(self._devices[0], dimensions=dimensions)
        known = prompt_catalog.prompts(spec.name) if spec.origin == "hub" else None
        self.facts = EncoderFacts(
            backend="harness",
            device=",".join(str(device) for device in self._devices),
            device_name=device_name(self._devices[0]),
            precision=precision,
            attention="sdpa",
            max_length=self._max_length,
            similarity=model.similarity,
            dimensions=dimensions,
            parameters=parameters,
            batching=f"{self._budget} tokens",
            prompts=known or model.prompts,
            prompts_from="catalog" if known else "model",
            default_prompt=None if known else model.default_prompt,
        )
        self._identity = identity(
            spec, self.facts, packages=("embedding-harness", "torch", "transformers", "tokenizers")
        )

    def identity(self, *, prompt: Prompt, role: Role | None) -> Mapping[str, Any]:
        """Model, way of computing and prompt; the role picks nothing here beyond its prompt."""
        return {**self._identity, "prompt": prompt.text or ""}

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """Vectors of each block (n, dim) float32, its tokens, and which texts were cut."""
        exact = batching == "mteb"

        def prepare(texts: Sequence[str]) -> pipeline.Prepared:
            return self._prepared([(prompt.text or "") + text for text in texts], exact=exact)

        return pipeline.encode(
            blocks,
            prepare=prepare,
            lanes=forward_threads.lanes(self._forward, self._devices, exact=exact),
            is_out_of_memory=forward_threads.is_out_of_memory,
        )

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """The model's own similarity of row i with row i: (n, dim), (n, dim) -> (n,) float32."""
        return paired(left, right, similarity=self.facts.similarity)

    def close(self) -> None:
        """Free the model's memory, on the device too."""
        import torch

        self._copies, self._at = [], {}
        gc.collect()
        if self._devices[0].type == "cuda":
            torch.cuda.empty_cache()

    def _prepared(self, texts: list[str], *, exact: bool) -> pipeline.Prepared:
        """A block as token ids in padded batches: mteb's 32 as they come, or as many as the budget takes."""
        encodings = self._tokenizer.encode_batch_fast(texts)
        ids = [encoding.ids for encoding in encodings]
        lengths = np.fromiter((len(one) for one in ids), dtype=np.int64, count=len(ids))
        cut = (
            batches.by_count(len(ids), size=batches.MTEB_BATCH)
            if exact
            else batches.by_tokens(lengths, budget=self._budget)
        )
        return pipeline.Prepared(
            [self._batch(positions, self._padded(positions, ids, lengths, exact=exact)) for positions in cut],
            tokens=lengths.astype(np.int32),
            truncated=np.fromiter((bool(one.overflowing) for one in encodings), dtype=bool, count=len(ids)),
        )

    def _padded(self, positions: Int64, ids: list[list[int]], lengths: Int64, *, exact: bool) -> _Inputs:
        import torch

        own = lengths[positions]
        padded = np.full((len(positions), int(own.max())), self._padding, dtype=np.int64)
        for row, position in zip(padded, positions, strict=True):
            row[: lengths[position]] = ids[position]
        tensors = torch.from_numpy(padded), torch.from_numpy(own)
        if self._devices[0].type == "cuda":
            tensors = tensors[0].pin_memory(), tensors[1].pin_memory()
        return _Inputs(*tensors, ragged=bool(own.min() < own.max()), exact=exact)

    def _batch(self, positions: Int64, inputs: _Inputs) -> pipeline.Batch:
        def halves() -> tuple[pipeline.Batch, pipeline.Batch]:
            half = len(positions) // 2
            first, second = (
                self._batch(positions[part], inputs._replace(ids=inputs.ids[part], lengths=inputs.lengths[part]))
                for part in (slice(None, half), slice(half, None))
            )
            return first, second

        return pipeline.Batch(positions, inputs, inputs.ids.numel(), halves if len(positions) > 1 else None)

    def _forward(self, inputs: _Inputs, device: torch.device) -> torch.Tensor:
        ids, lengths = inputs.ids, inputs.lengths
        if device.type != "cpu":
            ids, lengths = ids.to(device, non_blocking=True), lengths.to(device, non_blocking=True)
        return self._at[device].forward(ids, lengths, ragged=inputs.ragged, exact=inputs.exact)


def paired(left: Float32, right: Float32, *, similarity: str) -> Float32:
    """Similarity of row i with row i, computed with the operations of sentence-transformers 6.2, to the bit."""
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


def _max_length(model: Saved, of_tokenizer: int, asked: int | None, *, name: str) -> int:
    limit = longest(model.config)
    own = model.max_length or min(of_tokenizer, int(model.config["max_position_embeddings"]))
    if own > limit:
        raise LookupError(f"a maximum length of {own} tokens for {limit} positions")
    if asked is not None and asked > limit:
        raise ModelError(f"model {name}: --max-length {asked} is more than the {limit} tokens that it can take")
    return asked or own
