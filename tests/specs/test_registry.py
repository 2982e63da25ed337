"""The strictness of task and suite files, the look-up of names and the choice of parts."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from harness.errors import SpecError, UnknownName
from harness.evaluators import KINDS
from harness.tasks import registry, settings, strict_yaml
from harness.tasks.task_file import plain
from harness.types import Part

ROOT = Path(__file__).parents[2]

# One line a key, so that a defect's line is easy to see.
STS = """\
name: Demo
type: STS
description: A demonstration.
source: {kind: hub, path: org/demo, revision: 0123456789abcdef0123456789abcdef01234567}
splits: [test, validation]
subsets:
  de: [deu-Latn]
  no: [nob-Latn, nno-Latn]
main_metric: cosine_spearman
"""
CLUSTERING = STS.replace("STS", "Clustering").replace("cosine_spearman", "v_measure")
RETRIEVAL = STS.replace("STS", "Retrieval").replace("cosine_spearman", "ndcg_at_10")
CLASSIFICATION = STS.replace("STS", "Classification").replace("cosine_spearman", "accuracy")

ONE_DEFECT = {
    "unknown key": (
        STS + "main_metrik: pearson\n",
        ":10: unknown key 'main_metrik'; did you mean main_metric?",
    ),
    "misspelt required key": (
        STS.replace("splits:", "split:"),
        ":5: unknown key 'split'; did you mean splits or merge_splits?",
    ),
    "key like no other": (
        STS.replace("{kind:", "{zzz: 1, kind:"),
        ":4: source: unknown key 'zzz'; known keys: kind, path, revision",
    ),
    "missing key": (
        STS.replace("main_metric: cosine_spearman\n", ""),
        ":1: missing key 'main_metric'",
    ),
    "key given twice": (
        STS + "name: Demo\n",
        ":10: name: given twice, first on line 1",
    ),
    "subset given twice": (
        STS.replace("  no:", "  de:"),
        ":8: subsets.de: given twice, first on line 7",
    ),
    "unknown type": (
        STS.replace("type: STS", "type: Clasification"),
        ":2: type: no task type named 'Clasification'; "
        "did you mean Classification or PairClassification or MultilabelClassification?",
    ),
    "unknown metric": (
        STS.replace("cosine_spearman", "cosine_spearmann"),
        ":9: main_metric: no STS metric named 'cosine_spearmann'; "
        "did you mean cosine_spearman or cosine_pearson or spearman?",
    ),
    "metric of another type": (
        CLUSTERING.replace("v_measure", "accuracy"),
        ":9: main_metric: no Clustering metric named 'accuracy'; known: v_measure, ami",
    ),
    "metric of the other clustering method": (
        CLUSTERING.replace("v_measure", "ami") + "settings: {method: legacy}\n",
        ":9: main_metric: no Clustering metric named 'ami'; known: v_measure",
    ),
    "metric at a k that is not computed": (
        RETRIEVAL + "settings: {k_values: [1, 5]}\n",
        ":9: main_metric: no Retrieval metric named 'ndcg_at_10'; did you mean ndcg_at_1 or ndcg_at_5?",
    ),
    "layout that does not exist": (
        RETRIEVAL.replace("{kind:", "{layout: squad, kind:"),
        ":4: source.layout: no layout named 'squad'; known: dpr",
    ),
    "layout of a search problem elsewhere": (
        STS.replace("{kind:", "{layout: dpr, kind:"),
        ":4: source: unknown key 'layout'; known keys: kind, path, revision",
    ),
    "judgements elsewhere without revision": (
        RETRIEVAL.replace("{kind:", "{qrels: {path: org/demo-qrels}, kind:"),
        ":4: source.qrels: missing key 'revision'",
    ),
    "list where text belongs": (
        STS.replace("A demonstration.", "[A, demonstration]"),
        ":3: description: expected text, found a list",
    ),
    "nothing where text belongs": (
        STS.replace(" A demonstration.", ""),
        ":3: description: expected text, found nothing",
    ),
    "null where text belongs": (
        STS + "license: null\n",
        ":10: license: expected text, found null",
    ),
    "text where a list belongs": (
        STS.replace("[test, validation]", "test"),
        ":5: splits: expected a list of split names, found 'test'",
    ),
    "empty list": (
        STS.replace("[test, validation]", "[]"),
        ":5: splits: expected a list of split names, found an empty list",
    ),
    "split named twice": (
        STS.replace("[test, validation]", "[test, test]"),
        ":5: splits: 'test' is listed twice",
    ),
    "text where a mapping belongs": (
        STS.replace("\n  de: [deu-Latn]\n  no: [nob-Latn, nno-Latn]", " [deu-Latn]"),
        ":6: subsets: expected a mapping of subset: [languages], found a list",
    ),
    "bad language": (
        STS.replace("deu-Latn", "de"),
        ":7: subsets.de: expected a language such as deu-Latn (ISO 639-3 code and script), found 'de'",
    ),
    "languages that are not those of the subsets": (
        STS + "languages: [deu-Latn]\n",
        ":10: languages: expected the languages of the subsets (deu-Latn, nno-Latn, nob-Latn); the key can be left out",
    ),
    "hub source without revision": (
        STS.replace(", revision: 0123456789abcdef0123456789abcdef01234567", ""),
        ":4: source: missing key 'revision'",
    ),
    "branch as revision": (
        STS.replace("0123456789abcdef0123456789abcdef01234567", "main"),
        ":4: source.revision: expected a commit (40 hexadecimal digits; a branch or tag can move), found 'main'",
    ),
    "bad hub path": (
        STS.replace("org/demo", "https://huggingface.co/org/demo"),
        ":4: source.path: expected a data set of the hub such as mteb/scifact, found 'https://huggingface.co/org/demo'",
    ),
    "unknown source kind": (
        STS.replace("kind: hub", "kind: hubb"),
        ":4: source.kind: no source kind named 'hubb'; did you mean hub?",
    ),
    "local source with a revision": (
        STS.replace("kind: hub", "kind: local"),
        ":4: source: unknown key 'revision'; known keys: kind, path",
    ),
    "local path above the file": (
        STS.replace(
            "hub, path: org/demo, revision: 0123456789abcdef0123456789abcdef01234567", "local, path: a/../../b"
        ),
        ":4: source.path: expected a path below the task file's own folder, written with /, found 'a/../../b'",
    ),
    "absolute local path": (
        STS.replace("hub, path: org/demo, revision: 0123456789abcdef0123456789abcdef01234567", "local, path: /data"),
        ":4: source.path: expected a path below the task file's own folder, written with /, found '/data'",
    ),
    "absolute local path on Windows": (
        STS.replace("hub, path: org/demo, revision: 0123456789abcdef0123456789abcdef01234567", "local, path: 'C:data'"),
        ":4: source.path: expected a path below the task file's own folder, written with /, found the text 'C:data'",
    ),
    "name that is not the file's": (
        STS.replace("name: Demo", "name: Other"),
        ":1: name: 'Other' differs from the file's name 'Demo.yaml'; they must agree",
    ),
    "name that is no file name": (
        STS.replace("name: Demo", "name: ../Demo"),
        ":1: name: expected letters, digits and . _ + - (at most 100, no dot at the end), found '../Demo'",
    ),
    "unknown setting": (
        CLASSIFICATION + "settings: {sample_per_label: 8}\n",
        ":10: settings: unknown key 'sample_per_label'; did you mean samples_per_label?",
    ),
    "setting of a type without settings": (
        STS.replace("STS", "PairClassification").replace("cosine_spearman", "max_ap") + "settings: {seed: 1}\n",
        ":10: settings: unknown key 'seed'; known keys: none",
    ),
    "negative setting": (
        CLASSIFICATION + "settings:\n  samples_per_label: -8\n",
        ":11: settings.samples_per_label: expected a whole number, 1 or more, found '-8'",
    ),
    "number in quotes": (
        CLASSIFICATION + "settings: {samples_per_label: '8'}\n",
        ":10: settings.samples_per_label: expected a whole number, 1 or more, found the text '8'",
    ),
    "fraction where a whole number belongs": (
        CLASSIFICATION + "settings: {max_iter: 1e2}\n",
        ":10: settings.max_iter: expected a whole number, 1 or more, found '1e2'",
    ),
    "seed out of range": (
        CLASSIFICATION + "settings: {seed: 4294967296}\n",
        ":10: settings.seed: expected a whole number from 0 to 4294967295, found '4294967296'",
    ),
    "number out of range": (
        CLUSTERING + "settings: {max_fraction_of_documents_to_embed: 1.5}\n",
        ":10: settings.max_fraction_of_documents_to_embed: expected a number above 0 and at most 1, found '1.5'",
    ),
    "infinite number": (
        STS + "settings: {max_score: 1e999}\n",
        ":10: settings.max_score: expected a number, found '1e999'",
    ),
    "yes for a flag": (
        RETRIEVAL + "settings: {skip_first_result: yes}\n",
        ":10: settings.skip_first_result: expected true or false, found 'yes'",
    ),
    "unknown clustering method": (
        CLUSTERING + "settings: {method: v1}\n",
        ":10: settings.method: no clustering method named 'v1'; known: v2, legacy",
    ),
    "setting without effect": (
        CLUSTERING + "settings: {method: legacy, n_clusters: 5}\n",
        ":10: settings.n_clusters: has no effect with method legacy; remove it",
    ),
    "two limits on clustering": (
        CLUSTERING + "settings: {max_document_to_embed: 1000}\n",
        ":10: settings.max_document_to_embed: "
        "max_fraction_of_documents_to_embed is 0.04; set it to null: only one limit is allowed",
    ),
    "score range upside down": (
        STS + "settings: {min_score: 5, max_score: 1}\n",
        ":10: settings: min_score (5) must be below max_score (1)",
    ),
    "k out of order": (
        RETRIEVAL + "settings: {k_values: [10, 1]}\n",
        ":10: settings.k_values: expected ascending numbers, none of them twice",
    ),
    "unknown column field": (
        STS + "columns: {lft: a}\n",
        ":10: columns: unknown key 'lft'; did you mean left?",
    ),
    "columns of a type without columns": (
        RETRIEVAL + "columns: {text: body}\n",
        ":10: columns: unknown key 'text'; known keys: none",
    ),
    "merged split that is not scored": (
        STS + "merge_splits: {tests: [train, test]}\n",
        ":10: merge_splits.tests: no split named 'tests'; did you mean test?",
    ),
    "prompt for an unknown role": (
        RETRIEVAL + "prompt: {querry: Find it}\n",
        ":10: prompt: unknown key 'querry'; did you mean query?",
    ),
    "prompt for no role": (
        RETRIEVAL + "prompt: {}\n",
        ":10: prompt: expected a text, or a mapping with query, document or both",
    ),
    "tag": (
        STS.replace("A demonstration.", "!!python/name:os.system x"),
        ":3: description: tags such as tag:yaml.org,2002:python/name:os.system are not allowed; write the plain value",
    ),
    "alias": (
        STS.replace("[deu-Latn]", "&a [deu-Latn]").replace("[nob-Latn, nno-Latn]", "*a"),
        ":8: *a: aliases are not allowed; write the value out",
    ),
    "second document": (
        STS + "---\nname: Demo\n",
        ":10: a second document begins here; a file holds one task or suite",
    ),
    "key that is a list": (
        STS + "? [a, b]\n: c\n",
        ":10: a key must be text",
    ),
    "nesting": (
        STS + "prompt: " + "[" * 100_000 + "\n",
        ":10: nested more than 8 levels deep",
    ),
    "control character": (
        STS.replace("A demonstration.", "A demon\x07stration."),
        ":3: control character U+0007; remove it",
    ),
    "line break in a name": (
        STS.replace("[test, validation]", '["te\\nst"]'),
        ":5: splits: expected one line of printable text without spaces around it, found the text 'te\\nst'",
    ),
    "list at the top": (
        "- a\n- b\n",
        ":1: expected a mapping, found a list",
    ),
    "empty file": (
        "# nothing\n",
        ":1: the file is empty",
    ),
}


def _written(folder: Path, text: str, name: str = "Demo.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _suite(folder: Path, text: str) -> registry.Registry:
    """A registry with the task Demo and a suite of this text."""
    _written(folder, STS)
    _written(folder / "suites", text, "pack.yaml")
    return registry.get_tasks([folder])


@pytest.mark.parametrize(("text", "message"), ONE_DEFECT.values(), ids=list(ONE_DEFECT))
def test_one_defect_is_reported_once_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """A file with one defect gives exactly one message, which names the file, the line and the remedy."""
    path = _written(tmp_path, text)
    with pytest.raises(SpecError) as caught:
        registry.load_file(path)
    assert str(caught.value) == f"{path}{message}"


@pytest.mark.parametrize("text", [STS, CLUSTERING, RETRIEVAL, CLASSIFICATION], ids=lambda text: text.split()[3])
def test_the_fixtures_without_their_defect_are_valid(tmp_path: Path, text: str) -> None:
    """What the broken fixtures were made from loads, so each of their messages is due to the one change."""
    assert registry.load_file(_written(tmp_path, text)).name == "Demo"


def test_two_defects_are_reported_together_in_file_order(tmp_path: Path) -> None:
    """All problems of a file come in one error, sorted by line, whatever order they were found in."""
    text = STS.replace("cosine_spearman", "cosine") + "settings: {max_score: high}\n"
    path = _written(tmp_path, text.replace("name: Demo", "nam: Demo"))
    with pytest.raises(SpecError) as caught:
        registry.load_file(path)
    assert [problem.split(": ")[:2] for problem in caught.value.problems] == [
        [":1", "unknown key 'nam'; did you mean name?"],
        [":9", "main_metric"],
        [":10", "settings.max_score"],
    ]
    assert str(caught.value).splitlines()[0] == f"{path}:1: unknown key 'nam'; did you mean name?"


def test_yaml_words_and_numbers_stay_text_where_text_is_meant(tmp_path: Path) -> None:
    """`no`, digits and dates are a subset, a commit and a split, not a boolean, an integer and a date."""
    digits = "1" * 40
    text = STS.replace("0123456789abcdef0123456789abcdef01234567", digits).replace("validation", "2024-01-01")
    task = registry.load_file(_written(tmp_path, text.replace("  de:", "  1e3:")))
    assert task.source.revision == digits
    assert list(task.subsets) == ["1e3", "no"]
    assert task.splits == ("test", "2024-01-01")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"name: D\xe9mo\n", ":1: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (b"name: Demo\n# " + b"x" * 1024 * 1024, ":1: larger than 1,048,576 bytes, which no task or suite needs"),
    ],
)
def test_files_that_are_no_text_are_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    """Wrong encoding and absurd size are one clear message, not an exception of the parser."""
    path = tmp_path / "Demo.yaml"
    path.write_bytes(raw)
    with pytest.raises(SpecError) as caught:
        registry.load_file(path)
    assert str(caught.value) == f"{path}{message}"


def test_a_syntax_error_names_its_line(tmp_path: Path) -> None:
    """What the YAML parser refuses is reported with the line where it stopped."""
    path = _written(tmp_path, STS.replace("[test, validation]", "[test, validation"))
    with pytest.raises(SpecError, match=r"Demo\.yaml:6: not valid YAML: while parsing a flow sequence: "):
        registry.load_file(path)


def test_a_missing_file_is_a_spec_error(tmp_path: Path) -> None:
    """A path that cannot be opened is the user's problem, told as such."""
    with pytest.raises(SpecError, match=r"Demo\.yaml: cannot be read: No such file"):
        registry.load_file(tmp_path / "Demo.yaml")


