"""What a user sets for a model is honoured, or refused in one sentence before anything is loaded; never ignored."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import cli, models
from harness.errors import ModelError
from harness.models.asked_settings import of_options, of_transforms, refusal, require_honoured
from harness.models.kinds import KINDS
from harness.models.kinds_without_files import BM25, CALLABLE, HASHING
from harness.models.model_kind import SETTINGS, ModelKind
from harness.types import PLAIN, EncodeOptions, ModelSpec, VectorTransform
from tests.nights import save_bag_of_words

OTHERS = {BM25: "baseline", HASHING: "baseline", CALLABLE: "python"}
RUNNABLE = [kind for kind in (*KINDS, *OTHERS) if kind.open is not None]
VALUES: dict[str, Any] = {
    "device": "cpu",
    "precision": "fp16",
    "batching": "mteb",
    "batch_tokens": 512,
    "max_length": 16,
    "store": "float16",
    "price": 0.02,
    "dims": "64",
    "quantize": "int8",
    "prompts": {"query": "q: "},
    "like": "intfloat/e5-small-v2",
}
VECTORS = {"dims", "quantize"}
HONOURED = {
    "cross-encoder": {"device", "precision", "batching", "store"},
    "sparse encoder": {"device", "precision", "batching", "store", "prompts", "like"},
    "multi-vector": {"device", "precision", "batching", "store", "prompts", "like"},
    "gguf": {"device", "max_length", "store", "prompts", "like"} | VECTORS,
    "onnx": SETTINGS - {"precision"},
    "openvino": SETTINGS - {"precision"},
    "static embeddings": SETTINGS - {"max_length"},
    "mteb's loader, vectors": {"device", "store", "batching"} | VECTORS,
    "mteb's loader, reranking": {"device", "store", "batching"},
    "mteb's loader, search": {"device", "store", "batching"},
    "OpenAI-compatible endpoint": {"batch_tokens", "store", "price", "prompts", "like"} | VECTORS,
    "hashing baseline": {"device", "batching"} | VECTORS,
    "BM25 baseline": {"device", "batching"},
    "Python callable": {"device"} | VECTORS,
}
"""Kind -> what it honours of `VALUES`; every kind that is not listed honours all but a price."""


def spec_of(kind: ModelKind) -> ModelSpec:
    origin: Any = OTHERS.get(kind, "endpoint" if "endpoint" in kind.name else "hub")
    name = "baseline/bm25" if kind is BM25 else "baseline/hashing" if kind is HASHING else "org/model"
    return ModelSpec(name=name, revision="1", location="", origin=origin, kind="" if kind in OTHERS else kind.name)


def test_the_table_of_values_has_every_setting() -> None:
    """No setting of a request is left out below, but for those that no model honours by itself: what is refused, and
    how vectors are searched.
    """
    assert VALUES.keys() == (
        {field.name for field in fields(EncodeOptions)} | set(VectorTransform._fields) | SETTINGS
    ) - {"strict", "afresh", "rescore"}


@pytest.mark.parametrize("setting", VALUES)
@pytest.mark.parametrize("kind", RUNNABLE, ids=lambda kind: kind.name)
def test_each_kind_and_each_setting(kind: ModelKind, setting: str) -> None:
    """A kind honours a setting, or the refusal names model, kind and option; it says so in one sentence."""
    usual = HONOURED["OpenAI-compatible endpoint"] if "endpoint" in kind.name else SETTINGS
    said = refusal(spec_of(kind), {setting: VALUES[setting]})
    if setting in HONOURED.get(kind.name, usual):
        assert said == ""
        return
    option = setting.replace("_", "-")
    shown = "" if setting == "prompts" else f" ({VALUES[setting]})"
    assert said == f'model {spec_of(kind).name}: kind "{kind.name}" takes no --{option}{shown}; leave it out'
    with pytest.raises(ModelError) as raised:
        require_honoured(spec_of(kind), {setting: VALUES[setting]})
    assert raised.value.kind == "request"


def test_values_that_say_what_is_true_anyway() -> None:
    """Beside a model that honours them, a baseline does not stand in the way of settings that are true of it."""
    asked = {"precision": "fp32", "store": "off", "batching": "mteb"}
    assert refusal(spec_of(HASHING), asked) == refusal(spec_of(BM25), asked) == ""
    assert "--store (float16)" in refusal(spec_of(HASHING), {"store": "float16"})
    assert "--precision (fp32)" in refusal(spec_of(CALLABLE), asked)


def test_what_is_asked() -> None:
    """Only what differs from the defaults counts as asked."""
    assert of_options(EncodeOptions()) == {}
    assert of_options(EncodeOptions(precision="fp16", batch_tokens=9)) == {"precision": "fp16", "batch_tokens": 9}
    transforms = (PLAIN, VectorTransform(64), VectorTransform(64, "int8"), VectorTransform(32))
    assert of_transforms(transforms) == {"dims": "64,32", "quantize": "int8"}
    assert of_transforms((PLAIN,)) == {}


def test_commands_and_python_refuse_before_anything_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the command line it is one sentence with exit status 2, also in a plan; from Python a `HarnessError`."""
    folder = str(save_bag_of_words(tmp_path / "static", dimensions=4, words=["a"]))
    for arguments, message in {
        (folder, "--max-length", "9"): 'model local/static: kind "static embeddings" takes no --max-length (9)',
        ("baseline/bm25", "--dims", "64,32"): 'model baseline/bm25: kind "BM25 baseline" takes no --dims (64,32)',
        ("baseline/hashing", "--prompts", '{"query": "q"}'): 'kind "hashing baseline" takes no --prompts;',
        ("openai:m@http://localhost:1", "--device", "cpu"): 'endpoint" takes no --device (cpu)',
        ("openai:m@http://localhost:1", "--trust-remote-code"): 'endpoint" takes no --trust-remote-code;',
        ("openai:m@http://localhost:1", "--allow-pickle"): 'endpoint" takes no --allow-pickle;',
        ("baseline/hashing", folder, "--precision", "fp16"): 'kind "hashing baseline" takes no --precision (fp16)',
    }.items():
        capsys.readouterr()
        assert cli.main(["run", *arguments, "--plan", "-t", "MiniSTSGerman", "--results", str(tmp_path)]) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        assert message in said.err
    with pytest.raises(harness.HarnessError, match='kind "Python callable" takes no --like'):
        harness.run(len, ["MiniSTSGerman"], results=tmp_path, like="intfloat/e5-small-v2")
    with pytest.raises(ModelError, match='kind "hashing baseline" takes no --max-length'):
        models.open_model(models.resolve("baseline/hashing"), EncodeOptions(max_length=9))
