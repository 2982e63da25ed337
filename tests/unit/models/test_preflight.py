"""What would go wrong with a model is said before anything is loaded, in one sentence with what to do."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import models
from harness.errors import HANDLING, ModelError
from harness.hub.model_lookup import ModelRepository
from harness.models.endpoint_names import is_endpoint
from harness.models.preflight import require_dimensions, require_room
from harness.types import EncodeOptions, Prompt, Searcher, VectorTransform
from tests import tiny

ST = "sentence_transformers.models"
BERT = {"model_type": "bert", "architectures": ["BertModel"], "max_position_embeddings": 512}


def saved(folder: Path, files: dict[str, Any]) -> str:
    """A plain BERT as a folder, with further files; None takes one away, and a string is written as it is."""
    usual = {"config.json": BERT, "tokenizer.json": {}, "model.safetensors": ""}
    for name, content in {**usual, **files}.items():
        if content is None:
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(folder)


DECLARED = {"config_sentence_transformers.json": {"model_type": "SentenceTransformer"}}
"""Says that it is a dense model, whatever its modules are."""
MESSAGES: dict[str, tuple[dict[str, Any], str]] = {
    "no weights": ({"model.safetensors": None}, "has no weights; expected model.safetensors"),
    "GGUF": (
        {"model.safetensors": None, "m-q4.gguf": "w"},
        "needs the package llama-cpp-python, which is not installed; run: pip install llama-cpp-python",
    ),
    "ONNX": (
        {"model.safetensors": None, "onnx/model.onnx": "w"},
        r"has weights as ONNX only \(onnx/model\.onnx\); expected model\.safetensors; run it with --backend onnx",
    ),
    "no tokenizer": ({"tokenizer.json": None}, r"has no tokenizer files; expected tokenizer\.json"),
    "no padding token": (
        {"tokenizer_config.json": {"tokenizer_class": "GPT2TokenizerFast"}},
        r"its tokenizer \(GPT2TokenizerFast\) has no padding token",
    ),
    "sentencepiece": (
        {"tokenizer.json": None, "sentencepiece.bpe.model": "m"},
        "needs the package sentencepiece, which is not installed; run: pip install sentencepiece",
    ),
    "an adapter": (
        {"adapter_config.json": {"base_model_name_or_path": "acme/base"}, "adapter_model.safetensors": "w"},
        "needs the package peft, which is not installed; run: pip install peft",
    ),
    "quantization": (
        {"config.json": {**BERT, "quantization_config": {"quant_method": "bitsandbytes"}}},
        "needs the packages bitsandbytes, accelerate, which are not installed",
    ),
    "a module of its own": (
        {"modules.json": [{"path": "", "type": "canary.Pooling"}]},
        r"its modules\.json names code of its own, type: canary\.Pooling\); it runs only with --trust-remote-code",
    ),
    "a module that is called like a package": (
        {"modules.json": [{"path": "", "type": "pylate.Canary"}], **DECLARED},
        r"its modules\.json names code of its own, type: pylate\.Canary\)",
    ),
    "a module of another repository": (
        {"modules.json": [{"path": "", "type": "pylate.models.x--canary.Canary"}], **DECLARED},
        r"code of its own, type: pylate\.models\.x--canary\.Canary\)",
    ),
    "a module that only begins like ours": (
        {"modules.json": [{"path": "", "type": "sentence_transformers.models--canary.Canary"}]},
        r"code of its own, type: sentence_transformers\.models--canary\.Canary\)",
    ),
    "a module in a router": (
        {
            "modules.json": [{"path": "", "type": f"{ST}.Router"}],
            "router_config.json": {"types": {"query_0": "canary.Query"}, "structure": {}},
        },
        r"code of its own, type: canary\.Query",
    ),
    "an activation of its own": (
        {
            "modules.json": [{"path": "", "type": f"{ST}.Transformer"}, {"path": "1", "type": f"{ST}.Dense"}],
            "1/config.json": {"activation_function": "canary.Activation"},
        },
        r"its 1/config\.json names code of its own, activation_function: canary\.Activation",
    ),
    "a tokenizer of words": (
        {
            "modules.json": [{"path": "0", "type": f"{ST}.WordEmbeddings"}],
            "0/wordembedding_config.json": {"tokenizer_class": "canary.Tokenizer"},
        },
        r"tokenizer_class: canary\.Tokenizer",
    ),
    "another architecture": (
        {"config.json": {**BERT, "auto_map": {"AutoModel": "canary.Model"}}},
        r"AutoModel: canary\.Model, without which transformers' own bert would be computed\); it runs only with",
    ),
    "a default prompt that is no prompt": (
        {"config_sentence_transformers.json": {"prompts": {"sts": "s: "}, "default_prompt_name": "stsx"}},
        "names 'stsx' as default_prompt_name, and its prompts are query, document, sts; name one of them",
    ),
    "another tokenizer": (
        {"tokenizer_config.json": {"auto_map": {"AutoTokenizer": ["canary.Tokenizer", None]}}},
        r"its tokenizer_config\.json names code of its own, AutoTokenizer: canary\.Tokenizer",
    ),
}


@pytest.mark.parametrize(("files", "message"), MESSAGES.values(), ids=MESSAGES.keys())
def test_messages(files: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each defect is told of by name; the code that lies in the folder has not run, not even where it can be found."""
    find_spec = models.resolve.__globals__["importlib"].util.find_spec
    absent = {"peft", "sentencepiece", "bitsandbytes", "accelerate", "llama_cpp"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name in absent else find_spec(name))
    mark = tmp_path / "ran"
    canary = f"open({str(mark)!r}, 'w')"
    folder = saved(tmp_path / "m", {**files, "canary.py": canary, "pylate.py": canary})
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(ModelError, match=f"^model .*/m: .*{message}"):
        models.resolve(folder)
    assert not mark.exists()
    assert "canary" not in sys.modules


