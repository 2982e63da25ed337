"""Task types: gold and arrays in, scores and items out. No model, no network, no state.

Each task type has one file, with everything particular to the type in one `TaskKind`: its data, settings, texts,
scorer and descriptions. `KINDS` maps the names of the types to them, and all other code asks `KINDS[task.type]`. To add
a type, write one more such file and add its `TaskKind` to `KINDS` before its tasks are read.

The fields of a `TaskKind` that a run uses:

- `texts(gold, settings)` returns the texts to encode: field -> `Texts`. Only retrieval gives its texts a role.
- `score(gold, given, settings=...)` returns `Scored`. The field `takes` says what it must be `given`:
    - `vectors`: `{field: (n, dim) float32}`, row i for text i of that field;
    - `pairs`: the same with the fields `left` and `right`, and `similarity` (n,), the model's own similarity of row i
      of both; without it the cosine is used, as in mteb;
    - `sides`: `Sides`, the vectors of both sides and the name of the model's similarity;
    - `hits`: the `Hits` of the `SearchProblem` that `search` makes of the gold, best first, equal scores by document
      id descending.

`texts` and `score` draw the same samples, because both make their generator from the seed in the settings. So the
scores of a part depend only on its data, its vectors and its settings.

Names, scales and values of the metrics are those of mteb 2.26.24, as the tests in `tests/oracle` check. Values are
plain Python: float, None where a metric does not apply, or lists and dicts of these. The caller adds `main_score`.

Importing this package imports nothing heavy: a type's file imports numpy and scikit-learn inside functions.
"""

from __future__ import annotations

from harness.evaluators import (
    bitext_mining,
    classification,
    clustering,
    instruction_retrieval,
    multilabel_classification,
    pair_classification,
    regression,
    retrieval,
    sts,
    summarization,
)
from harness.evaluators.task_kind import TaskKind

KINDS: dict[str, TaskKind] = {
    "STS": sts.KIND,
    "PairClassification": pair_classification.KIND,
    "Classification": classification.KIND,
    "MultilabelClassification": multilabel_classification.KIND,
    "Regression": regression.KIND,
    "Clustering": clustering.KIND,
    "Retrieval": retrieval.RETRIEVAL,
    "Reranking": retrieval.RERANKING,
    "InstructionRetrieval": instruction_retrieval.INSTRUCTION_RETRIEVAL,
    "InstructionReranking": instruction_retrieval.INSTRUCTION_RERANKING,
    "Any2AnyRetrieval": retrieval.ANY_TO_ANY,
    "BitextMining": bitext_mining.KIND,
    "Summarization": summarization.KIND,
}
"""Name of a task type -> its `TaskKind`."""
