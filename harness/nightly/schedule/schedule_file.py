"""The schedule of a night: a YAML file, read strictly.

    models:                             # what to measure
      - bundled/all-MiniLM-L6-v2        # any name that `harness run` takes; a path is relative to the schedule
      - {name: org/model@main, trust_remote_code: true}
      - {name: org/model, backend: onnx, backend_file: onnx/model_O4.onnx}
      - {name: org/cross-encoder, first_stage: baseline/bm25, top: 100}
      - {name: ./my-e5, like: intfloat/e5-small-v2}   # with the prompts and settings of the model under it
      - {name: ./exports/final, label: search-v2}   # a folder under a name of its own in records and reports
      - {glob: "checkpoints/*"}         # every saved model that fits
      - {collection: org/name-id}       # every model of a collection on the hub
    baselines: [baseline/hashing]       # measured too, and pinned: a hub model needs its commit
    suites: [mini]                      # suites and tasks, at least one of either
    tasks: [GermanSTSBenchmark]
    tasks_dirs: [my-tasks]              # optional: folders with task files of your own
    precisions: [auto]                  # optional: auto, checkpoint, fp32, fp16, bf16
    strict: true                        # optional, as `harness run --strict`, for what a night computes
    dims: [64]                          # optional, as `harness run --dims 64 --quantize int8,binary --rescore 20`
    quantize: [int8, binary]
    rescore: [20]
    results: results                    # records; as every path here relative to the schedule
    history: history                    # snapshots, reports and logs of the nights
    site: site                          # optional: the leaderboard as pages
    engine: local                       # or a mapping, see `EngineOptions`
    budget: {time: 8h}                  # optional
    alerts: {regressions: true, unexplained: true, recheck: 3}
    notify:                             # optional
      - {webhook: $WEBHOOK_URL, when: alert}
      - {command: ./tell-us.sh, when: always}
    publish: {git: {branch: nightly}, dataset: org/results, space: org/leaderboard}
    keep: {nights: 365}                 # optional: how many snapshots stay

Nothing else is allowed in it, and all that is wrong with it is said at once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar, cast

from harness.files.folders import expanded
from harness.models.endpoint_names import is_endpoint
from harness.nightly.schedule.schedule_contents import (
    AlertRules,
    EngineOptions,
    Hook,
    ModelEntry,
    Publishing,
    Schedule,
)
from harness.tasks import strict_yaml
from harness.tasks.yaml_values import Value
from harness.types import BackendName

_T = TypeVar("_T")

PRECISIONS = ("auto", "checkpoint", "fp32", "fp16", "bf16")
WHEN = ("always", "alert", "failure", "change")
_KEYS = (
    *("baselines", "suites", "tasks", "tasks_dirs", "precisions", "dims", "quantize", "rescore", "results", "history"),
    *("strict", "site", "engine", "budget", "alerts", "notify", "publish", "keep"),
)
_MODEL_KEYS = (
    *("name", "label", "glob", "collection", "trust_remote_code", "allow_pickle"),
    *("backend", "backend_file", "first_stage", "top", "like"),
)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_BRANCH = re.compile(r"(?!-)[A-Za-z0-9._/-]+(?<![./])")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_LINE = re.compile(r".+")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def read(file: Path) -> Schedule:
    """The schedule in a file.

    Raises:
        SpecError: with every defect and its line.
    """
    file = expanded(file).resolve()
    root = strict_yaml.read(file)
    value = root.fields(("models",), _KEYS)
    folder = file.parent

    def path(name: str) -> Path:
        return _path(value[name], folder) or folder / name

    models = [
        *(_model(item, folder, baseline=False) for item in value["models"].items("models")),
        *(_model(item, folder, baseline=True) for item in value["baselines"].items("models")),
    ]
    for label, count in Counter(entry.label for entry in models if entry.label).items():
        if count > 1:
            value["models"].wrong(f"the label {label!r} stands at {count} models; give each a label of its own")
    for name, entries in Counter(entry.name for entry in dict.fromkeys(models) if not entry.label).items():
        if entries > 1 and len({entry.like for entry in models if entry.name == name}) > 1:
            value["models"].wrong(f"{name!r} stands there with another `like`; give one of them a label")
    suites, tasks = value["suites"].labels("suites"), value["tasks"].labels("tasks")
    if not (value["suites"].present or value["tasks"].present):
        root.wrong("neither suites nor tasks: nothing to measure; add for example `suites: [mini]`")
    precisions = [item.one_of(PRECISIONS, "precision") for item in value["precisions"].items("precisions")]
    if value["rescore"].present and not value["quantize"].present:
        value["rescore"].wrong(
            "ranks the best documents of a search in quantized vectors again; add for example `quantize: [int8]`"
        )
    schedule = Schedule(
        file=file,
        models=tuple(models),
        suites=suites,
        tasks=tasks,
        tasks_dirs=tuple(filter(None, (_path(item, folder) for item in value["tasks_dirs"].items("folders")))),
        precisions=tuple(dict.fromkeys(precisions)) or ("auto",),
        dims=_counts(value["dims"], "numbers of dimensions"),
        quantize=_number_formats(value["quantize"]),
        rescore=_counts(value["rescore"], "numbers of documents"),
        strict=_given(value["strict"], Value.flag, False),
        results=path("results"),
        history=path("history"),
        site=_path(value["site"], folder),
        engine=_engine(value["engine"]),
        budget=_budget(value["budget"]),
        alerts=_alerts(value["alerts"]),
        notify=tuple(_hook(item) for item in value["notify"].items("commands and webhooks")),
        publish=_publishing(value["publish"]),
        keep=_keep(value["keep"]),
    )
    places = {"results": schedule.results, "history": schedule.history, "site": schedule.site}
    for name, place in places.items():
        for other, its in places.items():
            if place and its and name != other and place.is_relative_to(its) and name > other:
                value[name].wrong(f"lies in the folder of {other}, {its}; choose another")
    if schedule.publish.space and schedule.site is None:
        value["publish"].wrong("a Space shows the site, and there is no key `site`")
    root.finish(str(file))
    return schedule


def seconds(text: str) -> float | None:
    """`90s`, `30m`, `8h` or `1h30m` in seconds; None for anything else, or nothing."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    hours, minutes, rest = (float(group or 0) for group in match.groups())
    return (hours * 60 + minutes) * 60 + rest or None


