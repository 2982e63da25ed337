"""Records on a real folder: put, get, scan, and what happens when the disk refuses."""

from __future__ import annotations

import dataclasses
import errno
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import results
from harness.errors import RecordError
from harness.types import Part, Record, Refused

ROOT = Path(__file__).parents[3]
PUBLIC = ROOT.parent / "shared" / "public-results"
INFINITY = float("inf")


def entry(main: float | None = 0.5, subset: str = "default", **metrics: object) -> dict[str, object]:
    return {**metrics, "main_score": main, "hf_subset": subset, "languages": ["deu-Latn"]}


def record(**changes: object) -> Record:
    plain = Record(
        task="MiniSTS",
        model="org/model",
        revision="abc123",
        dataset_revision="d1",
        scores={"test": [entry(2 / 3, cosine_spearman=2 / 3)]},
        evaluation_time=1.5,
        date=1.7e9,
        mteb_version="2.26.24",
        harness={"fingerprint": "f1", "device": "cpu", "seconds": {"test": 1.0}},
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def same(left: Record | None, right: Record) -> bool:
    assert left is not None
    return dataclasses.replace(left, path="") == dataclasses.replace(right, path="")


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- put and get -----------------------------------------------------------------------------------------------------


def test_put_writes_two_files_and_get_reads_them(tmp_path: Path):
    """A record lies at <org>__<model>/<revision>/<Task>.json with model_meta.json beside it, and is read back equal."""
    path = Path(results.put(tmp_path / "new" / "results", record(), model_meta={"embed_dim": 384}).path)
    root = tmp_path / "new" / "results"
    assert path == root / "org__model" / "abc123" / "MiniSTS.json"
    assert set(files(root)) == {
        ".harness.lock",
        "org__model/abc123/MiniSTS.json",
        "org__model/abc123/model_meta.json",
    }
    assert same(results.get(root, model="org/model", revision="abc123", task="MiniSTS"), record())
    assert results.get(root, model="org/model", revision="abc123", task="Other") is None
    assert results.get(root, model="org/model", revision="other", task="MiniSTS") is None
    assert results.get(tmp_path / "absent", model="org/model", revision="abc123", task="MiniSTS") is None


def test_a_variant_lies_apart_and_says_what_it_is(tmp_path: Path):
    """A variant never touches the plain record; its folder and keyword arguments are mteb's, in any order given."""
    results.put(tmp_path, record(), model_meta={})
    variant = record(variant="precision=fp16, max_length=128", scores={"test": [entry(0.25)]})
    path = Path(results.put(tmp_path, variant, model_meta={"experiment_kwargs": {"not": "this"}}).path)
    below = "org__model/abc123/experiments/max_length_128__precision_fp16"
    assert path == tmp_path / below / "MiniSTS.json"
    assert json.loads((tmp_path / below / "model_meta.json").read_text())["experiment_kwargs"] == {
        "max_length": "128",
        "precision": "fp16",
    }
    found = results.get(
        tmp_path, model="org/model", revision="abc123", task="MiniSTS", variant="precision=fp16,max_length=128"
    )
    assert same(found, dataclasses.replace(variant, variant="max_length=128, precision=fp16"))
    assert same(results.get(tmp_path, model="org/model", revision="abc123", task="MiniSTS"), record())
    assert sorted(r.variant for r in results.scan(tmp_path) if isinstance(r, Record)) == [
        "",
        "max_length=128, precision=fp16",
    ]


@pytest.mark.parametrize(
    "variant", ["fp16", "precision=", "=fp16", "a=1,a=2", "a=1=2", "a=b/c", "a=..", "a b=1", "a=1,"]
)
def test_a_variant_is_key_value_pairs(variant: str, tmp_path: Path):
    """Anything else has no place in mteb's layout, and is refused before anything is written."""
    with pytest.raises(RecordError, match="variant"):
        results.put(tmp_path, record(variant=variant), model_meta={})
    assert files(tmp_path) == {}


def test_same_fingerprint_merges_by_part(tmp_path: Path):
    """New parts are added or replace, old ones stay; seconds by part are merged; times add up; the rest is new."""
    old = record(
        scores={"test": [entry(0.1, "de"), entry(0.2, "en")]},
        harness={
            "fingerprint": "f",
            "device": "cpu",
            "seconds": {"test/de": 1, "test/en": 2},
            "versions": {"old": "1"},
        },
        kg_co2_emissions=0.5,
    )
    new = record(
        scores={"test": [entry(0.3, "en")], "dev": [entry(0.4)]},
        harness={"fingerprint": "f", "device": "cuda", "seconds": {"test/en": 3, "dev": 4}, "versions": {"new": "2"}},
        evaluation_time=2.0,
        date=1.8e9,
    )
    results.put(tmp_path, old, model_meta={})
    merged = results.put(tmp_path, new, model_meta={})
    found = results.get(tmp_path, model="org/model", revision="abc123", task="MiniSTS")
    assert found is not None
    assert merged == found
    assert {str(part): item["main_score"] for part, item in found.parts.items()} == {
        "test/de": 0.1,
        "test/en": 0.3,
        "dev": 0.4,
    }
    assert (found.evaluation_time, found.kg_co2_emissions, found.date) == (3.5, 0.5, 1.8e9)
    assert found.harness == {
        "fingerprint": "f",
        "device": "cuda",
        "seconds": {"test/de": 1, "test/en": 3, "dev": 4},
        "versions": {"new": "2"},
    }


def test_many_records_merge_as_one_after_the_other():
    """Scores, times and what `harness` holds by part are those of merging each record into those before it."""
    entries = [{"main_score": number / 10, "hf_subset": name, "languages": []} for number, name in enumerate("abca")]
    parts = [
        record(
            scores={"test": [entry]},
            evaluation_time=1.0 + number,
            date=float(number),
            harness={
                "fingerprint": "f",
                "parts": {f"test/{entry['hf_subset']}": {"seconds": {"encode": 2.0 + number}}},
                "versions": {"numpy": str(number)},
            },
        )
        for number, entry in enumerate(entries)
    ]
    together = results.merged(*parts)
    assert together == functools.reduce(results.merged, parts)
    assert {part.subset: entry["main_score"] for part, entry in together.parts.items()} == {
        "a": 0.3,
        "b": 0.1,
        "c": 0.2,
    }
    assert (together.evaluation_time, together.harness["versions"]) == (3.0 + 4.0 + 5.0, {"numpy": "3"})


def test_a_bad_record_changes_nothing(tmp_path: Path):
    """A record that cannot be written is refused before a folder or a lock is made, and before metadata changes."""
    results.put(tmp_path / "old", record(), model_meta={})
    before = files(tmp_path)
    for folder in ("old", "new"):
        with pytest.raises(RecordError):
            results.put(tmp_path / folder, record(evaluation_time=INFINITY), model_meta={"embed_dim": 3})
    assert files(tmp_path) == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("harness", [{}, {"fingerprint": "other"}, {"fingerprint": 3}])
def test_another_fingerprint_is_replaced(harness: dict[str, object], tmp_path: Path):
    """Scores of another model, data or settings never mix with the new ones; nor do two records without fingerprint."""
    results.put(tmp_path, record(scores={"test": [entry(0.1, "de")]}, harness=harness), model_meta={})
    new = record(scores={"test": [entry(0.2, "en")]}, harness={} if harness == {} else {"fingerprint": "f1"})
    results.put(tmp_path, new, model_meta={})
    assert same(results.get(tmp_path, model="org/model", revision="abc123", task="MiniSTS"), new)


def test_a_broken_file_is_reported_by_get_and_replaced_by_put(tmp_path: Path):
    """A truncated record or model_meta.json stops a reader with its path, and never the writer of a good one."""
    given = record(evaluation_time=None)
    path = Path(results.put(tmp_path, given, model_meta={}).path)
    for broken in (path, path.with_name("model_meta.json")):
        broken.write_text(broken.read_text()[:-40])
        with pytest.raises(RecordError, match=f"{broken.name}: not JSON"):
            results.get(tmp_path, model="org/model", revision="abc123", task="MiniSTS")
        results.put(tmp_path, given, model_meta={})
        assert same(results.get(tmp_path, model="org/model", revision="abc123", task="MiniSTS"), given)


def test_two_names_of_one_folder_do_not_mix(tmp_path: Path):
    """`org/a b` and `org/a_b` share a folder; the second to come is refused and the first keeps its record."""
    results.put(tmp_path, record(model="org/a b"), model_meta={})
    before = files(tmp_path)
    with pytest.raises(RecordError, match="belongs to org/a b at abc123, expected org/a_b at abc123"):
        results.put(tmp_path, record(model="org/a_b"), model_meta={})
    with pytest.raises(RecordError, match="belongs to org/a b"):
        results.get(tmp_path, model="org/a_b", revision="abc123", task="MiniSTS")
    assert files(tmp_path) == before


def test_a_file_that_holds_another_task_is_not_its_record(tmp_path: Path):
    """A copied file does not answer for the task that its name says."""
    path = Path(results.put(tmp_path, record(), model_meta={}).path)
    path.with_name("Copy.json").write_bytes(path.read_bytes())
    with pytest.raises(RecordError, match="holds 'MiniSTS', expected 'Copy'"):
        results.get(tmp_path, model="org/model", revision="abc123", task="Copy")


@pytest.mark.parametrize(
    "changes",
    [
        {"model": ""},
        {"model": ".."},
        {"model": "../x"},
        {"model": "a\\b"},
        {"model": ".hidden"},
        {"model": "a\nb"},
        {"model": "a\x1b[31m"},
        {"model": "m" * 201},
        {"model": "模" * 67},
        {"model": "experiments"},
        {"revision": ""},
        {"revision": "a/b"},
        {"revision": ".."},
        {"revision": "experiments"},
        {"task": ""},
        {"task": "../../x"},
        {"task": "/etc/x"},
        {"task": "a\0b"},
        {"task": "model_meta"},
    ],
    ids=str,
)
def test_a_name_that_cannot_be_a_path_is_refused(changes: dict[str, str], tmp_path: Path):
    """Names are checked before they become a path, by put and by get, and nothing is written."""
    inside = tmp_path / "inside"
    with pytest.raises(RecordError):
        results.put(inside, record(**changes), model_meta={})
    with pytest.raises(RecordError):
        results.get(inside, **{"model": "org/model", "revision": "r", "task": "T", **changes})
    assert files(tmp_path) == {}


def test_the_model_meta_is_whole_strict_and_stable(tmp_path: Path):
    """Every key that mteb requires is there, infinity is null, sets are sorted; the same is not written twice."""
    meta = {
        "max_tokens": INFINITY,
        "training_datasets": ["b", "a"],
        "loader_kwargs": {"f": test_the_model_meta_is_whole_strict_and_stable, "p": Path("x")},
        "name": "somebody/else",
    }
    path = Path(results.put(tmp_path, record(), model_meta=meta).path).with_name("model_meta.json")
    written = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert written["name"] == "org/model"
    assert (written["revision"], written["experiment_kwargs"]) == ("abc123", None)
    assert (written["max_tokens"], written["training_datasets"], written["framework"]) == (None, ["a", "b"], [])
    assert " at 0x" not in path.read_text()
    before = path.stat()
    results.put(tmp_path, record(task="Other"), model_meta={**meta, "training_datasets": {"a", "b"}})
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    results.put(tmp_path, record(), model_meta={"embed_dim": 3})
    assert json.loads(path.read_text())["embed_dim"] == 3


# --- when the disk refuses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()], ids=["OSError", "^C"]
)
def test_a_write_that_dies_leaves_the_old_file(error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """When the last step of a write fails, every file is as before and no temporary file is left."""
    results.put(tmp_path, record(), model_meta={})
    before = files(tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(RecordError if isinstance(error, OSError) else KeyboardInterrupt):
            results.put(tmp_path, record(scores={"test": [entry(0.9)]}), model_meta={})
        with pytest.raises(RecordError if isinstance(error, OSError) else KeyboardInterrupt):
            results.put(tmp_path, record(revision="new"), model_meta={})
    assert files(tmp_path) == before
    results.put(tmp_path, record(revision="new"), model_meta={})  # and the lock is free again


def test_a_full_disk_is_one_message_with_advice(tmp_path: Path):
    """A file that can only be written in part (a real limit on file size) leaves the old one, and says what to do."""
    resource = pytest.importorskip("resource")
    results.put(tmp_path, record(), model_meta={})
    before = files(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(RecordError, match=r"MiniSTS\.json: cannot be written: File too large; free some space"):
            results.put(tmp_path, record(harness={"fingerprint": "f1", "long": "x" * 5000}), model_meta={})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files(tmp_path) == before


def test_what_a_killed_writer_left_is_swept_up(tmp_path: Path):
    """A temporary file of a process that was killed is no record, and is gone after the next write."""
    path = Path(results.put(tmp_path, record(), model_meta={}).path)
    left = path.with_name(f".{path.name}.tmp")
    left.write_text('{"half')
    assert [type(found) for found in results.scan(tmp_path)] == [Record]
    results.put(tmp_path, record(), model_meta={})
    assert not left.exists()


def test_a_failing_disk_does_not_count_as_a_broken_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where the old record cannot be read because the disk fails, put stops instead of replacing it."""
    path = Path(results.put(tmp_path, record(), model_meta={}).path)
    before = files(tmp_path)
    real = Path.read_bytes

    def failing(self: Path) -> bytes:
        if self == path:
            raise OSError(errno.EIO, "Input/output error", str(self))
        return real(self)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", failing)
        with pytest.raises(RecordError, match=r"MiniSTS\.json: cannot be written: Input/output error; check the disk"):
            results.put(tmp_path, record(scores={"dev": [entry(0.9)]}), model_meta={})
    assert files(tmp_path) == before


def test_check_writable_makes_the_folder_and_leaves_it_empty(tmp_path: Path):
    """A folder that can be made and written is accepted without a trace but the lock."""
    results.check_writable(tmp_path / "a" / "b")
    assert set(files(tmp_path)) <= {"a/b/.harness.lock"}


def test_check_writable_refuses_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file in the way and a disk that refuses are one message each, with the path and what to do."""
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RecordError, match=r"file.*: cannot be written: .*; move away what lies there"):
            results.check_writable(folder)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordError, match="No space left on device; free some space and run again"):
        results.check_writable(tmp_path / "new")
    assert set(files(tmp_path)) <= {"file", "new/.harness.lock"}


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may write anywhere")
def test_check_writable_refuses_a_read_only_folder(tmp_path: Path):
    """Missing permission is a message with advice."""
    tmp_path.chmod(0o500)
    with pytest.raises(RecordError, match="Permission denied; change its permissions"):
        results.check_writable(tmp_path / "new")


WRITER = """
import sys
from harness import results
from harness.types import Record
folder, split = sys.argv[1:]
for subset in range(20):
    entry = {"main_score": subset / 20, "hf_subset": str(subset), "languages": []}
    harness = {"fingerprint": "f", "seconds": {f"{split}/{subset}": subset}}
    results.put(folder, Record(task="T", model="o/m", revision="r", dataset_revision="d", scores={split: [entry]},
                               evaluation_time=1.0, harness=harness), model_meta={})
"""


def test_two_processes_fill_one_record(tmp_path: Path):
    """40 puts of different parts from two processes at once: every part is kept, and every second counted."""
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writers = [subprocess.Popen([*command, split], env=environment) for split in ("dev", "test")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    found = results.get(tmp_path, model="o/m", revision="r", task="T")
    assert found is not None
    assert set(found.parts) == {Part(split, str(subset)) for split in ("dev", "test") for subset in range(20)}
    assert (found.evaluation_time, len(found.harness["seconds"])) == (40, 40)


# --- scan ------------------------------------------------------------------------------------------------------------


def test_scan_yields_every_file_once_in_order(tmp_path: Path):
    """Records and refusals come sorted by path; model_meta.json and files that are not *.json are left out."""
    for model, task in (("b/b", "T1"), ("a/a", "T2"), ("a/a", "T1")):
        results.put(tmp_path, record(model=model, task=task), model_meta={})
    folder = tmp_path / "a__a" / "abc123"
    (folder / "Broken.json").write_text("{")
    (folder / "run_settings.jsonl").write_text("{}")
    (tmp_path / "stray.json").write_text("{}")
    (folder / "latin1.json").write_bytes(b'{"a": "\xe4"}')
    (folder / "deeper").mkdir()
    (folder / "deeper" / "T.json").write_bytes((folder / "T1.json").read_bytes())
    os.mkfifo(folder / "pipe.json")
    found = list(results.scan(tmp_path))
    shown = [
        (Path(item.path).relative_to(tmp_path).as_posix(), item.reason if isinstance(item, Refused) else item.task)
        for item in found
    ]
    layout = (
        "expected <org>__<model>/<revision>/<Task>.json or "
        "<org>__<model>/<revision>/experiments/<variant>/<Task>.json under the results folder"
    )
    assert shown == [
        (
            "a__a/abc123/Broken.json",
            "not JSON: Expecting property name enclosed in double quotes in line 1, column 2",
        ),
        ("a__a/abc123/T1.json", "T1"),
        ("a__a/abc123/T2.json", "T2"),
        ("a__a/abc123/deeper/T.json", layout),
        ("a__a/abc123/latin1.json", "not UTF-8 text (byte 7): not a result file"),
        ("a__a/abc123/pipe.json", "not a regular file"),
        ("b__b/abc123/T1.json", "T1"),
        ("stray.json", layout),
    ]


def test_a_huge_file_is_not_read(tmp_path: Path):
    """More than 64 MiB is not a result file, whether it comes as a file or as text."""
    path = tmp_path / "org__model" / "r" / "T.json"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(results.MAX_BYTES + 1)
    (refused,) = results.scan(tmp_path)
    assert isinstance(refused, Refused)
    assert "67108865 bytes" in refused.reason
    with pytest.raises(RecordError, match="characters, more than"):
        results.from_json(" " * (results.MAX_BYTES + 1), path=path)


def test_scan_refuses_what_it_cannot_name(tmp_path: Path):
    """A broken or nameless model_meta.json refuses the records beside it, and no others."""
    for revision in ("r1", "r2", "r3"):
        results.put(tmp_path, record(revision=revision), model_meta={})
    (tmp_path / "org__model" / "r1" / "model_meta.json").write_text('{"name": 3}')
    (tmp_path / "org__model" / "r3" / "model_meta.json").write_text("{")
    experiment = Path(results.put(tmp_path, record(revision="r2", variant="a=1"), model_meta={}).path)
    experiment.with_name("model_meta.json").unlink()
    found = list(results.scan(tmp_path))
    assert [type(item) for item in found] == [Refused, Record, Refused, Refused]
    reasons = [item.reason for item in found if isinstance(item, Refused)]
    assert "`name` is 3" in reasons[0]
    assert "experiment_kwargs" in reasons[1]
    assert "model_meta.json: not JSON" in reasons[2]


def test_links_that_leave_the_folder_are_refused(tmp_path: Path):
    """A link out of the folder is reported by scan and stops get and put; a link to a record inside is read."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    path = Path(results.put(outside, record(), model_meta={}).path)
    kept = Path(results.put(inside, record(model="org/kept"), model_meta={}).path)
    (inside / "org__model").symlink_to(outside / "org__model")
    (inside / "alias").symlink_to(kept.parent.parent)
    (inside / "nowhere").symlink_to(tmp_path / "gone")
    (inside / "loop").symlink_to(inside / "loop")
    (kept.parent / "Linked.json").symlink_to(path)
    (kept.parent / "Own.json").symlink_to(kept)
    shown = {
        Path(item.path).relative_to(inside).as_posix(): item.reason if isinstance(item, Refused) else "read"
        for item in results.scan(inside)
    }
    leaves = "a symbolic link to a place outside the results folder; copy the file or folder instead"
    assert shown == {
        "alias": "a symbolic link to a folder that is scanned under its own name",
        "loop": "a symbolic link to a file that does not exist",
        "nowhere": "a symbolic link to a file that does not exist",
        "org__kept/abc123/Linked.json": leaves,
        "org__kept/abc123/MiniSTS.json": "read",
        "org__kept/abc123/Own.json": "read",
        "org__model": leaves,
    }
    before = files(outside)
    with pytest.raises(RecordError, match="leads out of"):
        results.put(inside, record(scores={"test": [entry(0.9)]}), model_meta={})
    with pytest.raises(RecordError, match="leads out of"):
        results.get(inside, model="org/model", revision="abc123", task="MiniSTS")
    assert files(outside) == before


def test_a_file_name_that_is_not_text_is_shown(tmp_path: Path):
    """Bytes in a file name that are not UTF-8 end up escaped in the refusal, so that it can be printed."""
    folder = tmp_path / "org__model" / "r"
    folder.mkdir(parents=True)
    try:
        (folder / os.fsdecode(b"\xff.json")).write_bytes(b"{")
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    (refused,) = results.scan(tmp_path)
    assert isinstance(refused, Refused)
    assert (refused.path.encode()[-11:], "not JSON" in refused.reason) == (b"\\udcff.json", True)


def test_scan_of_no_folder_is_an_error(tmp_path: Path):
    """A folder that does not exist is a mistake in its name, not an empty leaderboard."""
    with pytest.raises(RecordError, match="no such folder"):
        list(results.scan(tmp_path / "absent"))


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="../shared/public-results is not here")
def test_every_public_result_is_a_record():
    """Of 3,739 files (73 models) 125 are model_meta.json; each other is read once, one with a remark."""
    expected = {str(path) for path in PUBLIC.rglob("*.json") if path.name != "model_meta.json"}
    found = list(results.scan(PUBLIC))
    assert len(found) == len({item.path for item in found}) == 3614
    assert {item.path for item in found} == expected
    records = [item for item in found if isinstance(item, Record)]
    assert len(records) == 3614
    assert [Path(item.path).name for item in records if item.remarks] == ["GermanSTSBenchmark.json"]
    assert len({item.model for item in records}) == 73
    assert all("__" not in item.model and item.fingerprint is None for item in records)
