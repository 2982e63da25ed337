"""Texts into embeddings, checked and kept.

`encode` is the one way from texts to vectors: it takes from the store what is there, lets the encoder compute the rest
block by block, keeps each block as soon as it is done, and refuses what is not one finite, non-zero row per text,
before any scorer sees it. `batches` and `pipeline` are what encoders are built from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from harness.encoding import batches, prompts, vector_cache
from harness.encoding.pipeline import known_sum
from harness.errors import EncodeError
from harness.types import Batching, Encoder, Prompt, TaskSpec, Texts

if TYPE_CHECKING:
    from harness.types import Float32, Int64


class EncodedTexts(NamedTuple):
    """The vectors of a list of n texts, and what they took. A count is None where the model does not give it.

    Attributes:
        vectors: (n, dim) float32, row i for text i.
        texts_encoded: texts that went through the model now.
        texts_cached: distinct texts that the vector cache had.
        texts_truncated: how many of the n texts were cut at the maximum length.
        tokens: tokens of all n texts.
        tokens_encoded: tokens of the texts that went through the model now.
        tokens_padded: the same with padding.
    """

    vectors: Float32
    texts_encoded: int
    texts_cached: int
    texts_truncated: int | None
    tokens: int | None
    tokens_encoded: int | None
    tokens_padded: int | None


def prompt_for(encoder: Encoder, task: TaskSpec, texts: Texts) -> Prompt:
    """The prompt that `encoder` puts before `texts` of `task`."""
    facts = encoder.facts
    return prompts.choose(
        facts.prompts, task=task.name, task_type=task.type, role=texts.role, default=facts.default_prompt
    )


def encode(
    encoder: Encoder,
    texts: Texts,
    *,
    prompt: Prompt,
    batching: Batching = "tokens",
    keep: Literal["float32", "float16", "off"] = "off",
) -> EncodedTexts:
    """The vectors of `texts`: what the store has, and the rest from the encoder.

    How texts are grouped into blocks depends on the whole list, not on what the store has: a run that was killed and
    started again gives the same vectors to the bit.

    Raises:
        EncodeError: not a float matrix, another number of rows than texts, NaN, infinity, or a zero vector.
    """
    distinct = batches.unique(texts.items) if batching == "tokens" else _as_they_are(texts.items)
    total = len(distinct.texts)
    identity = None if keep == "off" else encoder.identity(prompt=prompt, role=texts.role)
    namespace, keys, held = None, [], None
    if identity is not None and total:
        namespace = vector_cache.Namespace(
            {**identity, "batching": batching}, dtype="float16" if keep == "float16" else "float32"
        )
        keys = _keys(distinct.texts, batching)
        held = namespace.get(keys)
    todo = _missing(distinct.texts, batching, None if held is None else held.found)
    answers = encoder.encode(
        ([distinct.texts[i] for i in block] for block in todo), prompt=prompt, role=texts.role, batching=batching
    )
    rows: Float32 | None = None
    tokens, truncated = np.full(total, -1, np.int32), np.full(total, -1, np.int8)
    if held is not None and held.found.any():
        rows = held.rows
        tokens, truncated = held.tokens, held.truncated
    tokens_encoded: list[int | None] = []
    tokens_padded: list[int | None] = []
    for block, encoded in zip(todo, answers, strict=True):
        items = [distinct.texts[i] for i in block]
        vectors = checked(encoded.vectors, items)
        if namespace is not None:
            vectors = namespace.as_stored(vectors)
            if not np.isfinite(vectors).all():
                raise EncodeError("the model's vectors hold numbers beyond those of float16; use --store float32")
            namespace.put([keys[i] for i in block], vectors, tokens=encoded.tokens, truncated=encoded.truncated)
        if rows is None:
            rows = np.empty((total, vectors.shape[1]), dtype=np.float32)
        elif rows.shape[1] != vectors.shape[1]:
            raise EncodeError(f"the model returned vectors of {vectors.shape[1]} and of {rows.shape[1]} dimensions")
        rows[block] = vectors
        tokens_encoded.append(None if encoded.tokens is None else int(encoded.tokens.sum()))
        tokens_padded.append(encoded.tokens_padded)
        if encoded.tokens is not None:
            tokens[block] = encoded.tokens
        if encoded.truncated is not None:
            truncated[block] = encoded.truncated
    if rows is None:
        rows = np.empty((0, 0), dtype=np.float32)
    count = sum(len(block) for block in todo)
    every = distinct.positions
    return EncodedTexts(
        vectors=rows if batching == "mteb" or len(every) == total else rows[every],
        texts_encoded=count,
        texts_cached=total - count,
        texts_truncated=None if (truncated < 0).any() else int(truncated[every].sum()),
        tokens=None if (tokens < 0).any() else int(tokens[every].sum()),
        tokens_encoded=known_sum(tokens_encoded),
        tokens_padded=known_sum(tokens_padded),
    )


def _as_they_are(texts: Sequence[str]) -> batches.Unique:
    return batches.Unique(list(texts), np.arange(len(texts)))


def _keys(texts: Sequence[str], batching: Batching) -> list[bytes]:
    """Store keys. In mteb's batches a vector belongs to a place in a list: its last bits depend on its neighbours."""
    if batching == "tokens":
        return [vector_cache.key(text) for text in texts]
    digest = hashlib.sha256()
    for text in texts:
        digest.update(vector_cache.key(text))
    return [vector_cache.key(digest.hexdigest(), str(place)) for place in range(len(texts))]


def _missing(texts: Sequence[str], batching: Batching, found: np.ndarray | None) -> list[Int64]:
    """The blocks to encode, without what was found; mteb's batches only go together."""
    characters = [len(text) for text in texts]
    planned = batches.blocks(characters) if batching == "tokens" else batches.blocks_of_mteb(characters)
    if found is None:
        return planned
    if batching == "mteb":
        return [block for block in planned if not found[block].all()]
    return [left for block in planned if len(left := block[~found[block]])]


def checked(embeddings: Float32, texts: Sequence[str]) -> Float32:
    """`embeddings` as float32 (n, dim), or an EncodeError that names the first text that went wrong."""
    rows = np.asarray(embeddings)
    if not len(texts) and rows.size == 0:
        return np.empty((0, rows.shape[-1] if rows.ndim == 2 else 0), dtype=np.float32)
    if rows.ndim != 2 or rows.dtype.kind != "f":
        raise EncodeError(
            f"the model returned an array of shape {rows.shape} and type {rows.dtype}; "
            "expected one row of floats per text (n_texts, dimensions)"
        )
    if len(rows) != len(texts):
        raise EncodeError(f"the model returned {len(rows)} vectors for {len(texts)} texts; expected one per text")
    with np.errstate(over="ignore"):  # what overflows is refused below
        rows = rows.astype(np.float32, copy=False)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise EncodeError(
            f"the model returned NaN or infinity for {int((~finite).sum())} of {len(texts)} texts, "
            f"first for {_shown(texts[int(np.argmin(finite))])}; try --precision fp32"
        )
    alive = rows.any(axis=1)
    if not alive.all():
        raise EncodeError(
            f"the model returned a zero vector for {int((~alive).sum())} of {len(texts)} texts, "
            f"first for {_shown(texts[int(np.argmin(alive))])}; a zero vector has no direction to compare"
        )
    return rows


def _shown(text: str) -> str:
    return f"{text[:60]!r}{'...' if len(text) > 60 else ''}"