def test_canaries_run_with_the_flag(tmp_path: Path) -> None:
    """What the flag allows is the code of the folder: the canary of the tests above runs, so that they can fail."""
    mark = tmp_path / "ran"
    modules = [{"path": "", "type": "canary.Pooling"}]
    canary = f"open({str(mark)!r}, 'w')\nclass Pooling: pass"
    spec = models.resolve(saved(tmp_path / "m", {"modules.json": modules, "canary.py": canary}), trust_remote_code=True)
    with pytest.raises(ModelError, match="cannot be loaded"):
        models.open_model(spec, EncodeOptions(device="cpu"))
    assert mark.exists()


DENSE = [{"path": "", "type": f"{ST}.Transformer"}, {"path": "1", "type": f"{ST}.Dense"}]


@pytest.mark.parametrize(
    ("files", "pickle"),
    [
        ({"model.safetensors": None, "pytorch_model.bin": "p"}, "pytorch_model.bin"),
        ({"model.safetensors": None, "pytorch_model.bin": "p", "onnx/m.safetensors": "w"}, "pytorch_model.bin"),
        ({"modules.json": DENSE, "1/config.json": {}, "1/pytorch_model.bin": "p"}, "1/pytorch_model.bin"),
        (
            {
                "model.safetensors": None,
                "model.safetensors.index.json": {"weight_map": {"a": "a.safetensors", "b": "b.bin"}},
                "a.safetensors": "w",
                "b.bin": "p",
            },
            "b.bin",
        ),
        (
            {
                "modules.json": DENSE[:1],
                "sentence_bert_config.json": {"model_kwargs": {"use_safetensors": False}},
                "pytorch_model.bin": "p",
            },
            "pytorch_model.bin",
        ),
        ({"model.safetensors": None, "pytorch_model.bin.index.json": {"weight_map": {"a": "x.bin"}}}, "x.bin"),
    ],
)
def test_a_pickle_that_would_be_loaded(files: dict[str, Any], pickle: str, tmp_path: Path) -> None:
    """Safetensors elsewhere open no door: each file of weights that would be loaded is looked at."""
    folder = saved(tmp_path / "m", files)
    with pytest.raises(ModelError, match=rf"its weights are pickles \({pickle}\).*--allow-pickle"):
        models.resolve(folder)
    assert models.resolve(folder, allow_pickle=True).origin == "folder"


@pytest.mark.parametrize(
    "files",
    [
        {"pytorch_model.bin": "p", "training_args.bin": "p"},
        {"modules.json": DENSE, "1/config.json": {}, "1/model.safetensors": "w", "1/pytorch_model.bin": "p"},
        {"other/pytorch_model.bin": "p", "optimizer.pt": "p"},
        {"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}},
        {
            "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"},
            "tokenizer.json": {"padding": {"pad_token": "[PAD]"}},
        },
        {"config.json": {**BERT, "auto_map": {"AutoModelForCausalLM": "canary.Model"}}},
    ],
)
def test_models_that_are_fine(files: dict[str, Any], tmp_path: Path) -> None:
    """What nobody loads, and a padding token that stands in any of its places, is no reason to refuse."""
    assert models.resolve(saved(tmp_path / "m", files)).kind


