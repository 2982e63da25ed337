"""mteb reads what is written here, and its own files mean the same to both (mteb 2.26)."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from harness import results
from harness.results.model_meta import meta_json
from harness.results.paths import Identity, record_path, variant_kwargs, variant_text
from harness.types import Part, Record

mteb = pytest.importorskip("mteb", reason="the oracle is mteb")

PUBLIC = Path(__file__).parents[2].parent / "shared" / "public-results"
needs_public = pytest.mark.skipif(not PUBLIC.is_dir(), reason="../shared/public-results is not here")
DUPLICATED = "aari1995__German_Semantic_STS_V2/external/GermanSTSBenchmark.json"
META = {"embed_dim": 384, "framework": ["PyTorch"], "languages": ["deu-Latn"], "similarity_fn_name": "cosine"}


def model_meta() -> Any:
    from mteb.models import ModelMeta

    return ModelMeta


def record(main: float, **changes: Any) -> Record:
    entries = [
        {"cosine_spearman": main, "ap": None, "main_score": main, "hf_subset": subset, "languages": ["deu-Latn"]}
        for subset in ("de", "en")
    ]
    fields = {
        "task": "STS17",
        "model": "org/my model",
        "revision": "abc123",
        "dataset_revision": "d1",
        "scores": {"test": entries},
        "evaluation_time": 1.5,
        "date": 1.7e9,
        "mteb_version": "2.26.24",
        "harness": {"fingerprint": "f", "device": "cpu"},
    }
    return Record(**{**fields, **changes})


def main_scores(result: Any) -> dict[Part, float | None]:
    """Part -> mteb's main score; the mean of a part that stands more than once, as in `TaskResult.get_score`."""
    values: dict[Part, list[float | None]] = {}
    for split, entries in result.scores.items():
        for entry in entries:
            main = entry["main_score"]
            values.setdefault(Part(split, entry["hf_subset"]), []).append(None if main != main else main)
    return {part: each[0] if len(each) == 1 else sum(each) / len(each) for part, each in values.items()}  # type: ignore[arg-type]


def parts_compared(paths: list[Path]) -> int:
    compared = 0
    for path in paths:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = mteb.TaskResult.from_disk(path)
        ours = results.from_json(path.read_text(encoding="utf-8"), path=path)
        assert ours.task == theirs.task_name, path
        assert {part: entry["main_score"] for part, entry in ours.parts.items()} == main_scores(theirs), path
        compared += len(ours.parts)
    return compared


@needs_public
def test_public_results_mean_the_same_to_mteb():
    """Task name and main scores of each of the 3,614 public files are what TaskResult.from_disk finds, old ones too."""
    paths = sorted(path for path in PUBLIC.rglob("*.json") if path.name != "model_meta.json")
    assert len(paths) == 3614
    assert parts_compared(paths) > 20_000


@needs_public
def test_two_entries_for_one_subset_are_averaged_as_by_mteb():
    """The one public file with a subset twice has mteb's score, and a remark that names the subset and both values."""
    theirs = mteb.TaskResult.from_disk(PUBLIC / DUPLICATED)
    assert [len(entries) for entries in theirs.scores.values()] == [2, 2]
    ours = results.from_json((PUBLIC / DUPLICATED).read_text(encoding="utf-8"), path=PUBLIC / DUPLICATED)
    assert results.main_score(ours) == theirs.get_score()
    assert len(ours.remarks) == 2
    assert "subset 'default' stands 2 times, with main scores 0.8467" in ours.remarks[0]


@pytest.mark.parametrize(
    ("task", "metrics"),
    [("ScalaDaClassification", {"accuracy": 0.1, "f1": 0.2}), ("stsbenchmark", {"cos_sim": {"spearman": 0.5}})],
)
def test_names_that_mteb_no_longer_has_are_read_as_mteb_reads_them(task: str, metrics: dict[str, Any], tmp_path: Path):
    """A task that mteb dropped keeps the main metric it had; a name in another case is the task's."""
    path = tmp_path / "old.json"
    content = {"mteb_dataset_name": task, "mteb_version": "1.1.0", "dataset_revision": "d", "test": metrics}
    path.write_text(json.dumps(content), encoding="utf-8")
    theirs = mteb.TaskResult.from_disk(path)
    ours = results.from_json(path.read_text(encoding="utf-8"), path=path)
    assert ours.task == theirs.task_name
    assert {part: entry["main_score"] for part, entry in ours.parts.items()} == main_scores(theirs)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder as mteb's cache, with a plain record and a variant in its `results`."""
    parent = tmp_path_factory.mktemp("cache")
    results.put(parent / "results", record(0.1 + 0.2), model_meta=META)
    results.put(parent / "results", record(0.25, variant="precision=fp16, dim=128"), model_meta=META)
    return mteb.ResultCache(cache_path=parent)


