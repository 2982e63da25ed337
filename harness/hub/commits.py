"""Cards and evaluation results to the hub: what is there is fetched, and the change committed on top of that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from harness.errors import CardError
from harness.hub.model_lookup import find_model
from harness.hub.offline import is_offline
from harness.hub.retries import failure_text, kind_of_failure, retried_requests
from harness.hub.uploads import why_refused

CARD = "README.md"


class Remote(NamedTuple):
    """Files of a model's repository at one commit; those that it lacks are absent."""

    repo: str
    commit: str
    files: Mapping[str, bytes]


@retried_requests()
def fetch(repo: str, *, prefix: str = CARD) -> Remote:
    """The files of the model `repo` whose path begins with `prefix`, at the newest commit.

    Raises:
        ModelError: there is no such repository, or the hub cannot be asked.
        CardError: a file cannot be had.
    """
    from huggingface_hub import hf_hub_download

    if is_offline():
        raise CardError(f"{repo}: --offline forbids asking the hub")
    repository = find_model(repo)
    files: dict[str, bytes] = {}
    for name in repository.files:
        if name == prefix or (prefix.endswith("/") and name.startswith(prefix)):
            try:
                files[name] = Path(hf_hub_download(repo, name, revision=repository.commit)).read_bytes()
            except Exception as err:
                raise CardError(
                    f"{repo}: {name} could not be fetched ({failure_text(err)}); try again",
                    kind=kind_of_failure(err),
                ) from err
    return Remote(repo, repository.commit, files)


@retried_requests()
def commit(remote: Remote, changed: Mapping[str, bytes], *, message: str, as_pull_request: bool) -> str:
    """Commit files on top of what was fetched, or open a pull request with them; its address.

    Raises:
        CardError: the hub refuses: somebody else was faster, the token may not write, or the card is not valid.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, errors

    operations = [
        CommitOperationAdd(path_in_repo=path, path_or_fileobj=content) for path, content in sorted(changed.items())
    ]
    try:
        done = HfApi().create_commit(
            remote.repo,
            operations,
            commit_message=message,
            create_pr=as_pull_request,
            parent_commit=remote.commit,
        )
    except errors.HfHubHTTPError as err:
        advice: dict[int | str, str] = {
            403: "the token may not write there; use --pr, or another token",
            412: "somebody else changed the repository in between; run again",
        }
        raise CardError(
            f"{remote.repo}: the hub refused the commit {why_refused(err, advice)}", kind=kind_of_failure(err)
        ) from err
    except Exception as err:  # an invalid card, or a transport error
        raise CardError(
            f"{remote.repo}: the commit failed, or its answer could not be read ({type(err).__name__}: {err}); "
            "look at the repository before you run again"
        ) from err
    return str(done.pr_url if as_pull_request and done.pr_url else done.commit_url)
