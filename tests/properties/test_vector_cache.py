"""Nobody gets another one's vector: over identities, orders of calls, broken bytes and processes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import encoding
from harness.encoding import cache_upkeep, vector_cache
from harness.encoding.vector_cache import Namespace
from harness.files import run_environment
from harness.models.vector_identity import identity
from harness.types import EncoderFacts, ModelSpec, Prompt, Texts
from tests.conftest import ROOT
from tests.conftest import environment as process_environment
from tests.encoders import Fake, vector_of

SPEC = ModelSpec(name="org/model", revision="1" * 40, location="org/model", origin="hub")
FACTS = EncoderFacts(
    backend="harness",
    device="cpu",
    device_name="x86",
    precision="fp32",
    attention="sdpa",
    max_length=256,
    batching="1024 tokens",
)
VERSIONS = {"torch": "2.9.0", "transformers": "5.23.0", "tokenizers": "0.22.1"}
NAMES = st.text(st.characters(codec="utf-8"), max_size=6)
CHANGES: Mapping[str, st.SearchStrategy[Any]] = {
    "name": NAMES,
    "revision": NAMES,
    "trust_remote_code": st.booleans(),
    "backend": NAMES,
    "precision": st.sampled_from(["fp32", "fp16", "bf16"]),
    "attention": st.none() | NAMES,
    "encoding": st.sampled_from([None, "packed"]),
    "max_length": st.none() | st.integers(1, 10**5),
    "batching": st.none() | NAMES,
    "device_name": NAMES,
    "torch": NAMES,
    "transformers": NAMES,
    "tokenizers": NAMES,
    "prompt": NAMES,
    "role": st.sampled_from(["", "query", "document"]),
    "batches": st.sampled_from(["tokens", "mteb"]),
    "dtype": st.sampled_from(["float32", "float16"]),
}
"""Everything besides the text that decides a vector."""
OF_FACTS = ("backend", "precision", "attention", "encoding", "max_length", "batching", "device_name")
PLAIN = {
    "name": SPEC.name,
    "revision": SPEC.revision,
    "trust_remote_code": False,
    **{key: getattr(FACTS, key) for key in OF_FACTS},
    **VERSIONS,
    "prompt": "",
    "role": "",
    "batches": "tokens",
    "dtype": "float32",
}


def namespace_of(values: Mapping[str, Any]) -> str:
    """The namespace's name as encoders and `encode` make it."""
    spec = replace(SPEC, **{key: values[key] for key in ("name", "revision", "trust_remote_code")})
    facts = replace(FACTS, **{key: values[key] for key in OF_FACTS})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_environment, "versions", lambda: {key: values[key] for key in VERSIONS})
        made_of = identity(spec, facts, packages=tuple(VERSIONS))
    whole = {**made_of, "prompt": values["prompt"], "role": values["role"], "batching": values["batches"]}
    return Namespace(whole, dtype=values["dtype"]).name


@settings(max_examples=150)
@given(st.fixed_dictionaries(CHANGES), st.fixed_dictionaries(CHANGES), st.sets(st.sampled_from(sorted(CHANGES))))
def test_two_ways_of_encoding_share_a_namespace_only_if_nothing_differs(
    one: dict[str, Any], other: dict[str, Any], same: set[str]
) -> None:
    """Model, revision, precision, length, prompt, role, batches, device, versions, type: any difference parts them."""
    other = {key: one[key] if key in same else value for key, value in other.items()}
    assert (namespace_of(one) == namespace_of(other)) == (one == other)


@pytest.mark.parametrize("key", CHANGES)
def test_every_single_value_counts(key: str) -> None:
    """Changing one value and nothing else gives another namespace."""
    changed = {
        "trust_remote_code": True,
        "precision": "fp16",
        "encoding": "packed",
        "max_length": 255,
        "role": "query",
        "batches": "mteb",
        "dtype": "float16",
    }
    assert namespace_of({**PLAIN, key: changed.get(key, "other")}) != namespace_of(PLAIN)


@given(st.text(), st.text())
def test_two_texts_never_share_a_key(one: str, other: str) -> None:
    """Keys are 16 bytes, the same for the same text and different otherwise, lone surrogates included."""
    assert len(vector_cache.key(one)) == 16
    assert (vector_cache.key(one) == vector_cache.key(other)) == (one == other)
    assert (vector_cache.key(one, other) == vector_cache.key(other, one)) == (one == other)


# --- any order of calls ----------------------------------------------------------------------------------------------


CALLS = st.lists(
    st.tuples(
        st.fixed_dictionaries(
            {
                "model": st.sampled_from(["a", "b"]),
                "precision": st.sampled_from(["fp32", "bf16"]),
                "max_length": st.sampled_from([128, 256]),
            }
        ),
        st.sampled_from([Prompt(None, None), Prompt("query", "query: ")]),
        st.sampled_from(["tokens", "mteb"]),
        st.sampled_from(["float32", "float16", "off"]),
        st.lists(st.sampled_from(["", "x", "yy", "zzz", "x y", "query: x"]), max_size=6),
    ),
    max_size=8,
)


