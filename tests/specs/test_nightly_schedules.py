"""The strictness of schedule files, and what their models stand for."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

import harness
from harness import models
from harness.errors import SpecError
from harness.nightly.engines import corpus_shards
from harness.nightly.schedule import init_files, schedule_check, schedule_file, schedule_models
from harness.nightly.schedule.night_plan import NightPlan, plan_night, tasks_of
from harness.runner.plan import plan
from harness.runner.request import Request, transforms
from harness.runner.selection import Selection
from tests import nights
from tests.tiny import save_cross_encoder, save_sentence_transformer

TEXT = """\
models: [baseline/hashing]
suites: [mini]
"""

ONE_DEFECT = {
    "unknown key": (TEXT + "baseline: [x]\n", ":3: unknown key 'baseline'; did you mean baselines?"),
    "no models": ("suites: [mini]\n", ":1: missing key 'models'"),
    "nothing to measure": ("models: [baseline/hashing]\n", ":1: neither suites nor tasks: nothing to measure"),
    "empty list": (TEXT.replace("[mini]", "[]"), ":2: suites: expected a list of suites, found an empty list"),
    "unknown precision": (TEXT + "precisions: [fp61]\n", "no precision named 'fp61'; did you mean fp16?"),
    "rescoring of floats": (TEXT + "rescore: [20]\n", ":3: rescore: ranks the best documents of a search in quantized"),
    "unknown number format": (TEXT + "quantize: [int4]\n", "no number format named 'int4'; did you mean int8?"),
    "no dimensions": (TEXT + "dims: [0]\n", ":3: dims: expected a whole number, 1 or more"),
    "unknown engine": (TEXT + "engine: rai\n", "no engine named 'rai'; did you mean ray?"),
    "key of the other engine": (
        TEXT + "engine: {kind: local, address: auto}\n",
        "address: belongs to the engine ray",
    ),
    "no time": (
        TEXT + "budget: {time: 8 hours}\n",
        ":3: budget.time: expected a time such as 90s, 30m, 8h or 1h30m",
    ),
    "no time at all": (TEXT + "budget: 0s\n", ":3: budget: expected a time such as"),
    "two of one": (
        TEXT.replace("[baseline/hashing]", "[{name: a, glob: b}]"),
        "models: expected one of name, glob and collection, found name, glob",
    ),
    "misspelt entry": (TEXT.replace("[baseline/hashing]", "[{nmae: a}]"), "unknown key 'nmae'; did you mean name?"),
    "moving baseline": (
        TEXT + "baselines: [org/name@main]\n",
        ":3: baselines: a baseline is pinned: name its commit",
    ),
    "glob as baseline": (
        TEXT + 'baselines: [{glob: "a/*"}]\n',
        ":3: baselines: a baseline is pinned: name one model",
    ),
    "two hooks in one": (
        TEXT + "notify: [{command: a, webhook: 'http://b'}]\n",
        "notify: expected either a command or a webhook",
    ),
    "one model with two prompts": (
        TEXT.replace("[baseline/hashing]", "[org/a, {name: org/a, like: org/b}]"),
        "'org/a' stands there with another `like`; give one of them a label",
    ),
    "no address": (
        TEXT + "notify: [{webhook: 'ftp://b'}]\n",
        "expected http(s)://... or $NAME, found the text 'ftp",
    ),
    "unknown occasion": (TEXT + "notify: [{command: a, when: alerts}]\n", "did you mean alert?"),
    "no branch": (
        TEXT + "publish: {git: {branch: --force}}\n",
        "publish.git.branch: expected the name of a branch",
    ),
    "a space without a site": (
        TEXT + "publish: {space: a/b}\n",
        "a Space shows the site, and there is no key `site`",
    ),
    "one folder in another": (TEXT + "site: results/site\n", "site: lies in the folder of results"),
    "one night": (TEXT + "keep: {nights: 1}\n", "keep.nights: expected a whole number, 2 or more"),
    "yes is no flag": (TEXT + "alerts: {regressions: yes}\n", "alerts.regressions: expected true or false"),
}


@pytest.mark.parametrize("name", ONE_DEFECT)
def test_one_defect(tmp_path: Path, name: str) -> None:
    """A schedule with one defect gets one message, with its line or key."""
    text, message = ONE_DEFECT[name]
    file = tmp_path / "nightly.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as raised:
        schedule_file.read(file)
    assert message in str(raised.value)
    assert len(raised.value.problems) == 1


def test_all_defects_at_once(tmp_path: Path) -> None:
    """Every defect is said, in the order of the file."""
    file = tmp_path / "nightly.yaml"
    file.write_text("models: []\nsuite: [mini]\nbudget: soon\n")
    with pytest.raises(SpecError) as raised:
        schedule_file.read(file)
    assert [problem.split(":")[1] for problem in raised.value.problems] == ["1", "1", "2", "3"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90.0), ("30m", 1800.0), ("8h", 28800.0), ("1h30m", 5400.0), ("0.5s", 0.5), ("", None), ("8", None)],
)
def test_times(text: str, seconds: float | None) -> None:
    """Hours, minutes and seconds, in this order."""
    assert schedule_file.seconds(text) == seconds


def test_a_whole_plan(tmp_path: Path) -> None:
    """Every key is read; paths are relative to the schedule."""
    schedule = nights.schedule_of(
        tmp_path,
        suites=["mini"],
        precisions=["fp32", "bf16"],
        results="r",
        site="s",
        history="h",
        engine={"kind": "ray", "address": "local", "timeout": "1m", "retries": 0, "gpus": 0.5, "shard_documents": 10},
        budget={"time": "2h"},
        alerts={"regressions": False, "recheck": 2},
        notify=[{"command": "true", "when": "always"}, {"webhook": "$URL", "timeout": "5s"}],
        publish={"git": {"branch": "b", "push": "origin"}, "dataset": "a/b", "space": "a/c", "private": True},
        keep={"nights": 9},
    )
    assert (schedule.results, schedule.site, schedule.history) == (tmp_path / "r", tmp_path / "s", tmp_path / "h")
    assert [entry.baseline for entry in schedule.models] == [False, True]
    assert (schedule.engine.kind, schedule.engine.timeout, schedule.engine.gpus, schedule.engine.retries) == (
        "ray",
        60.0,
        0.5,
        0,
    )
    assert (schedule.budget, schedule.keep, schedule.alerts.regressions, schedule.alerts.recheck) == (
        7200.0,
        9,
        False,
        2,
    )
    assert [(hook.command, hook.webhook, hook.when) for hook in schedule.notify] == [
        ("true", "", "always"),
        ("", "$URL", "alert"),
    ]
    assert schedule.publish == schedule_file.Publishing(
        branch="b", push="origin", dataset="a/b", space="a/c", private=True
    )


def test_ways_to_run_a_model(tmp_path: Path) -> None:
    """One model counts once for each way in which it runs: its backend, its file, its first stage."""
    ranker = str(save_cross_encoder(tmp_path / "ranker"))
    first = {"name": ranker, "first_stage": "baseline/bm25", "top": 5}
    schedule = nights.schedule_of(
        tmp_path, models=[ranker, first, dict(first), {"name": ranker, "backend": "onnx", "backend_file": "x.onnx"}]
    )
    with_stage, other = schedule.models[1], schedule.models[3]
    assert (with_stage.first_stage, with_stage.top, other.backend, other.backend_file) == (
        "baseline/bm25",
        5,
        "onnx",
        "x.onnx",
    )
    resolved = [found for found in schedule_models.resolve(schedule) if not found.entry.baseline]
    stages = [found.model.first_stage for found in resolved if found.model]
    assert [stage and (stage.model.name, stage.top) for stage in stages] == [None, ("baseline/bm25", 5)]
    assert ["is not run by --backend onnx" in found.problem for found in resolved] == [False, False, True]
    with pytest.raises(SpecError, match="top belongs to first_stage"):
        nights.schedule_of(tmp_path, models=[{"name": ranker, "top": 5}])


def test_the_prompts_of_another_model(tmp_path: Path) -> None:
    """`like` gives a model another one's prompts, as `harness run --like` does, and where a record was made with
    others, the night says so.
    """
    folder, other = nights.save_bag_of_words(tmp_path / "model", dimensions=4, words=["a", "b"]), "intfloat/e5-small-v2"
    harness.run(str(folder), ["MiniSTSEnglish"], like=other, results=tmp_path / "results")

    def planned(**keys: str) -> NightPlan:
        entry = {"name": "./model", **keys}
        schedule = nights.schedule_of(tmp_path, models=[entry], baselines=None, tasks=["MiniSTSEnglish"])
        return plan_night(schedule, schedule_models.resolve(schedule), tasks_of(schedule), now=0.0)

    assert planned(like=other).todo == ()
    (cell,) = planned().todo
    assert cell.why == f"recorded with the prompts of {other} (--like), now its own (no --like)"
    (cell,) = planned(like="BAAI/bge-small-en-v1.5").todo
    assert cell.why.endswith("now those of BAAI/bge-small-en-v1.5 (--like)")
    unknown = nights.schedule_of(tmp_path, models=[{"name": "./model", "like": "intfloat/e6"}])
    assert "intfloat/e6" in schedule_check.problems(unknown, schedule_models.resolve(unknown))[0]


def test_a_folder_as_first_stage(tmp_path: Path) -> None:
    """A folder beside the schedule may be the first stage, under the name that it has in the records of a run."""
    save_cross_encoder(tmp_path / "ranker")
    for folder in ("a", "b"):
        nights.save_bag_of_words(tmp_path / folder / "final", dimensions=4, words=["x"], seed=len(folder))
    entry = {"name": "./ranker", "first_stage": "b/final", "top": 5}
    schedule = nights.schedule_of(tmp_path, models=["a/final", "b/final", entry], baselines=None)
    resolved = schedule_models.resolve(schedule)
    assert [found.problem for found in resolved] == ["", "", ""]
    (stage,) = [found.model.first_stage for found in resolved if found.model and found.model.first_stage]
    names = {found.model.location: found.model.name for found in resolved if found.model}
    assert stage.model.name == names[str(tmp_path / "b" / "final")] == "b/final"
    assert stage.model.place


def test_compressed_vectors(tmp_path: Path) -> None:
    """Dimensions, quantization and rescoring are planned as `harness run` plans them, for models that have vectors.

    What ranks documents by itself is measured plainly, tasks without a search are not rescored, and a corpus of
    compressed vectors is not cut into shards.
    """
    folder = str(nights.save_bag_of_words(tmp_path / "mine", dimensions=4, words=["a"]))
    tasks = ["MiniSTSEnglish", "MiniAnswersEnglish"]
    settings = {"dims": [2], "quantize": ["int8"], "rescore": [5]}
    schedule = nights.schedule_of(tmp_path, models=[folder], tasks=tasks, **settings)
    cells = plan_night(schedule, schedule_models.resolve(schedule), tasks_of(schedule), now=time.time()).todo
    request = Request(
        models=(folder,),
        selection=Selection(tasks=tuple(tasks)),
        transforms=transforms([2], ["int8"], [5]),
        results=schedule.results,
    )
    variants = [(cell.task.name, cell.variant, cell.fingerprint) for cell in plan(request).todo]
    assert [
        (cell.task.name, cell.variant, cell.fingerprint) for cell in cells if cell.label != "baseline/bm25"
    ] == variants
    assert len(variants) == 4 + 6
    assert [(cell.task.name, cell.variant) for cell in cells if cell.label == "baseline/bm25"] == [(tasks[1], "")]
    sharded = {cell.variant for cell in cells if corpus_shards.cut(cell, 10)}
    assert sharded == {""}


def test_more_dimensions_than_a_model_has(tmp_path: Path) -> None:
    """They are a problem of that model, told before the night; the others are measured."""
    save_sentence_transformer(tmp_path / "small")
    nights.save_bag_of_words(tmp_path / "large", dimensions=16, words=["a"])
    schedule = nights.schedule_of(tmp_path, models=["./small", "./large"], baselines=None, dims=[9999])
    night = plan_night(schedule, schedule_models.resolve(schedule), tasks_of(schedule), now=time.time())
    [small] = night.problems
    assert small.problem.startswith("model local/small: --dims 9999: its vectors have ")
    [told] = schedule_check.problems(schedule, schedule_models.resolve(schedule))
    assert told == f"local/small: {small.problem}"
    assert {(cell.label, cell.variant) for cell in night.todo} == {("local/large", ""), ("local/large", "dims=9999")}


def test_the_starter_is_a_plan(tmp_path: Path) -> None:
    """What `init` writes can be carried out as it is, and nothing is replaced without --force."""
    written = init_files.write(tmp_path / "mine.yaml", force=False)
    schedule = schedule_file.read(written[0])
    assert schedule.suites == ("mini",)
    assert len(schedule.models) == 3
    for path in written[1:]:
        assert "mine" in path.read_text()
        assert "$schedule" not in path.read_text()
    with pytest.raises(Exception, match="exists already"):
        init_files.write(tmp_path / "mine.yaml", force=False)
    assert init_files.write(tmp_path / "mine.yaml", force=True) == written


def test_suites_and_tasks_together(tmp_path: Path) -> None:
    """A task that a suite holds too counts once."""
    schedule = nights.schedule_of(tmp_path, suites=["mini"], tasks=["MiniSTSEnglish"])
    assert len(tasks_of(schedule)) == 15


# --- models ----------------------------------------------------------------------------------------------------------


def test_globs(tmp_path: Path) -> None:
    """A glob is every saved model that fits, in the order of their numbers; other folders are none."""
    for name in ("step-100", "step-20", "notes"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        if name != "notes":
            nights.save_bag_of_words(tmp_path / "runs" / name, dimensions=4, words=[name])
    schedule = nights.schedule_of(tmp_path, models=[{"glob": "runs/*"}], baselines=None)
    found = schedule_models.resolve(schedule)
    assert [entry.label for entry in found] == ["local/step-20", "local/step-100"]
    assert all(entry.model and entry.model.origin == "folder" for entry in found)
    empty = nights.schedule_of(tmp_path, models=[{"glob": "none/*"}], baselines=None)
    [problem] = [entry.problem for entry in schedule_models.resolve(empty)]
    assert "no saved model fits the glob 'none/*'" in problem


def test_folders_are_digested_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are read again only when a file has changed; a changed file is another revision."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    folder = nights.save_bag_of_words(tmp_path / "m", dimensions=4, words=["a"])
    old = time.time() - 100
    for path in folder.rglob("*"):
        os.utime(path, (old, old))
    schedule = nights.schedule_of(tmp_path, models=["./m"], baselines=None)
    [first] = schedule_models.resolve(schedule)
    with monkeypatch.context() as patched:
        patched.setattr(models, "resolve", lambda *args, **options: pytest.fail("the folder was digested again"))
        [again] = schedule_models.resolve(schedule)
    assert again.model == first.model
    nights.save_bag_of_words(folder, dimensions=4, words=["a"], seed=1)
    [changed] = schedule_models.resolve(schedule)
    assert changed.model is not None
    assert first.model is not None
    assert (changed.model.name, changed.model.revision != first.model.revision) == (first.model.name, True)


def test_two_models_of_one_name(tmp_path: Path) -> None:
    """Folders of the same name keep apart: they go by the ends of their paths."""
    for run in ("a", "b"):
        nights.save_bag_of_words(tmp_path / run / "last", dimensions=4, words=[run])
    schedule = nights.schedule_of(tmp_path, models=["./a/last", "./b/last"], baselines=None)
    labels = [entry.label for entry in schedule_models.resolve(schedule)]
    assert labels == ["a/last", "b/last"]


def test_a_model_without_room_and_a_baseline_in_every_precision(tmp_path: Path) -> None:
    """A model whose maximum length exceeds its positions is a problem of its own and not of the night; a baseline, with
    its one precision, is measured once whatever the precisions of the schedule are.
    """
    folder = tmp_path / "long"
    folder.mkdir()
    for name, content in {
        "config.json": {"model_type": "bert", "max_position_embeddings": 512},
        "modules.json": [{"path": "", "type": "sentence_transformers.models.Transformer"}],
        "sentence_bert_config.json": {"max_seq_length": 513},
        "tokenizer.json": {},
    }.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "model.safetensors").write_bytes(b"")
    schedule = nights.schedule_of(
        tmp_path,
        models=["./long", "baseline/hashing"],
        baselines=None,
        tasks=["MiniSTSEnglish"],
        precisions=["fp16", "bf16"],
    )
    night = plan_night(schedule, schedule_models.resolve(schedule), tasks_of(schedule), now=time.time())
    assert [problem.label for problem in night.problems] == ["local/long"]
    assert "run it with --max-length 512" in night.problems[0].problem
    assert [(cell.label, cell.variant) for cell in night.todo] == [("baseline/hashing", "")]


def test_check_says_everything(tmp_path: Path) -> None:
    """One bad model, one bad task, a webhook without address: three problems, nothing computed."""
    schedule = nights.schedule_of(
        tmp_path,
        models=["baseline/hsahing"],
        tasks=["MiniSTSEnglisch"],
        notify=[{"webhook": "$NOT_SET_ANYWHERE"}],
    )
    found = schedule_check.problems(schedule, schedule_models.resolve(schedule))
    assert len(found) == 3
    assert "did you mean baseline/hashing or" in found[0]
    assert "did you mean MiniSTSEnglish" in found[1]
    assert "NOT_SET_ANYWHERE" in found[2]
