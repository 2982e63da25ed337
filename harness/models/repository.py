"""A model's repository: the names of its files and the content of its small settings files, read once. No weights."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from harness.errors import ModelError
from harness.files.model_folders import is_path

_SETTINGS = (
    *("config.json", "modules.json", "config_sentence_transformers.json", "adapter_config.json"),
    *("tokenizer_config.json", "special_tokens_map.json", "quantization_config.json", "quantize_config.json"),
    *("model.safetensors.index.json", "pytorch_model.bin.index.json"),
)
_SETTINGS_OF_MODULES = (*_SETTINGS, "router_config.json", "wordembedding_config.json")
_TRANSFORMER_SETTINGS = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
"""Where sentence-transformers keeps the settings of a transformer; the first one that exists counts."""
_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_OF_PACKAGES = re.compile(r"(sentence_transformers|pylate\.models)(\.\w+)+")
_DECLARED_TYPES = ("SentenceTransformer", "CrossEncoder", "SparseEncoder", "MultiVectorEncoder")


class Module(NamedTuple):
    """A module of `modules.json`, or of a router inside it.

    Attributes:
        type: the class, dotted.
        path: its folder, relative to the repository's; empty for the repository itself.
    """

    type: str
    path: str

    @property
    def is_own_code(self) -> bool:
        """Whether its class belongs to another package than sentence-transformers, which has pylate's classes too.

        A reference of two parts, or with dashes, may lead to a file of the repository, or of another one.
        """
        return _OF_PACKAGES.fullmatch(self.type) is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """What a repository says about its model before anything is loaded.

    Attributes:
        name: as messages name it.
        folder: where its small files lie; a hub repository has no weights there yet.
        files: the paths of all its files, relative and with slashes.
        settings: path -> content of the settings files.
        modules: those of `modules.json` and of routers inside them; empty where there is no such file.
        shards: index -> the files of weights that it names.
    """

    name: str
    folder: Path
    files: frozenset[str]
    settings: Mapping[str, Any]
    modules: tuple[Module, ...]
    shards: Mapping[str, frozenset[str]]

    @property
    def label(self) -> str:
        """What its name says of it, in lower case: the name on the hub, or that of its folder alone."""
        return (PurePosixPath(self.name).name if is_path(self.name) else self.name).lower()

    def mapping(self, file: str, *, folder: str = "") -> Mapping[str, Any]:
        """The content of a settings file that holds an object; empty where it is absent."""
        content = self.settings.get(joined(folder, file))
        return content if isinstance(content, dict) else {}

    @property
    def transformer(self) -> str:
        """The folder of the first transformer, relative; empty for the repository itself."""
        transformers = [module for module in self.modules if module.type.endswith("Transformer")]
        return (transformers or self.modules or (Module("", ""),))[0].path

    @property
    def config(self) -> Mapping[str, Any]:
        """The transformer's `config.json`."""
        return self.mapping("config.json", folder=self.transformer)

    @property
    def architectures(self) -> tuple[str, ...]:
        """The classes that `config.json` names."""
        names = self.config.get("architectures")
        return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()

    @property
    def explicit_weights(self) -> str | None:
        """The file beside `config.json` that transformers loads in place of the usual ones; None for those."""
        named = self.config.get("transformers_weights")
        return named if isinstance(named, str) else None

    @property
    def transformer_settings(self) -> Mapping[str, Any]:
        """The settings that sentence-transformers keeps beside the transformer."""
        named = (self.mapping(file, folder=self.transformer) for file in _TRANSFORMER_SETTINGS)
        return next(filter(None, named), {})

    @property
    def sentence_transformers(self) -> Mapping[str, Any]:
        """`config_sentence_transformers.json`."""
        return self.mapping("config_sentence_transformers.json")

    @property
    def declared_type(self) -> str | None:
        """`SentenceTransformer`, `CrossEncoder`, `SparseEncoder` or `MultiVectorEncoder`, where the model says so."""
        declared = self.sentence_transformers.get("model_type")
        declared = "MultiVectorEncoder" if declared == "ColBERT" else declared
        return declared if declared in _DECLARED_TYPES else None

    @property
    def named_paths(self) -> frozenset[str]:
        """The folders of modules and the files of weights that the settings name."""
        return frozenset(module.path for module in self.modules).union(*self.shards.values())

    def shards_of(self, index: str) -> frozenset[str]:
        """The files of weights that an index names."""
        return self.shards.get(index, frozenset())

    @property
    def has_transformer(self) -> bool:
        """Whether one of the modules is a transformer."""
        return any(module.type.endswith("Transformer") for module in self.modules)

    def names_in(self, folder: str) -> frozenset[str]:
        """The names of the files that lie directly in a folder."""
        return frozenset(path.name for path in map(PurePosixPath, self.files) if str(path.parent) == (folder or "."))


