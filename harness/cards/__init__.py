"""Model cards: results into them, out of them, checked, and measured again.

    names           metric names of mteb 1 and 2, `MTEB <Task>`, 0-1 and 0-100
    nodes           YAML with the place of every node
    card_file       a card on disk: read with suspicion, replaced atomically
    claims          a card -> what it states, whatever its era
    index           records -> results in a card's layout
    edits           the least change of text for a change of data
    index_writer    results -> edits              pruning: results that are gone -> edits
    merge           the edits made, and checked against the data they were meant to change
    results_table   the table in the body

`show`, `write`, `read`, `lint`, `verify`, `eval_results.write` and `push` are what `harness card` calls. Importing this
package imports nothing heavy.
"""

from __future__ import annotations

from harness.cards.card_file import Card, load, parse
from harness.cards.claims import Claim, claims_of
from harness.cards.index import Collected, Result
from harness.cards.merge import Changes, Merged, merge
from harness.cards.writing import Options, Written, collected, show, write

__all__ = [
    "Card",
    "Changes",
    "Claim",
    "Collected",
    "Merged",
    "Options",
    "Result",
    "Written",
    "claims_of",
    "collected",
    "load",
    "merge",
    "parse",
    "show",
    "write",
]
