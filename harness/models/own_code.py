"""The code that a repository brings along: which classes its settings name, and where they lie. Nothing is imported."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import ModelError
from harness.models.repository import Repository, joined

_LOADED = ("AutoConfig", "AutoModel", "AutoTokenizer", "AutoProcessor")
"""The classes of transformers that load a model here; `auto_map` may name others."""

_PACKAGES = {"PIL": "pillow", "sklearn": "scikit-learn", "cv2": "opencv-python", "yaml": "pyyaml"}
"""Modules that come in a package of another name."""


class CodeReference(NamedTuple):
    """A class of a repository's own that a settings file names.

    Attributes:
        file: the settings file.
        key: where in it.
        target: the class as it is named: `module.Class`, or `org/name--module.Class` for code of another repository.
    """

    file: str
    key: str
    target: str

    @property
    def repository(self) -> str | None:
        """The other repository that the code lies in; None for the model's own."""
        name, dashes, _ = self.target.partition("--")
        return name if dashes else None

    @property
    def module(self) -> str:
        """The Python file, as a path in its repository."""
        return self.target.rpartition("--")[2].rpartition(".")[0].replace(".", "/") + ".py"


def references(repository: Repository) -> tuple[CodeReference, ...]:
    """Every class outside of sentence-transformers and transformers that loading the model would import."""
    return tuple(dict.fromkeys((*_modules(repository), *_auto_maps(repository))))


def require_trust(repository: Repository) -> None:
    """Refuse a model whose own code would run, or without which another model would be computed.

    Raises:
        ModelError: it brings code.
    """
    for reference in references(repository):
        what = f"its {reference.file} names code of its own, {reference.key}: {reference.target}"
        model_type = repository.config.get("model_type")
        otherwise = (
            f", without which transformers' own {model_type} would be computed" if reference.key in _LOADED else ""
        )
        raise ModelError(
            f"model {repository.name}: cannot be loaded ({what}{otherwise}); it runs only with --trust-remote-code, if "
            "you trust it"
        )


def _modules(repository: Repository) -> Iterator[CodeReference]:
    for module in repository.modules:
        if module.is_own_code:
            yield CodeReference("modules.json", "type", module.type)
        for file, key, trusted in (
            ("wordembedding_config.json", "tokenizer_class", ("sentence_transformers.",)),
            ("config.json", "activation_function", ("sentence_transformers.", "torch.")),
        ):
            named = repository.mapping(file, folder=module.path).get(key)
            # Activations of a transformer are names of transformers' own, such as `gelu`.
            if isinstance(named, str) and "." in named and not named.startswith(trusted):
                yield CodeReference(joined(module.path, file), key, named)


def _auto_maps(repository: Repository) -> Iterator[CodeReference]:
    for file in ("config.json", "tokenizer_config.json"):
        path = joined(repository.transformer, file)
        mapping: Any = repository.mapping(file, folder=repository.transformer).get("auto_map")
        for key, named in (mapping if isinstance(mapping, Mapping) else {}).items():
            for target in named if isinstance(named, list) else [named]:
                if key in _LOADED and isinstance(target, str):
                    yield CodeReference(path, key, target)


def packages(
    repository: Repository, fetch: Callable[[str], Path], fetch_elsewhere: Callable[[str, str], Path]
) -> dict[str, str]:
    """The modules that the model's own code imports, wherever it lies -> the packages to install.

    Imports inside `try` or under a condition are left out, as in transformers: the code works without them.

    Args:
        repository: the model's.
        fetch: gives the place of a file of it.
        fetch_elsewhere: gives the place of a file of another repository, by the repository's name.
    """
    needed: dict[str, str] = {}
    todo = [(reference.repository, reference.module) for reference in references(repository)]
    seen: set[tuple[str | None, str]] = set()
    while todo:
        code = todo.pop()
        other, file = code
        if code in seen or (other is None and file not in repository.files):
            continue
        seen.add(code)
        try:
            path = fetch(file) if other is None else fetch_elsewhere(other, file)
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (ModelError, OSError, ValueError, SyntaxError):  # whoever runs the code says what is wrong
            continue
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.level:
                folder = file.rpartition("/")[0]
                names = [node.module] if node.module else [alias.name for alias in node.names]
                todo += [(other, joined(folder, name.replace(".", "/") + ".py")) for name in names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                needed |= _package(node.module)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    needed |= _package(alias.name)
    return needed


def _package(module: str) -> dict[str, str]:
    name = module.partition(".")[0]
    return {} if name in sys.stdlib_module_names else {name: _PACKAGES.get(name, name)}
