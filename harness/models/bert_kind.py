"""The kind of model "bert": BERT, RoBERTa, XLM-R or CamemBERT with mean or CLS pooling, run from its files.

Where the files or the options differ from what that code does, sentence-transformers runs the model.
"""

from __future__ import annotations

from harness.errors import ModelError, first_line
from harness.models import dense_kinds, model_prompts, saved_modules
from harness.models.devices import pick_devices
from harness.models.model_files import has_weights, settings_folder
from harness.models.model_kind import ModelKind
from harness.models.repository import Repository
from harness.types import EncodeOptions, Encoder, ModelSpec


def recognises(repository: Repository) -> bool:
    """The modules and settings are exactly those that `bert_encoder` computes."""
    model = saved_modules.read(repository.folder)
    return model is not None and model.kind == "bert"


def open_bert(spec: ModelSpec, options: EncodeOptions) -> Encoder:
    """The model, by code of this package where that computes the same, on a CPU.

    A GPU computes packed batches, for which sentence-transformers opens the model.

    Raises:
        ModelError: it cannot be loaded.
    """
    folder = settings_folder(spec)
    on_cpu = pick_devices(options.device)[0].type == "cpu" and options.batching != "packed"
    usual = on_cpu and not spec.trust_remote_code and model_prompts.opening(spec).is_usual
    model = saved_modules.read(folder) if usual else None
    if model is not None and model.kind == "bert" and has_weights(spec, folder, model.module):
        from safetensors import SafetensorError

        from harness.models.bert_encoder import BertEncoder

        try:
            return BertEncoder(spec, options, model)
        except SafetensorError as err:
            file = (model.module / "model.safetensors").relative_to(folder)
            raise ModelError(
                f"model {spec.name}: its weights ({file.as_posix()}) cannot be read ({first_line(err)}); the file is "
                "empty, incomplete or damaged; fetch or save the model again"
            ) from err
        except (LookupError, OSError, ValueError):  # its files contradict its settings; sentence-transformers decides
            pass
    return dense_kinds.open_dense(spec, options)


KIND = ModelKind(
    name="bert",
    recognises=recognises,
    open=open_bert,
    on_each_device=True,
    settings=dense_kinds.SETTINGS_OF_DENSE,
)
