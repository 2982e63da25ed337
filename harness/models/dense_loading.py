"""Opens a `SentenceTransformer` as its files say, and refuses weights that the files do not hold.

Owns `sentence_transformers` and `transformers`. The weights stay as they were loaded: converting a model afterwards
would round what it keeps in float32, such as the frequencies of rotary positions.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.errors import ModelError, first_line
from harness.hub.offline import is_offline
from harness.hub.progress_bars import hidden_bars
from harness.hub.retries import kind_of_failure, retried_requests
from harness.models import backend_files, graph_backend, saved_modules
from harness.models.devices import DTYPES
from harness.models.model_files import settings_folder
from harness.models.mteb_loaders import Opening
from harness.models.shared_weights import with_shared_weights
from harness.types import ModelSpec, Precision, PromptRules
from harness.types.counted import listed

if TYPE_CHECKING:
    import torch

_REPORTING = threading.Lock()
_SHOWN_NAMES = 3


def load(
    spec: ModelSpec,
    opening: Opening,
    device: torch.device,
    precision: Precision,
    *,
    class_name: str = "SentenceTransformer",
) -> Any:
    """The model on a device, ready to encode, opened as mteb's loader opens it.

    Args:
        spec: the model.
        opening: how mteb's loader opens it.
        device: where it will run.
        precision: of its weights.
        class_name: the class of sentence-transformers that it is.

    A model that is open already is not loaded: it comes as a copy that shares its weights.

    Raises:
        ModelError: it cannot be loaded, lacks weights, or its own code loads it in another precision.
    """
    if spec.function is not None:
        return with_shared_weights(spec.function)
    with hidden_bars(), quiet(), retried_requests(), _loading_reports() as reports:
        try:
            model = _constructed(spec, opening, device, precision, class_name=class_name)
        except ModelError:
            raise
        except Exception as err:
            hint = ""
            if not spec.trust_remote_code and saved_modules.brings_code(settings_folder(spec)):
                hint = "; it brings its own code, which runs only with --trust-remote-code"
            raise ModelError(
                f"model {spec.name}: cannot be loaded ({first_line(err)}){hint}",
                kind=kind_of_failure(err, otherwise="model"),
            ) from err
    for report in reports:
        _refuse_invented_weights(spec, report, with_pooler=class_name == "CrossEncoder" or _uses_pooler(model))
    return _in_precision(spec, model, precision).eval()


def prompts_of(model: Any) -> PromptRules:
    """The prompts that an open model brings."""
    prompts = {name: text for name, text in model.prompts.items() if text is not None}
    return PromptRules(prompts=prompts, default=model.default_prompt_name)


def pairwise_similarity(model: Any, name: str | None) -> Any:
    """The function that compares row i with row i: the one of this name, or the model's own for None."""
    from sentence_transformers.util import SimilarityFunction

    if name is None:
        return model.similarity_pairwise
    return SimilarityFunction.to_similarity_pairwise_fn(SimilarityFunction(name))


def _constructed(
    spec: ModelSpec, opening: Opening, device: torch.device, precision: Precision, *, class_name: str
) -> Any:
    """The constructor call, and what mteb's loader does after it."""
    import sentence_transformers

    if not hasattr(sentence_transformers, class_name):
        raise ValueError(f"sentence-transformers {sentence_transformers.__version__} has no {class_name}; upgrade it")
    with _transformer_from_file(spec, device) as backend:
        model = getattr(sentence_transformers, class_name)(
            opening.repository or spec.location,
            revision=spec.revision if spec.origin == "hub" else None,
            device=str(device),
            trust_remote_code=spec.trust_remote_code,
            local_files_only=is_offline() or spec.origin != "hub" or bool(spec.dependencies),
            **backend,
            **_arguments(opening, precision),
        )
    _set_afterwards(model, opening)
    return model


