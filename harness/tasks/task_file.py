"""Task files: YAML -> TaskSpec and back.

A file `tasks/<type>/<Name>.yaml`, in the order that `render` writes:

    name: GermanSTSBenchmark            # the file's own name
    type: STS                           # one of `evaluators.KINDS`
    description: ...
    reference: https://...              # optional, as are license and domains
    source:
      kind: hub                         # a data set of the Hugging Face hub at a commit, or `local`:
      path: mteb/GermanSTSBenchmark     # a folder or file beside the task file
      revision: 75829b73...             # 40 hexadecimal digits; hub only
      qrels: {path: ..., revision: ...} # optional, as is `layout: dpr`: see `types.Source`
    mirror: {path: ..., revision: ...}  # optional: another place of the data; see `types.Mirror`
    configs: {default: de}              # optional: subset -> config of the data, where their names differ
    splits: [validation, test]          # what is scored
    merge_splits: {test: [train, test]} # optional: splits made of several splits of the data
    columns: {gold: similarity_score}   # optional: where the columns of the data are not the defaults of the type
    main_metric: cosine_spearman        # one of the type's `metrics`
    settings: {min_score: 1}            # optional: where they are not the defaults of the type
    prompt: ...                         # optional: an instruction, or {query: ..., document: ...}
    subsets: {default: [deu-Latn]}      # subset (a hub config) -> its languages

The key `languages` may repeat the languages of the subsets and is checked against them. A file is complete in itself:
nothing is inherited, computed or imported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, cast

import yaml

from harness.errors import SpecError, UnknownName
from harness.evaluators import KINDS
from harness.evaluators.task_kind import TaskKind
from harness.tasks import settings as task_settings
from harness.tasks import strict_yaml
from harness.tasks.languages import LANGUAGE
from harness.tasks.yaml_values import Value
from harness.types import Mirror, Source, TaskSpec

_REQUIRED = ("name", "type", "description", "source", "splits", "subsets", "main_metric")
_OPTIONAL = (
    "columns",
    "configs",
    "merge_splits",
    "mirror",
    "settings",
    "prompt",
    "domains",
    "reference",
    "license",
    "languages",
)
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}(?<!\.)")
HUB_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def load_file(path: str | Path) -> TaskSpec:
    """The task that a YAML file declares.

    Raises:
        SpecError: the file has defects; the message lists each as `FILE:LINE: message`.
    """
    path = Path(path)
    root = strict_yaml.read(path)
    value = root.fields(_REQUIRED, _OPTIONAL)
    name = file_name(value["name"], path)
    type_ = value["type"].one_of(KINDS, "task type")
    kind = KINDS.get(type_)
    splits = value["splits"].labels("split names")
    subsets = _subsets(value["subsets"])
    _check_languages(value["languages"], subsets)
    settings: Any = None
    columns: dict[str, str] = {}
    main_metric = ""
    readable = [*splits]
    if kind:  # whether these are valid depends on the type
        settings = task_settings.read(value["settings"], kind)
        columns = _columns(value["columns"], kind)
        main_metric = value["main_metric"].one_of(kind.metrics(settings), f"{type_} metric")
        readable += [kind.training(settings).split] if kind.training else []
    merged = _merge_splits(value["merge_splits"], readable)
    configs = _renamed(value["configs"], subsets, "config of the source")
    mirror = _mirror(value["mirror"], kind, subsets) if value["mirror"].present else None
    description, source = value["description"].text(), _source(value["source"], kind)
    prompt = _prompt(value["prompt"])
    domains = value["domains"].labels("domains") if value["domains"].present else ()
    reference, license_ = value["reference"].label() or None, value["license"].label() or None
    root.finish(str(path))
    return TaskSpec(
        name=name,
        type=type_,
        description=description,
        source=source,
        splits=splits,
        subsets=subsets,
        columns=columns,
        main_metric=main_metric,
        settings=settings,
        merge_splits=merged,
        mirror=mirror,
        configs=configs,
        prompt=prompt,
        domains=domains,
        reference=reference,
        license=license_,
        file=str(path),
    )


def render(task: TaskSpec) -> str:
    """The task as YAML: keys in canonical order, defaults left out. `load_file` reads an equal task back.

    Not that of a mean of other tasks: `members` stand in place of the source, and no file can declare it.
    """
    content: dict[str, Any] = {"name": task.name, "type": task.type, "description": task.description}
    defaults = KINDS[task.type].columns
    optional: dict[str, Any] = {
        "reference": task.reference,
        "license": task.license,
        "domains": list(task.domains),
        "source": None if task.members else _plain_source(task.source),
        "members": [member.name for member in task.members],
        "mirror": _without_empty(asdict(task.mirror)) if task.mirror else None,
        "configs": dict(task.configs),
        "splits": list(task.splits),
        "merge_splits": {split: list(parts) for split, parts in task.merge_splits.items()},
        "columns": {key: column for key, column in task.columns.items() if defaults.get(key) != column},
        "main_metric": task.main_metric,
        "settings": {key: plain(entry) for key, entry in task_settings.changed_settings(task.settings).items()},
        "prompt": plain(task.prompt),
        "subsets": {subset: list(spoken) for subset, spoken in task.subsets.items()},
    }
    content.update({key: entry for key, entry in optional.items() if entry not in (None, [], {})})
    # The Python emitter writes the same bytes on every machine; libyaml's does not.
    text: str = yaml.dump(
        content, Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True, width=116, default_flow_style=None
    )
    return text


def problems_of(name: str, text: str) -> list[str]:
    """The problems for which `load_file` would refuse a task file with this text; empty for a valid one."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            load_file(path)
        except SpecError as err:
            return [problem.removeprefix(":") for problem in err.problems]
    return []


