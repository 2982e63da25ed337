"""The Hugging Face hub: the only module that speaks to it about models. Owns `huggingface_hub`.

`HF_ENDPOINT`, `HF_HOME` and `HF_TOKEN` are honoured by the client itself. Tokens are never read or logged here.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from harness.errors import ModelError

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

_steady = False


class Repo(NamedTuple):
    """A model repository at one commit."""

    commit: str
    files: tuple[str, ...]


RETRIED = frozenset({408, 429, 500, 502, 503, 504})
ATTEMPTS = 8
LONGEST_WAIT = 60.0


def steady() -> None:
    """Make the hub's clients patient: every request of this process is tried again on 408, 429 and 5xx answers.

    A `Retry-After` is waited for; else the wait doubles from half a second, with a little noise so that many workers
    do not come back together. Bodies that were cut are resumed by the client itself. Calling it again changes nothing.
    """
    global _steady
    if _steady:
        return
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils._http import default_client_factory

    def factory() -> Any:
        client = default_client_factory()
        client.send = _patient(client.send)  # type: ignore[method-assign]
        return client

    set_client_factory(factory)
    _steady = True


def _patient(send: Any, *, sleep: Callable[[float], None] = time.sleep) -> Any:
    @functools.wraps(send)
    def patiently(request: Any, **options: Any) -> Any:
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                response = send(request, **options)
            except Exception as err:
                # Refused connections are left to the caller: where nobody listens, patience is only delay.
                if last or type(err).__name__ not in ("ReadError", "RemoteProtocolError", "ReadTimeout"):
                    raise
                sleep(_wait(attempt, None))
                continue
            if last or response.status_code not in RETRIED:
                return response
            response.close()
            sleep(_wait(attempt, response.headers.get("Retry-After")))
        raise AssertionError("unreachable")

    return patiently


def _wait(attempt: int, retry_after: str | None) -> float:
    if retry_after is not None:
        try:
            return min(LONGEST_WAIT, max(0.0, float(retry_after)))
        except ValueError:  # a date: rare, and the doubling below is as good
            pass
    return min(LONGEST_WAIT, 0.5 * 2**attempt) * random.uniform(0.75, 1.25)


def go_offline() -> None:
    """Keep every client away from the network for the rest of the process."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    # The clients copy these settings when they are first imported; set the copies too when that has happened.
    for name in ("huggingface_hub.constants", "datasets.config"):
        if name in sys.modules:
            sys.modules[name].HF_HUB_OFFLINE = True  # type: ignore[attr-defined]


def is_offline() -> bool:
    """Whether the hub may not be asked."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def model(name: str, *, revision: str | None = None) -> Repo:
    """The commit that `revision` (default: main) of the model `name` stands for, and its files.

    Offline, the answer comes from the local cache.

    Raises:
        ModelError: the repository or revision does not exist, is private or gated, or cannot be reached.
    """
    from huggingface_hub import HfApi, errors

    steady()
    shown = name if revision is None else f"{name}@{revision}"
    if is_offline():
        return _cached(name, revision, shown)
    try:
        info = HfApi().model_info(name, revision=revision)
    except errors.GatedRepoError as err:
        raise ModelError(
            f"model {shown}: access is gated; accept its terms on the hub and set HF_TOKEN to a token with access"
        ) from err
    except errors.RevisionNotFoundError as err:
        raise ModelError(f"model {name}: the hub has no revision {revision!r}; name a branch, tag or commit") from err
    except errors.RepositoryNotFoundError as err:
        raise ModelError(
            f"model {shown}: not on the hub, or private and no token with access is set (HF_TOKEN); "
            "expected ORG/NAME, a folder, bundled/..., or baseline/..."
        ) from err
    except errors.HFValidationError as err:
        raise ModelError(f"model {name!r}: neither a folder that exists nor a valid hub name (ORG/NAME)") from err
    except Exception as err:  # refusals, and transport errors, whose classes change with the client's version
        raise ModelError(
            f"model {shown}: the hub could not be asked ({type(err).__name__}); "
            "try again, or use --offline for what is cached"
        ) from err
    return Repo(str(info.sha), tuple(sibling.rfilename for sibling in info.siblings or ()))


def _cached(name: str, revision: str | None, shown: str) -> Repo:
    from huggingface_hub import errors, snapshot_download

    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
    except errors.HFValidationError as err:
        raise ModelError(f"model {name!r}: neither a folder that exists nor a valid hub name (ORG/NAME)") from err
    except (errors.LocalEntryNotFoundError, OSError, ValueError) as err:
        raise ModelError(f"model {shown}: not in the local cache, and --offline forbids asking the hub") from err
    return Repo(folder.name, tuple(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()))


def collection(slug: str) -> tuple[str, ...]:
    """The models of a collection, in its order.

    Raises:
        ModelError: there is none of this name, or the hub cannot be asked.
    """
    from huggingface_hub import HfApi, errors

    steady()
    if is_offline():
        raise ModelError(f"collection {slug}: --offline forbids asking the hub")
    try:
        found = HfApi().get_collection(slug)
    except errors.HfHubHTTPError as err:
        status = err.response.status_code if err.response is not None else "?"
        raise ModelError(f"collection {slug}: the hub answered with status {status}; expected ORG/NAME-ID") from err
    except Exception as err:  # transport errors, whose classes change with the client's version
        raise ModelError(f"collection {slug}: the hub could not be asked ({type(err).__name__}); try again") from err
    return tuple(item.item_id for item in found.items if item.item_type == "model")


def remember(name: str, *, ref: str, commit: str) -> None:
    """Note in the client's cache that the branch or tag `ref` of the model `name` is `commit`.

    The client does so itself when it loads by branch. Models are loaded by commit here, so that they cannot change
    between resolving and loading; without the note, `--offline` would not find them under the name that worked online.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    file = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model") / "refs" / ref
    with contextlib.suppress(OSError):  # a cache that cannot be written is no reason to fail
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(commit, encoding="utf-8")


