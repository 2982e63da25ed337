"""Models: their names, the options of encoding, and the facts that go into records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from harness.types.prompts import PromptRules

if TYPE_CHECKING:
    pass


Precision = Literal["fp32", "fp16", "bf16"]


BackendName = Literal["torch", "onnx", "openvino", "gguf"]


class BackendFile(NamedTuple):
    """The file of a repository that another backend than torch runs.

    Attributes:
        backend: what runs it.
        path: relative to the repository, with slashes.
    """

    backend: BackendName
    path: str


class FirstStage(NamedTuple):
    """What searches the corpus for a model that only ranks candidates.

    Attributes:
        model: the model that searches.
        top: how many of its best documents become the candidates of a query.
    """

    model: ModelSpec
    top: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model that was found by its name and is not loaded.

    Attributes:
        name: as in records and tables: `org/name`, `bundled/...`, `baseline/...`, `python/...`, the end of a
            folder's path, or provider or host before the name of a model behind an endpoint.
        revision: a hub commit, or a digest of the files, or of all that an endpoint is asked;
            `no_revision_available` for a Python callable.
        location: the hub repository or the folder to load from, or the endpoint by name.
        origin: where the weights come from.
        place: tells its folder from others without naming it, once the model has its name; see
            `results.recorded_models.place_of`. Empty for a model that is no folder.
        name_given: whether the user named it.
        ref: the branch or tag of the hub that was asked for; None where a commit was, or for any other origin.
        note: what a reader of the record must know (for example that a bundled copy was used in place of the hub's).
        function: the callable, for a model that is one.
        kind: name of its row in `models.kinds`; empty for a model without a repository.
        dependencies: (name, commit) of other repositories of the hub that are loaded too: the model under an adapter,
            and code.
        prompts: (name, prompt) pairs of the user, in place of the model's; None for the model's.
        like: a model of mteb's registry whose prompts and settings this one takes over.
        checkpoint_precision: in which its weights are stored, or which its settings name.
        dimensions: of its vectors before they are cut, where its settings say so.
        truncate_dim: to how many dimensions its settings cut its vectors; None for all.
        max_positions: the most tokens that it has positions for, where it has a table of them.
        max_length: the maximum length in tokens that its settings state.
        normalized: whether the last of its modules gives its vectors unit length; None for a kind without vectors of a
            transformer.
        backend_file: the file that another backend than torch runs; None for torch.
        first_stage: what searches a corpus before this model ranks; None where the model does all by itself.
    """

    name: str
    revision: str
    location: str
    origin: Literal["hub", "folder", "bundled", "baseline", "python", "endpoint"]
    place: str = ""
    name_given: bool = False
    trust_remote_code: bool = False
    ref: str | None = None
    note: str = ""
    function: Callable[[list[str]], Any] | None = None
    kind: str = field(default="", compare=False)
    dependencies: tuple[tuple[str, str], ...] = ()
    prompts: tuple[tuple[str, str], ...] | None = None
    like: str | None = None
    checkpoint_precision: Precision = field(default="fp32", compare=False)
    dimensions: int | None = field(default=None, compare=False)
    truncate_dim: int | None = field(default=None, compare=False)
    max_positions: int | None = field(default=None, compare=False)
    max_length: int | None = field(default=None, compare=False)
    normalized: bool | None = field(default=None, compare=False)
    backend_file: BackendFile | None = None
    first_stage: FirstStage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeOptions:
    """Options of encoding; `None` and `auto` leave the choice to the model and the machine.

    Attributes:
        device: `auto`, one device, or several GPUs with commas (`cuda:0,cuda:1`; `cuda:all`), each with a process that
            has the model.
        precision: of the forward pass; `auto` is that of the checkpoint where the device computes in it, else fp32;
            `checkpoint` is that of the checkpoint everywhere. What mteb's loader names counts as the checkpoint's.
        batching: `mteb` uses mteb's batches for every task; `auto` only where a score depends on the last bits. In the
            batches of other tasks texts are packed end to end with `packed`, padded with `padded`, and else as
            `models.packing` finds right.
        batch_tokens: padded tokens in a batch.
        max_length: tokens at which texts are cut.
        store: the type of the vectors in the vector cache, or `off` to neither read nor write it.
        price: of a million tokens at an endpoint, in US dollars; only for forecasts and records.
        strict: refuse what mteb scores though it is wrong: defects of the data, and texts with a zero vector.
        afresh: use no vectors that an endpoint returned to earlier runs, since its weights can change.
    """

    device: str = "auto"
    precision: Literal["auto", "checkpoint", "fp32", "fp16", "bf16"] = "auto"
    batching: Literal["auto", "mteb", "packed", "padded"] = "auto"
    batch_tokens: int | None = None
    max_length: int | None = None
    store: Literal["float32", "float16", "off"] = "float32"
    price: float | None = None
    strict: bool = False
    afresh: bool = False