def test_mteb_reads_a_record(cache: Any):
    """TaskResult.from_disk and ResultCache.load_results give the main score at full precision, and the metadata."""
    path = record_path(cache.cache_path / "results", Identity("org/my model", "abc123"), "STS17")
    theirs = mteb.TaskResult.from_disk(path)
    assert theirs.get_score() == results.main_score(record(0.1 + 0.2)) == 0.1 + 0.2
    assert theirs.date.timestamp() == 1.7e9
    (loaded,) = cache.load_results(models=["org/my model"], tasks=["STS17"])
    assert (loaded.model_name, loaded.model_revision, loaded.experiment_name) == ("org/my model", "abc123", None)
    assert [result.get_score() for result in loaded.task_results] == [0.1 + 0.2]
    assert cache.load_task_result("STS17", "org/my model", "abc123").get_score() == 0.1 + 0.2


def test_mteb_reads_a_variant(cache: Any):
    """The variant is mteb's experiment of the same keyword arguments, and never mixed with the plain record."""
    kwargs = {"dim": 128, "precision": "fp16"}
    (loaded,) = cache.load_results(models=["org/my model"], tasks=["STS17"], experiment_kwargs=kwargs)
    assert loaded.experiment_name == "dim_128__precision_fp16"
    assert [result.get_score() for result in loaded.task_results] == [0.25]
    both = cache.load_results(models=["org/my model"], tasks=["STS17"], load_experiments="match_name")
    assert sorted(result.get_score() for model in both for result in model.task_results) == [0.25, 0.1 + 0.2]


def test_mteb_accepts_the_model_meta(cache: Any):
    """model_meta.json passes mteb's validation, and mteb looks for that model's results where they are."""
    for variant in ("", "precision=fp16, dim=128"):
        path = record_path(cache.cache_path / "results", Identity("org/my model", "abc123", variant), "STS17")
        meta = model_meta().model_validate_json_resolved(path.with_name("model_meta.json").read_text())
        assert meta.experiment_kwargs == (variant_kwargs(variant) or None)
        assert cache.get_task_result_path("STS17", meta) == path


@pytest.mark.parametrize("name", ["sentence-transformers/all-MiniLM-L6-v2", "minishlab/potion-base-8M"])
def test_the_model_meta_of_a_known_model_goes_through(name: str, tmp_path: Path):
    """mteb's own metadata, put with a record, is mteb's own metadata when mteb reads it (but for infinity)."""
    meta = mteb.get_model_meta(name)
    given = record(0.5, model=name, revision=meta.revision)
    path = Path(results.put(tmp_path, given, model_meta=meta.to_dict()).path).with_name("model_meta.json")
    again = model_meta().model_validate_json_resolved(path.read_text())
    unlike = {key for key, value in again.model_dump().items() if value != meta.model_dump()[key]}
    assert unlike <= {"loader", *(["max_tokens"] if meta.max_tokens == float("inf") else [])}


@pytest.mark.parametrize("variant", ["precision=fp16", "b=2, a=1", "A=x.y-z, b_1=é ü", "dim=128, prompt=a [b]"])
def test_variants_are_named_as_mteb_names_experiments(variant: str):
    """Folder and display name are mteb's `experiment_name` and the text in its `model_name_with_experiment`."""
    fields = json.loads(meta_json(META, Identity("org/m", "r", variant)))
    meta = model_meta().model_validate({**fields, "loader": None})
    path = record_path(Path("results"), Identity("org/m", "r", variant), "T")
    assert path.parent.name == meta.experiment_name
    assert meta.model_name_with_experiment == f"org/m ({variant_text(variant_kwargs(variant))})"


