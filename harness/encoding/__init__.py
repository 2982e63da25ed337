"""Texts to vectors, checked and cached.

`encode` is the only way from texts to vectors. It reads from the vector cache what is there, lets the encoder compute
the rest block by block, and gives each block to the cache as soon as it is done. An answer that is not one finite row
per text is refused before a scorer sees it; zero rows are counted. Encoders are built from `batches` and `pipeline`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from harness.encoding import batches, block_plan, prompts, vector_cache
from harness.encoding.batches import sum_or_none
from harness.errors import EncodeError
from harness.evaluators import KINDS
from harness.types import Batching, Encoded, Encoder, Part, Prompt, PromptRules, Purpose, TaskSpec, Texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
        texts_zero: how many of the n texts have a zero vector.
    """

    vectors: Float32
    texts_encoded: int
    texts_cached: int
    texts_truncated: int | None
    tokens: int | None
    tokens_encoded: int | None
    tokens_padded: int | None
    texts_zero: int


def prompt_for(rules: PromptRules, task: TaskSpec, texts: Texts, *, part: Part) -> Prompt:
    """The prompt that a model with these rules puts before `texts` of a part of `task`."""
    if rules.by_model:
        return Prompt(None, None, purpose=Purpose(task, part))
    return prompts.choose(
        rules,
        task=task.name,
        task_type=task.type,
        role=texts.role,
        task_prompt=task.prompt,
        type_prompt=KINDS[task.type].instruction,
    )


def encode(
    encoder: Encoder,
    texts: Texts,
    *,
    prompt: Prompt,
    batching: Batching = "tokens",
    cache: Literal["float32", "float16", "off"] = "off",
    namespaces: vector_cache.Namespaces | None = None,
) -> EncodedTexts:
    """Encode `texts`, except for those whose vectors are in the vector cache.

    How texts are grouped into blocks depends on the whole list, not on what the cache has. A run that was killed and
    started again therefore gives the same vectors, to the bit. In half precision the other texts of a batch move more
    than the last bits of scores. A block's vectors are then found again for this block alone, and computed all together
    or not at all, so that no vector depends on what was encoded before.

    Args:
        encoder: the loaded model.
        texts: n texts and their role.
        prompt: what goes before each text.
        batching: how texts are put into batches.
        cache: the type of the vectors that are kept on disk; `off` neither reads nor writes the cache.
        namespaces: those of a run, which opens and writes the cache across many lists of texts; by default the cache is
            opened for this list, and its blocks are on disk at the end.

    Returns:
        (n, dim) float32 vectors in the order of the texts, and what they took.

    Raises:
        EncodeError: the encoder returned something else than a float matrix with one row per text, NaN, infinity, or
            zero vectors only.
    """
    with contextlib.ExitStack() as stack:
        namespaces = namespaces or stack.enter_context(vector_cache.Namespaces())
        return _encoded(encoder, texts, prompt=prompt, batching=batching, cache=cache, namespaces=namespaces)


def _encoded(
    encoder: Encoder,
    texts: Texts,
    *,
    prompt: Prompt,
    batching: Batching,
    cache: Literal["float32", "float16", "off"],
    namespaces: vector_cache.Namespaces,
) -> EncodedTexts:
    items = [text + prompt.suffix for text in texts.items] if prompt.suffix else texts.items
    distinct = _distinct(items, batching)
    total = len(distinct.texts)
    plan = block_plan.BlockPlan(distinct.texts, batching, encoder.facts)
    identity = None if cache == "off" else encoder.identity(prompt=prompt, role=texts.role)
    namespace, keys, cached = None, [], None
    if identity is not None and total:
        namespace = namespaces.open({**identity, "batching": batching}, dtype=_dtype(cache))
        keys = plan.keys()
        cached = namespace.get(keys)
    blocks = plan.blocks_to_encode(None if cached is None else cached.present)
    answers = encoder.encode(
        ([distinct.texts[i] for i in block] for block in blocks), prompt=prompt, role=texts.role, batching=batching
    )
    vectors: Float32 | None = None
    tokens, truncated = np.full(total, -1, np.int32), np.full(total, -1, np.int8)
    if cached is not None and cached.present.any():
        vectors, tokens, truncated = cached.vectors, cached.tokens, cached.truncated
    tokens_encoded: list[int | None] = []
    tokens_padded: list[int | None] = []
    for block, encoded in _placed(blocks, answers):
        rows = checked(encoded.vectors, [distinct.texts[i] for i in block], dimensions=encoder.facts.dimensions)
        if namespace is not None:
            rows = namespace.as_cached(rows)
            if not np.isfinite(rows).all():
                raise EncodeError("the model's vectors hold numbers that float16 cannot hold; use --store float32")
            namespace.put([keys[i] for i in block], rows, tokens=encoded.tokens, truncated=encoded.truncated)
        if vectors is None:
            vectors = np.empty((total, rows.shape[1]), dtype=np.float32)
        elif vectors.shape[1] != rows.shape[1]:
            raise EncodeError(f"the model returned vectors of {rows.shape[1]} and of {vectors.shape[1]} dimensions")
        vectors[block] = rows
        tokens_encoded.append(encoded.tokens_encoded if encoded.tokens is None else int(encoded.tokens.sum()))
        tokens_padded.append(encoded.tokens_padded)
        if encoded.tokens is not None:
            tokens[block] = encoded.tokens
        if encoded.truncated is not None:
            truncated[block] = encoded.truncated
    if vectors is None:
        vectors = np.empty((0, 0), dtype=np.float32)
    texts_encoded = sum(len(block) for block in blocks)
    positions = distinct.positions
    zero: NDArray[np.bool_] = np.count_nonzero(vectors, axis=1) == 0
    _refuse_only_zeros(zero, distinct.texts)
    return EncodedTexts(
        vectors=vectors if len(positions) == total else vectors[positions],
        texts_encoded=texts_encoded,
        texts_cached=total - texts_encoded,
        texts_truncated=None if (truncated < 0).any() else int(truncated[positions].sum()),
        tokens=None if (tokens < 0).any() else int(tokens[positions].sum()),
        tokens_encoded=sum_or_none(tokens_encoded),
        tokens_padded=sum_or_none(tokens_padded),
        texts_zero=int(zero[positions].sum()),
    )