class VectorTransform(NamedTuple):
    """How a model's vectors are changed before they are scored.

    Attributes:
        dims: how many dimensions to keep, the first ones (Matryoshka truncation), not normalized again; None for all.
        quantize: `int8` or `binary`, as in mteb's CompressionWrapper; None for floats.
        rescore: how many of the best documents of a search in quantized vectors are ranked again by the float ones; 0
            for none. The search is then that of `encoding.compression`.
    """

    dims: int | None = None
    quantize: Literal["int8", "binary"] | None = None
    rescore: int = 0

    @property
    def calibration(self) -> Literal["documents"] | None:
        """Whose ranges the int8 codes of both sides have; None where each list of vectors has ranges of its own."""
        return "documents" if self.rescore and self.quantize == "int8" else None

    def settings(self) -> dict[str, Any]:
        """What sets it apart from the plain one, by name."""
        settings = {**self._asdict(), "calibration": self.calibration}
        return {name: value for name, value in settings.items() if value}


PLAIN = VectorTransform()
"""Leaves the model's vectors as they are."""


Batching = Literal["tokens", "mteb", "model"]
"""`tokens`: batches under a budget of padded tokens, each distinct text once. `mteb`: 32 texts, sorted by length.
`model`: all texts in their order, of which the model makes batches of its own."""

Ranking = Literal["corpus", "candidates"]
"""What is ranked for a query: all documents of a corpus, or the candidates that the task names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderFacts:
    """What an opened encoder uses; part of the record.

    Attributes:
        kind: name of the model's row in `models.kinds`; None for a model without a repository.
        precision: of the forward pass, as used.
        precision_asked: as the caller asked for it.
        precision_of_checkpoint: in which the weights are stored.
        precision_of_loader: in which mteb's loader opens the model; None where it takes the checkpoint's.
        architecture: class of the transformer.
        pooling: how the states of tokens become a vector; None where the model's own code does it.
        normalized: whether its vectors have unit length; None where that is not known.
        depends_on_batch: what the other texts of a batch change in a vector: the last bits, or, with positions that
            follow from the longest text of a batch, all of it; so too with quantized activations, whose scale follows
            from the batch; None for nothing.
        batch_tokens: the padded tokens of a batch, where batches are made under such a budget; `batching` says it too.
        encoding: how batches under a budget of tokens are computed: `packed`, or `padded: ` with the reason; None for a
            model without a transformer that runs here. mteb's batches are always padded.
        runtime: versions of CUDA and cuDNN; None where a CPU or another GPU computes.
        weights: file -> sha256 of the file that another backend than torch runs, and of those with its tensors.
        max_lengths: role -> its maximum length, where queries and documents have lengths of their own.
        first_stage: name, revision, `top`, backend, device, precision, maximum length and similarity of the model that
            searched the corpus, where another one did.
        lost_devices: device -> how its process ended, of those on which the model no longer runs.
        endpoint: where a model behind an endpoint was asked, by which name, and what it does with long and empty texts.
    """

    backend: str
    device: str
    device_name: str
    precision: str
    kind: str | None = None
    precision_asked: str = "auto"
    precision_of_checkpoint: str | None = None
    precision_of_loader: str | None = None
    architecture: str | None = None
    pooling: str | None = None
    normalized: bool | None = None
    depends_on_batch: Literal["last bits", "positions", "quantization"] | None = None
    attention: str | None = None
    encoding: str | None = None
    runtime: Mapping[str, str] | None = None
    max_length: int | None = None
    max_lengths: Mapping[str, int] | None = None
    similarity: str = "cosine"
    dimensions: int | None = None
    parameters: int | None = None
    batching: str | None = None
    batch_tokens: int | None = None
    prompts: PromptRules = field(default_factory=PromptRules)
    first_stage: Mapping[str, Any] | None = None
    weights: Mapping[str, str] | None = None
    endpoint: Mapping[str, Any] | None = None
    lost_devices: Mapping[str, str] | None = None