def plain(value: Any) -> Any:
    """A setting or prompt for YAML and JSON: lists for tuples, keys sorted, whole numbers as integers (5, not 5.0)."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(value[key]) for key in sorted(value)}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def file_name(value: Value, path: Path) -> str:
    """The name in a task or suite file. It must be the file's own, and a safe file name on every system."""
    name = value.label(SAFE_NAME, expected="letters, digits and . _ + - (at most 100, no dot at the end)")
    if path.suffix != ".yaml":
        value.wrong(f"the file must be called {path.stem}.yaml")
    elif value.present and SAFE_NAME.fullmatch(name) and name != path.stem:
        value.wrong(f"{name!r} differs from the file's name {path.name!r}; they must agree")
    return name


def _subsets(value: Value) -> dict[str, tuple[str, ...]]:
    entries = value.entries("subset: [languages]")
    for name, entry in entries.items():
        if not name or not name.isprintable() or name != name.strip():
            entry.wrong("expected a subset name of printable characters without spaces around it")
    language = "a language such as deu-Latn (ISO 639-3 code and script)"
    return {name: entry.labels("languages", pattern=LANGUAGE, item=language) for name, entry in entries.items()}


def _check_languages(value: Value, subsets: Mapping[str, tuple[str, ...]]) -> None:
    spoken = sorted({language for group in subsets.values() for language in group})
    if value.present and spoken and sorted(given := value.labels("languages")) != spoken and given:
        value.wrong(f"expected the languages of the subsets ({', '.join(spoken)}); the key can be left out")


def _source(value: Value, kind: TaskKind | None) -> Source:
    place = value.key("kind").one_of(("hub", "local", "mteb"), "source kind")
    if place == "local":
        return Source(kind="local", path=_inside(value.fields(("kind", "path"))["path"]))
    if place == "mteb":
        return _on_hub("mteb", value.fields(("kind", "path", "revision")))
    if place != "hub":
        value.fields(("kind", "path"), ("revision", "layout", "qrels"))
        return Source(kind="local", path="")
    required = ("kind", "path", "revision")
    if kind is None or not kind.layouts:
        return _on_hub("hub", value.fields(required))
    entries = value.fields(required, ("layout", "qrels"))
    layout = entries["layout"].one_of(kind.layouts, "layout") or None
    qrels = _on_hub("hub", entries["qrels"].fields(("path", "revision"))) if entries["qrels"].present else None
    return replace(_on_hub("hub", entries), layout=layout, qrels=qrels)


def _on_hub(kind: str, entries: Mapping[str, Value]) -> Source:
    return Source(kind=cast(Any, kind), path=_hub_path(entries["path"]), revision=_commit(entries["revision"]))


def _plain_source(source: Source) -> dict[str, Any]:
    content = {key: entry for key, entry in asdict(source).items() if entry is not None}
    if source.qrels:
        content["qrels"] = {"path": source.qrels.path, "revision": source.qrels.revision}
    return content


def _hub_path(value: Value) -> str:
    return value.label(HUB_PATH, expected="a data set of the hub such as mteb/scifact")


def _commit(value: Value) -> str:
    return value.label(_COMMIT, expected="a commit (40 hexadecimal digits; a branch or tag can move)")


def _mirror(value: Value, kind: TaskKind | None, subsets: Mapping[str, Any]) -> Mirror:
    entries = value.fields(("path", "revision"), ("columns", "subsets"))
    columns = entries["columns"].fields((), kind.columns if kind else {}) if entries["columns"].present else {}
    return Mirror(
        path=_hub_path(entries["path"]),
        revision=_commit(entries["revision"]),
        columns={name: entry.label() for name, entry in columns.items() if entry.present},
        subsets=_renamed(entries["subsets"], subsets, "config of the mirror"),
    )


def _renamed(value: Value, subsets: Mapping[str, Any], what: str) -> dict[str, str]:
    """Subset -> its config; `what` says of what."""
    entries = value.entries(f"subset: {what}") if value.present else {}
    for subset, entry in entries.items():
        if subset not in subsets:
            entry.wrong(str(UnknownName.of("subset", subset, subsets)))
    return {subset: entry.label() for subset, entry in entries.items()}


def _without_empty(content: dict[str, Any]) -> dict[str, Any]:
    return {key: dict(entry) if isinstance(entry, Mapping) else entry for key, entry in content.items() if entry}


def _inside(value: Value) -> str:
    path = value.label()
    outside = ".." in PurePosixPath(path).parts or PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive
    if outside or "\\" in path:
        return value.expected("a path below the task file's own folder, written with /", path)
    return path


def _columns(value: Value, kind: TaskKind) -> dict[str, str]:
    entries = value.fields((), kind.columns)
    return {name: entry.label() if entry.present else kind.columns[name] for name, entry in entries.items()}


def _merge_splits(value: Value, splits: Sequence[str]) -> dict[str, tuple[str, ...]]:
    entries = value.entries("split: [splits of the data]") if value.present else {}
    for split, entry in entries.items():
        if split not in splits:
            entry.wrong(str(UnknownName.of("split", split, [name for name in splits if name])))
    return {split: entry.labels("splits of the data") for split, entry in entries.items()}


def _prompt(value: Value) -> str | dict[str, str] | None:
    if not value.present:
        return None
    if not isinstance(value.content, dict):
        return value.text()
    roles = value.fields((), ("query", "document"))
    if not value.content:
        value.wrong("expected a text, or a mapping with query, document or both")
    return {role: entry.text() for role, entry in roles.items() if entry.present}
