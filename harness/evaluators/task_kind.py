"""`TaskKind`: all that is particular to a task type, as one row of data; and what its functions give and are given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from harness.types import Gold, Part, Ranking, Scores, TaskSpec, Texts

if TYPE_CHECKING:
    from harness.evaluators.items import Items
    from harness.evaluators.tables import Table
    from harness.types import Float32, Int64

ReadTable: TypeAlias = "Callable[[str], Table]"
"""Reads one table of a part: one of the kind's `tables`, or the rows of a split of the data."""


class ReadPart(NamedTuple):
    """What the tables of a part hold.

    Attributes:
        rows: table -> its rows, as loaded.
        notes: what a reader of the scores should know.
    """

    gold: Gold
    rows: Mapping[str, int]
    notes: tuple[str, ...] = ()


class Sides(NamedTuple):
    """The vectors of two sides, and how the model compares them.

    Attributes:
        left: (n, dim).
        right: (m, dim).
        similarity: the name of the model's similarity; see `similarity.NAMES`.
    """

    left: Float32
    right: Float32
    similarity: str = "cosine"


class SearchProblem(NamedTuple):
    """What is searched for the texts `queries` among the texts `documents`.

    Attributes:
        document_ids: in the order of the documents; equal scores are ranked by them.
        depth: how many documents of each query are wanted.
        candidates: for every query, the positions of the documents to rank; None when all are.
    """

    document_ids: Sequence[str]
    depth: int
    candidates: Sequence[Int64] | None


class Scored(NamedTuple):
    """What a scorer returns.

    Attributes:
        scores: metric -> value.
        items: metric -> the items whose score it is, for every metric that is made of single items.
    """

    scores: Scores
    items: Mapping[str, Items]


class Scorer(Protocol):
    """Scores a part; see `harness.evaluators` for what is `given`."""

    def __call__(self, gold: Any, given: Any, *, settings: Any) -> Scored:
        """The scores and items of `gold`."""
        ...


class Training(NamedTuple):
    """A further split, of which a sample is encoded.

    Attributes:
        split: its name in the data.
        texts_per_label: how many texts are drawn of each label, at most.
    """

    split: str
    texts_per_label: int


class SettingProblem(NamedTuple):
    """Settings that do not go together.

    Attributes:
        setting: the one to blame; empty for none in particular.
    """

    setting: str
    message: str


class Fit(NamedTuple):
    """What suits private data.

    Attributes:
        settings: the settings.
        why: why they are not the defaults; empty where they are.
        main_metric: empty for the type's usual one.
        why_metric: why it is not the usual one.
    """

    settings: Any
    why: str = ""
    main_metric: str = ""
    why_metric: str = ""


class FromMteb(NamedTuple):
    """What a task object of mteb says in terms of this type.

    Attributes:
        columns: field of the gold -> column.
        settings: the type's settings.
        protocol: `cross_validation` or `parallel_subsets`, where mteb scores the task in this way, which is not
            offered here.
    """

    columns: Mapping[str, str]
    settings: Any
    protocol: str | None = None


def settings_from_mteb(settings: type[Any], task: Any) -> Any:
    """The settings that a task object of mteb has under the same names; defaults for the others."""
    return settings(
        **{entry.name: getattr(task, entry.name) for entry in fields(settings) if hasattr(task, entry.name)}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskKind:
    """Everything that is particular to a task type.

    Settings and gold are the kind's own classes, which nothing else looks into.

    Attributes:
        settings: frozen dataclass with mteb's defaults. Types and `metadata` of its fields say how a task file is
            read: `least` and `most` of a whole number, `above` and `most` of a number, `called` for messages.
        setting_problems: (settings, names that the file gives) -> what does not go together.
        main_metric: the usual one.
        metrics: settings -> the metrics that a task may name as its main one: mteb's names, and only those where
            higher is better.
        columns: field of the gold -> the column it is read from, unless the task says otherwise. mteb's names.
        tables: tables that every split has, for a type that reads several; empty where a split is one table.
        layouts: other layouts of the data that are read; see `types.Source`.
        training: settings -> the split that is learnt from; None where nothing is learnt.
        read: (task, part, read one table) -> gold. Raises DataError.
        texts: (gold, settings) -> what must be encoded, by field.
        takes: what the scorer is given; see `harness.evaluators`.
        search: (gold, settings) -> what to search; of a type that takes hits.
        score: the scorer.
        exact_batches: whether scores hang on the last bits of vectors, so that fp32 models are fed in mteb's batches.
        ranks: what a model that ranks by itself is asked to rank; None for a type that only vectors can do.
        shards: whether its corpus can be searched in shards.
        similarity_report: whether its scores are those of the report of similarity that trainers print.
        description: what the data is, in a few words.
        instruction: what instruction-tuned models are told of tasks that define no instruction: mteb's words.
        recognizes: (field -> values, whether there is training data) -> why private data is of this type; empty
            where it is not, or could as well be another.
        fit: (field -> values, rows of the largest split) -> what suits private data; the defaults where absent.
        from_mteb: a task object of mteb -> columns and settings; None where mteb has no such type.
        former_metrics: name in mteb 1 -> name in mteb 2, where they differ; one to one.
    """

    settings: type[Any]
    setting_problems: Callable[[Any, Collection[str]], Iterable[SettingProblem]] = lambda settings, given: ()
    main_metric: str
    metrics: Callable[[Any], tuple[str, ...]]
    columns: Mapping[str, str]
    tables: tuple[str, ...] = ()
    layouts: tuple[str, ...] = ()
    training: Callable[[Any], Training] | None = None
    read: Callable[[TaskSpec, Part, ReadTable], ReadPart]
    texts: Callable[[Any, Any], Mapping[str, Texts]]
    takes: Literal["vectors", "pairs", "sides", "hits"]
    search: Callable[[Any, Any], SearchProblem] | None = None
    score: Scorer
    exact_batches: bool = False
    ranks: Ranking | None = None
    shards: bool = False
    similarity_report: bool = False
    description: str
    instruction: str = ""
    recognizes: Callable[[Mapping[str, Sequence[Any]], bool], str] = lambda values, trainable: ""
    fit: Callable[[Mapping[str, Sequence[Any]], int], Fit] | None = None
    from_mteb: Callable[[Any], FromMteb] | None = None
    former_metrics: Mapping[str, str] = field(default_factory=dict)


def crossed(left: Sequence[str], right: Sequence[str]) -> tuple[str, ...]:
    """Every name of `left` with every ending of `right`: `cosine_pearson`, `cosine_spearman`, ..."""
    return tuple(f"{name}_{ending}" for name in left for ending in right)


def seed_field() -> Any:
    """The field of a setting that seeds a generator; mteb's default."""
    return field(default=42, metadata={"least": 0, "most": 2**32 - 1})
