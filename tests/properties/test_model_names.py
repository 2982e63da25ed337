"""Names of folders: whatever they are called and however often they are run, no two of them share one."""

from __future__ import annotations

import json
import tempfile
import unicodedata
from pathlib import Path
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.files.model_folders import names_of
from harness.results.asked_names import recorded_name
from harness.results.paths import META, Identity, record_path
from harness.results.recorded_models import place_of, recorded_models, recorded_names
from harness.runner.model_names import named
from harness.types import ModelSpec

_PARTS = st.sampled_from(["a", "A", "a b", "a_b", "a__b", "x", "local", "v1..2", ".h", "é", "é", "[+]", "l" * 90])
_PATHS = st.lists(_PARTS, min_size=0, max_size=3).map(lambda parts: "/".join(["runs", *parts, "final"]))


class Day(NamedTuple):
    """The folders of a request, and a number that stands for what is in them."""

    folders: list[str]
    content: int


days = st.lists(
    st.builds(Day, st.lists(_PATHS, min_size=1, max_size=3, unique=True), st.integers(0, 2)), min_size=1, max_size=4
)


def spec_of(folder: Path, revision: str) -> ModelSpec:
    return ModelSpec(
        name=names_of(folder)[0], revision=revision, location=str(folder.resolve()), origin="folder", kind="bert"
    )


def write(folder: Path, spec: ModelSpec, *, older: bool = False) -> Path:
    """A record as a run leaves it; an older one does not say from which folder its model was loaded."""
    path = record_path(folder, Identity(spec.name, spec.revision), "T")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(META).write_text(json.dumps({"name": spec.name, "revision": spec.revision}))
    facts = {"origin": spec.origin} | ({} if older else {"place": spec.place, "name_given": spec.name_given})
    scores = {"test": [{"main_score": 0.5, "hf_subset": "default", "languages": ["eng-Latn"]}]}
    record = {"task_name": "T", "dataset_revision": "1", "scores": scores, "harness": {"schema": 2, "model": facts}}
    path.write_text(json.dumps(record))
    return path


@settings(deadline=None, max_examples=40)
@given(days=days)
def test_a_folder_keeps_its_name_and_no_other_gets_it(days: list[Day]) -> None:
    """Over days of runs, also with equal weights in several folders: a folder has one name and a name one folder, on a
    file system that ignores case too; the name is an end of the path, and the path finds it.
    """
    with tempfile.TemporaryDirectory() as home:
        root = Path(home)
        folder_of: dict[str, Path] = {}
        name_of: dict[Path, str] = {}
        for number, day in enumerate(days):
            folders = [root / path for path in day.folders]
            specs = named([spec_of(folder, f"r{day.content}") for folder in folders], results=root / "results")
            assert len(specs) == len(folders)
            for folder, spec in zip(folders, specs, strict=True):
                home_of_records = write(root / "results", spec).parent.parent.name
                key = unicodedata.normalize("NFC", home_of_records).casefold()
                assert folder_of.setdefault(key, folder) == folder, number
                assert name_of.setdefault(folder, spec.name) == spec.name
                assert spec.name.removesuffix(f"-{spec.place}") in names_of(folder)
        recorded = recorded_names(root / "results")
        assert recorded.keys() == set(name_of.values())
        for folder, name in name_of.items():
            assert recorded_name(str(folder), recorded, folders=[root / "results"]).name == name
            assert {model.place for model in recorded_models(root / "results") if model.name == name} == {
                place_of(folder, root / "results")
            }