def test_a_yml_file_is_reported_not_overlooked(tmp_path: Path) -> None:
    """A spec with the other customary ending is found and its owner told to rename it."""
    _written(tmp_path, STS, "Demo.yml")
    with pytest.raises(SpecError, match=r"Demo\.yml:1: name: the file must be called Demo\.yaml"):
        registry.get_tasks([tmp_path]).get("Demo")


def test_defaults_are_filled_in(tmp_path: Path) -> None:
    """Columns and settings that are not written are those of the type; written ones replace only themselves."""
    text = CLASSIFICATION + "columns: {label: intent}\nsettings: {samples_per_label: 16}\n"
    task = registry.load_file(_written(tmp_path, text))
    assert task.columns == {"text": "text", "label": "intent"}
    assert (task.settings.samples_per_label, task.settings.n_experiments) == (16, 10)  # type: ignore[union-attr]
    assert (task.prompt, task.license, task.merge_splits) == (None, None, {})


def test_a_train_split_can_be_merged(tmp_path: Path) -> None:
    """`merge_splits` may also make the split that classifiers are trained on, although it is not scored."""
    text = CLASSIFICATION + "merge_splits: {train: [train, unlabelled]}\n"
    assert registry.load_file(_written(tmp_path, text)).merge_splits == {"train": ("train", "unlabelled")}


