"""`TaskKind`: everything particular to a task type, as one value; and the arguments and results of its functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from harness.types import Gold, Part, Ranking, Scores, TaskSpec, Texts

if TYPE_CHECKING:
    from harness.evaluators.items import Items
    from harness.evaluators.tables import Table
    from harness.types import Float32, Int64


class ReadTable(Protocol):
    """Reads the data of a part."""

    def __call__(self, name: str, *, subset: str | None = None, columns: Sequence[str] | None = None) -> Table:
        """One table: one of the kind's `tables`, or the rows of a split of the data.

        Args:
            name: of the table or split.
            subset: by default that of the part.
            columns: to read no others, where a table has many.
        """
        ...

    def rows(self, name: str, subset: str) -> int:
        """The number of rows of a split of another subset."""
        ...


class ReadPart(NamedTuple):
    """The gold of a part, as read from its tables.

    Attributes:
        rows: table -> the number of its rows.
        notes: remarks for readers of the scores.
        defects: what is wrong with the data and is scored nevertheless, as in mteb.
    """

    gold: Gold
    rows: Mapping[str, int]
    notes: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()


class Sides(NamedTuple):
    """The vectors of two sides, and the similarity that compares them.

    Attributes:
        left: (n, dim).
        right: (m, dim).
        similarity: the name of the model's similarity; see `similarity.NAMES`.
    """

    left: Float32
    right: Float32
    similarity: str = "cosine"


class SearchProblem(NamedTuple):
    """A search for the documents of each query.

    Attributes:
        document_ids: in the order of the documents; documents with equal scores are ranked by id.
        depth: how many documents to find for each query.
        candidates: for every query, the positions of the documents to rank; None to rank all.
    """

    document_ids: Sequence[str]
    depth: int
    candidates: Sequence[Int64] | None


class Scored(NamedTuple):
    """What a scorer returns.

    Attributes:
        scores: metric -> value.
        items: metric -> its items, for every metric that is made of single items.
    """

    scores: Scores
    items: Mapping[str, Items]


class Scorer(Protocol):
    """Scores a part; see `harness.evaluators` for what is `given`."""

    def __call__(self, gold: Any, given: Any, *, settings: Any) -> Scored:
        """The scores and items of `gold`."""
        ...


class Training(NamedTuple):
    """A training split, of which a sample is encoded.

    Attributes:
        split: its name in the data.
        texts_per_label: the most texts that are drawn of each label; None for data without labels.
        texts: the most texts that are drawn in all.
    """

    split: str
    texts_per_label: int | None
    texts: int | None = None


class SettingProblem(NamedTuple):
    """A contradiction between settings.

    Attributes:
        setting: the setting to correct; empty for none in particular.
    """

    setting: str
    message: str


class Fit(NamedTuple):
    """The settings and main metric that fit private data.

    Attributes:
        settings: the settings.
        why: the reason for other settings than the defaults; empty for the defaults.
        main_metric: empty for the type's default.
        why_metric: the reason for another main metric.
    """

    settings: Any
    why: str = ""
    main_metric: str = ""
    why_metric: str = ""


class FromMteb(NamedTuple):
    """A task object of mteb in the terms of this type.

    Attributes:
        columns: field of the gold -> column.
        settings: the type's settings.
        protocol: `cross_validation`, `other_model` for another classifier or regression than the type's, or
            `own_scores` for metrics of its own, where mteb scores the task in this way, which is not offered here.
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

    Settings and gold are classes of the kind, whose fields no other code uses.

    Attributes:
        settings: frozen dataclass with mteb's defaults. Types and `metadata` of its fields say how a task file is
            read: `least` and `most` of a whole number, `above` and `most` of a number, `called` for messages.
        setting_problems: (settings, names of the settings in the file) -> contradictions.
        main_metric: the default main metric.
        metrics: settings -> the metrics that a task may name as its main one: mteb's names, and only those where
            higher is better.
        columns: field of the gold -> its column, unless the task names another; mteb's names.
        tables: tables that every split has, for a type that reads several; empty where a split is one table.
        optional_tables: tables that a data set may have; an empty table stands for one that it has not.
        layouts: other layouts of the data that are read; see `types.Source`.
        training: settings -> the training split; None for a type without training.
        read: (task, part, read one table) -> gold. Raises DataError.
        texts: (gold, settings) -> the texts to encode, by field.
        takes: the input of the scorer; see `harness.evaluators`.
        search: (gold, settings) -> the search problem, for a type that takes hits.
        score: the scorer.
        exact_batches: whether scores depend on the last bits of vectors, so that fp32 models use mteb's batches.
        uses_lengths: whether scores depend on the lengths of vectors; where a model does not normalise them, the last
            bits do too.
        ranks: what a model that ranks by itself is asked to rank; None for a type that only vectors can do.
        shards: whether its corpus can be searched in shards.
        similarity_report: whether its scores appear in the similarity report of sentence-transformers' evaluator.
        description: the data in a few words.
        instruction: for instruction-tuned models, on tasks without an instruction; mteb's words.
        recognizes: (field -> values, whether there is training data) -> why private data has this type; empty
            where it has not, or may have another.
        fit: (field -> values, rows of the largest split) -> settings that fit private data; None for the defaults.
        from_mteb: a task object of mteb -> columns and settings; None where mteb has no such type.
        former_metrics: name in mteb 1 -> name in mteb 2, where they differ; one to one.
        former_type: the type that mteb 1 gave to some tasks of this type; empty for none.
        purpose: what providers of embeddings call such texts; empty where only the roles of a search tell.
        near_zero: whether models score near zero: `often`, `seldom`, or `never` where guessing between few labels gives
            more, which tells the scale of scores on cards.
    """

    settings: type[Any]
    setting_problems: Callable[[Any, Collection[str]], Iterable[SettingProblem]] = lambda settings, given: ()
    main_metric: str
    metrics: Callable[[Any], tuple[str, ...]]
    columns: Mapping[str, str]
    tables: tuple[str, ...] = ()
    optional_tables: tuple[str, ...] = ()
    layouts: tuple[str, ...] = ()
    training: Callable[[Any], Training] | None = None
    read: Callable[[TaskSpec, Part, ReadTable], ReadPart]
    texts: Callable[[Any, Any], Mapping[str, Texts]]
    takes: Literal["vectors", "pairs", "sides", "hits"]
    search: Callable[[Any, Any], SearchProblem] | None = None
    score: Scorer
    exact_batches: bool = False
    uses_lengths: bool = False
    ranks: Ranking | None = None
    shards: bool = False
    similarity_report: bool = False
    description: str
    instruction: str = ""
    recognizes: Callable[[Mapping[str, Sequence[Any]], bool], str] = lambda values, trainable: ""
    fit: Callable[[Mapping[str, Sequence[Any]], int], Fit] | None = None
    from_mteb: Callable[[Any], FromMteb] | None = None
    former_metrics: Mapping[str, str] = field(default_factory=dict)
    former_type: str = ""
    purpose: Literal["", "classification", "clustering", "similarity"] = ""
    near_zero: Literal["often", "seldom", "never"] = "seldom"


def crossed(left: Sequence[str], right: Sequence[str]) -> tuple[str, ...]:
    """Every name of `left` with every ending of `right`: `cosine_pearson`, `cosine_spearman`, ..."""
    return tuple(f"{name}_{ending}" for name in left for ending in right)


def seed_field() -> Any:
    """The field of a setting that seeds a generator; mteb's default."""
    return field(default=42, metadata={"least": 0, "most": 2**32 - 1})
