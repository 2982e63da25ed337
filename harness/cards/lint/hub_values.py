"""The values of a front matter's own keys, as the hub accepts them: languages, licences, names of repositories (pure).

Languages and base models follow the hub's messages on push; licences are those of its documentation
(`repositories-licenses.md`), listed in `hub_licences.txt`; names of repositories follow `validate_repo_id` of
huggingface_hub 2.4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from harness.cards.card_file import Card
from harness.cards.edit.yaml_nodes import Node
from harness.cards.lint.findings import Finding
from harness.errors import suggest

LICENCES = frozenset(Path(__file__).with_name("hub_licences.txt").read_text(encoding="utf-8").split())
_LANGUAGE = re.compile(r"[a-z]{2,3}|code|multilingual")
_REPOSITORY = re.compile(r"(\b[\w\-.]+\b/)?\b[\w\-.]{1,96}\b", flags=re.ASCII)
_RELATIONS = ("adapter", "finetune", "merge", "quantized")


class _Rule(NamedTuple):
    """What a value must be; `accepts` tells whether a text is, and `advice` what to do where it is not."""

    code: str
    expected: str
    accepts: Callable[[str], bool]
    advice: Callable[[str], str]


def check(card: Card) -> Iterator[Finding]:
    """All findings about values that the hub refuses."""
    for key, value in card.root.real.entries() if card.root is not None else ():
        rule = _RULES.get(key)
        if rule is None:
            continue
        for node in value.real.items if value.real.kind == "sequence" else [value]:
            yield from _value(key, node, rule)


def is_repository(name: str) -> bool:
    """Whether the hub could have a repository of this name: `name` or `org/name`."""
    return bool(_REPOSITORY.fullmatch(name)) and not ("--" in name or ".." in name or name.endswith(".git"))


def _value(key: str, node: Node, rule: _Rule) -> Iterator[Finding]:
    real = node.real
    if real.kind == "scalar" and not real.is_null and real.text.strip() and not rule.accepts(real.text):
        yield Finding(
            node.line,
            rule.code,
            f"`{key}` is {real.text!r}, expected {rule.expected}; the hub refuses it",
            rule.advice(real.text),
        )


def _language_advice(text: str) -> str:
    code = re.match(r"([A-Za-z]{2,3})[-_]", text)
    if code:
        return f"write `{code[1].lower()}`, and the longer tag under `language_bcp47`"
    return f"write `{text.lower()}`" if _LANGUAGE.fullmatch(text.lower()) else "write the language's code, such as `en`"


def _licence_advice(text: str) -> str:
    near = suggest(re.sub(r"[ _]+", "-", text.strip().lower().removesuffix(" license")), LICENCES)
    hint = f"did you mean `{near[0]}`? " if near else ""
    return f"{hint}for a licence that is not in the hub's list write `other`, and its name under `license_name`"


def _repository_advice(text: str) -> str:
    name = re.sub(r"^https?://(www\.)?(huggingface\.co|hf\.co)/(datasets/)?", "", text).rstrip("/")
    if name != text and is_repository(name):
        return f"write `{name}`"
    return "write the name of the repository on the hub, or move the text to the body of the card"


_MODEL = _Rule("not-a-model", "the name of a model on the hub (`org/name`)", is_repository, _repository_advice)
_RULES: Mapping[str, _Rule] = {
    "language": _Rule(
        "not-a-language",
        "an ISO 639 code of two or three small letters, `code` or `multilingual`",
        lambda text: bool(_LANGUAGE.fullmatch(text)),
        _language_advice,
    ),
    "license": _Rule("not-a-licence", "an identifier of the hub's list", LICENCES.__contains__, _licence_advice),
    "datasets": _Rule(
        "not-a-dataset", "the name of a data set on the hub (`org/name`)", is_repository, _repository_advice
    ),
    "base_model": _MODEL,
    "new_version": _MODEL,
    "base_model_relation": _Rule(
        "not-a-relation",
        f"one of {', '.join(_RELATIONS)}",
        _RELATIONS.__contains__,
        lambda text: "write one of them, or remove the line and let the hub infer it",
    ),
}
