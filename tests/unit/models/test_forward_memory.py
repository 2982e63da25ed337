"""Batches that do not fit in memory: what is recognised, what is freed, what is remembered. Memory is really short."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.encoding import pipeline
from harness.models import forward_threads

UNIT = 40 << 20
"""Bytes that a text takes in each of the layers of `Hungry`; so many that the C library keeps none of them back."""


@contextlib.contextmanager
def room(size: int) -> Iterator[None]:
    """This process may take `size` more bytes of addresses; an allocation beyond that fails."""
    resource = pytest.importorskip("resource")
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("needs Linux, which limits and tells the addresses of a process")
    limits = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(statm.read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


class Hungry:
    """A forward pass that really allocates: it keeps one tensor a layer, each with a unit for every text."""

    def __init__(self, *, layers: int) -> None:
        self._layers = layers
        self.sizes: list[int] = []
        self.failures = 0
        self.left_over = 0
        self._tensors: list[weakref.ref[Any]] = []

    def __call__(self, numbers: Any) -> Any:
        import torch

        self.left_over += sum(tensor() is not None for tensor in self._tensors)
        self._tensors.clear()
        self.sizes.append(len(numbers))
        kept = []
        try:
            for _ in range(self._layers):
                kept.append(torch.empty(len(numbers) * UNIT, dtype=torch.uint8))
                self._tensors.append(weakref.ref(kept[-1]))
        except RuntimeError:
            self.failures += 1
            raise
        return torch.tensor([[float(number), 1.0] for number in numbers])


def batch_of(positions: np.ndarray) -> pipeline.Batch:
    def halves() -> tuple[pipeline.Batch, pipeline.Batch]:
        half = len(positions) // 2
        return batch_of(positions[:half]), batch_of(positions[half:])

    return pipeline.Batch(positions, positions.tolist(), len(positions), halves if len(positions) > 1 else None)


def test_what_does_not_fit_is_halved_once_and_for_all() -> None:
    """Where memory is short: no text is lost, the failed attempt is freed before the next, no later batch fails."""
    import torch

    forward = Hungry(layers=2)  # 8 texts take 640 MiB, 4 take 320 MiB; beside the first layer of the 8, 4 do not fit
    memory = forward_threads.memory(torch.device("cpu"))
    lanes = forward_threads.lanes(forward, torch.device("cpu"), exact=True)

    def rows(blocks: int) -> list[np.ndarray]:
        encoded = pipeline.encode(
            ([""] * 16 for _ in range(blocks)),
            prepare=lambda texts: pipeline.Prepared([batch_of(np.arange(8)), batch_of(np.arange(8, 16))], None, None),
            lanes=lanes,
            memory=memory,
        )
        return [block.vectors for block in encoded]

    plenty = rows(1)
    assert (forward.sizes, forward.failures) == ([8, 8], 0)
    forward.sizes.clear()
    with room(500 << 20):
        short = [*rows(2), *rows(1)]
    assert forward.failures == 1
    assert forward.sizes == [8] + [4] * 12
    assert forward.left_over == 0
    assert all(block.tolist() == plenty[0].tolist() for block in short)
    assert memory.fits == 4


def test_a_text_that_does_not_fit_alone_is_named_as_such() -> None:
    """Memory that one text exhausts is an error of resources, and says so."""
    import torch

    from harness.errors import EncodeError

    lanes = forward_threads.lanes(Hungry(layers=8), torch.device("cpu"), exact=True)
    encoded = pipeline.encode(
        [[""]],
        prepare=lambda texts: pipeline.Prepared([batch_of(np.arange(1))], None, None),
        lanes=lanes,
        memory=forward_threads.memory(torch.device("cpu")),
    )
    with room(100 << 20), pytest.raises(EncodeError, match="one text does not fit in memory") as failure:
        list(encoded)
    assert failure.value.kind == "resource"


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "MPS backend out of memory (MPS allocated: 5.00 GB)",
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes. Error code 12",
    ],
)
def test_exhausted_memory_is_recognised(message: str) -> None:
    """Libraries below torch say in words only that memory is exhausted; an error about anything else is not that."""
    import torch

    assert forward_threads.is_out_of_memory(RuntimeError(message))
    assert forward_threads.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert forward_threads.is_out_of_memory(MemoryError())
    assert not forward_threads.is_out_of_memory(RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED"))
    assert not forward_threads.is_out_of_memory(ValueError(message))
