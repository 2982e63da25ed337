"""Adapters over a model of the hub get the scores of the two merged into one model; needs the package peft."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import environment
from tests.tiny import save_sentence_transformer

pytest.importorskip("mteb", reason="the oracle is mteb")

TASKS = ("MiniSTSGerman", "MiniIntentsGerman", "MiniAnswersGerman")
RUN_BOTH = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper
import harness
from tests.oracle.mteb_runs import mteb_scores_of, task_of

folder = Path(sys.argv[1])
merged = SentenceTransformerEncoderWrapper(str(folder / "merged"), device="cpu")
for name in json.loads(sys.argv[2]):
    task = task_of(name, folder)
    [record] = harness.run("acme/above", [task], device="cpu", store="off", results=folder / "results")
    print(json.dumps([record.parts[task.parts[0]][task.main_metric], mteb_scores_of(merged, task)["main_score"],
                      record.harness["model"]["dependencies"]]))
"""


def test_an_adapter(localhub: ModuleType, tmp_path: Path) -> None:
    """The scores of a LoRA adapter are mteb's of the merged model, to 1e-5, and the record names the base's commit."""
    peft = pytest.importorskip("peft", reason="adapters need the package peft")
    import torch
    from safetensors.torch import load_file
    from sentence_transformers import SentenceTransformer

    root = tmp_path / "hub" / "models" / "acme"
    folder = str(save_sentence_transformer(tmp_path / "model"))
    base, adapted = (SentenceTransformer(folder, device="cpu") for _ in range(2))
    torch.manual_seed(3)
    adapted.add_adapter(peft.LoraConfig(r=4, lora_alpha=8, target_modules=["query", "value"], init_lora_weights=False))
    adapted.save(str(root / "above"), create_model_card=False)
    settings = root / "above" / "adapter_config.json"
    content = json.loads(settings.read_text(encoding="utf-8"))
    settings.write_text(json.dumps({**content, "base_model_name_or_path": "acme/below"}), encoding="utf-8")
    base[0].save(str(root / "below"))
    weights, adapter = base[0].auto_model.state_dict(), load_file(root / "above" / "adapter_model.safetensors")
    for name in [name for name in adapter if ".lora_A." in name]:
        key = name.removeprefix("base_model.model.").replace(".lora_A", "")
        weights[key] += 8 / 4 * adapter[name.replace("lora_A", "lora_B")] @ adapter[name]
    base.save(str(tmp_path / "merged"), create_model_card=False)
    with localhub.LocalHub(str(tmp_path / "hub")) as hub:
        done = subprocess.run(
            [sys.executable, "-c", RUN_BOTH, str(tmp_path), json.dumps(TASKS)],
            capture_output=True,
            text=True,
            env=environment(tmp_path, HF_ENDPOINT=hub.endpoint),
            cwd=tmp_path,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(rows) == len(TASKS)
    for found, expected, dependencies in rows:
        assert found == pytest.approx(expected, abs=1e-5)
        assert list(dependencies) == ["acme/below"]
