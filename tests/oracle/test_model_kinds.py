"""Each kind of model gets the scores that mteb's own wrapper gets from the same weights on the same data.

Tiny models with random weights; STS, classification, retrieval and reranking, as far as a kind can do them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import harness
from harness.errors import HarnessError, ModelError
from harness.models import abilities, resolve
from harness.runner import model_check
from harness.runner.model_probes import Probe
from harness.tasks import registry
from harness.types import EncodeOptions
from tests import in_process
from tests.conftest import environment
from tests.oracle.mteb_runs import CASES, RERANKING, mteb_scores_of, task_of, write_reranking
from tests.oracle.test_stand_ins import save_decoder
from tests.tiny import save_cross_encoder, save_multi_vector, save_sentence_transformer, save_sparse_encoder

pytest.importorskip("mteb", reason="the oracle is mteb")

# --- models that mteb's own loaders run ------------------------------------------------------------------------------

BY_MTEB = {
    "geevec-ai/geevec-embeddings-1.0-lite": CASES,
    "Qwen/Qwen3-Reranker-0.6B": (RERANKING,),
}


def compared(found: dict[str, float | None], expected: dict[str, float | None]) -> int:
    """How many metrics both have; fails where one differs by more than 1e-5."""
    shared = [name for name in expected if name in found and name != "main_score"]
    assert {name: found[name] for name in shared} == pytest.approx({name: expected[name] for name in shared}, abs=1e-5)
    return len(shared)


def test_models_of_mtebs_own_loaders(localhub: ModuleType, tmp_path: Path) -> None:
    """Scores of models with an encoder of mteb's own, and of one with a reranker, equal those of mteb itself."""
    from mteb.models.model_implementations import MODEL_REGISTRY

    for name in BY_MTEB:
        folder = tmp_path / "hub" / "models" / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        save_decoder(folder, "qwen3", plain=not name.startswith("geevec"))
    write_reranking(tmp_path)
    with (
        localhub.LocalHub(str(tmp_path / "hub")) as hub,
        in_process.environment_of(environment(tmp_path, HF_ENDPOINT=hub.endpoint), folder=tmp_path),
    ):
        for name, tasks in BY_MTEB.items():
            loaded = MODEL_REGISTRY[name].load_model(device="cpu")
            for task in (task_of(task, tmp_path) for task in tasks):
                options = {"device": "cpu", "trust_remote_code": True, "results": tmp_path / "results"}
                [record] = harness.run(name, [task], **options)
                assert compared(record.parts[task.parts[0]], mteb_scores_of(loaded, task)) >= 4
                assert record.harness["encoder"]["backend"] == "mteb"
                assert record.harness["encoder"]["precision"] in ("fp32", "unknown")
            spec = resolve(name, trust_remote_code=True)
            if abilities(spec).vectors:
                outcomes = list(model_check.checked(spec, EncodeOptions(device="cpu")))
                probes = {probe.name: probe.figure for probe in outcomes if isinstance(probe, Probe)}
                assert probes["precision"].startswith('not tried: kind "mteb\'s loader, vectors"')


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("openai/text-embedding-3-small", "closed weights, which only its provider's API runs"),
        ("facebook/SONAR", "mteb lists it without a loader"),
        ("jxm/cde-small-v2", "allow that with --trust-remote-code"),
        ("NeuML/pubmedbert-base-embeddings-100K", r"not installed \(model2vec\); run: pip install 'mteb\[model2vec\]'"),
        (
            "KaLM-Embedding/KaLM-Reranker-V1-Large@main",
            "mteb's loader runs it at revision [0-9a-f]{40}; leave out @main",
        ),
        ("BMRetriever/BMRetriever-410M", "mteb cannot open or run it .its loader gives a device to"),
        ("Sailesh97/Hinvec", "its entry gives add_eos_token to SentenceTransformerEncoderWrapper, which takes none"),
        ("nvidia/llama-embed-nemotron-8b", "transformers==4.51.0 .* is installed.; install a version that fits"),
        ("thu-nmrc/bge-small-structural-separator", "titles and bodies of documents apart"),
    ],
)
def test_what_mtebs_loaders_cannot_run(name: str, reason: str) -> None:
    """A closed API, a model without a loader, code without trust, missing packages and other revisions are refused by
    name before the hub is asked.
    """
    with pytest.raises(ModelError, match=f"^model {name.partition('@')[0]}: .*{reason}"):
        resolve(name)


# --- kinds of sentence-transformers ----------------------------------------------------------------------------------

PROMPTS = {"query": "query: ", "document": "text: ", "STS": "sts: "}


def wrapped(name: str, folder: Path) -> Any:
    """The model in mteb's wrapper."""
    from mteb.models import sentence_transformer_wrapper

    return getattr(sentence_transformer_wrapper, name)(str(folder), device="cpu")


def run_one(folder: Path, task: str, tmp_path: Path, **options: Any) -> Any:
    return harness.run(str(folder), [task_of(task, tmp_path)], device="cpu", results=tmp_path / "results", **options)[0]


