"""Models and data from a hub: revisions, private repositories, what is asked for, and work without the network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import harness as api
from harness import data
from harness.errors import DataError
from harness.tasks import registry
from harness.types import Part, Record
from tests import in_process
from tests.conftest import bundled_folder, environment
from tests.tiny import save_sentence_transformer

Harness = Callable[..., subprocess.CompletedProcess[str]]

COMMIT = "ad" * 20
OLD_COMMIT = "0c" * 20
TOKEN = "hf_locket"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINI = ("-t", "MiniSTSGerman")


@pytest.fixture(scope="module")
def models_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with a data set of a few pairs, and one tiny model as `acme/tiny` and, for token holders, `acme/secret`."""
    root = tmp_path_factory.mktemp("hub")
    write_pairs(root / "datasets" / "acme" / "pairs", [4.5, 1, 3, 0, 5])
    for name in ("tiny", "secret"):
        folder = save_sentence_transformer(root / "models" / "acme" / name)
        (folder / ".revisions").write_text(f"main {COMMIT}\nv1 {OLD_COMMIT}\n", encoding="utf-8")
    (root / "models" / "acme" / "secret" / ".private").write_text(TOKEN, encoding="utf-8")
    return root


PAIRS = [
    ("ein hund bellt", "ein hund bellt laut"),
    ("es regnet", "die aktie fiel"),
    ("sie singt", "sie singt ein lied"),
    ("zwei jungen spielen schach", "brot"),
    ("vier", "vier"),
]


