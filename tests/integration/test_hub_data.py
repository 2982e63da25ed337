"""A data set of one's own on the hub becomes a task: `harness tasks new --from hub:ORG/NAME[@REV]`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from harness.tasks.task_file import load_file

Harness = Callable[..., Any]

COMMIT, OLD_COMMIT = "a" * 40, "b" * 40
TOPICS = ["sun and rain", "wind and snow", "flour and butter", "sugar and salt", "rain and fog", "oil and sugar"]
PAIRS = [{"sentence1": text, "sentence2": f"it is {text}", "score": i} for i, text in enumerate(TOPICS)]
LABELLED = [{"text": f"{text} {i}", "label": f"l{len(text) % 2}"} for i, text in enumerate(TOPICS * 2)]
TRIPLETS = [{"anchor": text, "positive": f"it is {text}", "negative": "the end"} for text in TOPICS]
SEARCH = {
    "corpus": [{"_id": f"d{i}", "text": text} for i, text in enumerate(TOPICS)],
    "queries": [{"_id": f"q{i}", "text": f"what of {text}"} for i, text in enumerate(TOPICS[:3])],
    "default": [{"query-id": f"q{i}", "corpus-id": f"d{i}", "score": 1} for i in range(3)],
}
TOKEN = "hf_secret"


class Hub(NamedTuple):
    """A running hub: `put` adds a data set, config -> split -> rows; `env` leads a command to it."""

    put: Callable[..., Path]
    env: dict[str, str]
    requests: list[dict[str, Any]]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """An empty folder to work in."""
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def own_hub(localhub: ModuleType, tmp_path: Path) -> Iterator[Hub]:
    """A hub with the data sets of the test."""
    root = tmp_path / "root"
    (root / "datasets").mkdir(parents=True)

    def put(name: str, configs: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]], *, token: str = "") -> Path:
        folder = root / "datasets" / name
        card = ["---", "configs:"]
        for config, splits in configs.items():
            card += [f"- config_name: {config}", "  data_files:"]
            for split, rows in splits.items():
                card += [f"  - split: {split}", f"    path: {config}/{split}.jsonl"]
                (folder / config).mkdir(parents=True, exist_ok=True)
                text = "".join(json.dumps(row) + "\n" for row in rows)
                (folder / config / f"{split}.jsonl").write_text(text)
        (folder / "README.md").write_text("\n".join([*card, "---", ""]))
        (folder / ".revisions").write_text(f"main {COMMIT}\nv1 {OLD_COMMIT}\n")
        if token:
            (folder / ".private").write_text(token)
        return folder

    with localhub.LocalHub(str(root)) as server:
        yield Hub(put, {"HF_ENDPOINT": server.endpoint}, server.requests)


def scored(harness: Harness, here: Path, new: Any, **options: Any) -> dict[str, Any]:
    """The record of the command that `tasks new` has printed."""
    assert new.returncode == 0, new.stderr
    done = harness(*shlex.split(new.stdout.splitlines()[-1])[1:], "--results", "r", cwd=here, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    [record] = [path for path in (here / "r").rglob("*.json") if path.name != "model_meta.json"]
    content: dict[str, Any] = json.loads(record.read_text())
    return content


TODAY = [{"text": f"today {row['text']}", "label": row["label"]} for row in LABELLED]
SHAPES: dict[str, tuple[str, dict[str, dict[str, Any]], list[str]]] = {
    "pairs": ("STS", {"default": {"train": PAIRS}}, ["train"]),
    "labels": ("Classification", {"default": {"train": LABELLED, "test": TODAY}}, ["test"]),
    "search": ("Retrieval", {name: {"test": rows} for name, rows in SEARCH.items()}, ["test"]),
    "search of a subset": (
        "Retrieval",
        {f"de-{'qrels' if name == 'default' else name}": {"test": rows} for name, rows in SEARCH.items()},
        ["test"],
    ),
    "triplets": ("Reranking", {"default": {"train": TRIPLETS}}, ["test"]),
    "labels in one split": ("Classification", {"default": {"train": LABELLED}}, ["test"]),
}
CONVERTED = {"triplets", "labels in one split"}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_data_set_becomes_a_score_in_two_commands(own_hub: Hub, harness: Harness, here: Path, shape: str) -> None:
    """It is recognised as files of the same columns are; the spec pins the commit, or says from which commit its files
    are where they had to be converted; the second command works offline.
    """
    type_, configs, splits = SHAPES[shape]
    own_hub.put("acme/mine", configs)
    new = harness("tasks", "new", "--from", "hub:acme/mine", env=own_hub.env, cwd=here)
    record = scored(harness, here, new, env={"HF_HUB_OFFLINE": "1"})
    assert list(record["scores"]) == splits
    task = load_file(here / "Mine.yaml")
    assert task.type == type_
    assert (task.source.kind == "local") is (shape in CONVERTED)
    if shape in CONVERTED:
        assert f"acme/mine@{COMMIT}" in task.description
    else:
        assert (task.source.path, task.source.revision) == ("acme/mine", COMMIT)
    assert f"  revision     {COMMIT}" in new.stdout


def test_a_revision_and_offline(own_hub: Hub, harness: Harness, here: Path) -> None:
    """A tag is the commit that it stands for; offline, the names that worked online stand for the same commits, and
    the data are read from the cache, while another data set is refused.
    """
    own_hub.put("acme/mine", {"default": {"test": PAIRS}})
    new = ("tasks", "new", "--from", "hub:acme/mine@v1")
    assert harness(*new, env=own_hub.env, cwd=here).returncode == 0
    before = (here / "Mine.yaml").read_text()
    assert f"revision: {OLD_COMMIT}" in before
    own_hub.requests.clear()
    again = harness(*new, "--force", "--offline", env=own_hub.env, cwd=here)
    assert again.returncode == 0, again.stderr
    assert (here / "Mine.yaml").read_text() == before
    other = harness("tasks", "new", "--from", "hub:acme/other", "--offline", env=own_hub.env, cwd=here)
    assert (other.returncode, other.stderr) == (
        2,
        "harness: data set acme/other: not in the local cache, and --offline forbids asking the hub\n",
    )
    assert own_hub.requests == []


def test_a_private_data_set(own_hub: Hub, harness: Harness, here: Path) -> None:
    """It is read with the token of the environment, which is not written down; without one it is not there."""
    own_hub.put("acme/mine", {"default": {"test": PAIRS}}, token=TOKEN)
    new = ("tasks", "new", "--from", "hub:acme/mine")
    refused = harness(*new, env=own_hub.env, cwd=here)
    assert refused.returncode == 2
    assert refused.stderr == (
        "harness: data set acme/mine: not on the hub, or private and no token with access is set (HF_TOKEN)\n"
    )
    said = harness(*new, env={**own_hub.env, "HF_TOKEN": TOKEN}, cwd=here)
    scored(harness, here, said, env={**own_hub.env, "HF_TOKEN": TOKEN})
    assert TOKEN not in said.stdout + "".join(p.read_text(errors="replace") for p in here.rglob("*") if p.is_file())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "acme/mine@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: has the configs de, en; choose one with --config"),
        (("--config", "fr"), "no config of acme/mine@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa named 'fr'"),
        (("--config", "en"), "config en: has the splits good, bad; say with --split which is to be scored"),
        (("--config", "en", "--split", "best"), "config en named 'best'; known: good, bad"),
        (("--config", "de", "--type", "Clustering"), "config de: 2 columns could be the texts"),
    ],
)
def test_configs_and_splits_to_choose(
    own_hub: Hub, harness: Harness, here: Path, options: Sequence[str], words: str
) -> None:
    """Where there are several, they are listed and nothing is written; there is no silent choice."""
    own_hub.put("acme/mine", {"de": {"test": PAIRS}, "en": {"good": PAIRS[:4], "bad": PAIRS}})
    said = harness("tasks", "new", "--from", "hub:acme/mine", *options, env=own_hub.env, cwd=here)
    assert said.returncode == 2
    assert words in said.stderr
    assert not [*here.iterdir()]


def test_a_config_and_a_split_are_chosen(own_hub: Hub, harness: Harness, here: Path) -> None:
    """The spec names both, and only they are scored."""
    own_hub.put("acme/mine", {"de": {"test": PAIRS}, "en": {"good": PAIRS[:4], "bad": PAIRS}})
    options = ("--config", "en", "--split", "good", "--name", "Good", "--language", "eng-Latn")
    new = harness("tasks", "new", "--from", "hub:acme/mine", *options, env=own_hub.env, cwd=here)
    record = scored(harness, here, new, env=own_hub.env)
    assert record["harness"]["parts"]["good"]["rows"] == {"good": 4}
    task = load_file(here / "Good.yaml")
    assert (task.configs, task.splits) == ({"default": "en"}, ("good",))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hub:../../etc",), "--from hub:../../etc: expected hub:ORG/NAME or hub:ORG/NAME@REVISION"),
        (("hub:acme/none",), "data set acme/none: not on the hub, or private"),
        (("hub:acme/mine@v9",), "data set acme/mine: the hub has no revision 'v9'; name a branch, tag or commit"),
        (("hub:acme/mine", "--to", "nowhere"), "--to nowhere: no such folder"),
        (("hub:acme/mine", "--trec-run", "r"), "--trec-run: belongs to a folder with corpus and queries"),
        ((".", "--config", "de"), "--config de: belongs to --from hub:ORG/NAME; . is a path"),
    ],
)
def test_what_is_refused(own_hub: Hub, harness: Harness, here: Path, arguments: Sequence[str], words: str) -> None:
    """One sentence, exit status 2, nothing written."""
    own_hub.put("acme/mine", {"default": {"test": PAIRS}})
    said = harness("tasks", "new", "--from", *arguments, env=own_hub.env, cwd=here)
    assert (said.returncode, said.stdout) == (2, "")
    assert words in said.stderr
    assert not [*here.iterdir()]


def test_a_defect_names_the_row(own_hub: Hub, harness: Harness, here: Path) -> None:
    """A null grade is named with data set, split and row."""
    own_hub.put("acme/mine", {"default": {"test": [*PAIRS, {**PAIRS[0], "score": None}]}})
    said = harness("tasks", "new", "--from", "hub:acme/mine", env=own_hub.env, cwd=here)
    assert said.returncode == 2
    assert f"acme/mine@{COMMIT}, split test, row 6: column 'score' is null" in said.stderr
