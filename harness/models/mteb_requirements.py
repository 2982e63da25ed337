"""The packages with which mteb runs a model, as extras of mteb: which are missing, which have another version here."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement


def missing(extras: tuple[str, ...]) -> list[str]:
    """The packages behind extras of mteb that are not installed."""
    return [requirement.name for requirement in _requirements(extras) if installed(requirement.name) is None]


def conflicting(extras: tuple[str, ...]) -> list[str]:
    """What is wrong with each package behind extras of mteb that is installed in a version which they rule out."""
    conflicts = []
    for requirement in _requirements(extras):
        version = installed(requirement.name)
        if version is not None and not requirement.specifier.contains(version, prereleases=True):
            conflicts.append(f"{requirement.name}{requirement.specifier} ({version} is installed)")
    return conflicts


def installed(package: str) -> str | None:
    """The version of a package; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _requirements(extras: tuple[str, ...]) -> Iterator[Requirement]:
    names = [extra.replace("_", "-").lower() for extra in extras]
    for requirement in _requirements_of_mteb() if names else ():
        if requirement.marker and any(requirement.marker.evaluate({"extra": name}) for name in names):
            yield requirement


@functools.cache
def _requirements_of_mteb() -> tuple[Requirement, ...]:
    from packaging.requirements import Requirement

    return tuple(Requirement(line) for line in metadata.requires("mteb") or ())
