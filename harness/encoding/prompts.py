"""Which prompt goes before a text (pure).

Sources: mteb 2.26.24 (`get_prompt_name`, `AbsEncoder.get_task_instruction`, `InstructSentenceTransformerModel.encode`)
and sentence-transformers 6.2 (`encode_query`, `encode_document`, `encode`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.types import Prompt, Role
from harness.types.prompts import AdapterRules, InstructionRules, PromptRules


def choose(
    rules: PromptRules,
    *,
    task: str,
    task_type: str,
    role: Role | None,
    task_prompt: str | Mapping[str, str] | None = None,
    type_prompt: str = "",
) -> Prompt:
    """The prompt for a text of `task` in `role`.

    Args:
        rules: the model's rules.
        task: task name.
        task_type: task type.
        role: `query`, `document`, or None for symmetric tasks.
        task_prompt: the instruction of the task's own definition, for both roles or by role.
        type_prompt: the instruction for tasks of this type that define none.
    """
    keys = [task, task_type] if role is None else [f"{task}-{role}", task, f"{task_type}-{role}", task_type, role]
    if rules.adapters is not None:
        return _adapted(rules.adapters, keys, role)
    if rules.instructions is not None:
        text = _instructed(rules.instructions, task, task_type, task_prompt, type_prompt, role)
        # Without an instruction, mteb's loaders call `encode`, which knows no role.
        return _named(rules, [rules.default]) if text is None else Prompt(None, text)
    if role is None:
        return _named(rules, [*keys, rules.default, rules.otherwise])
    return _named(rules, [*keys, *(("passage", "corpus") if role == "document" else ()), rules.otherwise])


def _named(rules: PromptRules, names: Sequence[str | None]) -> Prompt:
    for name in names:
        if name is not None and name in rules.prompts:
            prompt = rules.prompts[name]
            if rules.with_text and "{text}" in prompt:
                before, _, after = prompt.partition("{text}")
                return Prompt(name, before, after)
            return Prompt(name, prompt)
    return Prompt(None, None)


def _adapted(rules: AdapterRules, keys: list[str], role: Role | None) -> Prompt:
    name = next((key for key in keys if key in rules.by_key), None)
    adapter = rules.otherwise if name is None else rules.by_key[name]
    text = rules.query if role == "query" else rules.other
    return Prompt(name, rules.prompts.get(adapter or "") if text is None else text, adapter=adapter)


def _instructed(
    rules: InstructionRules,
    task: str,
    task_type: str,
    task_prompt: str | Mapping[str, str] | None,
    type_prompt: str,
    role: Role | None,
) -> str | None:
    """The instruction in its template; None where the text gets no prompt from the instructions."""
    if task_type in rules.not_for or (role == "document" and not rules.for_documents):
        return None
    instruction = _instruction(rules, task, task_type, task_prompt, role)
    if isinstance(instruction, Mapping):
        if isinstance(rules.by_role, tuple):
            return rules.by_role[0]
        instruction = str(dict(instruction)) if rules.by_role == "all" else next(iter(instruction.values()))
    elif instruction is None:
        instruction = type_prompt
    if rules.template is None:
        return instruction
    if not instruction:
        return rules.without.get(role or "", "")
    around = rules.template[role or ""]
    return around[0] if len(around) == 1 else instruction.join(around)


def _instruction(
    rules: InstructionRules,
    task: str,
    task_type: str,
    task_prompt: str | Mapping[str, str] | None,
    role: Role | None,
) -> str | Mapping[str, str] | None:
    """The instruction of the first source that has one, by role only for texts without a role; None without any."""
    chosen: str | Mapping[str, str] | None = task_prompt
    keys = {"custom_prompt": task, "task_type_prompt": task_type, "encode_type_prompt": role}
    for source in rules.priority:
        if source == "default_task_prompt":
            if task_prompt.get(role) if isinstance(task_prompt, Mapping) and role else task_prompt:
                break
        elif (key := keys[source]) in rules.by_key:
            chosen = rules.by_key[str(key)]
            break
    if isinstance(chosen, Mapping) and role is not None:
        return chosen.get(role, "")
    return chosen or None
