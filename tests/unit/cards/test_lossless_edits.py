"""One result into front matters of every shape: nothing else changes."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub.repocard import REGEX_YAML_BLOCK

from harness.cards import card_file
from harness.cards.edit.merge import merge
from harness.cards.edit.yaml_layout import Result
from harness.errors import CardError
from tests.cards import NEW
from tests.front_matters import CORPUS

FLOW = (
    "no index, flow mapping",
    "no index, empty flow mapping",
    "no index, flow mapping of several lines",
    "no results",
    "no results, tilde",
    "empty index",
    "flow index",
    "flow index without results",
    "flow results",
    "flow results of several lines",
    "JSON",
)
"""Where the result has to share a line with others, or replaces `[]` or `~`."""


def read(text: str) -> card_file.Card:
    bom = text.startswith("\ufeff")
    return card_file.parse(text.removeprefix("\ufeff"), path="README.md", bom=bom)


def data(text: str) -> Any:
    """The front matter as the hub finds it and PyYAML reads it."""
    found = REGEX_YAML_BLOCK.search(text.removeprefix("\ufeff"))
    return (yaml.load(found.group(2), Loader=yaml.CSafeLoader) if found else None) or {}


def without_new(front: Any) -> Any:
    """The data without the results of `NEW`, and without entries and lists that hold nothing else."""
    for entry in front.get("model-index") or []:
        for result in entry["results"] or []:
            if result.get("dataset", {}).get("name") == "MTEB STSBenchmark":
                entry["results"].remove(result)
                break
    return front


def test_the_corpus_is_large() -> None:
    """At least 40 shapes."""
    assert len(CORPUS) >= 60


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name == "five thousand results" else ()) for name in CORPUS],
)
def test_one_result(name: str) -> None:
    """The new text has every line of the old; its data are the old data and the result; a second time, nothing."""
    text = CORPUS[name].removeprefix("\ufeff")
    card = read(CORPUS[name])
    merged = merge(card, [NEW], name="mine")
    assert merged.counts == (1, 0, 0, 0)
    old, new = text.splitlines(keepends=True), merged.text.splitlines(keepends=True)
    if name not in FLOW:
        gone = [
            line
            for tag, *span in _blocks(old, new)
            if tag != "insert"
            for line in old[span[0] : span[1]]
            if tag != "equal"
        ]
        assert gone in ([], ["\n"])
    if len(text) < 100_000:
        assert merge(read(merged.text), [NEW], name="mine").text == merged.text
    _check_data(text, merged.text)


def _blocks(old: list[str], new: list[str]) -> list[tuple[str, int, int, int, int]]:
    return difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if len(old) < 2000 else []


def _check_data(before: str, after: str) -> None:
    old, new = data(before), data(after)
    (entry,) = [one for one in new["model-index"] if str(one["name"]).casefold() == "mine"]
    (result,) = [one for one in entry["results"] if one.get("dataset", {}).get("name") == "MTEB STSBenchmark"]
    assert result == {
        "dataset": {
            "config": "default",
            "name": "MTEB STSBenchmark",
            "revision": "b0fddb56ed78048fa8b90373c8a3cfc37b684831",
            "split": "test",
            "type": "mteb/stsbenchmark-sts",
        },
        "metrics": [
            {
                "type": "cos_sim_spearman" if "cos_sim_spearman" in before else "cosine_spearman",
                "value": 82.03247283076371,
            }
        ],
        "task": {"type": "STS"},
    }
    entry["results"].remove(result)
    if not before:
        return
    had = [one for one in old.get("model-index") or [] if str(one["name"]).casefold() == "mine"]
    if not had:
        new["model-index"].remove(entry)
    elif not had[0]["results"]:
        had[0]["results"] = []
    if not new["model-index"]:
        del new["model-index"]
        assert not old.pop("model-index", None)
    assert repr(new) == repr({key: old[key] for key in new})
    assert old.keys() == new.keys()


WITH_A_VALUE = [
    name
    for name, text in CORPUS.items()
    if "81.123\n" in text and name not in ("duplicate results", "five thousand results")
]


@pytest.mark.parametrize("name", WITH_A_VALUE)
def test_one_value(name: str) -> None:
    """A new value of a result that stands there changes the characters of that value and none besides."""
    text = CORPUS[name].removeprefix("\ufeff")
    biosses = Result(
        task="BIOSSES",
        type="STS",
        dataset="mteb/biosses-sts",
        config="default",
        split="test",
        revision="d3fb88f8f02e40887cd149695127462bbcf29b4a",
        metrics={"cosine_spearman": 0.5},
    )
    model = "other" if name == "another model alone" else "mine"
    merged = merge(read(CORPUS[name]), [biosses], name=model)
    assert merged.counts == (0, 1, 0, 0)
    place = text.index("81.123", text.index("name: mine" if "name: mine" in text else "model-index"))
    assert merged.text == text[:place] + "50.0" + text[place + 6 :]


def test_a_metric_joins_its_result() -> None:
    """A further metric of a result that stands there is added to it, under its last metric, in the card's names."""
    text = CORPUS["index"]
    result = Result(
        task="BIOSSES",
        type="STS",
        dataset="mteb/biosses-sts",
        config="default",
        split="test",
        revision="d3fb88f8f02e40887cd149695127462bbcf29b4a",
        metrics={"cosine_spearman": 0.81123, "cosine_pearson": 0.7},
    )
    merged = merge(read(text), [result], name="mine")
    assert merged.counts == (1, 0, 1, 0)
    assert merged.text == text.replace("81.123\n", "81.123\n    - type: cos_sim_pearson\n      value: 70.0\n")


