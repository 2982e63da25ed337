"""`harness models list` and `show`, as a user meets them."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import models
from harness.models import catalog, preflight
from tests.conftest import environment
from tests.tiny import save_sentence_transformer, save_static, save_transformer

Command = Callable[..., Any]
COMMIT = "a" * 40


def listed(command: Command, *arguments: str) -> list[dict[str, Any]]:
    """The rows of `models list` as JSON."""
    answer = command("models", "list", *arguments, "--format", "json")
    assert answer.status == 0, answer.err
    return json.loads(answer.out)


# --- list -------------------------------------------------------------------------------------------------------------


def test_every_model_of_the_registry_is_listed(command: Command) -> None:
    """Each of mteb's text models has a line that says how it is run, with the reason where it is refused; table, CSV
    and JSON list the same models.
    """
    rows = listed(command)
    assert [row["name"] for row in rows] == list(catalog.names())
    assert {row["run"] for row in rows} == {"mirrored", "mteb", "refused"}
    assert all(bool(row["refused_because"]) == (row["run"] == "refused") for row in rows)
    table = command("models", "list").out.splitlines()
    assert all(line.startswith(f"{name} ") for line, name in zip(table[2:-2], catalog.names(), strict=True))
    assert table[-1] == f"{len(rows)} of {len(rows)} models"
    with_commas = list(csv.DictReader(io.StringIO(command("models", "list", "--format", "csv").out)))
    assert [row["name"] for row in with_commas] == list(catalog.names())
    assert with_commas[0]["languages"] == " ".join(rows[0]["languages"])


@pytest.mark.parametrize(
    ("arguments", "holds"),
    [
        (["E5"], lambda row: "e5" in row["name"].lower()),
        (["--kinds", "sparse,late-interaction"], lambda row: row["kind"][0] in ("sparse", "late-interaction")),
        (["--loaders", "NomicWrapper"], lambda row: row["loader"] == "NomicWrapper"),
        (["--run", "mteb"], lambda row: row["run"] == "mteb"),
        (["--max-parameters", "30M"], lambda row: row["parameters"] is not None and row["parameters"] <= 30e6),
        (["--licenses", "mit"], lambda row: row["license"] == "mit"),
        (["--prompts", "instructions"], lambda row: row["prompts"] == "instructions"),
        (["--open-weights"], lambda row: row["open_weights"]),
        (
            ["--languages", "de,sw"],
            lambda row: {"deu-Latn"} <= set(row["languages"]) and {"swa-Latn", "swh-Latn"} & set(row["languages"]),
        ),
    ],
)
def test_a_filter_keeps_exactly_the_models_it_names(
    arguments: list[str], holds: Callable[[dict[str, Any]], bool], command: Command
) -> None:
    """Every model that fits is kept, models with many languages too, and no other."""
    everything, kept = listed(command), listed(command, *arguments)
    assert kept == [row for row in everything if holds(row)]
    assert 0 < len(kept) < len(everything)


def test_names_that_the_registry_does_not_have_are_refused(command: Command) -> None:
    """A misspelt kind, loader, license, language or number is an error with the names that exist, not an empty list."""
    for option, value, help_ in (
        ("--kinds", "spars", "did you mean sparse"),
        ("--loaders", "NomicWraper", "NomicWrapper"),
        ("--licenses", "apache", "apache-2.0"),
        ("--max-parameters", "small", "500M"),
        ("--languages", "xx", "no language named 'xx'"),
    ):
        answer = command("models", "list", option, value)
        assert answer.status == 2
        assert help_ in answer.err


# --- show -------------------------------------------------------------------------------------------------------------


def shown(command: Command, *arguments: str) -> dict[str, Any]:
    answer = command("models", "show", *arguments, "--json")
    assert answer.status == 0, answer.err
    return json.loads(answer.out)


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's client, and a hub that must not be asked."""
    from huggingface_hub import HfApi, constants

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(HfApi, "model_info", refuse)
    return tmp_path / "hub"


def test_a_model_of_the_registry_without_a_network(command: Command, hub_cache: Path) -> None:
    """What mteb does is shown although nothing of the model is on this machine: instructions by task type and role,
    revision, license; and that its own files were not read.
    """
    answer = shown(command, "Qwen/Qwen3-Embedding-0.6B")
    assert (answer["run"], answer["prompts_from"], answer["files"]) == ("mirrored", "catalog", None)
    assert "--hub reads them" in answer["files_not_read_because"]
    assert answer["prompts"]["STS"] == {"": "Instruct: Retrieve semantically similar text.\nQuery:{text}"}
    assert answer["prompts"]["Retrieval"]["document"] == "{text}"
    assert answer["mteb"]["license"] == "apache-2.0"
    text = command("models", "show", "Qwen/Qwen3-Embedding-0.6B").out
    assert '"Instruct: Retrieve semantically similar text.\\nQuery:{text}"' in text
    assert "b22da495047858cce924d27d76261e96be6febc0" in text