def _given(value: Value, read: Callable[[Value], _T], default: _T) -> _T:
    return read(value) if value.present else default


def _path(value: Value, folder: Path) -> Path | None:
    text = value.label()
    return (folder / expanded(text)).resolve() if text else None


def _model(item: Value, folder: Path, *, baseline: bool) -> ModelEntry:
    if isinstance(item.content, str):
        entry = ModelEntry(name=item.label(), baseline=baseline)
    else:
        value = item.fields((), _MODEL_KEYS)
        sources = [name for name in ("name", "glob", "collection") if value[name].present]
        misspelt = isinstance(item.content, dict) and not set(item.content) <= set(value)  # one defect, not two
        if len(sources) != 1 and not misspelt:
            item.wrong(f"expected one of name, glob and collection, found {', '.join(sources) or 'none'}")
        entry = ModelEntry(
            name=value["name"].label(),
            label=value["label"].label(),
            glob=value["glob"].label(),
            collection=value["collection"].label(_REPO, expected="ORG/NAME-ID of a collection on the hub"),
            trust_remote_code=_given(value["trust_remote_code"], Value.flag, False),
            allow_pickle=_given(value["allow_pickle"], Value.flag, False),
            backend=_given(value["backend"], lambda present: cast("BackendName", _backend(present)), None),
            backend_file=_given(value["backend_file"], Value.label, None),
            first_stage=_given(value["first_stage"], Value.label, None),
            top=_given(value["top"], lambda present: present.whole(1), None),
            like=_given(value["like"], Value.label, None),
            baseline=baseline,
        )
    if entry.top is not None and entry.first_stage is None:
        item.wrong("top belongs to first_stage, which is not given")
    if entry.label and not entry.name:
        item.wrong("a label names one model; give it one with the key `name`")
    if baseline and not entry.name:
        item.wrong("a baseline is pinned: name one model")
    elif baseline and is_endpoint(entry.name):
        item.wrong("a baseline is pinned, and what runs behind an endpoint can change; list it under `models`")
    elif baseline and _may_move(entry.name) and not (folder / entry.name).is_dir():
        item.wrong(f"a baseline is pinned: name its commit, {entry.name.partition('@')[0]}@<40 hexadecimal digits>")
    return entry


def _backend(value: Value) -> str:
    return value.one_of(("torch", "onnx", "openvino", "gguf"), "backend")


