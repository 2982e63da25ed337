"""Runs the transformer of a model from an ONNX or OpenVINO file. Owns `onnxruntime` and `openvino`.

sentence-transformers does all the rest. Source of what is computed: its backends `onnx` and `openvino`, which go
through optimum; this module gives the same files the same inputs without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.errors import ModelError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

_STATES = ("last_hidden_state", "token_embeddings")
"""Names of the output that holds the states of tokens; without one the first output with three dimensions counts."""


class Graph(NamedTuple):
    """An opened file.

    Attributes:
        inputs: name -> numpy's name of its type.
        states: the position of the output that holds the states of tokens.
        run: inputs by name -> all outputs.
    """

    inputs: Mapping[str, str]
    states: int
    run: Callable[[dict[str, NDArray[Any]]], Sequence[NDArray[Any]]]


class GraphTransformer:
    """Stands in for the transformer of a model: its inputs -> the states of its tokens."""

    def __init__(self, graph: Graph, config: Any) -> None:
        self._graph, self.config = graph, config

    def __call__(self, **features: Any) -> Any:
        """As `forward`."""
        return self.forward(**features)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        **unused: Any,
    ) -> Any:
        """(texts, tokens) of each input -> an output whose `last_hidden_state` is (texts, tokens, dim) float32."""
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        if position_ids is None:
            position_ids = (attention_mask.cumsum(-1) - 1).masked_fill(attention_mask == 0, 1)
        if token_type_ids is None:
            token_type_ids = torch.zeros_like(input_ids)
        given = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "token_type_ids": token_type_ids,
            "position_ids": position_ids,
        }
        inputs = {name: given[name].cpu().numpy().astype(type_) for name, type_ in self._graph.inputs.items()}
        states = torch.from_numpy(self._graph.run(inputs)[self._graph.states]).float()
        return BaseModelOutput(last_hidden_state=states.to(input_ids.device))


def open_graph(name: str, backend: str, file: Path, *, device: str) -> Graph:
    """The file, ready to run.

    Args:
        name: of the model, for messages.
        backend: `onnx` or `openvino`.
        file: the file.
        device: where torch would run the model: `cpu`, `cuda:N`.

    Raises:
        ModelError: the file is not one of a text encoder, or this installation has no support for the device.
    """
    graph = (_onnx if backend == "onnx" else _openvino)(name, file, device)
    unknown = [each for each in graph.inputs if each not in _INPUTS]
    if unknown:
        raise ModelError(
            f"model {name}: {file.name} takes inputs that a text encoder has not ({', '.join(unknown[:3])}); it was "
            "exported for another task; export it for feature extraction"
        )
    return graph


_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")


def _onnx(name: str, file: Path, device: str) -> Graph:
    import onnxruntime

    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda"):
        raise ModelError(f"model {name}: --device {device}: --backend onnx runs on cpu or cuda; name one")
    if kind == "cuda" and "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise ModelError(
            f"model {name}: --device {device}: the installed onnxruntime runs on the CPU only; install onnxruntime-gpu "
            "in its place, or name --device cpu"
        )
    providers: list[Any] = ["CPUExecutionProvider"]
    if kind == "cuda":
        providers = [("CUDAExecutionProvider", {"device_id": int(number or 0), "use_tf32": 0})]
    session = onnxruntime.InferenceSession(str(file), providers=providers)
    types = {"tensor(int32)": "int32"}
    return Graph(
        {each.name: types.get(each.type, "int64") for each in session.get_inputs()},
        _states(name, file, [(each.name, len(each.shape)) for each in session.get_outputs()]),
        lambda inputs: session.run(None, inputs),
    )


def _openvino(name: str, file: Path, device: str) -> Graph:
    import openvino

    if device != "cpu":
        raise ModelError(f"model {name}: --device {device}: --backend openvino runs on the CPU; name --device cpu")
    core = openvino.Core()
    # By itself it would compute in half precision wherever the CPU can.
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(str(file)), "CPU", settings)
    types = {"i32": "int32"}
    outputs = [(each.get_any_name(), len(each.get_partial_shape())) for each in compiled.outputs]
    return Graph(
        {each.get_any_name(): types.get(each.get_element_type().get_type_name(), "int64") for each in compiled.inputs},
        _states(name, file, outputs),
        lambda inputs: [answer.copy() for answer in compiled(inputs).to_tuple()],
    )


def _states(name: str, file: Path, outputs: Sequence[tuple[str, int]]) -> int:
    """The position of the output with the states of tokens."""
    names = [each for each, _ in outputs]
    for wanted in _STATES:
        if wanted in names:
            return names.index(wanted)
    for position, (_, dimensions) in enumerate(outputs):
        if dimensions == 3:
            return position
    raise ModelError(
        f"model {name}: {file.name} gives no states of tokens (found {', '.join(names)}), which the model's own "
        "pooling takes; export it for feature extraction"
    )
