"""Tiny models with random weights: they load in milliseconds, and every character is a token."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHARACTERS = string.ascii_lowercase + string.digits + "äöüßáéíóúñ¿¡.,:;!?'\"()-"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_LENGTH = 64


def save_transformer(folder: Path, *, kind: str = "bert", **config: Any) -> Path:
    """A BERT with its tokenizer, as `transformers` saves it; a word is as many tokens as it has characters.

    Args:
        folder: where to save it.
        kind: `bert`, `roberta`, `xlm-roberta` or `camembert`; the last three have another token for padding, and two
            positions that no token gets.
        config: what should differ in its configuration.
    """
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    bert = kind == "bert"
    special = SPECIAL if bert else (SPECIAL[2], SPECIAL[0], SPECIAL[3], SPECIAL[1], SPECIAL[4])
    vocabulary = [*special, *CHARACTERS, *(f"##{character}" for character in CHARACTERS)]
    words = BertWordPieceTokenizer(
        {token: index for index, token in enumerate(vocabulary)}, strip_accents=False, lowercase=True
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words._tokenizer,
        model_max_length=MAX_LENGTH,
        **{f"{token[1:-1].lower()}_token": token for token in SPECIAL},
    )
    torch.manual_seed(7)
    settings = {
        "vocab_size": len(vocabulary),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": MAX_LENGTH + (0 if bert else 2),
        "pad_token_id": vocabulary.index("[PAD]"),
        "initializer_range": 0.5,  # vectors that differ much from text to text
        **config,
    }
    AutoModel.from_config(AutoConfig.for_model(kind, **settings)).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_sentence_transformer(
    folder: Path,
    *,
    kind: str = "bert",
    pooling: str = "mean",
    normalize: bool = False,
    prompts: Mapping[str, str] | None = None,
    default_prompt: str | None = None,
    include_prompt: bool = True,
    similarity: str | None = None,
    **config: Any,
) -> Path:
    """The same with pooling, as `sentence-transformers` saves it."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer

    plain = save_transformer(folder.with_name(f"{folder.name}-bert"), kind=kind, **config)
    bert = Transformer(str(plain), max_seq_length=MAX_LENGTH)
    modules = [bert, Pooling(bert.get_embedding_dimension(), pooling_mode=pooling, include_prompt=include_prompt)]
    model = SentenceTransformer(
        modules=[*modules, Normalize()] if normalize else modules,
        prompts=dict(prompts or {}),
        default_prompt_name=default_prompt,
        similarity_fn_name=similarity,
        device="cpu",
    )
    model.save(str(folder), create_model_card=False)
    return folder


def save_static(folder: Path, *, normalize: bool = False, prompts: Mapping[str, str] | None = None) -> Path:
    """A vector for every token, and their mean for a text: no transformer, no attention, no maximum length."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, StaticEmbedding
    from tokenizers import Tokenizer

    bert = save_transformer(folder.with_name(f"{folder.name}-bert"))
    torch.manual_seed(7)
    modules = [StaticEmbedding(Tokenizer.from_file(str(bert / "tokenizer.json")), embedding_dim=16)]
    model = SentenceTransformer(
        modules=[*modules, Normalize()] if normalize else modules, prompts=dict(prompts or {}), device="cpu"
    )
    model.save(str(folder), create_model_card=False)
    return folder


def save_decoder(
    folder: Path, *, dtype: str = "float32", sharp: bool = False, pooling: str = "lasttoken", **config: Any
) -> Path:
    """A Qwen3 with rotary positions and pooling, as `sentence-transformers` saves it; it takes 4,096 tokens.

    Args:
        folder: where to save it.
        dtype: in which its weights are stored.
        sharp: whether attention picks few tokens, so that small errors of positions turn vectors.
        pooling: as sentence-transformers names it.
        config: what should differ in its configuration.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    bert = save_transformer(folder.with_name(f"{folder.name}-bert"))
    plain = folder.with_name(f"{folder.name}-plain")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(bert / "tokenizer.json"), model_max_length=4096, pad_token="[PAD]", padding_side="left"
    )
    torch.manual_seed(7)
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "intermediate_size": 128,
        "max_position_embeddings": 4096,
        "initializer_range": 0.3,
        **config,
    }
    model = AutoModel.from_config(AutoConfig.for_model("qwen3", **settings)).eval()
    if sharp:
        with torch.no_grad():
            for layer in model.layers:
                layer.self_attn.q_norm.weight *= 8
    model.to(getattr(torch, dtype)).save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    transformer = Transformer(str(plain), max_seq_length=4096)
    modules = [transformer, Pooling(transformer.get_embedding_dimension(), pooling_mode=pooling)]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)
    return folder


def add_module(folder: Path, *, code: str, type_: str) -> None:
    """Append to `modules.json` a module of this type, whose code lies in the model's own folder."""
    (folder / f"{type_.partition('.')[0]}.py").write_text(code, encoding="utf-8")
    file = folder / "modules.json"
    modules = json.loads(file.read_text(encoding="utf-8"))
    name = str(len(modules))
    (folder / name).mkdir()
    modules.append({"idx": len(modules), "name": name, "path": name, "type": type_})
    file.write_text(json.dumps(modules), encoding="utf-8")


def save_cross_encoder(folder: Path, *, labels: int = 1, dtype: str = "float32") -> Path:
    """A BERT that gives a pair of texts `labels` scores, as `transformers` saves it."""
    return _save_with_head(folder, "AutoModelForSequenceClassification", dtype=dtype, num_labels=labels)


def save_sparse_encoder(folder: Path, *, prompts: Mapping[str, str] | None = None) -> Path:
    """SPLADE over a masked BERT, as `sentence-transformers` saves it; weights so small that classifiers converge."""
    from sentence_transformers import SparseEncoder

    masked = _save_with_head(folder.with_name(f"{folder.name}-bert"), "AutoModelForMaskedLM", initializer_range=0.1)
    SparseEncoder(str(masked), prompts=dict(prompts or {}), device="cpu").save(str(folder), create_model_card=False)
    return folder


def save_multi_vector(folder: Path, *, prompts: Mapping[str, str] | None = None) -> Path:
    """A vector of 128 numbers for each token of a BERT, as `sentence-transformers` 6 saves it; older ones skip."""
    import pytest
    import torch

    pytest.importorskip("sentence_transformers.multi_vector_encoder", reason="needs sentence-transformers 6")
    from sentence_transformers import MultiVectorEncoder

    bert = save_transformer(folder.with_name(f"{folder.name}-bert"))
    torch.manual_seed(7)
    model = MultiVectorEncoder(str(bert), prompts=dict(prompts or {}), device="cpu")
    model.save(str(folder), create_model_card=False)
    return folder


def _save_with_head(folder: Path, model_class: str, *, dtype: str = "float32", **config: Any) -> Path:
    import torch
    import transformers

    bert = save_transformer(folder.with_name(f"{folder.name}-headless"))
    settings = transformers.AutoConfig.from_pretrained(bert, **config)
    torch.manual_seed(7)
    model = getattr(transformers, model_class).from_config(settings).eval()
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(bert).save_pretrained(folder)
    return folder
