"""The texts and tasks on which models are checked and compared: the suite `mini`, and texts of growing length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import cycle, islice

from harness import data
from harness.evaluators import KINDS
from harness.tasks import registry
from harness.types import TaskSpec, Texts

LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
"""Words of the texts of growing length."""
_OF_EACH_LENGTH = 2
_PASSAGES = ("MiniAnswersEnglish", "documents")


def mini_suite() -> list[TaskSpec]:
    """The tasks of the suite `mini`."""
    tasks = registry.get_tasks()
    return [tasks.get(name) for name in tasks.suite("mini").tasks]


def texts_of(task: TaskSpec) -> Mapping[str, Texts]:
    """The texts of the first part of a task, by field."""
    return KINDS[task.type].texts(data.load(task, task.parts[0]).gold, task.settings)


def growing_texts(lengths: tuple[int, ...] = LENGTHS) -> list[str]:
    """Texts of exactly so many words, two of each length, of which none is the beginning of another."""
    words = list(passage_words())
    step = len(words) // (_OF_EACH_LENGTH * len(lengths))
    texts = []
    for number, length in enumerate(length for length in lengths for _ in range(_OF_EACH_LENGTH)):
        start = number * step
        texts.append(" ".join(islice(cycle(words), start, start + length)))
    return texts


def passage_words() -> Iterator[str]:
    """The words of the passages of the suite, in order."""
    name, field = _PASSAGES
    for passage in texts_of(registry.get_tasks().get(name))[field].items:
        yield from passage.split()
