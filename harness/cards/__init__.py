"""Model cards: results into them, out of them, checked, and measured again.

    names           metric names of mteb 1 and 2, `MTEB <Task>`, 0-1 and 0-100
    nodes           YAML with the place of every node
    card_file       a card on disk: read with suspicion, replaced atomically
    claims          a card -> what it states, whatever its era
    specs           tasks by name, each read once
    recorded        a model's records             template: a card for a model that has none
    index           records -> results            layout: results as YAML
    edits           the least change of text for a change of data
    index_writer    results -> edits              pruning: results that are gone -> edits
    merge           the edits made, and checked (data_check) against the change that was meant
    results_table   the table in the body
    writing         all of these in one: `show`, `write`
    published       a card -> records under the pseudo revision `external`
    lint            what is wrong with a card     lint_shape, lint_values: the rules
    targets         a claim -> what to run        intervals: how far equal runs differ
    verify          claims run and compared
    eval_results    records -> `.eval_results/`   push: to the hub

Importing this package imports nothing heavy. `harness card` is a thin layer over `show`, `write`, `published.read`,
`lint.lint` and `verify.verify`.
"""

from __future__ import annotations

from harness.cards.card_file import Card, decode, encode, load, parse
from harness.cards.card_writing import Options, Written, collected, merged, show, write
from harness.cards.claims import Claim, claims_of
from harness.cards.edit.merge import Merged, ValueCounts, merge
from harness.cards.edit.yaml_layout import Result
from harness.cards.lint.findings import Finding
from harness.cards.model_index import Collected
from harness.cards.verify import Run, Verified

__all__ = [
    "Card",
    "Claim",
    "Collected",
    "Finding",
    "Merged",
    "Options",
    "Result",
    "Run",
    "ValueCounts",
    "Verified",
    "Written",
    "claims_of",
    "collected",
    "decode",
    "encode",
    "load",
    "merge",
    "merged",
    "parse",
    "show",
    "write",
]
