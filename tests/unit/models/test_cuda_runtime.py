"""What the process asks of CUDA is asked for as long as models encode, and not where the user has asked for other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from harness.models import cuda_runtime, vector_identity
from harness.types import Encoded, EncoderFacts, ModelSpec

torch = pytest.importorskip("torch")
GPU, CPU = torch.device("cuda"), torch.device("cpu")


def cudnn() -> bool:
    return torch.backends.cuda.cudnn_sdp_enabled()


def answers(*, seen: list[bool]) -> Iterator[Encoded]:
    for _ in range(3):
        seen.append(cudnn())
        yield Encoded(np.zeros((1, 2), np.float32), None, None)


@pytest.mark.parametrize("before", [True, False])
def test_attention_is_pinned_while_a_gpu_encodes(before: bool) -> None:
    """cuDNN's attention is off until the last of two models is done, or is left early; then it is as it was before."""
    plain = cudnn()
    try:
        torch.backends.cuda.enable_cudnn_sdp(before)
        seen: list[bool] = []
        first, second = (cuda_runtime.all_pinned(answers(seen=seen), GPU) for _ in range(2))
        assert cudnn() == before
        next(first)
        list(second)
        assert not cudnn()
        first.close()  # type: ignore[attr-defined]
        assert cudnn() == before
        assert seen == [False] * 4
    finally:
        torch.backends.cuda.enable_cudnn_sdp(plain)


def test_a_cpu_changes_no_setting() -> None:
    """Where no GPU computes, nothing of the process is touched."""
    seen: list[bool] = []
    list(cuda_runtime.all_pinned(answers(seen=seen), CPU))
    assert seen == [cudnn()] * 3
    assert cuda_runtime.versions(CPU) is None


@pytest.mark.parametrize(
    ("device", "initialized", "variable", "asked"),
    [
        (GPU, False, None, ["expandable_segments:True"]),
        (GPU, True, None, []),
        (GPU, False, "PYTORCH_CUDA_ALLOC_CONF", []),
        (GPU, False, "PYTORCH_ALLOC_CONF", []),
        (CPU, False, None, []),
    ],
)
def test_segments_grow_where_nobody_else_decides(
    device: torch.device, initialized: bool, variable: str | None, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The allocator is asked once before CUDA runs, and left alone where the user sets it or there is no GPU."""
    calls: list[str] = []
    for name in ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"):
        monkeypatch.delenv(name, raising=False)
    if variable is not None:
        monkeypatch.setenv(variable, "backend:native")
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: initialized)
    monkeypatch.setattr(torch._C, "_accelerator_setAllocatorSettings", calls.append, raising=False)
    cuda_runtime.grow_segments(device)
    assert calls == asked


def test_the_runtime_is_part_of_what_made_a_vector() -> None:
    """Vectors of two versions of cuDNN are not mixed up, and those of a CPU stay where they were in the cache."""
    spec = ModelSpec(name="org/model", revision="1", location="org/model", origin="folder")
    facts = [
        EncoderFacts(backend="b", device="d", device_name="d", precision="bf16", runtime=runtime)
        for runtime in ({"cuda": "12.8", "cudnn": "91002"}, {"cuda": "12.8", "cudnn": "91100"}, None)
    ]
    identities = [vector_identity.identity(spec, each, packages=()) for each in facts]
    assert identities[0] != identities[1]
    assert "runtime" not in identities[2]
