"""(a) A kill, or a torn write and a kill, at every call that changes a file system; then the command runs again."""

from __future__ import annotations

import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults import children
from tests.faults.outcomes import Fault

TITLE = "a kill or torn write at every call"
SOURCE = Path(__file__).with_name("crash.c")
CARD = "---\nlicense: mit\n---\n# A card\n"
TASK = "MiniAnswersGerman"


class Case(NamedTuple):
    """A command, and what it leaves: a value that must be that of a run without faults."""

    name: str
    arguments: list[str]
    outcome: Callable[[Path], Any]


def library(folder: Path) -> Path | None:
    """The C library, built in a folder; None where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    target = folder / "crash.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(target), str(SOURCE), "-ldl"], check=True)
    return target


def faults(chance: random.Random, folder: Path) -> Iterator[Fault]:
    """Every call of every command once and torn, in an order of chance; then again."""
    crash = _armed_library()
    if crash is None:
        return
    base = folder / "base"
    prepare(base)
    all_cases = cases()
    place = folder / "place"
    shutil.copytree(base, place)
    children.warm([case.arguments for case in all_cases], folder=place)
    wanted: dict[str, Any] = {}
    todo: list[tuple[Case, int, bool]] = []
    for case in all_cases:
        renew(base, place)
        calls = folder / "calls"

        def counted(case: Case = case, calls: Path = calls) -> int:
            from harness import cli

            os.chdir(place)
            crash.faults_arm(-1, 0)
            status = cli.main(case.arguments)
            total = crash.faults_calls()
            calls.write_text(str(total))
            return status

        ended = children.call(counted, seconds=60)
        assert ended.status == 0, (case.name, ended.text)
        wanted[case.name] = case.outcome(place)
        todo += [(case, at, torn) for at in range(1, int(calls.read_text()) + 1) for torn in (False, True)]
    while True:
        chance.shuffle(todo)
        for case, at, torn in todo:
            yield _tried(crash, case, at, torn, base, place, wanted[case.name])


def _tried(crash: Any, case: Case, at: int, torn: bool, base: Path, place: Path, wanted: Any) -> Fault:
    renew(base, place)
    label = f"{case.name} at call {at}{', torn' if torn else ''}"
    before = records(place)
    ended = children.command(
        case.arguments, folder=place, variables=_variables(place), prepare=lambda: crash.faults_arm(at, int(torn))
    )
    if ended.status != -signal.SIGKILL and (problem := ended.problem(label)):
        return problem
    if lost := {name: score for name, score in before.items() if records(place).get(name) != score}:
        return Fault(label, "lost", str(lost))
    again = children.command(case.arguments, folder=place, variables=_variables(place))
    if problem := again.problem(label):
        return problem
    if again.status != 0:
        return Fault(label, "lost", f"it does not run again: {again.text[-200:]}")
    outcome = case.outcome(place)
    if outcome != wanted:
        return Fault(label, "wrong", f"{outcome} instead of {wanted}"[:300])
    left = [str(file.relative_to(place)) for file in place.rglob("*.tmp") if "cache" not in file.parts]
    return Fault(label, "wrong", f"left {left[:3]}") if left else Fault(label, "right")


def _variables(place: Path) -> dict[str, str | None]:
    return {"HARNESS_CACHE": str(place / "cache")}


def renew(base: Path, place: Path) -> None:
    shutil.rmtree(place)
    shutil.copytree(base, place)
    os.environ["HARNESS_CACHE"] = str(place / "cache")


def prepare(base: Path) -> None:
    base.mkdir()
    os.environ["HARNESS_CACHE"] = str(base / "cache")
    ended = children.command(["run", "baseline/hashing", "-t", "MiniSTSGerman", "--results", "results"], folder=base)
    assert ended.status == 0, ended.text
    (base / "README.md").write_text(CARD)
    rows: list[dict[str, object]] = [
        {"sentence1": f"a {n} b", "sentence2": f"c {n} d", "score": n % 5} for n in range(20)
    ]
    (base / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    trec = base / "trec"
    trec.mkdir()
    (trec / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": f"d{n}", "text": f"word{n}"}) + "\n" for n in range(5))
    )
    (trec / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": f"q{n}", "text": f"word{n}"}) + "\n" for n in range(3))
    )
    (base / "judged.txt").write_text("q0 0 d0 1\nq1 0 d1 1\nq2 0 d2 1\n")
    schedule = {"models": ["baseline/hashing"], "tasks": [TASK], "results": "results", "history": "history"}
    (base / "nightly.yaml").write_text(json.dumps({**schedule, "site": "site"}))
    block = base / "cache" / "embeddings" / ("a" * 32)
    block.mkdir(parents=True)
    for number in range(3):
        (block / f"{number:032}.safetensors").write_bytes(b"x" * 100)
    (block / "mine.txt").write_text("precious")


def cases() -> list[Case]:
    results = ["--results", "results"]
    new = "tasks new --from pairs.jsonl --name Pairs --type STS --force"
    trec = "tasks new --from trec --name Trec --force --trec-qrels judged.txt"
    return [
        Case("run", ["run", "baseline/hashing", "-t", TASK, "--offline", *results], records),
        Case("prefetch", ["prefetch", "baseline/hashing", "-t", TASK], records),
        Case("tasks new", new.split(), _specs),
        Case("tasks new, TREC", trec.split(), _specs),
        Case("card write", ["card", "write", "baseline/hashing", "README.md", *results], _card),
        Case("leaderboard --site", ["leaderboard", "--site", "site", *results], _site),
        Case("cache clear", ["cache", "clear"], _cleared),
        Case("nightly", ["nightly", "nightly.yaml", "--offline", "--quiet"], records),
    ]


def records(place: Path) -> dict[str, Any]:
    """File -> its scores; None for one that does not parse."""
    scores = {}
    for file in sorted((place / "results").rglob("*.json")):
        if file.name != "model_meta.json":
            try:
                scores[str(file.relative_to(place))] = json.loads(file.read_text())["scores"]
            except ValueError:
                scores[str(file.relative_to(place))] = None
    return scores


def _specs(place: Path) -> dict[str, str]:
    files = [*place.glob("*.yaml"), *(place / "trec").rglob("*")]
    return {str(file.relative_to(place)): file.read_text() for file in sorted(files) if file.is_file()}


def _card(place: Path) -> str:
    return (place / "README.md").read_text()


def _site(place: Path) -> list[str]:
    return sorted(str(file.relative_to(place)) for file in (place / "site").rglob("*") if file.suffix != ".lock")


def _cleared(place: Path) -> list[str]:
    return sorted(file.name for file in (place / "cache" / "embeddings").rglob("*"))


def _armed_library() -> Any:
    """The library that this process was started with; None where it could not be built."""
    path = os.environ.get("LD_PRELOAD", "")
    return ctypes.CDLL(path) if path.endswith("crash.so") else None
