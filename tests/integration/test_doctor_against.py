"""`harness doctor MODEL --against OTHER`: what makes two models differ is told from the vectors alone."""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.models import preflight
from harness.runner import probe_texts
from harness.tasks import registry
from tests.tiny import save_sentence_transformer

Command = Callable[..., Any]
PROMPTS = {"query": "query: ", "document": "passage: "}


@pytest.fixture(autouse=True)
def small_suite(tasks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task of pairs and one of retrieval, of a few texts each, stand for the suite mini."""
    tasks.write("Pairs")
    tasks.write("Search", "Retrieval")
    names = registry.get_tasks([tasks.path])
    monkeypatch.setattr(probe_texts, "mini_suite", lambda: [names.get("Pairs"), names.get("Search")])


@pytest.fixture(scope="module", autouse=True)
def little_garbage() -> Iterator[None]:
    """Closing a model looks for garbage among all objects; those of imported libraries need not be looked at."""
    import sentence_transformers  # noqa: F401

    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with prompts and vectors of unit length."""
    folder = tmp_path_factory.mktemp("models") / "base"
    return save_sentence_transformer(folder, normalize=True, prompts=PROMPTS, hidden_size=64, intermediate_size=128)


@pytest.fixture
def other(base: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(base, tmp_path / "other"))


def change(file: Path, **content: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | content))


def other_pooling(folder: Path) -> None:
    change(folder / "1_Pooling" / "config.json", pooling_mode="cls")


def no_prompts(folder: Path) -> None:
    change(folder / "config_sentence_transformers.json", prompts={"query": "", "document": ""})


def prompt_of_others(folder: Path) -> None:
    change(folder / "config_sentence_transformers.json", prompts={"query": "search_query: ", "document": "passage: "})


def cut(folder: Path) -> None:
    change(folder / "sentence_bert_config.json", max_seq_length=32)


def not_normalized(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps(modules[:2]))


def fewer_dimensions(folder: Path) -> None:
    change(folder / "config_sentence_transformers.json", truncate_dim=16)


def quantized(folder: Path, *, by_row: bool = True) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    for name, tensor in weights.items():
        if tensor.ndim == 2 and "embeddings" not in name:
            step = (tensor.abs().amax(1, keepdim=True) if by_row else tensor.abs().max()) / 127
            weights[name] = (tensor / step).round().clamp(-127, 127) * step
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def quantized_as_a_whole(folder: Path) -> None:
    quantized(folder, by_row=False)


def other_weights(folder: Path) -> None:
    change(folder / "config.json", layer_norm_eps=0.5)


def unchanged(folder: Path) -> None:
    return


def compared(command: Command, *arguments: object) -> tuple[int, dict[str, Any]]:
    answer = command("doctor", *map(str, arguments), "--device", "cpu", "--format", "json")
    assert answer.status in (0, 1), answer.err
    return answer.status, json.loads(answer.out)


