"""YAML nodes of a front matter with the characters of the file that each one spans.

Nodes are built from the parser's events, so that `text_edits` can change values and leave comments, quotes and layout
alone. PyYAML's marks count characters, with any line endings and Unicode planes, in its Python and its C parser alike.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from harness.errors import CardError

MAX_DEPTH = 40
MAX_NODES = 1_000_000
"""The limit with aliases expanded; five thousand results with every metric have a tenth as many nodes."""

Kind = Literal["scalar", "sequence", "mapping", "alias"]
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STR = "tag:yaml.org,2002:str"
_MERGE = "<<"
_MERGE_TAG = "tag:yaml.org,2002:merge"


@dataclass(slots=True, kw_only=True)
class Node:
    """One node and its place in the file.

    Attributes:
        start: the first character, including anchor and tag; for a block collection, the first item's.
        end: after the last character; for a block collection, the last item's.
        line: counted from 1, in the file.
        text: of a scalar, without its quotes; of an alias, the name.
        style: of a scalar: None when plain, else the quote or `|` or `>`.
        tag: of a scalar, as YAML 1.1 resolves it; of a collection, as written, or empty.
        items: of a sequence.
        pairs: of a mapping: key and value.
        target: of an alias.
        size: number of nodes at and below this one, with aliases expanded.
    """

    kind: Kind
    start: int
    end: int
    line: int
    text: str = ""
    style: str | None = None
    tag: str = ""
    flow: bool = False
    anchor: str | None = None
    items: Sequence[Node] = ()
    pairs: Sequence[tuple[Node, Node]] = ()
    target: Node | None = None
    size: int = 1

    @property
    def real(self) -> Node:
        """The node itself, or the node that an alias refers to."""
        return self.target.real if self.target is not None else self

    @property
    def is_null(self) -> bool:
        """Whether the value is missing or `null`."""
        return self.kind == "scalar" and self.tag.endswith(":null")

    def entries(self) -> Iterator[tuple[str, Node]]:
        """The pairs of a mapping with scalar keys; pairs merged in with `<<` come last."""
        merged: list[Node] = []
        for key, value in self.real.pairs:
            if key.real.kind != "scalar":
                continue
            if key.real.text == _MERGE and key.real.style is None:
                source = value.real
                merged += list(source.items) if source.kind == "sequence" else [source]
            else:
                yield key.real.text, value
        for mapping in merged:
            if mapping.real.kind == "mapping":
                yield from mapping.entries()

    def get(self, name: str) -> Node | None:
        """The value of a key: the last one written in the mapping, as loaders take it, else a merged one."""
        for key, value in reversed(self.real.pairs):
            if key.text == name and key.kind == "scalar":
                return value
        return next((value for key, value in self.entries() if key == name), None)

    def holds(self, value: Node) -> bool:
        """Whether `value` is written in this mapping itself rather than merged in."""
        return any(value is written for _, written in self.pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A front matter: its root (None if it is empty) and the anchors that aliases refer to."""

    root: Node | None
    used_anchors: frozenset[str]


def parse(text: str, *, path: str, start: int = 0, line: int = 1) -> Tree:
    """Parse the one document in `text`, which begins at character `start` and line `line` of the file `path`.

    Raises:
        CardError: not YAML, more than one document, nested too deeply, or too large once its aliases are expanded.
    """
    try:
        return _Builder(path, start, line).build(text)
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        place = line + mark.line if mark else line
        what = ", ".join(part for part in (err.context, err.problem) if part)
        raise CardError(f"{path}:{place}: the front matter is not YAML: {what}; correct that line") from err
    except yaml.reader.ReaderError as err:
        before = text[: err.position] if isinstance(err.position, int) else ""
        place = line + len(re.findall(r"\r\n|\r|\n", before))
        raise CardError(
            f"{path}:{place}: the front matter is not YAML: it has a character that YAML does not allow; remove it"
        ) from err


def data(node: Node | None, *, path: str) -> Any:
    """The data that `yaml.safe_load` makes of a node; an alias becomes a copy, so that no object occurs twice.

    Raises:
        CardError: a value is not plain data, such as the date 2024-13-40 or a Python object.
    """
    if node is None:
        return None
    try:
        return _plain(node.real, path)
    except (yaml.YAMLError, ValueError, OverflowError, TypeError) as err:
        problem = err.problem if isinstance(err, yaml.MarkedYAMLError) else err
        raise CardError(
            f"{path}:{node.line}: the front matter has a value that is not plain data: {problem}; correct it"
        ) from err


