"""Every file that can be read below a folder, through links too."""

from __future__ import annotations

import os
from pathlib import Path


def files_below(root: Path) -> list[Path]:
    """The files below a folder, sorted, by the paths under which they are read: hidden ones and linked ones too.

    A link to a folder that it lies in leads to nothing new, and is not followed.

    Raises:
        OSError: a folder cannot be listed.
    """
    files: list[Path] = []
    todo: list[tuple[Path, frozenset[str]]] = [(root, frozenset({os.path.realpath(root)}))]
    while todo:
        folder, above = todo.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                path = folder / entry.name
                if entry.is_dir():
                    real = os.path.realpath(path)
                    if real not in above:
                        todo.append((path, above | {real}))
                elif entry.is_file():
                    files.append(path)
    return sorted(files)