def read(name: str, folder: Path, files: frozenset[str]) -> Repository:
    """The repository whose small files lie in `folder`.

    Raises:
        ModelError: a settings file is not JSON, or `modules.json` is not a list of modules inside the folder.
    """
    settings = {file: _read(name, folder / file) for file in settings_files(files, folders=("",))}
    modules: list[Module] = []
    for module in _modules(name, settings.get("modules.json")):
        for file in settings_files(files, folders=(module.path,)):
            settings.setdefault(file, _read(name, folder / file))
        modules += [module, *_routed(name, module, settings)]
    for module in modules:
        for file in settings_files(files, folders=(module.path,)):
            settings.setdefault(file, _read(name, folder / file))
    shards = dict(_shards(name, settings))
    return Repository(name=name, folder=folder, files=files, settings=settings, modules=tuple(modules), shards=shards)


def settings_files(files: frozenset[str], *, folders: tuple[str, ...]) -> list[str]:
    """The settings files that lie directly in these folders of a repository."""
    names = (*_SETTINGS_OF_MODULES, *_TRANSFORMER_SETTINGS)
    return [path for folder in folders for name in names if (path := joined(folder, name)) in files]


def module_folders(name: str, folder: Path) -> tuple[str, ...]:
    """The folders that `modules.json` names, once that file lies in `folder`.

    Raises:
        ModelError: as `read`.
    """
    return tuple(module.path for module in _modules(name, _read(name, folder / "modules.json")))


def joined(folder: str, file: str) -> str:
    """The path of a file in a folder of the repository."""
    return f"{folder}/{file}" if folder else file


def _modules(name: str, content: Any) -> Iterator[Module]:
    if content is None:
        return
    if not isinstance(content, list) or not content or not all(isinstance(module, dict) for module in content):
        raise ModelError(f"model {name}: modules.json is not a list of modules; save the model again")
    for module in content:
        type_, path = module.get("type"), module.get("path", "")
        if not isinstance(type_, str) or not isinstance(path, str):
            raise ModelError(f"model {name}: modules.json has a module without `type` or `path`; save the model again")
        yield Module(type_, inside(name, path, file="modules.json"))


def _routed(name: str, module: Module, settings: Mapping[str, Any]) -> Iterator[Module]:
    """The modules that a router chooses from."""
    if module.type.rpartition(".")[2] not in ("Router", "Asym"):
        return
    content = settings.get(joined(module.path, "router_config.json")) or settings.get(
        joined(module.path, "config.json")
    )
    types = content.get("types") if isinstance(content, dict) else None
    for path, type_ in (types if isinstance(types, dict) else {}).items():
        yield Module(str(type_), joined(module.path, inside(name, path, file="router_config.json")))


def _shards(name: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    for file, content in settings.items():
        named = content.get("weight_map") if file.endswith(_INDEXES) and isinstance(content, dict) else None
        if isinstance(named, dict):
            folder, values = file.rpartition("/")[0], set(map(str, named.values()))
            yield file, frozenset(joined(folder, inside(name, shard, file=file)) for shard in values)


def inside(name: str, path: str, *, file: str) -> str:
    """The path, without needless parts.

    Raises:
        ModelError: it leads out of the repository.
    """
    parts = PurePosixPath(path.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or "\0" in path or ":" in path:
        raise ModelError(
            f"model {name}: {file} names {path!r}, which leads out of the model's folder; move it inside, so that the "
            "model's revision covers it"
        )
    return "" if str(parts) == "." else str(parts)


def _read(name: str, file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as err:
        raise ModelError(f"model {name}: {file.name} cannot be read ({err}); expected JSON") from err