def test_showing_a_model_of_the_registry_imports_nothing_heavy(tmp_path: Path) -> None:
    """`models show` leaves torch, mteb, datasets, scikit-learn and sentence-transformers alone."""
    heavy = {"torch", "mteb", "datasets", "sklearn", "transformers", "sentence_transformers"}
    program = (
        "import sys\nfrom harness import cli\n"
        "status = cli.main(['models', 'show', 'Qwen/Qwen3-Embedding-0.6B'])\n"
        f"print(status, sorted({heavy!r} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(tmp_path), cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.stderr, bool(done.stdout)) == ("0 []\n", True)


def test_the_tasks_with_instructions_of_their_own_are_counted(command: Command, hub_cache: Path) -> None:
    """A task that is named in the catalog is listed; types and roles are not taken for tasks."""
    answer = shown(command, "ai-forever/FRIDA")
    assert "MassiveIntentClassification" in answer["tasks_with_prompts"]
    assert not {"STS", "query", "Retrieval"} & set(answer["tasks_with_prompts"])
    assert "MassiveIntentClassification" not in answer["prompts"]
    assert "Other prompts for 14 tasks" in command("models", "show", "ai-forever/FRIDA").out


def test_a_refused_model_is_shown_with_the_reason(command: Command, hub_cache: Path) -> None:
    """A closed API ends with 0 and says why a run would refuse it."""
    answer = shown(command, "thu-nmrc/bge-small-structural-separator")
    assert answer["run"] == "refused"
    assert "titles" in answer["refused_because"]


def test_a_model_in_the_cache_is_read_without_a_network(command: Command, hub_cache: Path, tmp_path: Path) -> None:
    """The files of a model that the client has cached are read: pooling, length and our revision beside mteb's."""
    cached = hub_cache / "models--intfloat--multilingual-e5-small"
    shutil.copytree(save_sentence_transformer(tmp_path / "e5", normalize=True), cached / "snapshots" / COMMIT)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(COMMIT)
    answer = shown(command, "intfloat/multilingual-e5-small")
    assert (answer["files"]["revision"], answer["files"]["pooling"], answer["files"]["max_length"]) == (
        COMMIT,
        "mean",
        64,
    )
    assert answer["files"]["normalized"] is True
    assert answer["prompts"]["Retrieval"] == {"query": "query: {text}", "document": "passage: {text}"}
    assert "another one than above" in command("models", "show", "intfloat/multilingual-e5-small").out


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
def test_a_folder(pooling: str, command: Command, tmp_path: Path) -> None:
    """Kind, pooling, precision and the prompts of its own files are shown."""
    folder = save_sentence_transformer(tmp_path / "mine", pooling=pooling, prompts={"query": "q: ", "STS": "s: "})
    answer = shown(command, str(folder))
    assert (answer["run"], answer["mteb"], answer["files"]["pooling"]) == ("mirrored", None, pooling)
    assert answer["files"]["normalized"] is False
    assert answer["files"]["precision_here"] == "fp32"
    assert answer["prompts_from"] == "model"
    assert answer["prompts"]["STS"] == {"": "s: {text}"}
    assert answer["prompts"]["Retrieval"]["query"] == "q: {text}"
    assert "here; all weights are in its files" in command("models", "show", str(folder)).out


def test_a_checkpoint_that_lacks_weights(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown as refused: a missing layer, and a missing file of several, which is refused before it is opened."""
    from safetensors.torch import load_file, save_file

    folder = save_sentence_transformer(tmp_path / "mine")
    file = folder / "model.safetensors"
    weights = load_file(file)
    save_file({name: rows for name, rows in weights.items() if ".layer.1." not in name}, file)
    answer = shown(command, str(folder))
    assert answer["run"] == "refused"
    assert answer["refused_because"].startswith("weights are missing in its file (encoder.layer.1.")
    monkeypatch.setattr(models, "_MOST_BYTES", 0)
    assert "here; weights are checked at opening" in command("models", "show", str(folder)).out
    shards = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    file.rename(folder / shards[0])
    index = {"metadata": {}, "weight_map": {name: shards[".layer.1." in name] for name in weights}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    answer = shown(command, str(folder))
    assert answer["refused_because"].startswith(f"1 of 2 files of its weights is missing ({shards[1]}); fetch or save")


def test_a_folder_is_shown_under_its_name_in_records(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder beside which another one of the same name is recorded is shown by the name that its records get."""
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "results"))
    folders = [save_static(tmp_path / name / "final") for name in ("a", "b")]
    harness.run(str(folders[0]), "MiniSTSEnglish", results=tmp_path / "results")
    assert [shown(command, str(folder))["name"] for folder in folders] == ["local/final", "b/final"]


def test_a_folder_that_cannot_be_run(command: Command, tmp_path: Path) -> None:
    """A folder that a run refuses is shown, with the run's reason."""
    folder = save_transformer(tmp_path / "mine")
    (folder / "model.safetensors").unlink()
    answer = shown(command, str(folder))
    assert answer["run"] == "refused"
    assert "has no weights" in answer["refused_because"]
    assert command("models", "show", str(tmp_path / "none")).status == 2


def test_another_backend_of_a_folder(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--backend` shows the file that would be run, by the kind that runs it, and what is to be installed for it."""
    monkeypatch.setattr(preflight, "_is_installed", lambda module, package: True)
    folder = save_sentence_transformer(tmp_path / "mine")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").touch()
    answer = json.loads(command("models", "show", str(folder), "--backend", "onnx", "--json").out)
    assert (answer["files"]["kind"], answer["files"]["backend_file"]) == ("onnx", "onnx/model.onnx")
    assert answer["files"]["packages"] == ["onnxruntime"]
    assert answer["files"]["precision_here"] == "as stored"
    for arguments in (["models", "show"], ["models", "check"], ["doctor"]):
        answer = command(*arguments, str(folder), "--backend", "onnx", "--backend-file", "onnx/none.onnx")
        assert "there is no such file for onnx; found onnx/model.onnx" in answer.err, arguments


def test_the_text_of_a_model_cannot_write_on_the_terminal(command: Command, tmp_path: Path) -> None:
    """Control characters in a prompt or an architecture are shown escaped."""
    folder = save_sentence_transformer(tmp_path / "mine", prompts={"STS": "\x1b[31mred"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["Bert\x1b[2J"]}))
    out = command("models", "show", str(folder)).out
    assert "\x1b" not in out
    assert "\\u001b[31mred" in out