@pytest.mark.parametrize("type_", KINDS)
def test_every_setting_can_be_read(type_: str, tmp_path: Path) -> None:
    """Each field of each settings class has a reader: its default, written out, is read back."""
    for field in dataclasses.fields(KINDS[type_].settings):
        file = tmp_path / f"{field.name}.yaml"
        file.write_text(yaml.safe_dump({field.name: plain(field.default)}))
        value = strict_yaml.read(file)
        read = settings._read(value.key(field.name), get_type_hints(KINDS[type_].settings)[field.name], field.metadata)
        assert (read, value.problems) == (field.default, [])


def test_unknown_names_come_with_suggestions() -> None:
    """A misspelt task or suite is answered with the nearest names."""
    tasks = registry.get_tasks()
    with pytest.raises(UnknownName, match="no task named 'STSBenchmrk'; did you mean STSBenchmark"):
        tasks.get("STSBenchmrk")
    with pytest.raises(UnknownName, match="no suite named 'minni'; did you mean mini"):
        tasks.suite("minni")


def test_a_broken_file_does_not_break_the_others(tmp_path: Path) -> None:
    """Another task still loads; `check` reports the broken one, by its file."""
    _written(tmp_path, STS)
    broken = _written(tmp_path / "deep" / "down", "name: [\n", "Broken.yaml")
    tasks = registry.get_tasks([tmp_path])
    assert tasks.get("Demo").type == "STS"
    assert "Broken" in tasks.names()
    assert [error.file for error in tasks.check()] == [str(broken)]


