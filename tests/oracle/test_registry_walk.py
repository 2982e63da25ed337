"""Every text model of mteb's registry, opened twice over stubs in place of weights: by mteb's loader, and here.

Each is opened; texts are sent to one model of each shape, and with `-m slow` to every model.

Stubs stand where sentence-transformers would read a repository; its own classes run on both sides. A stub gives each
text that arrives at it a vector of its own, so that equal vectors mean equal texts, prompts, roles, adapters and steps
after the model. What is run by mteb's own loader, and what is refused, is counted and listed in
`tests/golden/registry/walk.json`. To accept a deliberate change, run this file with `HARNESS_UPDATE_GOLDEN=1` and read
the difference.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

mteb = pytest.importorskip("mteb", reason="the oracle is mteb")

import torch  # noqa: E402
from datasets import Dataset  # noqa: E402
from mteb.get_tasks import get_task  # noqa: E402
from mteb.models.model_implementations import MODEL_REGISTRY  # noqa: E402
from mteb.types import PromptType  # noqa: E402
from sentence_transformers.base import model as st_model  # noqa: E402
from sentence_transformers.base import model_card  # noqa: E402
from sentence_transformers.base.modules import InputModule  # noqa: E402
from sentence_transformers.sentence_transformer.modules import Pooling  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

from harness import encoding, models  # noqa: E402
from harness.evaluators.similarity import block_scores, prepare  # noqa: E402
from harness.models import catalog, kinds, mteb_kind, mteb_loaders, mteb_requirements  # noqa: E402
from harness.models.repository import Repository, read  # noqa: E402
from harness.runner.selection import find  # noqa: E402
from harness.tasks import registry  # noqa: E402
from harness.types import EncodeOptions, ModelSpec, Role, SidePrompts, TaskSpec, Texts  # noqa: E402

GOLDEN = Path(__file__).parents[1] / "golden" / "registry" / "walk.json"
CASES: tuple[tuple[str, Role | None], ...] = (
    ("STSBenchmark", None),
    ("Banking77Classification", None),
    ("AmazonCounterfactualClassification", None),
    ("TweetSentimentExtractionClassification", None),
    ("TwentyNewsgroupsClustering", None),
    ("SprintDuplicateQuestions", None),
    ("SciFact", "query"),
    ("SciFact", "document"),
    ("AskUbuntuDupQuestions", "query"),
    ("AskUbuntuDupQuestions", "document"),
    ("Tatoeba", None),
)
TEXTS = ["a text", "another one, {text} and 100%"]
QUERY = "a query"
RERANKED = CASES.index(("AskUbuntuDupQuestions", "query"))
DIMENSIONS = 1536
WHO_AND_WHERE = (
    "name",
    "revision",
    "languages",
    "license",
    "parameters",
    "dimensions",
    "max_tokens",
    "adapted_from",
    "superseded_by",
    "open_weights",
)
"""Fields of a model's entry that decide nothing about what is sent to it; what decides how it is opened is compared for
each model."""
OF_FILES = {"query": "of the files, query: ", "document": "of the files, document: ", "Clustering": "of the files: "}
"""Prompts in the files of every stub."""


class Opened(dict[str, Any]):
    """How a stub was asked for, and the stub."""


class Reader(InputModule):  # type: ignore[misc]
    """In place of a transformer: a vector that no other text, task or adapter gets."""

    def __init__(self) -> None:
        super().__init__()
        self.max_seq_length = 512
        self.tokenizer = SimpleNamespace(padding_side="right", add_eos_token=None)
        self.auto_model = SimpleNamespace(config=SimpleNamespace(_attn_implementation="sdpa"))

    def preprocess(
        self, inputs: Sequence[Any], prompt: str | None = None, task: str | None = None, **_: Any
    ) -> dict[str, Any]:
        seen = [[(prompt or "") + text, task] if isinstance(text, str) else [prompt, *text, task] for text in inputs]
        rows = [hashlib.shake_128(json.dumps(each).encode()).digest(DIMENSIONS) for each in seen]
        numbers = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), DIMENSIONS)
        return {"rows": torch.from_numpy(numbers.astype(np.float32) + 0.5)}

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        return features | {"sentence_embedding": features["rows"], "scores": features["rows"][:, :1]}

    def save(self, *_: Any, **__: Any) -> None:
        raise AssertionError("nothing is saved")


class Pooled(Pooling):  # type: ignore[misc]
    """In place of pooling: turns the vector around where the tokens of a prompt are left out."""

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        features["sentence_embedding"] = features["rows"] * (1 if self.include_prompt else -1)
        return features


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Opened]]:
    """What was opened so far. No repository is looked for, and what the loaders warn of is not printed."""
    seen: list[Opened] = []

    def modules(self: Any, name: str, **arguments: Any) -> Any:
        self.prompts.update(OF_FILES)
        reader = Reader()
        seen.append(Opened(arguments, name=name, class_name=type(self).__name__, model=self))
        dense = type(self).__name__ == "SentenceTransformer"
        return ([reader, Pooled(DIMENSIONS)] if dense else [reader]), {}

    monkeypatch.setattr(st_model.BaseModel, "_load_modules", modules)
    monkeypatch.setattr(st_model, "_resolve_model_revision", lambda name, revision, **_: revision)
    # Reads the metadata of installed packages, for a card that nobody writes, each time a model is opened.
    for package in ("accelerate", "datasets"):
        monkeypatch.setattr(model_card, f"is_{package}_available", lambda: False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield seen


def settings(opened: Opened) -> dict[str, Any]:
    """Everything that was asked of sentence-transformers, and the state in which the model was left.

    mteb leaves the precision of the checkpoint, here float32, to transformers; the harness asks for it by name.
    """
    model = opened["model"]
    of_model = dict(opened["model_kwargs"] or {})
    dtype = of_model.pop("torch_dtype", None)
    dtype = of_model.pop("dtype", dtype)
    of_model.pop("trust_remote_code", None)
    name = str(getattr(dtype, "value", dtype)).removeprefix("torch.")
    return {
        "name": opened["name"],
        "class": opened["class_name"],
        "revision": opened["revision"],
        "trust_remote_code": opened["trust_remote_code"],
        "dtype": "float32" if name in ("None", "auto") else name,
        "model_kwargs": of_model,
        "processor_kwargs": opened["processor_kwargs"] or {},
        "config_kwargs": opened["config_kwargs"] or {},
        "max_seq_length": model.max_seq_length,
        "tokenizer": vars(model.tokenizer),
        "truncate_dim": getattr(model, "truncate_dim", None),
        "activation_fn": type(getattr(model, "activation_fn", None)).__name__,
    }


class Case:
    """A task and a role, as both sides take them."""

    def __init__(self, task: str, role: Role | None) -> None:
        self.name, self.role = task, role
        self.spec: TaskSpec = find(registry.get_tasks(), task)
        self.metadata = get_task(task).metadata
        self.loader = DataLoader(Dataset.from_dict({"text": TEXTS}), batch_size=32)

    def theirs(self, model: Any) -> np.ndarray:
        """(2, dim) what mteb gets for `TEXTS`."""
        rows = model.encode(
            self.loader,
            task_metadata=self.metadata,
            hf_split="test",
            hf_subset="default",
            prompt_type=PromptType(self.role) if self.role else None,
            batch_size=32,
            show_progress_bar=False,
        )
        return dense(rows)

    def ours(self, encoder: Any) -> np.ndarray:
        """(2, dim) what a run gets for `TEXTS`."""
        asked = Texts(items=TEXTS, role=self.role)
        prompt = encoding.prompt_for(encoder.facts.prompts, self.spec, asked, part=self.spec.parts[0])
        return encoding.encode(encoder, asked, prompt=prompt, batching="mteb").vectors


def dense(rows: Any) -> np.ndarray:
    if isinstance(rows, torch.Tensor):
        rows = (rows.to_dense() if rows.is_sparse else rows).float().cpu().numpy()
    return np.asarray(rows, dtype=np.float32)


def opened_by_mteb(name: str) -> Any:
    """The model, by the loader of its registry entry, as `ModelMeta.load_model` calls it once packages are there."""
    meta = MODEL_REGISTRY[name]
    model = meta.loader(name, revision=meta.revision, **{"device": "cpu", **copy.deepcopy(meta.loader_kwargs)})
    model.mteb_model_meta = meta
    return model


def opened_here(name: str, repository: Repository) -> Any:
    meta, entry = MODEL_REGISTRY[name], catalog.entry(name)
    assert entry is not None
    spec = ModelSpec(
        name=name,
        revision=meta.revision or "",
        location=name,
        origin="hub",
        trust_remote_code=bool(entry.arguments.get("trust_remote_code")),
        kind=kinds.kind_of(repository).name,
        checkpoint_precision="fp32",
    )
    return models.open_model(spec, EncodeOptions(device="cpu", precision="checkpoint"))


def compared(model: Any, encoder: Any, cases: Sequence[Case]) -> Iterator[str]:
    """What differs between the two, case by case; a cross-encoder can do reranking only."""
    if not hasattr(model, "encode"):
        if not np.allclose(pairs_of_theirs(model, cases[RERANKED]), pairs_of_ours(encoder, cases[RERANKED]), rtol=1e-5):
            yield "pairs of a query and a document"
        return
    for case in cases:
        theirs, ours = case.theirs(model), case.ours(encoder)
        if theirs.shape != ours.shape or not np.allclose(theirs, ours, rtol=1e-5, atol=1e-6):
            yield f"{case.name} {case.role}"
    left, right = np.random.default_rng(0).normal(size=(2, 3, 8)).astype(np.float32)
    pair = torch.from_numpy(left), torch.from_numpy(right)
    if not np.allclose(dense(model.similarity_pairwise(*pair)), encoder.similarity_pairwise(left, right), atol=1e-5):
        yield "similarity of pairs"
    name = encoder.facts.similarity
    scores = block_scores(prepare(left, similarity=name), prepare(right, similarity=name), similarity=name)
    if not np.allclose(dense(model.similarity(*pair)), scores, atol=1e-5):
        yield "similarity"


def pairs_of_theirs(model: Any, case: Case) -> np.ndarray:
    """(2,) the scores of a query with each of `TEXTS`."""
    scores: np.ndarray = model.predict(
        DataLoader(Dataset.from_dict({"text": [QUERY] * len(TEXTS)}), batch_size=32),
        case.loader,
        task_metadata=case.metadata,
        hf_split="test",
        hf_subset="default",
        show_progress_bar=False,
    )
    return scores


def pairs_of_ours(encoder: Any, case: Case) -> np.ndarray:
    """The same here."""
    texts = Texts(items=[QUERY], role="query")
    prompt = encoding.prompt_for(encoder.facts.prompts, case.spec, texts, part=case.spec.parts[0])
    hits = encoder.search(
        texts.items,
        TEXTS,
        document_ids=["0", "1"],
        candidates=[np.arange(len(TEXTS))],
        k=len(TEXTS),
        languages=(),
        prompts=SidePrompts(prompt, prompt),
    ).hits
    scores: np.ndarray = hits.scores[0][np.argsort(hits.indices[0])]
    return scores


@pytest.fixture
def plain_repository(tmp_path: Path) -> Path:
    """The settings of a dense model that nothing but its name tells from another."""
    (tmp_path / "config.json").write_text('{"architectures": ["StubModel"], "model_type": "stub"}')
    types = {"": "Transformer", "1_Pooling": "Pooling"}
    modules = [{"path": path, "type": f"sentence_transformers.models.{name}"} for path, name in types.items()]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    return tmp_path


def shape(entry: catalog.CatalogEntry) -> str:
    """All that mteb and the harness know of a model but for who made it, how large it is and where it lies."""
    meta = MODEL_REGISTRY[entry.name]
    ours = {key: value for key, value in dataclasses.asdict(entry).items() if key not in WHO_AND_WHERE}
    return json.dumps([ours, meta.loader_kwargs, meta.similarity_fn_name], sort_keys=True, default=str)


def differences(name: str, opened: list[Opened], repository: Path, *, cases: Sequence[Case]) -> Iterator[str]:
    """What differs between how mteb and the harness open a model, and in the texts of `cases` that it is sent."""
    opened.clear()
    model = opened_by_mteb(name)
    encoder = opened_here(name, read(name, repository, frozenset({"config.json", "modules.json"})))
    theirs, ours = map(settings, opened)
    yield from (f"{name}: {key} {theirs[key]} != {ours[key]}" for key in theirs if theirs[key] != ours[key])
    if cases:
        yield from (f"{name}: {what}" for what in compared(model, encoder, cases))


def mirrored_entries() -> Iterator[catalog.CatalogEntry]:
    return (entry for entry in catalog.entries() if mteb_loaders.is_mirrored(entry))


def test_nothing_differs_silently(
    opened: list[Opened], plain_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of mteb's text models is opened as mteb's loader opens it, or is run by that loader, or is refused; and one
    model of each shape is sent what mteb's loader sends.

    Packages that are missing count as installed, because a message says how to install them.
    """
    monkeypatch.setattr(mteb_requirements, "missing", lambda extras: [])
    cases = [Case(*case) for case in CASES]
    mirrored, by_mteb = Counter[str](), Counter[str]()
    refused: dict[str, dict[str, list[str]]] = {}
    different: list[str] = []
    sent: dict[str, str] = {}
    for name in catalog.names():
        entry = catalog.entry(name)
        assert entry is not None
        if mteb_loaders.is_mirrored(entry):
            mirrored[str(entry.loader)] += 1
            is_first = sent.setdefault(shape(entry), name) == name
            different += differences(name, opened, plain_repository, cases=cases if is_first else ())
        elif reason := mteb_kind.refusal(entry, trust_remote_code=True):
            what = re.sub(r" \(\S+ is installed\)", "", reason.partition("; ")[0])  # without versions and advice
            refused.setdefault(what, {}).setdefault(str(entry.loader), []).append(name)
        else:
            by_mteb[str(entry.loader)] += 1
    assert different == []
    assert {getattr(catalog.entry(name), "loader", None) for name in sent.values()} == mirrored.keys()
    assert {shape(entry) for entry in mirrored_entries()} == sent.keys()
    walked = {
        "sent as mteb sends it": dict(sorted(mirrored.items())),
        "run by mteb's loader": dict(sorted(by_mteb.items())),
        "refused": refused,
    }
    if os.environ.get("HARNESS_UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(walked, indent=1) + "\n", encoding="utf-8")
    assert walked == json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_nothing_is_sent_otherwise(opened: list[Opened], plain_repository: Path) -> None:
    """Each model that is opened as mteb opens it is sent what mteb's loader sends, whatever its shape."""
    cases = [Case(*case) for case in CASES]
    names = [entry.name for entry in mirrored_entries()]
    assert len(names) > 400
    assert [what for name in names for what in differences(name, opened, plain_repository, cases=cases)] == []


def test_each_setting_makes_a_shape() -> None:
    """Models of one shape differ in nothing that decides what is sent: another prompt, argument or loader is another
    shape, and of one shape are models of one loader with equal arguments.
    """
    by_shape: dict[str, list[catalog.CatalogEntry]] = {}
    for entry in mirrored_entries():
        by_shape.setdefault(shape(entry), []).append(entry)
    assert max(map(len, by_shape.values())) > 1
    for entries in by_shape.values():
        for entry in entries:
            meta, first = MODEL_REGISTRY[entry.name], MODEL_REGISTRY[entries[0].name]
            assert getattr(meta.loader, "__name__", meta.loader) == getattr(first.loader, "__name__", first.loader)
            assert str(meta.loader_kwargs) == str(first.loader_kwargs)
            assert (meta.similarity_fn_name, meta.model_type) == (first.similarity_fn_name, first.model_type)
    some = next(iter(mirrored_entries()))
    for change in (
        {"loader": "another"},
        {"prompts": {"query": "another: "}},
        {"instructions": {"STS": "Another"}},
        {"template": {"query": ("another", "")}},
        {"arguments": {"another": 1}},
        {"similarity": "dot"},
        {"priority": ("task",)},
    ):
        assert shape(dataclasses.replace(some, **change)) != shape(some), change


def test_what_fails_in_mteb(opened: list[Opened]) -> None:
    """Each model that is refused because mteb itself cannot run it fails there, as the reason says."""
    case = Case(*CASES[0])
    failing = [name for name in catalog.names() if (entry := catalog.entry(name)) and mteb_loaders.defect(entry)]
    assert len(failing) == 19
    for name in failing:
        meta = MODEL_REGISTRY[name]
        with pytest.raises((TypeError, ValueError), match=r"unexpected keyword|positional argument|does not use"):
            case.theirs(meta.loader(name, revision=meta.revision, **copy.deepcopy(meta.loader_kwargs)))
