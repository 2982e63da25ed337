"""Commands and code run in the tests' own process with an environment of their own, as a new process would see it.

Importing torch, transformers and mteb takes a new process seconds; what runs here finds them imported.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from unittest import mock

from harness import cli

_FROM_ENVIRONMENT = ("huggingface_hub.constants", "datasets.config")
"""Modules that copy environment variables when they are imported, and from which the libraries read them."""
_MODULES_CACHE = ("transformers.utils.hub", "transformers.utils", "transformers.dynamic_module_utils")
"""Modules with a copy of `HF_MODULES_CACHE`."""
_REMOTE_CODE = ("transformers_modules", "datasets_modules")
"""Packages that hold the code of models and data sets."""


@contextlib.contextmanager
def environment_of(variables: Mapping[str, str], *, folder: Path) -> Iterator[None]:
    """Have no other environment variables than these, also where libraries copied them, and work in `folder`."""
    try:
        with mock.patch.dict(os.environ, variables, clear=True), contextlib.chdir(folder):
            _copy_environment()
            yield
    finally:
        _copy_environment()


def run_command(arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command with this environment in this folder; an exception that leaves `main` is raised here too."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with environment_of(env, folder=cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main(arguments)
        except SystemExit as leaving:  # argparse
            status = int(leaving.code or 0)
    texts = (stream.buffer.getvalue().decode("utf-8") for stream in (out, err))  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(["harness", *arguments], status, *texts)


_version = functools.cache(metadata.version)


def _copy_environment() -> None:
    """What the imported libraries copied from the environment is copied again; what they keep of a hub is forgotten."""
    with mock.patch.object(metadata, "version", _version):  # read from disk, a millisecond each, for `datasets.config`
        for name in _FROM_ENVIRONMENT:
            if name in sys.modules:
                importlib.reload(sys.modules[name])
    if "huggingface_hub.constants" not in sys.modules:
        return
    from huggingface_hub import constants

    modules_cache = os.environ.get("HF_MODULES_CACHE", os.path.join(constants.HF_HOME, "modules"))  # noqa: PTH118
    for name in _MODULES_CACHE:
        if name in sys.modules:
            sys.modules[name].HF_MODULES_CACHE = modules_cache  # type: ignore[attr-defined]
    for name in [name for name in sys.modules if name.partition(".")[0] in _REMOTE_CODE]:
        del sys.modules[name]
    if "transformers.utils.hub" in sys.modules:
        sys.modules["transformers.utils.hub"]._hf_api = None  # type: ignore[attr-defined]  # made anew when asked for
    if "huggingface_hub.hf_api" in sys.modules:
        sys.modules["huggingface_hub.hf_api"].api.endpoint = constants.ENDPOINT
    if "huggingface_hub.hf_file_system" in sys.modules:
        sys.modules["huggingface_hub.hf_file_system"].HfFileSystem.clear_instance_cache()