def _may_move(name: str) -> bool:
    """Whether a name can mean other weights tomorrow without a change of this machine's files."""
    local = name.startswith(("baseline/", "bundled/", ".", "/", "~"))
    return not local and not _COMMIT.fullmatch(name.partition("@")[2])


def _counts(value: Value, what: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(item.whole(1) for item in value.items(what)))


def _number_formats(value: Value) -> tuple[Literal["int8", "binary"], ...]:
    formats = [item.one_of(("int8", "binary"), "number format") for item in value.items("number formats")]
    return tuple(cast("list[Literal['int8', 'binary']]", list(dict.fromkeys(filter(None, formats)))))


def _engine(value: Value) -> EngineOptions:
    kinds = ("local", "ray")
    if isinstance(value.content, str):
        return EngineOptions(kind=cast("Literal['local', 'ray']", value.one_of(kinds, "engine") or "local"))
    fields = value.fields(
        ("kind",) if value.present else (),
        ("workers", "device", "address", "gpus", "cpus", "timeout", "retries", "backoff", "shard_documents"),
    )
    defaults = EngineOptions()
    kind = fields["kind"].one_of(kinds, "engine") if value.present else ""
    for name in ("address", "gpus", "cpus"):
        if kind == "local" and fields[name].present:
            fields[name].wrong("belongs to the engine ray")
    return EngineOptions(
        kind=cast("Literal['local', 'ray']", kind or "local"),
        workers=_given(fields["workers"], Value.whole, 0),
        device=_given(fields["device"], lambda present: present.label(), defaults.device),
        address=_given(fields["address"], lambda present: present.label(), defaults.address),
        gpus=_given(fields["gpus"], lambda present: present.number(-1e-9, most=64), None),
        cpus=_given(fields["cpus"], lambda present: present.number(-1e-9, most=4096), None),
        timeout=_given(fields["timeout"], _duration, defaults.timeout),
        retries=_given(fields["retries"], lambda present: present.whole(most=10), defaults.retries),
        backoff=_given(fields["backoff"], _duration, defaults.backoff),
        shard_documents=_given(fields["shard_documents"], lambda present: present.whole(1), 0),
    )


def _duration(value: Value) -> float:
    duration = seconds(value.content.strip()) if isinstance(value.content, str) else None
    return duration if duration is not None else value.expected("a time such as 90s, 30m, 8h or 1h30m", 1.0)


def _budget(value: Value) -> float | None:
    if isinstance(value.content, str) or not value.present:
        return _given(value, _duration, None)
    return _duration(value.fields(("time",))["time"])


def _alerts(value: Value) -> AlertRules:
    fields = value.fields((), ("regressions", "unexplained", "recheck"))
    return AlertRules(
        regressions=_given(fields["regressions"], Value.flag, True),
        unexplained=_given(fields["unexplained"], Value.flag, True),
        recheck=_given(fields["recheck"], lambda present: present.whole(most=10_000), 0),
    )


def _hook(item: Value) -> Hook:
    value = item.fields((), ("command", "webhook", "when", "timeout"))
    if value["command"].present == value["webhook"].present and isinstance(item.content, dict):
        item.wrong("expected either a command or a webhook")
    return Hook(
        command=value["command"].label(_LINE),
        webhook=value["webhook"].label(re.compile(r"\$\w+|https?://\S+"), expected="http(s)://... or $NAME"),
        when=cast("Literal['always', 'alert', 'failure', 'change']", value["when"].one_of(WHEN, "occasion") or "alert"),
        timeout=_given(value["timeout"], _duration, 30.0),
    )


def _publishing(value: Value) -> Publishing:
    fields = value.fields((), ("git", "dataset", "space", "private"))
    git = fields["git"].fields(("branch",) if fields["git"].present else (), ("push",))
    return Publishing(
        branch=git["branch"].label(_BRANCH, expected="the name of a branch") if fields["git"].present else "",
        push=git["push"].label(_BRANCH, expected="the name of a git remote"),
        dataset=fields["dataset"].label(_REPO, expected="ORG/NAME of a data set on the hub"),
        space=fields["space"].label(_REPO, expected="ORG/NAME of a Space on the hub"),
        private=_given(fields["private"], Value.flag, False),
    )


def _keep(value: Value) -> int:
    if isinstance(value.content, str) or not value.present:
        return _given(value, lambda present: present.whole(2), 0)
    return value.fields(("nights",))["nights"].whole(2)
