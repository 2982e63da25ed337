"""Tiny models under the names of well-known ones, from a local hub: vectors equal those of mteb's own loaders.

mteb opens each by its registry entry, with its instructions, maximum length and end token; the harness opens it by
name. Both see nothing but the local hub.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from harness import encoding, models
from harness.runner import selection
from harness.tasks import registry
from harness.types import EncodeOptions, Role, Texts
from tests import in_process
from tests.conftest import environment
from tests.tiny import save_sentence_transformer

ENCODERS = {
    "sentence-transformers/all-MiniLM-L12-v2": "bert",
    "intfloat/multilingual-e5-small": "xlm-roberta",
    "intfloat/multilingual-e5-large-instruct": "xlm-roberta",
    "WhereIsAI/UAE-Large-V1": "bert",
    "SamilPwC-AXNode-GenAI/PwC-Embedding_expr": "xlm-roberta",
}
DECODERS = {
    "Qwen/Qwen3-Embedding-0.6B": "qwen3",
    "codefuse-ai/F2LLM-0.6B": "qwen3",
    "HIT-TMG/KaLM-embedding-multilingual-mini-instruct-v1": "qwen2",
    "GritLM/GritLM-7B": "mistral",
    "intfloat/e5-mistral-7b-instruct": "mistral",
}
CASES: list[tuple[str, Role | None]] = [
    ("STSBenchmark", None),
    ("Banking77Classification", None),
    ("TwentyNewsgroupsClustering", None),
    ("SprintDuplicateQuestions", None),
    ("SciFact", "query"),
    ("SciFact", "document"),
    ("AskUbuntuDupQuestions", "query"),
    ("AskUbuntuDupQuestions", "document"),
]
"""A task of each type, and the role of the texts."""
HALF = {"intfloat/multilingual-e5-large-instruct", "intfloat/e5-mistral-7b-instruct"}
"""Models that mteb's loader opens in half precision."""
TEXTS = ["a cat sleeps", "the cat is asleep on the sofa", "shares fell by 3 percent", "x", "one two three " * 9]


def save_decoder(folder: Path, kind: str, *, plain: bool = False) -> Path:
    """A small decoder with the byte-level tokenizer of such models.

    It pools its last token; or is `plain`, as a language model that can say `yes` and `no`.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(["<pad>", "<s>", "</s>", *alphabet, "yes", "no"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", model_max_length=256
    )
    torch.manual_seed(7)
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=512,
        pad_token_id=0,
        initializer_range=0.2,
    )
    if plain:
        AutoModelForCausalLM.from_config(config).eval().save_pretrained(folder)
        fast.save_pretrained(folder)
        return folder
    bare = folder.with_name(f"{folder.name}-plain")
    AutoModel.from_config(config).eval().save_pretrained(bare)
    fast.save_pretrained(bare)
    decoder = Transformer(str(bare), max_seq_length=256)
    modules = [decoder, Pooling(decoder.get_embedding_dimension(), pooling_mode="lasttoken"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)
    return folder


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with a tiny model under each name."""
    root = tmp_path_factory.mktemp("stand_ins")
    for name, kind in ENCODERS.items():
        folder = root / "models" / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        save_sentence_transformer(folder, kind=kind, pooling="cls" if kind == "bert" else "mean", normalize=True)
    for name, kind in DECODERS.items():
        folder = root / "models" / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        save_decoder(folder, kind)
    return root


def test_vectors_equal_those_of_mtebs_loaders(stand_ins: Path, localhub: ModuleType, tmp_path: Path) -> None:
    """In each task type and role, to 1e-5: in fp32 as stored, and in fp16 where mteb's loader asks for that."""
    import mteb
    from datasets import Dataset
    from mteb.models.model_implementations import MODEL_REGISTRY
    from mteb.types import PromptType
    from torch.utils.data import DataLoader

    instructed = set()
    with (
        localhub.LocalHub(str(stand_ins)) as hub,
        in_process.environment_of(environment(tmp_path, HF_ENDPOINT=hub.endpoint), folder=tmp_path),
    ):
        for name in (*ENCODERS, *DECODERS):
            meta = MODEL_REGISTRY[name]
            loaded = meta.load_model(device="cpu")
            encoder = models.open_model(
                models.resolve(f"{name}@{meta.revision}"), EncodeOptions(device="cpu", precision="checkpoint")
            )
            assert encoder.facts.precision == ("fp16" if name in HALF else "fp32")
            for task, role in CASES:
                spec = selection.find(registry.get_tasks(), task)
                theirs = loaded.encode(
                    DataLoader(Dataset.from_dict({"text": TEXTS}), batch_size=32),
                    task_metadata=mteb.get_task(task).metadata,
                    hf_split="test",
                    hf_subset="default",
                    prompt_type=PromptType(role) if role else None,
                    show_progress_bar=False,
                )
                texts = Texts(items=TEXTS, role=role)
                prompt = encoding.prompt_for(encoder.facts.prompts, spec, texts, part=spec.parts[0])
                ours = encoding.encode(encoder, texts, prompt=prompt, batching="mteb").vectors
                difference = np.abs(ours - np.asarray(theirs, dtype=np.float32)).max()
                assert difference <= 1e-5 * np.abs(theirs).max(), (name, task, role)
                if prompt.text and "Retrieve semantically similar text" in prompt.text:
                    instructed.add(name)
            encoder.close()
    assert instructed == {
        "intfloat/multilingual-e5-large-instruct",
        "SamilPwC-AXNode-GenAI/PwC-Embedding_expr",
        "Qwen/Qwen3-Embedding-0.6B",
        "codefuse-ai/F2LLM-0.6B",
        "GritLM/GritLM-7B",
        "intfloat/e5-mistral-7b-instruct",
    }
