"""A model card on disk: reading its text and front matter, and saving a new text.

The front matter is located as on the hub (the server's expression is `REGEX_YAML_BLOCK` of `repocard` in
huggingface_hub 2.4): between two lines of three dashes at the beginning of the file, after white space at most. Offsets
count characters of the text without its byte order mark. The mark and the line endings are kept.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cards.edit import yaml_nodes
from harness.cards.edit.yaml_nodes import Node, Tree
from harness.errors import CardError
from harness.files import atomic
from harness.files.disk_errors import on_disk

MAX_BYTES = 8 * 2**20
"""The limit on a card's size; the hub's git refuses files of more than 10 MiB (mteb issue 1368)."""

_BOM = b"\xef\xbb\xbf"
_BREAK = re.compile(r"\r\n|\r|\n")
_OPENING = re.compile(r"\s*---(?:\r\n|\r|\n)")
_CLOSING = re.compile(r"(?:\r\n|\r|\n)---[ \t]*(?=\r\n|\n|\Z)")
_CLOSED_AT_ONCE = re.compile(r"---[ \t]*(?=\r\n|\n|\Z)")
_FIRST_LINE = re.compile(r"\s*---[ \t]*(?=\r|\n|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card as it was read from disk.

    Attributes:
        path: the file, for messages and for `save`.
        raw: the file's bytes; None for a file that does not exist.
        bom: whether the file begins with a byte order mark.
        text: the file's text without the mark.
        start: offset of the first character of the front matter's YAML; -1 without a front matter.
        end: offset after its last character, before the line break and the closing dashes.
        newline: the line break that the file uses.
        tree: the nodes of the front matter.
    """

    path: Path
    raw: bytes | None
    bom: bool
    text: str
    start: int
    end: int
    newline: str
    tree: Tree

    @property
    def has_front_matter(self) -> bool:
        """Whether the card has a front matter, possibly an empty one."""
        return self.start >= 0

    @property
    def front_matter(self) -> str:
        """The YAML of the front matter; empty without one."""
        return self.text[self.start : self.end] if self.has_front_matter else ""

    @property
    def root(self) -> Node | None:
        """The mapping of the front matter; None if it is missing or empty."""
        root = self.tree.root
        return None if root is None or root.is_null else root

    def line_of(self, offset: int) -> int:
        """The line that holds the character at `offset`, counted from 1."""
        return 1 + len(_BREAK.findall(self.text, 0, offset))

    def data(self) -> Any:
        """The front matter as `yaml.safe_load` reads it; None without one.

        Raises:
            CardError: a value is not plain data.
        """
        return yaml_nodes.data(self.tree.root, path=str(self.path))

    def with_text(self, text: str) -> Card:
        """The card of the same file with another text, which is parsed.

        Raises:
            CardError: as in `parse`.
        """
        return parse(text, path=self.path, raw=self.raw, bom=self.bom)


def parse(text: str, *, path: Path | str, raw: bytes | None = None, bom: bool = False) -> Card:
    """Parse a card.

    Raises:
        CardError: the front matter is not closed, or is not a single YAML mapping.
    """
    path = Path(path)
    start, end = _front_matter(text, path)
    line = 1 + len(_BREAK.findall(text, 0, max(start, 0)))
    tree = yaml_nodes.parse(text[start:end] if start >= 0 else "", path=str(path), start=max(start, 0), line=line)
    card = Card(path=path, raw=raw, bom=bom, text=text, start=start, end=end, newline=_newline(text), tree=tree)
    if card.root is not None and card.root.kind != "mapping":
        raise CardError(
            f"{path}:{card.root.line}: the front matter is a {card.root.kind}, expected keys with values such as "
            "`language: de`; if the dashes are a horizontal rule, put a line of text above them"
        )
    return card


def load(path: str | os.PathLike[str], *, to_change: bool = False) -> Card:
    """Read a card from a file.

    Args:
        path: the file.
        to_change: whether it will be written; if so, it may be missing, but not be a symbolic link or read-only.

    Raises:
        CardError: the file is not a regular one, is too large or not UTF-8 text, or as in `parse`.
    """
    path = Path(path)
    if to_change:
        _check_writable(path)
    raw = _read(path, missing_ok=to_change)
    return decode(raw, path=path)


