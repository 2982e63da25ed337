"""Scorers: gold and arrays in, scores out. No model, no network, no state.

One row of `EVALUATORS` for each task type:

- `texts(gold, settings)` names what must be encoded: field -> `Texts`. Only retrieval gives its texts a role.
- `score(gold, given, settings=...)` returns `Scores`. What it must be `given` is the row's `takes`:
    - `embeddings`: `{field: (n, dim) float32}`, row i for text i of that field;
    - `pairs`: the same with the fields `left` and `right`; and `similarity=` (n,), the model's own similarity of row
      i of one with row i of the other, without which cosine stands in, as in mteb;
    - `sides`: the same, and `similarity=`, the name of the model's similarity (bitext mining);
    - `hits`: `Hits` for the queries and documents of the gold, best first, equal scores by document id descending.

With `answers=`, a dict, `score` also leaves there what the model answered to every item, as arrays by name.

`texts` and `score` draw the same samples: both make their generator from the seed in the settings, so that the numbers
of a part depend on its data, its embeddings and its settings, and on nothing that ran before.

Names, scale and values of the metrics are those of mteb 2.26.24, which the tests in `tests/oracle` hold to. Values
are plain Python: float, None where a metric does not apply, or lists and dicts of these. `main_score` is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from harness.evaluators import bitext_mining, classification, clustering, pair_classification, retrieval, sts
from harness.types import Scores, TaskType, Texts


class Evaluator(NamedTuple):
    """How one task type is scored; see the module's docstring."""

    texts: Callable[[Any, Any], dict[str, Texts]]
    score: Callable[..., Scores]
    takes: Literal["embeddings", "pairs", "sides", "hits"]


EVALUATORS: Mapping[TaskType, Evaluator] = {
    "STS": Evaluator(sts.texts, sts.score, "pairs"),
    "PairClassification": Evaluator(pair_classification.texts, pair_classification.score, "pairs"),
    "Classification": Evaluator(classification.texts, classification.score, "embeddings"),
    "Clustering": Evaluator(clustering.texts, clustering.score, "embeddings"),
    "Retrieval": Evaluator(retrieval.texts, retrieval.score, "hits"),
    "Reranking": Evaluator(retrieval.texts, retrieval.score, "hits"),
    "BitextMining": Evaluator(bitext_mining.texts, bitext_mining.score, "sides"),
}
