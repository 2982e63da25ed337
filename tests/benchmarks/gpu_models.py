"""Models of known shapes with random weights, texts of real words, and clocks, for the benchmark of a GPU."""

from __future__ import annotations

import functools
import gc
import json
import random
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

ROOT = Path(__file__).parents[2]
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY = 30_522


class Shape(NamedTuple):
    """A transformer, and what is claimed of it.

    Attributes:
        kind: as transformers names the architecture.
        faster: than sentence-transformers in fp16 at its best batch size, as a factor; None for no claim.
        share: of the measured ceiling of matrix products at 512 tokens; None for no claim.
        mixed_share: the same on texts of mixed lengths.
        words: of the texts that it is compared on; None for mixed lengths.
    """

    name: str
    kind: str
    width: int
    layers: int
    heads: int
    inner: int
    faster: float | None = None
    share: float | None = None
    mixed_share: float | None = None
    words: int | None = None
    pooling: str = "mean"
    more: tuple[tuple[str, Any], ...] = ()

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """(in, out) of the matrix products of a layer."""
        more = dict(self.more)
        head = int(more.get("head_dim", self.width // self.heads))
        groups = int(more.get("num_key_value_heads", self.heads))
        gated = 1 if self.kind in ("bert",) else 2
        return [
            (self.width, head * (self.heads + 2 * groups)),
            (head * self.heads, self.width),
            (self.width, gated * self.inner),
            (self.inner, self.width),
        ]

    def operations(self, lengths: np.ndarray) -> float:
        """Floating-point operations of the forward pass of texts of these lengths, without padding."""
        head = int(dict(self.more).get("head_dim", self.width // self.heads))
        products = 2 * sum(rows * columns for rows, columns in self.matrices)
        causal = 2 if self.kind in ("qwen3", "mistral") else 1
        attention = 4 * head * self.heads * lengths / causal
        return float((self.layers * (products + attention) * lengths).sum())


_QWEN3 = (("num_key_value_heads", 8), ("head_dim", 128))
SHAPES = (
    Shape("MiniLM", "bert", 384, 6, 12, 1536, faster=3),
    Shape("BERT-base", "bert", 768, 12, 12, 3072, faster=2),
    Shape("BERT-large", "bert", 1024, 24, 16, 4096, faster=1.3, share=0.6, mixed_share=0.5),
    Shape("Qwen3-0.6B", "qwen3", 1024, 28, 16, 3072, faster=2, share=0.5, pooling="lasttoken", more=_QWEN3),
    Shape("ModernBERT-base", "modernbert", 768, 22, 12, 1152, faster=2, words=8000),
)
_GROUPED = (("num_key_value_heads", 2), ("head_dim", 64))
TRUTH = (
    Shape("BERT", "bert", 384, 6, 12, 1536),
    Shape("ModernBERT", "modernbert", 384, 8, 6, 576),
    Shape("Qwen3", "qwen3", 512, 8, 8, 1536, pooling="lasttoken", more=_GROUPED),
    Shape("Mistral", "mistral", 512, 8, 8, 1536, pooling="lasttoken", more=_GROUPED),
    Shape("Gemma3", "gemma3_text", 512, 8, 8, 1536, more=_GROUPED),
)


def tiny(shape: Shape) -> Shape:
    """The same architecture, small enough for a CPU."""
    more = tuple((name, {"num_key_value_heads": 2, "head_dim": 8}[name]) for name, _ in shape.more)
    words = None if shape.words is None else 100
    return shape._replace(width=32, layers=2, heads=4, inner=64, more=more, words=words)


@functools.cache
def words() -> list[str]:
    """Distinct words of the texts in this repository, in English, German and Spanish."""
    found: set[str] = set()
    for file in sorted((ROOT / "tasks" / "mini" / "data").rglob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            for value in json.loads(line).values():
                found.update(re.findall(r"[^\W\d_]+", value.lower()) if isinstance(value, str) else ())
    assert len(found) > 1000, "the data of the suite mini lie beside this file"
    return sorted(found)


def texts_of(lengths: Sequence[int], *, seed: int) -> list[str]:
    """Texts of so many words, which differ from those of another seed."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(words(), k=length)) for length in lengths]


def mixed_lengths(count: int, *, seed: int, most: int = 500) -> list[int]:
    """Most of them short, as in real corpora."""
    rng = random.Random(seed)
    return [min(most, int(rng.lognormvariate(4, 1)) + 2) for _ in range(count)]


def save(folder: Path, shape: Shape, *, max_length: int) -> Path:
    """A sentence-transformers model of the shape whose tokenizer knows every word as one token."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from tokenizers import BertWordPieceTokenizer
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    letters = sorted({letter for word in words() for letter in word})
    vocabulary = dict.fromkeys([*SPECIAL, *letters, *(f"##{letter}" for letter in letters), *words()])
    pieces = BertWordPieceTokenizer(
        {token: place for place, token in enumerate(vocabulary)}, strip_accents=False, lowercase=True
    )
    names = {f"{token[1:-1].lower()}_token": token for token in SPECIAL}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces._tokenizer, model_max_length=max_length, **names)
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        shape.kind,
        vocab_size=VOCABULARY,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.inner,
        max_position_embeddings=max_length,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        **({"cls_token_id": 2, "sep_token_id": 3} if shape.kind == "modernbert" else {}),
        **dict(shape.more),
    )
    AutoModel.from_config(config).save_pretrained(folder / "transformer")
    tokenizer.save_pretrained(folder / "transformer")
    transformer = Transformer(str(folder / "transformer"), max_seq_length=max_length)
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode=shape.pooling)
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(folder / "model"))
    return folder / "model"


def synchronize(device: str) -> None:
    """Wait for the device."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def seconds(call: Callable[[], Any], device: str, *, times: int = 3) -> float:
    """The median of several runs after one that warms up."""
    call()
    synchronize(device)
    took = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        synchronize(device)
        took.append(time.perf_counter() - started)
    return float(np.median(took))


def free(device: str) -> None:
    """Give memory back between two measurements."""
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
