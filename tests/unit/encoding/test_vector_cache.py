"""The vector cache: what is put in comes back, what is broken or foreign does not, and it stays under its size."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from harness import encoding
from harness.encoding import cache_upkeep, vector_cache, vector_files
from harness.encoding.block_plan import BlockPlan
from harness.encoding.vector_cache import Namespace, Namespaces
from harness.errors import HarnessError
from harness.files import atomic
from harness.types import EncoderFacts, Prompt, Texts
from tests.encoders import NO_PROMPT, Fake

IDENTITY = {"model": "org/model", "revision": "1" * 40, "precision": "fp32", "prompt": ""}


def keys(*texts: str) -> list[bytes]:
    return [vector_cache.key(text) for text in texts]


def rows(*values: float) -> np.ndarray:
    return np.array([[value, -value] for value in values], dtype=np.float32)


def put(namespace: Namespace, *texts: str, first: float = 1) -> np.ndarray:
    """Keep a block with a row for each text, and return the rows."""
    own = rows(*(first + place for place in range(len(texts))))
    tokens = np.array([len(text) for text in texts], dtype=np.int32)
    namespace.put(keys(*texts), own, tokens=tokens, truncated=tokens > 3)
    return own


def blocks(root: Path) -> list[Path]:
    return sorted(root.rglob("*.safetensors"))


# --- put and get -----------------------------------------------------------------------------------------------------


def test_round_trip(tmp_path: Path) -> None:
    """Another object of the same identity finds rows, tokens and truncation, in any order, repeated keys too."""
    kept = put(Namespace(IDENTITY, root=tmp_path), "a", "bcde", "ö\udc80")
    cached = Namespace(dict(reversed(IDENTITY.items())), root=tmp_path).get(keys("ö\udc80", "new", "a", "bcde", "a"))
    assert cached.present.tolist() == [True, False, True, True, True]
    assert cached.vectors[cached.present].tolist() == kept[[2, 0, 1, 0]].tolist()
    assert cached.vectors.dtype == np.float32
    assert cached.tokens.tolist() == [2, -1, 1, 4, 1]
    assert cached.truncated.tolist() == [0, -1, 0, 1, 0]


def test_what_is_unknown_stays_unknown(tmp_path: Path) -> None:
    """Tokens that a model does not tell come back as -1, not as a number."""
    namespace = Namespace(IDENTITY, root=tmp_path)
    namespace.put(keys("a"), rows(1), tokens=None, truncated=None)
    cached = namespace.get(keys("a"))
    assert (cached.tokens.tolist(), cached.truncated.tolist()) == ([-1], [-1])


def test_many_blocks(tmp_path: Path) -> None:
    """Rows are gathered from every block; a text that lies in two blocks is found once."""
    namespace = Namespace(IDENTITY, root=tmp_path)
    for start in range(0, 40, 4):
        put(namespace, *(f"t{i}" for i in range(start, start + 5)), first=start)
    cached = namespace.get(keys(*(f"t{i}" for i in range(41))))
    assert cached.present.all()
    assert cached.vectors[:, 0].tolist() == list(range(41))


def test_nothing_there(tmp_path: Path) -> None:
    """No keys, no folder, an empty folder: nothing is found and nothing is made."""
    namespace = Namespace(IDENTITY, root=tmp_path / "none")
    assert namespace.get([]).present.shape == (0,)
    assert not namespace.get(keys("a")).present.any()
    assert not (tmp_path / "none").exists()
    assert (cache_upkeep.usage(tmp_path), cache_upkeep.verify(tmp_path), cache_upkeep.clear(tmp_path)) == (
        [],
        (0, []),
        0,
    )
    assert cache_upkeep.evict(0, root=tmp_path / "none") == 0


def test_the_identity_can_be_read(tmp_path: Path) -> None:
    """What made the vectors stands beside them, with the type that they lie in."""
    put(Namespace(IDENTITY, dtype="float16", root=tmp_path), "a")
    (file,) = tmp_path.rglob("namespace.json")
    assert json.loads(file.read_text()) == {**IDENTITY, "dtype": "float16", "format": 1}


def test_float16(tmp_path: Path) -> None:
    """As float16 a block takes half the room, and `as_cached` tells beforehand what will come back."""
    own = np.random.default_rng(0).normal(size=(500, 64)).astype(np.float32)
    texts = keys(*map(str, range(500)))
    sizes, found = {}, {}
    for dtype in ("float32", "float16"):
        namespace = Namespace(IDENTITY, dtype=dtype, root=tmp_path / dtype)  # type: ignore[arg-type]
        namespace.put(texts, own, tokens=None, truncated=None)
        found[dtype] = namespace.get(texts).vectors
        assert np.array_equal(found[dtype], namespace.as_cached(own))
        sizes[dtype] = cache_upkeep.usage(tmp_path / dtype)[0].bytes
    assert np.array_equal(found["float32"], own)
    np.testing.assert_allclose(found["float16"], own, rtol=1e-3, atol=1e-7)
    assert not np.array_equal(found["float16"], own)
    assert sizes["float16"] < 0.65 * sizes["float32"]


# --- during a run -----------------------------------------------------------------------------------------------------


def test_a_run_reads_the_keys_of_a_block_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many lists of texts a run looks up, each block's file is read for its keys once; blocks of its own never.

    Blocks that another process writes meanwhile are seen.
    """
    for place in range(5):
        put(Namespace(IDENTITY, root=tmp_path), f"text {place}")
    read: list[Path] = []
    original = vector_files.read_keys
    monkeypatch.setattr(vector_files, "read_keys", lambda file: read.append(file) or original(file))
    with Namespaces(tmp_path) as namespaces:
        for place in range(10):
            namespace = namespaces.open(IDENTITY, dtype="float32")
            assert namespace.get(keys("text 0", "text 4")).present.all()
            put(namespace, f"more {place}")
            namespaces.flush()
        assert sorted(read) == sorted(set(read))
        assert len(read) == 5
        put(Namespace(IDENTITY, root=tmp_path), "of another")
        assert namespace.get(keys("of another", "more 9")).present.all()
        assert len(read) == 6


