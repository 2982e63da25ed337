"""Encodes with a model that sentence-transformers opens, by hub name or folder. Owns `torch`, `sentence_transformers`.

A model without sentence-transformers settings gets mean pooling, as in sentence-transformers. fp16 and bf16 apply to
the forward pass; vectors are returned as float32.
"""

from __future__ import annotations

import functools
import gc
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.encoding import batches, pipeline
from harness.errors import ModelError
from harness.models import (
    backend_files,
    cuda_runtime,
    dense_facts,
    dense_loading,
    forward_threads,
    model_prompts,
    packed_batches,
    packing,
    tokenized_block,
)
from harness.models.batch_positions import positions_follow_the_batch
from harness.models.devices import device_name, pick_single_device
from harness.models.forward_precision import AS_STORED, forward_precision
from harness.models.packed_forward import PackedTexts
from harness.models.vector_identity import identity
from harness.types import Batching, Encoded, EncodeOptions, EncoderFacts, ModelSpec, Prompt, Role

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from harness.types import Float32, Int64


_RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino"}


class SentenceTransformerEncoder:
    """A `SentenceTransformer` whose modules are called with the batches of `encoding.batches`."""

    def __init__(self, spec: ModelSpec, options: EncodeOptions) -> None:
        self._device = pick_single_device(options.device)
        self._of_caller = spec.function is not None
        cuda_runtime.grow_segments(self._device)
        precision = forward_precision(spec, options) if spec.backend_file is None else "fp32"
        self._opening = model_prompts.opening(spec)
        self._model = dense_loading.load(spec, self._opening, self._device, precision)
        # Its code may not be safe to run in several threads; other backends have threads of their own.
        self._one_lane = spec.trust_remote_code or spec.backend_file is not None
        if options.max_length is not None:
            _shorten(self._model, options.max_length, name=spec.name)
        self._max_length = dense_facts.max_length(self._model)
        dimensions = self._model.get_embedding_dimension()
        self._kept_dimensions: int | None = self._model.truncate_dim
        self._budget = options.batch_tokens or forward_threads.budget(self._device, dimensions=dimensions or 1024)
        self._memory = forward_threads.memory(self._device)
        follows = positions_follow_the_batch(self._model, precision)
        obstacles = {
            "code of its own computes it": spec.trust_remote_code,
            "the caller has opened it, and may change it": self._of_caller,
            "its positions follow from the texts of a batch": follows,
        }
        obstacle = next((reason for reason, stands in obstacles.items() if stands), "")
        self._packing = packing.decide(self._model, self._device, options, precision, name=spec.name, obstacle=obstacle)
        self.facts = EncoderFacts(
            backend="sentence-transformers",
            device=str(self._device),
            device_name=device_name(self._device),
            precision=precision,
            architecture=dense_facts.architecture(self._model),
            pooling=dense_facts.pooling(self._model),
            normalized=dense_facts.is_normalized(self._model, self._opening.after),
            depends_on_batch="positions" if follows else "last bits",
            attention=self._packing.attention or dense_facts.attention(self._model, self._device),
            encoding=self._packing.encoding,
            runtime=cuda_runtime.versions(self._device),
            max_length=self._max_length,
            similarity=self._opening.similarity or str(self._model.similarity_fn_name),
            dimensions=dimensions,
            parameters=sum(parameter.numel() for parameter in self._model.parameters()),
            batching=f"{self._budget} tokens",
            batch_tokens=self._budget,
            prompts=model_prompts.prompt_rules(spec, dense_loading.prompts_of(self._model)),
        )
        runtimes: tuple[str, ...] = ()
        if spec.backend_file is not None:
            runtimes = (_RUNTIMES[spec.backend_file.backend],)
            self.facts = replace(
                self.facts,
                backend=runtimes[0],
                precision=AS_STORED,
                parameters=None,
                attention=None,
                architecture=None,
                depends_on_batch="quantization",
                weights=backend_files.digests(backend_files.local_paths(spec)),
            )
        self._identity = identity(
            spec,
            self.facts,
            packages=("embedding-harness", "torch", "transformers", "tokenizers", "sentence-transformers", *runtimes),
        )

    def identity(self, *, prompt: Prompt, role: Role | None) -> Mapping[str, Any] | None:
        """Model, settings, prompt and role: a two-tower model has other weights for each role.

        None for a model that the caller has opened, so that its vectors are not cached: its weights may change.
        """
        if self._of_caller:
            return None
        adapter = {"adapter": prompt.adapter} if prompt.adapter else {}
        return {**self._identity, "prompt": prompt.text or "", "role": role or "", **adapter}

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """The (n, dim) float32 vectors of each block, its tokens, and which texts were cut at the maximum length."""
        exact = batching == "mteb"
        told = prompt.adapter or (role if self.facts.prompts.tells_role else None)
        task = {"task": told} if told else {}
        steps = self._opening.after

        def prepare(texts: Sequence[str]) -> pipeline.Prepared:
            return self._prepared(list(texts), prompt, task, exact=exact)

        def forward(inputs: PackedTexts | Mapping[str, Any]) -> torch.Tensor:
            from sentence_transformers.util import batch_to_device

            rows: torch.Tensor
            if isinstance(inputs, PackedTexts):
                assert self._packing.forward is not None, "only its batches are packed"
                rows = self._packing.forward(inputs, self._device)
            else:
                # A copy: modules write into their input, which is used again when a batch does not fit in memory.
                features = batch_to_device(dict(inputs), self._device)
                rows = self._model(features, **task)["sentence_embedding"]
            rows = rows[:, : self._kept_dimensions]
            return _after(rows.float(), steps) if steps else rows

        answers = pipeline.encode(
            blocks,
            prepare=prepare,
            lanes=forward_threads.lanes(forward, self._device, exact=exact or self._one_lane),
            memory=self._memory,
        )
        return cuda_runtime.all_pinned(answers, self._device)

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """The model's similarity of row i with row i: (n, dim), (n, dim) -> (n,) float32."""
        import torch

        similarity = dense_loading.pairwise_similarity(self._model, self._opening.similarity_pairwise)
        scores = similarity(torch.from_numpy(left), torch.from_numpy(right))
        return scores.numpy()

    def close(self) -> None:
        """Free the model's memory, on the device too."""
        import torch

        del self._model
        self._packing = self._packing._replace(forward=None)
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _prepared(self, texts: list[str], prompt: Prompt, task: Mapping[str, Any], *, exact: bool) -> pipeline.Prepared:
        """A block in batches that the model's `preprocess` makes, with the tokens of each text where it gives them."""
        budget = self._memory.budget(self._budget)
        block, preprocess = None, functools.partial(self._model.preprocess, prompt=prompt.text, **task)
        if exact:
            positions_of_batches = batches.by_count(len(texts), size=batches.MTEB_BATCH)
        elif texts:
            features = preprocess(texts)
            if self._packing.forward is not None:
                return self._packed(texts, features, prompt, preprocess)
            block = tokenized_block.of_features(features, len(texts))
            lengths = self._lengths(texts, prompt) if block is None else block.lengths
            positions_of_batches = batches.by_tokens(lengths, budget=budget)
        else:
            return pipeline.Prepared([], None, None)
        make = (lambda positions: preprocess([texts[i] for i in positions])) if block is None else block.batch
        prepared = [tokenized_block.batch_of(positions, make) for positions in positions_of_batches]
        tokens_of_batches = [tokenized_block.tokens_of(batch.inputs, len(batch.positions)) for batch in prepared]
        if any(counted is None for counted in tokens_of_batches):
            return pipeline.Prepared(prepared, None, self._truncated(texts, prompt, None))
        tokens = np.zeros(len(texts), dtype=np.int32)
        for batch, counted in zip(prepared, tokens_of_batches, strict=True):
            tokens[batch.positions] = counted
        return pipeline.Prepared(prepared, tokens, self._truncated(texts, prompt, tokens))

    def _packed(
        self, texts: list[str], features: Mapping[str, Any], prompt: Prompt, preprocess: Callable[[list[str]], Any]
    ) -> pipeline.Prepared:
        """A block in packed batches; texts without any token are padded ones."""
        ids = packing.token_ids(features)
        lengths = np.fromiter(map(len, ids), dtype=np.int32, count=len(ids))
        prepared = packed_batches.cut(
            ids,
            np.flatnonzero(lengths),
            budget=self._memory.budget(self._budget),
            same_shape=self._device.type == "cuda",
        )
        if not lengths.all():
            prepared.append(
                tokenized_block.batch_of(np.flatnonzero(lengths == 0), lambda at: preprocess([texts[i] for i in at]))
            )
        return pipeline.Prepared(prepared, lengths, self._truncated(texts, prompt, lengths))

    def _truncated(
        self, texts: list[str], prompt: Prompt, tokens: NDArray[np.int32] | None
    ) -> NDArray[np.bool_] | None:
        """Whether each text was cut; None where the tokenizer cannot count tokens.

        Only texts that fill the maximum length are tokenized whole.
        """
        truncated = np.zeros(len(texts), dtype=bool)
        places = np.arange(len(texts))
        if tokens is not None:
            places = np.flatnonzero(tokens >= (self._max_length or np.inf))
        counts = self._token_counts([texts[i] for i in places], prompt)
        if counts is None:
            return truncated if not len(places) and callable(self._model.tokenizer) else None
        truncated[places] = counts > (self._max_length or counts)
        return truncated

    def _lengths(self, texts: list[str], prompt: Prompt) -> Int64:
        """Tokens of each text after it is cut, or its characters where they cannot be counted."""
        counts = self._token_counts(texts, prompt)
        if counts is None:
            return np.array([len(text) for text in texts], dtype=np.int64)
        return np.minimum(counts, self._max_length or counts)

    def _token_counts(self, texts: list[str], prompt: Prompt) -> Int64 | None:
        """Tokens of each text with its prompt, before it is cut; None where the tokenizer cannot count them."""
        tokenizer = self._model.tokenizer
        prompted = [(prompt.text or "") + text for text in texts]
        if hasattr(tokenizer, "encode_batch_fast"):  # of static embeddings: no special tokens, no maximum length
            encodings = tokenizer.encode_batch_fast(prompted, add_special_tokens=False)
            return np.array([len(encoding.ids) for encoding in encodings], dtype=np.int64)
        if not texts or not callable(tokenizer):
            return None
        return np.array([len(ids) for ids in tokenizer(prompted, verbose=False)["input_ids"]], dtype=np.int64)


def _after(rows: torch.Tensor, steps: Sequence[str]) -> torch.Tensor:
    """The vectors as mteb's loader changes them."""
    import torch.nn.functional as functional

    for step in steps:
        if step == "layer_norm":
            rows = functional.layer_norm(rows, normalized_shape=(rows.shape[1],))
        else:
            rows = functional.normalize(rows, p=2, dim=1)
    return rows


def _shorten(model: Any, length: int, *, name: str) -> None:
    of_model = dense_facts.max_length(model)
    if model.max_seq_length == math.inf:
        raise ModelError(f"model {name}: --max-length {length}: this model reads texts whole; leave the option out")
    limit = None if of_model is None else _position_limit(model, otherwise=of_model)
    if limit is not None and length > limit:
        raise ModelError(f"model {name}: --max-length {length} is more than the {limit} tokens that it can take")
    model.max_seq_length = length


def _position_limit(model: Any, *, otherwise: int) -> int:
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    limit = getattr(config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else otherwise
