"""What a model wants to read before its texts: prompts by name, instructions in a template, adapters by task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from harness.types.tasks import Part, TaskSpec

USUAL_PRIORITY = ("custom_prompt", "task_type_prompt", "encode_type_prompt", "default_task_prompt")
"""mteb's order of sources of an instruction: the model's for the task, for its type, for the role; then the task's."""


class Purpose(NamedTuple):
    """What texts are encoded for: a part of a task."""

    task: TaskSpec
    part: Part


class Prompt(NamedTuple):
    """The prompt for a text.

    Attributes:
        name: its name among the model's prompts.
        text: what goes before the text.
        suffix: what goes after the text.
        adapter: the adapter of the model that encodes the text, for models with one for each use; or the input type
            that an endpoint is told.
        purpose: what the text is for, told only to a model whose own code decides what goes before it.
    """

    name: str | None
    text: str | None
    suffix: str = ""
    adapter: str | None = None
    purpose: Purpose | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionRules:
    """How an instruction-tuned model is told what its texts are for. Source: mteb's `AbsEncoder.get_instruction`.

    Attributes:
        by_key: task, task type or role -> an instruction, or an instruction for each role.
        template: role (empty for none) -> what stands before and after the instruction, or a constant text; None where
            instructions are used as they are.
        without: role -> the prompt where there is no instruction.
        by_role: what a text without a role gets where a task has an instruction for each role: the `first`, `all` as
            mteb prints the mapping, or a constant text.
        priority: the order in which sources of instructions are asked.
        for_documents: whether documents get an instruction too.
        not_for: task types whose texts get none.
    """

    by_key: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    template: Mapping[str, tuple[str, ...]] | None = None
    without: Mapping[str, str] = field(default_factory=dict)
    by_role: str | tuple[str, ...] = "first"
    priority: tuple[str, ...] = USUAL_PRIORITY
    for_documents: bool = True
    not_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterRules:
    """Which adapter of a model encodes a text, or which input type an endpoint is told, and its prompt.

    Attributes:
        by_key: `<task>-<role>`, `<task>`, `<type>-<role>`, `<type>` or `<role>` -> an adapter.
        otherwise: the adapter where no key fits; None for the model without one.
        prompts: adapter -> prompt.
        query: the prompt of queries, whatever the adapter.
        other: the prompt of texts that are not queries, whatever the adapter.
    """

    by_key: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    query: str | None = None
    other: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRules:
    """Everything that decides what goes before a model's texts.

    Attributes:
        prompts: name -> prompt. The first of these names is chosen: `<task>-<role>`, `<task>`, `<type>-<role>`,
            `<type>`, `<role>`.
        default: the name of the prompt for texts without a role that no name fits.
        otherwise: the name of the prompt for any text that no name fits.
        with_text: whether prompts hold `{text}`, in place of which the text stands.
        tells_role: whether the model is told the role of a text besides, by which it may choose among its weights.
        instructions: rules that come before the names.
        adapters: rules that replace the names.
        by_model: whether the model's own code decides, which is told the purpose of the texts; nothing else applies.
        source: who says so: the model's own files, mteb's loader (`catalog`), or the `user`.
    """

    prompts: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None
    otherwise: str | None = None
    with_text: bool = False
    tells_role: bool = True
    instructions: InstructionRules | None = None
    adapters: AdapterRules | None = None
    by_model: bool = False
    source: Literal["model", "catalog", "user"] = "model"
