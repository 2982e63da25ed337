"""The choice of the prompt that goes before a text, among those of a model (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from harness.types import Prompt, Role


def choose(
    prompts: Mapping[str, str], *, task: str, task_type: str, role: Role | None, default: str | None = None
) -> Prompt:
    """The prompt for a text of `task` in `role`.

    It is the first of these names that `prompts` has, as in mteb 2.26 (`get_prompt_name`): `<task>-<role>`, `<task>`,
    `<type>-<role>`, `<type>`, `<role>`; then, as in sentence-transformers 6.2 (`encode_document`, `encode`): `passage`
    or `corpus` for a document, and the model's `default` prompt for a text without a role.

    Args:
        prompts: the model's prompts by name.
        task: task name.
        task_type: task type.
        role: `query`, `document`, or None for symmetric tasks.
        default: the model's `default_prompt_name`.

    Returns:
        The prompt's name and text, both None where the model has no prompt for such a text.
    """
    if role is None:
        keys = [task, task_type, default]
    else:
        keys = [f"{task}-{role}", task, f"{task_type}-{role}", task_type, role]
        keys += ["passage", "corpus"] if role == "document" else []
    for key in keys:
        if key is not None and key in prompts:
            return Prompt(key, prompts[key])
    return Prompt(None, None)
