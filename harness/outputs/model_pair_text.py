"""Two models compared text by text, as text for people and as JSON (pure)."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.outputs import text_table
from harness.outputs.number_text import MISSING, difference_text, interval_text, p_text, score_text
from harness.runner.difference_causes import Diagnosis
from harness.runner.model_pair import EncodedSide, ModelPair, ScorePair
from harness.runner.watched_encoder import TextKey

PERCENTILES = (1, 5, 25, 50)
_LENGTHS = (8, 32, 128, 512)
"""Words up to which texts are counted together."""
_SETTINGS = ("backend", "precision", "pooling", "normalized", "max_length", "dimensions", "similarity", "attention")


def render(pair: ModelPair, diagnosis: Diagnosis, *, least_cosine: float, worst: int) -> str:
    """The comparison for a terminal, ending in a newline."""
    lines = [f"MODEL  {_label(pair.model)}", f"OTHER  {_label(pair.other)}", *_settings(pair), ""]
    if len(pair.cosines):
        lines += [*_summary(pair), "", *_by_length(pair), *_worst(pair, worst), ""]
    lines += [*_scores(pair), "", *_verdict(pair, diagnosis, least_cosine)]
    return "\n".join(lines) + "\n"


def as_json(pair: ModelPair, diagnosis: Diagnosis, *, least_cosine: float, worst: int) -> dict[str, Any]:
    """The comparison as values that JSON can hold."""
    compared = bool(len(pair.cosines))
    return {
        "model": _side_json(pair.model),
        "other": _side_json(pair.other),
        "texts": len(pair.keys),
        "cosine": _cosines(pair) if compared else None,
        "largest_difference": pair.largest,
        "length_ratio": pair.length_ratio,
        "worst": [
            {"cosine": cosine, "task": key.task, "role": key.role, "text": key.text}
            for cosine, key in _worst_keys(pair, worst)
        ],
        "scores": [
            {
                **pair_of_scores._asdict(),
                "interval": list(pair_of_scores.interval) if pair_of_scores.interval else None,
                "difference": pair_of_scores.difference,
            }
            for pair_of_scores in pair.scores
        ],
        "least_cosine": least_cosine,
        "same": pair.is_same(least_cosine=least_cosine),
        "cause": diagnosis.cause,
        "consistent_with": diagnosis.what,
        "reproduced": diagnosis.reproduced,
        "tried": [trial._asdict() for trial in diagnosis.trials],
    }


def verdict(pair: ModelPair, diagnosis: Diagnosis, *, least_cosine: float) -> str:
    """The outcome in one line."""
    if diagnosis.cause == "none":
        return "an exact copy"
    if not pair.is_same(least_cosine=least_cosine):
        return "different"
    if diagnosis.cause == "precision":
        return "the same within the noise of half precision"
    return f"the same by the least cosine that is asked for ({least_cosine:g})"


def _label(side: EncodedSide) -> str:
    return f"{side.side.spec.name}@{side.side.spec.revision[:12]} ({side.facts.precision}, {side.facts.device_name})"


def _settings(pair: ModelPair) -> list[str]:
    """The settings in which the two models differ, as far as both say."""
    lines = []
    for name in _SETTINGS:
        values = [getattr(side.facts, name) for side in (pair.model, pair.other)]
        if values[0] != values[1] and None not in values:
            lines.append(f"       {name.replace('_', ' ')}: {values[0]} and {values[1]}")
    changed = [key for key in pair.keys if pair.model.prompts[key].text != pair.other.prompts[key].text]
    if changed:
        texts = [json_text(side.prompts[changed[0]].text or "") for side in (pair.model, pair.other)]
        lines.append(f"       prompts: {texts[0]} and {texts[1]} ({changed[0].task})")
    return lines


def json_text(text: str) -> str:
    """The text in quotes, as one printable line."""
    return f'"{text_table.one_line(text)}"'


def _cosines(pair: ModelPair) -> dict[str, float]:
    quantiles = np.percentile(pair.cosines, PERCENTILES).tolist()
    return {
        "least": float(pair.cosines.min()),
        **{f"percentile_{share}": value for share, value in zip(PERCENTILES, quantiles, strict=True)},
        "mean": float(pair.cosines.mean()),
    }


def _summary(pair: ModelPair) -> list[str]:
    values = _cosines(pair)
    headers = ["texts", "least cosine", *(f"{share}%" for share in PERCENTILES), "mean"]
    cells = [[f"{len(pair.keys):,}", *(f"{value:.6f}" for value in values.values())]]
    table = text_table.plain(headers, cells, right=range(len(headers)), compact=True).splitlines()
    if pair.has_other_lengths:
        table.append(f"The vectors of OTHER are {pair.length_ratio:.3g} times as long.")
    return table


def _by_length(pair: ModelPair) -> list[str]:
    words = np.array([len(key.text.split()) for key in pair.keys])
    rows = []
    for low, high in zip((0, *_LENGTHS), (*_LENGTHS, np.inf), strict=True):
        inside = pair.cosines[(words > low) & (words <= high)]
        if len(inside):
            label = f"{low + 1} to {high:.0f}" if high < np.inf else f"more than {low}"
            rows.append([label, f"{len(inside):,}", f"{inside.min():.6f}", f"{inside.mean():.6f}"])
    return text_table.plain(["words", "texts", "least", "mean"], rows, right=(1, 2, 3), compact=True).splitlines()


def _worst_keys(pair: ModelPair, most: int) -> list[tuple[float, TextKey]]:
    order = np.argsort(pair.cosines, kind="stable")[:most].tolist()
    return [(float(pair.cosines[place]), pair.keys[place]) for place in order]


def _worst(pair: ModelPair, most: int) -> list[str]:
    if pair.is_exact or not most:
        return []
    return [
        "",
        "The worst texts:",
        *(
            f"  {cosine:.6f}  {key.task}{f', {key.role}' if key.role else ''}: {json_text(key.text)}"
            for cosine, key in _worst_keys(pair, most)
        ),
    ]


def _scores(pair: ModelPair) -> list[str]:
    headers = ["task", "metric", "MODEL", "OTHER", "OTHER - MODEL", "95%", "p (Holm)"]
    rows = [_score_row(scores) for scores in pair.scores]
    return text_table.plain(headers, rows, right=range(2, 7), compact=True).splitlines()


def _score_row(scores: ScorePair) -> list[str]:
    return [
        scores.task,
        scores.metric,
        score_text(scores.model),
        score_text(scores.other),
        difference_text(scores.difference),
        interval_text(scores.interval, signed=True),
        MISSING if scores.p is None else p_text(scores.p),
    ]


def _verdict(pair: ModelPair, diagnosis: Diagnosis, least_cosine: float) -> list[str]:
    lines = [f"Verdict: {verdict(pair, diagnosis, least_cosine=least_cosine)}."]
    if diagnosis.cause != "none":
        tried = "which reproduces it" if diagnosis.reproduced and diagnosis.trials else ""
        lines.append(f"Consistent with {text_table.one_line(diagnosis.what, most=400)}{f', {tried}' if tried else ''}.")
    return lines


def _side_json(side: EncodedSide) -> dict[str, Any]:
    return {
        "name": side.side.spec.name,
        "revision": side.side.spec.revision,
        "device": side.facts.device_name,
        **{name: getattr(side.facts, name) for name in _SETTINGS},
    }
