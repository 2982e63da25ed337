"""Packed batches give the vectors of padded ones: every architecture, pooling, precision; and who is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packaging.version import Version

from harness import models
from harness.errors import ModelError
from harness.types import EncodeOptions
from tests import tiny
from tests.conftest import ROOT
from tests.encoders import one_block

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

_SMALL = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.3,  # vectors that differ much from text to text
}
_GROUPED = {**_SMALL, "num_key_value_heads": 2, "head_dim": 8}
_LAYERS = {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}
ARCHITECTURES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "BERT": ("bert", _SMALL),
    "RoBERTa": ("roberta", _SMALL),
    "XLM-R": ("xlm-roberta", {**_SMALL, "pad_token_id": 1}),
    "ELECTRA": ("electra", {**_SMALL, "embedding_size": 16}),
    "ALBERT": ("albert", {**_SMALL, "embedding_size": 16}),
    "DistilBERT": (
        "distilbert",
        {**_SMALL, "dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48},
    ),
    "ModernBERT": (
        "modernbert",
        {**_SMALL, "local_attention": 16, "global_attn_every_n_layers": 2, "cls_token_id": 1, "sep_token_id": 2},
    ),
    "Qwen2": ("qwen2", _GROUPED),
    "Qwen2 with a window": (
        "qwen2",
        {**_GROUPED, "use_sliding_window": True, "sliding_window": 9, "max_window_layers": 1},
    ),
    "Qwen2 without causality": ("qwen2", {**_GROUPED, "is_causal": False}),
    "Qwen3": ("qwen3", _GROUPED),
    "Llama": ("llama", _GROUPED),
    "Mistral with a window": ("mistral", {**_GROUPED, "sliding_window": 11}),
    "Gemma3": ("gemma3_text", {**_GROUPED, **_LAYERS, "sliding_window": 9}),
    "Gemma3 without causality": (
        "gemma3_text",
        {**_GROUPED, **_LAYERS, "sliding_window": 16, "use_bidirectional_attention": True},
    ),
}
LENGTHS = (41, 41, 30, 12, 5, 5, 1)


class _Modules(list[Any]):
    """What `PackedForward` reads of a `SentenceTransformer`."""


def modules(kind: str, config: Mapping[str, Any], pooling: str) -> _Modules:
    """A transformer with random weights, and its pooling."""
    import torch
    from sentence_transformers.models import Pooling
    from transformers import AutoConfig, AutoModel

    torch.manual_seed(3)
    transformer = torch.nn.Module()
    transformer.auto_model = AutoModel.from_config(AutoConfig.for_model(kind, **config)).eval()
    return _Modules([transformer, Pooling(int(config["hidden_size"]), pooling_mode=pooling)])


def padded(model: _Modules, ids: list[np.ndarray]) -> np.ndarray:
    """The vectors by transformers' padded batches and the pooling of sentence-transformers, float32."""
    import torch

    transformer = model[0].auto_model
    batch = torch.full((len(ids), max(map(len, ids))), int(transformer.config.pad_token_id))
    mask = torch.zeros_like(batch)
    for row, text in enumerate(ids):
        batch[row, : len(text)] = torch.from_numpy(text)
        mask[row, : len(text)] = 1
    with torch.inference_mode():
        states = transformer(input_ids=batch, attention_mask=mask).last_hidden_state
        pooled = model[1]({"token_embeddings": states, "attention_mask": mask})
        return pooled["sentence_embedding"].float().numpy()


def packed(model: _Modules, ids: list[np.ndarray]) -> np.ndarray:
    """The vectors by packed texts, float32."""
    import torch

    from harness.models.packed_forward import PackedForward, pack

    with torch.inference_mode():
        return PackedForward(model)(pack(ids), torch.device("cpu")).numpy()


def texts(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.integers(10, 119, length) for length in lengths]


