"""Nothing that a loader reads in a folder can change without its digest: links, hidden files, indexes, `..`."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import models
from harness.data import local_tables
from harness.errors import DataError, ModelError
from harness.files import digests
from harness.tasks import registry
from harness.types import Source, TaskSpec

SHARD = "model-00001-of-00001.safetensors"


class Layout(NamedTuple):
    """Where a module lies, and how its weights are reached.

    Attributes:
        module: the folder that `modules.json` names.
        linked: what is a link to a place outside: nothing, the file of weights, or the module's folder.
        index: the name that an index gives to the file of weights; None where there is no index.
    """

    module: str
    linked: str
    index: str | None


LAYOUTS = st.builds(
    Layout,
    module=st.sampled_from(["", "0_Transformer", ".hidden", "a/.b/c"]),
    linked=st.sampled_from(["", "file", "folder"]),
    index=st.sampled_from([None, SHARD, f".shards/{SHARD}", f"deep/{SHARD}"]),
)


def laid_out(root: Path, layout: Layout) -> tuple[Path, Path]:
    """A model's folder in this layout, and the real file of its weights."""
    folder, outside = root / "model", root / "outside"
    folder.mkdir()
    outside.mkdir()
    kind = "sentence_transformers.models.Transformer"
    modules = [{"idx": 0, "name": "0", "path": layout.module, "type": kind}]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    module = folder / layout.module
    if layout.linked == "folder" and layout.module:
        module.parent.mkdir(parents=True, exist_ok=True)
        module.symlink_to(outside, target_is_directory=True)
    module.mkdir(parents=True, exist_ok=True)
    (module / "config.json").write_text("{}", encoding="utf-8")
    (module / "tokenizer.json").write_text("{}", encoding="utf-8")
    weights = module / (layout.index or "model.safetensors")
    weights.parent.mkdir(parents=True, exist_ok=True)
    if layout.index is not None:
        content = {"weight_map": {"w": layout.index}}
        (module / "model.safetensors.index.json").write_text(json.dumps(content), encoding="utf-8")
    if layout.linked == "file":
        weights.symlink_to(outside / "weights")
    weights.write_bytes(b"before")
    return folder, weights.resolve()


@given(LAYOUTS)
def test_weights_decide_the_revision(layout: Layout) -> None:
    """Other weights are another revision, wherever they lie and however they are reached."""
    root = Path(tempfile.mkdtemp())
    try:
        folder, weights = laid_out(root, layout)
        before = models.resolve(str(folder)).revision
        assert models.resolve(str(folder)).revision == before
        weights.write_bytes(b"after.")
        assert models.resolve(str(folder)).revision != before
    finally:
        shutil.rmtree(root)


@given(st.sampled_from(["../w", "/w", "a/../../w", "..\\w", "C:\\w"]), st.booleans())
def test_what_leads_out_is_refused(path: str, in_an_index: bool) -> None:
    """A module or a shard outside the folder is refused by name."""
    root = Path(tempfile.mkdtemp())
    try:
        folder, _ = laid_out(root, Layout("", "", path.rpartition("/")[2] or "w" if in_an_index else None))
        if in_an_index:
            content = {"weight_map": {"w": path}}
            (folder / "model.safetensors.index.json").write_text(json.dumps(content), encoding="utf-8")
        else:
            modules = [{"idx": 0, "name": "0", "path": path, "type": "sentence_transformers.models.Transformer"}]
            (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
        with pytest.raises(ModelError, match="which leads out of the model's folder; move it inside"):
            models.resolve(str(folder))
    finally:
        shutil.rmtree(root)


def test_plain_folders_keep_their_revision(tmp_path: Path) -> None:
    """The digest of a folder without links and named hidden files is the one that older records hold."""
    folder, _ = laid_out(tmp_path, Layout("0_Transformer", "", SHARD))
    (folder / ".cache").mkdir()
    (folder / ".cache" / "note").write_text("of the hub's client", encoding="utf-8")
    (folder / "README.md").write_text("a card", encoding="utf-8")
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(".") and path.suffix != ".md":
            digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    assert models.resolve(str(folder)).revision == digest.hexdigest()[:40]


def test_a_link_to_itself(tmp_path: Path) -> None:
    """A folder that links to itself ends."""
    folder, _ = laid_out(tmp_path, Layout("", "", None))
    before = models.resolve(str(folder)).revision
    (folder / "again").symlink_to(folder, target_is_directory=True)
    assert models.resolve(str(folder)).revision == before


def test_hidden_code(tmp_path: Path) -> None:
    """Where the model's own code may run, hidden files count too; those of git never do."""
    folder, _ = laid_out(tmp_path, Layout("", "", None))
    (folder / ".git").mkdir()

    def revision(trust: bool) -> str:
        return models.resolve(str(folder), trust_remote_code=trust).revision

    before = {trust: revision(trust) for trust in (False, True)}
    (folder / ".git" / "index").write_bytes(b"1")
    assert {trust: revision(trust) for trust in (False, True)} == before
    (folder / ".table").write_bytes(b"1")
    assert revision(False) == before[False]
    assert revision(True) != before[True]


@pytest.fixture
def task(tmp_path: Path) -> TaskSpec:
    """A task whose data lie in the folder `data` beside its file."""
    import dataclasses

    (tmp_path / "data").mkdir()
    spec = registry.get_tasks().get("MiniSTSGerman")
    return dataclasses.replace(
        spec, file=str(tmp_path / "Task.yaml"), source=Source(kind="local", path="data", revision=None)
    )


@pytest.mark.parametrize("place", ["test.jsonl", ".hidden/test.jsonl", "deep/er/test.jsonl"])
@pytest.mark.parametrize("linked", [None, "file", "folder"])
def test_data_decide_the_digest(place: str, linked: str | None, task: TaskSpec, tmp_path: Path) -> None:
    """Other data are another digest, also in a linked or a hidden folder."""
    outside, inside = tmp_path / "outside", tmp_path / "data" / place
    outside.mkdir()
    if linked == "folder" and inside.parent != tmp_path / "data":
        inside.parent.parent.mkdir(parents=True, exist_ok=True)
        inside.parent.symlink_to(outside, target_is_directory=True)
    inside.parent.mkdir(parents=True, exist_ok=True)
    if linked == "file":
        inside.symlink_to(outside / "linked.jsonl")
    inside.write_text("{}", encoding="utf-8")
    before = digests.digests(task)
    inside.resolve().write_text('{"a": 1}', encoding="utf-8")
    assert digests.digests(task) != before


@pytest.mark.parametrize(
    "names",
    [{"subset": "../other"}, {"split": "../test"}, {"split": "/tmp/test"}, {"subset": "a/../../b"}],
)
def test_data_outside_are_refused(names: dict[str, Any], task: TaskSpec, tmp_path: Path) -> None:
    """A subset or a split whose name leads out of the task's folder is refused, although a file lies there."""
    find: Callable[..., Path] = local_tables.find
    for folder in ("other", ""):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "test.jsonl").write_text("{}", encoding="utf-8")
    arguments = {"table": names.get("split", "test"), "subset": "default", "split": "test", **names}
    with pytest.raises(DataError, match="leads out of the source data; name a folder or a file inside it"):
        find(task, **arguments)
