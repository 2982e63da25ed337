"""Models in folders of one name, from the command line: every command tells them apart, and takes their paths."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import harness
from harness import models
from harness.models.asked_settings import refusal
from harness.runner import probe_texts
from tests import nights
from tests.integration.conftest import Said

TASK = "MiniSTSEnglish"
Command = Callable[..., Said]


@pytest.fixture
def home(tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two models that lie in folders of one name, of which `b/final` is the worse."""
    words = nights.mini_words(TASK)
    for place, dimensions in (("a", 256), ("b", 2)):
        (tmp_path / place).mkdir()
        nights.save_bag_of_words(tmp_path / place / "final", dimensions=dimensions, words=words)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_tells_them_apart(command: Command, home: Path) -> None:
    """Two folders of one name have two records, two rows of the board and of its site, and are compared with each
    other; every command that reads records takes their paths.
    """
    assert command("run", "./a/final", "./b/final", "-t", TASK).status == 0
    labels = [row.label for row in harness.rank(results="results").rows]
    assert labels == ["a/final", "b/final"]
    assert [path.parent.parent.name for path in sorted(home.glob(f"results/*/*/{TASK}.json"))] == [
        "a__final",
        "b__final",
    ]
    compared = json.loads(command("compare", "./a/final", "./b/final", "--json", "--items", "1").out)
    assert (compared["a"], compared["b"]) == ("a/final", "b/final")
    assert "are both a/final" in command("compare", "./a/final", "a/final").err
    assert command("table", "./b/final").out.splitlines()[2].split()[0] == "b/final"
    board = json.loads(command("leaderboard", "./b/final", "--format", "json").out)
    assert [row["model"] for row in board["models"]] == ["b/final"]
    for path in ("./a/final", "./b/final"):
        (record,) = harness.load_results("results", models=path)
        assert f"value: {100 * record.scores['test'][0]['main_score']}" in command("card", "show", path).out
    assert command("card", "write", "./a/final", "CARD.md", "--table", "--compare", "./b/final").status == 0
    lines = (home / "CARD.md").read_text().splitlines()
    assert [line.split()[1] for line in lines if "/final |" in line] == ["a/final", "b/final"]
    assert {record.model for record in harness.load_results("results", models="./b/final")} == {"b/final"}
    assert command("leaderboard", "--site", "site").status == 0
    pages = "".join(page.read_text() for page in (home / "site").rglob("*.html"))
    assert "a/final" in pages
    assert "b/final" in pages
    assert command("cache", "clear", "./a/final").status == 0
    assert "1 computed" not in command("run", "./b/final", "./a/final", "-t", TASK).out


def test_a_name_that_is_given(command: Command, home: Path) -> None:
    """`--name` is the name in records, and `name=` in Python; it names one model."""
    assert command("run", "./a/final", "-t", TASK, "--name", "search-v2").status == 0
    (record,) = harness.run("./b/final", [TASK], results="results", name="me/mine")
    assert record.model == "me/mine"
    assert command("compare", "search-v2", "./b/final").out.splitlines()[:2] == ["A  local/search-v2", "B  me/mine"]
    said = command("run", "./a/final", "./b/final", "-t", TASK, "--name", "x")
    assert (said.status, said.err) == (2, "harness: --name 'x': names one model; found 2 models\n")
    said = command("run", "baseline/hashing", "-t", TASK, "--name", "x")
    assert (said.status, said.err) == (
        2,
        "harness: model baseline/hashing: has a name of its own; --name is for a folder or a callable\n",
    )


def test_nights(command: Command, home: Path) -> None:
    """A schedule has a row, a history and alerts for each folder, also under a label, and not the path of the home."""
    models = [{"glob": "?/final"}, {"name": "./c", "label": "me/prod"}]
    shutil.copytree(home / "a" / "final", home / "c")
    schedule = nights.write_schedule(home, models=models, baselines=None, tasks=[TASK])
    assert command("nightly", str(schedule)).status == 0
    nights.save_bag_of_words(home / "a" / "final", dimensions=2, words=nights.mini_words(TASK))
    night = command("nightly", str(schedule))
    assert [line.split(":")[0] for line in night.out.splitlines() if line.startswith("WORSE")] == [
        f"WORSE a/final {TASK}"
    ]
    assert len(json.loads(command("history", "./a/final", "--json").out)) == 2
    assert len(json.loads(command("history", "./c", "--json").out)) == 2
    report = json.loads((home / "history" / "reports" / "00002.json").read_text())
    assert str(home) not in json.dumps(report["alerts"])
    models[1]["label"] = "a b"
    said = command("nightly", str(nights.write_schedule(home, models=models, baselines=None, tasks=[TASK])), "--plan")
    assert "a name has at most" in said.out + said.err


def test_a_refusal_says_which_folder(command: Command, home: Path) -> None:
    """Of two folders of one name the refusal shows the path."""
    file = home / "b" / "final" / "modules.json"
    modules = file.read_text()
    file.write_text("[{}]")
    for arguments in (["run", "./a/final", "b/final", "-t", TASK], ["doctor", "b/final"], ["prefetch", "./b/final"]):
        said = command(*arguments)
        assert said.status == 2
        assert said.err.startswith("harness: model ./b/final: modules.json has a module without"), said.err
    file.write_text(modules)
    said = command("models", "check", "b/final", "--backend", "onnx")
    assert said.err.startswith("harness: model ./b/final: "), said.err
    refused = refusal(models.resolve("b/final"), {"max_length": 9})
    assert refused.startswith(f"model {home / 'b' / 'final'}: "), refused


def test_doctor_tells_two_folders_apart(command: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The models that `doctor --against` compares have the names that a run gives them."""
    monkeypatch.setattr(probe_texts, "mini_suite", lambda: [harness.get_task(TASK)])
    answer = json.loads(command("doctor", "a/final", "--against", "b/final", "--device", "cpu", "--json").out)
    assert (answer["model"]["name"], answer["other"]["name"]) == ("a/final", "b/final")


def test_a_folder_with_an_at_sign(command: Command, home: Path) -> None:
    """A folder that exists is taken whole; a revision after its path is refused, and a missing folder named in full."""
    (home / "a" / "final").rename(home / "a" / "me@home")
    for name in ("a/me@home", "./a/me@home", str(home / "a" / "me@home")):
        said = command("run", name, "-t", TASK)
        assert said.status == 0, said.err
    assert command("prefetch", "a/me@home").out.startswith("model local/me_home at ")
    assert "static embeddings" in command("models", "show", "./a/me@home").out
    assert command("models", "check", "./a/me@home", "--device", "cpu").status in (0, 1)
    assert command("compare", "./a/me@home", "./a/me@home").err.count("are both local/me_home") == 1
    assert command("card", "show", "./a/me@home").status == 0
    assert "a folder has no revisions; leave out @main" in command("run", "./a/me@home@main", "-t", TASK).err
    assert "model a@b/none: no such folder" in command("run", "./a@b/none", "-t", TASK).err
