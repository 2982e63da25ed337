"""The vocabulary: what flows from one step to the next. Read this first.

    TaskSpec --data.load--> gold --evaluators.texts--> Texts --encoder--> embeddings --score--> Scores --> Record

All arrays are numpy, in the order of the texts they stand for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Float32: TypeAlias = NDArray[np.float32]
    Float64: TypeAlias = NDArray[np.float64]
    Int64: TypeAlias = NDArray[np.int64]

TaskType = Literal[
    "STS", "PairClassification", "Classification", "Clustering", "Retrieval", "Reranking", "BitextMining"
]
TASK_TYPES: tuple[TaskType, ...] = (
    "STS",
    "PairClassification",
    "Classification",
    "Clustering",
    "Retrieval",
    "Reranking",
    "BitextMining",
)
Role = Literal["query", "document"]
Precision = Literal["fp32", "fp16", "bf16"]
Scores: TypeAlias = dict[str, Any]
"""Metric -> float in mteb's names and scale (0-1); `None` where the metric does not apply; lists per experiment."""


Answers: TypeAlias = dict[str, Any]
"""What a model answered to every item of a part, as arrays by name; scorers fill it where they are given one."""


class Part(NamedTuple):
    """The smallest thing that is scored: one split of one subset (a hub config, often a language)."""

    split: str
    subset: str

    def __str__(self) -> str:
        return self.split if self.subset == "default" else f"{self.split}/{self.subset}"


# --- tasks ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the data lies: a hub data set at a pinned commit, files beside the spec, or what mteb's own task loads.

    Attributes:
        layout: `dpr` for a search problem that is one table, a question and its passages in each row (see
            `data.layouts`); None for the usual layout of the task's type.
        qrels: the data set with the judgements of a search problem, where they are not in the same one.
    """

    kind: Literal["hub", "local", "mteb"]
    path: str
    revision: str | None = None
    layout: Literal["dpr"] | None = None
    qrels: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Another place on the hub with the same data, for a data set that has moved.

    Attributes:
        columns: where they differ from the task's.
        subsets: subset of the task -> config of the mirror, where they differ.
    """

    path: str
    revision: str
    columns: Mapping[str, str] = field(default_factory=dict)
    subsets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class STSSettings:
    """Gold scores are scaled from this range to 0-1, as mteb does before correlating."""

    min_score: float = 0
    max_score: float = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PairClassificationSettings:
    """Nothing to set: thresholds are searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationSettings:
    """`n_experiments` logistic regressions, each on `samples_per_label` training texts of every label."""

    samples_per_label: int = 8
    n_experiments: int = 10
    train_split: str = "train"
    max_iter: int = 100
    seed: int = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteringSettings:
    """`v2`: bootstrapped mini-batch k-means over one sample; `legacy`: one k-means for each given set."""

    method: Literal["v2", "legacy"] = "v2"
    max_document_to_embed: int | None = None
    max_fraction_of_documents_to_embed: float | None = 0.04
    max_documents_per_cluster: int = 16_384
    n_clusters: int = 10
    k_mean_batch_size: int = 512
    max_depth: int | None = None
    clustering_batch_size: int = 500
    seed: int = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalSettings:
    """Metrics are cut at each of `k_values`; the largest is the depth of the search."""

    k_values: tuple[int, ...] = (1, 3, 5, 10, 20, 100, 1000)
    ignore_identical_ids: bool = False
    skip_first_result: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BitextMiningSettings:
    """Nothing to set: each text's nearest neighbour on the other side is its translation, or not."""


