"""Part b: from texts to vectors, on texts that no warm-up has seen, and sentence-transformers beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness import encoding, models
from harness.types import EncodeOptions, Prompt, Texts
from tests.benchmarks.gpu_kernels import _product
from tests.benchmarks.gpu_models import ROOT, SHAPES, Shape, free, mixed_lengths, save, synchronize, texts_of
from tests.benchmarks.gpu_reports import Report

PEER_BATCHES = (32, 128, 512, 2048)
TOKENIZE = """
import json, sys, time
from pathlib import Path
from tokenizers import Tokenizer
from harness.models.token_ids import TextTokenizer
tokenizer = TextTokenizer(Tokenizer.from_file(sys.argv[1]), max_length=512)
texts = Path(sys.argv[2]).read_text(encoding="utf-8").split("\\n")
tokenizer.token_ids(texts[:100])
started = time.perf_counter()
ids = tokenizer.token_ids(texts)
print(json.dumps([len(ids.ids), time.perf_counter() - started]))
"""


def measure(report: Report, folder: Path) -> None:
    """Print the rows and note the claims."""
    ceiling = _product(report, *([256] * 3 if report.tiny else [8192] * 3))
    for number, shape in enumerate(report.shapes(SHAPES)):
        most = 500 if shape.words is None else shape.words
        path = save(folder / shape.name, shape, max_length=most + 12)
        if number == 0:
            _tokenizer(report, folder, path)
        if shape.words is None:
            count = 64 if report.tiny else 40_000 if shape.width < 500 else 10_000
            lengths = mixed_lengths(count, seed=1, most=most)
        else:
            lengths = [shape.words] * (4 if report.tiny else 128)
        texts, warm = texts_of(lengths, seed=2), texts_of(lengths[:64], seed=3)
        tokens = np.array([min(length, most) + 2 for length in lengths], dtype=np.float64)
        rate = _harness(report, shape, path, texts, warm=warm, tokens=tokens, ceiling=ceiling)
        free(report.device)
        best = _peer(report, shape, path, texts, warm=warm, tokens=tokens)
        free(report.device)
        report.claim(f"{shape.name}: times sentence-transformers in fp16", shape.faster, rate / best if best else None)
        if shape.name == "MiniLM":
            report.claim("MiniLM: million tokens a second, end to end", 5, rate / 1e6)
        if shape.words is None and shape.share is not None:
            full = texts_of([most] * (8 if report.tiny else 4000), seed=4)
            whole = np.full(len(full), most + 2.0)
            _harness(report, shape, path, full, warm=warm, tokens=whole, ceiling=ceiling, mixed=False)
            free(report.device)


def _tokenizer(report: Report, folder: Path, path: Path) -> None:
    """The tokenizer alone with several numbers of threads, each in a process: the first use fixes the number."""
    (file,) = path.rglob("tokenizer.json")
    lines = folder / "lines.txt"
    texts = texts_of(mixed_lengths(64 if report.tiny else 50_000, seed=5), seed=6)
    lines.write_text("\n".join(texts), encoding="utf-8")
    for threads in (1, 2) if report.tiny else (1, 4, 16):
        env = {**os.environ, "RAYON_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", TOKENIZE, str(file), str(lines)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        tokens, took = json.loads(done.stdout)
        report.row("tokenizer alone", threads=threads, tokens=tokens, tokens_per_second=tokens / took)


def _harness(
    report: Report,
    shape: Shape,
    path: Path,
    texts: Sequence[str],
    *,
    warm: Sequence[str],
    tokens: np.ndarray,
    ceiling: float,
    mixed: bool = True,
) -> float:
    """Tokens a second without the vector cache; rows for the cache too, and for how busy the device is."""
    precision = "fp32" if report.device == "cpu" else "fp16"
    options = EncodeOptions(device=report.device, precision=precision, batching="packed")
    encoder: Any = models.open_model(models.resolve(str(path)), options)
    way = encoder.facts.encoding
    assert way is None or way == "packed", f"{shape.name} was to run packed, and runs {way}"
    assert way is not None or encoder.facts.backend == "harness", "only the code for BERT has one way"
    _encode(encoder, warm)
    share, used = None, None
    for cache in ("off", "float32", "float32"):
        started = time.perf_counter()
        encoded = _encode(encoder, texts, cache=cache)
        took = time.perf_counter() - started
        if cache == "off":
            rate, share = tokens.sum() / took, shape.operations(tokens) / took / ceiling
            assert encoded.tokens == int(tokens.sum()), (encoded.tokens, tokens.sum())
        used = "off" if cache == "off" else "empty" if encoded.texts_encoded else "full"
        report.row(
            "harness",
            model=shape.name,
            mixed=mixed,
            path=way or "padded BERT",
            precision=precision,
            cache=used,
            tokens=int(tokens.sum()),
            tokens_padded=encoded.tokens_padded,
            seconds=took,
            tokens_per_second=tokens.sum() / took,
        )
    busy = _busy_share(encoder, texts[: max(64, len(texts) // 10)], report.device)
    report.row("device busy", model=shape.name, mixed=mixed, share=busy)
    what = "mixed lengths" if mixed else "512 tokens"
    report.claim(f"{shape.name}: share of the ceiling, {what}", shape.mixed_share if mixed else shape.share, share)
    encoder.close()
    return float(rate)


def _encode(encoder: Any, texts: Sequence[str], *, cache: Any = "off") -> encoding.EncodedTexts:
    return encoding.encode(encoder, Texts(items=list(texts)), prompt=Prompt(None, None), cache=cache)


def _busy_share(encoder: Any, texts: Sequence[str], device: str) -> float | None:
    """The share of the time in which a kernel runs; None on a CPU."""
    if not device.startswith("cuda"):
        return None
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        started = time.perf_counter()
        _encode(encoder, texts)
        synchronize(device)
        took = time.perf_counter() - started
    return sum(event.self_device_time_total for event in profiler.key_averages()) / 1e6 / took


def _peer(
    report: Report, shape: Shape, path: Path, texts: Sequence[str], *, warm: Sequence[str], tokens: np.ndarray
) -> float | None:
    """Tokens a second of sentence-transformers at its best batch size, with flash attention where that is installed."""
    from sentence_transformers import SentenceTransformer

    on_gpu = report.device.startswith("cuda")
    best = None
    for attention in ("sdpa", "flash_attention_2"):
        arguments = {"dtype": torch.float16 if on_gpu else torch.float32, "attn_implementation": attention}
        try:
            model = SentenceTransformer(str(path), device=report.device, model_kwargs=arguments)
            model.encode(list(warm))
        except Exception as err:  # flash attention is not installed, or not for this model
            reason = f"{type(err).__name__}: {str(err).splitlines()[0][:160]}"
            report.row("sentence-transformers", model=shape.name, attention=attention, error=reason)
            continue
        for size in PEER_BATCHES[:1] if report.tiny else PEER_BATCHES:
            try:
                started = time.perf_counter()
                model.encode(list(texts), batch_size=size)
                took = time.perf_counter() - started
            except torch.OutOfMemoryError:
                report.row("sentence-transformers", model=shape.name, attention=attention, batch=size, error="memory")
                free(report.device)
                continue
            rate = float(tokens.sum() / took)
            report.row(
                "sentence-transformers", model=shape.name, attention=attention, batch=size, tokens_per_second=rate
            )
            best = max(rate, best or 0.0)
        del model
        free(report.device)
    return best
