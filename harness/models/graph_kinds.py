"""Two kinds of model that sentence-transformers runs without torch's weights: an ONNX file, and an OpenVINO file."""

from __future__ import annotations

from harness.models import bert_kind, dense_kinds
from harness.models.model_kind import SETTINGS, ModelKind

RUNS_GRAPHS = (bert_kind.KIND.name, dense_kinds.SENTENCE_TRANSFORMERS.name, dense_kinds.TRANSFORMERS.name)
"""The kinds whose transformer may be such a file; tokenizer and pooling are theirs."""


def _kind(name: str, package: str) -> ModelKind:
    return ModelKind(
        name=name,
        recognises=lambda repository: False,
        open=dense_kinds.open_dense,
        packages=lambda repository: {package: package},
        settings=SETTINGS - {"precision"},
    )


ONNX = _kind("onnx", "onnxruntime")
OPENVINO = _kind("openvino", "openvino")
KINDS = (ONNX, OPENVINO)
