"""Everything that a caller asks of a run, as one value: the Python API, the commands and the night each build one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

from harness import models
from harness.errors import HarnessError, ModelError
from harness.files.folders import results_folder
from harness.models.asked_settings import require_honoured
from harness.models.model_prompts import asked_of
from harness.runner.model_names import named, require_own_name, with_name
from harness.runner.selection import Selection
from harness.types import PLAIN, BackendName, EncodeOptions, FirstStage, ModelSpec, VectorTransform

ModelName: TypeAlias = str | Callable[[list[str]], Any] | ModelSpec
"""A name (see `harness.models`), a callable `list[str] -> (n, dim) array`, or a model that is resolved already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Everything that a caller asks of a run.

    Attributes:
        models: each is measured on every task; a model that is named twice counts once.
        selection: the tasks and parts.
        options: how models are opened and asked to encode.
        transforms: of the vectors; each transform but the plain one is a variant with its own records.
        max_texts: quick mode: at most this many texts of each side of a part; its records are variants.
        results: folder of the records.
        overwrite: compute recorded cells again.
        prompts: name -> prompt, in place of the models' own; records are variants.
        like: a model of mteb's registry whose prompts and settings the models take over.
        first_stage: a model that searches the corpus for models that only rank candidates.
        top: how many of its best documents those rank; None for `models.TOP`.
        name: of the model in records, in place of the end of its folder's path; for a single folder or callable.
        backend: what runs the models; None for torch, or for llama.cpp where a repository has nothing else.
        backend_file: the file of their repository that it runs; None for the usual one.
        trust_remote_code: let models run code from their repository.
        allow_pickle: load weights that are not safetensors.
        offline: use only what is cached or bundled.
    """

    results: Path
    models: tuple[ModelName, ...] = (models.BUNDLED,)
    selection: Selection = field(default_factory=Selection)
    options: EncodeOptions = field(default_factory=EncodeOptions)
    transforms: tuple[VectorTransform, ...] = (PLAIN,)
    max_texts: int | None = None
    overwrite: bool = False
    prompts: Mapping[str, str] | None = None
    like: str | None = None
    first_stage: ModelName | None = None
    top: int | None = None
    name: str | None = None
    backend: BackendName | None = None
    backend_file: str | None = None
    trust_remote_code: bool = False
    allow_pickle: bool = False
    offline: bool = False

    def resolved(self) -> list[ModelSpec]:
        """The models, each looked up once; no weights are loaded.

        Raises:
            HarnessError: a model does not exist, its weights are not trusted, or it cannot have the name or be asked in
                this way.
        """
        specs = [
            model
            if isinstance(model, ModelSpec)
            else self._asked(self._resolved(model, backend=self.backend, backend_file=self.backend_file))
            for model in dict.fromkeys(self.models)
        ]
        if self.name is not None:
            if len(specs) != 1:
                raise HarnessError(f"--name {self.name!r}: names one model; found {len(specs)} models")
            specs = [with_name(specs[0], self.name, results=self.results)]
        for spec in specs:
            require_own_name(spec, results=self.results)
        if self.first_stage is None:
            if self.top is not None:
                raise ModelError(f"--top {self.top}: belongs to --first-stage MODEL, which is not given; add it")
            return list(dict.fromkeys(named(specs, results=self.results)))
        *specs, first = named([*specs, self._resolved(self.first_stage)], results=self.results)
        return [models.in_two_stages(spec, FirstStage(first, self.top or models.TOP)) for spec in dict.fromkeys(specs)]

    def _asked(self, spec: ModelSpec) -> ModelSpec:
        opening = {"trust_remote_code": self.trust_remote_code or None, "allow_pickle": self.allow_pickle or None}
        require_honoured(spec, {"prompts": self.prompts, "like": self.like, **opening})
        tasks = () if self.prompts is None else self.selection.names()
        return asked_of(spec, prompts=self.prompts, like=self.like, tasks=tasks)

    def _resolved(
        self, model: ModelName, *, backend: BackendName | None = None, backend_file: str | None = None
    ) -> ModelSpec:
        if isinstance(model, ModelSpec):
            return model
        return models.resolve(
            model,
            trust_remote_code=self.trust_remote_code,
            allow_pickle=self.allow_pickle,
            backend=backend,
            backend_file=backend_file,
        )


def requested(asked: Mapping[str, Any]) -> Request:
    """The request that keywords of `harness.run`, or options of `harness run` under the same names, describe.

    Names of other options are left alone.

    Raises:
        HarnessError: as `transforms`.
    """
    return Request(
        **{
            **_of(Request, asked),
            "selection": selected(asked),
            "options": EncodeOptions(**_of(EncodeOptions, asked)),
            "transforms": transforms(asked["dims"], asked["quantize"], asked["rescore"]),
            "results": results_folder(asked["results"]),
        }
    )


def selected(asked: Mapping[str, Any]) -> Selection:
    """The tasks and parts that the same keywords or options describe."""
    given = _of(Selection, asked)
    given = {name: tuple(value) if isinstance(value, Iterable) else value for name, value in given.items()}
    given["suites"] = () if asked["suite"] is None else (asked["suite"],)
    given["task_folders"] = tuple(map(Path, asked["tasks_dirs"]))
    return Selection(**given)


def _of(kind: type[Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked for under the names of the fields of a dataclass."""
    return {entry.name: asked[entry.name] for entry in fields(kind) if entry.name in asked}


def transforms(
    dims: Sequence[int], quantize: Sequence[Literal["int8", "binary"]], rescore: Sequence[int] = ()
) -> tuple[VectorTransform, ...]:
    """The plain transform, then every pair of one of `dims` (or all dimensions) and one of `quantize` (or floats).

    Each quantized pair is there without a second scoring, and with that of each number of `rescore`.

    Raises:
        HarnessError: a number is negative, or nothing is quantized whose documents could be scored again.
    """
    shown = ",".join(map(str, rescore))
    if any(number < 0 for number in rescore):
        raise HarnessError(f"--rescore {shown}: expected numbers of documents, 0 or more")
    if any(rescore) and not quantize:
        raise HarnessError(
            f"--rescore {shown}: ranks the best documents of a search in quantized vectors again; add --quantize int8 "
            "or --quantize binary"
        )
    return tuple(
        VectorTransform(dimensions, number_format, number)
        for dimensions in (None, *dict.fromkeys(dims))
        for number_format in (None, *dict.fromkeys(quantize))
        for number in ((0, *(number for number in dict.fromkeys(rescore) if number)) if number_format else (0,))
    )