def test_a_run_finds_what_is_not_on_disk_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block is found from the moment it is put, while the disk is slow, and is on disk when the run ends."""
    allowed = threading.Event()
    original = atomic.write_together
    monkeypatch.setattr(atomic, "write_together", lambda contents: allowed.wait(30) and original(contents))
    with Namespaces(tmp_path) as namespaces:
        namespace = namespaces.open(IDENTITY, dtype="float32")
        kept = put(namespace, "a", "b")
        put(namespace, "c")
        assert blocks(tmp_path) == []
        assert np.array_equal(namespace.get(keys("a", "b")).vectors, kept)
        allowed.set()
    assert len(blocks(tmp_path)) == 2
    assert Namespace(IDENTITY, root=tmp_path).get(keys("a", "b", "c")).present.all()


def test_a_slow_disk_is_waited_for_once_for_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that queue up behind a slow write are written together; no more than a few wait in memory."""
    groups: list[int] = []
    started, allowed = threading.Event(), threading.Event()
    original = atomic.write_together

    def slow(contents: dict[Path, bytes]) -> list[Path]:
        groups.append(len(contents))
        started.set()
        allowed.wait(30)
        return original(contents)

    monkeypatch.setattr(atomic, "write_together", slow)
    with Namespaces(tmp_path) as namespaces:
        namespace = namespaces.open(IDENTITY, dtype="float32")
        put(namespace, "first")
        started.wait(30)
        for place in range(6):
            put(namespace, f"text {place}")
        allowed.set()
    assert groups == [1, 6]


def test_a_run_whose_disk_refuses(tmp_path: Path) -> None:
    """Blocks that cannot be written are not found later; nothing is raised, and nothing else is lost."""
    (tmp_path / "file").write_text("in the way")
    with Namespaces(tmp_path / "file") as namespaces:
        namespace = namespaces.open(IDENTITY, dtype="float32")
        put(namespace, "a")
        namespaces.flush()
        assert not namespace.get(keys("a")).present.any()


