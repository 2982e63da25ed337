"""Which saved models are run by our own code: two shapes exactly, and nothing that deviates from them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.models import saved_modules

Files = dict[str, Any]

BERT: Files = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ],
    "config_sentence_transformers.json": {"prompts": {}, "default_prompt_name": None, "similarity_fn_name": "cosine"},
    "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
    "config.json": {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "hidden_act": "gelu",
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
        "position_embedding_type": "absolute",
        "is_decoder": False,
    },
    "1_Pooling/config.json": {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True},
}
STATIC: Files = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "0_StaticEmbedding", "type": "sentence_transformers.models.StaticEmbedding"}
    ]
}
NORMALIZE = {"idx": 1, "name": "1", "path": "1_Normalize", "type": "sentence_transformers.models.Normalize"}
SETTINGS, LENGTHS, POOLING = "config_sentence_transformers.json", "sentence_bert_config.json", "1_Pooling/config.json"


def write(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder


def changed(change: Callable[[Files], Any], files: Files = BERT) -> Files:
    own = copy.deepcopy(files)
    change(own)
    return own


def with_(file: str, **values: Any) -> Callable[[Files], Any]:
    """Set values in one of the JSON files."""
    return lambda files: files.update({file: {**files.get(file, {}), **values}})


def module(place: int, **values: Any) -> Callable[[Files], Any]:
    return lambda files: files["modules.json"][place].update(values)


def test_a_bert(tmp_path: Path) -> None:
    """Transformer, mean pooling, unit length: everything that our code needs to know."""
    found = saved_modules.read(write(tmp_path, BERT))
    assert found is not None
    assert (found.kind, found.pooling, found.normalize, found.max_length) == ("bert", "mean", True, 256)
    assert (found.folder, found.module) == (tmp_path, tmp_path)
    assert (found.prompts, found.default_prompt, found.similarity) == ({"query": "", "document": ""}, None, "cosine")
    assert found.config == BERT["config.json"]
    assert saved_modules.longest(found.config) == 512
    assert saved_modules.padding(found.config) is None


SAME: dict[str, tuple[Callable[[Files], Any], dict[str, Any]]] = {
    "CLS pooling": (
        with_(POOLING, pooling_mode_cls_token=True, pooling_mode_mean_tokens=False),
        {"pooling": "cls", "normalize": True},
    ),
    "pooling by name": (lambda files: files.update({POOLING: {"pooling_mode": "cls"}}), {"pooling": "cls"}),
    "not normalized": (lambda files: files["modules.json"].pop(), {"normalize": False, "pooling": "mean"}),
    "no length": (lambda files: files.pop(LENGTHS), {"max_length": None}),
    "a length that is left open": (with_(LENGTHS, max_seq_length=None), {"max_length": None}),
    "no settings": (lambda files: files.pop(SETTINGS), {"similarity": "cosine", "default_prompt": None}),
    "dot product": (with_(SETTINGS, similarity_fn_name="dot"), {"similarity": "dot"}),
    "prompts": (
        with_(SETTINGS, prompts={"query": "q: ", "sort": "s: "}, default_prompt_name="sort"),
        {"prompts": {"query": "q: ", "document": "", "sort": "s: "}, "default_prompt": "sort"},
    ),
    "modules by their new names": (
        module(0, type="sentence_transformers.base.modules.transformer.Transformer"),
        {"kind": "bert"},
    ),
    "a normalization that says what it does": (
        lambda files: files.update({"2_Normalize/config.json": {"module_input_name": "sentence_embedding"}}),
        {"normalize": True},
    ),
    "RoBERTa": (with_("config.json", model_type="roberta", pad_token_id=1), {"kind": "bert"}),
    "XLM-R": (with_("config.json", model_type="xlm-roberta", pad_token_id=1), {"kind": "bert"}),
    "CamemBERT": (with_("config.json", model_type="camembert", pad_token_id=1), {"kind": "bert"}),
}


@pytest.mark.parametrize("case", SAME)
def test_what_it_may_vary(tmp_path: Path, case: str) -> None:
    """What differs from model to model within the shape is read."""
    change, expected = SAME[case]
    found = saved_modules.read(write(tmp_path, changed(change)))
    assert found is not None
    assert {key: getattr(found, key) for key in expected} == expected


@pytest.mark.parametrize("kind", ["roberta", "xlm-roberta", "camembert"])
def test_positions_of_roberta(kind: str) -> None:
    """RoBERTa and its kin take two tokens fewer than they have positions, and count from behind padding."""
    config = {"model_type": kind, "max_position_embeddings": 514, "pad_token_id": 1}
    assert saved_modules.longest(config) == 512
    assert saved_modules.padding(config) == 1


DEVIATIONS: dict[str, Callable[[Files], Any]] = {
    "no modules": lambda files: files.pop("modules.json"),
    "broken modules": lambda files: files.update({"modules.json": "["}),
    "modules that are no list": lambda files: files.update({"modules.json": {}}),
    "modules that are no objects": lambda files: files.update({"modules.json": ["Transformer"]}),
    "prompts that are no object": with_(SETTINGS, prompts="query: "),
    "no heads": with_("config.json", num_attention_heads=0),
    "no module": lambda files: files.update({"modules.json": []}),
    "no pooling": lambda files: files["modules.json"].pop(1),
    "a dense layer": lambda files: files["modules.json"].insert(
        2, {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    ),
    "a module twice": lambda files: files["modules.json"].append(files["modules.json"][-1]),
    "modules in another order": lambda files: files["modules.json"].reverse(),
    "a module of its own": module(1, type="own_pooling.Pooling"),
    "a module that looks like ours": module(0, type="sentence_transformers_own.Transformer"),
    "a router": module(0, type="sentence_transformers.models.Router"),
    "a normalization of something else": lambda files: files.update(
        {"2_Normalize/config.json": {"module_input_name": "token_embeddings"}}
    ),
    "settings that are no object": lambda files: files.update({SETTINGS: "[]"}),
    "fewer dimensions": with_(SETTINGS, truncate_dim=64),
    "another similarity": with_(SETTINGS, similarity_fn_name="maxsim"),
    "a prompt that is no text": with_(SETTINGS, prompts={"query": None}),
    "lower case": with_(LENGTHS, do_lower_case=True),
    "a maximum length of zero": with_(LENGTHS, max_seq_length=0),
    "a maximum length that is no number": with_(LENGTHS, max_seq_length="256"),
    "an option nobody knows": with_(LENGTHS, model_args={"x": 1}),
    "another length for queries": with_(LENGTHS, query_length=32),
    "another task of the transformer": with_(LENGTHS, transformer_task="fill-mask"),
    "another input": with_(LENGTHS, modality_config={"image": {"method": "forward"}}),
    "another output": with_(LENGTHS, module_output_name="other"),
    "max pooling": with_(POOLING, pooling_mode_max_tokens=True, pooling_mode_mean_tokens=False),
    "max pooling by name": lambda files: files.update({POOLING: {"pooling_mode": "max"}}),
    "two poolings": with_(POOLING, pooling_mode_cls_token=True),
    "several poolings by name": lambda files: files.update({POOLING: {"pooling_mode": ["mean", "cls"]}}),
    "weighted mean": with_(POOLING, pooling_mode_weightedmean_tokens=True, pooling_mode_mean_tokens=False),
    "pooling without the prompt": with_(POOLING, include_prompt=False),
    "no pooling settings": lambda files: files.pop(POOLING),
    "no configuration": lambda files: files.pop("config.json"),
    "another architecture": with_("config.json", model_type="mpnet"),
    "ModernBERT": with_("config.json", model_type="modernbert"),
    "relative positions": with_("config.json", position_embedding_type="relative_key_query"),
    "another activation": with_("config.json", hidden_act="relu"),
    "the other GELU": with_("config.json", hidden_act="gelu_new"),
    "a decoder": with_("config.json", is_decoder=True),
    "cross attention": with_("config.json", add_cross_attention=True),
    "code of its own": with_("config.json", auto_map={"AutoModel": "own.Model"}),
    "quantized weights": with_("config.json", quantization_config={"bits": 4}),
    "heads that do not divide the width": with_("config.json", num_attention_heads=5),
    "no number of layers": with_("config.json", num_hidden_layers=None),
    "an adapter": lambda files: files.update({"adapter_config.json": {}}),
}


@pytest.mark.parametrize("case", DEVIATIONS)
def test_what_deviates_is_left_to_sentence_transformers(tmp_path: Path, case: str) -> None:
    """However small the difference, the model is not one of ours."""
    assert saved_modules.read(write(tmp_path, changed(DEVIATIONS[case]))) is None


def test_static_embeddings(tmp_path: Path) -> None:
    """One module, with or without unit length; there is no maximum length."""
    found = saved_modules.read(write(tmp_path / "plain", STATIC))
    assert found is not None
    assert (found.kind, found.normalize, found.max_length) == ("static", False, None)
    assert found.module == tmp_path / "plain" / "0_StaticEmbedding"
    normalized = saved_modules.read(
        write(tmp_path / "unit", changed(lambda files: files["modules.json"].append(NORMALIZE), STATIC))
    )
    assert normalized is not None
    assert normalized.normalize
    dense = changed(
        lambda files: files["modules.json"].append({**NORMALIZE, "type": "sentence_transformers.x.Dense"}), STATIC
    )
    assert saved_modules.read(write(tmp_path / "dense", dense)) is None


def test_no_folder(tmp_path: Path) -> None:
    """Nothing there is nothing of ours."""
    assert saved_modules.read(tmp_path / "none") is None