@pytest.mark.parametrize(
    ("save", "wrapper", "tasks"),
    [
        (save_sparse_encoder, "SparseEncoderWrapper", CASES),
        (save_multi_vector, "MultiVectorWrapper", ("MiniAnswersGerman", RERANKING)),
    ],
)
@pytest.mark.parametrize("prompts", [{}, PROMPTS])
def test_sparse_and_multi_vector_models(
    save: Callable[..., Path], wrapper: str, tasks: tuple[str, ...], prompts: dict[str, str], tmp_path: Path
) -> None:
    """SPLADE and MaxSim get mteb's scores, with and without prompts; MaxSim only where documents are ranked."""
    write_reranking(tmp_path)
    folder = save(tmp_path / "model", prompts=prompts)
    for task in tasks:
        found = run_one(folder, task, tmp_path, batching="mteb")
        expected = mteb_scores_of(wrapped(wrapper, folder), task_of(task, tmp_path))
        main = task_of(task, tmp_path).main_metric
        assert found.parts[task_of(task, tmp_path).parts[0]][main] == pytest.approx(expected[main], abs=1e-5)
    left_out = [task for task in CASES if task not in tasks]
    if left_out:
        events: list[Any] = []
        with pytest.raises(harness.HarnessError, match=r"nothing to measure: .*a vector for each token"):
            harness.run(
                str(folder),
                [task_of(task, tmp_path) for task in left_out],
                results=tmp_path / "results",
                on_event=events.append,
            )
        assert {(event.kind, "a vector for each token" in event.message) for event in events} == {
            ("inapplicable", True)
        }


def as_pylate(folder: Path) -> Path:
    """The same model as pylate 1.6 saves it: other classes, and settings that pylate has by itself."""
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    kept = [module for module in modules if module["type"].rpartition(".")[2] in ("Transformer", "Dense")]
    kept[0]["type"] = "sentence_transformers.models.Transformer"
    kept[1]["type"] = "pylate.models.Dense.Dense"
    dense = folder / kept[1]["path"] / "config.json"
    settings = json.loads(dense.read_text(encoding="utf-8"))
    old = {name: settings[name] for name in ("in_features", "out_features", "bias", "activation_function")}
    dense.write_text(json.dumps({**old, "use_residual": False}), encoding="utf-8")
    (folder / "modules.json").write_text(json.dumps(kept), encoding="utf-8")
    settings = {
        "model_type": "ColBERT",
        "similarity_fn_name": "MaxSim",
        "query_prefix": "[Q] ",
        "document_prefix": "[D] ",
        "query_length": 32,
        "document_length": 48,
        "attend_to_expansion_tokens": False,
        "skiplist_words": ["!", "."],
        "do_query_expansion": True,
    }
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def test_a_folder_of_pylate(tmp_path: Path) -> None:
    """It is run as a multi-vector model, without pylate, with the scores of mteb's wrapper."""
    pytest.importorskip("sentence_transformers.multi_vector_encoder", reason="needs sentence-transformers 6")
    task = "MiniAnswersGerman"
    folder = as_pylate(save_multi_vector(tmp_path / "model"))
    found = run_one(folder, task, tmp_path)
    expected = mteb_scores_of(wrapped("MultiVectorWrapper", folder), task_of(task, tmp_path))
    assert found.parts[task_of(task, tmp_path).parts[0]]["ndcg_at_10"] == pytest.approx(
        expected["ndcg_at_10"], abs=1e-5
    )
    assert found.harness["encoder"]["kind"] == "multi-vector"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_cross_encoders(dtype: str, tmp_path: Path) -> None:
    """A reranker gets mteb's scores, to 1e-5 in every metric in mteb's batches, and is told apart from what searches.

    In half precision the scores themselves are float32, so that close ones do not tie.
    """
    write_reranking(tmp_path)
    folder = save_cross_encoder(tmp_path / "model", dtype=dtype)
    task = task_of(RERANKING, tmp_path)
    expected = mteb_scores_of(wrapped("CrossEncoderWrapper", folder), task)
    exact = run_one(folder, RERANKING, tmp_path, batching="mteb", precision="checkpoint", overwrite=True)
    assert compared(exact.parts[task.parts[0]], dict(expected)) > 100
    [of_part] = exact.harness["parts"].values()
    assert 0 < of_part["pairs_truncated"] <= of_part["pairs"] == 139
    assert of_part["notes"] == []
    if dtype == "float32":
        usual = run_one(folder, RERANKING, tmp_path, overwrite=True)
        assert usual.parts[task.parts[0]][task.main_metric] == pytest.approx(expected[task.main_metric], abs=1e-5)
    with pytest.raises(HarnessError, match="only reranking tasks name the documents"):
        harness.run(str(folder), "MiniAnswersGerman", results=tmp_path / "results")


