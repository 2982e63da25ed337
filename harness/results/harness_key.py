"""The types of what records hold under the key `harness`, which every reader of records checks (pure).

Whatever a record says there is read by forecasts, boards, nights and cards. So a value of another type, such as seconds
that are text or 10^20 tokens, is refused where the record is read, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import msgspec

from harness.results.schema import SCHEMA

_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Amount: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e15)]


class EncoderKey(msgspec.Struct):
    """What of `harness.encoder` is read again."""

    device: str | None = None
    device_name: str | None = None
    backend: str | None = None
    precision: str | None = None
    attention: str | None = None
    similarity: str | None = None
    batching: str | None = None
    prompts_from: str | None = None
    dimensions: _Count | None = None
    parameters: _Count | None = None
    max_length: _Count | None = None


class PartKey(msgspec.Struct):
    """What of `harness.parts.<part>` is read again."""

    seconds: dict[str, _Amount] = {}
    rows: dict[str, _Count] = {}
    prompts: dict[str, Any] = {}
    notes: list[str] = []
    defects: list[str] = []
    sha256: str | None = None
    texts: _Count | None = None
    texts_encoded: _Count | None = None
    texts_cached: _Count = 0
    texts_truncated: _Count | None = None
    truncated: _Count | None = None
    pairs: _Count | None = None
    pairs_truncated: _Count | None = None
    tokens: _Count | None = None
    tokens_encoded: _Count | None = None
    tokens_padded: _Count | None = None
    tokens_per_second: _Amount | None = None
    peak_memory_mib: _Amount | None = None
    cost_usd: _Amount | None = None
    compression: dict[str, Any] | None = None


class ModelKey(msgspec.Struct):
    """What of `harness.model` is read again."""

    origin: str | None = None
    place: str | None = None
    like: str | None = None
    note: str | None = None
    trust_remote_code: bool = False
    name_given: bool = False
    dependencies: dict[str, str] = {}


class SourceKey(msgspec.Struct):
    """What of `harness.source` is read again."""

    kind: str | None = None
    path: str | None = None
    revision: str | None = None


class HarnessKey(msgspec.Struct):
    """What of the key `harness` is read again; other keys hold anything."""

    schema: Annotated[int, msgspec.Meta(ge=0, le=2**31)] = SCHEMA
    fingerprint: str | None = None
    task_type: str | None = None
    main_metric: str | None = None
    machine: str | None = None
    platform: str | None = None
    versions: dict[str, str] = {}
    model: ModelKey = msgspec.field(default_factory=ModelKey)
    encoder: EncoderKey = msgspec.field(default_factory=EncoderKey)
    source: SourceKey = msgspec.field(default_factory=SourceKey)
    parts: dict[str, PartKey] = {}


def problem(harness: Mapping[str, Any]) -> str:
    """What does not fit the types, as `Expected ... - at `$.parts[...].tokens``; empty where all fits."""
    try:
        msgspec.convert(harness, HarnessKey)
    except (msgspec.ValidationError, RecursionError) as err:
        return str(err)
    return ""


def is_ours(harness: Mapping[str, Any]) -> bool:
    """Whether this package wrote the key, and no other program of the same idea."""
    return "schema" in harness and "fingerprint" in harness
