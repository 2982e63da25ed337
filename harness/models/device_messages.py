"""The messages between a process and those that have its model open on one device each; see `device_worker`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from harness.errors import Kind
from harness.types import Batching, EncodeOptions, ModelSpec, Prompt, Role

OPEN_MODEL = "harness.models:open_model"


class DeviceOpening(NamedTuple):
    """What to open, the first message: `opener` is `module:function`, (spec, options) -> Encoder."""

    opener: str
    spec: ModelSpec
    options: EncodeOptions


class Session(NamedTuple):
    """The blocks that follow are encoded like this, until None comes."""

    number: int
    prompt: Prompt
    role: Role | None
    batching: Batching


class Call(NamedTuple):
    """A method of the encoder to call."""

    method: str
    arguments: tuple[Any, ...] = ()
    named: Mapping[str, Any] = {}


class DeviceAnswer(NamedTuple):
    """What came of an opening (the facts), a call, or the next block of a session.

    Attributes:
        session: whose block it is; None for an opening or a call.
    """

    session: int | None
    content: Any


class Failed(NamedTuple):
    """An opening, a call or a session that ended with an error.

    Attributes:
        session: which; None for an opening or a call.
        message: of the error; with a traceback where it is a defect.
    """

    session: int | None
    message: str
    kind: Kind
