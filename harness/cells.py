"""The straight line: cells -> load | encode | score -> record.

A cell is one part (split, subset) of one task for one model. Everything that is already recorded under the same
fingerprint is gone from the plan before a model is opened. One failure boundary, `_attempt`, keeps a broken cell from
touching the others.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any, Literal, NamedTuple

from harness import models, results
from harness.errors import CellsFailed, DataError, HarnessError
from harness.measure import Measured, measure
from harness.plan import Environment, Filters, Job, chosen, plan, results_folder
from harness.types import (
    EncodeOptions,
    Encoder,
    Loaded,
    ModelSpec,
    Part,
    Record,
    Searcher,
    TaskSpec,
)

_PROMPTS = ("prompts", "default_prompt")
"""Facts that a record holds by part instead: those prompts that were used."""


class Failure(NamedTuple):
    """A cell that could not be computed."""

    cell: str
    error: str
    traceback: str


class Event(NamedTuple):
    """What just happened, for whoever shows progress."""

    kind: Literal["kept", "inapplicable", "open", "load", "encode", "score", "recorded", "failed"]
    job: Job
    part: Part | None = None
    record: Record | None = None
    failure: Failure | None = None
    message: str = ""


def run(
    models: str | Callable[[list[str]], Any] | Sequence[str | Callable[[list[str]], Any]] = models.BUNDLED,
    tasks: str | Sequence[str | TaskSpec] | None = None,
    *,
    suite: str | None = None,
    splits: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
    types: Sequence[str] | None = None,
    domains: Sequence[str] | None = None,
    max_texts: int | None = None,
    mirror: bool = False,
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto",
    device: str = "auto",
    batch_tokens: int | None = None,
    max_length: int | None = None,
    results: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    tasks_dirs: Sequence[str | os.PathLike[str]] = (),
    offline: bool = False,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> list[Record]:
    """Benchmark models on tasks; one record per model and task, computed or found.

    Args:
        models: names (see `harness.models`) or callables `list[str] -> (n, dim) array`.
        tasks: task names or specs; the suite `mini` when neither `tasks` nor `suite` is given.
        suite: name of a suite.
        splits: only these splits.
        languages: only these languages (`de`, `deu`, `deu-Latn`) or subsets.
        types: only tasks of these types.
        domains: only tasks of one of these domains.
        max_texts: quick mode: a sample of this many texts; records are variants, never the plain ones.
        mirror: take data from a task's mirror where it names one.
        precision: of the forward pass; `auto` is fp32 on a CPU and half precision on a GPU.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        batch_tokens: tokens a batch, each distinct text once; default: 32 texts a batch, as mteb.
        max_length: cut texts at this many tokens instead of the model's own limit.
        results: folder for the records; `$HARNESS_RESULTS`, else `results`.
        overwrite: compute again what is recorded.
        tasks_dirs: folders with more specs.
        offline: use only what is cached.
        trust_remote_code: let models run code from their repository.
        allow_pickle: load weights that are not safetensors.
        on_event: called on every step.

    Returns:
        Records in the order of models, then tasks.

    Raises:
        HarnessError: the request is wrong (nothing has run), or `CellsFailed` after everything else has run.
    """
    if offline:
        from harness import hub

        hub.go_offline()
    environment = Environment(
        results=results_folder(results),
        options=EncodeOptions(device=device, precision=precision, batch_tokens=batch_tokens, max_length=max_length),
        overwrite=overwrite,
        max_texts=max_texts,
    )
    jobs = plan(
        [models] if isinstance(models, str) or callable(models) else models,
        chosen(
            tasks,
            suite=suite,
            filters=Filters(splits=splits, languages=languages, types=types, domains=domains),
            tasks_dirs=tasks_dirs,
            mirror=mirror,
        ),
        environment,
        trust_remote_code=trust_remote_code,
        allow_pickle=allow_pickle,
    )
    records, failures = [], []
    for event in execute(jobs, environment):
        on_event(event)
        if event.kind in ("recorded", "kept") and event.record is not None:
            records.append(event.record)
        if event.failure is not None:
            failures.append(event.failure)
    last = {(record.model, record.revision, record.variant, record.task): record for record in records}
    if failures:
        raise CellsFailed(list(last.values()), failures)
    return list(last.values())


def execute(jobs: Sequence[Job], environment: Environment) -> Iterator[Event]:
    """Do the jobs in order, one model at a time, and tell what happens.

    A cell that fails is reported and the next one starts; whatever was finished is on disk.

    Raises:
        RecordError: the results folder cannot be written, found out before anything is computed.
    """
    if any(job.todo for job in jobs):
        results.check_writable(environment.results)
    opened: ModelSpec | None = None
    encoder: Encoder | Searcher | None = None
    broken: Exception | None = None
    try:
        for job in jobs:
            if job.done:
                yield Event("kept", job, record=job.record)
            if not job.todo:
                continue
            if not job.applies:
                yield Event("inapplicable", job, message="BM25 ranks documents; it has no vectors")
                continue
            if opened != job.model:
                if encoder is not None:
                    encoder.close()
                yield Event("open", job)
                opened, encoder, broken = job.model, None, None
                try:
                    encoder = models.open_model(job.model, environment.options)
                except Exception as err:  # of this model only; the next one may open
                    broken = err
            for part in job.todo:
                if encoder is None:
                    yield _failed(job, part, broken)
                else:
                    yield from _attempt(job, part, encoder, environment)
    finally:
        if encoder is not None:
            encoder.close()


def _attempt(job: Job, part: Part, encoder: Encoder | Searcher, environment: Environment) -> Iterator[Event]:
    """One cell, and the only place where its errors are caught."""
    from harness import data

    try:
        yield Event("load", job, part)
        started = time.perf_counter()
        loaded = data.load(job.task, part)
        if environment.max_texts is not None:
            loaded = data.limited(job.task, loaded, environment.max_texts)
        loading = time.perf_counter() - started
        yield Event("encode", job, part)
        measured = measure(job.task, part, encoder, loaded)
        measured = measured._replace(seconds={"load": loading, **measured.seconds})
        record = _record(job, part, encoder, loaded, measured)
        path = results.put(environment.results, record, model_meta=models.meta(job.model, encoder.facts))
        merged = results.get(
            environment.results, model=record.model, revision=record.revision, task=record.task, variant=record.variant
        )
        yield Event("recorded", job, part, record=replace(merged or record, path=str(path)))
    except Exception as err:  # the boundary: a cell's error is the cell's
        yield _failed(job, part, err)


def _failed(job: Job, part: Part, err: Exception | None) -> Event:
    said = str(err) if isinstance(err, HarnessError) else f"{type(err).__name__}: {err}"
    trace = "" if isinstance(err, HarnessError) else "".join(traceback.format_exception(err))
    return Event("failed", job, part, failure=Failure(f"{job.model.name} {job.task.name} {part}", said, trace))


def _record(job: Job, part: Part, encoder: Encoder | Searcher, loaded: Loaded, measured: Measured) -> Record:
    from harness import environment

    task, facts = job.task, encoder.facts
    main_score = measured.scores.get(task.main_metric)
    if main_score is None:
        raise DataError(f"{task.name} {part}: the main metric {task.main_metric} is undefined on this data")
    entry = {
        **measured.scores,
        "main_score": main_score,
        "hf_subset": part.subset,
        "languages": list(task.subsets[part.subset]),
    }
    versions = environment.versions()
    return Record(
        task=task.name,
        model=job.model.name,
        revision=job.model.revision,
        variant=job.variant,
        dataset_revision=task.source.revision or f"sha256:{loaded.digest[:16]}",
        mteb_version=versions.get("mteb"),
        scores={part.split: [entry]},
        evaluation_time=sum(measured.seconds.values()),
        date=time.time(),
        harness={
            "schema": 1,
            "fingerprint": job.fingerprint,
            "task_type": task.type,
            "main_metric": task.main_metric,
            "model": {
                "origin": job.model.origin,
                "trust_remote_code": job.model.trust_remote_code,
                **({"note": job.model.note} if job.model.note else {}),
            },
            "encoder": {key: value for key, value in asdict(facts).items() if key not in _PROMPTS},
            "source": {"kind": task.source.kind, "path": task.source.path, "revision": task.source.revision},
            "parts": {
                str(part): {
                    "rows": dict(loaded.rows),
                    "sha256": loaded.digest,
                    "notes": list(loaded.notes),
                    "texts": measured.texts,
                    "tokens": measured.tokens,
                    "truncated": measured.truncated,
                    "prompts": measured.prompts,
                    "peak_memory_mib": environment.peak_memory_mib(),
                    "seconds": {name: round(value, 4) for name, value in measured.seconds.items()},
                }
            },
            "versions": versions,
            "platform": environment.platform_name(),
            "machine": environment.machine(),
        },
    )
