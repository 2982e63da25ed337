"""Any sentence-transformers or transformers model, by hub name or folder. Owns `torch` and `sentence_transformers`.

A plain transformers model gets mean pooling, as sentence-transformers gives it. fp16 and bf16 apply to the forward
pass; rows leave here as float32.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import hub
from harness.encoding import batches, pipeline
from harness.errors import ModelError
from harness.models import catalog
from harness.models.devices import DTYPES, device_name, pick_device, pick_precision
from harness.types import Encoded, EncodeOptions, EncoderFacts, ModelSpec, Precision, Prompt, Role

if TYPE_CHECKING:
    import torch

    from harness.types import Float32

_BATCH_TEXTS = 32


class SentenceTransformerEncoder:
    """A `SentenceTransformer`, fed by our own batches.

    Without `batch_tokens`, batches hold 32 texts sorted by characters: those of sentence-transformers and mteb, so that
    vectors are theirs to the bit. With it, each distinct text is encoded once, in batches of that many tokens.
    """

    def __init__(self, spec: ModelSpec, options: EncodeOptions) -> None:
        self._device = pick_device(options.device)
        self._precision = pick_precision(options.precision, self._device)
        self._batch_tokens = options.batch_tokens
        self._model = _load(spec, self._device, self._precision)
        if spec.ref is not None and not hub.is_offline():
            hub.remember(spec.location, ref=spec.ref, commit=spec.revision)
        if options.max_length is not None:
            _shorten(self._model, options.max_length, name=spec.name)
        self._max_length = _max_length(self._model)
        known = catalog.prompts(spec.name) if spec.origin == "hub" else None
        self.facts = EncoderFacts(
            backend="sentence-transformers",
            device=str(self._device),
            device_name=device_name(self._device),
            precision=self._precision,
            attention=_attention(self._model),
            max_length=self._max_length,
            similarity=str(self._model.similarity_fn_name),
            dimensions=self._model.get_embedding_dimension(),
            parameters=sum(parameter.numel() for parameter in self._model.parameters()),
            batching=f"{self._batch_tokens} tokens" if self._batch_tokens else f"{_BATCH_TEXTS} texts",
            prompts=known or {name: text for name, text in self._model.prompts.items() if text is not None},
            prompts_from="catalog" if known else "model",
            default_prompt=None if known else self._model.default_prompt_name,
        )

    def encode(self, texts: Sequence[str], *, prompt: Prompt, role: Role | None) -> Encoded:
        """Rows for `texts` (n, dim) float32, tokens fed, and how many texts were cut at the maximum length."""
        import torch

        counts = _Counts()
        forward = self._forward(prompt, role, counts)
        with torch.inference_mode():
            if self._batch_tokens is None:
                rows = pipeline.encode(
                    texts,
                    batches=batches.by_count([len(text) for text in texts], size=_BATCH_TEXTS),
                    forward=forward,
                    is_out_of_memory=_is_out_of_memory,
                )
            else:
                distinct = batches.unique(texts)
                lengths = self._token_counts(distinct.texts, prompt)
                rows = pipeline.encode(
                    distinct.texts,
                    batches=batches.by_tokens(lengths, budget=self._batch_tokens),
                    forward=forward,
                    is_out_of_memory=_is_out_of_memory,
                )[distinct.positions]
        return Encoded(rows, counts.tokens, counts.truncated(texts))

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """The model's own similarity of row i with row i: (n, dim), (n, dim) -> (n,) float32."""
        import torch

        scores = self._model.similarity_pairwise(torch.from_numpy(left), torch.from_numpy(right))
        return scores.numpy()

    def close(self) -> None:
        """Free the model's memory, on the device too."""
        import torch

        del self._model
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _forward(self, prompt: Prompt, role: Role | None, counts: _Counts) -> Any:
        from sentence_transformers.util import batch_to_device

        task = {"task": role} if role else {}

        def forward(batch: list[str]) -> Float32:
            features = self._model.preprocess(batch, prompt=prompt.text, **task)
            fed = _Fed.of(features, batch)
            features = batch_to_device(features, self._device)
            rows = self._model(features, **task)["sentence_embedding"].float().cpu().numpy()
            # Not earlier: a batch that does not fit in memory comes again, in halves.
            counts.add(fed, batch, self._is_truncated(prompt))
            return rows

        return forward

    def _token_counts(self, texts: list[str], prompt: Prompt) -> list[int]:
        """Tokens of each text; characters where the tokenizer cannot say (only the batch sizes depend on it)."""
        tokenizer = self._model.tokenizer
        if not texts or not callable(tokenizer):
            return [len(text) for text in texts]
        with_prompt = [(prompt.text or "") + text for text in texts]
        encoded = tokenizer(with_prompt, truncation=self._max_length is not None, max_length=self._max_length)
        return [len(ids) for ids in encoded["input_ids"]]

    def _is_truncated(self, prompt: Prompt) -> Any:
        """A test for texts that fill `max_length` exactly: were they longer?"""
        tokenizer = self._model.tokenizer

        def test(text: str, tokens: int) -> bool:
            if self._max_length is None or tokens < self._max_length or not callable(tokenizer):
                return False
            return len(tokenizer((prompt.text or "") + text, verbose=False)["input_ids"]) > self._max_length

        return test


