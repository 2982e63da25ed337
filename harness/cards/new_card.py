"""The text of a new card, for a model that has none."""

from __future__ import annotations

import html
from collections.abc import Sequence

from harness.cards.edit import yaml_layout
from harness.cards.edit.yaml_layout import Result
from harness.cards.metric_names import Names

PROJECT = "embedding-harness"


def new_card(name: str, results: Sequence[Result], *, names: Names = "v2", digits: int | None = None) -> str:
    """The text of a card with the model's name and its results."""
    front = yaml_layout.render(name, results, names=names, digits=digits) if results else ""
    title = html.escape(" ".join(name.split()), quote=False)
    tags = "- mteb\n- sentence-similarity\n- feature-extraction\n"
    return (
        f"---\npipeline_tag: sentence-similarity\ntags:\n{tags}{front}---\n\n# {title}\n\n"
        f"This model embeds texts. The results above are scores of MTEB tasks, times 100, measured with {PROJECT}.\n"
    )