def test_a_defect_of_the_writer_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no refusal of the disk is a defect, and ends the run that it happened in."""

    def defect(*_: object) -> None:
        raise TypeError("a defect")

    monkeypatch.setattr(vector_files, "as_block", defect)
    with pytest.raises(TypeError, match="a defect"), Namespaces(tmp_path) as namespaces:
        put(namespaces.open(IDENTITY, dtype="float32"), "a")


def test_room_is_made_without_measuring_the_cache_for_each_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand blocks that pass the limit many times measure the cache a few times for each time that it fills."""
    monkeypatch.setenv("HARNESS_STORE_GIB", str(100_000 / 2**30))
    measured: list[Path] = []
    original = cache_upkeep.size
    monkeypatch.setattr(cache_upkeep, "size", lambda root: measured.append(root) or original(root))
    room = cache_upkeep.Room(tmp_path)
    folder = tmp_path / ("a" * 32)
    folder.mkdir()
    for place in range(1000):
        (folder / f"{place:032}.safetensors").write_bytes(bytes(1000))
        room.take(1000)
        assert original(tmp_path) <= 100_000
    assert len(measured) < 1000 / 2.5


# --- what is not what it says ----------------------------------------------------------------------------------------


def test_a_truncated_block(tmp_path: Path) -> None:
    """A block that was cut off at any place is not read, is removed, and does not hide the sound ones."""
    namespace = Namespace(IDENTITY, root=tmp_path)
    put(namespace, "a", "b")
    (file,) = blocks(tmp_path)
    whole = file.read_bytes()
    put(namespace, "c", first=9)
    for size in (0, 1, 7, 8, 9, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:size])
        cached = Namespace(IDENTITY, root=tmp_path).get(keys("a", "b", "c"))
        assert cached.present.tolist() == [False, False, True], size
        assert cached.vectors[2].tolist() == [9, -9]
        file.write_bytes(whole[:size])
        assert cache_upkeep.verify(tmp_path) == (1, [str(file)])
        assert not file.exists()


def test_a_longer_block(tmp_path: Path) -> None:
    """Bytes after the end are noticed too."""
    put(Namespace(IDENTITY, root=tmp_path), "a")
    (file,) = blocks(tmp_path)
    file.write_bytes(file.read_bytes() + b"\0")
    assert not Namespace(IDENTITY, root=tmp_path).get(keys("a")).present.any()


@pytest.mark.parametrize("renamed", [False, True])
def test_a_foreign_block(tmp_path: Path, renamed: bool) -> None:
    """A block of another model that was copied here is not read, whatever it is called."""
    put(Namespace({**IDENTITY, "model": "org/other"}, root=tmp_path), "a")
    (foreign,) = blocks(tmp_path)
    own = Namespace(IDENTITY, root=tmp_path)
    put(own, "b")
    (mine,) = [file for file in blocks(tmp_path) if file.parent.name == own.name]
    shutil.copy(foreign, mine if renamed else mine.with_name(foreign.name))
    cached = Namespace(IDENTITY, root=tmp_path).get(keys("a", "b"))
    assert cached.present.tolist() == [False, not renamed]


def test_a_renamed_block(tmp_path: Path) -> None:
    """A block whose name is not its digest is not read."""
    put(Namespace(IDENTITY, root=tmp_path), "a")
    (file,) = blocks(tmp_path)
    file.rename(file.with_name(f"{'0' * 32}.safetensors"))
    assert not Namespace(IDENTITY, root=tmp_path).get(keys("a")).present.any()


def test_a_renamed_namespace(tmp_path: Path) -> None:
    """A whole folder given the name of another identity holds nothing for it."""
    one, other = Namespace(IDENTITY, root=tmp_path), Namespace({**IDENTITY, "prompt": "query: "}, root=tmp_path)
    put(one, "a")
    (tmp_path / one.name).rename(tmp_path / other.name)
    assert not other.get(keys("a")).present.any()


def test_a_block_that_breaks_between_two_looks(tmp_path: Path) -> None:
    """The keys of a block are remembered, its rows are checked each time: a block that broke meanwhile is not read."""
    namespace = Namespace(IDENTITY, root=tmp_path)
    put(namespace, "a")
    assert namespace.get(keys("a")).present.all()
    (file,) = blocks(tmp_path)
    whole = bytearray(file.read_bytes())
    whole[-1] ^= 1
    file.write_bytes(bytes(whole))
    assert not namespace.get(keys("a")).present.any()
    put(namespace, "a")
    assert namespace.get(keys("a")).present.all()


