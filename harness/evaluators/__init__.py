"""Scorers: gold and arrays in, scores and items out. No model, no network, no state.

One row of `EVALUATORS` for each task type:

- `texts(gold, settings)` names what must be encoded: field -> `Texts`. Only retrieval gives its texts a role.
- `score(gold, given, settings=...)` returns `Scored`. What it must be `given` is the row's `takes`:
    - `vectors`: `{field: (n, dim) float32}`, row i for text i of that field;
    - `pairs`: the same with the fields `left` and `right`, and `similarity` (n,), the model's own similarity of row i
      of one with row i of the other, without which cosine stands in, as in mteb;
    - `sides`: `Sides`, the vectors of both sides and the name of the model's similarity;
    - `hits`: `Hits` for the queries and documents of the gold, best first, equal scores by document id descending.

`texts` and `score` draw the same samples: both make their generator from the seed in the settings, so that the numbers
of a part depend on its data, its vectors and its settings, and on nothing that ran before.

Names, scale and values of the metrics are those of mteb 2.26.24, which the tests in `tests/oracle` hold to. Values
are plain Python: float, None where a metric does not apply, or lists and dicts of these. `main_score` is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from harness.evaluators import bitext_mining, classification, clustering, pair_classification, retrieval, sts
from harness.evaluators.task_kind import Scored
from harness.types import TaskType, Texts


class Evaluator(NamedTuple):
    """How one task type is scored; see the module's docstring."""

    texts: Callable[[Any, Any], dict[str, Texts]]
    score: Callable[..., Scored]
    takes: Literal["vectors", "pairs", "sides", "hits"]


EVALUATORS: Mapping[TaskType, Evaluator] = {
    "STS": Evaluator(sts.texts, sts.score, "pairs"),
    "PairClassification": Evaluator(pair_classification.texts, pair_classification.score, "pairs"),
    "Classification": Evaluator(classification.texts, classification.score, "vectors"),
    "Clustering": Evaluator(clustering.texts, clustering.score, "vectors"),
    "Retrieval": Evaluator(retrieval.texts, retrieval.score, "hits"),
    "Reranking": Evaluator(retrieval.texts, retrieval.score, "hits"),
    "BitextMining": Evaluator(bitext_mining.texts, bitext_mining.score, "sides"),
}
