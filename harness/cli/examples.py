"""The examples that end the help of each command, by its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

EXAMPLES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "": (
            "harness run bundled/all-MiniLM-L6-v2 --suite mini   # a model on fifteen small tasks, offline",
            "harness run ORG/NAME -t STSBenchmark,SciFact        # a model of the hub on two tasks",
            "harness tasks new --from pairs.csv                  # a task from your own data",
            "harness view                                        # recorded models, ranked, in the browser",
            "harness card write ORG/NAME README.md               # results into a model card",
        ),
        "run": (
            "harness run intfloat/e5-small-v2 -t STSBenchmark,SciFact",
            "harness run ./my-model intfloat/e5-small-v2 --suite 'MTEB(eng, v2)' --plan",
        ),
        "prefetch": (
            "harness prefetch intfloat/e5-small-v2 -t STSBenchmark",
            "harness prefetch --suite 'MTEB(eng, v2)'",
        ),
        "tasks list": (
            "harness tasks list --types Retrieval --languages deu",
            "harness tasks list --suite 'MTEB(eng, v2)' --json",
        ),
        "tasks show": (
            "harness tasks show SciFact",
            "harness tasks show STSBenchmark --example",
        ),
        "tasks check": (
            "harness tasks check",
            "harness tasks check my-tasks/my-task.yaml",
        ),
        "tasks new": (
            "harness tasks new --from pairs.csv --name MyPairs",
            "harness tasks new --from triplets.jsonl --dry-run",
        ),
        "tasks import": (
            "harness tasks import STSBenchmark",
            "harness tasks import SciFact",
        ),
        "suites": (
            "harness suites",
            "harness suites show 'MTEB(eng, v2)'",
        ),
        "models list": (
            "harness models list e5",
            "harness models list --prompts instructions --format csv",
        ),
        "models show": (
            "harness models show intfloat/e5-small-v2",
            "harness models show ./my-model",
        ),
        "models check": (
            "harness models check bundled/all-MiniLM-L6-v2",
            "harness models check ./my-model --json",
        ),
        "results export": (
            "harness results export --format csv --output scores.csv",
            "harness results export ./my-model --format mteb --output pull-request",
        ),
        "table": (
            "harness table --suite mini",
            "harness table ./my-model intfloat/e5-small-v2 --format markdown",
        ),
        "leaderboard": (
            "harness leaderboard --suite mini",
            "harness leaderboard --site board",
        ),
        "compare": (
            "harness compare ./my-model intfloat/e5-small-v2",
            "harness compare ./my-model intfloat/e5-small-v2 -t SciFact --items 5",
        ),
        "nightly": (
            "harness nightly init nightly.yaml",
            "harness nightly nightly.yaml",
        ),
        "history": (
            "harness history ./my-model",
            "harness history intfloat/e5-small-v2 -t SciFact",
        ),
        "diff": (
            "harness diff previous latest",
            "harness diff 11 12",
        ),
        "card show": (
            "harness card show ./my-model",
            "harness card show intfloat/e5-small-v2 -t SciFact",
        ),
        "card write": (
            "harness card write ./my-model my-model/README.md",
            "harness card write intfloat/e5-small-v2 README.md --suite mini",
        ),
        "card read": (
            "harness card read README.md",
            "harness card read README.md --to results",
        ),
        "card lint": (
            "harness card lint README.md",
            "harness card lint README.md --fix",
        ),
        "card verify": (
            "harness card verify README.md",
            "harness card verify README.md -t STSBenchmark",
        ),
        "card eval-results": (
            "harness card eval-results ./my-model my-model",
            "harness card eval-results intfloat/e5-small-v2 . -t SciFact",
        ),
        "card push": (
            "harness card push ./my-model --repo ORG/NAME",
            "harness card push ORG/NAME --suite mini --pr",
        ),
        "cache info": (
            "harness cache info",
            "harness cache info --json",
        ),
        "cache clear": (
            "harness cache clear ./my-model",
            "harness cache clear --to 5",
        ),
        "cache verify": (
            "harness cache verify",
            "HARNESS_CACHE=/data/cache harness cache verify",
        ),
        "config": (
            "harness config",
            "harness config --json",
        ),
        "doctor": (
            "harness doctor",
            "harness doctor ./my-model --against intfloat/e5-small-v2",
        ),
        "view": (
            "harness view",
            "harness view results --suite 'MTEB(eng, v2)' --port 8000",
        ),
        "completion": (
            "harness completion bash",
            "harness completion fish",
        ),
        "guide": (
            "harness guide",
            "harness guide cards",
        ),
    }
)
