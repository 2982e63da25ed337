"""Part c: whether the numbers are right: half precision, a row alone, memory that runs out, the search."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness import encoding, models
from harness.encoding.pipeline import Memory
from harness.evaluators import device_search, search
from harness.types import EncodeOptions, Prompt, Texts
from tests.benchmarks.gpu_models import SHAPES, TRUTH, Shape, free, mixed_lengths, save, texts_of
from tests.benchmarks.gpu_reports import Report


def measure(report: Report, folder: Path) -> None:
    """Print the rows and note the claims."""
    for shape in report.shapes(TRUTH):
        _half_precision(report, shape, folder)
        free(report.device)
    _out_of_memory(report, folder)
    _search(report)


def _opened(path: Path, report: Report, precision: Any, **options: Any) -> Any:
    asked = EncodeOptions(device=report.device, precision=precision, batching="packed", **options)
    return models.open_model(models.resolve(str(path)), asked)


def _vectors(encoder: Any, texts: Sequence[str]) -> np.ndarray:
    return encoding.encode(encoder, Texts(items=list(texts)), prompt=Prompt(None, None)).vectors


def _half_precision(report: Report, shape: Shape, folder: Path) -> None:
    """Cosines to the same model in float32 at each length, of harness and of sentence-transformers."""
    lengths = (8, 20) if report.tiny else (64, 512, 2048, 8192)
    path = save(folder / f"truth-{shape.name}", shape, max_length=lengths[-1] + 2)
    texts = {length: texts_of([length] * 4, seed=length) for length in lengths}
    exact = _opened(path, report, "fp32")
    expected = {length: _unit(_vectors(exact, some)) for length, some in texts.items()}
    exact.close()
    for precision in ("bf16", "fp16"):
        encoder = _opened(path, report, precision)
        peer = _peer(path, report, precision)
        for length, some in texts.items():
            ours = _cosine(_vectors(encoder, some), expected[length])
            theirs = _cosine(peer.encode(some, batch_size=4, convert_to_numpy=True), expected[length])
            report.row(
                "cosine to fp32",
                model=shape.name,
                path=encoder.facts.encoding or "padded BERT",
                precision=precision,
                words=length,
                harness=ours,
                sentence_transformers=theirs,
            )
            report.claim(f"{shape.name} {precision} at {length} words: cosine to fp32", 0.9995, ours)
        _row_alone(report, shape, encoder, precision, texts[lengths[0]])
        encoder.close()
        del peer
        free(report.device)


def _row_alone(report: Report, shape: Shape, encoder: Any, precision: str, texts: Sequence[str]) -> None:
    """Whether a text's row among others equals to the bit the row that it has alone."""
    others = texts_of(mixed_lengths(30, seed=9, most=18 if report.tiny else 300), seed=10)
    among = _vectors(encoder, [*others, *texts])[len(others) :]
    alone = np.concatenate([_vectors(encoder, [text]) for text in texts])
    equal = bool(np.array_equal(among, alone))
    report.row("a row alone", model=shape.name, precision=precision, equal=equal, apart=float(abs(among - alone).max()))
    if encoder.facts.encoding == "packed" and report.device.startswith("cuda"):
        report.claim(f"{shape.name} {precision}: a row alone equals the row among others", 1, float(equal))


def _peer(path: Path, report: Report, precision: str) -> Any:
    from sentence_transformers import SentenceTransformer

    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    return SentenceTransformer(str(path), device=report.device, model_kwargs={"dtype": dtype})


def _unit(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _cosine(rows: np.ndarray, expected: np.ndarray) -> float:
    """The least of the rows."""
    return float((_unit(rows) * expected).sum(axis=1).min())


def _out_of_memory(report: Report, folder: Path) -> None:
    """Batches that a cap on memory cannot hold: no text is lost, and memory runs out at least once."""
    shape = report.shapes(SHAPES[:1])[0] if report.shapes(SHAPES[:1]) else SHAPES[0]
    path = save(folder / "memory", shape, max_length=512)
    texts = texts_of(mixed_lengths(40 if report.tiny else 20_000, seed=7), seed=8)
    plain = _opened(path, report, "fp32")
    expected = _vectors(plain, texts)
    plain.close()
    free(report.device)
    on_gpu = report.device.startswith("cuda")
    times: list[str] = []
    exhausted, limit = Memory.lower, 0.0
    if on_gpu:
        limit = 3 * 2**30 / torch.cuda.get_device_properties(report.device).total_memory
        torch.cuda.set_per_process_memory_fraction(limit)
    Memory.lower = lambda self, halves: (times.append("once"), exhausted(self, halves))[1]  # type: ignore[method-assign,assignment]
    try:
        tight = _opened(path, report, "fp32", batch_tokens=4096 if report.tiny else 2_000_000)
        found = _vectors(tight, texts)
        first = len(times)
        again = _vectors(tight, texts)
        tight.close()
    finally:
        Memory.lower = exhausted  # type: ignore[method-assign]
        if on_gpu:
            torch.cuda.set_per_process_memory_fraction(1.0)
    apart = max(float(abs(found - expected).max()), float(abs(again - expected).max()))
    report.row("memory that runs out", texts=len(found), ran_out=first, again=len(times) - first, apart=apart)
    report.claim("memory ran out under a cap of 3 GiB, times", 1, float(first) if on_gpu else None)
    report.claim("memory ran out again for the same texts, times", 0, float(len(times) - first), is_most=True)
    report.claim("largest difference of a number after memory ran out", 1e-4, apart, is_most=True)


def _search(report: Report) -> None:
    """The search on the device and on the CPU: with whole numbers, whose scores are exact, the hits are identical."""
    documents, queries, width, depth = (2000, 10, 16, 20) if report.tiny else (1_000_000, 1000, 384, 100)
    step = documents // 20
    ids = [f"d{place * 7919 % documents:07d}" for place in range(documents)]
    for whole in (True, False):

        def rows(count: int, seed: int, whole: bool = whole) -> np.ndarray:
            generator = np.random.default_rng(seed)
            if whole:
                return generator.integers(-8, 9, (count, width)).astype(np.float32)
            return generator.standard_normal((count, width), dtype=np.float32)

        wanted, blocks = rows(queries, 1), [rows(step, 2 + start) for start in range(0, documents, step)]
        options: dict[str, Any] = {"document_ids": ids, "k": depth, "similarity": "dot"}
        started = time.perf_counter()
        on_cpu = search.search(wanted, blocks, **options)
        between = time.perf_counter()
        on_device = device_search.search(wanted, blocks, device=report.device, **options)
        ended = time.perf_counter()
        same = float((on_device.indices == on_cpu.indices).mean())
        apart = float((abs(on_device.scores - on_cpu.scores) / abs(on_cpu.scores).max()).max())
        report.row(
            "search",
            whole_numbers=whole,
            documents=documents,
            queries=queries,
            cpu_seconds=between - started,
            device_seconds=ended - between,
            same_places=same,
            apart=apart,
        )
        if whole:
            report.claim("search: share of places with the same document on CPU and device", 1, same)
        else:
            report.claim("search: largest difference of a score, relative", 1e-5, apart, is_most=True)