def test_what_is_no_block(tmp_path: Path) -> None:
    """Other files and folders in the cache are left alone and do no harm."""
    namespace = Namespace(IDENTITY, root=tmp_path)
    put(namespace, "a")
    (tmp_path / "README").write_text("mine")
    (tmp_path / namespace.name / "notes.txt").write_text("mine")
    assert namespace.get(keys("a")).present.all()
    assert cache_upkeep.verify(tmp_path) == (1, [])
    assert cache_upkeep.evict(0, root=tmp_path) > 0
    assert (tmp_path / "README").exists()
    assert (tmp_path / namespace.name / "notes.txt").exists()


# --- through encode --------------------------------------------------------------------------------------------------


TEXTS = [f"text number {i}" for i in range(50)]


def encode(
    fake: Fake, texts: list[str] = TEXTS, *, prompt: Prompt = NO_PROMPT, **options: object
) -> encoding.EncodedTexts:
    return encoding.encode(fake, Texts(items=texts), prompt=prompt, **{"cache": "float32", **options})  # type: ignore[arg-type]


def test_the_second_time_nothing_is_encoded() -> None:
    """The same texts again: the model is not asked, numbers and counts are the same to the bit."""
    first, fake = encode(Fake(IDENTITY)), Fake(IDENTITY)
    again = encode(fake, TEXTS[::-1])
    assert fake.asked == []
    assert np.array_equal(again.vectors, first.vectors[::-1])
    assert (again.texts_encoded, again.texts_cached, again.tokens_encoded, again.tokens_padded) == (0, 50, 0, 0)
    assert (again.tokens, again.texts_truncated) == (first.tokens, first.texts_truncated)
    assert first.tokens == sum(map(len, TEXTS))


def test_only_what_is_new_is_encoded() -> None:
    """Texts of another list are found; the model sees the others only."""
    encode(Fake(IDENTITY))
    fake = Fake(IDENTITY)
    found = encode(fake, [*TEXTS[10:20], "new", "newer"])
    assert sorted(fake.texts) == ["new", "newer"]
    assert (found.texts_encoded, found.texts_cached) == (2, 10)
    assert np.array_equal(found.vectors[10:], fake.vectors(["new", "newer"]))


def test_nothing_is_kept_when_that_is_asked_for() -> None:
    """`off` writes nothing, and neither does a model that has no identity."""
    encode(Fake(IDENTITY), cache="off")
    encode(Fake(None))
    assert not vector_files.folder().exists()


def test_float16_gives_the_same_numbers_twice() -> None:
    """Vectors kept as float16 are rounded before they are scored the first time, so the second run is no different."""
    first = encode(Fake(IDENTITY), cache="float16")
    again = encode(Fake(IDENTITY), cache="float16")
    assert (again.texts_encoded, again.texts_cached) == (0, 50)
    assert np.array_equal(first.vectors, again.vectors)
    assert np.array_equal(first.vectors, first.vectors.astype(np.float16).astype(np.float32))
    assert not np.array_equal(first.vectors, encode(Fake(IDENTITY)).vectors)


def test_numbers_that_float16_cannot_hold() -> None:
    """Vectors beyond 65,504 are refused with what to do, not kept as infinity."""
    fake = Fake(IDENTITY, rows=lambda texts: np.full((len(texts), 4), 70_000, dtype=np.float32))
    with pytest.raises(encoding.EncodeError, match="use --store float32"):
        encode(fake, cache="float16")
    assert cache_upkeep.usage() == []
    assert encode(fake).vectors.max() == 70_000


def test_batches_of_mteb_go_by_the_whole_list() -> None:
    """A vector of mteb's batches belongs to its list: another list, or batches by tokens, never get it."""
    mteb = Fake(IDENTITY)
    encode(mteb, batching="mteb")
    for fake, texts, batching in (
        (Fake(IDENTITY), TEXTS, "tokens"),
        (Fake(IDENTITY), TEXTS[:-1], "mteb"),
        (Fake(IDENTITY), TEXTS[::-1], "mteb"),
    ):
        assert encode(fake, texts, batching=batching).texts_cached == 0
        assert len(fake.texts) == len(texts)
    again = Fake(IDENTITY)
    assert encode(again, batching="mteb").texts_cached == 50
    assert again.asked == []


