"""Models and data from a hub: revisions, private repositories, what is asked for, and work without the network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import harness as api
from harness import registry
from harness.types import Record
from tests.conftest import bundled_folder, environment
from tests.tiny import save_sentence_transformer

Harness = Callable[..., subprocess.CompletedProcess[str]]

COMMIT = "ad" * 20
OLD_COMMIT = "0c" * 20
TOKEN = "hf_locket"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
SIB200 = ("-t", "SIB200Classification", "--languages", "deu_Latn", "--splits", "test")


@pytest.fixture(scope="module")
def models_root(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with the real data sets, and one tiny model as `acme/tiny` and, for holders of a token, `acme/secret`."""
    root = tmp_path_factory.mktemp("hub")
    (root / "datasets").symlink_to(shared / "hub" / "datasets")
    for name in ("tiny", "secret"):
        folder = save_sentence_transformer(root / "models" / "acme" / name)
        (folder / ".revisions").write_text(f"main {COMMIT}\nv1 {OLD_COMMIT}\n", encoding="utf-8")
    (root / "models" / "acme" / "secret" / ".private").write_text(TOKEN, encoding="utf-8")
    return root


@pytest.fixture
def tiny_hub(localhub: ModuleType, models_root: Path) -> Any:
    with localhub.LocalHub(str(models_root)) as server:
        yield server


def records(folder: Path) -> dict[str, Record]:
    return {item.task: item for item in api.scan(folder) if isinstance(item, Record)}


def score(folder: Path, task: str = "SIB200Classification") -> float:
    (entry,) = records(folder)[task].parts.values()
    return entry["main_score"]


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """The request was wrong, and one line says so."""
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("harness: ")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


# --- models --------------------------------------------------------------------------------------------------------


