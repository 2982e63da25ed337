"""Tiny models under the names of well-known ones, from a local hub: vectors equal those of mteb's own loaders.

mteb opens each by its registry entry, with its instructions, maximum length and end token; the harness opens it by
name. Both run in one process that sees nothing but the local hub.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

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
CASES = [
    ("STSBenchmark", "STS", None),
    ("Banking77Classification", "Classification", None),
    ("TwentyNewsgroupsClustering", "Clustering", None),
    ("SprintDuplicateQuestions", "PairClassification", None),
    ("SciFact", "Retrieval", "query"),
    ("SciFact", "Retrieval", "document"),
    ("AskUbuntuDupQuestions", "Reranking", "query"),
    ("AskUbuntuDupQuestions", "Reranking", "document"),
]
COMPARE = """
import json, logging, sys, warnings
warnings.simplefilter("ignore"); logging.disable(50)
import numpy as np
from datasets import Dataset
from torch.utils.data import DataLoader
from mteb.get_tasks import get_task
from mteb.models.model_implementations import MODEL_REGISTRY
from mteb.types import PromptType
from harness import encoding, models
from harness.runner.selection import find
from harness.tasks import registry
from harness.types import EncodeOptions, Texts

names, cases = json.loads(sys.argv[1])
texts = ["a cat sleeps", "the cat is asleep on the sofa", "shares fell by 3 percent", "x", "one two three " * 9]
for name in names:
    meta = MODEL_REGISTRY[name]
    loaded = meta.load_model(device="cpu")
    model = models.resolve(f"{name}@{meta.revision}")
    encoder = models.open_model(model, EncodeOptions(device="cpu", precision=sys.argv[2]))
    for task, type_, role in cases:
        spec = find(registry.get_tasks(), task)
        theirs = loaded.encode(
            DataLoader(Dataset.from_dict({"text": texts}), batch_size=32), task_metadata=get_task(task).metadata,
            hf_split="test", hf_subset="default", prompt_type=PromptType(role) if role else None,
            show_progress_bar=False,
        )
        asked = Texts(items=texts, role=role)
        prompt = encoding.prompt_for(encoder.facts.prompts, spec, asked, part=spec.parts[0])
        ours = encoding.encode(encoder, asked, prompt=prompt, batching="mteb").vectors
        theirs = np.asarray(theirs, dtype=np.float32)
        difference, largest = float(np.abs(ours - theirs).max()), float(np.abs(theirs).max())
        print(json.dumps([name, task, role, difference, largest, prompt.text, encoder.facts.precision]))
    encoder.close()
"""


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
    with localhub.LocalHub(str(stand_ins)) as hub:
        done = subprocess.run(
            [sys.executable, "-c", COMPARE, json.dumps([[*ENCODERS, *DECODERS], CASES]), "checkpoint"],
            capture_output=True,
            text=True,
            env=environment(tmp_path, HF_ENDPOINT=hub.endpoint),
            cwd=tmp_path,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(rows) == (len(ENCODERS) + len(DECODERS)) * len(CASES)
    assert [row for row in rows if row[3] > 1e-5 * row[4]] == []
    half = {"intfloat/multilingual-e5-large-instruct", "intfloat/e5-mistral-7b-instruct"}
    assert {row[0] for row in rows if row[6] == "fp16"} == half
    instructed = {row[0] for row in rows if row[5] and "Retrieve semantically similar text" in row[5]}
    assert instructed == {
        "intfloat/multilingual-e5-large-instruct",
        "SamilPwC-AXNode-GenAI/PwC-Embedding_expr",
        "Qwen/Qwen3-Embedding-0.6B",
        "codefuse-ai/F2LLM-0.6B",
        "GritLM/GritLM-7B",
        "intfloat/e5-mistral-7b-instruct",
    }