def _plain(node: Node, path: str) -> Any:
    if node.kind == "scalar":
        return scalar_of(node.tag, node.text)
    if node.tag not in ("", "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
        raise ValueError(f"the tag {node.tag}")
    return [data(item, path=path) for item in node.items] if node.kind == "sequence" else _mapping(node, path)


def _mapping(node: Node, path: str) -> dict[Any, Any]:
    merged: dict[Any, Any] = {}
    for key, value in node.pairs:
        if key.real.tag == _MERGE_TAG:
            inherited = value.real.items if value.real.kind == "sequence" else [value]
            for mapping in reversed(inherited):
                if mapping.real.kind != "mapping":
                    raise ValueError("a merge key (<<) whose value is not a mapping")
                values = data(mapping, path=path)
                merged = {**values, **merged} if len(inherited) == 1 else {**merged, **values}
    written = {data(key, path=path): data(value, path=path) for key, value in node.pairs if key.real.tag != _MERGE_TAG}
    return {**merged, **written}


@functools.lru_cache(maxsize=100_000)
def scalar_of(tag: str, text: str) -> Any:
    """The value of a scalar, as `yaml.safe_load` reads it."""
    if tag == _STR:
        return text
    return yaml.constructor.SafeConstructor().construct_object(yaml.ScalarNode(tag, text))


@functools.cache
def tag_of(text: str) -> str:
    """The tag that YAML 1.1 gives a plain scalar: `...:str`, `...:bool`, `...:int`, ..."""
    resolver = yaml.SafeLoader("")
    return str(resolver.resolve(yaml.ScalarNode, text, (True, False)))


class _Builder:
    def __init__(self, path: str, start: int, line: int) -> None:
        self.path, self.start, self.line = path, start, line
        self.anchors: dict[str, Node] = {}
        self.used: set[str] = set()
        self.open: list[tuple[Node, list[Node]]] = []
        self.root: Node | None = None
        self.documents = 0

    def build(self, text: str) -> Tree:
        for event in yaml.parse(text, Loader=_Loader):
            self.take(event)
        root = self.root
        if root is not None and root.size > MAX_NODES:
            size = f"{root.size:,} values, more than {MAX_NODES:,}"
            raise self.wrong(root.line, f"its aliases expand to {size}; use fewer aliases")
        return Tree(root=root, used_anchors=frozenset(self.used))

    def wrong(self, line: int, what: str) -> CardError:
        return CardError(f"{self.path}:{line}: the front matter cannot be used: {what}")

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                place = self.line + (event.start_mark.line if event.start_mark else 0)
                raise self.wrong(place, "a second YAML document begins here; expected one mapping")
        elif isinstance(event, yaml.ScalarEvent):
            self.close(self.scalar(event))
        elif isinstance(event, yaml.AliasEvent):
            self.close(self.alias(event))
        elif isinstance(event, yaml.CollectionStartEvent):
            self.start_collection(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.end_collection(event)

    def node(self, kind: Kind, event: Any) -> Node:
        return Node(
            kind=kind,
            start=self.start + event.start_mark.index,
            end=self.start + event.end_mark.index,
            line=self.line + event.start_mark.line,
            anchor=event.anchor if kind != "alias" else None,
        )

    def scalar(self, event: Any) -> Node:
        node = self.node("scalar", event)
        plain = event.style in (None, "")
        node.text, node.style = event.value, None if plain else event.style
        node.tag = event.tag if event.tag not in (None, "!") else tag_of(event.value) if plain else _STR
        self.remember(node)
        return node

    def alias(self, event: Any) -> Node:
        node = self.node("alias", event)
        node.text = event.anchor
        target = self.anchors.get(event.anchor)
        if target is None:
            raise self.wrong(node.line, f"the alias *{event.anchor} has no anchor before it; write the value instead")
        if any(target is outer for outer, _ in self.open):
            raise self.wrong(node.line, f"the alias *{event.anchor} stands for a value that contains it; rewrite it")
        self.used.add(event.anchor)
        node.target, node.size = target, target.size
        return node

    def start_collection(self, event: Any) -> None:
        node = self.node("mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence", event)
        node.flow, node.tag = bool(event.flow_style), event.tag or ""
        self.remember(node)
        self.open.append((node, []))
        if len(self.open) > MAX_DEPTH:
            raise self.wrong(node.line, f"nested more than {MAX_DEPTH} levels deep; flatten it")

    def end_collection(self, event: Any) -> None:
        node, children = self.open.pop()
        if node.flow:
            node.end = self.start + event.end_mark.index
        elif children:
            node.end = children[-1].end
        if node.kind == "sequence":
            node.items = children
        else:
            node.pairs = list(zip(children[::2], children[1::2], strict=True))
        node.size += sum(child.size for child in children)
        self.close(node)

    def remember(self, node: Node) -> None:
        if node.anchor is not None:
            self.anchors[node.anchor] = node

    def close(self, node: Node) -> None:
        if self.open:
            self.open[-1][1].append(node)
        else:
            self.root = node