def needs_its_masks(architecture: str) -> None:
    """Skip what older versions of transformers mask otherwise; the trial of `packing` pads such a model."""
    import transformers

    moved = architecture in ("ModernBERT", "Qwen2 without causality")
    if moved and Version(transformers.__version__) < Version("5.17"):
        pytest.skip(f"transformers {transformers.__version__} masks {architecture} otherwise, and it is padded")


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def apart(rows: np.ndarray, others: np.ndarray) -> float:
    """The largest difference of two numbers, in rows of unit length."""
    return float(np.abs(unit(rows) - unit(others)).max())


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_packed_equals_padded(architecture: str, pooling: str) -> None:
    """In fp32 to 1e-5, for texts longer than a window, of equal length, and of one token."""
    needs_its_masks(architecture)
    model = modules(*ARCHITECTURES[architecture], pooling)
    ids = texts(*LENGTHS)
    assert apart(packed(model, ids), padded(model, ids)) < 1e-5


def test_a_tail_changes_nothing() -> None:
    """A batch that is filled up to a shape, with pieces no longer than its longest text, gives the same vectors."""
    needs_its_masks("ModernBERT")
    import torch

    from harness.models.packed_forward import PackedForward, pack

    model, ids = modules(*ARCHITECTURES["ModernBERT"], "mean"), texts(30, 7)
    plain, tail = pack(ids), pack(ids, shape=100)
    assert (len(tail.ids), tail.lengths, tail.texts) == (100, [30, 7, 30, 30, 3], 2)
    forward = PackedForward(model)
    with torch.inference_mode():
        rows, others = forward(plain, torch.device("cpu")), forward(tail, torch.device("cpu"))
    assert rows.shape == others.shape
    assert apart(rows.numpy(), others.numpy()) < 1e-6


@pytest.mark.parametrize("architecture", ["BERT", "ModernBERT", "Qwen3"])
def test_a_text_alone_and_among_others(architecture: str) -> None:
    """A text's vector is the same alone and among texts of every other length, to 1e-6."""
    needs_its_masks(architecture)
    model, ids = modules(*ARCHITECTURES[architecture], "mean"), texts(*LENGTHS)
    among = packed(model, ids)
    alone = np.concatenate([packed(model, [text]) for text in ids])
    assert apart(among, alone) < 1e-6


def _nearness(kind: str, lengths: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The cosines of packed and of padded vectors in bf16 to those in fp32."""
    import torch

    config = {**_GROUPED, "max_position_embeddings": 8192, "initializer_range": 0.1}
    model, ids = modules(kind, config, "mean"), texts(*lengths)
    exact = unit(padded(model, ids))
    for parameter in model[0].auto_model.parameters():  # not its buffers: positions stay in fp32, as when it is loaded
        parameter.data = parameter.data.to(torch.bfloat16)
    by_packing, by_padding = packed(model, ids), padded(model, ids)
    return (unit(by_packing) * exact).sum(axis=1), (unit(by_padding) * exact).sum(axis=1)


@pytest.mark.parametrize("kind", ["qwen3", "llama", "bert"])
def test_half_precision_is_as_near_packed_as_padded(kind: str) -> None:
    """In bf16 a packed vector is as near to that of fp32 as a padded one, at 30, 500 and 2,000 tokens."""
    by_packing, by_padding = _nearness(kind, [2000, 500, 30])
    assert ((1 - by_packing) <= 1.5 * (1 - by_padding) + 1e-5).all(), (by_packing, by_padding)
    assert by_packing.min() > 0.999


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["qwen3", "bert"])
def test_half_precision_of_long_texts(kind: str) -> None:
    """The same at 8,000 tokens."""
    by_packing, by_padding = _nearness(kind, [8000, 30])
    assert ((1 - by_packing) <= 1.5 * (1 - by_padding) + 1e-5).all(), (by_packing, by_padding)


TEXTS = [
    "",
    "a",
    "seven grey whales drift past an old harbour",
    "two children count the lights of a train",
    "the lights of a train " * 8,
    "past an old harbour",
]


def opened(folder: Path, **options: Any) -> Any:
    spec = models.resolve(str(folder))
    return models.open_model(spec, EncodeOptions(**options))


def with_modules(folder: Path, *more: Any, pooling: str = "mean") -> Path:
    """A tiny BERT with `more` modules after its pooling."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    bert = Transformer(str(tiny.save_transformer(folder.with_name(f"{folder.name}-bert"))), max_seq_length=64)
    modules = [bert, Pooling(bert.get_embedding_dimension(), pooling_mode=pooling), *more]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)
    return folder


