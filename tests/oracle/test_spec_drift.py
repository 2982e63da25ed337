"""Every committed task that is also in the installed mteb says the same as mteb, but for what is listed here."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import pytest

from harness.evaluators import clustering
from harness.tasks import mteb_metadata, registry
from harness.types import TaskSpec

mteb = pytest.importorskip("mteb")

KNOWN = registry.get_tasks()
TASKS = {task.name: task for task in KNOWN if task.source.kind != "local"}

THEIR_NAME = {"PawsX": "PawsXPairClassification", "stsb_multi_mt": "STSBenchmarkMultilingualSTS"}
"""Task of a model card -> what mteb calls it today."""

_CARD = "a model card states this source; what mteb reads today is the mirror"
_RENAMED = "mteb renames the column while loading; the harness reads it under its own name"
_LATE = "mteb sets it only while loading the data"


def _card(path: str, revision: str, theirs: tuple[str, str]) -> dict[str, tuple[Any, Any, str]]:
    differing = {"path": (path, theirs[0], _CARD), "revision": (revision, theirs[1], _CARD)}
    return {fact: entry for fact, entry in differing.items() if entry[0] != entry[1]}


INTENDED: dict[str, dict[str, tuple[Any, Any, str]]] = {
    "AmazonCounterfactualClassification": _card(
        "mteb/amazon_counterfactual",
        "e8379541af4e31359cca9fbcf4b00f2671dba205",
        ("mteb/amazon_counterfactual", "1f7e6a9d6fa6e64c53d146e428565640410c0df1"),
    ),
    "AmazonReviewsClassification": _card(
        "mteb/amazon_reviews_multi",
        "1399c76144fd37290681b995c656ef9b2e06e26d",
        ("mteb/AmazonReviewsClassification", "6b5d328eaae8ef408dd7d775040245cf86f92e9d"),
    ),
    "GermanDPR": _card(
        "deepset/germandpr",
        "5129d02422a66be600ac89cd3e8531b4f97d347d",
        ("mteb/GermanDPR", "64a4860e55ba6d8fcb923d5306d08e08b1c72794"),
    ),
    "GermanSTSBenchmark": _card(
        "jinaai/german-STSbenchmark",
        "e36907544d44c3a247898ed81540310442329e20",
        ("mteb/GermanSTSBenchmark", "75829b73cccb64bf86a9f098cbc780d37b786091"),
    ),
    "MTOPDomainClassification": _card(
        "mteb/mtop_domain",
        "d80d48c1eb48d3562165c59d59d0034df9fff0bf",
        ("mteb/MTOPDomainClassification", "a76d16fae880597b9c73047b50159220a441cb54"),
    ),
    "MTOPIntentClassification": _card(
        "mteb/mtop_intent",
        "ae001d0e6b1228650b7bd1c2c65fb50ad11a8aba",
        ("mteb/MTOPIntentClassification", "2992d820f31312593c49a4890430aadadb0f0039"),
    ),
    "PawsX": {
        **_card(
            "google-research-datasets/paws-x",
            "8a04d940a42cd40658986fdd8e3da561533a3646",
            ("mteb/PawsXPairClassification", "558da352e7dba3ed3229fc4922aef2ebaff0a90b"),
        ),
        "columns.gold": ("label", "labels", _CARD),
    },
    "stsb_multi_mt": {
        **_card(
            "PhilipMay/stsb_multi_mt",
            "93d57ef91790589e3ce9c365164337a8a78b7632",
            ("mteb/stsb_multi_mt", "29afa2569dcedaaa2fe6a3dcfebab33d28b82e8c"),
        ),
        "columns.gold": ("similarity_score", "score", _RENAMED),
    },
    "FalseFriendsGermanEnglish": {
        "columns.left": ("sent1", "sentence1", _RENAMED),
        "columns.right": ("sent2", "sentence2", _RENAMED),
    },
    "MasakhaNEWSClassification": {"columns.label": ("category", "label", _RENAMED)},
    "RedditClustering.v2": {"max_fraction_of_documents_to_embed": (None, 0.04, _LATE)},
    "SIB200Classification": {"columns.label": ("category", "label", _RENAMED)},
    "SIB200ClusteringS2S": {
        "columns.text": ("text", "sentences", _RENAMED),
        "columns.label": ("category", "labels", _RENAMED),
    },
    "STSBenchmarkMultilingualSTS": {"columns.gold": ("similarity_score", "score", _RENAMED)},
    "SprintDuplicateQuestions": {
        "columns.left": ("sent1", "sentence1", _RENAMED),
        "columns.right": ("sent2", "sentence2", _RENAMED),
    },
    "StackExchangeClustering.v2": {"max_fraction_of_documents_to_embed": (None, 0.04, _LATE)},
    "TwitterSemEval2015": {
        "columns.left": ("sent1", "sentence1", _RENAMED),
        "columns.right": ("sent2", "sentence2", _RENAMED),
    },
    "TwitterURLCorpus": {
        "columns.left": ("sent1", "sentence1", _RENAMED),
        "columns.right": ("sent2", "sentence2", _RENAMED),
    },
}
"""Task -> fact -> what the harness says, what mteb says, and why they differ."""

_CHECKS_ONLY = "the code only checks the labels"
_FLATTENS = "the code joins the sets of the legacy layout, as the harness does for every newer clustering task"
DECLARED = {
    "BiorxivClusteringP2P.v2": _CHECKS_ONLY,
    "BiorxivClusteringS2S.v2": _CHECKS_ONLY,
    "FalseFriendsGermanEnglish": _RENAMED,
    "GermanQuAD-Retrieval": "the code takes the judgements from another data set, which the source names",
    "MasakhaNEWSClassification": _RENAMED,
    "MedrxivClusteringP2P.v2": _FLATTENS,
    "MedrxivClusteringS2S.v2": _FLATTENS,
    "SIB200Classification": _RENAMED,
    "SIB200ClusteringS2S": "the code joins the splits, as merge_splits does",
    "STSBenchmarkMultilingualSTS": _RENAMED,
    "ScalaClassification": "the code numbers the labels, in an order that changes from run to run",
    "SprintDuplicateQuestions": _RENAMED,
    "TweetTopicSingleClassification": "the code names the training split, as merge_splits does",
    "TwentyNewsgroupsClustering.v2": _FLATTENS,
    "TwitterSemEval2015": _RENAMED,
    "TwitterURLCorpus": _RENAMED,
    "stsb_multi_mt": _RENAMED,
}
"""Hub task whose data mteb loads or changes with code of the task's own -> why the spec can say the same."""