def test_line_endings_and_mark_stay(tmp_path: Path) -> None:
    """A card of CRLF with a byte order mark keeps both on disk, in old lines and new."""
    path = tmp_path / "README.md"
    path.write_bytes(CORPUS["byte order mark and CRLF"].encode())
    card = card_file.load(path, to_change=True)
    card_file.save(card, merge(card, [NEW], name="mine").text)
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf---\r\n")
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert b"MTEB STSBenchmark" in raw


@pytest.mark.parametrize(
    ("front", "line", "said"),
    [
        ("model-index:\n- name: mine\n  results: &r []\n- name: other\n  results: *r\n", 4, "anchor"),
        ("model-index: none\n", 2, "expected a list"),
        ("model-index:\n  name: mine\n", 3, "expected a list"),
        ("model-index:\n- name: mine\n  results: 3\n", 4, "expected a list"),
        ("model-index:\n- name: mine\n", 3, "results"),
        ("model-index: []\nmodel-index: []\n", 3, "a second `model-index`"),
        ("language: [de\n", 3, "not YAML"),
        ("a: b\n\tc: d\n", 3, "not YAML"),
        ("a: 'b\n", 2, "not YAML"),
        ("- a\n- b\n", 2, "expected keys"),
        ("just text\n", 2, "expected keys"),
        ("a: &a [*a]\n", 2, "a value that contains it"),
        ("a: *b\n", 2, "no anchor"),
        ("a: 1\n--- \nb: 2\n", 0, ""),
        ("a: b\nc: 2024-13-45\n", 3, "not plain data"),
        ("a: !!python/object:os.system {}\n", 2, "not plain data"),
        ("a: " + "[" * 60 + "]" * 60 + "\n", 2, "levels"),
        ("a: \x01\n", 2, "does not allow"),
    ],
)
def test_refused(front: str, line: int, said: str, tmp_path: Path) -> None:
    """What cannot be used is refused with file and line, and left as it is."""
    path = tmp_path / "README.md"
    raw = f"---\n{front}---\n# A\n".encode()
    path.write_bytes(raw)
    if not said:  # a line of dashes ends the front matter wherever it stands
        assert merge(card_file.load(path), [NEW], name="mine").text.endswith("--- \nb: 2\n---\n# A\n")
        return
    with pytest.raises(CardError, match=said) as caught:
        merge(card_file.load(path), [NEW], name="mine")
    assert str(caught.value).startswith(f"{path}:{line}: " if line else f"{path}:")
    assert path.read_bytes() == raw