def folder_of(case: str, path: Path) -> Path:
    from sentence_transformers.models import Dense, Normalize

    if case == "decoder":
        return tiny.save_decoder(path / case)
    if case == "dense":
        return with_modules(path / case, Dense(32, 12), Normalize())
    if case == "prompt":
        return tiny.save_sentence_transformer(path / case, prompts={"query": "old harbour: "}, default_prompt="query")
    return tiny.save_sentence_transformer(path / case, kind=case, normalize=True)


@pytest.mark.parametrize("case", ["bert", "roberta", "decoder", "dense", "prompt"])
def test_an_opened_model_packs(case: str, tmp_path: Path) -> None:
    """With all that its files add (left padding, prompts, Dense, Normalize), and with texts that are empty or cut."""
    folder = folder_of(case, tmp_path)
    rows = {}
    for batching in ("packed", "padded"):
        encoder = opened(folder, batching=batching, batch_tokens=100)
        encoded = one_block(encoder, TEXTS)
        rows[batching] = encoded.vectors
        assert encoder.facts.encoding == ("packed" if batching == "packed" else "padded: as asked")
        assert (encoder.facts.attention == "sdpa by length") == (batching == "packed")
        if batching == "packed":
            assert encoded.tokens is not None
            assert encoded.tokens_padded == encoded.tokens.sum()
            assert encoder.identity(prompt=tiny_prompt(), role=None)["encoding"] == "packed"
        else:
            assert "encoding" not in encoder.identity(prompt=tiny_prompt(), role=None)
    filled = np.abs(rows["padded"]).sum(axis=1) > 0
    assert apart(rows["packed"][filled], rows["padded"][filled]) < 1e-5
    assert filled[1:].all()
    assert np.allclose(rows["packed"], rows["padded"], atol=1e-4)


def tiny_prompt() -> Any:
    from harness.types import Prompt

    return Prompt(None, None)


def test_mteb_batches_stay_as_they_are(tmp_path: Path) -> None:
    """A model that packs still makes mteb's batches as sentence-transformers does, to the bit."""
    folder = tiny.save_decoder(tmp_path / "decoder")
    rows = [
        one_block(opened(folder, batching=batching), TEXTS[1:], batching="mteb").vectors
        for batching in ("packed", "padded")
    ]
    assert rows[0].tobytes() == rows[1].tobytes()


def test_a_cpu_pads_by_itself(tmp_path: Path) -> None:
    """On a CPU nothing is tried and vectors keep their place in the vector cache; the record says why."""
    for folder in (tiny.save_decoder(tmp_path / "decoder"), tiny.save_sentence_transformer(tmp_path / "bert")):
        encoder = opened(folder)
        assert encoder.facts.encoding == "padded: a CPU gains little by packing"
        assert "encoding" not in encoder.identity(prompt=tiny_prompt(), role=None)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("max", "pooling max"),
        ("lstm", "module LSTM"),
        ("mpnet", "MPNetModel does not stand on transformers' attention interface"),
        ("mobilebert", "packed vectors differ by .*, more than 1e-05"),
        ("gemma2", "Gemma2Attention passes softcap to attention"),
    ],
)
def test_what_cannot_be_packed_is_refused(case: str, reason: str, tmp_path: Path) -> None:
    """Asked for packed batches, a model that they do not suit is refused, with what stands in the way."""
    from sentence_transformers.models import LSTM

    if case == "max":
        folder = with_modules(tmp_path / case, pooling="max")
    elif case == "lstm":
        folder = with_modules(tmp_path / case, LSTM(32, 8))
    elif case == "gemma2":
        config = {**_GROUPED, "vocab_size": 130, "sliding_window": 8}
        folder = tiny.save_sentence_transformer(tmp_path / case, kind=case, **config)
    else:
        folder = tiny.save_sentence_transformer(tmp_path / case, kind=case, embedding_size=32)
    with pytest.raises(ModelError, match=f"--batching packed: {reason}") as refused:
        opened(folder, batching="packed")
    assert refused.value.kind == "request"
    assert opened(folder).facts.encoding.startswith("padded: ")


