"""The revision of a model in a folder: a digest of every byte that a loader can read there, and below an adapter."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from harness.files.digests import sha256
from harness.models import adapter_base
from harness.models.named_files import named_files
from harness.models.repository import Repository


def revision(repository: Repository, *, trust_remote_code: bool) -> str:
    """40 hexadecimal digits over the names and bytes of the files, cards aside: a rewritten card is not another model.

    Hidden files and texts in Markdown count where the settings name them, and where the model's own code may run: then
    all but cards and what belongs to git. The model under an adapter counts where it is a folder.

    Raises:
        ModelError: as `named_files`, and for the model under an adapter as `adapter_base.folder_below`.
        OSError: a file cannot be read.
    """
    settings = (*repository.named_paths, *named_files(repository))
    named = [PurePosixPath(path) for path in settings if path]
    digest = hashlib.sha256()
    for name in sorted(map(PurePosixPath, repository.files)):
        if _counts(name, named, trust_remote_code=trust_remote_code):
            digest.update(f"{name.as_posix()}\0{sha256(Path(repository.folder, name))}\n".encode())
    below = adapter_base.folder_below(repository)
    if below is not None:
        digest.update(f"\0{revision(below, trust_remote_code=trust_remote_code)}\n".encode())
    return digest.hexdigest()[:40]


def _counts(name: PurePosixPath, named: Sequence[PurePosixPath], *, trust_remote_code: bool) -> bool:
    if name in named:
        return True
    if trust_remote_code:
        return name.name != "README.md" and name.parts[0] != ".git"
    hidden = any(part.startswith(".") for part in name.parts)
    return name.suffix != ".md" and (not hidden or any(path in name.parents for path in named))
