"""`forecast`: how long and how much memory, from what earlier runs took."""

from __future__ import annotations

from typing import Any

from harness.runner.forecast import paces
from harness.types import Record


def record(machine: str, **parts: Any) -> Record:
    return Record(
        task="T", model="m", revision="r", dataset_revision="d", scores={}, harness={"machine": machine, "parts": parts}
    )


def test_the_pace_is_seconds_over_tokens_here() -> None:
    """Two parts of 100 and 300 tokens took 1 + 1 and 6 seconds: 8/400 a token; another machine's do not count."""
    here = record(
        "here",
        test={"tokens": 100, "seconds": {"encode": 1.0, "score": 1.0}, "peak_memory_mib": 500},
        dev={"tokens": 300, "seconds": {"encode": 6.0}, "peak_memory_mib": 700},
    )
    elsewhere = record("elsewhere", test={"tokens": 1, "seconds": {"encode": 1000.0}})
    pace = paces([here, elsewhere], machine="here")["m"]
    assert pace.seconds_per_token == 8 / 400
    assert (pace.peak_memory_mib, pace.parts) == (700, 2)


def test_records_that_say_nothing_give_no_pace() -> None:
    """Foreign records, and parts without a token count, are passed over."""
    foreign = Record(task="T", model="other", revision="r", dataset_revision="d", scores={})
    assert paces([foreign, record("here", test={"tokens": None, "seconds": {"encode": 1.0}})], machine="here") == {}