@pytest.mark.parametrize(
    ("alter", "status", "cause", "what"),
    [
        (unchanged, 0, "none", "an exact copy"),
        (other_pooling, 1, "pooling", "OTHER being MODEL with cls pooling"),
        (no_prompts, 1, "prompt", "OTHER being MODEL with no prompt"),
        (prompt_of_others, 1, "prompt", "'search_query: ' before a query"),
        (cut, 1, "truncation", "OTHER being MODEL with texts cut at 32 tokens"),
        (quantized, 1, "int8 weights", "OTHER being MODEL with weights rounded to int8"),
        (not_normalized, 1, "normalization", "the same directions and other lengths"),
        (fewer_dimensions, 1, "dimensions", "the first 16 of the longer ones"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_cause_of_a_difference(
    alter: Callable[[Path], None], status: int, cause: str, what: str, command: Command, base: Path, other: Path
) -> None:
    """A copy is told from a model with other pooling, another prompt, int8 weights, cut input, other lengths and fewer
    dimensions: the cause is tried on the model and reproduces the other.
    """
    alter(other)
    ended, answer = compared(command, base, "--against", other)
    assert (ended, answer["cause"], answer["reproduced"]) == (status, cause, True)
    assert what in answer["consistent_with"]
    assert answer["same"] == (status == 0)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_of_the_same_model(precision: str, command: Command, base: Path) -> None:
    """`--with` alone compares a model with itself under a setting; half precision is told by its name, and the
    threshold that decides whether it is the same.
    """
    status, answer = compared(command, base, "--with", f"precision={precision}", "--least-cosine", "0.9")
    assert (status, answer["cause"], answer["reproduced"]) == (0, "precision", True)
    assert answer["consistent_with"] == f"OTHER being MODEL in {precision}"
    assert answer["other"]["precision"] == precision
    assert 0.9 < answer["cosine"]["least"] < answer["cosine"]["mean"] < 1
    assert answer["cosine"]["least"] < 0.9999999
    strict = command("doctor", str(base), "--with", f"precision={precision}", "--device", "cpu", "--least-cosine", "1")
    assert strict.status == 1
    assert "Verdict: different." in strict.out


@pytest.mark.parametrize(
    ("alter", "cause", "what"),
    [
        (other_pooling, "pooling", "OTHER being MODEL with mean pooling"),
        (cut, "truncation", "MODEL being OTHER with texts cut at 32 tokens"),
        (quantized, "int8 weights", "MODEL being OTHER with weights rounded to int8"),
    ],
)
def test_the_model_may_be_the_one_that_was_changed(
    alter: Callable[[Path], None], cause: str, what: str, command: Command, base: Path, other: Path
) -> None:
    """What was lost in MODEL cannot be tried on it, and is tried on OTHER."""
    alter(other)
    _, answer = compared(command, other, "--against", base)
    assert (answer["cause"], answer["consistent_with"], answer["reproduced"]) == (cause, what, True)


def test_int8_of_another_engine(command: Command, base: Path, other: Path) -> None:
    """Rounding that is not ours cannot be reproduced, and is told by its size; it is said that it is not reproduced."""
    quantized_as_a_whole(other)
    _, answer = compared(command, base, "--against", other)
    assert (answer["cause"], answer["reproduced"]) == ("int8 weights", False)


def test_other_weights_are_no_known_cause(command: Command, base: Path, other: Path) -> None:
    """A model with another forward pass is not given a cause that does not make it the other one."""
    other_weights(other)
    status, answer = compared(command, base, "--against", other)
    assert (status, answer["cause"], answer["reproduced"]) == (1, "unknown", False)
    assert all(trial["remaining"] > 0.1 for trial in answer["tried"])


def test_a_text_that_is_cut_moves_only_long_texts(command: Command, base: Path, other: Path) -> None:
    """The text says where the models differ: the setting, the lengths, the worst texts."""
    cut(other)
    answer = command("doctor", str(base), "--against", str(other), "--device", "cpu", "--worst", "2")
    assert "max length: 64 and 32" in answer.out
    assert answer.out.count("texts of growing length, document: ") == 2
    assert "Consistent with OTHER being MODEL with texts cut at 32 tokens, which reproduces it." in answer.out


def test_the_scores_are_those_of_a_run(command: Command, base: Path, other: Path, tasks: Any, tmp_path: Path) -> None:
    """The difference of a score is that of two runs, with an interval that holds it."""
    import harness

    other_pooling(other)
    _, answer = compared(command, base, "--against", other)
    for scores in answer["scores"]:
        ran = [
            harness.run(str(folder), scores["task"], tasks_dirs=[tasks.path], results=tmp_path / name, device="cpu")
            for name, folder in (("a", base), ("b", other))
        ]
        main = [next(iter(record.parts.values()))["main_score"] for (record,) in ran]
        assert [scores["model"], scores["other"]] == pytest.approx(main, abs=1e-6)
        assert scores["difference"] == pytest.approx(main[1] - main[0], abs=1e-6)
        assert scores["interval"][0] <= scores["difference"] <= scores["interval"][1]


def test_requests_that_make_no_sense(command: Command, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown settings and values, models without vectors and no model at all end with 2 and say what to do."""
    monkeypatch.setattr(preflight, "_is_installed", lambda module, package: True)
    for arguments, message in (
        (["--with", "precison=bf16"], "did you mean precision"),
        (["--with", "precision=int4"], "expected auto, checkpoint, fp32, fp16, bf16"),
        (["--with", "max-length=none"], "expected a whole number above 0"),
        (["--with", "precision"], "expected KEY=VALUE"),
        (["--with", "dims=16"], "use harness run MODEL --dims 16"),
        (["--with", "quantize=int8"], "use harness run MODEL --quantize int8"),
        (["--with", "backend=tensorrt"], "expected torch, onnx, openvino, gguf"),
        (["--with", "backend=onnx"], "export the model first"),
        (["--backend", "onnx", "--with", "backend=torch"], "export the model first"),
        (["--with", "backend-file=x.onnx"], "belongs to --backend onnx, openvino or gguf"),
        (["--against", "./none"], "no such folder"),
        (["--against", "baseline/bm25"], "has no vectors"),
    ):
        answer = command("doctor", str(base), *arguments)
        assert answer.status == 2, arguments
        assert message in answer.err
    assert command("doctor", "--against", str(base)).status == 2


def test_texts_cannot_write_on_the_terminal_and_nothing_is_kept(
    command: Command, base: Path, other: Path, tasks: Any, tmp_path: Path
) -> None:
    """The worst texts are shown without their control characters; no vector is cached and no record written."""
    rows = [
        {"sentence1": f"\x1b[31m{letter * 3}", "sentence2": letter * 2, "score": score}
        for score, letter in enumerate("abcd")
    ]
    tasks.write("Pairs", files={"test.jsonl": rows})
    other_pooling(other)
    answer = command("doctor", str(base), "--against", str(other), "--device", "cpu", "--worst", "100")
    assert "[31maaa" in answer.out
    assert "\x1b" not in answer.out
    assert not list((tmp_path / "cache").rglob("*.safetensors"))
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("cosine", ["2", "-0.1", "nan"])
def test_a_cosine_that_there_is_not(cosine: str, command: Command, base: Path) -> None:
    """A least cosine outside 0 to 1 is refused before a model is opened."""
    answer = command("doctor", str(base), "--against", str(base), f"--least-cosine={cosine}")
    assert answer.status == 2
    assert "expected a number from 0 to 1" in answer.err


def test_a_copy_is_the_same_at_the_cosine_1(command: Command, base: Path) -> None:
    """An exact copy is the same, whatever the rounding of its cosines."""
    status, answer = compared(command, base, "--against", base, "--least-cosine", "1")
    assert (status, answer["cause"], answer["same"]) == (0, "none", True)


def test_a_cut_that_all_texts_exceed(command: Command, base: Path) -> None:
    """Where hardly a text fits the shorter of two stated lengths, the models are compared after cutting."""
    status, answer = compared(command, base, "--with", "max-length=6")
    assert (status, answer["cause"], answer["reproduced"]) == (1, "truncation", True)
    assert answer["consistent_with"] == "OTHER being MODEL with texts cut at 6 tokens"


def test_no_interval_where_nothing_varies(
    command: Command, base: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items that all differ by the same have no interval, instead of one without width around the difference."""
    from dataclasses import replace

    from harness.evaluators import items
    from harness.runner import model_pair
    from harness.runner.measurement import score

    def constant(encoded: Any) -> Any:
        measured = score(encoded)
        values = [float(measured.scores[encoded.task.main_metric])] * 10
        return replace(measured, items=items.values(values, metric="v_measure", unit="experiment"))

    monkeypatch.setattr(model_pair, "score", constant)
    other_pooling(other)
    _, answer = compared(command, base, "--against", other)
    assert any(row["difference"] for row in answer["scores"])
    assert all(row["interval"] is None and row["p"] is None for row in answer["scores"] if row["difference"])
