"""Offline mode: whether the hub may be asked."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping

_VARIABLES = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


@contextlib.contextmanager
def offline_mode(*, on: bool = True) -> Iterator[None]:
    """Keep every client of this process away from the network while the block runs; with `on=False`, do nothing."""
    if not on:
        yield
        return
    variables = {name: os.environ.get(name) for name in _VARIABLES}
    copies = _copies()
    os.environ.update(dict.fromkeys(_VARIABLES, "1"))
    _set_copies(dict.fromkeys(copies, True))
    try:
        yield
    finally:
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _set_copies({**_as_imported(), **copies})


def is_offline() -> bool:
    """Whether the hub may not be asked."""
    return _is_set("HF_HUB_OFFLINE")


def _copies() -> dict[str, bool]:
    """What the clients that are imported copied from the environment, by module."""
    return {name: sys.modules[name].HF_HUB_OFFLINE for name in _as_imported() if name in sys.modules}


def _set_copies(values: Mapping[str, bool]) -> None:
    for name, value in values.items():
        if name in sys.modules:
            sys.modules[name].HF_HUB_OFFLINE = value  # type: ignore[attr-defined]


def _as_imported() -> dict[str, bool]:
    """What the clients would copy from the environment if they were imported now, by module."""
    hub = _is_set("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    datasets = _is_set("HF_DATASETS_OFFLINE") if "HF_DATASETS_OFFLINE" in os.environ else hub
    return {"huggingface_hub.constants": hub, "datasets.config": datasets}


def _is_set(*variables: str) -> bool:
    """Whether the first of the variables that is not empty says yes."""
    value = next(filter(None, map(os.environ.get, variables)), "")
    return value.upper() in {"1", "ON", "YES", "TRUE"}