def test_a_value_shared_by_an_alias_is_refused() -> None:
    """A value that another place repeats by alias cannot be changed alone: refused, with its line."""
    front = CORPUS["index"].replace("value: 81.123", "value: &v 81.123").replace("language: de", "other: 1")
    text = front.replace("---\n\n# A", "copy: *v\n---\n\n# A")
    result = Result(
        task="BIOSSES",
        type="STS",
        dataset="mteb/biosses-sts",
        config="default",
        split="test",
        revision="d3fb88f8f02e40887cd149695127462bbcf29b4a",
        metrics={"cosine_spearman": 0.5},
    )
    with pytest.raises(CardError, match=r"README.md:16: an anchor shares this `value` with another place"):
        merge(read(text), [result], name="mine")


def test_laughter_is_refused() -> None:
    """Aliases that grow to billions of values are refused before anything is unfolded."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(CardError, match="aliases expand to"):
        read("---\n" + "\n".join(lines) + "\n---\n")


@pytest.fixture
def spoil() -> dict[str, Callable[[Path], None]]:
    def text(path: Path) -> None:
        path.write_text(CORPUS["index"], encoding="utf-8")

    def large(path: Path) -> None:
        path.write_bytes(b"---\na: b\n---\n" + b"x" * 10_000_000)

    def binary(path: Path) -> None:
        path.write_bytes(b"---\na: b\n---\n\x00\x01\x02")

    def latin(path: Path) -> None:
        path.write_bytes("---\na: b\nc: \xe4\n---\n".encode("latin-1"))

    def link(path: Path) -> None:
        text(path.with_name("real.md"))
        path.symlink_to(path.with_name("real.md"))

    def read_only(path: Path) -> None:
        text(path)
        path.chmod(0o444)

    def open_(path: Path) -> None:
        path.write_text("---\na: b\n# A model\n", encoding="utf-8")

    def folder(path: Path) -> None:
        path.mkdir()

    return {
        "8388608 bytes": large,
        ":4: contains a zero byte": binary,
        ":3: not UTF-8 text": latin,
        "symbolic link": link,
        "read-only": read_only,
        ":1: the front matter is never closed": open_,
        "a folder": folder,
    }


@pytest.mark.parametrize(
    "said",
    [
        "8388608 bytes",
        ":4: contains a zero byte",
        ":3: not UTF-8 text",
        "symbolic link",
        "read-only",
        ":1: the front matter is never closed",
        "a folder",
    ],
)
def test_files_that_are_refused(said: str, spoil: dict[str, Callable[[Path], None]], tmp_path: Path) -> None:
    """Files that cannot or must not be replaced are refused, named, and left as they are, with nothing beside them."""
    path = tmp_path / "README.md"
    spoil[said](path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    with pytest.raises(CardError) as caught:
        card_file.load(path, to_change=True)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == before


def test_a_card_changed_in_between(tmp_path: Path) -> None:
    """What somebody wrote between our reading and writing stays; so does a card deleted, and one made, in between."""
    path = tmp_path / "README.md"
    path.write_text(CORPUS["index"], encoding="utf-8")
    card = card_file.load(path, to_change=True)
    path.write_text("theirs", encoding="utf-8")
    with pytest.raises(CardError, match="another program changed it"):
        card_file.save(card, "ours")
    assert path.read_text(encoding="utf-8") == "theirs"
    path.unlink()
    with pytest.raises(CardError, match="another program changed it"):
        card_file.save(card, "ours")
    new = card_file.load(path, to_change=True)
    path.write_text("theirs", encoding="utf-8")
    with pytest.raises(CardError, match="another program changed it"):
        card_file.save(new, "ours")
    assert [file.name for file in tmp_path.iterdir()] == ["README.md"]


def test_permissions_stay(tmp_path: Path) -> None:
    """The new file has the old one's mode; a write that changes nothing leaves its time stamp."""
    path = tmp_path / "README.md"
    path.write_text(CORPUS["index"], encoding="utf-8")
    path.chmod(0o640)
    card = card_file.load(path, to_change=True)
    assert card_file.save(card, card.text + "more\n")
    assert path.stat().st_mode & 0o777 == 0o640
    stamp = path.stat().st_mtime_ns
    again = card_file.load(path, to_change=True)
    assert not card_file.save(again, again.text)
    assert path.stat().st_mtime_ns == stamp