Settings: TypeAlias = (
    STSSettings
    | PairClassificationSettings
    | ClassificationSettings
    | ClusteringSettings
    | RetrievalSettings
    | BitextMiningSettings
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One task, as its YAML file declares it. See `registry` for the file format.

    Attributes:
        subsets: subset -> languages (`deu-Latn`), in file order.
        columns: field of the gold value -> column of the data.
        merge_splits: split -> the data's splits that are concatenated to make it; absent for a split that is one.
        mirror: where the same data can be had when `source` has gone; used only when asked for.
        configs: subset -> config of the source, where their names differ.
        prompt: an instruction for instruction-tuned models, for both roles or by role.
        file: the YAML file, for messages and to find the data of a local task.
    """

    name: str
    type: TaskType
    description: str
    source: Source
    splits: tuple[str, ...]
    subsets: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, str]
    main_metric: str
    settings: Settings
    merge_splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mirror: Mirror | None = None
    configs: Mapping[str, str] = field(default_factory=dict)
    prompt: str | Mapping[str, str] | None = None
    domains: tuple[str, ...] = ()
    reference: str | None = None
    license: str | None = None
    file: str = ""

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language of the task, in order of first mention."""
        return tuple(dict.fromkeys(language for group in self.subsets.values() for language in group))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every (split, subset), splits outermost."""
        return tuple(Part(split, subset) for split in self.splits for subset in self.subsets)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTask:
    """A task that cannot be run here and yet counts on a suite's leaderboard, from records of others.

    Attributes:
        type: mteb's name of its type, which need not be one of `TaskType`.
        parts: the (split, subset) pairs that count.
        subsets: subset -> languages.
    """

    name: str
    type: str
    parts: tuple[Part, ...]
    subsets: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named list of tasks; `parts` narrows a task to some of its splits or subsets.

    Attributes:
        tasks: task names in order.
        parts: task -> the (split, subset) pairs that belong to the suite; a task that is absent is whole.
        notes: what the suite leaves out, and why.
        aliases: further names, which need not be safe as file names (`MTEB(eng, v2)`).
        recorded_only: tasks that count on its leaderboard and cannot be run here.
    """

    name: str
    description: str
    tasks: tuple[str, ...]
    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    notes: str = ""
    aliases: tuple[str, ...] = ()
    recorded_only: tuple[RecordedTask, ...] = ()


# --- gold: what a part holds ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Texts to encode, and the role they play (which picks the model's prompt)."""

    items: Sequence[str]
    role: Role | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Sentence pairs. `gold` (n,) float64: graded similarity for STS, 0/1 for pair classification."""

    left: Sequence[str]
    right: Sequence[str]
    gold: Float64

    def __post_init__(self) -> None:
        assert len(self.left) == len(self.right) == len(self.gold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Training and test texts. Labels (n,) int64 index `label_names`, which are sorted."""

    train: Sequence[str]
    train_labels: Int64
    test: Sequence[str]
    test_labels: Int64
    label_names: tuple[str | int, ...]

    def __post_init__(self) -> None:
        assert len(self.train) == len(self.train_labels)
        assert len(self.test) == len(self.test_labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustered:
    """Texts to cluster. `labels[i]` is the path of text i through the levels of the hierarchy, one label when flat."""

    texts: Sequence[str]
    labels: Sequence[tuple[str | int, ...]]

    def __post_init__(self) -> None:
        assert len(self.texts) == len(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredSets:
    """The legacy protocol: independent sets, each clustered on its own. All labels are flat."""

    sets: Sequence[Clustered]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A search problem. `qrels`: query id -> document id -> relevance (> 0 is relevant).

    `candidates`, for reranking: query id -> the ids of the documents to rank; None when all are.
    """

    query_ids: Sequence[str]
    queries: Sequence[str]
    document_ids: Sequence[str]
    documents: Sequence[str]
    qrels: Mapping[str, Mapping[str, int]]
    candidates: Mapping[str, Sequence[str]] | None = None

    def __post_init__(self) -> None:
        assert len(self.query_ids) == len(self.queries)
        assert len(self.document_ids) == len(self.documents)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mined:
    """Two sides of a bitext: `gold` (n_left,) int64 is the position in `right` of the translation of each left text."""

    left: Sequence[str]
    right: Sequence[str]
    gold: Int64

    def __post_init__(self) -> None:
        assert len(self.left) == len(self.gold)


Gold: TypeAlias = Pairs | Labelled | Clustered | ClusteredSets | Ranked | Mined


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Gold with what identifies it.

    Attributes:
        rows: rows of each of the part's tables, as loaded (`{"test": 1379}`, `{"corpus": ..., "queries": ...}`).
        digest: sha256 over the content that the scorer sees, in order.
        notes: what was found that a reader of the scores should know (dropped queries, unjudged documents).
    """

    gold: Gold
    rows: Mapping[str, int]
    digest: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """What a search found, best first.

    Attributes:
        indices: (n_queries, k) int64, positions in `Ranked.document_ids`; -1 where fewer than k were found.
        scores: (n_queries, k) float32; undefined where `indices` is -1.
    """

    indices: Int64
    scores: Float32


# --- models --------------------------------------------------------------------------------------------------------


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


class Shape(NamedTuple):
    """What is made of a model's vectors before they are scored.

    Attributes:
        dims: only the first so many dimensions (Matryoshka truncation), not normalized again; None for all.
        quantize: `int8` or `binary`, as mteb's CompressionWrapper makes them; None for floats.
    """

    dims: int | None = None
    quantize: Literal["int8", "binary"] | None = None


PLAIN = Shape()
"""The model's vectors as they are."""


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
        embeddings: (n, dim) float32.
        tokens: (n,) int32, tokens of each text, the prompt included; None where the backend cannot tell.
        truncated: (n,) bool, texts cut at the maximum length; None where the backend cannot tell.
        computed: tokens that went through the model, padding included; None where the backend cannot tell.
    """

    embeddings: Float32
    tokens: NDArray[np.int32] | None
    truncated: NDArray[np.bool_] | None
    computed: int | None = None


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


# --- results -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One task of one model: what `<results>/<org>__<model>/<revision>/<Task>.json` holds.

    Attributes:
        scores: split -> one entry per subset: metrics, `main_score`, `hf_subset`, `languages`.
        harness: what mteb's schema has no place for (fingerprint, device, precision, data digests ...); empty when
            the file was written by somebody else.
        variant: empty, or what sets it apart from the plain record (`precision=fp16`).
        path: the file it was read from or written to.
    """

    task: str
    model: str
    revision: str
    dataset_revision: str
    scores: Mapping[str, Sequence[Mapping[str, Any]]]
    evaluation_time: float | None = None
    date: float | None = None
    mteb_version: str | None = None
    kg_co2_emissions: float | None = None
    harness: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ""
    path: str = ""

    @property
    def fingerprint(self) -> str | None:
        """Identifies model, task and settings; None for a foreign record."""
        value = self.harness.get("fingerprint")
        return value if isinstance(value, str) else None

    @property
    def parts(self) -> dict[Part, Mapping[str, Any]]:
        """(split, subset) -> its entry."""
        return {Part(split, entry["hf_subset"]): entry for split, entries in self.scores.items() for entry in entries}


class Refused(NamedTuple):
    """A file under a results folder that is not a record, and why."""

    path: str
    reason: str
