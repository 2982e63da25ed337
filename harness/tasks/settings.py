"""What may be set of each task type, how a task file says it, and which metrics a task may name as its main one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from harness.tasks.yaml_values import Value
from harness.types import (
    BitextMiningSettings,
    ClassificationSettings,
    ClusteringSettings,
    PairClassificationSettings,
    RetrievalSettings,
    Settings,
    STSSettings,
    TaskType,
)

SETTINGS: dict[TaskType, type[Settings]] = {
    "STS": STSSettings,
    "PairClassification": PairClassificationSettings,
    "Classification": ClassificationSettings,
    "Clustering": ClusteringSettings,
    "Retrieval": RetrievalSettings,
    "Reranking": RetrievalSettings,
    "BitextMining": BitextMiningSettings,
}

# How a setting is read: by name where bounds matter, else by the annotation of its field.
_BY_NAME: dict[str, Callable[[Value], Any]] = {
    "max_fraction_of_documents_to_embed": lambda value: None if value.is_null else value.number(above=0, most=1),
    "method": lambda value: value.one_of(("v2", "legacy"), "clustering method"),
    "seed": lambda value: value.whole(most=2**32 - 1),
}
_BY_ANNOTATION: dict[str, Callable[[Value], Any]] = {
    "int": lambda value: value.whole(1),
    "int | None": lambda value: None if value.is_null else value.whole(1),
    "float": lambda value: value.number(),
    "bool": lambda value: value.flag(),
    "str": lambda value: value.label(),
    "tuple[int, ...]": lambda value: tuple(item.whole(1) for item in value.items("whole numbers")),
}
_ONLY_V2 = (
    "max_document_to_embed",
    "max_fraction_of_documents_to_embed",
    "max_documents_per_cluster",
    "n_clusters",
    "k_mean_batch_size",
    "max_depth",
)
_ONLY_LEGACY = ("clustering_batch_size",)


def read(value: Value, type_: TaskType) -> Settings:
    """The settings that a task file gives, or the defaults of its type; defects are noted with their lines."""
    annotations = {field.name: str(field.type) for field in fields(SETTINGS[type_])}
    given = {name: entry for name, entry in value.fields((), annotations).items() if entry.present}
    noted = len(value.problems)
    how = {name: _BY_NAME.get(name) or _BY_ANNOTATION[annotations[name]] for name in given}
    settings = SETTINGS[type_](**{name: how[name](entry) for name, entry in given.items()})
    if len(value.problems) > noted:
        return SETTINGS[type_]()
    _check_together(settings, given, value)
    return settings


def _check_together(settings: Settings, given: Mapping[str, Value], value: Value) -> None:
    if isinstance(settings, STSSettings) and settings.min_score >= settings.max_score:
        value.wrong(f"min_score ({settings.min_score:g}) must be below max_score ({settings.max_score:g})")
    if isinstance(settings, RetrievalSettings) and list(settings.k_values) != sorted(set(settings.k_values)):
        given["k_values"].wrong("expected ascending numbers, none of them twice")
    if isinstance(settings, ClusteringSettings):
        for name in given.keys() & set(_ONLY_V2 if settings.method == "legacy" else _ONLY_LEGACY):
            given[name].wrong(f"has no effect with method {settings.method}; remove it")
        fraction = settings.max_fraction_of_documents_to_embed
        if settings.max_document_to_embed is not None and fraction is not None:
            given["max_document_to_embed"].wrong(
                f"max_fraction_of_documents_to_embed is {fraction:g}; set it to null, for only one limit can hold"
            )


def metrics_of(type_: TaskType, settings: Settings) -> tuple[str, ...]:
    """The metrics that a task may name as its main one: mteb's names, and only those where higher is better."""
    if type_ == "STS":
        return ("pearson", "spearman", *_crossed(("cosine", "manhattan", "euclidean"), ("pearson", "spearman")))
    if type_ == "PairClassification":
        families = ("similarity", "cosine", "manhattan", "euclidean", "dot", "max")
        return _crossed(families, ("accuracy", "f1", "precision", "recall", "ap"))
    if type_ == "Classification":
        plain_ones = ("f1", "ap", "precision", "recall")
        return ("accuracy", *plain_ones, *_crossed(plain_ones, ("weighted",)))
    if type_ == "BitextMining":
        return ("f1", "accuracy", "precision", "recall")
    if isinstance(settings, ClusteringSettings):
        return ("v_measure",) if settings.method == "legacy" else ("v_measure", "ami")
    assert isinstance(settings, RetrievalSettings)
    cut = tuple(f"at_{k}" for k in settings.k_values)
    return (*_crossed(("ndcg", "map", "mrr", "recall", "precision", "hit_rate"), cut), "accuracy")


def changed_settings(settings: Settings) -> dict[str, Any]:
    """The settings that differ from their type's defaults."""
    given = {field.name: (getattr(settings, field.name), field.default) for field in fields(settings)}
    return {name: value for name, (value, default) in given.items() if value != default}


def _crossed(left: tuple[str, ...], right: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{one}_{other}" for one in left for other in right)