@functools.cache
def _mteb_task(name: str) -> Any:
    return mteb.get_task(THEIR_NAME.get(name, name))


def _mteb_says(name: str) -> dict[str, Any]:
    """What the installed mteb says about a task, fact by fact."""
    task = _mteb_task(name)
    metadata = task.metadata
    languages = metadata.eval_langs if isinstance(metadata.eval_langs, dict) else {"default": metadata.eval_langs}
    return {
        "type": metadata.type,
        "path": metadata.dataset["path"],
        "revision": metadata.dataset["revision"],
        "splits": list(metadata.eval_splits),
        "subsets": [(subset, list(dict.fromkeys(spoken))) for subset, spoken in languages.items()],
        "main_metric": metadata.main_score,
        "prompt": metadata.prompt,
        "domains": sorted(set(metadata.domains or ())),
        "reference": metadata.reference,
        "license": None if metadata.license == "not specified" else metadata.license,
        **_mteb_settings(task),
    }


def _mteb_settings(task: Any) -> dict[str, Any]:
    """Settings and columns, under the harness's names."""
    kind = task.metadata.type
    if kind == "STS":
        left, right = task.column_names
        columns = {"left": left, "right": right, "gold": "score"}  # `score` is fixed in mteb's code
        return {"min_score": task.min_score, "max_score": task.max_score, **_prefixed(columns)}
    if kind == "PairClassification":
        names = (task.input1_column_name, task.input2_column_name, task.label_column_name)
        return _prefixed(dict(zip(("left", "right", "gold"), names)))
    if kind == "Classification":
        same = ("samples_per_label", "n_experiments", "train_split", "seed")
        columns = {"text": task.input_column_name, "label": task.label_column_name}
        settings = {name: getattr(task, name) for name in same} | {"max_iter": task.evaluator_model.max_iter}
        return settings | _prefixed(columns)
    if kind == "Clustering":
        columns = {"text": task.input_column_name, "label": task.label_column_name}
        return _clustering_settings(task) | {"seed": task.seed} | _prefixed(columns)
    if kind == "BitextMining":
        columns = _prefixed(dict(zip(("left", "right"), task._DEFAULT_PAIR[0])))
        return {"parallel_subsets": task.parallel_subsets, **columns}
    assert kind in ("Retrieval", "Reranking")
    same = ("k_values", "ignore_identical_ids", "skip_first_result")
    facts = mteb_metadata.get(task.metadata.name)
    further = facts.settings.get("further_metrics", "none") if facts is not None else "none"
    values = {name: tuple(value) if name == "k_values" else value for name in same for value in [getattr(task, name)]}
    return {**values, "further_metrics": further}


def _clustering_settings(task: Any) -> dict[str, Any]:
    if any(base.__name__ == "AbsTaskClusteringLegacy" for base in type(task).__mro__):
        batch = inspect.signature(task.evaluator.__init__).parameters["clustering_batch_size"].default
        return {"method": "legacy", "clustering_batch_size": batch}
    same = (
        "max_document_to_embed",
        "max_fraction_of_documents_to_embed",
        "max_documents_per_cluster",
        "n_clusters",
        "k_mean_batch_size",
        "max_depth",
    )
    return {"method": "v2"} | {name: getattr(task, name) for name in same}


def _prefixed(columns: dict[str, str]) -> dict[str, str]:
    return {f"columns.{field}": column for field, column in columns.items()}


