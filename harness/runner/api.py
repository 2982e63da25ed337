"""The Python API of a run: `harness.run`, whose keywords become a `Request`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from harness import models
from harness.runner.events import Event
from harness.runner.execution import carry_out
from harness.runner.request import requested
from harness.types import Record, TaskSpec


def run(
    models: Any = models.BUNDLED,
    tasks: str | TaskSpec | Sequence[str | TaskSpec] | None = None,
    *,
    suite: str | None = None,
    splits: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
    types: Sequence[str] | None = None,
    domains: Sequence[str] | None = None,
    max_texts: int | None = None,
    mirror: bool = False,
    precision: Literal["auto", "checkpoint", "fp32", "fp16", "bf16"] = "auto",
    device: str = "auto",
    batching: Literal["auto", "mteb", "packed", "padded"] = "auto",
    batch_tokens: int | None = None,
    max_length: int | None = None,
    dims: Sequence[int] = (),
    quantize: Sequence[Literal["int8", "binary"]] = (),
    rescore: Sequence[int] = (),
    store: Literal["float32", "float16", "off"] = "float32",
    price: float | None = None,
    results: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    strict: bool = False,
    tasks_dirs: Sequence[str | os.PathLike[str]] = (),
    prompts: Mapping[str, str] | None = None,
    like: str | None = None,
    first_stage: str | Callable[[list[str]], Any] | None = None,
    top: int | None = None,
    backend: Literal["torch", "onnx", "openvino", "gguf"] | None = None,
    backend_file: str | None = None,
    name: str | None = None,
    offline: bool = False,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> list[Record]:
    """Benchmark models on tasks; one record per model and task, computed or kept from before.

    Args:
        models: one model or a list of them: a name (see `harness.models`), an open `SentenceTransformer`,
            `SparseEncoder` or `CrossEncoder`, any object with `encode(list[str])`, or a callable; the last two return a
            (n, dim) array. An open model is not changed, and its vectors are not cached.
        tasks: task names or specs; the suite `mini` when neither `tasks` nor `suite` is given.
        suite: name of a suite.
        splits: only these splits.
        languages: only these languages (`de`, `deu`, `deu-Latn`) or subsets.
        types: only tasks of these types.
        domains: only tasks of one of these domains.
        max_texts: quick mode: a sample of this many texts; records are variants, never the plain ones.
        mirror: take data from a task's mirror where it names one.
        precision: of the forward pass; `auto` is that of the checkpoint where the device computes in it, else fp32;
            `checkpoint` insists on it.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; `cuda:all` or `cuda:0,cuda:1` for several GPUs.
        batching: `mteb` makes mteb's batches for every task, not only where scores depend on the last bits of vectors.
            `packed` lays texts end to end and refuses a model that cannot be computed so; `padded` never does.
        batch_tokens: tokens per batch, for every task; by default as many as suit the device.
        max_length: cut texts at this many tokens instead of the model's own limit.
        dims: for each of these numbers, also score that many first dimensions of the vectors; records are variants.
        quantize: also score the same vectors as `int8` or `binary`, in all dimensions and in each of `dims`.
        rescore: for each of these numbers N and of `quantize`, also search in the quantized vectors and rank the first
            N documents again by the float ones; for tasks that search, records are variants.
        store: format of the vector cache; float16 changes scores, so its records are variants.
        price: of a million tokens at an endpoint, in US dollars; records then hold the cost.
        results: folder for the records; `$HARNESS_RESULTS`, else `results`.
        overwrite: compute recorded cells again.
        tasks_dirs: folders with more specs.
        prompts: name -> prompt, in place of the models' own; records are variants. The first of these names is taken:
            `<task>-<role>`, `<task>`, `<type>-<role>`, `<type>`, `<role>`, `default`.
        like: a model of mteb's registry whose prompts and settings the models take over, for a fine-tuned one.
        first_stage: a model that searches the corpus of retrieval tasks for models that only rank candidates
            (cross-encoders); records are variants.
        top: how many of its best documents are ranked; 100 by default.
        backend: runs the ONNX, OpenVINO or GGUF file of the models' repositories in place of torch; records are
            variants. GGUF is the default where a repository has nothing else.
        backend_file: which of these files, for example `onnx/model_qint8_avx512.onnx`; by default the usual one.
        name: of the model in records, in place of the end of its folder's path or of the callable's own name.
        offline: use only what is cached.
        strict: refuse what is scored, as in mteb, though it is wrong: texts with a zero vector, document ids that stand
            twice, labels that no training text has.
        trust_remote_code: let models run code from their repository.
        allow_pickle: load weights that are not safetensors.
        on_event: called on every step.

    Returns:
        Records in the order of models, then tasks.

    Raises:
        HarnessError: the request is wrong (nothing has run), or `CellsFailed` after everything else has run.
    """
    asked: dict[str, Any] = locals()
    asked["models"] = tuple(models) if isinstance(models, Sequence) and not isinstance(models, str) else (models,)
    asked["tasks"] = (tasks,) if isinstance(tasks, str | TaskSpec) else tasks
    return carry_out(requested(asked), on_event=on_event)