def test_what_mteb_writes_is_read(tmp_path: Path):
    """A result and an experiment that mteb saved itself come out of `scan` and `get` with mteb's numbers."""
    cache = mteb.ResultCache(cache_path=tmp_path)
    task = mteb.get_task("STS17", hf_subsets=["en-en", "es-es"])
    scores = {"test": {subset: {"main_score": 1 / 3, "ap": float("nan")} for subset in ("en-en", "es-es")}}
    result = mteb.TaskResult.from_task_results(task, scores, evaluation_time=2.5)
    meta = mteb.get_model_meta("sentence-transformers/all-MiniLM-L6-v2")
    for kwargs in (None, {"dim": 64, "model_kwargs": {"a": [1, 2]}}):
        cache.save_to_cache(result, meta.model_copy(update={"experiment_kwargs": kwargs}))
    found = list(results.scan(tmp_path / "results"))
    assert sorted(item.variant for item in found if isinstance(item, Record)) == ["", "dim=64, model_kwargs={a:[1,2]}"]
    ours = results.get(tmp_path / "results", model=meta.name, revision=meta.revision, task="STS17")
    assert ours is not None
    assert results.main_score(ours) == round(1 / 3, 6)
    assert [entry["ap"] for entry in ours.parts.values()] == [None, None]
    assert (ours.evaluation_time, ours.mteb_version) == (2.5, result.mteb_version)


@pytest.mark.parametrize(
    ("task", "subset", "metrics"),
    [
        ("BSARDRetrieval", None, {"ndcg_at_10": 0.1, "recall_at_100": 0.2}),
        ("Cmnli", None, {"max": {"ap": 0.1, "accuracy": 0.2}}),
        ("LegalBenchPC", None, {"max": {"ap": 0.1, "accuracy": 0.2}}),
        ("CrossLingualSemanticDiscriminationWMT19", "deu-fra", {"ndcg_at_10": 0.1, "recall_at_1": 0.2}),
        ("FeedbackQARetrieval", None, {"ndcg_at_10": 0.1, "precision_at_1": 0.2}),
        ("GermanGovServiceRetrieval", None, {"ndcg_at_10": 0.1, "ndcg_at_5": 0.2}),
        ("GermanQuAD-Retrieval", None, {"ndcg_at_10": 0.1, "mrr_at_5": 0.2}),
        ("HunSum2AbstractiveRetrieval", None, {"ndcg_at_10": 0.1, "ndcg_at_1": 0.2}),
        ("NeuCLIR2022Retrieval", "fas", {"ndcg_at_10": 0.1, "ndcg_at_20": 0.2}),
        ("StatcanDialogueDatasetRetrieval", "english", {"ndcg_at_10": 0.1, "recall_at_10": 0.2}),
        ("MassiveIntentClassification", "de", {"accuracy": 0.1, "f1": 0.2}),
        ("MultiHateClassification", "deu", {"accuracy": 0.1, "f1": 0.2}),
        ("Banking77Classification", None, {"accuracy": 0.1, "f1": 0.2}),
        ("ToxicChatClassification", None, {"accuracy": 0.1, "f1": 0.2}),
        ("AskUbuntuDupQuestions", None, {"map": 0.1, "mrr": 0.2}),
        ("8TagsClustering", None, {"v_measure": 0.1}),
        ("PPC", None, {"max": {"ap": 0.1}}),
    ],
)
def test_old_files_have_the_main_score_and_languages_that_mteb_gives_them(
    task: str, subset: str | None, metrics: dict[str, Any], tmp_path: Path
):
    """A file from before mteb 1.11 means the same to both: today's name, the task's main metric, its languages."""
    content = {
        "mteb_dataset_name": task,
        "mteb_version": "1.1.0",
        "dataset_revision": "d",
        "test": metrics if subset is None else {subset: metrics},
    }
    path = tmp_path / "old.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    theirs = mteb.TaskResult.from_disk(path)
    ours = results.from_json(path.read_text(encoding="utf-8"), path=path)
    assert ours.task == theirs.task_name
    assert {part: entry["main_score"] for part, entry in ours.parts.items()} == main_scores(theirs)
    assert [entry["languages"] for entry in ours.parts.values()] == [
        list(dict.fromkeys(entry["languages"])) for entries in theirs.scores.values() for entry in entries
    ]
