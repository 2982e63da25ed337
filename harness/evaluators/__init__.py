"""Task types: gold and arrays in, scores and items out. No model, no network, no state.

One file a type, which holds everything particular to it as one row, a `TaskKind`: its data, settings, texts, scorer,
and what is said of it. `KINDS` maps the types' names to these rows, and everything else asks `KINDS[task.type]`. A type
of your own is one more file like these and one more row in `KINDS`, put there before its tasks are read.

The parts of a row that meet in a run:

- `texts(gold, settings)` names what must be encoded: field -> `Texts`. Only retrieval gives its texts a role.
- `score(gold, given, settings=...)` returns `Scored`. What it must be `given` is the row's `takes`:
    - `vectors`: `{field: (n, dim) float32}`, row i for text i of that field;
    - `pairs`: the same with the fields `left` and `right`, and `similarity` (n,), the model's own similarity of row i
      of one with row i of the other, without which cosine stands in, as in mteb;
    - `sides`: `Sides`, the vectors of both sides and the name of the model's similarity;
    - `hits`: `Hits` of the `SearchProblem` that the row's `search` makes of the gold, best first, equal scores by
      document id descending.

`texts` and `score` draw the same samples: both make their generator from the seed in the settings, so that the numbers
of a part depend on its data, its vectors and its settings, and on nothing that ran before.

Names, scale and values of the metrics are those of mteb 2.26.24, which the tests in `tests/oracle` hold to. Values
are plain Python: float, None where a metric does not apply, or lists and dicts of these. `main_score` is the caller's.

Importing this package imports nothing heavy: a type's file imports numpy and scikit-learn inside functions.
"""

from __future__ import annotations

from harness.evaluators import bitext_mining, classification, clustering, pair_classification, retrieval, sts
from harness.evaluators.task_kind import TaskKind

KINDS: dict[str, TaskKind] = {
    "STS": sts.KIND,
    "PairClassification": pair_classification.KIND,
    "Classification": classification.KIND,
    "Clustering": clustering.KIND,
    "Retrieval": retrieval.RETRIEVAL,
    "Reranking": retrieval.RERANKING,
    "BitextMining": bitext_mining.KIND,
}
"""Name of a task type -> everything particular to it."""
