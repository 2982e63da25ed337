"""A model card on disk: text with a front matter, read with suspicion and replaced only by what was meant.

The front matter is found as the hub finds it (huggingface_hub 2.4 has its server's expression, `REGEX_YAML_BLOCK` of
`repocard`): between lines of three dashes at the very beginning, after white space at most. Offsets count characters of
the text after a byte order mark; the mark and the line endings are kept.
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
"""The hub's git refuses files of more than 10 MiB (mteb issue 1368); a card of 8 is not one that anybody reads."""

_BOM = b"\xef\xbb\xbf"
_BREAK = re.compile(r"\r\n|\r|\n")
_OPENING = re.compile(r"\s*---(?:\r\n|\r|\n)")
_CLOSING = re.compile(r"(?:\r\n|\r|\n)---[ \t]*(?=\r\n|\n|\Z)")
_CLOSED_AT_ONCE = re.compile(r"---[ \t]*(?=\r\n|\n|\Z)")
_FIRST_LINE = re.compile(r"\s*---[ \t]*(?=\r|\n|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card as it was read.

    Attributes:
        path: for messages, and where `save` writes.
        raw: its bytes; None for a file that does not exist.
        text: without a byte order mark.
        start: the first character of the front matter's YAML; -1 where there is no front matter.
        end: after its last character, before the line break and the closing dashes.
        newline: the file's own line break.
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
        """Whether there is one, be it empty."""
        return self.start >= 0

    @property
    def front_matter(self) -> str:
        """Its YAML."""
        return self.text[self.start : self.end] if self.has_front_matter else ""

    @property
    def root(self) -> Node | None:
        """The mapping of the front matter; None where there is none or it is empty."""
        root = self.tree.root
        return None if root is None or root.is_null else root

    @property
    def body_start(self) -> int:
        """The first character after the front matter and its closing line."""
        if not self.has_front_matter:
            return 0
        closing = _CLOSING.match(self.text, self.end) or _CLOSED_AT_ONCE.match(self.text, self.end)
        assert closing is not None
        after = _BREAK.match(self.text, closing.end())
        return after.end() if after else closing.end()

    def line_of(self, offset: int) -> int:
        """The line of a character, counted from 1."""
        return 1 + len(_BREAK.findall(self.text, 0, offset))

    def data(self) -> Any:
        """The front matter as `yaml.safe_load` gives it; None where there is none.

        Raises:
            CardError: a value that is no plain data.
        """
        return yaml_nodes.data(self.tree.root, path=str(self.path))

    def with_text(self, text: str) -> Card:
        """The same file with another text, read anew.

        Raises:
            CardError: as `parse`.
        """
        return parse(text, path=self.path, raw=self.raw, bom=self.bom)


def parse(text: str, *, path: Path | str, raw: bytes | None = None, bom: bool = False) -> Card:
    """The card in a text.

    Raises:
        CardError: the front matter is not closed, or not one YAML mapping.
    """
    path = Path(path)
    start, end = _front_matter(text, path)
    line = 1 + len(_BREAK.findall(text, 0, max(start, 0)))
    tree = yaml_nodes.parse(text[start:end] if start >= 0 else "", path=str(path), start=max(start, 0), line=line)
    card = Card(path=path, raw=raw, bom=bom, text=text, start=start, end=end, newline=_newline(text), tree=tree)
    if card.root is not None and card.root.kind != "mapping":
        raise CardError(
            f"{path}:{card.root.line}: the front matter is a {card.root.kind}, expected keys with values such as "
            "`language: de`; if these dashes are a rule in the text, leave a line of text above them"
        )
    return card


def load(path: str | os.PathLike[str], *, to_change: bool = False) -> Card:
    """The card in a file.

    Args:
        path: the file.
        to_change: whether it will be written: then it may be absent, but neither a symbolic link nor read-only.

    Raises:
        CardError: no regular file, too large, not UTF-8 text, or as `parse`.
    """
    path = Path(path)
    if to_change:
        _check_writable(path)
    raw = _read(path, missing_ok=to_change)
    return decode(raw, path=path)


def decode(raw: bytes | None, *, path: str | os.PathLike[str]) -> Card:
    """The card in a file's bytes; None stands for a file that does not exist.

    Raises:
        CardError: not UTF-8 text, or as `parse`.
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
    """Raises CardError for a link, whose target a new file would cut off, and for a file that is read-only."""
    with on_disk(path, "written", error=CardError):
        if path.is_symlink():
            raise CardError(f"{path}: a symbolic link; name the file that it points to")
        if path.exists() and not (path.stat().st_mode & 0o222 and os.access(path, os.W_OK)):
            raise CardError(f"{path}: read-only; allow writing (chmod u+w) and run again")


def _check_and_keep_mode(card: Card, temporary: Path) -> None:
    if _read(card.path, missing_ok=True) != card.raw:
        raise CardError(f"{card.path}: changed by somebody else since it was read; nothing written, run again")
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
            what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
            raise CardError(f"{path}: {what}, expected a model card such as README.md")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise CardError(f"{path}: more than {MAX_BYTES} bytes, too large for a model card; shorten it")
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
        raise CardError(f"{path}:{line}: holds a zero byte, so it is no text; expected a Markdown file")
    return text
