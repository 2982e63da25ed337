"""The vocabulary: what flows from one step to the next. Read this first.

    TaskSpec --load--> gold --texts--> encoder --> vectors --score--> scores and items --> measured part --put--> record

`tasks` says what is asked, `gold` what the data of a part are, `models` what answers, `records` what comes out. Arrays
are numpy arrays, in the order of the texts that they stand for.

Glossary. Each word has this one meaning in code, messages, JSON and documentation:

    task, split, subset     as in mteb
    part                    one (split, subset) of a task
    task type, task kind    the type's name (`STS`); everything particular to it, one file in `evaluators`
    kind of model           how a model is recognised, opened and asked, one file in `models`
    cell                    (model, task, part, settings): what one measurement is about
    request                 everything that a caller asks of a run
    plan                    the cells to compute, each with the reason
    gold                    the data of a part: texts, and what is right about them
    vectors                 (n, dim) float32, row i for text i
    scores                  the metrics of a part, under mteb's names
    items                   the score of each item behind the main metric: what intervals and tests resample
    measured part           the outcome of a cell: scores, items, counts of texts and tokens, seconds
    record                  one task of one model at one revision, on disk
    variant                 what sets a record apart from the plain one (`precision=fp16`)
    run environment         what a number was measured with: versions, platform, device
    vector cache            vectors kept on disk, found again by everything that made them
    row, board              one model on a leaderboard; the leaderboard
    schedule                the file that says what runs every night
    night, snapshot         one run of the schedule; what it left
    pending edits           the changes of a card that are not written yet
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.types.gold import (
    Gold,
    Hits,
    ItemText,
    Loaded,
    Role,
    Texts,
)
from harness.types.models import (
    PLAIN,
    BackendFile,
    BackendName,
    Batching,
    EncodeOptions,
    EncoderFacts,
    FirstStage,
    ModelSpec,
    Precision,
    Ranking,
    VectorTransform,
)
from harness.types.open_models import (
    Encoded,
    Encoder,
    RankedDocuments,
    Searcher,
    SidePrompts,
)
from harness.types.prompts import AdapterRules, InstructionRules, Prompt, PromptRules, Purpose
from harness.types.records import (
    Record,
    Refused,
    Scores,
    model_label,
)
from harness.types.tasks import (
    Mirror,
    Part,
    RecordedTask,
    Source,
    Suite,
    TaskSpec,
)

if TYPE_CHECKING:
    from harness.types.arrays import Float32, Float64, Int64

__all__ = [
    "PLAIN",
    "AdapterRules",
    "BackendFile",
    "BackendName",
    "Batching",
    "EncodeOptions",
    "Encoded",
    "Encoder",
    "EncoderFacts",
    "FirstStage",
    "Float32",
    "Float64",
    "Gold",
    "Hits",
    "InstructionRules",
    "Int64",
    "ItemText",
    "Loaded",
    "Mirror",
    "ModelSpec",
    "Part",
    "Precision",
    "Prompt",
    "PromptRules",
    "Purpose",
    "RankedDocuments",
    "Ranking",
    "Record",
    "RecordedTask",
    "Refused",
    "Role",
    "Scores",
    "Searcher",
    "SidePrompts",
    "Source",
    "Suite",
    "TaskSpec",
    "Texts",
    "VectorTransform",
    "model_label",
]
