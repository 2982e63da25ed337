"""Three or more models compared, as text for people and as JSON (pure)."""

from __future__ import annotations

from typing import Any

from harness.leaderboard.pairwise import ComparedPair, PairwiseComparison
from harness.outputs import comparison_text, text_table
from harness.outputs.number_text import MISSING, difference_text, interval_text, p_text, score_text


def render(pairwise: PairwiseComparison, *, digits: int = 2) -> str:
    """Three or more models for a terminal, ending in a newline: their scores, each pair, and what the pairs show."""
    letters = _letters(pairwise)
    lines = [f"{letter}  {model}" for model, letter in letters.items()]
    by_task = zip(pairwise.tasks, *pairwise.scores, strict=True)
    rows = [[task, *(score_text(score, digits=digits) for score in scores)] for task, *scores in by_task]
    means = [score_text(sum(scores) / len(scores), digits=digits) for scores in pairwise.scores]
    rows += [["Mean", *means]] if len(pairwise.tasks) > 1 else []
    right = range(1, len(letters) + 1)
    lines += ["", *text_table.plain(["Task", *letters.values()], rows, right=right, compact=True).splitlines()]
    headers = ["Pair", "difference", "95%", "p (Holm)", "better"]
    pairs = [_pair_row(pair, letters, digits) for pair in pairwise.pairs]
    lines += ["", *text_table.plain(headers, pairs, right=range(1, 4), compact=True).splitlines(), ""]
    lines.append(_order(pairwise, letters))
    if pairwise.left_out:
        lines.append(f"Left out, as one of the models lacks them: {', '.join(pairwise.left_out)}.")
    return "\n".join(lines) + "\n"


def as_json(pairwise: PairwiseComparison) -> dict[str, Any]:
    """Three or more models as values that JSON can hold."""
    return {
        "models": list(pairwise.models),
        "tasks": list(pairwise.tasks),
        "scores": [list(scores) for scores in pairwise.scores],
        "pairs": [
            {**comparison_text.as_json(pair.comparison), "p_holm": pair.corrected, "verdict": pair.verdict}
            for pair in pairwise.pairs
        ],
        "left_out": list(pairwise.left_out),
    }


def _letters(pairwise: PairwiseComparison) -> dict[str, str]:
    """Model -> A, B, ..., Z, then M27 and so on."""
    names = [chr(ord("A") + at) if at < 26 else f"M{at + 1}" for at in range(len(pairwise.models))]
    return dict(zip(pairwise.models, names, strict=True))


def _pair_row(pair: ComparedPair, letters: dict[str, str], digits: int) -> list[str]:
    comparison = pair.comparison
    a, b = letters[comparison.a], letters[comparison.b]
    return [
        f"{a} - {b}",
        difference_text(comparison.overall.difference, digits=digits),
        interval_text(comparison.overall.span, digits=digits, signed=True),
        p_text(pair.corrected),
        {"A": a, "B": b}.get(pair.verdict, MISSING if pair.verdict == "unknown" else pair.verdict),
    ]


def _order(pairwise: PairwiseComparison, letters: dict[str, str]) -> str:
    """Which models are better than which, as one sentence."""
    better: dict[str, list[str]] = {}
    for pair in pairwise.pairs:
        a, b = letters[pair.comparison.a], letters[pair.comparison.b]
        if pair.verdict in ("A", "B"):
            winner, loser = (a, b) if pair.verdict == "A" else (b, a)
            better.setdefault(winner, []).append(loser)
    sentence = "; ".join(f"{winner} is better than {' and '.join(losers)}" for winner, losers in sorted(better.items()))
    undecided = len(pairwise.pairs) - sum(map(len, better.values()))
    if not sentence:
        return "No evidence that any of these models is better than another."
    if not undecided:
        return f"{sentence}."
    rest = "the other pair" if undecided == 1 else f"the other {undecided} pairs"
    return f"{sentence}; in {rest} there is no evidence of a difference."
