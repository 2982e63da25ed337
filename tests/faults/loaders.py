"""(c) One byte changed, a file more or less, anywhere that a loader reads: the cell is computed again."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults import children
from tests.faults.outcomes import Fault

TITLE = "one byte changed where a loader reads"
AT_ONCE = 200


def faults(chance: random.Random, folder: Path) -> Iterator[Fault]:
    """Faults without end."""
    from harness.files import digests
    from harness.models.resolve import folder_revisions
    from harness.types import Source
    from tests import nights

    data, elsewhere, model = folder / "data", folder / "elsewhere", folder / "model"
    for place in (data, elsewhere, model, folder / "linked"):
        place.mkdir(parents=True)
    for name in ("test.jsonl", ".hidden.jsonl", "train.csv", "a.tsv", "b.parquet"):
        (data / name).write_text("".join(json.dumps({"text": f"{name} {n}"}) + "\n" for n in range(20)))
    (elsewhere / "far.jsonl").write_text('{"text": "far"}\n' * 9)
    (data / "link.jsonl").symlink_to(elsewhere / "far.jsonl")
    (folder / "linked" / "deep.jsonl").write_text('{"text": "deep"}\n' * 9)
    (data / "more").symlink_to(folder / "linked")
    (model / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"], "dtype": "float32"}')
    for name in ("model.safetensors", "spiece.model", "merges.txt"):
        (model / name).write_bytes(random.Random(name).randbytes(300))
    (model / "vocab.txt").symlink_to(elsewhere / "far.jsonl")
    task = dataclasses.replace(nights.spec(), source=Source(kind="local", path="data"), file=str(folder / "Task.yaml"))
    watched: list[tuple[Path, Callable[[], object]]] = [
        (data, lambda: digests.digests(task)),
        (model, lambda: folder_revisions(model)),
    ]
    while True:
        yield from children.batch(lambda: _tried(chance, watched), AT_ONCE)
        chance.seed(chance.random())


def _tried(chance: random.Random, watched: list[tuple[Path, Callable[[], object]]]) -> Fault:
    from harness.errors import HarnessError
    from harness.files.file_trees import files_below

    root, digest = chance.choice(watched)
    file = chance.choice(files_below(root))
    content, before = file.read_bytes(), digest()
    at = chance.randrange(len(content))
    changed = content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :]
    file.write_bytes(changed)
    try:
        same = digest() == before
    except HarnessError as err:  # settings that are no longer JSON
        return Fault(f"{file.relative_to(root)}: bit of byte {at}", "refused", str(err))
    finally:
        file.write_bytes(content)
    label = f"{file.relative_to(root)}: bit of byte {at}"
    if same:
        return Fault(label, "wrong", "not computed again")
    return Fault(label, "right" if digest() == before else "wrong")
