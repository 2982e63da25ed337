"""What a schedule holds: models, tasks, folders, the engine, and what happens at the end of a night."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.types import BackendName


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One entry of `models` or `baselines`: exactly one of `name`, `glob` and `collection`.

    Attributes:
        label: the name in records and reports, in place of the end of a folder's path.
        backend, backend_file, first_stage, top, like: as for `harness run`.
    """

    name: str = ""
    label: str = ""
    glob: str = ""
    collection: str = ""
    trust_remote_code: bool = False
    allow_pickle: bool = False
    backend: BackendName | None = None
    backend_file: str | None = None
    first_stage: str | None = None
    top: int | None = None
    like: str | None = None
    baseline: bool = False

    @property
    def asked(self) -> str:
        """The name, glob or collection in the schedule."""
        return self.name or self.glob or self.collection


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Where cells are computed.

    Attributes:
        kind: `local`: processes of this machine; `ray`: a Ray cluster.
        workers: how many at once; 0 for one per GPU, or one on the CPU.
        device: as for `harness run --device`.
        address: of the Ray cluster; `auto` joins the one that runs here, `local` starts one.
        gpus, cpus: what each Ray worker claims; None for one GPU where the cluster has any, and one CPU.
        timeout: seconds that a cell may take.
        retries: how often a cell that crashed, hung or lost its hub is tried again that night.
        backoff: seconds before the first retry; doubles with each.
        shard_documents: corpora with more documents are searched in shards of this size; 0 for no shards.
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
    """Which changes raise an alert.

    Attributes:
        regressions: a drop beyond the paired 95% interval.
        unexplained: any change of a score though model, data and settings are the same.
        recheck: how many recorded cells of the baselines are computed again every night, the oldest first, to detect
            changes of the run environment.
    """

    regressions: bool = True
    unexplained: bool = True
    recheck: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A hook: a shell command or the address of a webhook. `$NAME` is replaced by the environment variable NAME."""

    command: str = ""
    webhook: str = ""
    when: Literal["always", "alert", "failure", "change"] = "alert"
    timeout: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """Where results and site are published: a branch, a data set and a Space of the hub; empty for none.

    Attributes:
        push: the git remote that the branch is pushed to.
        private: whether new repositories are made private.
    """

    branch: str = ""
    push: str = ""
    dataset: str = ""
    space: str = ""
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What runs every night. All paths are absolute.

    Attributes:
        file: the file that it was read from.
        models: baselines last.
        dims, quantize, rescore: as for `harness run`: each combination is a variant with its own records.
        strict: as for `harness run`, for the cells that a night computes; recorded ones are kept.
        budget: seconds; None for no limit.
        keep: how many snapshots to keep; 0 for all.
    """

    file: Path
    models: tuple[ModelEntry, ...]
    suites: tuple[str, ...]
    tasks: tuple[str, ...]
    results: Path
    history: Path
    tasks_dirs: tuple[Path, ...] = ()
    precisions: tuple[str, ...] = ("auto",)
    dims: tuple[int, ...] = ()
    quantize: tuple[Literal["int8", "binary"], ...] = ()
    rescore: tuple[int, ...] = ()
    strict: bool = False
    site: Path | None = None
    engine: EngineOptions = field(default_factory=EngineOptions)
    budget: float | None = None
    alerts: AlertRules = field(default_factory=AlertRules)
    notify: tuple[Hook, ...] = ()
    publish: Publishing = field(default_factory=Publishing)
    keep: int = 0

    @property
    def has_variants(self) -> bool:
        """Whether a model can have more than one record of a task."""
        return len(self.precisions) > 1 or bool(self.dims or self.quantize)
