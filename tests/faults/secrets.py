"""(h) Secrets in tokens, keys, addresses and hooks: in nothing that is printed and in no file that is written."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.faults import children
from tests.faults.outcomes import Fault

TITLE = "secrets, searched for in all that is written"
TASK = "MiniSTSGerman"


def faults(chance: random.Random, folder: Path) -> Iterator[Fault]:
    """Faults without end."""
    place = folder / "place"
    place.mkdir()
    commands = _commands()
    children.warm(commands, folder=place)
    while True:
        shutil.rmtree(place)
        place.mkdir()
        canary = f"canary{chance.randrange(16**12):012x}"
        hooks = chance.sample(_hooks(canary), 3)
        schedule = {"models": ["baseline/hashing"], "tasks": [TASK], "results": "results", "history": "history"}
        (place / "nightly.yaml").write_text(json.dumps({**schedule, "notify": hooks}))
        endpoint = chance.choice(
            ["http://127.0.0.1:9", f"http://user:{canary}@127.0.0.1:9", f"http://127.0.0.1:9/?token={canary}"]
        )
        variables: dict[str, str | None] = {
            "HARNESS_CACHE": str(place / "cache"),
            "HF_HOME": str(place / "hf"),
            "HF_ENDPOINT": endpoint,
            **dict.fromkeys(("HF_TOKEN", "OPENAI_API_KEY", "COHERE_API_KEY", "HARNESS_ENDPOINT_KEY", "HOOK"), canary),
        }
        arguments = chance.choice(commands)
        label = f"{' '.join(arguments)} with {endpoint.replace(canary, 'CANARY')}"
        ended = children.command(arguments, folder=place, variables=variables, seconds=90)
        if problem := ended.problem(label):
            yield problem
            continue
        own = {place / "nightly.yaml"}
        shown = [] if canary not in ended.text else ["the terminal"]
        shown += [
            str(file.relative_to(place))
            for file in place.rglob("*")
            if file.is_file() and file not in own and canary.encode() in file.read_bytes()
        ]
        yield (
            Fault(label, "wrong", f"shown in {shown}")
            if shown
            else Fault(label, "right" if not ended.status else "refused")
        )


def _commands() -> list[list[str]]:
    results = ["--results", "results"]
    nobody = "http://127.0.0.1:9/v1"
    return [
        ["nightly", "nightly.yaml", "--offline"],
        ["nightly", "nightly.yaml", "--check"],
        ["nightly", "nightly.yaml", "--plan", "--offline"],
        ["nightly", "status", "nightly.yaml"],
        ["run", "baseline/hashing", "-t", TASK, *results],
        ["run", "org/none", "-t", TASK, *results],
        ["run", f"openai:{nobody}#m", "-t", TASK, "--plan", *results],
        ["models", "show", "org/none"],
        ["prefetch", "org/none", "-t", TASK],
        ["card", "push", "org/none", *results],
        ["tasks", "new", "--from", "hub:org/none", "--name", "X"],
        ["config"],
    ]


def _hooks(canary: str) -> list[dict[str, str]]:
    return [
        {"webhook": f"http://user:{canary}@127.0.0.1:9/x", "when": "always"},
        {"webhook": f"http://127.0.0.1:9/services/{canary}?token={canary}", "when": "always"},
        {"webhook": "$HOOK", "when": "always"},
        {"command": f"TOKEN={canary} false", "when": "always"},
        {"command": f'A=1 TOKEN="{canary} x" sh -c "echo $TOKEN >&2; exit 3"', "when": "always"},
        {"command": f"echo https://u:{canary}@h/ >&2; exit 3", "when": "always"},
    ]