def decode(raw: bytes | None, *, path: str | os.PathLike[str]) -> Card:
    """Read a card from a file's bytes; None stands for a file that does not exist.

    Raises:
        CardError: the bytes are not UTF-8 text, or as in `parse`.
    """
    if raw is None:
        return parse("", path=Path(path))
    bom = raw.startswith(_BOM)
    return parse(_decoded(raw[len(_BOM) :] if bom else raw, Path(path)), path=Path(path), raw=raw, bom=bom)


def encode(card: Card, text: str) -> bytes:
    """The bytes of the card's file with another text."""
    return (_BOM if card.bom else b"") + text.encode()


def save(card: Card, text: str) -> bool:
    """Put `text` in the card's file; whether that changed it. The file is at every moment the old one or the new one.

    Raises:
        CardError: the file is read-only, a link, or no longer what was read, or the disk refuses. Then it is untouched.
    """
    content = encode(card, text)
    if content == card.raw:
        return False
    path = card.path
    with on_disk(path, "written", error=CardError):
        if len(content) > MAX_BYTES:
            raise CardError(f"{path}: would have {len(content)} bytes, more than {MAX_BYTES}; write fewer metrics")
        _check_writable(path)
        atomic.write(
            path, content, locked=False, before_replacing=lambda temporary: _check_and_keep_mode(card, temporary)
        )
    return True


def _check_writable(path: Path) -> None:
    """Raise CardError for a read-only file and for a symbolic link, which a new file would replace."""
    with on_disk(path, "written", error=CardError):
        if path.is_symlink():
            raise CardError(f"{path}: is a symbolic link; name the file that it points to")
        if path.exists() and not (path.stat().st_mode & 0o222 and os.access(path, os.W_OK)):
            raise CardError(f"{path}: is read-only; allow writing (chmod u+w) and run again")


def _check_and_keep_mode(card: Card, temporary: Path) -> None:
    if _read(card.path, missing_ok=True) != card.raw:
        raise CardError(f"{card.path}: another program changed it since it was read; nothing was written; run again")
    if card.raw is not None:
        temporary.chmod(stat.S_IMODE(card.path.lstat().st_mode))


def _front_matter(text: str, path: Path) -> tuple[int, int]:
    opening = _OPENING.match(text)
    if opening is None:
        if _FIRST_LINE.fullmatch(text):
            raise CardError(f"{path}:1: the front matter is never closed; end it with a line of three dashes")
        return -1, -1
    if _CLOSED_AT_ONCE.match(text, opening.end()):
        return opening.end(), opening.end()
    closing = _CLOSING.search(text, opening.end())
    if closing is None and "\r\r\n" in text:
        raise CardError(
            f"{path}:1: the lines end in \\r\\r\\n, so the hub does not find the end of the front matter; "
            "save the file with the line endings \\n or \\r\\n"
        )
    if closing is None:
        line = len(_BREAK.findall(text, 0, opening.end()))
        raise CardError(f"{path}:{line}: the front matter is never closed; end it with a line of three dashes")
    return opening.end(), closing.start()


def _newline(text: str) -> str:
    first = _BREAK.search(text)
    return first.group() if first else "\n"


def _read(path: Path, *, missing_ok: bool) -> bytes | None:
    with on_disk(path, "read", error=CardError):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            if missing_ok and path.parent.is_dir():
                return None
            raise
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise CardError(f"{path}: is {what}, expected a model card such as README.md")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise CardError(f"{path}: has more than {MAX_BYTES} bytes, too many for a model card; shorten it")
    return raw


def _decoded(raw: bytes, path: Path) -> str:
    try:
        text = raw.decode("utf-8")
        bad = text.find("\0")
    except UnicodeDecodeError as err:
        line = 1 + len(_BREAK.findall(raw[: err.start].decode("utf-8", errors="replace")))
        raise CardError(f"{path}:{line}: not UTF-8 text (byte {err.start}); save it as UTF-8") from err
    if bad >= 0:
        line = 1 + len(_BREAK.findall(text, 0, bad))
        raise CardError(f"{path}:{line}: contains a zero byte, so it is not text; expected a Markdown file")
    return text
