"""(d) Many writers of every output beside a reader that checks: no read is torn, no writer is refused."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults import children
from tests.faults.outcomes import Fault

TITLE = "many writers beside a checking reader"
WRITERS = 4
ROUNDS = 25


def faults(chance: random.Random, folder: Path) -> Iterator[Fault]:
    """A fault is one write or one read; without end."""
    while True:
        for name, write, is_whole in _outputs(folder):
            yield from _met(name, write, is_whole, chance.randrange(1000))


def _outputs(folder: Path) -> list[tuple[str, Callable[[int], object], Callable[[], bool]]]:
    from harness import results
    from harness.cards import card_file
    from harness.files import atomic, kept
    from harness.types import Record

    output, cached, card = folder / "board.html", folder / "kept.bin", folder / "README.md"
    records = folder / "results"

    def put(number: int) -> None:
        entry = {"hf_subset": f"s{number % 7}", "languages": [], "main_score": 0.5}
        harness = {"fingerprint": "f"}
        record = Record(
            task="T", model="m", revision="r", dataset_revision="1", scores={"test": [entry]}, harness=harness
        )
        results.put(records, record, model_meta={})

    def write_card(number: int) -> None:
        from harness.errors import CardError

        loaded = card_file.load(card, to_change=True)
        try:
            card_file.save(loaded, f"---\nlicense: mit\n---\n{'x' * (5000 + number)}end\n")
        except CardError as err:
            if "another program changed it" not in str(err):
                raise

    def is_whole_card() -> bool:
        return not card.exists() or card.read_text().endswith("end\n")

    def is_whole_record() -> bool:
        record = results.get(records, model="m", revision="r", task="T")
        return record is None or 1 <= len(record.parts) <= 7

    return [
        ("output", lambda n: atomic.write_output(output, bytes([n % 256]) * (20_000 + n)), lambda: _is_even(output)),
        ("kept", lambda n: kept.write(cached, bytes([n % 256]) * (20_000 + n)), lambda: kept.read(cached) is not None),
        ("record", put, is_whole_record),
        ("card", write_card, is_whole_card),
    ]


def _is_even(path: Path) -> bool:
    content = path.read_bytes()
    return len(content) >= 20_000 and len({*content}) == 1


def _met(name: str, write: Callable[[int], object], is_whole: Callable[[], bool], first: int) -> Iterator[Fault]:
    write(first)
    writers = []
    for writer in range(WRITERS):
        pid = os.fork()
        if not pid:
            status = 0
            try:
                for number in range(ROUNDS):
                    write(first + writer + number * WRITERS)
            except BaseException:
                import traceback

                traceback.print_exc()
                status = 1
            os._exit(status)
        writers.append(pid)
    yield from children.batch(
        lambda: Fault(f"{name}: read", "right") if is_whole() else Fault(f"{name}: read", "wrong", "torn"), ROUNDS * 4
    )
    for pid in writers:
        _, status = os.waitpid(pid, 0)
        if status:
            yield Fault(f"{name}: write", "traceback", f"status {status}")
        else:
            yield from (Fault(f"{name}: write", "right") for _ in range(ROUNDS))
    yield Fault(f"{name}: after", "right") if is_whole() else Fault(f"{name}: after", "wrong", "not whole")
