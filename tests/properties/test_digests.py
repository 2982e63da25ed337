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
from harness.models import vector_identity
from harness.tasks import registry
from harness.types import EncoderFacts, Source, TaskSpec

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


TRANSFORMER, ROUTER = (f"sentence_transformers.models.{name}" for name in ("Transformer", "Router"))
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PLAIN: dict[str, Any] = {"config.json": {}, "tokenizer.json": {}, WEIGHTS: "w"}
ADAPTER = {
    WEIGHTS: None,
    "adapter_model.safetensors": "a",
    "adapter_config.json": {"base_model_name_or_path": "<base>"},
}


class Way(NamedTuple):
    """A way by which settings lead a loader to a file.

    Attributes:
        read: the file.
        settings: path -> content of the files that lead there.
    """

    read: str
    settings: dict[str, Any]


WAYS = {
    "the usual weights": Way(WEIGHTS, {}),
    "the tokenizer": Way("tokenizer.json", {}),
    "weights of another name": Way(".w/x.safetensors", {"config.json": {"transformers_weights": ".w/x.safetensors"}}),
    "a shard": Way(".w/x", {WEIGHTS: None, INDEX: {"weight_map": {"w": ".w/x"}}}),
    "a shard in Markdown": Way("x.md", {WEIGHTS: None, INDEX: {"weight_map": {"w": "x.md"}}}),
    "a shard called like the card": Way("README.md", {WEIGHTS: None, INDEX: {"weight_map": {"w": "README.md"}}}),
    "a hidden module": Way(
        f".m/n/{WEIGHTS}",
        {"modules.json": [{"path": ".m/n", "type": TRANSFORMER}], ".m/n/config.json": {}, ".m/n/tokenizer.json": {}},
    ),
    "a module of a router": Way(
        f".q/{WEIGHTS}",
        {
            "modules.json": [{"path": "", "type": ROUTER}],
            "router_config.json": {"types": {".q": TRANSFORMER}, "structure": {"query": [".q"]}},
            ".q/config.json": {},
            ".q/tokenizer.json": {},
        },
    ),
    "an argument of loading": Way(
        ".w/x.gguf",
        {
            "modules.json": [{"path": "", "type": TRANSFORMER}],
            "sentence_bert_config.json": {"model_args": {"gguf_file": ".w/x.gguf"}},
        },
    ),
    "an adapter": Way("adapter_model.safetensors", ADAPTER),
    "the weights under an adapter": Way(f"<base>/{WEIGHTS}", ADAPTER),
    "a hidden shard under an adapter": Way(
        "<base>/.w/x", {**ADAPTER, f"<base>/{WEIGHTS}": None, f"<base>/{INDEX}": {"weight_map": {"w": ".w/x"}}}
    ),
}


