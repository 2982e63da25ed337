"""The revision of a model in a folder: a digest of every byte that a loader can read there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from harness.files.digests import sha256
from harness.models.repository import Repository


def revision(repository: Repository, *, trust_remote_code: bool) -> str:
    """40 hexadecimal digits over the names and bytes of the files, cards aside: a rewritten card is not another model.

    Hidden files count where the settings name them, and all but those of git where the model's own code may run.

    Raises:
        OSError: a file cannot be read.
    """
    named = [PurePosixPath(path) for path in repository.named_paths if path]
    digest = hashlib.sha256()
    for name in sorted(map(PurePosixPath, repository.files)):
        if name.suffix != ".md" and _counts(name, named, trust_remote_code=trust_remote_code):
            digest.update(f"{name.as_posix()}\0{sha256(Path(repository.folder, name))}\n".encode())
    return digest.hexdigest()[:40]


def _counts(name: PurePosixPath, named: Sequence[PurePosixPath], *, trust_remote_code: bool) -> bool:
    if not any(part.startswith(".") for part in name.parts):
        return True
    if trust_remote_code:
        return name.parts[0] != ".git"
    return any(path in (name, *name.parents) for path in named)
