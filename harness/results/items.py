"""Reads and writes the items of a record, in a file beside it.

Beside `<Task>.json` lies `<Task>.items.npz`, a NumPy archive without pickles (compressed, deterministic, readable with
`numpy.load`). Its array `header` holds JSON as UTF-8 bytes:

    {"format": 1, "fingerprint": "...", "task": "...",
     "parts": [{"split": "test", "subset": "default", "kind": "correlation", "metric": "spearman", "unit": "pair"}]}

and the arrays of part i are named `i.<column>`; `evaluators.items` says which columns each kind has. The archive's
comment is the digest of the archive without a comment, which is checked before the archive is opened.

The fingerprint is the record's. Items with another fingerprint, or whose score differs from the recorded one by more
than 1e-5, do not belong to the record and are not used.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import RecordError
from harness.evaluators.items import Items
from harness.files import atomic
from harness.files.disk_errors import on_disk
from harness.types import Part, Record

FORMAT = 1
SUFFIX = ".items.npz"
MAX_BYTES = 512 * 2**20
"""The most bytes of all arrays of a file, unpacked."""
TOLERANCE = 1e-5
_MARK = b"sha256:"
_COMMENT = len(_MARK) + 64
_NO_COMMENT = b"\0\0"
"""The end of an archive without a comment: the length of the comment."""
_ADVICE = "delete it, and run the task again with --overwrite to make it"
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, MemoryError),
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError),
)
"""What zipfile, zlib and NumPy raise on an archive without a digest that was damaged."""


def items_path(record: Path | str) -> Path:
    """The file of the items of a record's file."""
    return Path(record).with_name(Path(record).name.removesuffix(".json") + SUFFIX)


def write(record_path: Path, record: Record, items: Mapping[Part, Items]) -> Path:
    """Write items beside the record's file, atomically; they are merged with existing items as in `results.put`.

    The caller holds the lock of the results folder, and writes the record afterwards.

    Args:
        record_path: the record's file, which need not exist yet.
        record: has a fingerprint.
        items: the items of the parts that were computed.

    Returns:
        The file of the items.

    Raises:
        RecordError: the record has no fingerprint.
        OSError: the file cannot be written.
    """
    if record.fingerprint is None:
        raise RecordError(f"{record.task} of {record.model}: items belong to a record with a fingerprint")
    path = items_path(record_path)
    try:
        kept = (_unpacked(path.read_bytes(), path, record.fingerprint) if path.is_file() else None) or {}
    except RecordError:
        kept = {}
    atomic.write(path, _packed(record, {**kept, **items}))
    return path


def get_items(record: Record) -> dict[Part, Items] | None:
    """The items of a record; None where there are none, or only those of an older record.

    Parts whose score is not the recorded one are left out.

    Raises:
        RecordError: The file is broken or has a later format.
    """
    if not record.path or record.fingerprint is None:
        return None
    main_scores = {part: entry["main_score"] for part, entry in record.parts.items()}
    return read(items_path(record.path), fingerprint=record.fingerprint, main_scores=main_scores)


def read(
    path: Path, *, fingerprint: str, main_scores: Mapping[Part, float | None], sha256: str | None = None
) -> dict[Part, Items] | None:
    """The items of a file, by part; None where there is no file, or it has another fingerprint.

    Parts whose score differs from that in `main_scores` by more than `TOLERANCE` are left out. A file whose digest is
    not `sha256`, where that is given, is broken.

    Raises:
        RecordError: The file is broken or has a later format.
    """
    with on_disk(path, "read"):
        content = path.read_bytes() if path.is_file() else None
    if content is not None and sha256 not in (None, hashlib.sha256(content).hexdigest()):
        raise RecordError(f"{path}: damaged: its content does not fit its name; delete it")
    by_part = None if content is None else _unpacked(content, path, fingerprint)
    if by_part is None:
        return None
    return {part: items for part, items in by_part.items() if _agrees(items, main_scores.get(part))}


def _packed(record: Record, items: Mapping[Part, Items]) -> bytes:
    parts: list[dict[str, str]] = []
    arrays: dict[str, Any] = {}
    for number, (part, of_part) in enumerate(sorted(items.items())):
        about = {"kind": of_part.kind, "metric": of_part.metric, "unit": of_part.unit}
        parts.append({"split": part.split, "subset": part.subset, **about})
        columns = {"position": of_part.position, **of_part.columns}
        arrays |= {f"{number}.{name}": values for name, values in columns.items()}
    header = {"format": FORMAT, "fingerprint": record.fingerprint, "task": record.task, "parts": parts}
    text = json.dumps(header, ensure_ascii=False, sort_keys=True).encode()
    out = io.BytesIO()
    np.savez_compressed(out, header=np.frombuffer(text, np.uint8), **arrays)
    return _with_digest(out.getvalue())


def _with_digest(archive: bytes) -> bytes:
    comment = _MARK + hashlib.sha256(archive).hexdigest().encode()
    return archive[: -len(_NO_COMMENT)] + len(comment).to_bytes(len(_NO_COMMENT), "little") + comment


def _is_damaged(content: bytes) -> bool:
    """Whether the digest of an archive does not fit it; an archive of an earlier version has none."""
    comment = content[-_COMMENT:]
    if not comment.startswith(_MARK):
        return not content.endswith(_NO_COMMENT)
    return _with_digest(content[: -_COMMENT - len(_NO_COMMENT)] + _NO_COMMENT) != content


def _unpacked(content: bytes, path: Path, fingerprint: str) -> dict[Part, Items] | None:
    """All items of a file; None where it has another fingerprint."""
    if _is_damaged(content):
        raise RecordError(f"{path}: not an items file: its content does not fit its digest; {_ADVICE}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_BYTES:
            raise RecordError(f"{path}: {size} bytes when unpacked, more than {MAX_BYTES}: not an items file")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes().decode())
            if header["format"] > FORMAT:
                raise RecordError(f"{path}: format {header['format']}, expected {FORMAT}; update embedding-harness")
            if header["fingerprint"] != fingerprint:
                return None
            of_numbers: dict[str, dict[str, NDArray[Any]]] = {}
            for name in archive.files:
                number, _, column = name.partition(".")
                if column:
                    of_numbers.setdefault(number, {})[column] = archive[name]
            by_part = {}
            for place, about in enumerate(header["parts"]):
                columns = of_numbers.get(str(place), {})
                by_part[Part(about["split"], about["subset"])] = _checked(about, columns, path)
    except _DAMAGE as err:
        raise RecordError(f"{path}: not an items file: {err}; {_ADVICE}") from err
    return by_part


def _checked(about: Mapping[str, Any], columns: dict[str, NDArray[Any]], path: Path) -> Items:
    items = Items(
        kind=about["kind"],
        metric=about["metric"],
        unit=about["unit"],
        position=columns.pop("position"),
        columns=columns,
    )
    if not items.is_sound():
        part = Part(about["split"], about["subset"])
        raise RecordError(f"{path}: part {part.split}/{part.subset} does not fit the kind {items.kind!r}; delete it")
    return items


def _agrees(items: Items, main_score: float | None) -> bool:
    return main_score is not None and abs(items.whole() - main_score) <= TOLERANCE
