"""A model on several devices: the same vectors as on one, and a process that dies costs no text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import data, encoding, models
from harness.errors import EncodeError, ModelError
from harness.models import devices, several_devices
from harness.models.model_kind import ModelKind
from harness.models.several_devices import SeveralDevicesEncoder
from harness.runner import measurement
from harness.tasks import registry
from harness.types import EncodeOptions, ModelSpec, Prompt, Texts
from tests.conftest import ROOT
from tests.encoders import NO_PROMPT, Fake
from tests.mortal_encoder import DEADLY

SPEC = ModelSpec(name="org/model", revision="1", location="org/model", origin="folder")
IDENTITY = {"model": "org/model"}
OPENER = "tests.mortal_encoder:open_mortal"
TEXTS = [f"text {place:05}" for place in range(9000)]


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the processes find the tests."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def encoder() -> Iterator[SeveralDevicesEncoder]:
    """Two processes, both on the CPU."""
    opened = SeveralDevicesEncoder(SPEC, EncodeOptions(), ["cpu", "cpu"], opener=OPENER)
    yield opened
    opened.close()


def encode(encoder: Any, texts: list[str] = TEXTS, **options: Any) -> encoding.EncodedTexts:
    return encoding.encode(encoder, Texts(items=texts, role="query"), prompt=Prompt("query", "query: "), **options)


def test_the_same_as_on_one_device(encoder: SeveralDevicesEncoder) -> None:
    """Vectors, counts, identity and similarities are those of one device; so they are from the vector cache."""
    one = Fake(IDENTITY)
    expected, first = encode(one), encode(encoder, cache="float32")
    assert encoder.facts.device == "cpu,cpu"
    assert np.array_equal(first.vectors, expected.vectors)
    assert first._replace(vectors=None) == expected._replace(vectors=None)  # type: ignore[arg-type]
    assert encode(one, cache="float32").texts_cached == len(TEXTS)
    assert np.array_equal(encode(encoder, batching="mteb").vectors, expected.vectors)
    pair = first.vectors[:5], first.vectors[5:10]
    assert np.array_equal(encoder.similarity_pairwise(*pair), one.similarity_pairwise(*pair))
    assert encoder.facts.lost_devices is None


def test_a_process_that_dies(encoder: SeveralDevicesEncoder, tmp_path: Path) -> None:
    """kill -9 of one of two processes: every text has its vector, and the part says which device is gone and why."""
    texts = [*TEXTS, f"{DEADLY}{tmp_path / 'once'}"]
    found = encode(encoder, texts)
    assert np.array_equal(found.vectors, Fake(IDENTITY).vectors(texts, prompt=Prompt("query", "query: "), role="query"))
    assert encoder.facts.lost_devices is not None
    ((device, reason),) = encoder.facts.lost_devices.items()
    assert device == "cpu"
    assert "SIGKILL" in reason
    task = registry.get_tasks().get("MiniSTSEnglish")
    part, loaded = task.parts[0], data.load(task, task.parts[0])
    measured = measurement.score(measurement.encode(task, part, encoder, loaded))
    (note,) = [note for note in measured.notes if "SIGKILL" in note]
    assert note.startswith("cpu: the worker process was killed (SIGKILL)")
    assert measured.scores == measurement.score(measurement.encode(task, part, Fake(IDENTITY), loaded)).scores


def test_no_process_is_left(encoder: SeveralDevicesEncoder, tmp_path: Path) -> None:
    """A text that kills every process ends with one error that names both ends."""
    with pytest.raises(EncodeError, match=r"no device is left .*SIGKILL") as caught:
        encode(encoder, [*TEXTS, f"{DEADLY}{tmp_path}"])
    assert caught.value.kind == "resource"


def test_an_error_of_the_model_is_raised_here(encoder: SeveralDevicesEncoder) -> None:
    """An error in a process comes out with its message and kind; the next texts are encoded as if nothing was."""
    with pytest.raises(EncodeError, match="a text that is refused") as caught:
        encode(encoder, [*TEXTS, "refused"])
    assert caught.value.kind == "data"
    assert np.array_equal(encode(encoder, TEXTS[:3]).vectors, encode(Fake(IDENTITY), TEXTS[:3]).vectors)


def test_a_caller_that_leaves_early(encoder: SeveralDevicesEncoder) -> None:
    """What is left of one list is not taken for the next one."""
    blocks = [[text] for text in TEXTS[:20]]
    answers = encoder.encode(blocks, prompt=NO_PROMPT, role=None)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert np.array_equal(encode(encoder, TEXTS[:50]).vectors, encode(Fake(IDENTITY), TEXTS[:50]).vectors)


def test_a_model_that_cannot_be_opened() -> None:
    """The reason comes out, and no process is left."""
    spec = ModelSpec(name="org/broken", revision="1", location="org/broken", origin="folder")
    with pytest.raises(ModelError, match="its weights cannot be read"):
        SeveralDevicesEncoder(spec, EncodeOptions(), ["cpu", "cpu"], opener=OPENER)


@pytest.mark.parametrize(
    ("device", "here", "on_each", "processes"),
    [
        ("cuda:all", ["cuda:0", "cuda:1"], True, ["cuda:0", "cuda:1"]),
        ("cuda:0,cuda:1", ["cuda:0", "cuda:1"], True, ["cuda:0", "cuda:1"]),
        ("cuda:all", ["cuda:0"], True, None),
        ("cuda:all", ["cuda:0", "cuda:1"], False, None),
        ("cpu", ["cpu"], True, None),
    ],
)
def test_which_models_get_processes(
    device: str, here: list[str], on_each: bool, processes: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several GPUs get a process each, one GPU none; a kind of model that runs on one device decides itself."""
    opened: list[Any] = []
    monkeypatch.setattr(several_devices, "SeveralDevicesEncoder", lambda *arguments: opened.append(arguments[2]))
    monkeypatch.setattr(devices, "pick_devices", lambda names: here)
    kind = ModelKind(
        name="a kind",
        recognises=lambda repository: True,
        open=lambda spec, options: Fake(device=options.device),
        on_each_device=on_each,
    )
    encoder = models._opened(SPEC, EncodeOptions(device=device), kind)
    assert opened == ([] if processes is None else [processes])
    if processes is None:
        assert encoder.facts.device == (device if not on_each else here[0])
