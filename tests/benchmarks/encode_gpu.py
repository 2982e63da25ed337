"""Encoding on a GPU beside sentence-transformers: tokens a second, and the share of what matrix products could do.

Usage: python tests/benchmarks/encode_gpu.py [--tiny]

Models of three shapes with random weights, texts of mixed lengths. `--tiny` takes small shapes and few texts, and runs
on the CPU too: it shows that the script works, not how fast anything is.
"""

from __future__ import annotations

import argparse
import random
import string
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from harness import encoding, models
from harness.outputs import text_table
from harness.types import EncodeOptions, Precision, Prompt, Texts

PEER_BATCHES = (32, 128, 512)


class Shape(NamedTuple):
    """A BERT and how many times faster than sentence-transformers it is meant to be."""

    name: str
    width: int
    layers: int
    heads: int
    goal: float


SHAPES = (
    Shape("MiniLM", 384, 6, 12, 3.0),
    Shape("BERT-base", 768, 12, 12, 2.0),
    Shape("BERT-large", 1024, 24, 16, 1.3),
)
TINY = (Shape("tiny", 32, 2, 4, 0.0),)


def save(folder: Path, shape: Shape) -> Path:
    """A sentence-transformers model of the shape with random weights; every character is a token."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    letters = [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase)]
    words = BertWordPieceTokenizer({token: index for index, token in enumerate([*special, *letters])})
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words._tokenizer,
        model_max_length=512,
        **{f"{token[1:-1].lower()}_token": token for token in special},
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30_522,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.width,
    )
    bert = folder / "bert"
    BertModel(config).save_pretrained(bert)
    tokenizer.save_pretrained(bert)
    transformer = Transformer(str(bert))
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(folder / "model"))
    return folder / "model"


def some_texts(count: int) -> list[str]:
    """Of 4 to 510 tokens, most of them short, as in real corpora."""
    rng = random.Random(0)
    lengths = [min(510, int(rng.lognormvariate(4, 1)) + 4) for _ in range(count)]
    return ["".join(rng.choices(string.ascii_lowercase, k=length)) for length in lengths]


def seconds(call: Callable[[], Any], device: str) -> tuple[float, Any]:
    """The better of two runs after one that warms up."""
    answer, times = call(), []
    for _ in range(2):
        started = time.perf_counter()
        answer = call()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times), answer


def ceiling(device: str, size: int) -> float:
    """Floating-point operations a second of a large bf16 matrix product, measured."""
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    times = 20 if device == "cuda" else 1
    took, _ = seconds(lambda: [left @ right for _ in range(times)], device)
    return times * 2 * size**3 / took


def operations(shape: Shape, lengths: np.ndarray) -> float:
    """Of the forward pass without padding: projections and network 24 w^2 a token and layer, attention 4 w l."""
    per_token = shape.layers * (24 * shape.width**2 + 4 * shape.width * lengths)
    return float((per_token * lengths).sum())


def measure(shape: Shape, texts: list[str], device: str, top: float) -> dict[str, Any]:
    """One row of the table."""
    from sentence_transformers import SentenceTransformer

    lengths = np.array([min(512, len(text) + 2) for text in texts], dtype=np.float64)
    with tempfile.TemporaryDirectory() as folder:
        path = str(save(Path(folder), shape))
        half = {"dtype": torch.float16}
        peer = SentenceTransformer(path, device=device, model_kwargs=half if device == "cuda" else {})
        theirs = min(seconds(partial(peer.encode, texts, batch_size=size), device)[0] for size in PEER_BATCHES)
        peer.to("cpu")
        rows: dict[str, np.ndarray] = {}
        ours: dict[str, float] = {}
        precisions: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
        for precision in precisions:
            encoder: Any = models.open_model(
                models.resolve(path), EncodeOptions(device=device, precision=precision, store="off")
            )
            ours[precision], found = seconds(
                lambda e=encoder: encoding.encode(e, Texts(items=texts), prompt=Prompt(None, None)), device
            )
            rows[precision] = found.vectors / np.linalg.norm(found.vectors, axis=1, keepdims=True)
            encoder.close()
    return {
        "model": shape.name,
        "tokens/s": round(lengths.sum() / ours["fp16"]),
        "of ceiling": f"{operations(shape, lengths) / ours['bf16'] / top:.1%}",
        "times theirs": round(theirs / ours["fp16"], 2),
        "goal": shape.goal,
        "cosine bf16": round(float((rows["bf16"] * rows["fp32"]).sum(axis=1).min()), 5),
        "cosine fp16": round(float((rows["fp16"] * rows["fp32"]).sum(axis=1).min()), 5),
    }


def out_of_memory(texts: list[str]) -> str:
    """Encode with a batch that the memory left over cannot hold: every text must still get its vector."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(save(Path(folder), SHAPES[1]))
        plain: Any = models.open_model(models.resolve(path), EncodeOptions(device="cuda", precision="fp16"))
        expected = encoding.encode(plain, Texts(items=texts), prompt=Prompt(None, None)).vectors
        plain.close()
        torch.cuda.set_per_process_memory_fraction(3 * 2**30 / torch.cuda.get_device_properties(0).total_memory)
        tight: Any = models.open_model(
            models.resolve(path), EncodeOptions(device="cuda", precision="fp16", batch_tokens=2_000_000)
        )
        found = encoding.encode(tight, Texts(items=texts), prompt=Prompt(None, None)).vectors
        tight.close()
        torch.cuda.set_per_process_memory_fraction(1.0)
    difference = abs(found - expected).max()
    return f"batches of 2,000,000 tokens in 3 GiB: all {len(found)} texts, largest difference {difference:.1e}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small shapes and few texts; for trying the script out")
    tiny = parser.parse_args().tiny
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not tiny:
        parser.error("this machine has no CUDA device; --tiny runs on the CPU")
    texts = some_texts(64 if tiny else 20_000)
    top = ceiling(device, 512 if tiny else 8192)
    print(f"{device}: bf16 matrix products reach {top / 1e12:.3f} TFLOP/s; {len(texts)} texts")
    rows = [measure(shape, texts, device, top) for shape in (TINY if tiny else SHAPES)]
    print(text_table.plain_records(rows))
    if device == "cuda":
        print(out_of_memory(texts[:8192]))


if __name__ == "__main__":
    main()
