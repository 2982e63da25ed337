"""The hub client's own cache: the folder of a repository, and the commits that branches and tags stood for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.files.atomic import write_cache


def folder_of(name: str, *, kind: Literal["models", "datasets"] = "models") -> Path:
    """The folder of a repository, which need not exist."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / "--".join([kind, *name.split("/")])


def noted_commit(folder: Path, ref: str) -> str | None:
    """The commit that a branch or tag stands for in a repository's `folder`; None where it is not noted."""
    file = folder / "refs" / ref
    if ".." in Path(ref).parts or not file.is_file():
        return None
    return file.read_text(encoding="utf-8").strip()


def note_commit(folder: Path, *, ref: str, commit: str) -> None:
    """Note that the branch or tag `ref` is `commit`.

    The client does so itself when it loads by branch. Here everything is loaded by commit, so that it cannot change
    between look-up and loading; without the note, `--offline` would not find it under the name that worked online.
    """
    if ".." not in Path(ref).parts:
        write_cache(folder / "refs" / ref, commit)
