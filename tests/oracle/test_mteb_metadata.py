"""The committed facts about mteb's tasks are what the installed mteb says."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from harness.tasks import mteb_metadata
from tests.generators import mteb_tasks_file

mteb = pytest.importorskip("mteb", reason="the oracle is mteb")

same_version = pytest.mark.skipif(
    metadata.version("mteb") != mteb_metadata.version(),
    reason=f"the file was made from mteb {mteb_metadata.version()}, and {metadata.version('mteb')} is installed",
)


def test_the_file_was_made_from_the_version_that_is_pinned() -> None:
    """`constraints.txt` pins the version of mteb that the file names, so that the comparison below is not skipped."""
    constraints = Path(__file__).parents[2] / "constraints.txt"
    assert f"mteb=={mteb_metadata.version()}" in constraints.read_text(encoding="utf-8").splitlines()


@same_version
def test_the_committed_file_is_what_the_generator_writes() -> None:
    """No line differs: `python -m tests.generators` would leave the file as it is."""
    committed = mteb_metadata.FILE.read_text(encoding="utf-8").splitlines()
    generated = mteb_tasks_file.text().splitlines()
    differing = [(old, new) for old, new in zip(committed, generated) if old != new]
    assert differing == [], "run `python -m tests.generators` and commit the file"
    assert len(committed) == len(generated)


@same_version
@pytest.mark.parametrize(
    "name", ["FloresBitextMining", "BibleNLPBitextMining", "SIB200Classification", "STS17", "SciFact"]
)
def test_subsets_are_read_back_as_mteb_has_them(name: str) -> None:
    """Each of the three forms in which the file keeps subsets gives mteb's subsets and languages, in mteb's order."""
    task = mteb_metadata.get(name)
    assert task is not None
    theirs = mteb.get_task(name).metadata.hf_subsets_to_langscripts
    assert list(task.subsets.items()) == [(subset, tuple(languages)) for subset, languages in theirs.items()]


@same_version
def test_a_former_name_leads_to_a_task_of_today() -> None:
    """Every former name is no task's name any more, and today's name is one."""
    former = ("8TagsClustering", "CMedQAv1", "CMedQAv2", "NorwegianParliament", "PPC", "PersianTextTone")
    assert all(name not in mteb_metadata.names() for name in former)
    assert {mteb_metadata.current_name(name) for name in former} <= {*mteb_metadata.names()}
    assert mteb_metadata.current_name("SciFact") == "SciFact"
