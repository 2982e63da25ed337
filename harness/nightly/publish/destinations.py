"""Publishing results: the site, a branch of the schedule's git repository, the hub.

Every step can be repeated: what is published already is not written, committed or sent again.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.nightly.schedule.schedule_contents import Schedule
from harness.types import Part, TaskSpec
from harness.types.counted import counted

GIT_SECONDS = 300.0
_AUTHOR = "embedding-harness"


def site(schedule: Schedule, tasks: Sequence[tuple[TaskSpec, tuple[Part, ...]]]) -> str:
    """Write the pages of the leaderboard; a text that tells where they are and how many files changed.

    Raises:
        HarnessError: nothing is recorded, or the folder cannot be written.
    """
    from harness.leaderboard import board
    from harness.leaderboard import file_index as index
    from harness.leaderboard.counted_tasks import scoped
    from harness.leaderboard.uncertainty import with_uncertainty
    from harness.outputs import site as pages

    assert schedule.site is not None
    scope = [scoped(task, parts) for task, parts in tasks]
    title = ", ".join([*schedule.suites, *schedule.tasks][:3])
    built = board.build([index.read(schedule.results)], scope, title=title, variants=schedule.has_variants)
    written = pages.write(with_uncertainty(built), schedule.site)
    return (
        f"{schedule.site / 'index.html'} ({counted(written.pages, 'page')}, {counted(written.changed, 'file')} changed)"
    )


def git_root(schedule: Schedule) -> Path:
    """The repository that holds the schedule.

    Raises:
        HarnessError: no repository holds the schedule, or the results or the site are outside it.
    """
    root = Path(_git(schedule.file.parent, "rev-parse", "--show-toplevel")).resolve()
    for place in _places(schedule):
        if not place.is_relative_to(root):
            raise HarnessError(f"publish.git: {place} is outside the repository {root}; move it inside")
    return root


def branch(schedule: Schedule, message: str) -> str:
    """Commit results and site to the branch and push it if the schedule says so; a text that tells what was done.

    The work tree stays as it is, and so does the branch that is checked out, unless it is this one. Ignored files are
    committed too, because the schedule names what is published.

    Raises:
        HarnessError: a git command fails.
    """
    root, name = git_root(schedule), schedule.publish.branch
    reference = f"refs/heads/{name}"
    checked_out = _git(root, "symbolic-ref", "--quiet", "HEAD", allow=(1,)) == reference
    parent = _git(root, "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}", allow=(1,))
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        if parent:
            _git(root, "read-tree", parent, extra=index)
        for place in _places(schedule):
            _git(root, "add", "--all", "--force", "--", str(place), extra=index)
        _unstage_locks(root, index)
        tree = _git(root, "write-tree", extra=index)
    outcome = f"branch {name}: nothing new"
    if not parent or tree != _git(root, "rev-parse", f"{parent}^{{tree}}"):
        parents = ("-p", parent) if parent else ()
        commit = _git(root, "commit-tree", tree, *parents, "-m", message, extra=_author(root))
        _git(root, "update-ref", reference, commit, parent or "0" * len(commit))
        if checked_out:  # the work tree has the files of the commit, only the index does not
            _git(root, "reset", "--quiet", "--", *(str(place) for place in _places(schedule)))
        outcome = f"branch {name}: commit {commit[:10]}"
    if schedule.publish.push:
        _git(root, "push", "--quiet", schedule.publish.push, reference)
        outcome += f", pushed to {schedule.publish.push}"
    return outcome


def to_hub(schedule: Schedule, *, space: bool, message: str) -> str:
    """Upload the results to a data set of the hub, or the site to a Space; the address of the commit.

    Raises:
        ModelError: the hub refuses or cannot be reached.
    """
    from harness.hub.uploads import upload_folder

    name = schedule.publish.space if space else schedule.publish.dataset
    folder = schedule.site if space else schedule.results
    assert folder is not None
    return upload_folder(
        name,
        folder,
        kind="space" if space else "dataset",
        message=message,
        private=schedule.publish.private,
    )


def _places(schedule: Schedule) -> list[Path]:
    return [place for place in (schedule.results, schedule.site) if place is not None and place.exists()]


def _unstage_locks(root: Path, index: dict[str, str]) -> None:
    locks = [":(glob)**/.harness.lock", ":(glob)**/.nightly.lock", ":(glob)**/.*.tmp"]
    _git(root, "rm", "--cached", "--quiet", "--ignore-unmatch", "--", *locks, extra=index)


def _author(root: Path) -> dict[str, str]:
    """The author of commits if git has none configured, as on a fresh CI machine."""
    configured = _git(root, "config", "user.email", allow=(1,))
    if configured or os.environ.get("GIT_AUTHOR_EMAIL"):
        return {}
    names = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), _AUTHOR)
    return {**names, **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), f"{_AUTHOR}@localhost")}


def _git(folder: Path, *arguments: str, allow: Sequence[int] = (), extra: dict[str, str] | None = None) -> str:
    """The output of a git command without its last line break; empty if its exit status is in `allow`."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(extra or {})}
    try:
        process = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except FileNotFoundError as err:
        raise HarnessError("publish.git: the program `git` is missing; install it") from err
    except subprocess.TimeoutExpired as err:
        raise HarnessError(f"publish.git: `git {arguments[0]}` did not finish within {GIT_SECONDS:g} s") from err
    if process.returncode in allow:
        return ""
    if process.returncode:
        message = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise HarnessError(f"publish.git: `git {arguments[0]}` in {folder} failed: {message}")
    return process.stdout.strip()
