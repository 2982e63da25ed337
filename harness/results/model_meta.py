"""The text of `model_meta.json`, the file about the model beside its records, in mteb's format (pure)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from harness.errors import RecordError
from harness.results.paths import Identity, variant_kwargs

_META_KEYS = (
    *("loader", "name", "revision", "release_date", "languages", "n_parameters", "memory_usage_mb", "max_tokens"),
    *("embed_dim", "license", "open_weights", "public_training_code", "public_training_data", "framework"),
    *("similarity_fn_name", "use_instructions", "training_datasets", "experiment_kwargs"),
)


def meta_json(model_meta: Mapping[str, Any], owner: Identity) -> str:
    """The text of `model_meta.json`: mteb's ModelMeta with every key that it requires, null for unknown values.

    Unlike mteb's, it is strict JSON (mteb writes an infinite `max_tokens`), and equal for equal metadata: sets are
    sorted and memory addresses of functions are left out.
    """
    meta = {**dict.fromkeys(_META_KEYS), "framework": [], **model_meta}
    meta.update(name=owner.model, revision=owner.revision, experiment_kwargs=variant_kwargs(owner.variant) or None)
    if isinstance(meta["training_datasets"], (list, tuple)):
        meta["training_datasets"] = set(meta["training_datasets"])  # mteb lists a set in the order of its hashes
    try:
        return json.dumps(_meta_value(meta), indent=4, allow_nan=False) + "\n"
    except (ValueError, TypeError, RecursionError) as err:
        raise RecordError(f"{owner}: its model_meta.json cannot be written as JSON: {err}") from err


def _meta_value(value: Any) -> Any:
    if isinstance(value, Enum):
        return _meta_value(value.value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _meta_value(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(_meta_value(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [_meta_value(item) for item in value]
    return re.sub(r" at 0x[0-9a-fA-F]+", "", str(value))