def test_a_private_model_online_and_offline(tiny_hub: Any, harness: Harness, tmp_path: Path) -> None:
    """`main` is recorded as the commit it stands for; the token lets in and is written nowhere; and with the hub gone
    `--offline` finds the model and the data in the cache and gives the same score.
    """
    done = harness("run", "acme/secret", *SIB200, env={"HF_ENDPOINT": tiny_hub.endpoint, "HF_TOKEN": TOKEN})
    assert done.returncode == 0, done.stderr
    record = records(tmp_path / "results")["SIB200Classification"]
    assert (record.model, record.revision) == ("acme/secret", COMMIT)
    assert record.harness["model"]["origin"] == "hub"
    assert f"acme__secret/{COMMIT}/" in Path(record.path).as_posix()
    first = score(tmp_path / "results")
    written = [path.read_text(encoding="utf-8") for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert not any(TOKEN in text for text in [done.stdout, done.stderr, *written])

    again = harness("run", "acme/secret", *SIB200, "--offline", "--results", "offline")
    assert again.returncode == 0, again.stderr
    assert records(tmp_path / "offline")["SIB200Classification"].revision == COMMIT
    assert score(tmp_path / "offline") == first

    refused(harness("run", "acme/secret@v1", *SIB200, "--offline"), "acme/secret@v1: not in the local cache")


def test_a_private_model_without_a_token(tiny_hub: Any, harness: Harness) -> None:
    """The message cannot tell a private model from none, and names both ways out."""
    for name, env in (("acme/secret", {}), ("acme/secret", {"HF_TOKEN": "hf_wrong"}), ("acme/nothing", {})):
        done = harness("run", name, *SIB200, env={"HF_ENDPOINT": tiny_hub.endpoint, **env})
        refused(done, f"model {name}: not on the hub, or private", "HF_TOKEN")


def test_revisions(tiny_hub: Any, harness: Harness) -> None:
    """A branch or tag is resolved to its commit before anything runs; one that does not exist is an error."""
    env = {"HF_ENDPOINT": tiny_hub.endpoint}
    refused(harness("run", "acme/tiny@v2", *SIB200, env=env), "model acme/tiny: the hub has no revision 'v2'")
    assert harness("run", "acme/tiny@v1", *SIB200, "--plan", env=env).returncode == 0
    asked = [entry["path"] for entry in tiny_hub.requests if "/models/acme/tiny" in entry["path"]]
    assert [path.rpartition("/")[2].partition("?")[0] for path in asked] == ["v2", "v1"]


def test_no_hub(harness: Harness) -> None:
    """A hub that does not answer is named as the reason, with what works without it."""
    refused(harness("run", "acme/tiny", *SIB200), "model acme/tiny: the hub could not be asked", "--offline")


def test_the_bundled_copy_stands_in_offline_only(harness: Harness, tmp_path: Path) -> None:
    """Offline and not cached, all-MiniLM-L6-v2 is the package's copy and the record says so; online it never is."""
    bundled_folder()
    task = ("-t", "MiniSTSGerman")
    refused(harness("run", MINILM, *task), f"model {MINILM}: the hub could not be asked")
    refused(harness("run", f"{MINILM}@v1", *task, "--offline"), f"{MINILM}@v1: not in the local cache")
    refused(harness("run", "acme/tiny", *task, "--offline"), "acme/tiny: not in the local cache")
    done = harness("run", MINILM, *task, "--offline")
    assert done.returncode == 0, done.stderr
    record = records(tmp_path / "results")["MiniSTSGerman"]
    assert record.harness["model"]["origin"] == "bundled"
    assert "stands in for the hub's" in record.harness["model"]["note"]
    assert "stands in for the hub's" in done.stderr


# --- data ----------------------------------------------------------------------------------------------------------

LOAD = """
import json, sys
from harness import data, registry
from harness.types import Part
for name, split, subset in json.loads(sys.argv[1]):
    print(data.load(registry.tasks().get(name), Part(split, subset)).digest)
"""
PARTS = [
    ("GermanSTSBenchmark", "validation", "default"),
    ("SIB200ClusteringS2S", "test", "deu_Latn"),
    ("AmazonCounterfactualClassification", "test", "de"),
    ("PawsXPairClassification", "test", "de"),
    ("SciFact", "test", "default"),
]


def loaded(folder: Path, **env: str) -> list[str]:
    """Digests of the `PARTS`, read in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, json.dumps(PARTS)],
        capture_output=True,
        text=True,
        env=environment(folder, **env),
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_data_is_asked_for_at_its_revision_only(hub: Any, tmp_path: Path) -> None:
    """Every request for a data set names the commit that its spec pins; a commit that is cached is not asked for again,
    neither offline nor online.
    """
    digests = loaded(tmp_path, HF_ENDPOINT=hub.endpoint)
    assert len(digests) == len(PARTS)
    known = registry.tasks()
    pinned = {known.get(name).source.path: known.get(name).source.revision for name, _, _ in PARTS}
    asked = [entry["path"] for entry in hub.requests if "/datasets/" in entry["path"]]
    pattern = re.compile(r"/datasets/([^/]+/[^/]+)/(?:resolve|tree|revision|paths-info)/([^/?]+)")
    found = [pattern.search(path) for path in asked]
    assert all(found), [path for path, match in zip(asked, found, strict=True) if not match]
    assert {(match[1], match[2]) for match in found if match} == set(pinned.items())
    assert loaded(tmp_path, HF_HUB_OFFLINE="1") == digests
    assert loaded(tmp_path, HF_ENDPOINT=hub.endpoint) == digests
    assert len([entry for entry in hub.requests if "/datasets/" in entry["path"]]) == len(asked)


def spec(folder: Path, name: str, source: Mapping[str, str], **changes: Any) -> None:
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


def test_data_that_does_not_exist(hub: Any, harness: Harness, tmp_path: Path) -> None:
    """A data set, config, split or column that is not there fails its cell with what was asked for and what there is;
    the other cells are recorded.
    """
    folder = tmp_path / "private"
    folder.mkdir()
    spec(folder, "NoSet", {"path": "mteb/nothing"})
    spec(folder, "NoConfig", {"path": "mteb/stsb_multi_mt"}, subsets={"tlh": ["deu-Latn"]})
    spec(folder, "NoSplit", {"path": "mteb/GermanSTSBenchmark"}, splits=["exam"])
    spec(folder, "NoColumn", {"path": "mteb/GermanSTSBenchmark"}, columns={"gold": "grade"})
    names = "NoSet,NoConfig,NoSplit,NoColumn,MiniSTSGerman"
    arguments = ("run", "baseline/hashing", "--tasks-dir", str(folder), "-t", names, "--json")
    done = harness(*arguments, env={"HF_ENDPOINT": hub.endpoint})
    assert done.returncode == 1, done.stderr
    cells = {cell["task"]: cell for cell in json.loads(done.stdout)["cells"]}
    assert set(records(tmp_path / "results")) == {"MiniSTSGerman"}
    revision = "ab" * 20
    for task, words in {
        "NoSet": [f"data set mteb/nothing@{revision}", "no such data set or revision", "HF_TOKEN"],
        "NoConfig": [f"mteb/stsb_multi_mt@{revision}", "'tlh'", "'de'"],
        "NoSplit": [f"mteb/GermanSTSBenchmark@{revision}", "exam", "test"],
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
    done = harness("run", "baseline/hashing", *SIB200, "--offline", "--json")
    assert done.returncode == 1, done.stderr
    (cell,) = json.loads(done.stdout)["cells"]
    assert cell["status"] == "failed"
    assert "SIB200Classification: data set mteb/sib200@a74d7350" in cell["error"]
    assert "not in the local cache, and --offline forbids asking the hub" in cell["error"]


def test_another_revision_in_the_cache_is_not_taken(localhub: ModuleType, harness: Harness, tmp_path: Path) -> None:
    """The cache holds an older and a newer revision of the data: each spec gets its own, and a spec of a third one gets
    an error, offline or when the hub no longer has the data, though the client would give it the newest.
    """
    data, folder = tmp_path / "root" / "datasets" / "acme" / "pairs", tmp_path / "private"
    data.mkdir(parents=True)
    folder.mkdir()
    pairs = [("eins zwei", "eins drei"), ("vier", "vier"), ("sechs", "elf")]
    for name, digit in {"Old": "a", "New": "b", "Third": "c"}.items():
        spec(folder, name, {"path": "acme/pairs", "revision": digit * 40})
    arguments = ("run", "baseline/hashing", "--tasks-dir", str(folder), "--json", "-t")
    with localhub.LocalHub(str(tmp_path / "root")) as server:
        env, first = {"HF_ENDPOINT": server.endpoint}, {}
        for name, gold in {"Old": (1, 2, 3), "New": (3, 2, 1)}.items():
            rows = [{"sentence1": a, "sentence2": b, "score": one} for (a, b), one in zip(pairs, gold, strict=True)]
            (data / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            assert harness(*arguments, name, env=env).returncode == 0
            first[name] = score(tmp_path / "results", name)
        assert first["Old"] == -first["New"]
        shutil.rmtree(data)
        for option, reason in {"--offline": "--offline forbids", "--overwrite": "no such data set or revision"}.items():
            results = tmp_path / option.strip("-")
            done = harness(*arguments, "Old,New,Third", option, "--results", str(results), env=env)
            (failed,) = [cell for cell in json.loads(done.stdout)["cells"] if cell["status"] == "failed"]
            assert failed["error"].startswith(f"Third: data set acme/pairs@{'c' * 40}: ")
            assert reason in failed["error"]
            assert {name: score(results, name) for name in first} == first