def test_kinds_that_do_not_pack_refuse_it(tmp_path: Path) -> None:
    """A model without attention takes no `--batching packed`; what it takes else stays as it was."""
    folder = tiny.save_static(tmp_path / "static")
    assert "takes no --batching (packed)" in models.refusal(models.resolve(str(folder)), {"batching": "packed"})
    assert not models.refusal(models.resolve(str(folder)), {"batching": "mteb"})


def test_the_guide_names_what_packs() -> None:
    """The page about encoding lists the architectures of these tests, and no more in that column."""
    page = (ROOT / "harness" / "cli" / "guide" / "encoding.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1] for line in page.partition("passes, by tests")[2].splitlines() if line.startswith("| ")]
    listed = " ".join(cells).partition(", with windows")[0].replace(",", " ").split()
    assert sorted(listed) == sorted({name.split()[0] for name in ARCHITECTURES})


def test_batches_of_one_shape() -> None:
    """Where a device wants it, every batch has as many tokens as the budget, and so have halves, with half of it."""
    from harness.models import packed_batches

    ids = texts(30, 50, 20, 10, 120)
    cut = packed_batches.cut(ids, np.arange(5), budget=64, same_shape=True)
    assert [batch.positions.tolist() for batch in cut] == [[4], [1], [0, 2, 3]]
    assert [batch.tokens_padded for batch in cut] == [120, 64, 64]  # the longest alone, as it is
    assert cut[0].halves is None
    assert cut[2].halves is not None
    assert [half.positions.tolist() for half in cut[2].halves()] == [[0], [2, 3]]
    assert [half.tokens_padded for half in cut[2].halves()] == [32, 32]


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("window", [None, 1, 4, 50])
@pytest.mark.parametrize("groups", [1, 2])
def test_one_call_asks_for_the_same_attention(
    causal: bool, window: int | None, groups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a GPU is asked for in one call, by the meaning that torch gives its arguments, is what a CPU computes."""
    pytest.importorskip("torch.nn.attention.varlen", reason="needs torch 2.10", exc_type=ImportError)
    import torch

    from harness.models import packed_attention

    def by_documentation(
        query: Any, key: Any, value: Any, bounds: Any, _: Any, longest: int, __: int, **asked: Any
    ) -> torch.Tensor:
        (left, right), rows = asked["window_size"], []
        assert asked["enable_gqa"] == (groups > 1)
        assert longest == max(LENGTHS)
        for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            distance = torch.arange(end - start)[:, None] - torch.arange(end - start)
            seen = (distance <= (left if left >= 0 else longest)) & (-distance <= (right if right >= 0 else longest))
            states = [
                each[start:end].repeat_interleave(query.shape[1] // each.shape[1], dim=1).transpose(0, 1)
                for each in (query, key, value)
            ]
            scores = (states[0] @ states[1].transpose(1, 2) * asked["scale"]).masked_fill(~seen, -torch.inf)
            rows.append((scores.softmax(dim=-1) @ states[2]).transpose(0, 1))
        return torch.cat(rows)

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", by_documentation)
    monkeypatch.setattr(packed_attention, "_unsplit", lambda device, dtype: {})
    torch.manual_seed(1)
    tokens = sum(LENGTHS)
    query, key, value = (torch.randn(tokens, heads, 8) for heads in (4, 4 // groups, 4 // groups))
    bounds = torch.tensor([0, *np.cumsum(LENGTHS).tolist()], dtype=torch.int32)
    form = packed_attention.Form(causal, window, 0.3)
    at_once = packed_attention._in_one_call(query, key, value, bounds, longest=max(LENGTHS), form=form)
    by_length = packed_attention._by_length(query, key, value, LENGTHS, form)
    assert torch.allclose(at_once, by_length, atol=1e-6)
