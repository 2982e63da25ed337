"""The names of models that have none of their own: a folder is called by the end of its path that tells it apart.

A name stays. Which folder has it stands in the records (see `results.recorded_models`), so that a folder beside it that
comes later takes another name, and the folder itself has the same name every day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import ModelError
from harness.files.model_folders import given_name, names_of
from harness.hub.model_lookup import cached_models
from harness.models import catalog
from harness.models.endpoint_names import is_record_name
from harness.results.asked_names import names_at, older_name
from harness.results.recorded_models import RecordedModel, place_of, recorded_models, records_folder
from harness.types import ModelSpec

_PREFIXES = {"folder": "local", "python": "python"}
"""Origin of a model that may be given a name -> what the name begins with where it has one part."""


def with_name(spec: ModelSpec, name: str, *, results: Path) -> ModelSpec:
    """The model under the name that the user gives it.

    Raises:
        ModelError: it has a name of its own, or the name is not one or belongs to a model that is not a folder.
    """
    if spec.origin not in _PREFIXES:
        raise ModelError(f"model {spec.name}: has a name of its own; --name is for a folder or a callable")
    given = given_name(name, origin=_PREFIXES[spec.origin])
    if is_record_name(given):
        raise ModelError(
            f"--name {name!r}: names that begin with {given.partition('/')[0]}/ belong to endpoints; choose another",
            kind="request",
        )
    recorded = recorded_models(results, name=given)
    origins = {model.origin for model in recorded} - {spec.origin, ""}
    if origins or catalog.entry(given) is not None:
        raise ModelError(f"--name {name!r}: is the name of another model; choose another", kind="request")
    place = _place(spec, results)
    note = spec.note
    if any(model.place not in ("", place) for model in recorded):
        note = "; ".join(filter(None, (note, f"{given} is the name of another folder too, and they share a row")))
    return replace(spec, name=given, place=place, name_given=True, note=note)


def require_own_name(spec: ModelSpec, *, results: Path) -> None:
    """Refuse a model of the hub whose name a folder already has in the results folder.

    Raises:
        ModelError: a folder has it.
    """
    if spec.origin == "hub" and any(model.origin == "folder" for model in recorded_models(results, name=spec.name)):
        raise ModelError(
            f"model {spec.name}: a folder of that name is recorded in {results}; record the model of the hub elsewhere "
            "with --results DIR"
        )


def named(specs: Sequence[ModelSpec], *, results: Path) -> list[ModelSpec]:
    """The models, those of folders under the names by which the results folder knows them, or will.

    Args:
        specs: models that are resolved; one whose `place` is set has its name already.
        results: the results folder, which need not exist.
    """
    folders = [spec for spec in specs if spec.origin == "folder" and not spec.place]
    if not folders:
        return list(specs)
    models = recorded_models(results)
    by_location: dict[str, ModelSpec] = {}
    names = _Names(specs, models, results)
    for spec in folders:
        if spec.location not in by_location and (kept := names.recorded(spec)):
            by_location[spec.location] = names.take(spec, kept)
    for spec in folders:
        if spec.location not in by_location:
            by_location[spec.location] = names.take(spec, names.free(spec), note=names.note(spec))
    return [
        replace(spec, name=(new := by_location[spec.location]).name, place=new.place, note=new.note)
        if spec.origin == "folder" and not spec.place
        else spec
        for spec in specs
    ]


class _Names:
    """Which names are taken, by records and by the other models of a request. Names compare as folders of records."""

    def __init__(self, specs: Sequence[ModelSpec], models: Sequence[RecordedModel], results: Path) -> None:
        self._models, self._results = models, results
        self._names_of = {spec.location: names_of(Path(spec.location)) for spec in specs if spec.origin == "folder"}
        self._on_disk = _keys(child.name for child in results.iterdir()) if results.is_dir() else set()
        self._taken = _keys(spec.name for spec in specs if spec.origin != "folder" or spec.place)

    def recorded(self, spec: ModelSpec) -> str | None:
        """The name under which the folder is recorded; None where it is not, or under several that were given to it."""
        folder = Path(spec.location)
        names = names_at(_place(spec, self._results), self._models, folder=folder)
        if not names and (older := older_name(folder, {spec.revision}, self._models)):
            names = [older]
        return names[0] if len(names) == 1 and not _keys(names) & self._taken else None

    def free(self, spec: ModelSpec) -> str:
        """The shortest name that no record and no other model of the request has."""
        others = (names for location, names in self._names_of.items() if location != spec.location)
        not_free = self._on_disk | self._taken | _keys(name for names in others for name in names)
        usual, *longer = self._names_of[spec.location]
        if not _keys([usual]) & not_free:
            return usual
        for name in longer:
            if not _keys([name]) & not_free and catalog.entry(name) is None and name not in cached_models():
                return name
        return f"{usual}-{_place(spec, self._results)}"

    def note(self, spec: ModelSpec) -> str:
        """What to say where older records of the shortest name do not tell whether they are this folder's."""
        usual = self._names_of[spec.location][0]
        older = [model for model in self._models if model.name == usual and model.origin == "folder"]
        if not older or any(model.place for model in older):
            return spec.note
        text = (
            f"{usual} is recorded at another revision, and its records do not say from which folder; --name {usual} "
            "goes on with it"
        )
        return "; ".join(filter(None, (spec.note, text)))

    def take(self, spec: ModelSpec, name: str, *, note: str | None = None) -> ModelSpec:
        """The model under this name, which no other model of the request gets."""
        self._taken |= _keys([name])
        return replace(spec, name=name, place=_place(spec, self._results), note=spec.note if note is None else note)


def _place(spec: ModelSpec, results: Path) -> str:
    return place_of(Path(spec.location), results) if spec.origin == "folder" else ""


def _keys(names: Iterable[str]) -> set[str]:
    return set(map(records_folder, names))
