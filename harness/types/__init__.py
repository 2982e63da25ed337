"""The vocabulary: what flows from one step to the next. Read this first.

    TaskSpec --data.load--> gold --evaluators.texts--> Texts --encoder--> embeddings --score--> Scores --> Record

`tasks` says what is asked, `gold` what a task's data holds, `models` who answers, `records` what came out. All arrays
are numpy, in the order of the texts they stand for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.types.gold import (
    Clustered,
    ClusteredSets,
    Gold,
    Hits,
    Labelled,
    Loaded,
    Mined,
    Pairs,
    Ranked,
    Role,
    Texts,
)
from harness.types.models import (
    PLAIN,
    Batching,
    Encoded,
    EncodeOptions,
    Encoder,
    EncoderFacts,
    ModelSpec,
    Precision,
    Prompt,
    Searcher,
    Shape,
)
from harness.types.records import (
    Answers,
    Record,
    Refused,
    Scores,
    model_label,
)
from harness.types.tasks import (
    TASK_TYPES,
    BitextMiningSettings,
    ClassificationSettings,
    ClusteringSettings,
    Mirror,
    PairClassificationSettings,
    Part,
    RecordedTask,
    RetrievalSettings,
    Settings,
    Source,
    STSSettings,
    Suite,
    TaskSpec,
    TaskType,
)

if TYPE_CHECKING:
    from harness.types.arrays import Float32, Float64, Int64

__all__ = [
    "PLAIN",
    "TASK_TYPES",
    "Answers",
    "Batching",
    "BitextMiningSettings",
    "ClassificationSettings",
    "Clustered",
    "ClusteredSets",
    "ClusteringSettings",
    "EncodeOptions",
    "Encoded",
    "Encoder",
    "EncoderFacts",
    "Float32",
    "Float64",
    "Gold",
    "Hits",
    "Int64",
    "Labelled",
    "Loaded",
    "Mined",
    "Mirror",
    "ModelSpec",
    "PairClassificationSettings",
    "Pairs",
    "Part",
    "Precision",
    "Prompt",
    "Ranked",
    "Record",
    "RecordedTask",
    "Refused",
    "RetrievalSettings",
    "Role",
    "STSSettings",
    "Scores",
    "Searcher",
    "Settings",
    "Shape",
    "Source",
    "Suite",
    "TaskSpec",
    "TaskType",
    "Texts",
    "model_label",
]