def contents(path: Path) -> bytes:
    """What is in a file of the results, unpacked where it is packed."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


def write_pairs(folder: Path, gold: Sequence[float]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"sentence1": a, "sentence2": b, "score": score} for (a, b), score in zip(PAIRS, gold, strict=True)]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """A folder for private tasks, with `Pairs` over the data set `acme/pairs`."""
    folder = tmp_path / "private"
    folder.mkdir()
    write_spec(folder, "Pairs", {"path": "acme/pairs"})
    return folder


def write_spec(folder: Path, name: str, source: Mapping[str, str], **changes: Any) -> None:
    """A private task over a data set of the hub."""
    content = {
        "name": name,
        "type": "STS",
        "description": "A task of this test.",
        "source": {"kind": "hub", "revision": "ab" * 20, **source},
        "splits": ["test"],
        "main_metric": "cosine_spearman",
        "subsets": {"default": ["deu-Latn"]},
        **changes,
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.fixture
def tiny_hub(localhub: ModuleType, models_root: Path) -> Any:
    with localhub.LocalHub(str(models_root)) as server:
        yield server


def records(folder: Path) -> dict[tuple[str, str], Record]:
    """(model, task) -> record."""
    return {(record.model, record.task): record for record in api.load_results(folder)}


def score(record: Record) -> float:
    (entry,) = record.parts.values()
    return entry["main_score"]


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """The request was wrong, and one line says so."""
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("harness: ")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


# --- models --------------------------------------------------------------------------------------------------------


def test_online_then_offline(tiny_hub: Any, harness: Harness, specs: Path, tmp_path: Path) -> None:
    """`main` is recorded as the commit it stands for, and the token lets in and is written nowhere. Then, with the hub
    gone, `--offline` finds model and data in the cache and gives the same score; and all-MiniLM-L6-v2, which is not
    cached, is the package's copy, and its record says so.
    """
    bundled_folder()
    task = ("-t", "Pairs", "--tasks-dir", str(specs))
    done = harness("run", "acme/secret", *task, env={"HF_ENDPOINT": tiny_hub.endpoint, "HF_TOKEN": TOKEN})
    assert done.returncode == 0, done.stderr
    (first,) = records(tmp_path / "results").values()
    assert (first.model, first.revision, first.harness["model"]["origin"]) == ("acme/secret", COMMIT, "hub")
    assert f"acme__secret/{COMMIT}/Pairs.json" in Path(first.path).as_posix()
    written = [contents(path) for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert not any(TOKEN.encode() in text for text in [done.stdout.encode(), done.stderr.encode(), *written])

    done = harness("run", "acme/secret", MINILM, *task, "--offline", "--results", "offline")
    assert done.returncode == 0, done.stderr
    again = records(tmp_path / "offline")
    assert again["acme/secret", "Pairs"].revision == COMMIT
    assert score(again["acme/secret", "Pairs"]) == score(first)
    stand_in = again[MINILM, "Pairs"].harness["model"]
    assert stand_in["origin"] == "bundled"
    assert "stands in for the hub's" in stand_in["note"]
    assert "stands in for the hub's" in done.stderr

    refused(harness("run", "acme/secret@v1", *task, "--offline"), "acme/secret@v1: not in the local cache")


def test_a_private_model_without_a_token(tiny_hub: Any, harness: Harness) -> None:
    """The message cannot tell a private model from none, and names both ways out."""
    for name, env in (("acme/secret", {}), ("acme/secret", {"HF_TOKEN": "hf_wrong"}), ("acme/nothing", {})):
        done = harness("run", name, *MINI, env={"HF_ENDPOINT": tiny_hub.endpoint, **env})
        refused(done, f"model {name}: not on the hub, or private", "HF_TOKEN")


def test_names_that_the_hub_does_not_know(tiny_hub: Any, harness: Harness) -> None:
    """A misspelt name gets the nearest names of the cache and of mteb's registry, an API's name what it is; each is
    said once, before any cell.
    """
    env = {"HF_ENDPOINT": tiny_hub.endpoint}
    assert harness("run", "acme/tiny", *MINI, "--plan", env=env).returncode == 0
    for name, advice in {
        "acme/tinny": "did you mean acme/tiny",
        "intfloat/multilingual-e5-smal": "did you mean intfloat/multilingual-e5-small",
    }.items():
        done = harness("run", name, "-t", "MiniSTSGerman,MiniSTSEnglish", env=env)
        refused(done, f"model {name}: not on the hub", advice)
        assert done.stderr.count(name + ":") == 1
    closed = harness("run", "openai/text-embedding-3-small", *MINI, env=env)
    refused(closed, "model openai/text-embedding-3-small: closed weights, which only its provider's API runs")
    refused(harness("run", "acme/tinny", *MINI, "--offline"), "not in the local cache", "did you mean acme/tiny")


def test_a_kind_that_cannot_be_run(localhub: ModuleType, harness: Harness, tmp_path: Path) -> None:
    """What a hub model is stands in its small files: a decoder without pooling is refused without its weights."""
    folder = tmp_path / "root" / "models" / "acme" / "decoder"
    folder.mkdir(parents=True)
    config = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"w" * 100)
    with localhub.LocalHub(str(tmp_path / "root")) as server:
        done = harness("run", "acme/decoder", *MINI, env={"HF_ENDPOINT": server.endpoint})
        refused(done, 'model acme/decoder: kind "decoder without pooling" cannot be run yet as vectors')
        assert not any("safetensors" in entry["path"] for entry in server.requests)


def test_prefetched_then_offline(localhub: ModuleType, harness: Harness, tmp_path: Path) -> None:
    """What `prefetch` has fetched is found offline under the same name, without the hub; pickles are fetched where
    they are the only weights of a module, and other formats are not.
    """
    folder = save_sentence_transformer(tmp_path / "root" / "models" / "acme" / "later")
    (folder / ".revisions").write_text(f"main {COMMIT}\nv1 {OLD_COMMIT}\n", encoding="utf-8")
    for name in ("pytorch_model.bin", "onnx/model.onnx", "2_Dense/pytorch_model.bin"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"w")
    with localhub.LocalHub(str(tmp_path / "root")) as server:
        env = {"HF_ENDPOINT": server.endpoint}
        done = harness("prefetch", "acme/later", "acme/later@v1", env=env)
        assert done.returncode == 0, done.stderr
        fetched = {entry["path"].rpartition(f"{COMMIT}/")[2] for entry in server.requests if COMMIT in entry["path"]}
    assert {"model.safetensors", "2_Dense/pytorch_model.bin"} <= fetched
    assert not fetched & {"pytorch_model.bin", "onnx/model.onnx"}
    for name, commit in (("acme/later", COMMIT), ("acme/later@v1", OLD_COMMIT)):
        done = harness("run", name, *MINI, "--offline", "--max-texts", "8", "--results", commit)
        assert done.returncode == 0, done.stderr
        (record,) = records(tmp_path / commit).values()
        assert record.revision == commit


ADAPTER = {"base_model_name_or_path": "acme/below", "peft_type": "LORA"}


def test_an_adapter_brings_its_base(localhub: ModuleType, harness: Harness, tmp_path: Path) -> None:
    """`prefetch` fetches the model under an adapter too and names its commit; a base that is a folder is refused, and
    offline the one thing that is missing is the package that runs adapters.
    """
    root = tmp_path / "root" / "models" / "acme"
    below = save_sentence_transformer(root / "below")
    (below / ".revisions").write_text(f"main {OLD_COMMIT}\n", encoding="utf-8")
    for name, adapter in {"above": ADAPTER, "astray": {**ADAPTER, "base_model_name_or_path": "/home/me/below"}}.items():
        (root / name).mkdir()
        (root / name / "adapter_config.json").write_text(json.dumps(adapter), encoding="utf-8")
        (root / name / "adapter_model.safetensors").write_bytes(b"w")
        (root / name / "tokenizer.json").write_text("{}", encoding="utf-8")
    with localhub.LocalHub(str(tmp_path / "root")) as server:
        env = {"HF_ENDPOINT": server.endpoint}
        done = harness("prefetch", "acme/above", env=env)
        assert done.returncode == 0, done.stderr
        assert f"with acme/below at {OLD_COMMIT}" in done.stdout
        fetched = {entry["path"] for entry in server.requests}
        assert f"/acme/below/resolve/{OLD_COMMIT}/model.safetensors" in fetched
        refused(harness("prefetch", "acme/astray", env=env), "the folder /home/me/below")
    refused(
        harness("run", "acme/above", *MINI, "--offline"),
        "model acme/above: needs the package peft, which is not installed",
    )


OWN_CODE = """
from transformers import BertConfig, BertModel


