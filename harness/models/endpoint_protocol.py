"""What is particular to a provider's protocol: where its key stands, what a request holds, how an answer is read."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from harness.errors import EncodeError
from harness.evaluators import KINDS
from harness.models.endpoint_names import Endpoint
from harness.types import AdapterRules

if TYPE_CHECKING:
    from harness.types import Float32


class ServerAnswer(NamedTuple):
    """What a server answered to n texts.

    Attributes:
        vectors: (n, dim) float32.
        tokens: of all texts together, as the server counts them; None where it does not say.
        model: the model's name, as the server reports it; None where it does not.
    """

    vectors: Float32
    tokens: int | None
    model: str | None


class Ask(NamedTuple):
    """What one request is to say.

    Attributes:
        texts: n texts, with their prompts.
        input_type: what they are for, in the provider's words; None to leave it out.
        truncated: whether the server may cut texts that are too long.
    """

    texts: Sequence[str]
    input_type: str | None = None
    truncated: bool = False


def by_purpose(**words: str) -> dict[str, str]:
    """Task type -> a provider's word for the purpose of its texts, given the words by purpose."""
    return {name: words[kind.purpose] for name, kind in KINDS.items() if kind.purpose in words}


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointProtocol:
    """How to talk to the servers of a provider.

    Attributes:
        key_variables: the environment variables that may hold the key for the provider's own API.
        headers: key -> the headers that carry it.
        path: what is added to the URL.
        body: of a request, as JSON values.
        read: the JSON value of an answer, and the number of texts -> what it says.
        texts_per_request: the most that the provider takes.
        tokens_per_request: the most that the provider takes, by an estimate that is rather too high.
        long_texts: what happens to texts beyond the model's maximum length. `cut here`: the server refuses them, so
            they are cut before. `cut when asked`: it refuses them unless the request allows that they are cut.
            `unknown`: it may cut them without a word.
        input_types: which input type belongs to which text; None for a protocol without.
        needs_input_type: whether a request without an input type is refused.
        empty_text: what is sent in place of an empty text.
        cut: text -> the part of it within the maximum length, for servers that refuse longer texts; None where this
            machine cannot tell.
        advice: what to do about a text that is refused.
    """

    key_variables: tuple[str, ...]
    headers: Callable[[str], Mapping[str, str]]
    path: Callable[[Endpoint], str]
    body: Callable[[Endpoint, Ask], dict[str, Any]]
    read: Callable[[Any, int], ServerAnswer]
    texts_per_request: int
    tokens_per_request: int
    long_texts: Literal["cut here", "cut when asked", "unknown"]
    input_types: AdapterRules | None = None
    needs_input_type: bool = False
    empty_text: str = ""
    cut: Callable[[str], str | None] = lambda text: None
    advice: str = "leave out the task"


class BadAnswer(Exception):
    """An answer that is not what the protocol says; the message is the end of a sentence."""


def bearer(key: str) -> dict[str, str]:
    """The header of most providers."""
    return {"Authorization": f"Bearer {key}"}


def indexed(content: Any, count: int) -> list[Any]:
    """The embeddings of an answer in OpenAI's form, in the order of the texts.

    Raises:
        BadAnswer: not one embedding for each text.
    """
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, list) or not all(isinstance(item, dict) and "embedding" in item for item in data):
        raise BadAnswer('it holds no list "data" of embeddings')
    if len(data) != count:
        raise BadAnswer(f"it holds {len(data)} embeddings for {count} texts")
    places = [item.get("index") for item in data]
    if all(place is None for place in places):
        return [item["embedding"] for item in data]
    if sorted(place if isinstance(place, int) else -1 for place in places) != list(range(count)):
        raise BadAnswer(f'"index" of its embeddings does not count from 0 to {count - 1}')
    return [item["embedding"] for item in sorted(data, key=lambda item: item["index"])]


def read_indexed(content: Any, count: int) -> ServerAnswer:
    """An answer in OpenAI's form; its vectors may be base64 too."""
    return ServerAnswer(
        matrix(indexed(content, count)),
        tokens_in(content.get("usage"), "prompt_tokens", "total_tokens"),
        text_or_none(content.get("model")),
    )


def matrix(embeddings: Sequence[Any]) -> Float32:
    """(n, dim) float32 of n embeddings: lists of numbers, or little-endian float32 in base64.

    Raises:
        BadAnswer: not numbers.
        EncodeError: not one vector for each text, other dimensions, NaN or infinity.
    """
    rows = [_row(embedding) for embedding in embeddings]
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise EncodeError(f"the server returned vectors of {min(widths)} and of {max(widths)} dimensions")
    if widths == {0}:
        raise BadAnswer("its embeddings are empty")
    vectors = np.array(rows, dtype=np.float32)
    if not np.isfinite(vectors).all():
        raise EncodeError("the server returned NaN, infinity, or a number that float32 cannot hold")
    return vectors


def _row(embedding: Any) -> Float32:
    if isinstance(embedding, str):
        try:
            return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4").astype(np.float32)
        except (binascii.Error, ValueError) as err:
            raise BadAnswer("an embedding is a text that is not float32 numbers in base64") from err
    if isinstance(embedding, list) and embedding and all(isinstance(item, list) for item in embedding):
        raise EncodeError(
            f"the server returned {len(embedding)} vectors for one text, one for each token; start it with pooling "
            "(llama-server: --pooling mean, cls or last)"
        )
    if not isinstance(embedding, list) or not all(type(number) in (int, float) for number in embedding):
        raise BadAnswer("an embedding is not a list of numbers")
    with np.errstate(over="ignore"):  # what overflows is refused in `matrix`
        return np.array(embedding, dtype=np.float64).astype(np.float32)


def tokens_in(usage: Any, *names: str) -> int | None:
    """The first of these counts in the usage that an answer reports; None where there is none."""
    counts = [usage.get(name) for name in names] if isinstance(usage, dict) else []
    return next((count for count in counts if type(count) is int and count > 0), None)


def text_or_none(value: Any) -> str | None:
    """A name of a model that can be recorded and shown; None for anything else."""
    return value[:200] if isinstance(value, str) and value and value.isprintable() else None