def test_one_name_in_two_places_names_both_files(tmp_path: Path) -> None:
    """A name that two files declare is refused when used, and by `check`; the message names both."""
    first, second = _written(tmp_path / "a", STS), _written(tmp_path / "b", STS)
    tasks = registry.get_tasks([tmp_path])
    with pytest.raises(SpecError) as caught:
        tasks.get("Demo")
    assert str(caught.value) == f"{first}: the task 'Demo' is also declared by {second}; rename one of them"
    assert [str(error) for error in tasks.check()] == [str(caught.value)]


def test_a_folder_given_twice_is_read_once(tmp_path: Path) -> None:
    """Naming the same folder twice, or the bundled one again, makes no duplicates."""
    _written(tmp_path, STS)
    tasks = registry.get_tasks([tmp_path, tmp_path / ".", ROOT / "tasks"])
    assert tasks.check() == ()


def test_data_and_hidden_folders_are_not_read(tmp_path: Path) -> None:
    """A YAML file among the data or in a hidden folder is no task."""
    _written(tmp_path / "data", "x: 1\n", "notes.yaml")
    _written(tmp_path / ".git", "x: 1\n", "config.yaml")
    assert registry.get_tasks([tmp_path]).names() == registry.get_tasks().names()


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    """A misspelt --tasks-dir is not an empty one."""
    with pytest.raises(SpecError, match="nowhere: expected a folder of task files"):
        registry.get_tasks([tmp_path / "nowhere"])


