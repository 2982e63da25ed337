"""`harness cache` and `harness doctor MODEL`, as a user meets them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import models
from harness.models.asked_settings import of_options, require_honoured
from harness.models.kinds import KINDS
from harness.runner import model_check
from harness.tasks import registry
from harness.types import EncodeOptions, ModelSpec, PromptRules
from tests.encoders import Fake
from tests.tiny import save_sentence_transformer, save_static

from .conftest import Said, Tasks

Command = Callable[..., Said]


# --- cache -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two tiny models, the second of which puts a prompt before queries."""
    root = tmp_path_factory.mktemp("models")
    return [
        str(save_sentence_transformer(root / name, prompts={"query": prompt}))
        for name, prompt in (("one", ""), ("other", "find: "))
    ]


@pytest.fixture
def encoded(command: Command, tasks: Tasks, folders: list[str]) -> list[str]:
    """The arguments of a run of two tiny models whose vectors are kept now."""
    tasks.write("Mine", "Retrieval")
    arguments = ["run", *folders, "-t", "Mine", "--tasks-dir", tasks.path, "--device", "cpu"]
    said = command(*arguments)
    assert said.status == 0, said
    return arguments


def test_info(encoded: list[str], command: Command, tmp_path: Path) -> None:
    """What is kept, by model, revision, precision, length, batches and prompt, with size and age."""
    said = command("cache", "info")
    assert said.status == 0
    lines = said.out.splitlines()
    assert re.split(r"  +", lines[0].strip()) == [
        "model", "revision", "precision", "length", "batches", "prompt", "blocks", "MiB", "last used",
    ]  # fmt: skip
    rows = sorted(re.split(r"  +", line.strip())[:7] for line in lines[2:-2])
    one, other = (models.resolve(folder).revision[:12] for folder in encoded[1:3])
    assert rows == sorted(
        [
            # a prompt for queries, and none for documents; where both are empty, one namespace
            ["local/one", one, "fp32", "64", "tokens", "''", "2"],
            ["local/other", other, "fp32", "64", "tokens", "'find: '", "1"],
            ["local/other", other, "fp32", "64", "tokens", "''", "1"],
        ]
    )
    assert lines[-1] == f"0.00 of 20 GiB in {tmp_path / 'cache' / 'embeddings'}"
    answer = json.loads(command("cache", "info", "--json").out)
    kept = list((tmp_path / "cache").rglob("*.safetensors"))
    assert answer["bytes"] == sum(file.stat().st_size for file in kept)
    assert answer["limit"] == 20 * 2**30
    assert {one["identity"]["model"] for one in answer["namespaces"]} == {"local/one", "local/other"}


def test_the_next_run_finds_them(encoded: list[str], command: Command) -> None:
    """The same command with --overwrite encodes nothing and gives the same scores."""
    first = json.loads(command(*encoded, "--json").out)["cells"]
    said = command(*encoded, "--overwrite", "--json")
    again = json.loads(said.out)["cells"]
    assert [cell["scores"] for cell in again] == [cell["scores"] for cell in first]
    for cell in again:
        counts = json.loads(Path(cell["record"]).read_text())["harness"]["parts"]["test"]
        assert (counts["texts_encoded"], counts["texts_cached"]) == (0, 8)
        assert counts["tokens"] > 0


def test_verify(encoded: list[str], command: Command, tmp_path: Path) -> None:
    """All sound; after a byte broke, that file is named, deleted, and the exit status says so; then all is well."""
    said = command("cache", "verify")
    assert (said.status, said.out) == (0, "4 valid blocks, 0 broken\n")
    victim = min((tmp_path / "cache").rglob("*.safetensors"))
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(bytes(content))
    said = command("cache", "verify")
    assert said.status == 1
    assert said.out == f"BROKEN, deleted: {victim}\n3 valid blocks, 1 broken\n"
    assert command("cache", "verify").out == "3 valid blocks, 0 broken\n"
    assert command(*encoded, "--overwrite").status == 0
    assert command("cache", "verify").out == "4 valid blocks, 0 broken\n"


