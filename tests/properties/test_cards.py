"""Cards of random shape keep everything but the result that is written."""

from __future__ import annotations

import copy
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cards import card_file
from harness.cards.edit import yaml_nodes
from harness.cards.edit.merge import merge
from harness.cards.edit.yaml_layout import Result, scalar
from harness.cards.metric_names import fraction, percent_text
from tests.cards import NEW

words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12)
plain = st.one_of(words, st.integers(-5, 5), st.floats(allow_nan=False, width=32), st.booleans(), st.none())
names = st.sampled_from(["BIOSSES", "STS12", "GermanSTSBenchmark"])
metrics = st.fixed_dictionaries({"type": st.sampled_from(["cos_sim_spearman", "x"]), "value": st.floats(-100, 100)})
results = st.fixed_dictionaries(
    {
        "task": st.fixed_dictionaries({"type": st.just("STS")}),
        "dataset": st.fixed_dictionaries({"name": names.map(lambda name: f"MTEB {name}"), "type": words}),
        "metrics": st.lists(metrics, max_size=3),
    },
    optional={"source": st.fixed_dictionaries({"url": words})},
)
entries = st.fixed_dictionaries({"name": st.sampled_from(["mine", "other"]), "results": st.lists(results, max_size=3)})
fronts = st.dictionaries(
    words, st.recursive(plain, lambda inner: st.lists(inner, max_size=3), max_leaves=5), max_size=4
)
indices = st.lists(entries, max_size=3, unique_by=lambda entry: entry["name"])


def shaped(front: dict[str, Any], *, flow: bool | None, indent: int, wide: bool) -> str:
    return yaml.safe_dump(
        front,
        default_flow_style=flow,
        indent=indent,
        width=1000 if wide else 40,
        allow_unicode=True,
        sort_keys=False,
    )


@settings(max_examples=60, deadline=None)
@given(
    front=fronts,
    index=st.none() | indices,
    flow=st.sampled_from([True, False, None]),
    indent=st.sampled_from([2, 4]),
    wide=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
    comments=st.lists(st.integers(0, 60), max_size=3),
    body=st.sampled_from(["", "# A model\n", "\n---\n\nmodel-index: []\n---\n"]),
)
def test_one_result_into_any_card(
    front: dict[str, Any],
    index: list[dict[str, Any]] | None,
    flow: bool | None,
    indent: int,
    wide: bool,
    newline: str,
    comments: list[int],
    body: str,
) -> None:
    """Data before and after differ in the one result, and taking its characters out gives the old bytes again."""
    front = {**front, **({} if index is None else {"model-index": index})}
    if not front:
        return
    yaml_text = shaped(front, flow=flow, indent=indent, wide=wide)
    if not flow and wide:
        lines = yaml_text.splitlines()
        for line in comments:
            lines.insert(min(line, len(lines)), "# a comment")
        yaml_text = "\n".join(lines) + "\n"
        try:
            if yaml.safe_load(yaml_text) != yaml.safe_load(shaped(front, flow=flow, indent=indent, wide=wide)):
                return  # the comment fell into a text of several lines
        except yaml.YAMLError:
            return
    text = f"---\n{yaml_text}---\n{body}".replace("\n", newline)
    card = card_file.parse(text, path="README.md")
    merged = merge(card, [NEW], name="mine")

    old, new = yaml.safe_load(card.front_matter), yaml.safe_load(card.with_text(merged.text).front_matter)
    expected = copy.deepcopy(old)
    mine = [entry for entry in expected.setdefault("model-index", []) if entry["name"] == "mine"]
    result = NEW.data(names="v1" if _has_old_names(old) else "v2", digits=None)
    if mine:
        mine[0]["results"].append(result)
    else:
        expected["model-index"].append({"name": "mine", "results": [result]})
    assert new == expected
    assert merged.text.endswith(f"---{newline}" + body.replace("\n", newline))
    assert newline == "\n" or "\n" not in merged.text.replace("\r\n", "")
    start = next((i for i, (a, b) in enumerate(zip(text, merged.text, strict=False)) if a != b), len(text))
    longer = len(merged.text) - len(text)
    same_end = merged.text[start + longer :] == text[start:]
    replaced_empty = any(f"{key}: []" in text for key in ("results", "model-index")) or "{}" in text
    assert same_end or replaced_empty
    assert merge(card.with_text(merged.text), [NEW], name="mine").text == merged.text


def _has_old_names(front: dict[str, Any]) -> bool:
    results = [result for entry in front.get("model-index", []) for result in entry["results"]]
    return any(metric["type"] == "cos_sim_spearman" for result in results for metric in result["metrics"])


@settings(max_examples=60, deadline=None)
@given(value=st.floats(0, 1), digits=st.none() | st.integers(0, 6))
def test_a_value_is_found_again(value: float, digits: int | None) -> None:
    """What is written for a score is recognised as that score, and reads back to it at the written precision."""
    text = percent_text(value, digits)
    assert "e" not in text
    assert isinstance(yaml.safe_load(text), float | int)
    if digits is None:
        assert abs(fraction(text) - value) <= 2e-16
    else:
        assert abs(fraction(text) - value) <= 0.5 * 10.0 ** -(digits + 2) + 1e-12
    result = Result(task="T", type="STS", dataset="a/b", config="c", split="s", revision="r", metrics={"m": value})
    first = merge(card_file.parse("---\na: b\n---\n", path="x"), [result], name="n", digits=digits)
    again = merge(card_file.parse(first.text, path="x"), [result], name="n", digits=digits)
    assert again.counts == (0, 0, 1, 0)


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(st.text(max_size=20), st.from_regex(r"[-+]?[0-9]{1,3}(\.[0-9]*)?(e[0-9]+)?", fullmatch=True)))
def test_a_text_stays_a_text(text: str) -> None:
    """Whatever a name or revision is, YAML reads it back as that text, as a block's value and in brackets."""
    try:
        yaml.safe_load(yaml.safe_dump(text))
        text.encode()
    except (yaml.YAMLError, UnicodeError):
        return
    assert yaml.safe_load(f"a: {scalar(text)}") == {"a": text}
    assert yaml.safe_load(f"{{a: {scalar(text, in_flow=True)}, b: 1}}") == {"a": text, "b": 1}


@settings(max_examples=60, deadline=None)
@given(front=fronts, flow=st.sampled_from([True, False, None]), wide=st.booleans())
def test_places_are_right(front: dict[str, Any], flow: bool | None, wide: bool) -> None:
    """Cut out of the text, every value parses to itself; the whole tree gives PyYAML's data; both parsers agree."""
    text = shaped(front, flow=flow, indent=2, wide=wide)
    tree = yaml_nodes.parse(text, path="x")
    assert yaml_nodes.data(tree.root, path="x") == yaml.safe_load(text)
    slow = [(event.start_mark.index, event.end_mark.index) for event in yaml.parse(text, Loader=yaml.SafeLoader)]
    fast = [(event.start_mark.index, event.end_mark.index) for event in yaml.parse(text, Loader=yaml.CSafeLoader)]
    assert slow == fast
    assert tree.root is not None
    for key, value in tree.root.pairs:
        if value.kind == "scalar" and value.style is not None:
            assert yaml.safe_load(text[value.start : value.end]) == yaml.safe_load(text)[yaml_nodes.data(key, path="x")]
