"""What a task is: where its data lies, what of it is scored and how, and which tasks make a suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

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


class Part(NamedTuple):
    """What gets a score: one split of one subset (a subset is a config of the data set, often a language)."""

    split: str
    subset: str

    def __str__(self) -> str:
        return self.split if self.subset == "default" else f"{self.split}/{self.subset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the data of a task are: a hub data set at a pinned commit, files beside the spec, or those of mteb's task.

    Attributes:
        layout: `dpr` for a search problem in one table, with a question and its passages in each row; None for the
            usual layout of the task's type.
        qrels: the data set with the judgements of a search problem, where it is another one.
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
        columns: field of the gold value -> column, where it differs from the task's.
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
        merge_splits: split -> the splits of the data that are concatenated to make it; absent where it is one of them.
        mirror: another place with the same data, used only on request.
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
    """A task that cannot be run here but counts on a suite's leaderboard, with the records of others.

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