def _we_say(task: TaskSpec, facts: dict[str, Any]) -> dict[str, Any]:
    """What the committed file says about each of mteb's facts."""
    said = {
        "type": task.type,
        "path": task.source.path,
        "revision": task.source.revision,
        "splits": list(task.splits),
        "subsets": [(subset, list(spoken)) for subset, spoken in task.subsets.items()],
        "main_metric": task.main_metric,
        "prompt": task.prompt if task.prompt is None or isinstance(task.prompt, str) else dict(task.prompt),
        "domains": sorted(task.domains),
        "reference": task.reference,
        "license": task.license,
        **_prefixed(dict(task.columns)),
    }
    return {fact: said[fact] if fact in said else getattr(task.settings, fact) for fact in facts}


def _own_code(name: str) -> set[str]:
    """What of loading the task's own class does differently from mteb's base classes."""
    classes = [base for base in type(_mteb_task(name)).__mro__ if base.__module__.startswith("mteb.tasks.")]
    return {method for method in ("load_data", "dataset_transform") for base in classes if method in vars(base)}


@pytest.mark.parametrize("name", TASKS)
def test_a_committed_task_says_what_mteb_says(name: str) -> None:
    """Path, commit, splits, subsets, languages, metric, prompt and settings are mteb's, but for `INTENDED`."""
    theirs = _mteb_says(name)
    ours = _we_say(TASKS[name], theirs)
    differences = {fact: (ours[fact], theirs[fact]) for fact in theirs if ours[fact] != theirs[fact]}
    assert differences == {fact: entry[:2] for fact, entry in INTENDED.get(name, {}).items()}


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.mirror])
def test_a_mirror_is_where_mteb_reads(name: str) -> None:
    """Its path and commit are mteb's; it exists exactly where the source is not mteb's; its columns are those there."""
    mirror, dataset = TASKS[name].mirror, _mteb_task(name).metadata.dataset
    assert mirror is not None
    assert (mirror.path, mirror.revision) == (dataset["path"], dataset["revision"])
    theirs = _mteb_says(name)
    columns = {field: mirror.columns.get(field, column) for field, column in TASKS[name].columns.items()}
    renamed = {field for field, column in columns.items() if theirs[f"columns.{field}"] != column}
    assert renamed == ({"gold"} if name == "stsb_multi_mt" else set())


def test_only_what_has_moved_has_a_mirror() -> None:
    """A task names a mirror exactly when its source is listed above as another one than mteb's."""
    mirrored = {name for name, task in TASKS.items() if task.mirror}
    assert mirrored == {name for name, facts in INTENDED.items() if "revision" in facts}


def test_no_difference_is_listed_for_nothing() -> None:
    """`INTENDED` names committed tasks only; `DECLARED` names exactly the hub tasks for which mteb has code."""
    assert set(INTENDED) <= set(TASKS)
    assert set(DECLARED) == {name for name, task in TASKS.items() if task.source.kind == "hub" and _own_code(name)}


@pytest.mark.parametrize("name", TASKS)
def test_data_comes_through_mteb_only_where_mteb_has_code_for_it(name: str) -> None:
    """A task is read from the hub where mteb reads it plainly or `DECLARED` says why it can; else through mteb."""
    through_hub = not _own_code(name) or name in DECLARED
    assert TASKS[name].source.kind == ("hub" if through_hub else "mteb")


def test_every_column_and_setting_is_compared() -> None:
    """No column or setting of a committed task escapes the comparison, except those its method does not use."""
    unused = {"legacy": set(clustering._ONLY_V2), "v2": set(clustering._ONLY_LEGACY)}
    for name, task in TASKS.items():
        ours = {f"columns.{field}" for field in task.columns} | set(type(task.settings).__dataclass_fields__)
        assert ours - set(_mteb_says(name)) == unused.get(getattr(task.settings, "method", ""), set())


def test_merged_splits_are_those_that_mteb_joins_in_code() -> None:
    """mteb makes SIB200's test split of all three splits, and names TweetTopic's training split; no other is merged."""
    merged = {name: dict(task.merge_splits) for name, task in TASKS.items() if task.merge_splits}
    assert merged == {
        "SIB200ClusteringS2S": {"test": ("train", "validation", "test")},
        "TweetTopicSingleClassification": {"train": ("train_2021",)},
    }
    for name, code in (
        ("SIB200ClusteringS2S", '["train", "validation", "test"]'),
        ("TweetTopicSingleClassification", 'self.dataset["train"] = self.dataset["train_2021"]'),
    ):
        assert code in inspect.getsource(type(_mteb_task(name)).dataset_transform)


def test_settings_that_mteb_changes_while_loading_are_listed() -> None:
    """The code of a committed task sets no setting of ours, but for those that `INTENDED` lists as set late."""
    found = set()
    for name, task in TASKS.items():
        code = "".join(inspect.getsource(getattr(type(_mteb_task(name)), method)) for method in _own_code(name))
        settings = type(task.settings).__dataclass_fields__
        found |= {(name, setting) for setting in settings if f"self.{setting} =" in code}
    listed = {(name, fact) for name, facts in INTENDED.items() for fact, entry in facts.items() if entry[2] == _LATE}
    assert found == listed