@pytest.mark.parametrize(
    ("facts", "cached"),
    [
        ({"precision": "bf16", "depends_on_batch": "last bits"}, 0),
        ({"precision": "bf16"}, 30),
        ({"precision": "fp32", "depends_on_batch": "last bits"}, 30),
    ],
)
def test_texts_share_a_batch_whatever_is_cached(facts: dict[str, str], cached: int) -> None:
    """In half precision, where a vector depends on its batch, a list is encoded in the blocks of an empty cache.

    The same list is found again. In float32, and where no vector depends on its batch, texts of another list are found.
    """
    encode(Fake(IDENTITY, **facts), TEXTS[:30])
    fake, undisturbed = Fake(IDENTITY, **facts), Fake(IDENTITY, **facts)
    encode(undisturbed, cache="off")
    assert encode(fake).texts_cached == cached
    assert (fake.asked == undisturbed.asked) == (cached == 0)
    again = Fake(IDENTITY, **facts)
    assert encode(again).texts_cached == 50
    assert again.asked == []


def test_a_block_of_which_a_vector_is_gone_is_encoded_whole() -> None:
    """In half precision, one vector that is absent brings its whole block back to the model, and no other block."""
    facts = EncoderFacts(
        backend="fake",
        device="cpu",
        device_name="cpu",
        precision="fp16",
        depends_on_batch="last bits",
        batch_tokens=1024,
    )
    plan = BlockPlan([f"text {i:05}" for i in range(3000)], "tokens", facts)
    first, second = plan.blocks_to_encode(None)
    present = np.ones(3000, dtype=bool)
    present[second[7]] = False
    (block,) = plan.blocks_to_encode(present)
    assert block.tolist() == second.tolist()
    assert len(set(plan.keys())) == 3000
    assert len(first) == 2048


@pytest.mark.parametrize("batching", ["tokens", "mteb"])
def test_a_run_that_broke_off_goes_on(batching: str) -> None:
    """After an error in the third block, two blocks are there; the rest is encoded and all is as if nothing was."""
    texts = [f"text {i:05}" for i in range(7000)]
    undisturbed = encode(Fake(IDENTITY), texts, batching=batching, cache="off")
    done: list[int] = []

    def breaking(block: list[str]) -> np.ndarray:
        done.append(len(block))
        if len(done) == 3:
            raise KeyboardInterrupt
        return fake.vectors(block)

    fake = Fake(IDENTITY, rows=breaking)
    with pytest.raises(KeyboardInterrupt):
        encode(fake, texts, batching=batching)
    rest = Fake(IDENTITY)
    found = encode(rest, texts, batching=batching)
    assert done == [2048] * 3
    assert (found.texts_encoded, found.texts_cached) == (7000 - 4096, 4096)
    assert len(rest.texts) == 7000 - 4096
    assert np.array_equal(found.vectors, undisturbed.vectors)


def test_a_bad_vector_is_not_kept() -> None:
    """A block with a NaN is refused and not written; the blocks before it are."""
    texts = [f"text {i:05}" for i in range(3000)]
    fake = Fake(IDENTITY, rows=lambda block: np.full((len(block), 4), np.nan if len(block) < 2048 else 1, np.float32))
    with pytest.raises(encoding.EncodeError, match="NaN"):
        encode(fake, texts)
    (kept,) = cache_upkeep.usage()
    assert kept.blocks == 1
    assert encode(Fake(IDENTITY), texts).texts_encoded == 3000 - 2048


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a file where the folder should be, everything is encoded each time, and nothing else is different."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    first, again = encode(Fake(IDENTITY)), encode(Fake(IDENTITY))
    assert (again.texts_encoded, again.texts_cached) == (50, 0)
    assert np.array_equal(first.vectors, again.vectors)
    assert (cache_upkeep.usage(), cache_upkeep.verify(), cache_upkeep.clear(), cache_upkeep.evict(0)) == (
        [],
        (0, []),
        0,
        0,
    )


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half-way costs nothing but time, and leaves no temporary file."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert encode(Fake(IDENTITY)).texts_encoded == 50
    assert [path for path in vector_files.folder().rglob("*") if path.is_file() and path.name != "namespace.json"] == []