def test_names_and_iteration_are_sorted() -> None:
    """The order of tasks does not depend on the file system."""
    tasks = registry.get_tasks()
    assert list(tasks.names()) == sorted(tasks.names())
    assert tuple(task.name for task in tasks) == tasks.names()


def test_a_suite_lists_whole_tasks_and_parts(tmp_path: Path) -> None:
    """A narrowed member holds exactly its splits and subsets; a plain one is absent from `parts`."""
    text = "name: pack\ndescription: Two.\ntasks:\n  - {task: Demo, splits: [test], subsets: [no]}\n  - MiniSTSGerman\n"
    suite = _suite(tmp_path, text).suite("pack")
    assert suite.tasks == ("Demo", "MiniSTSGerman")
    assert suite.parts == {"Demo": (Part("test", "no"),)}
    assert suite.notes == ""


def test_a_suite_has_further_names(tmp_path: Path) -> None:
    """An alias finds the suite, whatever characters it has; a file's own name goes before it."""
    text = "name: pack\ndescription: One.\naliases: ['PACK(eng, v1)', mini]\ntasks: [Demo]\n"
    tasks = _suite(tmp_path, text)
    assert tasks.suite("PACK(eng, v1)") == tasks.suite("pack")
    assert tasks.suite("pack").aliases == ("PACK(eng, v1)", "mini")
    assert tasks.suite("mini").name == "mini"
    assert "PACK(eng, v1)" not in tasks.suite_names()
    with pytest.raises(UnknownName, match="no suite named 'pac'"):
        tasks.suite("pac")


