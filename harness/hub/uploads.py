"""A folder sent to a data set or a Space, and the reasons why the hub refuses a commit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import ModelError
from harness.hub.offline import is_offline
from harness.hub.retries import kind_of_failure, retried_requests

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError


@retried_requests()
def upload_folder(name: str, folder: Path, *, kind: Literal["dataset", "space"], message: str, private: bool) -> str:
    """Make the repository `name` hold the files of `folder`, and make it if absent; the address of the commit.

    Files that it has already are not sent again. Of a Space, pages that the folder lacks are removed; a data set only
    grows. Lock files and temporary ones stay here.

    Raises:
        ModelError: the hub refuses or cannot be asked. A commit is made whole or not at all.
    """
    from huggingface_hub import HfApi, errors

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
        raise ModelError(
            f"{kind} {name}: the hub refused {why_refused(err, advice)}", kind=kind_of_failure(err)
        ) from err
    except Exception as err:  # a bad name, or a transport error
        raise ModelError(
            f"{kind} {name}: the hub could not be asked ({type(err).__name__}: {err})", kind=kind_of_failure(err)
        ) from err
    return str(done.commit_url)


def why_refused(err: HfHubHTTPError, advice: Mapping[int | str, str]) -> str:
    """The status with which the hub refused a commit, and what to do about it; else the first line of what it said."""
    status = err.response.status_code if err.response is not None else "?"
    reasons = {401: "no token that may write; log in or set HF_TOKEN", **advice}
    return f"(status {status}): {reasons.get(status, str(err).splitlines()[0] if str(err) else 'no reason given')}"