@contextlib.contextmanager
def _transformer_from_file(spec: ModelSpec, device: torch.device) -> Iterator[dict[str, str]]:
    """The arguments that choose the backend of sentence-transformers; in the block it opens the model's file by us."""
    if spec.backend_file is None:
        yield {}
        return
    import sys

    from sentence_transformers.models import Transformer

    backend = spec.backend_file.backend
    file = next(iter(backend_files.local_paths(spec).values()))

    def opened(*_: Any, config: Any, **__: Any) -> graph_backend.GraphTransformer:
        return graph_backend.GraphTransformer(
            graph_backend.open_graph(spec.name, backend, file, device=str(device)), config
        )

    module, name = sys.modules[Transformer.__module__], f"load_{backend}_model"
    original = getattr(module, name)
    setattr(module, name, opened)  # `_REPORTING` is held: no other model loads
    try:
        yield {"backend": backend}
    finally:
        setattr(module, name, original)


def _arguments(opening: Opening, precision: Precision) -> dict[str, Any]:
    """The arguments of mteb's loader; code and precision are the user's choice."""
    import torch

    arguments = {name: value for name, value in opening.arguments.items() if name != "trust_remote_code"}
    of_model = {name: value for name, value in arguments.get("model_kwargs", {}).items() if name != "trust_remote_code"}
    return {**arguments, "model_kwargs": {**of_model, "dtype": getattr(torch, DTYPES[precision])}}


def _set_afterwards(model: Any, opening: Opening) -> None:
    """What mteb's loader changes in the model once it is loaded."""
    if opening.max_length is not None:
        model.max_seq_length = opening.max_length
    if opening.include_prompt is not None:
        model.set_pooling_include_prompt(include_prompt=opening.include_prompt)
    for name, value in opening.tokenizer.items():
        setattr(model.tokenizer, name, value)


def _in_precision(spec: ModelSpec, model: Any, precision: Precision) -> Any:
    """The model, whose transformer was loaded in `precision`; one without a transformer is converted."""
    import torch

    dtype = getattr(torch, DTYPES[precision])
    floating = {parameter.dtype for parameter in model.parameters() if parameter.is_floating_point()}
    if not floating or dtype in floating:
        return model
    if model.transformers_model is None:
        return model.to(dtype=dtype)
    loaded = ", ".join(sorted(str(other).removeprefix("torch.") for other in floating))
    raise ModelError(
        f"model {spec.name}: its code loads the weights in {loaded} and not in {precision}; name that with --precision"
    )


@contextlib.contextmanager
def _loading_reports() -> Iterator[list[dict[str, Any]]]:
    """What transformers reports of each model that is loaded in the block: missing and mismatched weights."""
    from transformers import PreTrainedModel

    original = PreTrainedModel.__dict__["from_pretrained"]
    reports: list[dict[str, Any]] = []

    def reporting(cls: Any, *arguments: Any, **options: Any) -> Any:
        if options.get("output_loading_info"):
            return original.__get__(None, cls)(*arguments, **options)
        model, report = original.__get__(None, cls)(*arguments, **{**options, "output_loading_info": True})
        reports.append(report)
        return model

    with _REPORTING:
        PreTrainedModel.from_pretrained = classmethod(reporting)  # type: ignore[assignment]
        try:
            yield reports
        finally:
            PreTrainedModel.from_pretrained = original  # type: ignore[method-assign]


def _refuse_invented_weights(spec: ModelSpec, report: dict[str, Any], *, with_pooler: bool) -> None:
    """Raises ModelError where a weight is not in the file, so that transformers has filled it with random numbers."""
    mismatched = sorted(str(key[0]) for key in report.get("mismatched_keys") or ())
    missing = sorted(
        key for key in map(str, report.get("missing_keys") or ()) if with_pooler or "pooler." not in f".{key}"
    )
    names = mismatched or missing
    if not names:
        return
    shown = listed(names, most=_SHOWN_NAMES)
    what = "have another shape in its file than config.json says" if mismatched else "are missing in its file"
    raise ModelError(
        f"model {spec.name}: weights {what} ({shown}), and would be random numbers; the file is incomplete or its "
        "architecture is another one than config.json names"
    )


def _uses_pooler(model: Any) -> bool:
    """Whether a transformer's output is that of its pooler instead of its tokens' states."""
    outputs = [getattr(module, "modality_config", None) for module in model]
    return any("pooler_output" in str(output) for output in outputs)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep progress bars and advice of the libraries off the terminal while a model loads."""
    from transformers.utils import logging as transformers_logging

    level = logging.getLogger("sentence_transformers").level
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("sentence_transformers").setLevel(level)
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