# --- room ------------------------------------------------------------------------------------------------------------


def aged(root: Path, count: int) -> list[Path]:
    """`count` blocks, of which the first was used longest ago."""
    files = []
    for place in range(count):
        before = set(blocks(root))
        put(Namespace({**IDENTITY, "prompt": str(place % 2)}, root=root), f"text {place}")
        (file,) = set(blocks(root)) - before
        os.utime(file, (1_000_000 + 100 * place,) * 2)
        files.append(file)
    return files


def test_eviction_takes_the_least_recently_used(tmp_path: Path) -> None:
    """The blocks used longest ago go, of whatever namespace, no more of them than the limit asks for."""
    files = aged(tmp_path, 6)
    size = files[0].stat().st_size
    assert cache_upkeep.evict(6 * size, root=tmp_path) == 0
    assert cache_upkeep.evict(4 * size + 1, root=tmp_path) == 2 * size
    assert [file.exists() for file in files] == [False, False, True, True, True, True]


def test_reading_is_using(tmp_path: Path) -> None:
    """A block that was read outlives those that were not, however old it is."""
    files = aged(tmp_path, 4)
    assert Namespace({**IDENTITY, "prompt": "0"}, root=tmp_path).get(keys("text 0")).present.all()
    cache_upkeep.evict(files[0].stat().st_size, root=tmp_path)
    assert [file.exists() for file in files] == [True, False, False, False]


def test_checking_is_not_using(tmp_path: Path) -> None:
    """`verify` reads every block and leaves the order in which they will go as it is."""
    files = aged(tmp_path, 3)
    before = [file.stat().st_mtime for file in files]
    assert cache_upkeep.verify(tmp_path) == (3, [])
    assert [file.stat().st_mtime for file in files] == before


def test_the_store_stays_under_its_limit_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long run evicts as it goes; the blocks written last are there."""
    namespace = Namespace(IDENTITY, root=tmp_path)
    put(namespace, "probe")
    size = blocks(tmp_path)[0].stat().st_size
    monkeypatch.setenv("HARNESS_STORE_GIB", str(20.5 * size / 2**30))
    assert cache_upkeep.limit_bytes() == int(20.5 * size)
    for place in range(127):
        put(namespace, f"text {place}")
        assert len(blocks(tmp_path)) < 20 + 64 + 1
    assert sum(file.stat().st_size for file in blocks(tmp_path)) <= cache_upkeep.limit_bytes()
    assert namespace.get(keys("text 126")).present.all()


@pytest.mark.parametrize("value", ["much", "inf", "nan", "-1", "1e999"])
def test_a_limit_that_is_no_size(value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is no size is refused and clears nothing; a huge one is one."""
    namespace = Namespace(IDENTITY, root=tmp_path)
    put(namespace, "a")
    monkeypatch.setenv("HARNESS_STORE_GIB", value)
    with pytest.raises(HarnessError, match=r"HARNESS_STORE_GIB=.*expected the largest size"):
        cache_upkeep.evict(root=tmp_path)
    assert len(blocks(tmp_path)) == 1
    monkeypatch.setenv("HARNESS_STORE_GIB", "1e308")
    assert cache_upkeep.evict(root=tmp_path) == 0


def test_rows_of_unequal_width(tmp_path: Path) -> None:
    """Blocks of other widths in one namespace never mix: what is returned has one width and its own values."""
    namespace = Namespace(IDENTITY, root=tmp_path)
    own = put(namespace, "a", "b")
    namespace.put(keys("c"), np.ones((1, 5), np.float32), tokens=None, truncated=None)
    for asked in (("a", "b", "c"), ("c", "a", "b")):
        cached = namespace.get(keys(*asked))
        assert cached.present.any()
        expected = {"a": own[0], "b": own[1], "c": np.ones(5, np.float32)}
        for name, present, row in zip(asked, cached.present, cached.vectors, strict=True):
            assert not present or row.tolist() == expected[name].tolist()


