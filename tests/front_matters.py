"""Front matters of every shape that a card may have, to be written to without harm."""

from __future__ import annotations

_RESULT = """\
  - task:
      type: STS
    dataset:
      type: mteb/biosses-sts
      name: MTEB BIOSSES
      config: default
      split: test
      revision: d3fb88f8f02e40887cd149695127462bbcf29b4a
    metrics:
    - type: cos_sim_spearman
      value: 81.123
"""
_SECOND = _RESULT.replace("BIOSSES", "STS12")
_FLOW = "{task: {type: STS}, metrics: [{type: a, value: 1}]}"
_INDEX = f"model-index:\n- name: mine\n  results:\n{_RESULT}"
_BODY = "\n# A model\n\nSome text.\n"


def _card(front: str, body: str = _BODY) -> str:
    return f"---\n{front}---\n{body}"


CORPUS: dict[str, str] = {
    "empty file": "",
    "white space alone": "\n \n",
    "no front matter": "# A model\n\nSome text.\n",
    "no front matter, no last line break": "# A model",
    "no front matter, rule in the body": "# A model\n\n---\n\nmore\n\n---\n",
    "empty front matter": "---\n---\n# A model\n",
    "front matter of a blank line": "---\n\n---\n# A model\n",
    "front matter of a comment": "---\n# nothing here yet\n---\n# A model\n",
    "no index": _card("language: de\nlicense: mit\n"),
    "no index, comment last": _card("language: de\n# license: to be decided\n"),
    "no index, indented comment last": _card("tags:\n- a\n  # - b\n"),
    "no index, flow mapping": _card("{language: de, tags: [a, b]}\n"),
    "no index, empty flow mapping": _card("{}\n"),
    "no index, flow mapping of several lines": _card('{\n  "language": "de",\n  "tags": ["a"]\n}\n'),
    "no index, block scalar last": _card("language: de\nabout: |\n  two\n  lines\n"),
    "no index, kept block scalar last": _card("language: de\nabout: |+\n  two\n  lines\n\n\n"),
    "no index, folded scalar alone": _card("about: >\n  two\n  lines\n"),
    "no index, list last": _card("language: de\ntags:\n- a\n- b\n"),
    "index": _card(f"language: de\n{_INDEX}"),
    "index first": _card(f"{_INDEX}language: de\ntags: [a]\n"),
    "index of CRLF": _card(f"language: de\n{_INDEX}").replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + _card(f"language: de\n{_INDEX}"),
    "byte order mark and CRLF": "\ufeff" + _card(f"language: de\n{_INDEX}").replace("\n", "\r\n"),
    "white space before the dashes": "\n\n" + _card(_INDEX),
    "white space after the dashes": f"---\n{_INDEX}---  \n# A model\n",
    "nothing after the dashes": f"---\n{_INDEX}---",
    "tabs in text": _card(f'about: "a\tb"\nother: a\tb\n{_INDEX}', "\tcode\n"),
    "non-ASCII": _card(f"über: 'größe 模型 😀'\n{_INDEX}# 😀 é\nlast: ü\n", "\n# Überschrift 模型\n"),
    "comments between results": _card(
        f"model-index:\n- name: mine # ours\n  results:\n  # first\n{_RESULT}  # between\n{_SECOND}"
        "    # inside, at the end\n  # after\n# outside\nlicense: mit\n"
    ),
    "comment on the last line": _card(_INDEX.rstrip("\n") + "  # measured by hand\n"),
    "blank lines between results": _card(
        f"model-index:\n\n- name: mine\n\n  results:\n\n{_RESULT}\n{_SECOND}\n\nlicense: mit\n"
    ),
    "several models": _card(
        f"{_INDEX}- name: other\n  results:\n{_RESULT}- name: third\n  results: []\nlicense: mit\n"
    ),
    "our model last": _card(f"model-index:\n- name: other\n  results:\n{_RESULT}- name: mine\n  results:\n{_RESULT}"),
    "another model alone": _card(f"model-index:\n- name: other\n  results:\n{_RESULT}"),
    "other case in the name": _card(_INDEX.replace("name: mine", "name: MINE")),
    "no results": _card("model-index:\n- name: mine\n  results: []\nlicense: mit\n"),
    "no results, null": _card("model-index:\n- name: mine\n  results:\nlicense: mit\n"),
    "no results, tilde": _card("model-index:\n- results: ~ # none yet\n  name: mine\n"),
    "empty index": _card("model-index: []\nlicense: mit\n"),
    "null index": _card("model-index:\nlicense: mit\n"),
    "null index last": _card("license: mit\nmodel-index:\n"),
    "flow index": _card(f"model-index: [{{name: mine, results: [{_FLOW}]}}]\n"),
    "flow index without results": _card("model-index: [{name: mine, results: []}]\n"),
    "flow results": _card(f"model-index:\n- name: mine\n  results: [{_FLOW}]\n"),
    "flow results of several lines": _card(
        "model-index:\n- name: mine\n  results: [\n    {task: {type: STS}, metrics: [{type: a, value: 1}]},\n"
        "    {task: {type: STS}, metrics: [{type: b, value: 1}]}, # last\n  ]\nlicense: mit\n"
    ),
    "JSON": _card(
        '{"license": "mit", "model-index": [{"name": "mine", "results": [{"task": {"type": "STS"}, "metrics": []}]}]}\n'
    ),
    "results of flow mappings": _card(
        "model-index:\n- name: mine\n  results:\n  - {task: {type: STS}, metrics: [{type: a, value: 1}]}\n"
    ),
    "indented lists": _card(
        "model-index:\n  - name: mine\n    results:\n      - task:\n          type: STS\n        metrics:\n"
        "          - type: a\n            value: 1\n"
    ),
    "four spaces after the dash": _card(
        "model-index:\n-   name: mine\n    results:\n    -   task:\n            type: STS\n        metrics:\n"
        "        -   type: a\n            value: 1\n"
    ),
    "dash on its own line": _card(
        "model-index:\n-\n  name: mine\n  results:\n  -\n    task:\n      type: STS\n"
        "  - # here\n    task: {type: STS}\n"
    ),
    "whole front matter indented": _card("".join(f"  {line}\n" for line in _INDEX.splitlines())),
    "indented, null index": _card("  license: mit\n  model-index:\n"),
    "anchors and aliases": _card(
        "model-index:\n- name: mine\n  results:\n"
        "  - dataset: &data\n      type: a/b\n      name: A\n    task: &sts {type: STS}\n"
        "    metrics:\n    - type: x\n      value: &v 39.146000000000003\n"
        "  - dataset: *data\n    task: *sts\n    metrics:\n    - type: y\n      value: *v\n"
    ),
    "merge keys": _card(
        "base: &base\n  type: STS\nmodel-index:\n- name: mine\n  results:\n  - task:\n      <<: *base\n      name: x\n"
        "    metrics: []\n"
    ),
    "long floats": _card(f"a: 39.146000000000003\nb: 1e3\nc: 0x1F\nd: 1_000\ne: .5\nf: .nan\ng: -.inf\n{_INDEX}"),
    "yes and no": _card(f"language: no\non: yes\nrevision: 0123\n{_INDEX}"),
    "dates": _card(f"date: 2024-01-02\nwhen: 2024-01-02 03:04:05\n{_INDEX}"),
    "duplicate results": _card(f"model-index:\n- name: mine\n  results:\n{_RESULT}{_RESULT}license: mit\n"),
    "duplicate keys": _card(f"license: mit\nlicense: apache-2.0\n{_INDEX}"),
    "unknown keys": _card(
        f"custom: {{deep: [1, {{x: null}}]}}\n{_INDEX}"
        "    source:\n      url: https://example.org\n      extra: 1\n    odd: here\n"
    ),
    "quoted keys": _card(
        f"\"license\": 'mit'\n{_INDEX.replace('model-index:', chr(34) + 'model-index' + chr(34) + ':')}"
    ),
    "block scalar ends the results": _card(f"{_INDEX}    notes: |\n      written\n      by hand\n"),
    "block scalar ends the results, then more": _card(f"{_INDEX}    notes: |-\n      written\n\n\nlicense: mit\n"),
    "dashes in the body": _card(_INDEX, "\n# A model\n\n---\n\nmodel-index:\n- name: mine\n\n---\n"),
    "trailing spaces": _card(_INDEX.replace("results:\n", "results:   \n").replace("81.123\n", "81.123   \n")),
    "document end": _card(f"{_INDEX}...\n"),
    "explicit tags": _card(f"a: !!str 12\nb: ! 13\n{_INDEX}"),
    "no last line break": _card(_INDEX, "# A model"),
    "five thousand results": _card(
        "model-index:\n- name: mine\n  results:\n"
        + "".join(_RESULT.replace("BIOSSES", f"Task{i}") for i in range(5000))
    ),
}
"""Name -> text. Each is a valid card; the index is of `mine` where there is one."""