class _Fed(NamedTuple):
    """Tokens of a batch, and of each of its texts; None where the model's features do not tell."""

    tokens: int | None
    lengths: list[int] | None

    @classmethod
    def of(cls, features: Any, batch: list[str]) -> _Fed:
        mask, ids = features.get("attention_mask"), features.get("input_ids")
        if mask is None or mask.ndim != 2 or len(mask) != len(batch):
            # Static embeddings: one flat list of token ids for the whole batch, and no maximum length.
            return cls(None if ids is None else ids.numel(), None if ids is None else [0] * len(batch))
        lengths = mask.sum(dim=1).tolist()
        return cls(sum(lengths), lengths)


class _Counts:
    """Tokens fed and texts cut so far; None once a batch does not tell."""

    def __init__(self) -> None:
        self.tokens: int | None = 0
        self._cut: set[str] | None = set()

    def add(self, fed: _Fed, batch: list[str], is_truncated: Any) -> None:
        self.tokens = None if self.tokens is None or fed.tokens is None else self.tokens + fed.tokens
        if self._cut is None or fed.lengths is None:
            self._cut = None
        else:
            self._cut.update(
                text for text, length in zip(batch, fed.lengths, strict=True) if is_truncated(text, length)
            )

    def truncated(self, texts: Sequence[str]) -> int | None:
        """How many of `texts` were cut; one that stands there twice counts twice, though it may have been fed once."""
        return None if self._cut is None else sum(text in self._cut for text in texts)


def _load(spec: ModelSpec, device: torch.device, precision: Precision) -> Any:
    import torch

    with _quiet():
        from sentence_transformers import SentenceTransformer

        try:
            model = SentenceTransformer(
                spec.location,
                revision=spec.revision if spec.origin == "hub" else None,
                device=str(device),
                trust_remote_code=spec.trust_remote_code,
                local_files_only=hub.is_offline() or spec.origin != "hub",
                model_kwargs={"dtype": getattr(torch, DTYPES[precision])},
            )
        except Exception as err:
            hint = ""
            if "trust_remote_code" in str(err):
                hint = "; it brings its own code, which runs only with --trust-remote-code"
            raise ModelError(f"model {spec.name}: cannot be loaded ({_first_line(err)}){hint}") from err
        # Modules after the transformer (Dense, LayerNorm) are loaded in float32 whatever `dtype` says.
        return model.to(dtype=getattr(torch, DTYPES[precision])).eval()


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep progress bars and advice of the libraries off the terminal while a model loads."""
    from transformers.utils import logging as transformers_logging

    level = logging.getLogger("sentence_transformers").level
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("sentence_transformers").setLevel(level)
        transformers_logging.set_verbosity(verbosity)


def _max_length(model: Any) -> int | None:
    """The model's maximum length; None where it has none (static embeddings say infinity)."""
    length = model.max_seq_length
    return None if length is None or length == math.inf else int(length)


def _shorten(model: Any, length: int, *, name: str) -> None:
    own = _max_length(model)
    if model.max_seq_length == math.inf:
        raise ModelError(f"model {name}: --max-length {length}: this model reads texts whole; leave the option out")
    limit = None if own is None else _position_limit(model, own)
    if limit is not None and length > limit:
        raise ModelError(f"model {name}: --max-length {length} is more than the {limit} tokens that it can take")
    model.max_seq_length = length


def _position_limit(model: Any, own: int) -> int:
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    limit = getattr(config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else own


def _attention(model: Any) -> str | None:
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    return getattr(config, "_attn_implementation", None)


def _is_out_of_memory(err: BaseException) -> bool:
    import torch

    if isinstance(err, torch.OutOfMemoryError):
        torch.cuda.empty_cache()
        return True
    return isinstance(err, RuntimeError) and "out of memory" in str(err).lower()


def _first_line(err: BaseException) -> str:
    lines = [line for line in str(err).splitlines() if line.strip()]
    return f"{type(err).__name__}: {lines[0] if lines else err!r}"[:400]