def _placed(blocks: Sequence[Int64], answers: Iterable[Encoded]) -> Iterator[tuple[Int64, Encoded]]:
    """Each answer with the positions of its texts: those of the next block, or of the places that it tells.

    Raises:
        EncodeError: some texts got no answer, or more than one.
    """
    asked = np.concatenate(blocks) if blocks else np.empty(0, dtype=np.int64)
    answered = np.zeros(len(asked), dtype=np.int64)
    start = 0
    for number, encoded in enumerate(answers):
        places = encoded.places
        if places is None:
            places = np.arange(start, start + len(blocks[number]))
            start += len(places)
        answered[places] += 1
        yield asked[places], encoded
    if (answered != 1).any():
        raise EncodeError(f"the model returned not one vector for {int((answered != 1).sum())} of {len(asked)} texts")


def _distinct(texts: Sequence[str], batching: Batching) -> batches.Unique:
    """The texts to encode: each distinct one once, or every one where batches hold repeated texts too, as in mteb."""
    return batches.unique(texts) if batching == "tokens" else batches.Unique(list(texts), np.arange(len(texts)))


def _dtype(cache: str) -> Literal["float32", "float16"]:
    return "float16" if cache == "float16" else "float32"


def checked(vectors: Float32, texts: Sequence[str], *, dimensions: int | None = None) -> Float32:
    """Check what a model returned for `texts`.

    Args:
        vectors: what the model returned.
        texts: n texts.
        dimensions: of a row, where the encoder says how many it has.

    Returns:
        `vectors` as (n, dim) float32.

    Raises:
        EncodeError: not a float matrix with one row per text, no or other dimensions, NaN, or infinity; the message
            quotes the first text concerned.
    """
    rows = np.asarray(vectors)
    if not len(texts) and rows.size == 0:
        return np.empty((0, rows.shape[-1] if rows.ndim == 2 else 0), dtype=np.float32)
    if rows.ndim != 2 or rows.dtype.kind != "f" or not rows.shape[1]:
        raise EncodeError(
            f"the model returned an array of shape {rows.shape} and type {rows.dtype}; "
            "expected one row of floats per text (n_texts, dimensions)"
        )
    if len(rows) != len(texts):
        raise EncodeError(f"the model returned {len(rows)} vectors for {len(texts)} texts; expected one per text")
    if dimensions is not None and rows.shape[1] != dimensions:
        raise EncodeError(
            f"the model returned vectors of {rows.shape[1]} dimensions and says that it has {dimensions}; its settings "
            "contradict its weights"
        )
    with np.errstate(over="ignore"):  # what overflows is refused below
        rows = rows.astype(np.float32, copy=False)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise EncodeError(
            f"the model returned NaN or infinity for {int((~finite).sum())} of {len(texts)} texts, "
            f"first for {_excerpt(texts[int(np.argmin(finite))])}; try --precision fp32"
        )
    return rows


def _refuse_only_zeros(zero: NDArray[np.bool_], texts: Sequence[str]) -> None:
    """Refuse zero vectors for all of several texts: single ones are scored, as in mteb, but these compare nothing."""
    if len(texts) > 1 and zero.all() and (filled := [text for text in texts if text.strip()]):
        raise EncodeError(
            f"the model returned a zero vector for all of {len(texts)} texts, first for {_excerpt(filled[0])}; "
            "a zero vector has no direction to compare"
        )


def _excerpt(text: str) -> str:
    return f"{text[:60]!r}{'...' if len(text) > 60 else ''}"