def test_clear(encoded: list[str], command: Command, tmp_path: Path) -> None:
    """One model, down to a size, or all; an unknown model is refused with the known ones."""
    folder = tmp_path / "cache" / "embeddings"
    said = command("cache", "clear", "local/onee")
    assert said.status == 2
    assert "no model with cached vectors named 'local/onee'; did you mean local/one" in said.err
    said = command("cache", "clear", "local/one")
    assert said.status == 0
    assert re.fullmatch(r"\d+\.\d MiB freed\n", said.out)
    assert "local/one " not in command("cache", "info").out
    assert "local/other" in command("cache", "info").out
    assert command("cache", "clear", "--to", "1").out == "0.0 MiB freed\n"
    assert list(folder.rglob("*.safetensors"))
    assert command("cache", "clear", "--to", "0").status == 0
    assert not list(folder.rglob("*.safetensors"))
    command(*encoded, "--overwrite")
    assert command("cache", "clear").status == 0
    assert list(folder.iterdir()) == []


def test_an_empty_cache(command: Command, tmp_path: Path) -> None:
    """Nothing kept is no error."""
    folder = tmp_path / "cache" / "embeddings"
    assert command("cache", "info").out == f"0.00 of 20 GiB in {folder}\n"
    assert command("cache", "verify").out == "0 valid blocks, 0 broken\n"
    assert command("cache", "clear").out == "0.0 MiB freed\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cleer"], "invalid choice: 'cleer'"),
        (["clear", "--to", "much"], "argument --to: found 'much'; expected a number, 0 or more"),
        (["clear", "--to", "-1"], "argument --to: found '-1'; expected a number, 0 or more"),
        (["clear", "--to", "nan"], "argument --to: found 'nan'"),
        (["clear", "local/one", "--to", "0"], "leave out --to or the models"),
    ],
)
def test_bad_requests(arguments: list[str], message: str, encoded: list[str], command: Command) -> None:
    """Exit 2 and one message, no traceback, and nothing is deleted."""
    said = command("cache", *arguments)
    assert said.status == 2
    assert "Traceback" not in said.err
    assert message in said.err
    assert command("cache", "verify").out == "4 valid blocks, 0 broken\n"


def test_what_a_run_keeps(command: Command, tasks: Tasks, tmp_path: Path) -> None:
    """--store off keeps nothing, static embeddings are kept as others are, float16 is a record of its own."""
    tasks.write("Mine", "STS")
    folder = str(save_sentence_transformer(tmp_path / "model"))
    static = str(save_static(tmp_path / "static"))
    common = ["-t", "Mine", "--tasks-dir", tasks.path, "--device", "cpu"]
    blocks = tmp_path / "cache" / "embeddings"
    assert command("run", folder, *common, "--store", "off").status == 0
    assert not list(blocks.rglob("*.safetensors"))
    assert command("run", static, *common).status == 0
    assert list(blocks.rglob("*.safetensors"))
    assert command("cache", "clear").status == 0
    said = command("run", folder, *common, "--store", "float16", "--json")
    (cell,) = json.loads(said.out)["cells"]
    assert cell["variant"] == "store=float16"
    assert "float16" in next(blocks.rglob("namespace.json")).read_text()


# --- doctor MODEL ----------------------------------------------------------------------------------------------------


