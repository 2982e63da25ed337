"""Digests of the data that was loaded on this machine, to notice that data changed under a pinned revision."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from harness.errors import DataError
from harness.files import kept
from harness.files.folders import cache_folder
from harness.tasks import registry
from harness.types import Loaded, Part, TaskSpec


def check(task: TaskSpec, part: Part, loaded: Loaded) -> None:
    """Compare `loaded` with the first load of this part on this machine; write its digest if this is the first.

    Raises:
        DataError: the same source and revision, read in the same way, held other data before.
    """
    file = _file(task, part)
    before = kept.read_json(file)
    if before is None:
        kept.write(file, json.dumps({"task": task.name, "sha256": loaded.digest, "rows": dict(loaded.rows)}))
        return
    if before.get("sha256") != loaded.digest:
        raise DataError(
            f"{task.name} {part}: {task.source.path}@{task.source.revision} holds other data than before "
            f"(sha256 {loaded.digest[:12]}, rows {dict(loaded.rows)}; before {str(before.get('sha256'))[:12]}, "
            f"rows {before.get('rows')}); a pinned revision must not change. If the new data is right, delete {file}"
        )


def _file(task: TaskSpec, part: Part) -> Path:
    key = json.dumps([registry.fingerprint_of(task), list(part)], sort_keys=True)
    return cache_folder() / "data-seen" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
