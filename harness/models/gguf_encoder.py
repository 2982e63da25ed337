"""Encodes with a GGUF file by llama.cpp. Owns `llama_cpp`.

Tokenizer, special tokens and pooling are those of the file's metadata. The vectors have unit length, as llama.cpp's
own tools give them. Each text is a batch of its own, so that its vector does not depend on others. A text that is
too long keeps its last token, which ends it in the file's own tokenizer.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ModelError, first_line
from harness.evaluators.similarity import paired, unit_rows
from harness.models import backend_files, model_prompts
from harness.models.forward_precision import AS_STORED
from harness.models.vector_identity import identity
from harness.types import Batching, Encoded, EncodeOptions, EncoderFacts, ModelSpec, Prompt, PromptRules, Role

if TYPE_CHECKING:
    from harness.types import Float32

_POOLINGS: Mapping[str, str] = {"1": "mean", "2": "cls", "3": "last"}
"""Values of the metadata's `pooling_type` -> their names."""
_LONGEST = 8192
"""The maximum length where neither the user nor mteb names one and the file allows more: memory grows with it."""


class GgufEncoder:
    """A model of llama.cpp on the CPU."""

    def __init__(self, spec: ModelSpec, options: EncodeOptions) -> None:
        import llama_cpp

        if options.device not in ("auto", "cpu"):
            raise ModelError(f"model {spec.name}: --device {options.device}: a GGUF file runs on the CPU; leave it out")
        paths = backend_files.local_paths(spec)
        opening = model_prompts.opening(spec)
        if opening.after or opening.tokenizer:
            raise ModelError(f"model {spec.name}: --like {spec.like}: needs steps that llama.cpp has not; leave it out")
        file = next(iter(paths.values()))
        context = _opened(spec, llama_cpp, file, vocab_only=True)
        metadata = dict(context.metadata)
        context.close()
        architecture = metadata.get("general.architecture", "")
        pooling = _POOLINGS.get(metadata.get(f"{architecture}.pooling_type", ""))
        if pooling is None:
            raise ModelError(
                f"model {spec.name}: {file.name} does not say how the states of its tokens become a vector "
                f"({architecture}.pooling_type is {metadata.get(f'{architecture}.pooling_type', 'missing')}); convert "
                "the model again from its sentence-transformers folder"
            )
        allowed = int(metadata.get(f"{architecture}.context_length", _LONGEST))
        asked = options.max_length or opening.max_length
        if options.max_length is not None and options.max_length > allowed:
            raise ModelError(
                f"model {spec.name}: --max-length {options.max_length} is more than the {allowed} tokens that it "
                "can take"
            )
        self._max_length = min(asked or _LONGEST, allowed)
        self._model = _opened(
            spec,
            llama_cpp,
            file,
            embedding=True,
            n_ctx=self._max_length,
            n_batch=self._max_length,
            n_ubatch=self._max_length,
        )
        special = len(self._model.tokenize(b""))
        if self._max_length <= special:
            raise ModelError(
                f"model {spec.name}: a maximum length of {self._max_length} leaves no token of the text beside the "
                f"special tokens ({special}); expected {special + 1} or more"
            )
        self._model.tokenize = self._tokens  # what `embed` calls
        self.facts = EncoderFacts(
            backend="llama-cpp-python",
            device="cpu",
            device_name="cpu",
            precision=AS_STORED,
            architecture=architecture,
            pooling=pooling,
            normalized=True,
            max_length=self._max_length,
            dimensions=self._model.n_embd(),
            batching="1 text",
            prompts=model_prompts.prompt_rules(spec, PromptRules()),
            weights=backend_files.digests(paths),
        )
        self._identity = identity(spec, self.facts, packages=("embedding-harness", "llama-cpp-python"))

    def identity(self, *, prompt: Prompt, role: Role | None) -> Mapping[str, Any]:
        """File, settings and prompt."""
        return {**self._identity, "prompt": prompt.text or ""}

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """The (n, dim) float32 vectors of each block, its tokens, and which texts were cut at the maximum length."""
        for texts in blocks:
            rows = np.empty((len(texts), self.facts.dimensions or 0), dtype=np.float32)
            counts = np.empty(len(texts), dtype=np.int32)
            for place, text in enumerate(texts):
                rows[place] = self._model.embed((prompt.text or "") + text, normalize=False)
                counts[place] = self._count
            truncated = counts > self._max_length
            tokens = np.minimum(counts, self._max_length).astype(np.int32)
            yield Encoded(unit_rows(rows), tokens, truncated, int(tokens.sum()))

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """The cosine of row i with row i: (n, dim), (n, dim) -> (n,) float32."""
        return paired(left, right, similarity="cosine")

    def _tokens(self, text: bytes) -> list[int]:
        """The tokens of a text, at most the maximum length, the last one among them."""
        tokens: list[int] = type(self._model).tokenize(self._model, text)
        self._count = len(tokens)
        return tokens if len(tokens) <= self._max_length else [*tokens[: self._max_length - 1], tokens[-1]]

    def close(self) -> None:
        """Free the model's memory."""
        self._model.close()
        gc.collect()


def _opened(spec: ModelSpec, llama_cpp: Any, file: Any, **settings: Any) -> Any:
    try:
        return llama_cpp.Llama(model_path=str(file), n_gpu_layers=0, verbose=False, **settings)
    except (ValueError, RuntimeError) as err:
        raise ModelError(f"model {spec.name}: llama.cpp cannot load {file.name} ({first_line(err)})") from err