@pytest.fixture
def two_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tasks of the suite mini stand for all."""
    known = registry.get_tasks()
    monkeypatch.setattr(model_check, "mini_suite", lambda: [known.get("MiniSTSEnglish"), known.get("MiniPairsGerman")])


LINE = re.compile(r"(.+?)  +largest difference (\S+), least cosine (\S+): (rounding|MORE THAN ROUNDING)")


@pytest.mark.usefixtures("two_tasks")
def test_a_sound_model(command: Command, tmp_path: Path) -> None:
    """Other batches and another order differ by rounding; half precision says what it does to the scores."""
    said = command("doctor", str(save_sentence_transformer(tmp_path / "model", normalize=True)), "--device", "cpu")
    found = {match[1].strip(): match for line in said.out.splitlines() if (match := LINE.match(line))}
    assert list(found) == ["batches of 32 texts", "the texts in reverse order", "bf16", "fp16"]
    for what in ("batches of 32 texts", "the texts in reverse order"):
        assert float(found[what][2]) <= 1e-5
        assert found[what][4] == "rounding"
    assert float(found["bf16"][2]) > 1e-4
    assert said.status == (0 if all(match[4] == "rounding" for match in found.values()) else 1)
    assert re.search(r"^MiniSTSEnglish +cosine_spearman +-?\d+\.\d{3} +[+-]\d\.\d{3} +[+-]\d\.\d{3}$", said.out, re.M)
    for precision in ("bf16", "fp16"):
        assert re.search(rf"^{precision}: changes (no score|\d scores) by more than 0.01 points of 100", said.out, re.M)


@pytest.mark.usefixtures("two_tasks")
def test_the_scores_in_half_precision(tmp_path: Path) -> None:
    """The changes are those of running the tasks in both precisions."""
    import harness

    folder = str(save_sentence_transformer(tmp_path / "model"))
    found = list(model_check.changes(models.resolve(folder), EncodeOptions(device="cpu"), ["bf16"]))
    for change in found:
        full, half = (
            harness.run(folder, change.task, device="cpu", precision=precision, results=tmp_path / precision)[0]
            for precision in ("fp32", "bf16")
        )
        (entry,), (other,) = full.parts.values(), half.parts.values()
        assert change.full == pytest.approx(100 * entry["main_score"], abs=1e-6)
        assert change.points == pytest.approx(100 * (other["main_score"] - entry["main_score"]), abs=1e-6)
    assert [change.task for change in found] == ["MiniSTSEnglish", "MiniPairsGerman"]


def among_others(texts: list[str]) -> np.ndarray:
    """Vectors that hang on what stands before a text."""
    rows = np.array([[1.0, len(text), place] for place, text in enumerate(texts)], dtype=np.float32)
    return rows


def nearly_alone(texts: list[str]) -> np.ndarray:
    """Vectors that hang on the others by rounding."""
    return np.array(
        [[1.0, sum(map(ord, text)) % 97, 1e-7 * (place + 1)] for place, text in enumerate(texts)], dtype=np.float32
    )


@pytest.mark.parametrize(("rows", "status"), [(among_others, 1), (nearly_alone, 0)])
def test_a_model_whose_vectors_hang_on_the_others(
    rows: Any, status: int, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than rounding is said in so many words and ends with 1; rounding does not."""
    monkeypatch.setattr(models, "open_model", lambda spec, options: Fake(rows=rows))
    said = command("doctor", "baseline/hashing")
    assert said.status == status
    assert ("MORE THAN ROUNDING" in said.out) == bool(status)
    answer = json.loads(command("doctor", "baseline/hashing", "--json").out)
    assert [one["fine"] for one in answer["differences"]] == [not status] * 2
    (alone,) = [probe for probe in answer["probes"] if probe["name"] == "a text alone"]
    assert alone["passed"] == (not status)
    assert alone["figure"].startswith("0 of 8 texts have the same bits as among others, the largest difference is ")
    assert answer["model"] == "baseline/hashing"


def test_models_without_vectors_or_weights(command: Command) -> None:
    """Hashing is checked in fp32 only; BM25 has no vectors; what does not exist is an error."""
    said = command("doctor", "baseline/hashing")
    assert said.status == 0
    assert len(LINE.findall(said.out)) == 2
    assert "bf16" not in said.out
    said = command("doctor", "baseline/bm25")
    assert said.status == 2
    assert "ranks documents by itself and has no vectors to check" in said.err
    assert command("doctor", "./none").status == 2


