"""Record <-> JSON text (pure).

The layout is that of mteb's TaskResult (mteb 2.26), so that mteb and its tools can read it, plus the key `harness`. The
writer makes strict JSON at full precision, with splits, subsets and metrics sorted, so that equal records make equal
files. The reader reads every file of the public results repository; the oracle tests compare it with
`TaskResult.from_disk`.

The reader converts bare NaN and Infinity (to None), `"pearson": [r, p]` (to r), metrics nested by similarity (to flat
ones), the schema from before mteb 1.11, and older versions of the key `harness`. Of two entries for one subset it takes
the mean, as mteb does, and says so in the record's remarks. It refuses, unlike mteb, a file without scores and an
object with a key twice. It drops mteb's `evaluation_phases`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from numbers import Integral, Real
from typing import Any

from harness.errors import RecordError
from harness.results import content_digest, harness_key, repeated_subsets
from harness.results.json_values import as_list, as_object, brief, load_object, number_or_none, text_or_none
from harness.results.old_formats import flat, modernise
from harness.results.paths import Identity
from harness.results.schema import upgraded
from harness.types import Record

NO_REVISION = "no_revision_available"
_DOCUMENT_KEYS = (
    *("dataset_revision", "task_name", "mteb_version", "scores", "evaluation_time", "kg_co2_emissions", "date"),
)
_LAST_KEYS = ("main_score", "hf_subset", "languages")
_CORRELATIONS = ("pearson", "spearman")
LARGEST_SCORE = 1e100
"""No score is larger, and sums of many such numbers are still numbers."""
LAST_DATE = 253_402_300_799.0
"""The last second of the year 9999, in seconds since 1970."""


def to_json(record: Record) -> str:
    """The file's text: mteb's keys in mteb's order, two spaces of indentation, a newline at the end.

    Raises:
        RecordError: a value is NaN or infinite (the message names task, split, subset and metric) or cannot be JSON, or
            the scores are such that `from_json` would refuse them.
    """
    where = f"{record.task} of {record.model}"
    content = {
        "dataset_revision": record.dataset_revision,
        "task_name": record.task,
        "mteb_version": record.mteb_version,
        "scores": record.scores,
        "evaluation_time": record.evaluation_time,
        "kg_co2_emissions": record.kg_co2_emissions,
        "date": record.date,
        "harness": record.harness,
    }
    try:
        document = _laid_out(content, where)
        _check_scores(document["scores"], where)
        _understood(document.get("harness", {}), where)
        if "harness" in document:
            unfilled = {**document["harness"], content_digest.KEY: content_digest.PLACEHOLDER}
            document["harness"] = dict(sorted(unfilled.items()))
        text = _text_of(document)
        text = content_digest.filled_in(text) if "harness" in document else text
        text.encode()
    except (ValueError, TypeError, RecursionError) as err:
        raise RecordError(f"{where}: the record cannot be written as JSON: {err}") from err
    return text


def parse(text: str, *, path: str, identity: Identity) -> Record:
    """The record in a file's text. `identity` names its model, revision and variant, which the file does not hold.

    Raises:
        RecordError: The text is not JSON or not a result; the message says where, and what was expected.
    """
    data = load_object(text, path=path)
    if "scores" not in data and "mteb_dataset_name" in data:
        data = modernise(data, path)
    raw = as_object(data.get("scores"), f"{path}: `scores`")
    scores = {
        split: [
            _entry(item, f"{path}: {split}[{index}]") for index, item in enumerate(as_list(items, f"{path}: {split}"))
        ]
        for split, items in raw.items()
    }
    scores, remarks = repeated_subsets.averaged(scores)
    _check_scores(scores, path)
    harness, of_harness = _understood(upgraded(_checked_harness(data, text, path)), path)
    date, of_date = _plausible(_timestamp(data.get("date"), f"{path}: `date`"))
    remarks = (*remarks, *of_harness, *of_date)
    task = text_or_none(data.get("task_name"), f"{path}: `task_name`")
    if not task:
        raise RecordError(f"{path}: `task_name` is missing or empty, expected the name of a task")
    return Record(
        task=task,
        model=identity.model,
        revision=identity.revision,
        dataset_revision=text_or_none(data.get("dataset_revision"), f"{path}: `dataset_revision`") or NO_REVISION,
        scores=scores,
        evaluation_time=number_or_none(data.get("evaluation_time"), f"{path}: `evaluation_time`"),
        date=date,
        mteb_version=text_or_none(data.get("mteb_version"), f"{path}: `mteb_version`"),
        kg_co2_emissions=number_or_none(data.get("kg_co2_emissions"), f"{path}: `kg_co2_emissions`"),
        harness=harness,
        variant=identity.variant,
        path=path,
        remarks=remarks,
    )


# --- reading and writing ----------------------------------------------------------------------------------------------


def _check_scores(scores: Mapping[str, Sequence[Mapping[str, Any]]], where: str) -> None:
    for split, entries in scores.items():
        seen = set()
        for index, entry in enumerate(entries):
            subset = _check_entry(entry, f"{where}: {split}[{index}]")
            if subset in seen:
                raise RecordError(f"{where}: two entries for split {split!r}, subset {subset!r}, expected one")
            seen.add(subset)
    if not any(scores.values()):
        raise RecordError(f"{where}: `scores` holds no scores")


def _check_entry(entry: Mapping[str, Any], where: str) -> str:
    subset, languages = entry.get("hf_subset"), entry.get("languages")
    if not isinstance(subset, str):
        raise RecordError(f"{where}: `hf_subset` is {brief(subset)}, expected a string")
    if not isinstance(languages, list) or not all(isinstance(language, str) for language in languages):
        raise RecordError(f"{where}: `languages` is {brief(languages)}, expected a list of strings")
    if "main_score" not in entry:
        raise RecordError(f"{where}: `main_score` is missing")
    score = number_or_none(entry["main_score"], f"{where}: `main_score`")
    if score is not None and abs(score) > LARGEST_SCORE:
        raise RecordError(f"{where}: `main_score` is {score:g}, expected a score")
    return subset


def _checked_harness(data: Mapping[str, Any], text: str, path: str) -> dict[str, Any]:
    """The value of the key `harness` without its digest; a digest that does not fit the file is refused."""
    harness = dict(as_object(data.get("harness", {}), f"{path}: `harness`"))
    digest = harness.pop(content_digest.KEY, None)
    if digest is not None and not content_digest.is_as_written(text.encode(errors="surrogatepass")):
        as_written = _text_of(_laid_out({**data, "harness": harness}, path))
        if content_digest.digest_of(as_written) != digest:
            raise RecordError(
                f"{path}: changed after it was written: its content does not fit `harness.digest`; run the task again, "
                "or delete that key if the change is intended"
            )
    return harness


def _understood(harness: dict[str, Any], path: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The key `harness` and a remark; nothing of it where another program gave its keys another meaning."""
    problem = harness_key.problem(harness)
    if not problem:
        return harness, ()
    if harness_key.is_ours(harness):
        raise RecordError(f"{path}: `harness`: {problem}; run the task again")
    return {}, ("the key `harness` has another program's content, which is not read",)


