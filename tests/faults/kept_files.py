"""(b) Kept files of every kind, damaged in all ways and read: made anew, refused in a sentence, or what they were."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from tests.faults import children
from tests.faults.outcomes import Fault

TITLE = "kept files, damaged and read"
AT_ONCE = 200


class KeptFile(NamedTuple):
    """A file, and how it is read; an empty answer stands for a file that is made anew."""

    name: str
    path: Path
    content: bytes
    read: Callable[[], Any]
    answer: Any


def faults(chance: random.Random, folder: Path) -> Iterator[Fault]:
    """Faults without end."""
    os.environ["HARNESS_CACHE"] = str(folder / "cache")
    files = _files(folder)
    while True:
        yield from children.batch(lambda: _tried(chance, files), AT_ONCE)
        chance.seed(chance.random())


def _tried(chance: random.Random, files: list[KeptFile]) -> Fault:
    from harness.errors import HarnessError

    file = chance.choice(files)
    damage, content = _damaged(chance, file.content, chance.choice(files).content)
    label = f"{file.name}: {damage}"
    file.path.chmod(0o644)
    file.path.write_bytes(content)
    try:
        answer = file.read()
    except HarnessError as err:
        told = str(file.path) in str(err) and "\n" not in str(err).strip()
        return Fault(label, "refused" if told else "wrong", "" if told else f"does not name the file: {err}")
    except Exception as err:
        return Fault(label, "traceback", f"{type(err).__name__}: {err}"[:200])
    finally:
        file.path.write_bytes(file.content)
    if answer == file.answer or answer in (None, {}, [], ()):
        return Fault(label, "right")
    return Fault(label, "wrong", f"{answer!r} instead of {file.answer!r}"[:200])


def _damaged(chance: random.Random, content: bytes, other: bytes) -> tuple[str, bytes]:
    kind = chance.choice(["bit", "bit", "byte", "cut", "zeros", "insert", "other", "words"])
    at = chance.randrange(max(1, len(content)))
    if kind == "bit":
        return f"bit at {at}", content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :]
    if kind == "byte":
        return f"byte at {at}", content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]
    if kind == "cut":
        return f"cut at {at}", content[:at]
    if kind == "zeros":
        return f"zeros from {at}", content[:at] + bytes(len(content) - at)
    if kind == "insert":
        return f"more at {at}", content[:at] + chance.randbytes(chance.randrange(1, 40)) + content[at:]
    if kind == "other":
        return "another file", other
    word = chance.choice([b"", b"null", b"[]", b"{}", b"NaN", b"\xff\xfe", b"[" * 5000, b'{"a": 1e999}', b"PK\x03\x04"])
    return f"{word[:9]!r}", word


def _files(folder: Path) -> list[KeptFile]:
    import numpy as np
    import pyarrow

    from harness.data import hub_tables, table_cache
    from harness.encoding import vector_files
    from harness.encoding.vector_cache import Namespace, key
    from harness.evaluators.items import values
    from harness.files import kept
    from harness.leaderboard import file_index
    from harness.nightly import night_state
    from harness.nightly.history import snapshot_files
    from harness.nightly.publish import closing_steps
    from harness.results.items import items_path, read, write
    from harness.types import Part, Record
    from tests import boards, nights

    files = []

    def add(name: str, path: Path, reading: Callable[[], Any]) -> None:
        files.append(KeptFile(name, path, path.read_bytes(), reading, reading()))

    table = folder / "t.arrow"
    table_cache.put(table, pyarrow.table({"text": [f"text {n}" for n in range(30)], "n": list(range(30))}))
    add("table", table, lambda: found.to_pydict() if (found := table_cache.get(table)) is not None else None)
    manifest = folder / "config-default.json"
    hub_tables._kept(manifest, lambda: {"files": {"test": ["a.jsonl"]}})
    add("manifest", manifest, lambda: kept.read_json(manifest))
    draws = folder / "draws.f64"
    kept.write(draws, np.random.default_rng(0).random(50).tobytes())
    add("draws", draws, lambda: kept.read(draws))
    part = Part("test", "default")
    items = {part: values([0.5, 0.25] * 20, metric="m", unit="query")}
    score = items[part].whole()
    entry = {"hf_subset": "default", "languages": [], "main_score": score}
    record = Record(
        task="T", model="m", revision="r", dataset_revision="1", scores={"test": [entry]}, harness={"fingerprint": "f"}
    )
    write(folder / "T.json", record, items)

    def items_read() -> Any:
        kept_items = read(items_path(folder / "T.json"), fingerprint="f", main_scores={part: score})
        return {str(part): each.columns["value"].tolist() for part, each in (kept_items or {}).items()}

    add("items", items_path(folder / "T.json"), items_read)
    boards.put(folder / "results", "org/name", "STS12", 0.5)

    def index_read() -> Any:
        columns = file_index.read(folder / "results").columns
        return columns.scores["value"].tolist(), columns.strings

    index_read()
    add("index", next((folder / "cache" / "index").iterdir()), index_read)
    schedule: Any = SimpleNamespace(file=folder / "s.yaml", history=folder)
    night_state.Journal(schedule, started=1.0).show()
    add("status", folder / night_state.STATUS, lambda: night_state.read_status(folder))
    closing_steps._save(folder, closing_steps.CompletedSteps(night=3, done=["site"]))
    add("closing", folder / closing_steps.FILE, lambda: closing_steps._read(folder).done)
    snapshot = snapshot_files.write(folder, nights.night(1, {("m", "T"): 0.5}))
    add("snapshot", snapshot, lambda: snapshot_files.read(snapshot))
    namespace = Namespace({"model": "m"}, root=folder / "vectors")
    texts = [key(f"text {n}") for n in range(9)]
    namespace.put(texts, np.random.default_rng(1).random((9, 8), np.float32), tokens=None, truncated=None)
    [block] = vector_files.blocks(folder / "vectors" / namespace.name)

    def vectors_read() -> Any:
        got = Namespace({"model": "m"}, root=folder / "vectors").get(texts)
        return got.vectors.tolist() if got.present.all() else None

    add("vectors", block, vectors_read)
    return files
