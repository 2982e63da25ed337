"""Names by which APIs, or mteb, call the models of APIs -> the names that ask those APIs here."""

from __future__ import annotations

import re

from harness.models.catalog import CatalogEntry

_SERVED = (
    ("openai", re.compile(r"text-embedding-(?:3-small|3-large|ada-002)")),
    ("voyage", re.compile(r"voyage-[\w.-]+")),
    ("cohere", re.compile(r"embed-(?:english|multilingual|v4)[\w.-]*")),
    ("google", re.compile(r"gemini-embedding-[\w.-]+")),
)
"""Provider -> how its models are called: without an organisation, so that none of these is a name of the hub."""

_LOADERS = {
    "OpenAIModel": "openai",
    "VoyageModel": "voyage",
    "CohereTextEmbeddingModel": "cohere",
    "GoogleTextEmbeddingModel": "google",
}
"""The class with which mteb opens a model -> its provider."""


def endpoint_for(name: str) -> str | None:
    """`openai:text-embedding-3-small` for `text-embedding-3-small`; None for a name that no provider uses."""
    return next((f"{provider}:{name}" for provider, pattern in _SERVED if pattern.fullmatch(name)), None)


def endpoint_of_entry(entry: CatalogEntry) -> str | None:
    """`voyage:voyage-4-large#2048` for mteb's `mongodb/voyage-4-large (embed_dim=2048)`; None where none fits."""
    provider = _LOADERS.get(entry.loader or "")
    if provider is None or entry.arguments.keys() & {"output_dtype", "evolved_prompts"}:
        return None
    model, _, settings = entry.name.rpartition("/")[2].removeprefix("Cohere-").partition(" ")
    dimensions = re.fullmatch(r"\(embed_dim=(\d+)\)", settings)
    return f"{provider}:{model}" + (f"#{dimensions[1]}" if dimensions else "")
