"""Part a: what the device can do, and how much of it the forward pass reaches from ids that lie on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.benchmarks.gpu_models import SHAPES, Shape, free, save, seconds
from tests.benchmarks.gpu_reports import Report

HALF = torch.bfloat16


def measure(report: Report, folder: Path) -> None:
    """Print the rows and note the claims."""
    ceiling = _matrix_products(report)
    _copies(report)
    _attention(report)
    for shape in report.shapes(SHAPES):
        path = save(folder / shape.name, shape, max_length=512)
        _forward(report, shape, path / "..", ceiling)
        free(report.device)


def _matrix_products(report: Report) -> float:
    """Operations a second of a large product, after those of each model's shapes."""
    tokens = 128 if report.tiny else 32_768
    for shape in report.shapes(SHAPES):
        for rows, columns in shape.matrices:
            rate = _product(report, tokens, rows, columns)
            report.row("matrix product", model=shape.name, shape=[tokens, rows, columns], tflops=rate / 1e12)
    size = 256 if report.tiny else 8192
    ceiling = _product(report, size, size, size)
    report.row("matrix product", model=None, shape=[size] * 3, tflops=ceiling / 1e12)
    return ceiling


def _product(report: Report, rows: int, inner: int, columns: int) -> float:
    left = torch.randn(rows, inner, device=report.device, dtype=HALF)
    right = torch.randn(inner, columns, device=report.device, dtype=HALF)
    times = 1 if report.tiny else 20
    took = seconds(lambda: [left @ right for _ in range(times)], report.device)
    return times * 2 * rows * inner * columns / took


def _copies(report: Report) -> None:
    """Bytes a second within the device (read and written), and to it."""
    size = 1 << (20 if report.tiny else 30)
    host = torch.empty(size, dtype=torch.uint8, pin_memory=report.device.startswith("cuda"))
    there, other = (torch.empty(size, dtype=torch.uint8, device=report.device) for _ in range(2))
    took = seconds(lambda: other.copy_(there), report.device)
    report.row("copy within the device", gigabytes_per_second=2 * size / took / 1e9)
    took = seconds(lambda: there.copy_(host, non_blocking=True), report.device)
    report.row("copy to the device", gigabytes_per_second=size / took / 1e9)


def _attention(report: Report) -> None:
    """Forms of attention on the same tokens: padded by each backend, and packed."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    texts, length, heads, size = (2, 32, 2, 8) if report.tiny else (64, 512, 16, 64)
    rows = torch.randn(texts, heads, length, size, device=report.device, dtype=HALF)
    mask = torch.ones(texts, 1, 1, length, dtype=torch.bool, device=report.device)
    for backend in (
        SDPBackend.FLASH_ATTENTION,
        SDPBackend.CUDNN_ATTENTION,
        SDPBackend.EFFICIENT_ATTENTION,
        SDPBackend.MATH,
    ):
        for masked in (False, True):

            def call(backend: Any = backend, masked: bool = masked) -> Any:
                with sdpa_kernel(backend):
                    return torch.nn.functional.scaled_dot_product_attention(
                        rows, rows, rows, attn_mask=mask if masked else None
                    )

            _timed(report, "attention", call, form=backend.name.lower(), masked=masked, tokens=texts * length)
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError as err:
        report.row("attention", form="varlen", error=str(err))
        return
    packed = torch.randn(texts * length, heads, size, device=report.device, dtype=HALF)
    ends = torch.arange(0, texts * length + 1, length, dtype=torch.int32, device=report.device)
    _timed(
        report,
        "attention",
        lambda: varlen_attn(packed, packed, packed, ends, ends, length, length),
        form="varlen",
        masked=False,
        tokens=texts * length,
    )


def _timed(report: Report, what: str, call: Any, **about: Any) -> float | None:
    """A row with the seconds of a call, or with why it cannot be made here."""
    try:
        with torch.inference_mode():
            took = seconds(call, report.device)
    except Exception as err:  # a backend that this device or version lacks is a row too
        report.row(what, **about, error=f"{type(err).__name__}: {str(err).splitlines()[0][:160]}")
        return None
    report.row(what, **about, milliseconds=took * 1000)
    return took


def _forward(report: Report, shape: Shape, path: Path, ceiling: float) -> None:
    """The transformer alone on full texts of 512 tokens: eager, compiled and as a CUDA graph."""
    from transformers import AutoModel

    length = 32 if report.tiny else 512
    model = AutoModel.from_pretrained(path / "transformer", dtype=HALF).to(report.device).eval()
    best = None
    for tokens in (64, 128) if report.tiny else (8192, 16_384, 32_768, 65_536):
        ids = torch.randint(5, 1000, (tokens // length, length), device=report.device)
        forms = {"eager": lambda ids=ids: model(input_ids=ids)}
        if report.device.startswith("cuda"):
            compiled = torch.compile(model, dynamic=False)
            forms["compiled"] = lambda ids=ids, compiled=compiled: compiled(input_ids=ids)
            forms["graph"] = _graph(model, ids)
        for form, call in forms.items():
            took = _timed(report, "forward", call, model=shape.name, form=form, tokens=tokens)
            if took is None:
                continue
            share = shape.operations(np.full(tokens // length, length)) / took / ceiling
            report.row("share of the ceiling", model=shape.name, form=form, tokens=tokens, share=share)
            if form == "eager":
                best = max(share, best or 0.0)
        torch._dynamo.reset()
        free(report.device)
    report.row("best share of the ceiling by transformers, padded", model=shape.name, share=best)


def _graph(model: Any, ids: torch.Tensor) -> Any:
    """The forward pass captured once, where it can be; the error comes out when it is called."""
    try:
        with torch.inference_mode():
            stream = torch.cuda.Stream()
            with torch.cuda.stream(stream):
                for _ in range(2):
                    model(input_ids=ids)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                model(input_ids=ids)
    except Exception as err:  # reported where it is timed
        reason = err

        def fail() -> None:
            raise reason

        return fail
    return graph.replay
