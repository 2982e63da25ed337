"""An encoder that kills its process, for tests of processes that die."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.errors import EncodeError, ModelError
from harness.types import EncodeOptions, ModelSpec, Prompt, Role
from tests.encoders import NO_PROMPT, Fake

DEADLY = "deadly: "


class Mortal(Fake):
    """A fake whose process dies of a text that names a file: once, or each time where the file is a folder."""

    def vectors(self, texts: Sequence[str], *, prompt: Prompt = NO_PROMPT, role: Role | None = None) -> np.ndarray:
        for text in texts:
            if text == "refused":
                raise EncodeError("a text that is refused", kind="data")
            if text.startswith(DEADLY):
                place = Path(text.removeprefix(DEADLY))
                if place.is_dir() or not place.exists():
                    place.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
        return super().vectors(texts, prompt=prompt, role=role)


def open_mortal(spec: ModelSpec, options: EncodeOptions) -> Fake:
    """What a process opens in place of a model."""
    if spec.name == "org/broken":
        raise ModelError("org/broken: its weights cannot be read")
    return Mortal({"model": "org/model"}, device=options.device)
