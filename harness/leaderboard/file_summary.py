"""What a leaderboard needs from one result file, read fast.

A results repository holds 100,000 files and gigabytes, nearly all of it metrics that no leaderboard shows. `summarise`
decodes only the few keys below and skips the rest, some fifteen times faster than reading whole records. Whatever is
not plainly today's schema (bare NaN, older layouts, anything twice, anything wrong) goes through `json_format.parse`,
which alone decides what is refused; so the two ways agree on every file that both read. What the fast way does not see
is a defect inside metrics that it skips.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from harness.errors import RecordError
from harness.results import content_digest
from harness.results.harness_key import HarnessKey
from harness.results.json_format import LARGEST_SCORE, LAST_DATE, NO_REVISION, parse
from harness.results.paths import Identity
from harness.results.schema import SCHEMA, upgraded
from harness.types import Record


class Score(NamedTuple):
    """The main score of one part; None where the file has none. `languages` are joined by commas."""

    split: str
    subset: str
    languages: str
    value: float | None


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What records of this harness hold beyond mteb's schema.

    Attributes:
        task_type: as mteb names it.
        device: the processor's name, `device` where it has none.
        precision, dimensions, parameters, max_length: of the encoder as it was used.
        texts, tokens: how many were encoded in all parts.
        encode_seconds: time spent encoding all parts.
        fingerprint: of the record; its items carry the same.
    """

    task_type: str | None = None
    main_metric: str | None = None
    device: str | None = None
    precision: str | None = None
    dimensions: int | None = None
    parameters: int | None = None
    max_length: int | None = None
    texts: int | None = None
    tokens: int | None = None
    encode_seconds: float | None = None
    fingerprint: str | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One result file: its task, its main scores, and what decides between several files of the same task.

    `remark` is what the reader had to decide.
    """

    task: str
    dataset_revision: str
    mteb_version: str | None
    seconds: float | None
    date: float | None
    scores: tuple[Score, ...]
    facts: Facts | None
    remark: str | None = None


class _Entry(msgspec.Struct):
    main_score: float | None
    hf_subset: str
    languages: list[str]


class _File(msgspec.Struct):
    task_name: str
    scores: dict[str, list[_Entry]]
    dataset_revision: str | None = None
    mteb_version: str | None = None
    evaluation_time: float | None = None
    kg_co2_emissions: float | None = None
    date: float | None = None
    harness: msgspec.Raw = msgspec.Raw(b"")


_KEYS = tuple(f'"{name}"'.encode() for name in _File.__struct_fields__ if name != "mteb_version")
"""Keys of a file that stand in it once; mteb repeats its version in other places."""
_decode = msgspec.json.Decoder(_File).decode


def summarise(data: bytes, *, path: str | Path, identity: Identity) -> Summary:
    """The summary of a file's bytes.

    Args:
        data: The file, at most 64 MiB (see `files.reading.MAX_BYTES`).
        path: For messages.
        identity: The model, revision and variant that it belongs to, for messages and the strict reader.

    Raises:
        RecordError: Not a result file, or one of a later schema than this version knows; the message says why.
    """
    return _fast(data, path) or _strict(data, path, identity)


def _fast(data: bytes, path: str | Path) -> Summary | None:
    if b'"digest"' in data and not content_digest.is_as_written(data):
        return None
    file = _decoded(data)
    if file is None:
        # Python writes a bare NaN, which is not JSON, after a colon. Inside a name the same text would show in `file`.
        file = _decoded(data.replace(b": NaN", b": null")) if b": NaN" in data else None
        if file is None or ": null" in repr(file):
            return None
    scores = tuple(
        Score(split, entry.hf_subset, ",".join(entry.languages), entry.main_score)
        for split, entries in file.scores.items()
        for entry in entries
    )
    if not (scores and file.task_name and _is_plain(data, scores)):
        return None
    if file.date is not None and not 0 <= file.date <= LAST_DATE:
        return None
    key = _harness_key(bytes(file.harness)) if file.harness else None
    if file.harness and key is None:
        return None
    return Summary(
        task=file.task_name,
        dataset_revision=file.dataset_revision or NO_REVISION,
        mteb_version=file.mteb_version,
        seconds=file.evaluation_time,
        date=file.date,
        scores=scores,
        facts=_facts(key, path) if key else None,
    )


def _decoded(data: bytes) -> _File | None:
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _is_plain(data: bytes, scores: tuple[Score, ...]) -> bool:
    """Whether every key in the file was decoded, so that no key is there twice and no value overflowed."""
    count = len(scores)
    return (
        data.count(b'"main_score"') == count
        and data.count(b'"hf_subset"') == count
        and data.count(b'"languages"') == count
        and data.count(b'"task_name"') == 1
        and all(data.count(key) <= 1 for key in _KEYS)
        and len({score[:2] for score in scores}) == count
        and all(score.value is None or abs(score.value) <= LARGEST_SCORE for score in scores)
    )


def _strict(data: bytes, path: str | Path, identity: Identity) -> Summary:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as err:
        raise RecordError(f"{path}: not UTF-8 text (byte {err.start}): not a result file") from err
    record = parse(text, path=str(path), identity=identity)
    return Summary(
        task=record.task,
        dataset_revision=record.dataset_revision,
        mteb_version=record.mteb_version,
        seconds=record.evaluation_time,
        date=record.date,
        scores=tuple(_score(split, entry) for split, entries in record.scores.items() for entry in entries),
        facts=_facts_of(record, path),
        remark="; ".join(record.remarks) or None,
    )


def _score(split: str, entry: Mapping[str, Any]) -> Score:
    value = entry["main_score"]
    return Score(split, entry["hf_subset"], ",".join(entry["languages"]), None if value is None else float(value))


def _facts_of(record: Record, path: str | Path) -> Facts | None:
    return _facts(msgspec.convert(record.harness, HarnessKey), path) if record.harness else None


def _harness_key(data: bytes) -> HarnessKey | None:
    """The key `harness`; None where something in it does not fit its types."""
    try:
        content = msgspec.json.decode(data, type=HarnessKey)
        if content.schema < SCHEMA:
            content = msgspec.convert(upgraded(msgspec.json.decode(data)), HarnessKey)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return content


def _facts(content: HarnessKey, path: str | Path) -> Facts:
    if content.schema > SCHEMA:
        raise RecordError(
            f"{path}: written with schema {content.schema} of a newer harness, expected {SCHEMA} at most; "
            "update embedding-harness"
        )
    parts, encoder = list(content.parts.values()), content.encoder
    # A part whose vectors came from the cache says nothing about the speed of the model.
    seconds = [part.seconds["encode"] for part in parts if "encode" in part.seconds and not part.texts_cached]
    return Facts(
        task_type=content.task_type,
        main_metric=content.main_metric,
        device=encoder.device_name or encoder.device,
        precision=encoder.precision,
        dimensions=encoder.dimensions,
        parameters=encoder.parameters,
        max_length=encoder.max_length,
        texts=_sum(part.texts for part in parts),
        tokens=_sum(part.tokens for part in parts),
        encode_seconds=math.fsum(seconds) if seconds and len(seconds) == len(parts) else None,
        fingerprint=content.fingerprint,
    )


def _sum(values: Any) -> int | None:
    counts = list(values)
    return sum(counts) if counts and None not in counts else None