@pytest.mark.parametrize(
    "kind", [kind.name for kind in KINDS if kind.abilities.vectors and "precision" not in kind.settings]
)
def test_a_kind_that_takes_no_precision(kind: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of another backend, a model of mteb's loader and an endpoint are probed as they are; the probe of
    precision says why it is left out.
    """
    spec = models.resolve("baseline/hashing")
    spec = dataclasses.replace(spec, origin="endpoint" if "endpoint" in kind else "folder", kind=kind)

    def opened(spec: ModelSpec, options: EncodeOptions) -> Fake:
        require_honoured(spec, of_options(options))
        return Fake(prompts=PromptRules(by_model=kind.startswith("mteb")), precision="as stored")

    monkeypatch.setattr(models, "resolve", lambda name, **asked: spec)
    monkeypatch.setattr(models, "open_model", opened)
    said = command("models", "check", "any")
    assert said.status == 0, said.err
    assert f'not tried: kind "{kind}" takes no --precision: pass' in said.out
    batches = [] if kind.startswith("mteb") else ["batches of 32 texts"]
    assert [match[0].strip() for match in LINE.findall(said.out)] == [*batches, "the texts in reverse order"]


@pytest.mark.parametrize("depends", ["positions", "quantization"])
def test_a_model_of_mtebs_batches(depends: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors that are known to follow from their batch are not compared with those of other batches."""
    monkeypatch.setattr(models, "open_model", lambda spec, options: Fake(rows=among_others, depends_on_batch=depends))
    said = command("doctor", "baseline/hashing")
    assert "so that runs use mteb's batches: pass" in said.out
    assert not LINE.findall(said.out)


def test_doctor_keeps_nothing(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check neither trusts kept vectors nor leaves any."""
    monkeypatch.setattr(model_check, "mini_suite", lambda: [])
    command("doctor", str(save_sentence_transformer(tmp_path / "model")), "--device", "cpu")
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def probes_of(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Probe -> its outcome, by `models check`, without the scores of the suite."""
    monkeypatch.setattr(model_check, "mini_suite", lambda: [])
    answer = json.loads(command("models", "check", str(folder), "--device", "cpu", "--json").out)
    return {probe["name"]: probe for probe in answer["probes"]}


def test_probes_of_a_sound_model(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each probe passes with its figure: dimensions, unit lengths, repeated texts, the cut, and an effective prompt."""
    folder = save_sentence_transformer(tmp_path / "model", normalize=True, prompts={"query": "q: "})
    probes = probes_of(command, folder, monkeypatch)
    assert all(probe["passed"] and not probe["advice"] for probe in probes.values())
    assert probes["dimensions"]["figure"] == "32"
    assert probes["lengths"]["figure"] == "1.0000 to 1.0000"
    assert probes["truncation"]["figure"] == "cut at 64 tokens"
    assert probes["batches"]["figure"] == "padded: a CPU gains little by packing"
    assert "texts have the same bits as among others" in probes["a text alone"]["figure"]
    assert "mean cosine to texts without it" in probes["prompt 'q: {text}'"]["figure"]


@pytest.mark.parametrize(
    ("rows", "facts", "failing"),
    [
        (lambda texts: [[1.0, sum(map(ord, text)) % 97] for text in texts], {"normalized": True}, "lengths"),
        (lambda texts: [[1.0, sum(map(ord, text)) % 97] for text in texts], {"max_length": 50}, "truncation"),
        (lambda texts: [[1.0, sum(map(ord, text[:40])) % 97] for text in texts], {}, "truncation"),
        (lambda texts: np.random.default_rng().random((len(texts), 2)) + 0.1, {}, "the same texts again"),
    ],
    ids=["lengths", "read beyond the maximum", "cut without a word", "random"],
)
def test_a_probe_that_fails(
    rows: Any, facts: dict[str, Any], failing: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that does not do what it states fails that probe, with advice, and the command ends with 1."""
    made = lambda texts: np.array(rows(texts), dtype=np.float32)  # noqa: E731
    monkeypatch.setattr(models, "open_model", lambda spec, options: Fake(rows=made, **facts))
    answer = command("models", "check", "baseline/hashing", "--json")
    assert answer.status == 1
    probes = {probe["name"]: probe for probe in json.loads(answer.out)["probes"]}
    assert not probes[failing]["passed"]
    assert probes[failing]["advice"]
    assert "FAIL; " in command("doctor", "baseline/hashing").out