def fetch(name: str, commit: str) -> None:
    """Bring every file that loading the model `name` at `commit` can need into the client's cache.

    Other formats of the same weights (ONNX, OpenVINO, TensorFlow, and pickles where there are safetensors) stay away.

    Raises:
        ModelError: the hub could not be asked.
    """
    from huggingface_hub import snapshot_download

    steady()
    files = model(name, revision=commit).files
    skipped = ["*.onnx", "*.onnx_data", "onnx/*", "openvino/*", "*.h5", "*.msgpack", "*.ot", "*.gguf", "*.tflite"]
    if any(file.endswith(".safetensors") for file in files):
        skipped += ["*.bin", "*.pt", "*.pth", "*.ckpt"]
    try:
        snapshot_download(name, revision=commit, ignore_patterns=skipped)
    except Exception as err:
        raise ModelError(f"model {name}: could not be fetched ({type(err).__name__}); run the command again") from err


def settings(name: str, commit: str) -> Path | None:
    """The folder of the model `name` with its small text files (settings, tokenizer); None if not to be had."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    steady()
    patterns = ["*.json", "*.txt", "*.model"]
    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        return Path(snapshot_download(name, revision=commit, allow_patterns=patterns, local_files_only=is_offline()))
    except Exception:  # whoever loads the model next says what is wrong
        return None
    finally:
        if shown:
            enable_progress_bars()


def has_file(name: str, file: str, *, revision: str) -> bool:
    """Whether one file of the model `name` is in the client's cache, or could be brought there."""
    from huggingface_hub import hf_hub_download

    steady()
    try:
        hf_hub_download(name, file, revision=revision, local_files_only=is_offline())
    except Exception:  # as above
        return False
    return True


def send_folder(name: str, folder: Path, *, kind: Literal["dataset", "space"], message: str, private: bool) -> str:
    """Make the repository `name` hold the files of `folder`, and make it if absent; the address of the commit.

    Files that it has already are not sent again. Of a Space, pages that the folder lacks are removed; a data set only
    grows. Lock files and temporary ones stay here.

    Raises:
        ModelError: the hub refuses or cannot be asked. A commit is made whole or not at all.
    """
    from huggingface_hub import HfApi, errors

    steady()
    if is_offline():
        raise ModelError(f"{kind} {name}: --offline forbids asking the hub")
    api = HfApi()
    try:
        sdk = "static" if kind == "space" else None
        api.create_repo(name, repo_type=kind, private=private, exist_ok=True, space_sdk=sdk)
        done = api.upload_folder(
            repo_id=name,
            repo_type=kind,
            folder_path=folder,
            commit_message=message,
            ignore_patterns=["**/.*", ".*"],
            delete_patterns=["*.html", "**/*.html"] if kind == "space" else None,
        )
    except errors.HfHubHTTPError as err:
        advice: dict[int | str, str] = {
            403: "the token may not write there; use another one",
            404: "there is no such place, or the token may not see it",
            412: "somebody else changed the repository in between; it is sent again the next time",
        }
        raise ModelError(f"{kind} {name}: the hub refused {why_refused(err, advice)}") from err
    except Exception as err:  # a bad name, or transport errors, whose classes change with the client's version
        raise ModelError(f"{kind} {name}: the hub could not be asked ({type(err).__name__}: {err})") from err
    return str(done.commit_url)


def why_refused(err: HfHubHTTPError, advice: Mapping[int | str, str]) -> str:
    """The status with which the hub refused a commit, and what to do about it; else the first line of what it said."""
    status = err.response.status_code if err.response is not None else "?"
    known = {401: "no token that may write; log in or set HF_TOKEN", **advice}
    return f"(status {status}): {known.get(status, str(err).splitlines()[0] if str(err) else 'no reason given')}"


def data_file(name: str, file: str, *, revision: str) -> str:
    """The local path of one file of the data set `name`; downloaded, or resumed, when the cache lacks it.

    Raises:
        ConnectionError: it is not cached and could not be had.
    """
    from huggingface_hub import hf_hub_download

    steady()
    try:
        return hf_hub_download(name, file, repo_type="dataset", revision=revision, local_files_only=is_offline())
    except Exception as err:  # refusals, and transport errors, whose classes change with the client's version
        raise ConnectionError(f"{file}: {type(err).__name__}") from err


def reachable(*, seconds: float = 5.0) -> tuple[str, str]:
    """(endpoint, "yes" or why not), for `harness doctor`."""
    from huggingface_hub import constants, get_session

    if is_offline():
        return constants.ENDPOINT, "not asked (offline)"
    try:
        response = get_session().get(f"{constants.ENDPOINT}/api/models?limit=1", timeout=seconds)
    except Exception as err:
        return constants.ENDPOINT, f"no ({type(err).__name__})"
    return constants.ENDPOINT, "yes" if response.status_code < 500 else f"no (status {response.status_code})"
