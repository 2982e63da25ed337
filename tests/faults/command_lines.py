"""(g) Command lines, environments, locales, homes, working folders, FIFOs: a documented status and no traceback."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.faults import children
from tests.faults.outcomes import Fault

TITLE = "command lines, environments, homes, FIFOs"
WORDS = (
    *("", " ", "-", "--", "~", "~nouser/x", "~/x", "/", ".", "..", "../..", "/dev/null", "/dev/zero", "/dev/full"),
    *("a" * 300, "a/" * 3000, "é", "\x1b[2J", "\u202e", "a\nb", "a,b", ",", "=x", "*", "%s%n", "{}", "[]", "null"),
    *("nan", "inf", "-1", "0", "1e308", "1e999", "9" * 5000, "10" * 20, "0x10", "True", "org/name", "org/name@main"),
    *("a/b/c", "@", "a@", "@b", "hub:", "hub:a/b", "http://[::1/x", "https://h:99999/", "openai:x", "baseline/hashing"),
    *("baseline/bm25", "bundled/all-MiniLM-L6-v2", "MiniSTSGerman", "mini", "STS", "deu", "deu-Latn", "test", "FIFO"),
    *("FOLDER", "BINARY", "EMPTY", "DEEP", "HUGE", "YAML", "JSON", "CSV", "CARD", "LOOP", "\udcff", "x\udc80y"),
    *('{"a": 1e999}', "{", "cosine", "fp16", "int8", "full", "latest", "-99999999999999999999", "/proc/self/mem"),
)
VARIABLES: dict[str, tuple[str | None, ...]] = {
    "HOME": (None, "", "/nowhere", "/dev/null", "relative"),
    "HARNESS_CACHE": ("", "~nouser/x", "/dev/null", "/dev/null/x", "/proc/x", "a" * 300, "relative", "/nowhere\udcff"),
    "HARNESS_RESULTS": ("", "~nouser/x", "/dev/null", "/dev/null/x", "FIFO", "a" * 300),
    "HARNESS_STORE_GIB": ("inf", "nan", "-1", "1e308", "x", "0"),
    "HARNESS_HISTORY": ("~nouser/x", "/dev/null", "FIFO"),
    "HF_HOME": ("", "/dev/null", "~nouser/x", "/proc/x"),
    "HF_ENDPOINT": ("", "http://[::1/x", "ftp://x", "http://user:canary@127.0.0.1:9", "not an address"),
    "HARNESS_ENDPOINT_TIMEOUT": ("x", "-1", "inf", "0"),
    "LC_ALL": ("C", "POSIX", "tr_TR.UTF-8", "xx"),
    "COLUMNS": ("0", "-1", "x", "1", "99999999"),
    "TZ": ("", "x/y", "\udcff"),
    "XDG_CONFIG_HOME": ("/dev/null", ""),
}
SETTINGS = (
    b"",
    b"\xff",
    b"[",
    b"results = 1\n",
    b"results = '~nouser/x'\n",
    b"results = ''\ntasks_dir = [1]\n",
    b"x" * 100_000,
)


def faults(chance: random.Random, folder: Path) -> Iterator[Fault]:
    """Faults without end."""
    from harness import cli
    from harness.cli.command_parser import all_parsers

    commands = [(tuple(words.split()), parser) for words, parser in all_parsers(cli.parser()) if not parser.is_group]
    options = {
        words: [name for action in parser._actions for name in action.option_strings] for words, parser in commands
    }
    children.warm([[*words, "--help"] for words in options], folder=folder)
    warm = [
        ["leaderboard"],
        ["table"],
        ["tasks", "list"],
        ["tasks", "check"],
        ["config"],
        ["suites"],
        ["models", "list"],
        ["run", "--plan"],
    ]
    children.warm(warm, folder=folder)
    while True:
        place = folder / "place"
        shutil.rmtree(place, ignore_errors=True)
        files = _files(place)
        words = chance.choice([*options])
        arguments = [*words]
        for _ in range(chance.choice([0, 1, 1, 2, 3])):
            if options[words] and chance.random() < 0.6:
                arguments.append(chance.choice(options[words]))
            if chance.random() < 0.8:
                word = chance.choice(WORDS)
                arguments.append(files.get(word, word))
        if words[0] == "doctor" or words == ("nightly", "install"):
            continue  # asks this machine for seconds, or changes it
        if (
            not {"--plan", "--help"} & {*arguments}
            and words[0] in ("run", "prefetch", "nightly")
            and "--offline" not in arguments
        ):
            arguments.append("--offline")
        if words[0] == "run" and "--plan" not in arguments:
            arguments.insert(1, "--plan")
        variables: dict[str, str | None] = {}
        for name in chance.sample([*VARIABLES], chance.choice([0, 0, 1, 2])):
            value = chance.choice(VARIABLES[name])
            variables[name] = files.get(value, value) if value is not None else None
        settings = chance.choice(SETTINGS) if chance.random() < 0.1 else None
        if settings is not None:
            (place / "harness.toml").write_bytes(settings)
        limit = chance.random()
        prepare = _limited if limit < 0.03 else _few_files if limit < 0.05 else _nothing
        ended = children.command(arguments, folder=place, variables=variables, prepare=prepare)
        words_shown = " ".join(word[:40] for word in arguments)
        told = f"{words_shown} {variables or ''} {(settings or b'')[:20]!r} {prepare.__name__}"
        case = told.encode(errors="backslashreplace").decode()
        fault = ended.problem(case)
        if fault is None and "canary" in ended.text:
            fault = Fault(case, "wrong", "a secret is shown")
        yield fault or Fault(case, "right" if ended.status == 0 else "refused")


def _files(place: Path) -> dict[str, str]:
    place.mkdir()
    os.mkfifo(place / "FIFO")
    (place / "FOLDER").mkdir()
    (place / "BINARY").write_bytes(bytes(range(256)) * 4)
    (place / "EMPTY").write_bytes(b"")
    (place / "DEEP").write_text("[" * 20_000)
    (place / "HUGE").write_text("9" * 5000 + "\n")
    (place / "YAML").write_text('name: A\ntype: STS\nsource: {kind: local, path: "\\0"}\n')
    (place / "JSON").write_text(json.dumps({"a": 1}))
    (place / "CSV").write_text("a,b\n" + "1" * 5000 + ",2\n")
    (place / "CARD").write_text("---\nmodel-index:\n- name: x\n  results: 1\n---\n")
    (place / "LOOP").symlink_to("LOOP")
    return {file.name: str(file) for file in place.iterdir()}


def _nothing() -> None:
    pass


def _limited() -> None:
    """Little more memory than the process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 8 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
