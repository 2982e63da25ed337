"""Files of models and data sets, brought into the hub client's cache."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.errors import ModelError
from harness.hub.client_cache import folder_of
from harness.hub.model_lookup import find_model
from harness.hub.offline import is_offline
from harness.hub.progress_bars import hidden_bars
from harness.hub.retries import failure_text, kind_of_failure, retried_requests

_SMALL = (".json", ".txt", ".model")
"""Settings and tokenizers."""
_OTHER_FORMATS = (".onnx", ".onnx_data", ".h5", ".msgpack", ".ot", ".gguf", ".tflite")
_AT_ONCE = 8
"""Small files fetched side by side."""


@retried_requests()
def download_model(name: str, commit: str) -> None:
    """Bring every file that loading the model `name` at `commit` can need into the client's cache.

    Other formats of the same weights stay away: ONNX, OpenVINO, TensorFlow, and pickles beside safetensors.

    Raises:
        ModelError: the hub could not be asked.
    """
    from huggingface_hub import snapshot_download

    files = find_model(name, revision=commit).files
    try:
        snapshot_download(
            name, revision=commit, allow_patterns=[_literal(file) for file in files if _is_needed(file, files)]
        )
    except Exception as err:
        raise _not_fetched(name, "a file", err) from err


def _is_needed(file: str, files: Collection[str]) -> bool:
    """Whether loading a model may read a file of its repository."""
    folder, _, name = file.rpartition("/")
    if name.endswith(_SMALL):
        return True
    if file.startswith(("onnx/", "openvino/")) or name.endswith(_OTHER_FORMATS):
        return False
    beside = any(other.rpartition("/")[0] == folder and other.endswith(".safetensors") for other in files)
    return not (beside and name.endswith((".bin", ".pt", ".pth", ".ckpt")))


def _literal(file: str) -> str:
    """A pattern that only this file fits."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in file)


@retried_requests()
def settings_folder(name: str, commit: str) -> Path:
    """The folder of the model `name` with its small text files: settings and tokenizer.

    Raises:
        ModelError: they are not in the client's cache and could not be had.
    """
    from huggingface_hub import snapshot_download

    patterns = [f"*{suffix}" for suffix in _SMALL]
    try:
        with hidden_bars():
            return Path(
                snapshot_download(name, revision=commit, allow_patterns=patterns, local_files_only=is_offline())
            )
    except Exception as err:
        raise _not_fetched(name, "a settings file", err) from err


@retried_requests()
def fetch_files(name: str, files: Sequence[str], *, commit: str) -> Path:
    """The folder of the model `name` in the client's cache, once it holds these files.

    Raises:
        ModelError: a file is not in the client's cache and could not be had.
    """
    from huggingface_hub import hf_hub_download

    def fetch(file: str) -> None:
        try:
            hf_hub_download(name, file, revision=commit, local_files_only=is_offline())
        except Exception as err:
            raise _not_fetched(name, file, err) from err

    with hidden_bars(), ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        list(pool.map(fetch, files))
    return folder_of(name) / "snapshots" / commit


@retried_requests()
def tensor_types(name: str, file: str, *, commit: str) -> Mapping[str, str]:
    """Tensor -> type of number, in a safetensors file of the model `name`; only its header is fetched.

    Empty where the hub may not be asked.

    Raises:
        ModelError: the header could not be had.
    """
    from huggingface_hub import HfApi

    if is_offline():
        return {}
    try:
        metadata = HfApi().parse_safetensors_file_metadata(name, file, revision=commit)
    except Exception as err:
        raise _not_fetched(name, file, err) from err
    return {tensor: str(info.dtype) for tensor, info in metadata.tensors.items()}


def cached_file(name: str, file: str, *, commit: str) -> Path | None:
    """A file of the model `name` in the client's cache; None where it is not there."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(name, file, revision=commit)
    return Path(path) if isinstance(path, str) else None


def _not_fetched(name: str, what: str, err: Exception) -> ModelError:
    from huggingface_hub import errors

    if isinstance(err, errors.GatedRepoError):
        return ModelError(
            f"model {name}: access is gated; accept its terms on the hub and set HF_TOKEN to a token with access",
            kind="request",
        )
    if is_offline():
        return ModelError(f"model {name}: {what} is not in the local cache, and --offline forbids asking the hub")
    return ModelError(
        f"model {name}: {what} could not be fetched ({failure_text(err)}); run the command again",
        kind=kind_of_failure(err),
    )


@retried_requests()
def remember_absence(name: str, file: str, *, commit: str) -> None:
    """Let the client's cache know whether the model `name` at `commit` has a file; without the network it cannot ask.

    Raises:
        ModelError: the hub could not be asked.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        hf_hub_download(name, file, revision=commit)
    except EntryNotFoundError:
        return
    except Exception as err:
        raise _not_fetched(name, file, err) from err


@retried_requests()
def has_model_file(name: str, file: str, *, revision: str) -> bool:
    """Whether one file of the model `name` is in the client's cache, or could be brought there."""
    from huggingface_hub import hf_hub_download

    try:
        hf_hub_download(name, file, revision=revision, local_files_only=is_offline())
    except Exception:  # as above
        return False
    return True


@retried_requests()
def dataset_file(name: str, file: str, *, revision: str) -> str:
    """The local path of one file of the data set `name`; downloaded, or resumed, when the cache lacks it.

    Raises:
        ConnectionError: it is not cached and could not be had.
    """
    from huggingface_hub import hf_hub_download

    try:
        return hf_hub_download(name, file, repo_type="dataset", revision=revision, local_files_only=is_offline())
    except Exception as err:
        raise ConnectionError(f"{file}: {failure_text(err)}") from err