def test_a_suite_member_without_subsets_keeps_all_of_them(tmp_path: Path) -> None:
    """Naming only splits leaves every subset in."""
    text = "name: pack\ndescription: One.\ntasks:\n  - {task: Demo, splits: [validation]}\n"
    assert _suite(tmp_path, text).suite("pack").parts == {"Demo": (Part("validation", "de"), Part("validation", "no"))}


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("Demmo", ":4: tasks: no task named 'Demmo'; did you mean Demo?"),
        ("{task: Demo, split: [test]}", ":4: tasks: unknown key 'split'; did you mean splits?"),
        ("{task: Demo, splits: [tset]}", ":4: tasks.splits: no split named 'tset'; did you mean test?"),
        ("{task: Demo, subsets: [nob]}", ":4: tasks.subsets: no subset named 'nob'; did you mean no?"),
        ("{splits: [test]}", ":4: tasks: missing key 'task'"),
        ("[Demo]", ":4: tasks: expected text, found a list"),
        ("Demo\n  - Demo", ":5: tasks: 'Demo' is listed twice"),
    ],
)
def test_defects_of_a_suite_have_lines(tmp_path: Path, member: str, message: str) -> None:
    """Suites are as strict as tasks, and `check` sees what `suite` raises."""
    tasks = _suite(tmp_path, f"name: pack\ndescription: One.\ntasks:\n  - {member}\n")
    expected = f"{tmp_path / 'suites' / 'pack.yaml'}{message}"
    with pytest.raises(SpecError) as caught:
        tasks.suite("pack")
    assert str(caught.value) == expected
    assert [str(error) for error in tasks.check()] == [expected]


