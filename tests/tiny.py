"""Tiny models with random weights: they load in milliseconds, and every character is a token."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from pathlib import Path

CHARACTERS = string.ascii_lowercase + string.digits + "äöüßáéíóúñ¿¡.,:;!?'\"()-"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_LENGTH = 64


def save_transformer(folder: Path) -> Path:
    """A BERT with its tokenizer, as `transformers` saves it; a word is as many tokens as it has characters."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = [*SPECIAL, *CHARACTERS, *(f"##{character}" for character in CHARACTERS)]
    words = BertWordPieceTokenizer(
        {token: index for index, token in enumerate(vocabulary)}, strip_accents=False, lowercase=True
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words._tokenizer,
        model_max_length=MAX_LENGTH,
        **{f"{token[1:-1].lower()}_token": token for token in SPECIAL},
    )
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=MAX_LENGTH,
        initializer_range=0.5,  # vectors that differ much from text to text
    )
    BertModel(config).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_sentence_transformer(
    folder: Path,
    *,
    prompts: Mapping[str, str] | None = None,
    default_prompt: str | None = None,
    include_prompt: bool = True,
) -> Path:
    """The same BERT with mean pooling, as `sentence-transformers` saves it."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    bert = Transformer(str(save_transformer(folder.with_name(f"{folder.name}-bert"))))
    pooling = Pooling(bert.get_embedding_dimension(), pooling_mode="mean", include_prompt=include_prompt)
    model = SentenceTransformer(
        modules=[bert, pooling], prompts=dict(prompts or {}), default_prompt_name=default_prompt, device="cpu"
    )
    model.save(str(folder), create_model_card=False)
    return folder


def save_static(folder: Path) -> Path:
    """A vector for every token, and their mean for a text: no transformer, no attention, no maximum length."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer

    bert = save_transformer(folder.with_name(f"{folder.name}-bert"))
    torch.manual_seed(7)
    static = StaticEmbedding(Tokenizer.from_file(str(bert / "tokenizer.json")), embedding_dim=16)
    SentenceTransformer(modules=[static], device="cpu").save(str(folder), create_model_card=False)
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
