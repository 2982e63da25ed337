"""Model cards: writing results into them, reading results from them, checking them, and measuring them again.

    metric_names        metric names of mteb 1 and 2, `MTEB <Task>`, scores as 0-1 and 0-100
    task_lookup         tasks by name, each spec read once
    card_file           a card on disk: read, parse, save
    unrecognised        front matters that the hub ignores
    scales              0-1 or 0-100, by who wrote a card's results
    claims              a card -> the values it states
    model_records       the records of one model
    model_index         records -> results
    card_writing        `show` and `write`: a model's records -> its card
    new_card            the text of a card for a model that has none
    results_table       the table of results in a card's body
    eval_results        records -> `.eval_results/`
    published_records   a card -> records under the pseudo revision `external`
    edit/               results -> edits of a card's text that keep everything else
    lint/               what is wrong with a card, and fixes
    verify/             claims run again and compared

Importing this package imports nothing heavy. `harness card` is a thin layer over `show`, `write`,
`published_records.read`, `lint.lint` and `verify.verify`.
"""

from __future__ import annotations

from harness.cards.card_file import decode, encode
from harness.cards.card_writing import CardOptions, merged, show, write
from harness.cards.lint.findings import Finding
from harness.cards.verify import Verified

__all__ = ["CardOptions", "Finding", "Verified", "decode", "encode", "merged", "show", "write"]
