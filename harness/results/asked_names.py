"""The model that is recorded under whatever name `harness run` takes: a path, `NAME@REVISION`, the end of a path."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.errors import HarnessError, UnknownName
from harness.files.model_folders import is_path, name_and_revision, names_of
from harness.results.recorded_models import RecordedModel, place_of, recorded_models
from harness.types.counted import counted


class RecordedName(NamedTuple):
    """A recorded model, and the recorded revision that was asked for; empty where none was."""

    name: str
    revision: str = ""

    def covers(self, model: str, revision: str) -> bool:
        """Whether a record of this model and revision was asked for."""
        return self.name == model and self.revision in ("", revision)


def recorded_name(
    asked: str, recorded: Mapping[str, Collection[str]], *, folders: Sequence[Path], what: str = "recorded model"
) -> RecordedName:
    """The recorded model that a user means.

    Args:
        asked: a recorded name, the path of a model's folder, or the end of such a path (`final`, `local/final`); each
            with `@REVISION`: the start of a recorded revision, or a branch or tag. Or an endpoint.
        recorded: the names to choose from -> their recorded revisions.
        folders: the results folders, which tell from which folder a model was loaded.
        what: what the names stand for, in messages.

    Raises:
        UnknownName: there is no such model, or no such revision.
        HarnessError: the name fits several models or revisions, which the message lists.
    """
    if asked in recorded:
        return RecordedName(asked)
    if ":" in asked:
        from harness.models.endpoint_names import is_endpoint, parse  # with all of `models`, which takes time to import

        if is_endpoint(asked):
            endpoint = parse(asked)
            if endpoint.revision not in recorded.get(endpoint.record_name, ()):
                raise UnknownName.of(what, asked, sorted(recorded))
            return RecordedName(endpoint.record_name, endpoint.revision)
    name, revision = name_and_revision(asked)
    fitting = [name] if name in recorded else _fitting(name, recorded, folders)
    if len(fitting) > 1:
        raise HarnessError(f"{asked!r} fits {len(fitting)} models; name one of {', '.join(fitting)}")
    if not fitting:
        raise UnknownName.of(what, asked, sorted(recorded))
    return RecordedName(
        fitting[0], _revision(fitting[0], revision, recorded[fitting[0]]) if revision is not None else ""
    )


def names_at(place: str, models: Iterable[RecordedModel], *, folder: Path) -> list[str]:
    """The names under which a model's folder is recorded: the one that follows from its path, else those given to it.

    Args:
        place: see `place_of`.
        models: those of the results folder.
        folder: the model's.
    """
    names = list(dict.fromkeys(model.name for model in models if model.place == place))
    return [name for name in names_of(folder) if name in names][:1] or names


def older_name(folder: Path, revisions: Collection[str], models: Iterable[RecordedModel]) -> str | None:
    """The name of a folder in records that do not say from which folder the model was loaded; None where it has none.

    Such records belong to the folder whose revision they name.

    Args:
        folder: the model's.
        revisions: those that the folder may have.
        models: those of the results folder.
    """
    usual = names_of(folder)[0]
    older = {model.revision for model in models if model.name == usual and not model.place}
    return usual if older.intersection(revisions) else None


def _fitting(name: str, recorded: Collection[str], results: Sequence[Path]) -> list[str]:
    """The recorded models that a name fits which is not recorded itself."""
    models = {root: recorded_models(root) for root in results if root.is_dir()}
    folder = Path(name)
    names = [
        match
        for root, of_root in models.items()
        for match in (names_at(place_of(folder, root), of_root, folder=folder) or _older(folder, of_root))
    ]
    if not names and not is_path(name):
        end = "/" + name.removeprefix("local/")
        of_folders = {model.name for of_root in models.values() for model in of_root if model.origin == "folder"}
        named_by_users = {model for model in recorded if model.startswith("python/")}
        names = sorted(model for model in of_folders | named_by_users if model.endswith(end))
    return [name for name in dict.fromkeys(names) if name in recorded]


def _older(folder: Path, models: Sequence[RecordedModel]) -> list[str]:
    usual = names_of(folder)[0]
    if not any(model.name == usual and not model.place for model in models):
        return []
    from harness.models.resolve import folder_revisions  # takes time to import, and to digest the weights

    name = older_name(folder, folder_revisions(folder), models)
    return [] if name is None else [name]


def _revision(name: str, asked: str, recorded: Collection[str]) -> str:
    fitting = sorted(revision for revision in recorded if revision.startswith(asked))
    if not fitting:
        from harness.hub.client_cache import folder_of, noted_commit

        commit = noted_commit(folder_of(name), asked)
        fitting = [commit] if commit is not None and commit in recorded else []
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise UnknownName.of(f"recorded revision of {name}", asked, sorted(recorded))
    choices = ", ".join(f"{name}@{revision[:12]}" for revision in fitting)
    raise HarnessError(f"{name}@{asked} fits {counted(len(fitting), 'recorded revision')}; name one of {choices}")