def _plausible(date: float | None) -> tuple[float | None, tuple[str, ...]]:
    """A date in seconds since 1970 and a remark; None where no calendar has it."""
    if date is None or 0 <= date <= LAST_DATE:
        return date, ()
    return None, (f"its date, {date:g} seconds since 1970, is not read",)


# --- writing -------------------------------------------------------------------------------------------------------


def _laid_out(content: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The content of a file, in the types of JSON and in the order of the file."""
    scores = {
        _key(split, where): sorted(
            (_ordered(entry, f"{where}: {split}") for entry in entries), key=lambda entry: str(entry.get("hf_subset"))
        )
        for split, entries in sorted(content["scores"].items())
    }
    keys = (*_DOCUMENT_KEYS, "harness") if content["harness"] else _DOCUMENT_KEYS
    return {key: scores if key == "scores" else _plain(content.get(key), f"{where}: {key}") for key in keys}


def _text_of(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _ordered(entry: Mapping[str, Any], where: str) -> dict[str, Any]:
    place = f"{where}/{entry.get('hf_subset')}"
    names = [*sorted(name for name in entry if name not in _LAST_KEYS), *(name for name in _LAST_KEYS if name in entry)]
    return {_key(name, place): _plain(entry[name], f"{place}, {name}") for name in names}


def _plain(value: Any, where: str) -> Any:
    """`value` in the types of JSON, keys sorted; numpy scalars become Python numbers."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        if math.isfinite(number):
            return number
        raise RecordError(f"{where} is {number}, expected a finite number, or None where the metric does not apply")
    if isinstance(value, Mapping):
        return {_key(key, where): _plain(value[key], f"{where}, {key}") for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise RecordError(f"{where} is a {type(value).__name__}, expected numbers, strings, lists or mappings")


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise RecordError(f"{where} has the key {key!r}, expected a string")
    return key


# --- reading -------------------------------------------------------------------------------------------------------


def _entry(item: Any, where: str) -> dict[str, Any]:
    metrics = flat(as_object(item, where))
    return {name: _coefficient(value) if name.endswith(_CORRELATIONS) else value for name, value in metrics.items()}


def _coefficient(value: Any) -> Any:
    """The coefficient, where mteb 1.12 to 1.18 wrote scipy's pair of coefficient and p-value."""
    return value[0] if isinstance(value, list) and len(value) == 2 else value


def _timestamp(value: Any, where: str) -> float | None:
    if not isinstance(value, str):
        return number_or_none(value, where)
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError as err:
        raise RecordError(f"{where} is {brief(value)}, expected seconds since 1970 or an ISO date") from err
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
