"""The kind of model "static embeddings": one vector for each token, and their mean for a text.

numpy computes it on the CPU. With a device or a precision that were asked for, or a checkpoint in half precision,
sentence-transformers does.
"""

from __future__ import annotations

from harness.models import dense_kinds, model_prompts, saved_modules
from harness.models.model_files import has_weights, settings_folder
from harness.models.model_kind import SETTINGS, ModelKind
from harness.models.repository import Repository
from harness.types import EncodeOptions, Encoder, ModelSpec


def recognises(repository: Repository) -> bool:
    """The modules are static embeddings, normalised or not, and nothing else."""
    model = saved_modules.read(repository.folder)
    return model is not None and model.kind == "static"


def open_static(spec: ModelSpec, options: EncodeOptions) -> Encoder:
    """The model, by code of this package where that computes the same.

    Raises:
        ModelError: it cannot be loaded.
    """
    folder = settings_folder(spec)
    usual = not spec.trust_remote_code and model_prompts.opening(spec).is_usual
    model = saved_modules.read(folder) if usual else None
    precision = spec.checkpoint_precision if options.precision == "auto" else options.precision
    plain = options.device in ("auto", "cpu") and precision == "fp32" and options.max_length is None
    if plain and model is not None and model.kind == "static" and has_weights(spec, folder, model.module):
        from harness.models.static import StaticEncoder

        try:
            return StaticEncoder(spec, model)
        except (LookupError, OSError, ValueError):  # its files contradict its settings; sentence-transformers decides
            pass
    return dense_kinds.open_dense(spec, options)


KIND = ModelKind(name="static embeddings", recognises=recognises, open=open_static, settings=SETTINGS - {"max_length"})
