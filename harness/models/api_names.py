"""Names by which APIs call their models -> the names that ask those APIs here."""

from __future__ import annotations

import re

_SERVED = (
    ("openai", re.compile(r"text-embedding-(?:3-small|3-large|ada-002)")),
    ("voyage", re.compile(r"voyage-[\w.-]+")),
    ("cohere", re.compile(r"embed-(?:english|multilingual|v4)[\w.-]*")),
    ("google", re.compile(r"gemini-embedding-[\w.-]+")),
)
"""Provider -> how its models are called: without an organisation, so that none of these is a name of the hub."""


def endpoint_for(name: str) -> str | None:
    """`openai:text-embedding-3-small` for `text-embedding-3-small`; None for a name that no provider uses."""
    return next((f"{provider}:{name}" for provider, pattern in _SERVED if pattern.fullmatch(name)), None)
