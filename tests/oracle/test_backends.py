"""Files that other backends run get the scores of the same weights in torch; each test needs the package of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness
from harness import cli
from harness.models import open_model, resolve
from harness.runner import probe_texts
from harness.types import EncodeOptions
from tests.encoders import one_block
from tests.tiny import MAX_LENGTH, save_sentence_transformer

TASKS = ("MiniSTSGerman", "MiniIntentsGerman", "MiniAnswersGerman")


def with_graph(folder: Path) -> Path:
    """A model whose transformer lies beside it as ONNX, and nowhere else."""
    import torch
    from sentence_transformers import SentenceTransformer

    transformer = SentenceTransformer(str(folder), device="cpu")[0].auto_model
    transformer.set_attn_implementation("eager")

    class States(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            outputs = self.transformer(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
            return outputs.last_hidden_state

    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    (folder / "onnx").mkdir()
    torch.onnx.export(
        States(),
        tuple(torch.ones((2, 5), dtype=torch.int64) for _ in inputs),
        str(folder / "onnx" / "model.onnx"),
        input_names=inputs,
        output_names=["last_hidden_state"],
        dynamic_axes={name: {0: "texts", 1: "tokens"} for name in (*inputs, "last_hidden_state")},
        dynamo=False,
    )
    return folder


def measured(model: Path, tmp_path: Path, **options: Any) -> list[Any]:
    return harness.run(str(model), TASKS, device="cpu", results=tmp_path / "results", store="off", **options)


def main_scores(records: list[Any]) -> list[float]:
    return [record.scores["test"][0]["main_score"] for record in records]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_sentence_transformer(tmp_path / "m", prompts={"query": "query: "})


def test_onnx(model: Path, tmp_path: Path) -> None:
    """ONNX Runtime gives torch's scores to 1e-5, alone in the repository too; an int8 file gives others, under a name
    and a digest of its own.
    """
    pytest.importorskip("onnx", reason="exporting needs the package onnx")
    pytest.importorskip("onnxruntime", reason="the backend onnx needs the package onnxruntime")
    from onnxruntime.quantization import QuantType, quantize_dynamic

    of_torch = main_scores(measured(model, tmp_path))
    file = with_graph(model) / "onnx" / "model.onnx"
    (model / "model.safetensors").unlink()
    quantize_dynamic(str(file), str(file.with_name("int8.onnx")), weight_type=QuantType.QInt8)
    plain, int8 = (
        measured(model, tmp_path, backend="onnx"),
        measured(model, tmp_path, backend="onnx", backend_file="onnx/int8.onnx"),
    )
    assert main_scores(plain) == pytest.approx(of_torch, abs=1e-5)
    assert main_scores(int8) != pytest.approx(of_torch, abs=1e-5)
    assert [record.variant for record in (plain[0], int8[0])] == [
        "backend=onnx, file=onnx__model.onnx",
        "backend=onnx, file=onnx__int8.onnx",
    ]
    used = int8[0].harness["encoder"]
    assert (used["kind"], used["backend"], used["precision"]) == ("onnx", "onnxruntime", "as stored")
    assert list(used["weights"]) == ["onnx/int8.onnx"]


def test_doctor_takes_a_file_of_another_backend(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`doctor --with backend=onnx` compares torch with the file beside it; `models check` probes such a file."""
    pytest.importorskip("onnx", reason="exporting needs the package onnx")
    pytest.importorskip("onnxruntime", reason="the backend onnx needs the package onnxruntime")
    with_graph(model)
    tasks = [harness.get_task(name) for name in TASKS]
    monkeypatch.setattr(probe_texts, "mini_suite", lambda: tasks)
    capsys.readouterr()
    for arguments in (["--with", "backend=onnx"], ["--backend", "onnx", "--with", "backend=torch"]):
        assert cli.main(["doctor", str(model), *arguments, "--device", "cpu", "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert {answer["model"]["precision"], answer["other"]["precision"]} == {"fp32", "as stored"}
        assert answer["cosine"]["least"] > 0.99999
    assert cli.main(["models", "check", str(model), "--backend", "onnx", "--device", "cpu"]) == 0
    assert 'kind "onnx" takes no --precision: pass' in capsys.readouterr().out


def test_openvino(model: Path, tmp_path: Path) -> None:
    """OpenVINO gives torch's scores to 1e-5, in full precision on a CPU that would compute in half of it."""
    pytest.importorskip("onnx", reason="exporting needs the package onnx")
    openvino = pytest.importorskip("openvino", reason="the backend openvino needs the package openvino")
    of_torch = main_scores(measured(model, tmp_path))
    graph = openvino.convert_model(str(with_graph(model) / "onnx" / "model.onnx"))
    openvino.save_model(graph, str(model / "openvino" / "openvino_model.xml"), compress_to_fp16=False)
    found = measured(model, tmp_path, backend="openvino")
    assert main_scores(found) == pytest.approx(of_torch, abs=1e-5)
    assert set(found[0].harness["encoder"]["weights"]) == {
        "openvino/openvino_model.xml",
        "openvino/openvino_model.bin",
    }


def as_gguf(source: Path, file: Path) -> Path:
    """The BERT of a saved model as llama.cpp's converter writes it."""
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((source / "config.json").read_text())
    vocabulary = json.loads((source / "tokenizer.json").read_text())["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    special = [token.startswith("[") and len(token) > 1 for token in tokens]
    file.parent.mkdir()
    writer = gguf.GGUFWriter(str(file), "bert")
    writer.add_context_length(MAX_LENGTH)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_tokenizer_model("bert")
    writer.add_token_list(
        [token if by_itself else token.removeprefix("##") if token.startswith("##") else f"\u2581{token}"
         for token, by_itself in zip(tokens, special, strict=True)]
    )  # fmt: skip
    writer.add_token_types([3 if by_itself else 1 for by_itself in special])
    writer.add_token_type_count(2)
    for place, name in enumerate(("pad", "unk", "bos", "sep", "mask")):
        getattr(writer, f"add_{name}_token_id")(place)
    writer.add_eos_token_id(3)
    names = {
        "embeddings.word_embeddings": "token_embd",
        "embeddings.position_embeddings": "position_embd",
        "embeddings.token_type_embeddings": "token_types",
        "embeddings.LayerNorm": "token_embd_norm",
    }
    for layer in range(config["num_hidden_layers"]):
        for name, short in (
            ("attention.self.query", "attn_q"),
            ("attention.self.key", "attn_k"),
            ("attention.self.value", "attn_v"),
            ("attention.output.dense", "attn_output"),
            ("attention.output.LayerNorm", "attn_output_norm"),
            ("intermediate.dense", "ffn_up"),
            ("output.dense", "ffn_down"),
            ("output.LayerNorm", "layer_output_norm"),
        ):
            names[f"encoder.layer.{layer}.{name}"] = f"blk.{layer}.{short}"
    for name, tensor in load_file(source / "model.safetensors").items():
        stem, _, end = name.rpartition(".")
        if stem in names:
            writer.add_tensor(f"{names[stem]}.{end}", np.ascontiguousarray(tensor, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file.parent


def test_gguf(tmp_path: Path) -> None:
    """llama.cpp gives a text the direction that torch gives it, cut texts too, and the same number of tokens;
    pooling is read from the file, and the record holds its digest.

    Its GELU is a table in half precision, so that vectors of unit length differ by some 1e-4.
    """
    pytest.importorskip("gguf", reason="writing a file needs the package gguf")
    pytest.importorskip("llama_cpp", reason="GGUF files need the package llama-cpp-python")
    folder = save_sentence_transformer(tmp_path / "m")
    file = as_gguf(folder, tmp_path / "q" / "tiny-f32.gguf")
    texts = [f"{word} {number}" for number, word in enumerate(["one", "short", "text", "of", "words"])]
    texts.append("a text of many words " * 9)
    encoders = [open_model(resolve(str(path)), EncodeOptions(device="cpu")) for path in (folder, file)]
    of_torch, of_file = (one_block(encoder, texts) for encoder in encoders)  # type: ignore[arg-type]
    rows = of_torch.vectors / np.linalg.norm(of_torch.vectors, axis=1, keepdims=True)
    assert np.abs(rows - of_file.vectors).max() < 1e-3
    assert of_file.tokens is not None
    assert of_file.tokens.tolist() == of_torch.tokens.tolist()  # type: ignore[union-attr]
    assert of_file.truncated.tolist() == [False] * 5 + [True]  # type: ignore[union-attr]
    facts = encoders[1].facts
    assert (facts.pooling, facts.max_length, list(facts.weights or ())) == ("mean", MAX_LENGTH, ["tiny-f32.gguf"])
    for encoder in encoders:
        encoder.close()
