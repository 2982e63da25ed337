"""The commit of a data set on the hub."""

from __future__ import annotations

import re

from harness.errors import DataError
from harness.hub.client_cache import folder_of, note_commit, noted_commit
from harness.hub.offline import is_offline
from harness.hub.retries import failure_text, kind_of_failure, retried_requests

_COMMIT = re.compile(r"[0-9a-f]{40}")


@retried_requests()
def dataset_commit(name: str, *, revision: str | None = None) -> str:
    """The commit that `revision` (default: main) of the data set `name` stands for.

    Offline, the answer comes from the local cache.

    Raises:
        DataError: there is no such data set or revision, it is private or gated, or the hub cannot be reached.
    """
    shown = f"data set {name}" if revision is None else f"data set {name}@{revision}"
    folder, ref = folder_of(name, kind="datasets"), revision or "main"
    if is_offline():
        commit = noted_commit(folder, ref) or (ref if _COMMIT.fullmatch(ref) else None)
        if commit is None or not (folder / "snapshots" / commit).is_dir():
            raise DataError(f"{shown}: not in the local cache, and --offline forbids asking the hub", kind="request")
        return commit
    from huggingface_hub import HfApi, errors

    try:
        commit = str(HfApi().dataset_info(name, revision=revision).sha)
    except errors.GatedRepoError as err:
        raise DataError(
            f"{shown}: access is gated; accept its terms on the hub and set HF_TOKEN to a token with access",
            kind="request",
        ) from err
    except errors.RevisionNotFoundError as err:
        raise DataError(
            f"data set {name}: the hub has no revision {revision!r}; name a branch, tag or commit", kind="request"
        ) from err
    except errors.RepositoryNotFoundError as err:
        raise DataError(
            f"{shown}: not on the hub, or private and no token with access is set (HF_TOKEN)", kind="request"
        ) from err
    except Exception as err:
        raise DataError(
            f"{shown}: the hub could not be asked ({failure_text(err)}); try again, or use --offline",
            kind=kind_of_failure(err),
        ) from err
    if not _COMMIT.fullmatch(ref):
        note_commit(folder, ref=ref, commit=commit)
    return commit
