"""Records as files of Every Eval Ever, the shared format of evaluation results (pure; its schema 0.3.0).

One file a model and variant, with the main metric of every part. The names of its keys and its enumerations are those
of the schema `eval.schema.json` of evaleval/every_eval_ever; details that the schema has no key for are texts in
`additional_details`. Equal records give equal files: ids and names of files follow from what they hold.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from harness.outputs.data_text import json_text
from harness.tasks import mteb_metadata
from harness.types import Part, Record

SCHEMA = "0.3.0"
COLLECTION = "mteb"
Relationship: TypeAlias = Literal["first_party", "third_party", "collaborative", "other"]


class Evaluator(NamedTuple):
    """Who evaluated.

    Attributes:
        organization: its name.
        relationship: of the organization to the makers of the model.
    """

    organization: str
    relationship: Relationship = "other"


class Uncertainty(NamedTuple):
    """What is known about the error of one part's main score.

    Attributes:
        low, high: the bounds of a 95% interval, by bootstrap over items.
        items: the number of items.
        resamples: of the bootstrap.
    """

    low: float
    high: float
    items: int
    resamples: int


def render(
    records: Iterable[Record], evaluator: Evaluator, *, uncertainty: Mapping[tuple[str, Part], Uncertainty]
) -> Iterator[tuple[str, str]]:
    """The files: path below the data store's root, and JSON text. Models without a main score have none.

    Args:
        records: Of any models.
        evaluator: Who evaluated.
        uncertainty: (path of a record, part) -> the error of its main score, where it is known.
    """
    by_model: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        by_model.setdefault((record.model, record.revision, record.variant), []).append(record)
    for (model, revision, variant), group in sorted(by_model.items()):
        results = [
            _result(record, part, entry, uncertainty.get((record.path, part)))
            for record in sorted(group, key=lambda record: record.task)
            for part, entry in record.parts.items()
            if isinstance(entry.get("main_score"), int | float)
        ]
        if not results:
            continue
        moment = str(max((record.date or 0.0) for record in group))
        name = f"{COLLECTION}/{model.replace('/', '_')}/{moment}"
        document = {
            "schema_version": SCHEMA,
            "evaluation_id": name,
            "evaluation_timestamp": moment,
            "retrieved_timestamp": moment,
            "source_metadata": {
                "source_name": "embedding-harness",
                "source_type": "evaluation_run",
                "source_organization_name": evaluator.organization,
                "evaluator_relationship": evaluator.relationship,
            },
            "eval_library": _library(group),
            "model_info": _model(group, model, revision, variant),
            "evaluation_results": results,
        }
        file = uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{revision}/{variant}")
        developer, _, short = model.rpartition("/")
        folder = f"data/{COLLECTION}/{_plain(developer or 'unknown')}/{_plain(short)}"
        yield f"{folder}/{file}.json", json_text(document)


def _library(records: Sequence[Record]) -> dict[str, Any]:
    """The program that measured: this one, or mteb where the record is mteb's own."""
    versions: Mapping[str, Any] = next((value for record in records if (value := record.harness.get("versions"))), {})
    program = "embedding-harness"
    if program in versions:
        others = {name: str(version) for name, version in sorted(versions.items()) if name != program}
        return {"name": program, "version": str(versions[program]), "additional_details": others}
    version = next((record.mteb_version for record in records if record.mteb_version), "unknown")
    return {"name": "mteb", "version": version}


def _model(records: Sequence[Record], model: str, revision: str, variant: str) -> dict[str, Any]:
    facts = [record.harness for record in records if record.harness]
    origin = next((value for fact in facts if (value := fact.get("model", {}).get("origin"))), None)
    encoder: Mapping[str, Any] = next((value for fact in facts if (value := fact.get("encoder"))), {})
    shown = ("precision", "device", "attention", "max_length", "dimensions", "similarity", "batching")
    hosted = origin == "endpoint"
    recorded = origin is not None
    return {
        "name": model,
        "id": model,
        **({"developer": model.rpartition("/")[0]} if "/" in model else {}),
        "additional_details": {
            "deployment_type": "externally_managed" if hosted else "self_deployed" if recorded else "unknown",
            "model_availability": "unknown" if hosted or not recorded else "open_weights",
            "revision": revision,
            **({"variant": variant} if variant else {}),
            **{name: str(encoder[name]) for name in shown if encoder.get(name) is not None},
        },
    }


def _result(record: Record, part: Part, entry: Mapping[str, Any], error: Uncertainty | None) -> dict[str, Any]:
    metric = record.harness.get("main_metric") or mteb_metadata.main_metric(record.task) or "main_score"
    details: dict[str, Any] = {"score": float(entry["main_score"])}
    if error is not None:
        details["uncertainty"] = {
            "confidence_interval": {
                "lower": error.low,
                "upper": error.high,
                "confidence_level": 0.95,
                "method": "percentile bootstrap over items",
            },
            "num_samples": error.items,
            "num_bootstrap_samples": error.resamples,
        }
    return {
        "evaluation_result_id": f"{record.task}/{part.split}/{part.subset}/{metric}",
        "evaluation_name": record.task,
        "source_data": _source(record, part),
        **({"evaluation_timestamp": str(record.date)} if record.date else {}),
        "metric_config": {
            "evaluation_description": f"{metric} of the task {record.task}, {part}",
            "metric_id": str(metric),
            "metric_name": str(metric),
            "metric_unit": "proportion",
            "lower_is_better": False,
            "score_type": "continuous",
            **_bounds(str(metric)),
            "additional_details": {"task_type": str(record.harness.get("task_type") or _type(record.task))},
        },
        "score_details": details,
    }


def _type(task: str) -> str:
    return mteb_metadata.type_of(task) or "unknown"


def _bounds(metric: str) -> dict[str, float]:
    """The least and the greatest value: correlations and the change of ranks can be negative."""
    signed = ("spearman", "pearson", "kendalltau", "p-MRR")
    return {"min_score": -1.0 if metric.endswith(signed) else 0.0, "max_score": 1.0}


def _source(record: Record, part: Part) -> dict[str, Any]:
    source = record.harness.get("source") or {}
    details = {"split": part.split, "subset": part.subset, "revision": record.dataset_revision}
    published = mteb_metadata.get(record.task)
    place = source.get("path") if source.get("kind") in ("hub", "mteb") else None
    place = place or (published.dataset if published is not None and not source else None)
    if place:
        return {
            "dataset_name": record.task,
            "source_type": "hf_dataset",
            "hf_repo": str(place),
            "hf_split": part.split,
            "additional_details": details,
        }
    return {"dataset_name": record.task, "source_type": "other", "additional_details": details}


def _plain(name: str) -> str:
    """A name as one step of a path."""
    plain = "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in name).strip(".")
    return plain or "unknown"
