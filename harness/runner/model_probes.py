"""Probes of an open model: dimensions, lengths, the same vector again, truncation, and what its prompts do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness import encoding
from harness.encoding.prompts import choose
from harness.errors import HarnessError
from harness.evaluators import KINDS
from harness.runner import probe_texts
from harness.tasks import registry
from harness.types import Batching, Encoder, Prompt, Purpose, Role, Texts

if TYPE_CHECKING:
    from harness.types import Float32

_ROUNDING = 1e-5
"""How much rounding may change a number of a unit vector in float32."""
_LENGTH_ROUNDING = 1e-2
"""How far from 1 the length of a vector may be that is called normalised, in any precision."""
_LONGEST = 2048
"""Tokens; longer maximum lengths are not tried, because the texts would take too long."""
_UNLIMITED_WORDS = 1200
"""Words of the text that is given to a model without a maximum length."""
_PURPOSE = "MiniSTSEnglish"
"""The task that a model is told where code of its own decides by the task."""
_TAILS = ("apples and pears", "seven grey whales")


class Probe(NamedTuple):
    """What was tried on a model, and what came out.

    Attributes:
        name: what was tried.
        passed: whether the model does as expected.
        figure: what was measured.
        advice: what to do about a failure; empty for a model that passed.
    """

    name: str
    passed: bool
    figure: str
    advice: str = ""


def probes(encoder: Encoder, texts: Sequence[str]) -> Iterator[Probe]:
    """Try the model on these texts.

    Raises:
        EncodeError: it returns something that is not one finite vector for each text.
    """
    rows = vectors(encoder, texts)
    yield _dimensions(encoder, rows)
    yield _lengths(encoder, rows)
    yield _again(rows, vectors(encoder, texts))
    try:
        yield _truncation(encoder)
    except HarnessError as err:  # a server may refuse long texts
        yield Probe("truncation", True, f"long texts are refused: {err}")
    yield from _prompts(encoder, texts, rows)


def _dimensions(encoder: Encoder, rows: Float32) -> Probe:
    stated = encoder.facts.dimensions
    figure = f"{rows.shape[1]}" if stated == rows.shape[1] else f"{rows.shape[1]}; its settings state {stated}"
    passed = stated in (None, rows.shape[1])
    return Probe("dimensions", passed, figure, "" if passed else "correct the dimensions in its settings")


def _lengths(encoder: Encoder, rows: Float32) -> Probe:
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    low, high = float(lengths.min()), float(lengths.max())
    unit = max(abs(low - 1), abs(high - 1)) <= _LENGTH_ROUNDING
    figure = f"{low:.4f} to {high:.4f}"
    if encoder.facts.normalized and not unit:
        return Probe("lengths", False, figure, "its settings say that vectors have unit length; check its last module")
    return Probe("lengths", True, f"{figure}{'' if unit else ', not normalised'}")


def _again(rows: Float32, again: Float32) -> Probe:
    largest = float(np.abs(_unit(rows) - _unit(again)).max())
    passed = largest <= _ROUNDING
    advice = "a text's vector is drawn at random: check that dropout is off and that no weights are missing"
    return Probe("the same texts again", passed, f"largest difference {largest:.1e}", "" if passed else advice)


def _truncation(encoder: Encoder) -> Probe:
    limit = encoder.facts.max_length
    if limit is not None and limit > _LONGEST:
        return Probe("truncation", True, f"not tried: {limit:,} tokens take too long")
    words = list(islice(cycle(probe_texts.passage_words()), limit or _UNLIMITED_WORDS))
    text = " ".join(words)
    place = max(1, len(words) // 16)
    inside = " ".join([*words[:place], _TAILS[0], *words[place + 3 :]])
    first, second, other = _unit(vectors(encoder, [f"{text} {_TAILS[0]}", f"{text} {_TAILS[1]}", inside]))
    tail, head = float(np.abs(first - second).max()), float(np.abs(first - other).max())
    read = f"{len(words):,} words"
    if head <= _ROUNDING:
        advice = "texts are cut far below their maximum length: check max_seq_length and the tokenizer's settings"
        return Probe("truncation", False, f"of {read}, a change at word {place} changes nothing", advice)
    if limit is None:
        if tail > _ROUNDING:
            return Probe("truncation", True, f"{read} are read whole")
        advice = "texts are cut, and nothing states where: records cannot count the texts that were cut"
        return Probe("truncation", False, f"of {read}, the end changes nothing", advice)
    if tail > _ROUNDING:
        advice = "texts are read beyond the maximum length: check the tokenizer's truncation"
        return Probe("truncation", False, f"the end of {read} counts; its maximum is {limit} tokens", advice)
    return Probe("truncation", True, f"cut at {limit:,} tokens")


def _prompts(encoder: Encoder, texts: Sequence[str], rows: Float32) -> Iterator[Probe]:
    rules = encoder.facts.prompts
    if rules.by_model:
        yield Probe("prompts", True, "not tried: code of the model's own decides")
        return
    chosen: dict[tuple[str, str, Role | None], Prompt] = {}
    for task_type, kind in KINDS.items():
        roles: tuple[Role | None, ...] = (None,) if kind.search is None else ("query", "document")
        for role in roles:
            prompt = choose(rules, task="", task_type=task_type, role=role, type_prompt=kind.instruction)
            if prompt.text or prompt.suffix:
                chosen.setdefault((prompt.text or "", prompt.suffix, role), prompt)
    if not chosen:
        yield Probe("prompts", True, "it has none")
    for (text, suffix, role), prompt in chosen.items():
        prompted = _unit(vectors(encoder, texts, prompt=prompt, role=role))
        cosine = float(np.einsum("ij,ij->i", prompted, _unit(rows)).mean())
        passed = float(np.abs(prompted - _unit(rows)).max()) > _ROUNDING
        advice = "" if passed else "the prompt does not reach the model: check the tokenizer and the pooling"
        shown = f"{text}{{text}}{suffix}"
        yield Probe(f"prompt {shown!r}", passed, f"mean cosine to texts without it {cosine:.4f}", advice)


def vectors(
    encoder: Encoder,
    texts: Sequence[str],
    *,
    batching: Batching = "tokens",
    prompt: Prompt | None = None,
    role: Role | None = None,
) -> Float32:
    """The vectors of texts, without a prompt by default: (n, dim) float32."""
    if encoder.facts.prompts.by_model:
        task = registry.get_tasks().get(_PURPOSE)
        prompt, batching = Prompt(None, None, purpose=Purpose(task, task.parts[0])), "model"
    items = Texts(items=texts, role=role)
    return encoding.encode(encoder, items, prompt=prompt or Prompt(None, None), batching=batching).vectors


def _unit(rows: Float32) -> Float32:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