@contextmanager
def empty_cache() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", folder)
        yield Path(folder)


@settings(max_examples=60, deadline=None)
@given(CALLS)
def test_whatever_was_cached_before(calls: list[Any]) -> None:
    """Any calls in any order over one cache: each gets the vectors of its own model, prompt, precision and length."""
    with empty_cache():
        for made_of, prompt, batching, dtype, texts in calls:
            fake = Fake(made_of)
            found = encoding.encode(fake, Texts(items=texts), prompt=prompt, batching=batching, cache=dtype)
            expected = fake.vectors(texts, prompt=prompt)
            if dtype == "float16":
                expected = expected.astype(np.float16).astype(np.float32)
            assert np.array_equal(found.vectors.reshape(expected.shape), expected)
            assert found.tokens == sum(map(len, texts))
            assert found.texts_encoded + found.texts_cached == (len(set(texts)) if batching == "tokens" else len(texts))


# --- any broken byte -------------------------------------------------------------------------------------------------


IDENTITY = {"model": "org/model"}
TEXTS = [f"text {i}" for i in range(6)]


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """The name and the bytes of a block of six texts."""
    root = tmp_path_factory.mktemp("store")
    put(Namespace(IDENTITY, root=root))
    (file,) = root.rglob("*.safetensors")
    return file.name, file.read_bytes()


def put(namespace: Namespace) -> None:
    rows = np.array([vector_of(text) for text in TEXTS])
    tokens = np.arange(6, dtype=np.int32)
    namespace.put([vector_cache.key(text) for text in TEXTS], rows, tokens=tokens, truncated=tokens > 2)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_broken_byte_is_never_believed(block: tuple[str, bytes], data: st.DataObject) -> None:
    """Wherever in a block a byte changes, what is found is right, and whatever is not found can be put in again."""
    name, content = block
    place = data.draw(st.integers(0, len(content) - 1))
    broken = bytearray(content)
    broken[place] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        namespace = Namespace(IDENTITY, root=root)
        (root / namespace.name).mkdir()
        (root / namespace.name / name).write_bytes(bytes(broken))
        cached = namespace.get([vector_cache.key(text) for text in TEXTS])
        for text, present, row, count, cut in zip(TEXTS, *cached, strict=True):
            if present:
                assert row.tolist() == vector_of(text).tolist()
                assert (count, cut) == (TEXTS.index(text), TEXTS.index(text) > 2)
        start = 8 + int.from_bytes(content[:8], "little")
        assert place < start or not cached.present.any()
        put(namespace)
        assert namespace.get([vector_cache.key(text) for text in TEXTS]).present.all()


# --- processes -------------------------------------------------------------------------------------------------------


WRITER = """
import sys, time
from pathlib import Path
import numpy as np
from harness.encoding import vector_cache
from tests.encoders import vector_of

root, model, first = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
namespace = vector_cache.Namespace({"model": model}, root=root)
(root / f"ready-{model}-{first}").touch()
while not (root / "go").exists():
    time.sleep(0.001)
for block in range(first, first + 60):
    texts = [f"text {i}" for i in range(10 * block, 10 * block + 15)]
    rows = np.array([vector_of(text, model) for text in texts])
    namespace.put([vector_cache.key(text) for text in texts], rows, tokens=None, truncated=None)
"""


def test_processes_fill_one_cache(tmp_path: Path) -> None:
    """Four processes write 240 blocks, some of them the same, while a fifth reads: nothing is lost, mixed or broken."""
    writers = [("a", 0), ("a", 30), ("b", 0), ("b", 30)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), model, str(first)],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=process_environment(tmp_path),
        )
        for model, first in writers
    ]
    while len(list(tmp_path.glob("ready-*"))) < len(writers):
        assert all(process.poll() is None for process in processes), [process.stderr for process in processes]
    (tmp_path / "go").touch()
    texts = [f"text {i}" for i in range(905)]
    keys = [vector_cache.key(text) for text in texts]
    expected = {model: np.array([vector_of(text, model) for text in texts]) for model in ("a", "b")}
    looked = 0
    while any(process.poll() is None for process in processes):
        assert_right(tmp_path, keys, expected)
        looked += 1
    assert [process.communicate()[1] for process in processes] == [""] * 4
    assert looked > 0
    assert_right(tmp_path, keys, expected)
    assert all(Namespace({"model": model}, root=tmp_path).get(keys).present.all() for model in expected)
    assert {one.identity["model"]: one.blocks for one in cache_upkeep.usage(tmp_path)} == {"a": 90, "b": 90}
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]
    for file in tmp_path.rglob("namespace.json"):
        assert json.loads(file.read_text())["model"] in expected


def assert_right(root: Path, keys: list[bytes], expected: Mapping[str, np.ndarray]) -> None:
    assert cache_upkeep.verify(root)[1] == []
    for model, rows in expected.items():
        cached = Namespace({"model": model}, root=root).get(keys)
        assert np.array_equal(cached.vectors[cached.present], rows[cached.present]) or not cached.present.any()