class Config(BertConfig):
    model_type = "elsewhere"


class Model(BertModel):
    config_class = Config
"""


def test_code_in_another_repository(localhub: ModuleType, harness: Harness, specs: Path, tmp_path: Path) -> None:
    """Code that `config.json` takes from another repository is fetched with the model and its commit recorded; offline
    it runs, with the flag only.
    """
    root = tmp_path / "root" / "models" / "acme"
    folder = save_sentence_transformer(root / "foreign")
    (folder / ".revisions").write_text(f"main {COMMIT}\n", encoding="utf-8")
    file = folder / "config.json"
    mapping = {"AutoConfig": "acme/code--own.Config", "AutoModel": "acme/code--own.Model"}
    config = {**json.loads(file.read_text(encoding="utf-8")), "model_type": "elsewhere", "auto_map": mapping}
    file.write_text(json.dumps(config), encoding="utf-8")
    (root / "code").mkdir()
    (root / "code" / "own.py").write_text(OWN_CODE, encoding="utf-8")
    (root / "code" / ".revisions").write_text(f"main {OLD_COMMIT}\n", encoding="utf-8")
    with localhub.LocalHub(str(tmp_path / "root")) as server:
        env = {"HF_ENDPOINT": server.endpoint}
        assert harness("prefetch", "acme/foreign", env=env).returncode == 0
        refused(harness("run", "acme/foreign", *MINI, env=env), "code of its own", "--trust-remote-code")
    arguments = ("run", "acme/foreign", *MINI, "--max-texts", "8", "--offline", "--trust-remote-code")
    done = harness(*arguments, env={"HF_MODULES_CACHE": str(tmp_path / "modules")})
    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path / "results").values()
    assert record.harness["model"]["dependencies"] == {"acme/code": OLD_COMMIT}


def test_revisions(tiny_hub: Any, harness: Harness) -> None:
    """A branch or tag is resolved to its commit before anything runs; one that does not exist is an error."""
    env = {"HF_ENDPOINT": tiny_hub.endpoint}
    refused(harness("run", "acme/tiny@v2", *MINI, env=env), "model acme/tiny: the hub has no revision 'v2'")
    assert harness("run", "acme/tiny@v1", *MINI, "--plan", env=env).returncode == 0
    asked = [entry["path"] for entry in tiny_hub.requests if "/models/acme/tiny" in entry["path"]]
    assert [path.rpartition("/")[2].partition("?")[0] for path in asked] == ["v2", "v1"]


@pytest.mark.parametrize("name", ["acme/tiny", MINILM])
def test_no_hub(name: str, harness: Harness) -> None:
    """A hub that does not answer is named as the reason, with what works without it; no copy steps in unasked."""
    refused(harness("run", name, *MINI), f"model {name}: the hub could not be asked", "--offline")


@pytest.mark.parametrize("name", ["acme/tiny", "acme/tiny@main", f"{MINILM}@v1"])
def test_offline_and_not_cached(name: str, harness: Harness) -> None:
    """Offline, what is not cached is an error; the bundled copy stands in for no revision that is asked for by name."""
    refused(harness("run", name, *MINI, "--offline"), f"model {name}: not in the local cache")


# --- data ----------------------------------------------------------------------------------------------------------

LOADED_BY_ITSELF = """
import json, sys
from tests.integration.test_hub import digests
print(json.dumps(digests(json.loads(sys.argv[1]))))
imported = {"datasets", "pandas", "mteb"} & sys.modules.keys()
assert not imported, imported
"""
PARTS = [
    ("GermanSTSBenchmark", "validation", "default"),
    ("SIB200ClusteringS2S", "test", "deu_Latn"),
    ("AmazonCounterfactualClassification", "test", "de"),
    ("PawsXPairClassification", "test", "de"),
    ("SciFact", "test", "default"),
]


def digests(parts: Sequence[Sequence[str]], specs: Sequence[Path] = ()) -> list[str]:
    """Digests of the parts, or why they cannot be had."""
    known, answers = registry.get_tasks(list(map(str, specs))), []
    for name, split, subset in parts:
        try:
            answers.append(data.load(known.get(name), Part(split, subset)).digest)
        except DataError as err:
            answers.append(str(err))
    return answers


def loaded(
    folder: Path, parts: Sequence[Sequence[str]] = PARTS, *, specs: Sequence[Path] = (), **env: str
) -> list[str]:
    """The same with the caches of `folder` and these variables."""
    with in_process.environment_of(environment(folder, **env), folder=folder):
        return digests(parts, specs)


def test_what_was_read_once_is_not_read_again(hub: Any, tmp_path: Path) -> None:
    """The second time the same tables come without the library that reads them; a kept one that broke is read anew."""
    parts = [PARTS[0], PARTS[1]]
    first = loaded(tmp_path, parts, HF_ENDPOINT=hub.endpoint)
    done = subprocess.run(
        [sys.executable, "-c", LOADED_BY_ITSELF, json.dumps(parts)],
        capture_output=True,
        text=True,
        env=environment(tmp_path, HF_HUB_OFFLINE="1"),
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == first
    kept = list((tmp_path / "cache").rglob("*.arrow"))
    assert len(kept) == 4  # the three splits of SIB-200 are scored as one
    for file in kept:
        file.write_bytes(file.read_bytes()[:-9])
    assert loaded(tmp_path, parts, HF_HUB_OFFLINE="1") == first


def test_data_is_asked_for_at_its_revision_only(hub: Any, tmp_path: Path) -> None:
    """Every request for a data set names the commit that its spec pins; a commit that is cached is not asked for again,
    neither offline nor online.
    """
    first = loaded(tmp_path, HF_ENDPOINT=hub.endpoint)
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in first), first
    assert len(first) == len(PARTS)
    known = registry.get_tasks()
    pinned = {known.get(name).source.path: known.get(name).source.revision for name, _, _ in PARTS}
    asked = [entry["path"] for entry in hub.requests if "/datasets/" in entry["path"]]
    pattern = re.compile(r"/datasets/([^/]+/[^/]+)/(?:resolve|tree|revision|paths-info)/([^/?]+)")
    found = [pattern.search(path) for path in asked]
    assert all(found), [path for path, match in zip(asked, found, strict=True) if not match]
    assert {(match[1], match[2]) for match in found if match} == set(pinned.items())
    assert loaded(tmp_path, HF_HUB_OFFLINE="1") == first
    assert loaded(tmp_path, HF_ENDPOINT=hub.endpoint) == first
    assert len([entry for entry in hub.requests if "/datasets/" in entry["path"]]) == len(asked)


def test_data_that_does_not_exist(hub: Any, harness: Harness, specs: Path, tmp_path: Path) -> None:
    """A data set, config, split or column that is not there fails its cell with what was asked for and what there is;
    the other cells are recorded.
    """
    write_spec(specs, "NoSet", {"path": "mteb/nothing"})
    write_spec(specs, "NoConfig", {"path": "mteb/stsb_multi_mt"}, subsets={"tlh": ["deu-Latn"]})
    write_spec(specs, "NoSplit", {"path": "mteb/GermanSTSBenchmark"}, splits=["exam"])
    write_spec(specs, "NoColumn", {"path": "mteb/GermanSTSBenchmark"}, columns={"gold": "grade"})
    names = "NoSet,NoConfig,NoSplit,NoColumn,MiniSTSGerman"
    arguments = ("run", "baseline/hashing", "--tasks-dir", str(specs), "-t", names, "--json")
    done = harness(*arguments, env={"HF_ENDPOINT": hub.endpoint})
    assert done.returncode == 1, done.stderr
    cells = {cell["task"]: cell for cell in json.loads(done.stdout)["cells"]}
    assert set(records(tmp_path / "results")) == {("baseline/hashing", "MiniSTSGerman")}
    for task, words in {
        "NoSet": [f"data set mteb/nothing@{'ab' * 20}", "no such data set or revision", "HF_TOKEN"],
        "NoConfig": [f"mteb/stsb_multi_mt@{'ab' * 20}", "'tlh'", "'de'"],
        "NoSplit": [f"mteb/GermanSTSBenchmark@{'ab' * 20}", "exam", "test"],
        "NoColumn": ["no column 'grade'", "'score'"],
    }.items():
        error = cells[task]["error"]
        assert cells[task]["status"] == "failed"
        assert error.startswith(f"{task}"), error
        assert "\n" not in error
        for word in words:
            assert word in error, error


def test_data_that_is_not_cached(harness: Harness) -> None:
    """Offline, data that is not cached fails its cell and the message says that nobody was asked."""
    done = harness("run", "baseline/hashing", "-t", "GermanSTSBenchmark", "--splits", "test", "--offline", "--json")
    assert done.returncode == 1, done.stderr
    (cell,) = json.loads(done.stdout)["cells"]
    assert cell["status"] == "failed"
    assert "GermanSTSBenchmark: data set jinaai/german-STSbenchmark@e3690754" in cell["error"]
    assert "not in the local cache, and --offline forbids asking the hub" in cell["error"]


def test_another_revision_in_the_cache_is_not_taken(localhub: ModuleType, specs: Path, tmp_path: Path) -> None:
    """The cache holds an older and a newer revision of the data: each spec gets its own, and a spec of a third one gets
    an error, offline or when the hub no longer has the data, though the client would give it the newest.
    """
    for name, digit in {"Old": "a", "New": "b", "Third": "c"}.items():
        write_spec(specs, name, {"path": "acme/pairs", "revision": digit * 40})
    old, new, third = parts = [(name, "test", "default") for name in ("Old", "New", "Third")]
    data = tmp_path / "root" / "datasets" / "acme" / "pairs"
    with localhub.LocalHub(str(tmp_path / "root")) as server:
        env = {"HF_ENDPOINT": server.endpoint}
        write_pairs(data, (1, 2, 3, 4, 5))
        first = loaded(tmp_path, [old], specs=[specs], **env)
        write_pairs(data, (5, 4, 3, 2, 1))
        first += loaded(tmp_path, [new], specs=[specs], **env)
        assert first[0] != first[1]
        shutil.rmtree(data)
        gone = loaded(tmp_path, parts, specs=[specs], **env)
        offline = loaded(tmp_path, parts, specs=[specs], HF_HUB_OFFLINE="1")
    assert gone[:2] == offline[:2] == first
    for error, reason in ((gone[2], "no such data set or revision"), (offline[2], "--offline forbids")):
        assert error.startswith(f"{third[0]}: data set acme/pairs@{'c' * 40}: ")
        assert reason in error