def saved(root: Path, settings: dict[str, Any]) -> Path:
    """A model's folder with these files besides the usual ones, and the model that `<base>` stands for beside it."""
    content = {**PLAIN, **{f"<base>/{name}": value for name, value in PLAIN.items()}, **settings}
    for name, value in content.items():
        path = place_of(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            path.write_text(text.replace("<base>", str(root / "base")), encoding="utf-8")
    return root / "model"


def place_of(root: Path, name: str) -> Path:
    return root / "base" / name.removeprefix("<base>/") if name.startswith("<base>") else root / "model" / name


def known_by(folder: Path) -> tuple[str, str]:
    """A model's revision, by which its records are found, and what its vectors are kept under."""
    spec = models.resolve(str(folder), runnable=False)
    facts = EncoderFacts(backend="x", device="cpu", device_name="cpu", precision="fp32")
    return spec.revision, json.dumps(vector_identity.identity(spec, facts, packages=()), sort_keys=True)


@given(st.sampled_from(sorted(WAYS)), st.sampled_from(["", "file", "folder", "twice"]))
def test_nothing_changes_unseen(way: str, linked: str) -> None:
    """Whatever leads a loader to a file, by links or not: other bytes are another revision and other vectors."""
    root = Path(tempfile.mkdtemp())
    try:
        folder, read, outside = saved(root, WAYS[way].settings), place_of(root, WAYS[way].read), root / "outside"
        read.parent.mkdir(parents=True, exist_ok=True)
        if linked == "folder" and read.parent.name not in ("model", "base"):
            read.parent.rename(outside)
            read.parent.symlink_to(outside, target_is_directory=True)
        elif linked:
            outside.mkdir()
            (outside / "first").symlink_to(outside / "second")
            read.unlink(missing_ok=True)
            read.symlink_to(outside / ("first" if linked == "twice" else "second"))
        read.write_bytes(b"before")
        before = known_by(folder)
        assert known_by(folder) == before
        read.resolve().write_bytes(b"after.")
        assert all(new != old for new, old in zip(known_by(folder), before, strict=True))
    finally:
        shutil.rmtree(root)


OUTSIDE: dict[str, Callable[[str], dict[str, Any]]] = {
    "a module": lambda path: {"modules.json": [{"path": path, "type": TRANSFORMER}]},
    "a module of a router": lambda path: {
        "modules.json": [{"path": "", "type": ROUTER}],
        "router_config.json": {"types": {path: TRANSFORMER}, "structure": {}},
    },
    "a shard": lambda path: {WEIGHTS: None, INDEX: {"weight_map": {"w": path}}},
    "weights of another name": lambda path: {"config.json": {"transformers_weights": path}},
    "an argument of loading": lambda path: {
        "modules.json": [{"path": "", "type": TRANSFORMER}],
        "sentence_bert_config.json": {"model_args": {"gguf_file": path}},
    },
}


@given(st.sampled_from(["../w", "/w", "a/../../w", "..\\w", "C:\\w"]), st.sampled_from(sorted(OUTSIDE)))
def test_what_leads_out_is_refused(path: str, way: str) -> None:
    """A module, a shard, or whatever else settings name outside of the folder is refused by name."""
    root = Path(tempfile.mkdtemp())
    try:
        folder = saved(root, OUTSIDE[way](path))
        with pytest.raises(ModelError, match="which leads out of the model's folder; move it inside"):
            models.resolve(str(folder), runnable=False)
    finally:
        shutil.rmtree(root)


def test_a_tokenizer_from_elsewhere(tmp_path: Path) -> None:
    """Another model's tokenizer is refused, and so is a file outside; one that is not on this machine is never read."""
    modules = [{"path": "", "type": TRANSFORMER}]
    settings = {"modules.json": modules, "sentence_bert_config.json": {"tokenizer_name_or_path": "acme/other"}}
    with pytest.raises(ModelError, match="take the tokenizer of 'acme/other', which the model's revision does not"):
        models.resolve(str(saved(tmp_path / "a", settings)))
    (tmp_path / "vocab.txt").write_text("a", encoding="utf-8")
    for name, refused in (("vocab.txt", True), ("none.txt", False), ("b/model/tokenizer.json", False)):
        folder = saved(tmp_path / "b", {"tokenizer_config.json": {"vocab_file": str(tmp_path / name)}})
        if not refused:
            assert models.resolve(str(folder)).revision
            continue
        with pytest.raises(ModelError, match=r"names '.*vocab\.txt', a file outside of the model's folder"):
            models.resolve(str(folder))


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ({"adapter_config.json": {"base_model_name_or_path": "acme/base"}}, "which is an adapter too; merge"),
        ({"config.json": {"auto_map": {"AutoModel": "own.Model"}}}, r"names code of its own, AutoModel: own\.Model"),
        ({WEIGHTS: None, "pytorch_model.bin": "p"}, r"its weights are pickles \(pytorch_model\.bin\)"),
        ({WEIGHTS: None}, "has no weights"),
    ],
)
def test_what_may_not_lie_under_an_adapter(base: dict[str, Any], message: str, tmp_path: Path) -> None:
    """The model under an adapter is refused for what it would be refused for alone; so is an adapter of an adapter."""
    with pytest.raises(ModelError, match=message):
        models.resolve(
            str(saved(tmp_path, {**ADAPTER, **{f"<base>/{name}": base[name] for name in base}})), runnable=False
        )


@pytest.mark.parametrize("stored", ["float16", "bfloat16", "float32"])
def test_precision_under_an_adapter(stored: str, tmp_path: Path) -> None:
    """An adapter is run in the precision of the model that it changes, as transformers loads that one."""
    folder = saved(tmp_path, {**ADAPTER, "<base>/config.json": {"dtype": stored}})
    names = {"float16": "fp16", "bfloat16": "bf16", "float32": "fp32"}
    assert models.resolve(str(folder), runnable=False).checkpoint_precision == names[stored]


def test_an_adapter_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The message names the folder, and the file that names it."""
    folder = saved(tmp_path, ADAPTER)
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(ModelError, match=r"on top of the folder .*base, which is not there; .* adapter_config\.json"):
        models.resolve(str(folder), runnable=False)


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