@pytest.mark.parametrize(
    ("languages", "subsets"),
    [
        (None, ["en-ext", "en", "de", "ja"]),
        (["de"], ["de"]),
        (["deu"], ["de"]),
        (["deu-Latn"], ["de"]),
        (["deu_Latn"], ["de"]),
        (["en"], ["en"]),  # a subset's own name means that subset
        (["eng"], ["en-ext", "en"]),  # a language means all its subsets
        (["ja", "fr"], ["ja"]),  # what the task lacks is passed over
    ],
)
def test_languages_choose_subsets(languages: list[str] | None, subsets: list[str]) -> None:
    """Two letters, three letters, a full code and a subset name all choose, in the task's own order."""
    task = registry.get_tasks().get("AmazonCounterfactualClassification")
    parts = registry.select_parts(task, splits=["test"], languages=languages)
    assert parts == tuple(Part("test", subset) for subset in subsets)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("no", {"nno_Latn", "nob_Latn"}),
        ("NB", {"nob_Latn"}),
        ("zh", {"zho_Hant"}),
        ("fa", {"pes_Arab"}),
        ("ar", {"arb_Latn"}),
        ("arz", {"arz_Arab"}),
    ],
)
def test_a_group_of_languages_means_its_standard_members(asked: str, found: set[str]) -> None:
    """`no` finds Bokmål and Nynorsk, `ar` Standard Arabic but no dialect; a code of its own means itself alone."""
    task = registry.get_tasks().get("SIB200Classification")
    assert {part.subset for part in registry.select_parts(task, languages=[asked])} == found


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"splits": ["tset"]}, "no split of GermanSTSBenchmark named 'tset'; did you mean test?"),
        ({"languages": ["german"]}, "no language or subset of GermanSTSBenchmark named 'german'; known: default"),
        ({"languages": ["fr"]}, "GermanSTSBenchmark has no part in fr; its languages: deu-Latn"),
        ({"languages": ["deu-Cyrl"]}, "GermanSTSBenchmark has no part in deu-Cyrl; its languages: deu-Latn"),
    ],
)
def test_a_choice_that_cannot_be_met_is_an_error(chosen: dict[str, list[str]], message: str) -> None:
    """Nothing is silently empty: an unknown split or subset, or a language the task lacks, is told."""
    with pytest.raises(UnknownName) as caught:
        registry.select_parts(registry.get_tasks().get("GermanSTSBenchmark"), **chosen)
    assert str(caught.value) == message


def test_the_fingerprint_is_what_decides_the_score(tmp_path: Path) -> None:
    """It holds type, source, columns, merged splits, metric, changed settings and prompt, and numbers in one form."""
    text = STS + "settings: {min_score: 1.0}\nprompt: Compare\nmerge_splits: {test: [test, extra]}\n"
    assert registry.fingerprint_of(registry.load_file(_written(tmp_path, text))) == {
        "type": "STS",
        "source": {"kind": "hub", "path": "org/demo", "revision": "0123456789abcdef0123456789abcdef01234567"},
        "columns": {"left": "sentence1", "right": "sentence2", "gold": "score"},
        "merge_splits": {"test": ["test", "extra"]},
        "main_metric": "cosine_spearman",
        "settings": {"min_score": 1},
        "prompt": "Compare",
    }


def test_an_installed_package_finds_its_own_tasks(tmp_path: Path) -> None:
    """Where there is no checkout, the tasks are those in `harness/_tasks`, where the wheel puts them."""
    package = shutil.copytree(ROOT / "harness", tmp_path / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    _written(package / "_tasks" / "sts", STS)
    _written(tmp_path / "tasks", STS, "Stranger.yaml")
    code = "from harness.tasks import registry; print(*registry.get_tasks().names())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert result.stdout.split() == ["Demo"]


def test_the_registry_is_light() -> None:
    """Listing all tasks imports nothing heavy, not even numpy, so `harness tasks list` stays quick."""
    code = (
        "import sys; from harness.tasks import registry; names = [task.name for task in registry.get_tasks()];"
        "heavy = {'numpy', 'torch', 'mteb', 'datasets', 'sklearn', 'scipy', 'rich', 'huggingface_hub'};"
        "print(len(names), sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.split(" ", 1) == [str(len(registry.get_tasks().names())), "[]\n"]