def test_files_of_others(tmp_path: Path) -> None:
    """Clearing, checking and evicting touch only what the cache is named by; links are not followed."""
    root, elsewhere = tmp_path / "embeddings", tmp_path / "models"
    namespace = Namespace(IDENTITY, root=root)
    put(namespace, "a")
    elsewhere.mkdir()
    (elsewhere / f"{'1' * 32}.safetensors").write_bytes(b"weights")
    (root / ("2" * 32)).symlink_to(elsewhere)
    folder = root / namespace.name
    strangers = [folder / "model.safetensors", folder / ".notes", root / "mine" / "model.safetensors", root / "a.txt"]
    for file in strangers:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"precious")
        os.utime(file, (1_000_000,) * 2)
    (folder / f"{'3' * 32}.safetensors").symlink_to(elsewhere / f"{'1' * 32}.safetensors")
    assert cache_upkeep.verify(root) == (1, [])
    assert namespace.get(keys("a")).present.all()
    cache_upkeep.evict(0, root=root)
    cache_upkeep.clear(root)
    assert blocks(folder) == [folder / f"{'3' * 32}.safetensors", folder / "model.safetensors"]
    assert all(file.read_bytes() == b"precious" for file in strangers)
    assert (elsewhere / f"{'1' * 32}.safetensors").read_bytes() == b"weights"
    assert (root / ("2" * 32)).is_symlink()


@pytest.mark.parametrize("value", ["", "20"])
def test_the_limit(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """20 GiB unless the variable says another number."""
    monkeypatch.setenv("HARNESS_STORE_GIB", value)
    assert cache_upkeep.limit_bytes() == 20 * 2**30


def test_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    """Temporary files older than a day are swept up; a fresh one may be somebody's work."""
    namespace = Namespace(IDENTITY, root=tmp_path)
    put(namespace, "a")
    old, fresh = (tmp_path / namespace.name / f".{letter * 32}.safetensors.{'0' * 16}.tmp" for letter in "ab")
    old.write_bytes(b"half")
    fresh.write_bytes(b"half")
    os.utime(old, (1_000_000,) * 2)
    cache_upkeep.evict(root=tmp_path)
    assert (old.exists(), fresh.exists()) == (False, True)
    assert namespace.get(keys("a")).present.all()


def test_usage_and_clear(tmp_path: Path) -> None:
    """Every namespace with its size and age, most recently used first; one of them, or all, can be cleared."""
    one, other = Namespace(IDENTITY, root=tmp_path), Namespace({**IDENTITY, "model": "org/other"}, root=tmp_path)
    put(one, "a")
    put(one, "b")
    put(other, "c")
    for file in blocks(tmp_path / one.name):
        os.utime(file, (1_000_000,) * 2)
    newer, older = cache_upkeep.usage(tmp_path)
    assert (newer.namespace, newer.identity["model"], newer.blocks) == (other.name, "org/other", 1)
    assert (older.namespace, older.blocks, older.used) == (one.name, 2, 1_000_000)
    assert older.bytes == sum(file.stat().st_size for file in blocks(tmp_path / one.name))
    assert cache_upkeep.clear(tmp_path, namespaces=[one.name]) >= older.bytes
    assert not (tmp_path / one.name).exists()
    assert other.get(keys("c")).present.all()
    cache_upkeep.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_namespace_that_cannot_be_read(tmp_path: Path) -> None:
    """Without its description, or with a broken one, a namespace is still counted, checked and cleared."""
    namespace = Namespace(IDENTITY, root=tmp_path)
    put(namespace, "a")
    for content in ("{", "[]", "\xff"):
        (tmp_path / namespace.name / "namespace.json").write_text(content, encoding="latin-1")
        (found,) = cache_upkeep.usage(tmp_path)
        assert (found.identity, found.blocks) == ({}, 1)
    assert namespace.get(keys("a")).present.all()


def test_a_namespace_that_another_process_removes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes through the whole cache meets a folder that has just gone as an empty one."""
    monkeypatch.setattr(vector_files, "namespaces", lambda root: [tmp_path / "gone"])
    assert (cache_upkeep.usage(), cache_upkeep.verify(), cache_upkeep.clear(), cache_upkeep.evict(0)) == (
        [],
        (0, []),
        0,
        0,
    )
