"""Encodes with a model behind an HTTP endpoint: several requests at a time, each answer passed on as it arrives."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.errors import EncodeError
from harness.evaluators.similarity import paired
from harness.models import endpoint_probe, model_prompts
from harness.models.endpoint_client import EndpointClient, TextsRefused
from harness.models.endpoint_names import parse
from harness.models.endpoint_protocol import Ask, ServerAnswer
from harness.models.endpoint_providers import key_advice, key_of, protocol_of
from harness.types import Batching, Encoded, EncodeOptions, EncoderFacts, ModelSpec, Prompt, PromptRules, Role

if TYPE_CHECKING:
    from harness.types import Float32

AT_ONCE = 8
"""Requests at a time."""
_ASKING = 1
"""Raised when requests are made in another way, so that other vectors come out."""


class _Texts(NamedTuple):
    """Texts of one request: their places among all texts that are asked for, and they themselves with their prompt."""

    places: range
    texts: list[str]


class _Arrived(NamedTuple):
    places: range
    answer: ServerAnswer
    truncated: bool | None


class EndpointEncoder:
    """A model behind an endpoint. Nothing is sent before the first text.

    Args:
        spec: the model.
        options: of which only the tokens of a request count, and whether vectors of earlier runs may be used.

    Raises:
        ModelError: there is no key.
    """

    def __init__(self, spec: ModelSpec, options: EncodeOptions) -> None:
        endpoint = parse(spec.location)
        protocol, key = protocol_of(endpoint), key_of(endpoint)
        self._endpoint, self._protocol, self._revision = endpoint, protocol, spec.revision
        self._afresh = options.afresh
        self._weights: str | None = None
        self._client = EndpointClient(
            endpoint,
            protocol.headers(key) if key else {},
            at_once=AT_ONCE,
            key_advice=key_advice(endpoint),
        )
        self._tokens = options.batch_tokens or protocol.tokens_per_request
        self.facts = EncoderFacts(
            backend="http",
            device="server",
            device_name="unknown",
            precision="unknown",
            dimensions=endpoint.dimensions,
            batching=f"{protocol.texts_per_request} texts, {self._tokens} tokens",
            prompts=model_prompts.prompt_rules(spec, PromptRules()),
            endpoint={
                "url": endpoint.url,
                "model": endpoint.model,
                "model_reported": None,
                "long_texts": protocol.long_texts,
                "empty_text": protocol.empty_text,
            },
        )

    def identity(self, *, prompt: Prompt, role: Role | None) -> Mapping[str, Any]:
        """Server, its weights, model, dimensions, prompt and input type. The role counts only through these.

        Raises:
            HarnessError: the server cannot be asked.
        """
        if self._weights is None:
            self._weights = endpoint_probe.weights_id(self._revision, self._probed(), afresh=self._afresh)
        return {
            "backend": self.facts.backend,
            "asking": _ASKING,
            "endpoint": self._endpoint.asked,
            "weights": self._weights,
            "prompt": prompt.text or "",
            "input_type": prompt.adapter,
        }

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """The vectors of each request as it is answered, in any order: `places` tells which texts they are of.

        Raises:
            EncodeError: after what else was under way has arrived.
        """
        self._client.pace.stopped.clear()
        unsent = iter(self._requests(itertools.chain.from_iterable(blocks), prompt))
        error: Exception | None = None
        under_way: set[Future[_Arrived | tuple[_Texts, _Texts]]] = set()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="endpoint") as pool:
            try:
                while True:
                    free = 2 * AT_ONCE - len(under_way) if error is None else 0
                    under_way |= {pool.submit(self._asked, texts, prompt) for texts in itertools.islice(unsent, free)}
                    if not under_way:
                        break
                    done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                    for future in done:
                        try:
                            arrived = future.result()
                            if isinstance(arrived, _Arrived):
                                yield self._encoded(arrived)
                            else:  # put before those that are not sent yet
                                unsent = itertools.chain(arrived, unsent)
                        except Exception as err:  # what else arrives is passed on first
                            if error is None:
                                error = err
                                under_way -= {waiting for waiting in under_way if waiting.cancel()}
            finally:
                if under_way:  # the caller takes no more answers
                    for future in under_way:
                        future.cancel()
                    self._client.pace.stop()
        if error is not None:
            raise error

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """Cosine similarity of the rows."""
        return paired(left, right, similarity="cosine")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _requests(self, texts: Iterable[str], prompt: Prompt) -> Iterator[_Texts]:
        """The texts with their prompts, in order, as many to a request as it may hold."""
        together: list[str] = []
        start, tokens = 0, 0
        for text in texts:
            prompted = (prompt.text or "") + text or self._protocol.empty_text
            more = estimated_tokens(prompted)
            if together and (len(together) == self._protocol.texts_per_request or tokens + more > self._tokens):
                yield _Texts(range(start, start + len(together)), together)
                start, together, tokens = start + len(together), [], 0
            together.append(prompted)
            tokens += more
        if together:
            yield _Texts(range(start, start + len(together)), together)

    def _asked(self, texts: _Texts, prompt: Prompt) -> _Arrived | tuple[_Texts, _Texts]:
        """The answer to a request, or its halves where the server refuses the whole."""
        handling = self._protocol.long_texts
        try:
            answer = self._sent(texts.texts, prompt, truncated=False)
            return _Arrived(texts.places, answer, None if handling == "unknown" else False)
        except TextsRefused as err:
            refusal = str(err)
        if len(texts.texts) > 1:
            half = len(texts.texts) // 2
            return _Texts(texts.places[:half], texts.texts[:half]), _Texts(texts.places[half:], texts.texts[half:])
        (text,) = texts.texts
        shorter = text if handling == "cut when asked" else self._protocol.cut(text)
        if shorter is not None and (shorter != text or handling == "cut when asked"):
            try:
                return _Arrived(texts.places, self._sent([shorter], prompt, truncated=True), True)
            except TextsRefused as err:
                refusal = str(err)
        raise self._refusal(text, refusal)

    def _probed(self) -> Float32:
        """The vectors of the texts that tell weights apart, without a prompt.

        Raises:
            HarnessError: the server cannot be asked.
        """
        types = self._protocol.input_types
        prompt = Prompt(None, None, adapter=None if types is None else types.otherwise)
        rows: dict[int, Float32] = {}
        for encoded in self.encode([endpoint_probe.TEXTS], prompt=prompt, role=None):
            assert encoded.places is not None
            rows.update(zip(encoded.places.tolist(), encoded.vectors, strict=True))
        return np.array([rows[place] for place in range(len(endpoint_probe.TEXTS))])

    def _sent(self, texts: list[str], prompt: Prompt, *, truncated: bool) -> ServerAnswer:
        ask = Ask(texts, prompt.adapter, truncated)
        return self._client.post(
            self._protocol.path(self._endpoint),
            self._protocol.body(self._endpoint, ask),
            read=lambda content: self._protocol.read(content, len(texts)),
            tokens=sum(map(estimated_tokens, texts)),
        )

    def _refusal(self, text: str, reason: str) -> EncodeError:
        shown = f"{text[:40]!r}{'...' if len(text) > 40 else ''}"
        return EncodeError(
            f"{self._endpoint.asked}: the server at {self._endpoint.url} refuses a text of {len(text):,} characters, "
            f"{shown}: {reason}; {self._protocol.advice}"
        )

    def _encoded(self, arrived: _Arrived) -> Encoded:
        """The answer as the caller takes it.

        Raises:
            EncodeError: its vectors have other dimensions than those before, or than the server was asked for.
        """
        vectors, tokens, model = arrived.answer
        expected = self.facts.dimensions
        if expected is not None and vectors.shape[1] != expected:
            raise EncodeError(
                f"{self._endpoint.asked}: the server at {self._endpoint.url} returned vectors of {vectors.shape[1]} "
                f"dimensions; expected {expected}, "
                + ("as it was asked for" if self._endpoint.dimensions else "as in its answers before")
            )
        endpoint = {**(self.facts.endpoint or {}), **({"model_reported": model} if model else {})}
        self.facts = replace(self.facts, dimensions=vectors.shape[1], endpoint=endpoint)
        truncated = None if arrived.truncated is None else np.full(len(vectors), arrived.truncated)
        return Encoded(vectors, None, truncated, tokens_encoded=tokens, places=np.asarray(arrived.places))


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has, rather too many: a third of its bytes in UTF-8, and one."""
    return len(text.encode("utf-8", "surrogatepass")) // 3 + 1
