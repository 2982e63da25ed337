"""What a model is: its name, how it is asked to encode, what it really uses, and the two things it may do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from harness.types.gold import Hits, Ranked, Role

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.types.arrays import Float32


Precision = Literal["fp32", "fp16", "bf16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model by name, resolved without loading it.

    Attributes:
        name: as recorded and shown: `org/name`, `bundled/...`, `baseline/...`, `local/...`, `python/...`.
        revision: a hub commit, or a digest of the files; `no_revision_available` for a Python callable.
        location: the hub repository or the folder to load from.
        origin: where the weights come from.
        ref: the branch or tag of the hub that was asked for; None where a commit was, or for any other origin.
        note: what a reader of the record must know (for example that a bundled copy stood in for the hub).
    """

    name: str
    revision: str
    location: str
    origin: Literal["hub", "folder", "bundled", "baseline", "python"]
    trust_remote_code: bool = False
    ref: str | None = None
    note: str = ""
    function: Callable[[list[str]], Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeOptions:
    """What the user asked of the encoder; `None` and `auto` leave the choice to the model and the machine.

    Attributes:
        device: `auto`, one device, or several with commas (`cuda:0,cuda:1`; `cuda:all`), each with a copy of the model.
        batching: `mteb` feeds every task in mteb's batches; `auto` only those whose metric hangs on the last bits.
        store: the type of the vectors that are kept on disk for reuse, or `off`.
    """

    device: str = "auto"
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    batching: Literal["auto", "mteb"] = "auto"
    batch_tokens: int | None = None
    max_length: int | None = None
    store: Literal["float32", "float16", "off"] = "float32"


class VectorTransform(NamedTuple):
    """How a model's vectors are changed before they are scored.

    Attributes:
        dims: only the first so many dimensions (Matryoshka truncation), not normalized again; None for all.
        quantize: `int8` or `binary`, as mteb's CompressionWrapper makes them; None for floats.
    """

    dims: int | None = None
    quantize: Literal["int8", "binary"] | None = None


PLAIN = VectorTransform()
"""Leaves the model's vectors as they are."""


Batching = Literal["tokens", "mteb"]
"""`tokens`: few padded tokens a batch, each distinct text once. `mteb`: 32 texts a batch, sorted by characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderFacts:
    """What an opened encoder really uses; goes into the record."""

    backend: str
    device: str
    device_name: str
    precision: str
    attention: str | None = None
    max_length: int | None = None
    similarity: str = "cosine"
    dimensions: int | None = None
    parameters: int | None = None
    batching: str | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    prompts_from: str = "model"
    default_prompt: str | None = None


class Prompt(NamedTuple):
    """The prompt chosen for a text: its name in the model's prompts, and the string put before each text."""

    name: str | None
    text: str | None


class Encoded(NamedTuple):
    """What came out of an encoder for n texts.

    Attributes:
        vectors: (n, dim) float32, row i for text i.
        tokens: (n,) int32, tokens of each text, the prompt included; None where the backend cannot tell.
        truncated: (n,) bool, texts cut at the maximum length; None where the backend cannot tell.
        tokens_padded: tokens that went through the model, padding included; None where the backend cannot tell.
    """

    vectors: Float32
    tokens: NDArray[np.int32] | None
    truncated: NDArray[np.bool_] | None
    tokens_padded: int | None = None


@runtime_checkable
class Encoder(Protocol):
    """A loaded model that turns texts into vectors.

    `encode` returns one finite row per text, in order, float32 whatever the precision of the forward pass. It may be
    called with no blocks, empty blocks, repeated texts and any length of text, and must not depend on earlier calls.
    """

    facts: EncoderFacts

    def identity(self, *, prompt: Prompt, role: Role | None) -> Mapping[str, Any] | None:
        """Everything besides a text that decides its vector, as JSON values; None where vectors must not be kept."""
        ...

    def encode(
        self, blocks: Iterable[Sequence[str]], *, prompt: Prompt, role: Role | None, batching: Batching = "tokens"
    ) -> Iterator[Encoded]:
        """The vectors of each block of texts, block by block.

        `prompt` goes before each text, `role` picks the route of two-tower models. With `batching="mteb"` a block comes
        in the order of its batches, 32 texts each, and is fed as it is.
        """
        ...

    def similarity_pairwise(self, left: Float32, right: Float32) -> Float32:
        """The model's own similarity of row i of `left` with row i of `right`: (n, dim), (n, dim) -> (n,)."""
        ...

    def close(self) -> None:
        """Give the memory back."""
        ...


@runtime_checkable
class Searcher(Protocol):
    """A loaded model that ranks documents by itself and has no vectors (BM25)."""

    facts: EncoderFacts

    def search(self, gold: Ranked, *, k: int, languages: Sequence[str]) -> Hits:
        """The best `k` documents of every query."""
        ...

    def close(self) -> None:
        """Give the memory back."""
        ...