@pytest.mark.parametrize("first", ["embedding", "sparse"])
def test_retrieval_in_two_stages(first: str, tmp_path: Path) -> None:
    """A cross-encoder ranks what another model has found as in mteb's `convert_to_reranking`, to 1e-5 in every metric;
    the record and its variant name the first stage.
    """
    retrieval, folder = "MiniAnswersGerman", save_cross_encoder(tmp_path / "model")
    if first == "embedding":
        searcher = save_sentence_transformer(tmp_path / "first")
        of_mteb = wrapped("SentenceTransformerEncoderWrapper", searcher)
    else:
        searcher = save_sparse_encoder(tmp_path / "first")
        of_mteb = wrapped("SparseEncoderWrapper", searcher)
    task, hits = registry.get_tasks().get(retrieval), tmp_path / "predictions"
    alone = mteb_scores_of(of_mteb, task, predictions=hits)
    expected = mteb_scores_of(wrapped("CrossEncoderWrapper", folder), task, after=(hits, 7))
    options: dict[str, Any] = {"batching": "mteb", "first_stage": str(searcher), "top": 7}
    [found] = harness.run(str(folder), [task], device="cpu", results=tmp_path / "results", **options)
    scores = found.parts[task.parts[0]]
    assert compared(scores, dict(expected)) > 100
    assert scores[task.main_metric] != pytest.approx(alone[task.main_metric], abs=1e-5)
    stage = found.harness["encoder"]["first_stage"]
    assert (stage["model"], stage["top"], stage["precision"]) == ("local/first", 7, "fp32")
    assert found.variant == f"first_stage=local__first@{stage['revision'][:8]}, top=7"
    [of_part] = found.harness["parts"].values()
    assert 0 < of_part["texts_truncated"] < of_part["texts"]
    assert of_part["pairs_truncated"] == of_part["pairs"] == 7 * of_part["rows"]["queries"]


def test_a_first_stage_belongs_to_the_record(tmp_path: Path) -> None:
    """Another first stage or depth is another record; the same is not computed again, until the first stage changes;
    tasks that name their candidates do without it and keep the plain record.
    """
    write_reranking(tmp_path)
    folder, task = save_cross_encoder(tmp_path / "model"), "MiniAnswersGerman"

    def kinds_of_events(tasks: Sequence[str], **options: Any) -> list[tuple[str, str]]:
        events: list[Any] = []
        specs = [task_of(name, tmp_path) for name in tasks]
        harness.run(str(folder), specs, results=tmp_path / "results", on_event=events.append, device="cpu", **options)
        done = [event for event in events if event.kind in ("kept", "recorded", "inapplicable")]
        return [(event.kind, event.cells.variant) for event in done]

    bm25 = "first_stage=baseline__bm25, top=3"
    assert kinds_of_events([task, RERANKING], first_stage="baseline/bm25", top=3) == [
        ("recorded", bm25),
        ("recorded", ""),
    ]
    assert kinds_of_events([task, RERANKING], first_stage="baseline/bm25", top=3) == [("kept", bm25), ("kept", "")]
    assert kinds_of_events([task, RERANKING]) == [("inapplicable", ""), ("kept", "")]
    assert kinds_of_events([task], first_stage="baseline/bm25", top=4) == [("recorded", bm25.replace("3", "4"))]
    assert kinds_of_events([task], first_stage="baseline/hashing", top=3)[0][0] == "recorded"


def test_what_a_first_stage_is_for(tmp_path: Path) -> None:
    """A model that searches by itself takes no first stage, a reranker is none, and a depth needs one."""
    ranker = save_cross_encoder(tmp_path / "model")
    for model, options, message in (
        ("baseline/hashing", {"first_stage": "baseline/bm25"}, "searches a corpus by itself; --first-stage is for"),
        (str(ranker), {"first_stage": str(ranker)}, "--first-stage local/model: only ranks candidates itself"),
        (str(ranker), {"top": 5}, "--top 5: belongs to --first-stage MODEL"),
    ):
        with pytest.raises(ModelError, match=message):
            harness.run(model, "MiniAnswersGerman", results=tmp_path / "results", **options)


def test_a_classifier_is_no_reranker(tmp_path: Path) -> None:
    """Three labels (as of NLI) give no single score to rank by."""
    write_reranking(tmp_path)
    folder = save_cross_encoder(tmp_path / "model", labels=3)
    with pytest.raises(harness.CellsFailed, match="gives 3 scores for a pair of texts"):
        run_one(folder, RERANKING, tmp_path)


def test_kinds_without_vectors_take_no_transform(tmp_path: Path) -> None:
    """What ranks by itself says so, and options that it cannot honour are refused by name."""
    folder = save_sparse_encoder(tmp_path / "model")
    assert abilities(resolve(str(folder))).ranks == {"corpus", "candidates"}
    with pytest.raises(harness.HarnessError, match='kind "sparse encoder" takes no --max-length'):
        harness.run(str(folder), "MiniSTSGerman", device="cpu", max_length=9, results=tmp_path / "results")