GONE = """\
model-index:
- name: mine
  results: # ours
  # the first
  - task: {type: STS}
    dataset: {type: a/b, name: MTEB One}
    metrics:
    - type: x
      value: 1
    # of the first
  # the second
  - task: {type: STS}
    dataset: {type: a/b, name: MTEB Two}
    metrics:
    - type: x
      value: 2
    - type: y
      value: 3
- name: other
  results: []
"""


def pruned(front: str, *names: str) -> str:
    """The front matter without the metrics of these tasks, or these metrics of any task."""
    text = f"---\n{front}---\n# A\n"
    done = merge(read(text), [], name="mine", prune=lambda result, key: bool({key.task, key.metric} & set(names)))
    assert done.text.startswith("---\n")
    assert done.text.endswith("---\n# A\n")
    return done.text[4:-8]


def test_prune_takes_whole_lines() -> None:
    """A result goes with its lines and the comments inside it; comments between results stay."""
    assert pruned(GONE) == GONE
    first = GONE[GONE.index("  - task") : GONE.index("  # the second")]
    assert pruned(GONE, "One") == GONE.replace(first, "")
    second = GONE[GONE.index("  - task", GONE.index("# the second")) : GONE.index("- name: other")]
    assert pruned(GONE, "Two") == GONE.replace(second, "")
    bare = GONE.replace(first, "").replace(second, "")
    assert pruned(GONE, "One", "Two") == bare.replace("results: # ours", "results: [] # ours")


def test_prune_takes_single_metrics() -> None:
    """One metric of several goes alone; the result stays."""
    assert pruned(GONE, "y") == GONE.replace("    - type: y\n      value: 3\n", "")
    assert pruned(GONE, "x", "Nobody") == pruned(pruned(GONE, "x"), "x")


def test_prune_in_brackets() -> None:
    """In a list of brackets an item goes with its comma; the last one leaves empty brackets."""
    item = "{{task: {{type: STS}}, dataset: {{name: {}}}, metrics: [{{type: x, value: 1}}, {{type: y, value: 2}}]}}"
    one, two, three = (item.format(name) for name in ("One", "Two", "Three"))
    front = "model-index:\n- name: mine\n  results: [{}]\n"
    whole = front.format(f"{one}, {two},  {three}")
    assert pruned(whole, "One") == front.format(f"{two},  {three}")
    assert pruned(whole, "Two") == front.format(f"{one}, {three}")
    assert pruned(whole, "Three") == front.format(f"{one}, {two}")
    assert pruned(whole, "Two", "Three") == front.format(one)
    assert pruned(whole, "One", "Two", "Three") == front.format("")
    assert pruned(front.format(one), "y") == front.format(one.replace(", {type: y, value: 2}", ""))


def test_lists_without_lines_of_their_own() -> None:
    """A list that begins on the line of another is either extended rightly or refused; never an unclear error."""
    text = "---\nmodel-index:\n- results: &r\n  - {task: {type: STS}}\n  name: mine\n---\n"
    assert "MTEB STSBenchmark" in merge(read(text), [NEW], name="mine").text
    with pytest.raises(CardError):
        merge(read("---\nmodel-index:\n- - a\n  - b\n- {name: mine, results: {a: b}}\n---\n"), [NEW], name="mine")
    with pytest.raises(CardError):
        merge(read("---\n? model-index\n: - name: mine\n    results: *r\n---\n"), [NEW], name="mine")
    explicit = merge(read("---\n? model-index\n: - name: mine\n    results: []\n---\n"), [NEW], name="mine")
    assert "MTEB STSBenchmark" in explicit.text
