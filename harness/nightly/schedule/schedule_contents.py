"""What a schedule holds: models, tasks, folders, the engine, and what happens at the end of a night."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One entry of `models` or `baselines`: exactly one of `name`, `glob` and `collection`."""

    name: str = ""
    glob: str = ""
    collection: str = ""
    trust_remote_code: bool = False
    allow_pickle: bool = False
    baseline: bool = False

    @property
    def asked(self) -> str:
        """As it stands in the schedule."""
        return self.name or self.glob or self.collection


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Where cells are computed.

    Attributes:
        kind: `local`: processes of this machine; `ray`: a Ray cluster.
        workers: how many at once; 0 for one per GPU, or one on the CPU.
        device: as `harness run --device`.
        address: of the Ray cluster; `auto` joins the one that runs here, `local` starts one.
        gpus, cpus: what each Ray worker claims; None for one GPU where the cluster has any, and one CPU.
        timeout: seconds that a cell may take.
        retries: how often a cell that crashed, hung or lost its hub is tried again in the same night.
        backoff: seconds before the first retry; doubles with each.
        shard_documents: corpora above this many documents are searched in shards of so many; 0 for never.
    """

    kind: Literal["local", "ray"] = "local"
    workers: int = 0
    device: str = "auto"
    address: str = "auto"
    gpus: float | None = None
    cpus: float | None = None
    timeout: float = 4 * 3600.0
    retries: int = 2
    backoff: float = 10.0
    shard_documents: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRules:
    """What is worth an alert.

    Attributes:
        regressions: a drop beyond the paired 95% interval.
        unexplained: any change of a score though model, data and settings are the same.
        recheck: so many recorded cells of the baselines are computed again every night, the oldest first, which is how
            a change of the run environment is noticed.
    """

    regressions: bool = True
    unexplained: bool = True
    recheck: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """Whom to tell: a shell command or the address of a webhook, in which `$NAME` stands for the environment's."""

    command: str = ""
    webhook: str = ""
    when: Literal["always", "alert", "failure", "change"] = "alert"
    timeout: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """Where results and site go besides their folders: a branch, a data set and a Space of the hub; empty for nowhere.

    Attributes:
        push: the git remote that the branch is pushed to.
        private: make the repositories private where they are made.
    """

    branch: str = ""
    push: str = ""
    dataset: str = ""
    space: str = ""
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What is measured every night; all paths are absolute.

    Attributes:
        file: that it was read from.
        models: baselines last.
        budget: seconds, None for as long as it takes.
        keep: how many snapshots stay, 0 for all.
    """

    file: Path
    models: tuple[ModelEntry, ...]
    suites: tuple[str, ...]
    tasks: tuple[str, ...]
    results: Path
    history: Path
    tasks_dirs: tuple[Path, ...] = ()
    precisions: tuple[str, ...] = ("auto",)
    site: Path | None = None
    engine: EngineOptions = field(default_factory=EngineOptions)
    budget: float | None = None
    alerts: AlertRules = field(default_factory=AlertRules)
    notify: tuple[Hook, ...] = ()
    publish: Publishing = field(default_factory=Publishing)
    keep: int = 0
