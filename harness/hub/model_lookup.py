"""What the hub knows: the commit and files of a model, the models of a collection, and whether it answers at all."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

from harness.errors import ModelError, without_credentials
from harness.hub.client_cache import folder_of
from harness.hub.offline import is_offline
from harness.hub.retries import failure_text, kind_of_failure, retried_requests


class ModelRepository(NamedTuple):
    """A model repository at one commit."""

    commit: str
    files: tuple[str, ...]


class NotOnHub(ModelError):
    """A name under which the hub, or offline the local cache, has no model that may be read."""


class HubUnreachable(ModelError):
    """The hub did not answer, so that it is not known whether it has the model."""


class Reachability(NamedTuple):
    """The hub's address, and `yes` or the reason why it does not answer."""

    endpoint: str
    answer: str


@retried_requests()
def find_model(name: str, *, revision: str | None = None) -> ModelRepository:
    """The commit that `revision` (default: main) of the model `name` stands for, and its files.

    Offline, the answer comes from the local cache.

    Raises:
        ModelError: the repository or revision does not exist, is private or gated, or cannot be reached.
    """
    from huggingface_hub import HfApi, errors

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
        raise NotOnHub(
            f"model {shown}: not on the hub, or private and no token with access is set (HF_TOKEN); "
            "expected ORG/NAME, a folder, bundled/..., or baseline/..."
        ) from err
    except errors.HFValidationError as err:
        raise ModelError(f"model {name!r}: neither a folder that exists nor a valid hub name (ORG/NAME)") from err
    except Exception as err:
        raise HubUnreachable(
            f"model {shown}: the hub could not be asked ({failure_text(err)}); "
            "try again, or use --offline for what is cached",
            kind=kind_of_failure(err),
        ) from err
    return ModelRepository(str(info.sha), tuple(sibling.rfilename for sibling in info.siblings or ()))


def _cached(name: str, revision: str | None, shown: str) -> ModelRepository:
    """What the client's cache holds of a model, be it the whole or a part."""
    from huggingface_hub import errors
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except errors.HFValidationError as err:
        raise ModelError(f"model {name!r}: neither a folder that exists nor a valid hub name (ORG/NAME)") from err
    cache, ref = folder_of(name), revision or "main"
    with contextlib.suppress(OSError):
        ref = (cache / "refs" / ref).read_text(encoding="utf-8").strip()
    folder = cache / "snapshots" / ref
    if not ref or ".." in Path(ref).parts or not folder.is_dir():
        raise NotOnHub(f"model {shown}: not in the local cache, and --offline forbids asking the hub")
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return ModelRepository(folder.name, tuple(files))


def cached_models() -> list[str]:
    """The names of the models in the client's cache."""
    from huggingface_hub import constants

    folders = Path(constants.HF_HUB_CACHE).glob("models--*")
    return sorted(folder.name.removeprefix("models--").replace("--", "/", 1) for folder in folders)


@retried_requests()
def collection_models(slug: str) -> tuple[str, ...]:
    """The models of a collection, in its order.

    Raises:
        ModelError: there is none of this name, or the hub cannot be asked.
    """
    from huggingface_hub import HfApi, errors

    if is_offline():
        raise ModelError(f"collection {slug}: --offline forbids asking the hub")
    try:
        collection = HfApi().get_collection(slug)
    except errors.HfHubHTTPError as err:
        status = err.response.status_code if err.response is not None else "?"
        raise ModelError(
            f"collection {slug}: the hub answered with status {status}; expected ORG/NAME-ID",
            kind=kind_of_failure(err),
        ) from err
    except Exception as err:
        raise ModelError(
            f"collection {slug}: the hub could not be asked ({type(err).__name__}); try again",
            kind=kind_of_failure(err),
        ) from err
    return tuple(item.item_id for item in collection.items if item.item_type == "model")


def reachable(*, seconds: float = 5.0) -> Reachability:
    """Whether the hub answers within `seconds`."""
    from huggingface_hub import constants, get_session

    address = without_credentials(constants.ENDPOINT)
    if is_offline():
        return Reachability(address, "not asked (offline)")
    try:
        response = get_session().get(f"{constants.ENDPOINT}/api/models?limit=1", timeout=seconds)
    except Exception as err:
        return Reachability(address, f"no ({type(err).__name__})")
    return Reachability(address, "yes" if response.status_code < 500 else f"no (status {response.status_code})")