def test_packages_of_its_own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trusted code that imports what is not installed is told before it runs, also where one of its files imports it;
    an import inside `try` is optional.
    """
    files = {
        "config.json": {**BERT, "auto_map": {"AutoModel": "modeling_own.Model"}},
        "modeling_own.py": "from .parts import Part\ntry:\n    import no_such_extra\nexcept ImportError: 0\n",
        "parts.py": "from no_such_package.layers import Layer\nimport os\n",
    }
    folder = saved(tmp_path / "m", files)
    with pytest.raises(ModelError, match="needs the package no_such_package, which is not installed; run: pip install"):
        models.resolve(folder, trust_remote_code=True)
    assert models.resolve(folder, trust_remote_code=True, runnable=False).trust_remote_code


@pytest.mark.parametrize(
    ("config", "stated", "room"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, 513, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514}, 514, 512),
        ({"model_type": "mpnet", "max_position_embeddings": 514}, 513, 512),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514}, None, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514}, 512, None),
        ({"model_type": "modernbert", "max_position_embeddings": 512}, 900, None),
        ({"model_type": "bert", "max_position_embeddings": 512, "auto_map": {}}, 900, None),
    ],
)
def test_room_for_the_maximum_length(
    config: dict[str, Any], stated: int | None, room: int | None, tmp_path: Path
) -> None:
    """A maximum length beyond the table of positions is refused, the positions that stand for no token counted; a
    shorter one that the user names is fine, and a longer one is not.
    """
    beside = {} if stated is None else {"sentence_bert_config.json": {"max_seq_length": stated}}
    files = {"config.json": config, "modules.json": DENSE[:1], "tokenizer_config.json": {"model_max_length": 10**30}}
    spec = models.resolve(saved(tmp_path / "m", {**files, **beside}))
    if room is None:
        require_room(spec, EncodeOptions())
        return
    with pytest.raises(
        ModelError, match=f"more than the {room} that it has positions for; run it with --max-length {room}"
    ):
        require_room(spec, EncodeOptions())
    require_room(spec, EncodeOptions(max_length=room))
    with pytest.raises(ModelError, match=f"--max-length {room + 1} is more than the {room} tokens"):
        require_room(spec, EncodeOptions(max_length=room + 1))


def test_room_for_the_text(tmp_path: Path) -> None:
    """A maximum length that leaves no token of a text beside the special ones is refused, from a plan and from Python,
    for a text and for a pair; the least length that leaves a token is not, and it gives each text a vector of its own.
    """
    dense = models.resolve(str(tiny.save_transformer(tmp_path / "m")))
    for length in (1, 2):
        for refuse in (require_room, models.open_model):
            with pytest.raises(
                ModelError, match=rf"--max-length {length} leaves no token .*\(2\); expected 3 or more$"
            ):
                refuse(dense, EncodeOptions(max_length=length, device="cpu"))
    pairs = models.resolve(str(tiny.save_cross_encoder(tmp_path / "pairs")))
    with pytest.raises(ModelError, match=r"its maximum length of 4 leaves .*\(3\); expected 5 or more$"):
        require_room(replace(pairs, max_length=4), EncodeOptions())
    require_room(replace(pairs, max_length=5), EncodeOptions())
    encoder = models.open_model(dense, EncodeOptions(max_length=3, device="cpu"))
    assert not isinstance(encoder, Searcher)
    (encoded,) = encoder.encode([["ab", "ba", "ac"]], prompt=Prompt(None, None), role=None)
    assert encoded.truncated is not None
    assert encoded.truncated.all()
    assert np.allclose(encoded.vectors[0], encoded.vectors[2], atol=1e-6)
    assert not np.allclose(encoded.vectors[0], encoded.vectors[1], atol=1e-2)


def test_weights_that_cannot_be_read(tmp_path: Path) -> None:
    """An empty or incomplete file of weights is told in one sentence, with what to do."""
    folder = tiny.save_sentence_transformer(tmp_path / "m")
    whole = (folder / "model.safetensors").read_bytes()
    for content in (b"", whole[:100], whole[:-100]):
        (folder / "model.safetensors").write_bytes(content)
        spec = models.resolve(str(folder))
        with pytest.raises(ModelError, match=r"its weights \(model\.safetensors\) cannot be read .*; fetch or save"):
            models.open_model(spec, EncodeOptions(device="cpu"))


POOLED = [*DENSE[:1], {"path": "1", "type": f"{ST}.Pooling"}]
MANY_MODES = {"word_embedding_dimension": 32, "pooling_mode_cls_token": True, "pooling_mode_max_tokens": True}


@pytest.mark.parametrize(
    ("files", "dimensions"),
    [
        ({"config.json": {**BERT, "hidden_size": 48}}, 48),
        ({"modules.json": POOLED, "1/config.json": {"embedding_dimension": 32, "pooling_mode": "mean"}}, 32),
        ({"modules.json": POOLED, "1/config.json": MANY_MODES}, 64),
        ({"modules.json": DENSE, "1/config.json": {"out_features": 16}, "1/model.safetensors": "w"}, 16),
        ({"config.json": {**BERT, "hidden_size": 48}, "config_sentence_transformers.json": {"truncate_dim": 8}}, 8),
        ({"config.json": {**BERT, "model_type": "new", "hidden_size": 48}}, None),
    ],
)
def test_more_dimensions_than_there_are(files: dict[str, Any], dimensions: int | None, tmp_path: Path) -> None:
    """Keeping more dimensions than the files of a model name is refused, all of them are fine, and so is any number
    where the files do not say.
    """
    spec = models.resolve(saved(tmp_path / "m", files))
    require_dimensions(spec, [VectorTransform(), VectorTransform(dims=dimensions or 9999)])
    if dimensions is not None:
        with pytest.raises(ModelError, match=f"--dims {dimensions + 1}: its vectors have {dimensions} dimensions"):
            require_dimensions(spec, [VectorTransform(dims=dimensions + 1)])


def test_packages_of_code_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trusted code of another repository tells its packages too, before it runs, as nomic's models import."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "modeling_other.py").write_text("from einops import rearrange\nfrom .parts import Part\n")
    (elsewhere / "parts.py").write_text("import no_such_package\n")
    asked: list[tuple[str, str]] = []

    def fetch(name: str, files: list[str], *, commit: str) -> Path:
        asked.extend((name, file) for file in files)
        return elsewhere

    monkeypatch.setattr("harness.models.preflight.fetch_files", fetch)
    monkeypatch.setattr("harness.models.preflight.find_model", lambda name: ModelRepository("c" * 40, ()))
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == "einops" else find_spec(name, *rest)
    )
    config = {**BERT, "auto_map": {"AutoModel": "acme/code--modeling_other.Model"}}
    with pytest.raises(
        ModelError,
        match=r"^model .*/m: needs the packages einops, no_such_package, which are not installed; run: pip install "
        r"einops no_such_package$",
    ):
        models.resolve(saved(tmp_path / "m", {"config.json": config}), trust_remote_code=True)
    assert asked == [("acme/code", "modeling_other.py"), ("acme/code", "parts.py")]


def test_a_package_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A multi-vector model, as pylate saves it, needs sentence-transformers 6, which is said before it is opened."""
    folder = saved(tmp_path / "m", {"modules.json": [{"path": "", "type": "pylate.models.Transformer"}]})
    version = importlib.metadata.version
    monkeypatch.setattr(
        "importlib.metadata.version", lambda name: "5.9.1" if name == "sentence-transformers" else version(name)
    )
    with pytest.raises(ModelError, match=r"run: pip install 'sentence-transformers>=6'$"):
        models.resolve(folder)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "6.0.0")
    assert models.resolve(folder).kind == "multi-vector"


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("text-embedding-3-small", "openai:text-embedding-3-small"),
        ("openai/text-embedding-3-large", "openai:text-embedding-3-large"),
        ("openai/text-embedding-3-small (embed_dim=512)", "openai:text-embedding-3-small#512"),
        ("voyage-4-lite", "voyage:voyage-4-lite"),
        ("mongodb/voyage-3", "voyage:voyage-3"),
        ("embed-english-v3.0", "cohere:embed-english-v3.0"),
        ("Cohere/Cohere-embed-multilingual-light-v3.0", "cohere:embed-multilingual-light-v3.0"),
        ("embed-v4.0", "cohere:embed-v4.0"),
        ("gemini-embedding-001", "google:gemini-embedding-001"),
        ("google/gemini-embedding-001", "google:gemini-embedding-001"),
    ],
)
def test_names_of_apis(name: str, endpoint: str) -> None:
    """The name of a model that an API serves, alone or as mteb lists it, is answered with the name that asks that API;
    the hub is not asked.
    """
    with pytest.raises(ModelError, match=f"^model {re.escape(name)}: .*ask it as {re.escape(endpoint)}$"):
        models.resolve(name)
    assert is_endpoint(endpoint)


def gated(*_: Any, **__: Any) -> Any:
    from huggingface_hub.errors import GatedRepoError

    response: Any = types.SimpleNamespace(headers={}, request=None, status_code=403)
    raise GatedRepoError("gated", response=response)


@pytest.mark.parametrize("where", ["model_info", "hf_hub_download"])
def test_a_gated_model(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the hub refuses the list of files or the first settings file: its terms and a token are named, once."""
    import huggingface_hub

    info = huggingface_hub.ModelInfo(id="acme/gated", sha="c" * 40, siblings=[{"rfilename": "config.json"}])
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", gated if where == "model_info" else lambda *_, **__: info)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", gated)
    with pytest.raises(
        ModelError,
        match=r"^model acme/gated: access is gated; accept its terms on the hub and set HF_TOKEN to a token with",
    ) as raised:
        models.resolve("acme/gated")
    assert HANDLING[raised.value.kind].exit_status == 2
