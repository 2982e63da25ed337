"""The page `harness guide data`: every shape of data leads to a score with the two commands that stand there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from harness.cli import guide

PAGE = (Path(guide.__file__).parent / "data.md").read_text(encoding="utf-8")

TYPES = {
    "Pairs": "STS",
    "Duplicates": "PairClassification",
    "Tickets": "Classification",
    "Intents": "Classification",
    "News": "Clustering",
    "Genres": "MultilabelClassification",
    "Faq": "Retrieval",
    "Help": "Retrieval",
    "Triplets": "Reranking",
    "Mined": "Reranking",
    "Search": "Retrieval",
    "Trec": "Reranking",
    "Phrases": "BitextMining",
    "Grades": "STS",
    "Support": "STS",
}


class Shape(NamedTuple):
    """A section of the page: files and their content, and commands."""

    files: dict[str, str]
    commands: list[list[str]]


def shapes() -> dict[str, Shape]:
    """Name of the task -> its section."""
    sections = {}
    for section in re.split(r"^## \d+\. .*$", PAGE, flags=re.MULTILINE)[1:]:
        section = section.partition("\n## ")[0]
        blocks = re.findall(r"^(?:`([^`\n]+)`:\n\n)?((?:    .*\n)+)", section, flags=re.MULTILINE)
        blocks = [(name, re.sub(r"^    ", "", block, flags=re.MULTILINE)) for name, block in blocks]
        files = {name: block for name, block in blocks if name}
        commands = [shlex.split(line)[1:] for name, block in blocks if not name for line in block.splitlines()]
        sections[commands[-1][-1]] = Shape(files, commands)
    return sections


SHAPES = shapes()


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "Support"])
def test_two_commands_lead_to_a_score(
    command: Callable[..., Any], results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The files of the section, as they stand there, become a task of the type that is told, and a record."""
    files, commands = SHAPES[name]
    for file, content in files.items():
        (tmp_path / "here" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "here" / file).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "here")
    assert len(commands) == 2
    said = command(*commands[0])
    assert (said.status, said.err) == (0, "")
    assert f"  type         {TYPES[name]}: " in said.out
    assert said.out.splitlines()[-1].split() == ["harness", *commands[1]]
    done = command(*commands[1])
    assert done.status == 0, done.out + done.err
    [record] = results.rglob(f"{name}.json")
    [scores] = json.loads(record.read_text())["scores"]["test"]
    assert 0 < scores["main_score"] <= 1
    if name == "Grades":
        assert "separated by semicolons; numbers read with a decimal comma" in said.out


def test_every_shape_is_executed() -> None:
    """Each section has its type here, and the page counts them."""
    assert list(SHAPES) == list(TYPES)
    assert len(re.findall(r"^## \d+\. ", PAGE, flags=re.MULTILINE)) == len(SHAPES)


def test_a_data_set_on_the_hub(harness: Callable[..., Any], localhub: ModuleType, tmp_path: Path) -> None:
    """The section of the hub, with the pairs of the first one in a private data set of two configs."""
    folder = tmp_path / "root" / "datasets" / "me" / "support"
    folder.mkdir(parents=True)
    (folder / "test.jsonl").write_text(SHAPES["Pairs"].files["pairs.jsonl"])
    files = "data_files: [{split: test, path: test.jsonl}]"
    configs = "".join(f"- config_name: {name}\n  {files}\n" for name in ("de", "en"))
    (folder / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    (folder / ".private").write_text("hf_token_of_me")
    with localhub.LocalHub(str(tmp_path / "root")) as server:
        for arguments in SHAPES["Support"].commands:
            done = harness(*arguments, env={"HF_ENDPOINT": server.endpoint, "HF_TOKEN": "hf_token_of_me"})
            assert done.returncode == 0, done.stdout + done.stderr
    [record] = (tmp_path / "results").rglob("Support.json")
    assert json.loads(record.read_text())["scores"]["test"][0]["main_score"] > 0
