"""(f) Damaged records through every command: a number, a word or a byte of one record is changed in all ways."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults import children
from tests.faults.outcomes import Fault

TITLE = "damaged records through every command"
TASKS = "MiniSTSGerman,MiniSTSEnglish"
CARD = "---\nlicense: mit\n---\n# A card\n"
MODELS = ("baseline/hashing", "baseline/bm25")
STRANGE: tuple[Any, ...] = (
    *(None, True, "", "soon", "\x1b[2J\u202e", [], {}, [None], {"a": 1}, -1, 0, 10**20, 10**400, 1e308, -1e308, 0.5),
    *("9" * 5000, "é" * 300, [[[[]]]], float("nan"), float("inf"), 2**63, "1970-01-01", -1e-320, "=cmd()", "../../x"),
)


def faults(chance: random.Random, folder: Path) -> Iterator[Fault]:
    """Faults without end."""
    good = folder / "good"
    run = ["run", "baseline/hashing", "-t", TASKS, "--results", str(good), "--offline"]
    first = children.command(run, folder=folder)
    assert first.status == 0, first.text
    record = next(good.rglob("MiniSTSGerman.json"))
    content = json.loads(record.read_text())
    card = folder / "README.md"
    other = good / "baseline__other"
    shutil.copytree(good / "baseline__hashing", other)
    for meta in other.rglob("model_meta.json"):
        meta.write_text(meta.read_text().replace("baseline/hashing", "baseline/other"))
    plan = {"models": ["baseline/hashing"], "tasks": TASKS.split(","), "results": "results", "history": "history"}
    (folder / "nightly.yaml").write_text(json.dumps(plan))
    results, arguments = folder / "results", ["run"]
    shutil.copytree(good, results)
    card.write_text(CARD)
    commands = _commands(folder)
    children.warm(commands, folder=folder)
    while True:
        if arguments[0] in (
            "run",
            "results",
        ):  # others leave the files as they are
            shutil.rmtree(results)
            shutil.copytree(good, results)
        victim = results / record.relative_to(good)
        for name in (victim.name, "model_meta.json", victim.stem + ".items.npz"):
            shutil.copy2(record.with_name(name), victim.with_name(name))
        case = _damage(chance, victim, content)
        card.write_text(CARD)
        arguments = chance.choice(commands)
        ended = children.command(arguments, folder=folder)
        label = f"{' '.join(arguments[:2])}: {case}"
        yield ended.problem(label) or Fault(label, "right" if ended.status == 0 else "refused")


def _commands(folder: Path) -> list[list[str]]:
    results = ["--results", str(folder / "results")]
    first, second = MODELS
    return [
        ["run", first, "-t", TASKS, "--offline", *results],
        ["run", first, "-t", TASKS, "--offline", "--plan", *results],
        ["run", second, "-t", "MiniAnswersGerman", "--offline", "--plan", *results],
        ["leaderboard", *results],
        *(
            ["leaderboard", "--format", format, "--show-tasks", *results]
            for format in ("json", "csv", "markdown", "html")
        ),
        ["leaderboard", "--site", str(folder / "site"), *results],
        ["table", *results],
        ["compare", first, "baseline/other", *results],
        ["results", "export", "--format", "csv", "--output", str(folder / "export.csv"), *results],
        ["card", "show", first, *results],
        ["card", "write", first, str(folder / "README.md"), *results],
        ["card", "eval-results", first, str(folder / "eval"), *results],
        ["nightly", str(folder / "nightly.yaml"), "--plan"],
    ]


def _damage(chance: random.Random, victim: Path, content: Any) -> str:
    kind = chance.choice(["value", "value", "value", "byte", "cut", "meta", "items"])
    if kind == "value":
        document = json.loads(json.dumps(content))
        document["harness"].pop("digest", None)  # so that the value is met
        place = chance.choice([*_places(document)])
        holder = document
        for key in place[:-1]:
            holder = holder[key]
        value = chance.choice(STRANGE)
        if chance.random() < 0.15:
            del holder[place[-1]]
            value = "removed"
        else:
            holder[place[-1]] = value
        victim.write_text(json.dumps(document))
        return f"{'.'.join(map(str, place))} = {repr(value)[:40]}"
    if kind in ("meta", "items"):
        victim = victim.with_name("model_meta.json" if kind == "meta" else victim.stem + ".items.npz")
    data = victim.read_bytes()
    if kind == "meta" and chance.random() < 0.7:
        meta = json.loads(data)
        key = chance.choice([*meta])
        meta[key] = chance.choice(STRANGE)
        victim.write_text(json.dumps(meta))
        return f"meta {key} = {repr(meta[key])[:40]}"
    at = chance.randrange(len(data))
    if kind == "cut":
        victim.write_bytes(data[:at])
        return f"cut at {at}"
    victim.write_bytes(data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :])
    return f"{victim.name}: byte {at}"


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children_of: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children_of:
        yield (*above, key)
        yield from _places(child, (*above, key))
