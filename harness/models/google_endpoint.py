"""The kind of model "Google endpoint": the Gemini API. Task types are those of mteb 2.26, `google_text_embedding.py`.

Two things differ. mteb's name `SIMILARITY` is `SEMANTIC_SIMILARITY` in this API, and vectors keep all dimensions unless
the model's name asks for fewer, where mteb asks for 768.
"""

from __future__ import annotations

from typing import Any

from harness.models.endpoint_names import Endpoint
from harness.models.endpoint_protocol import Ask, BadAnswer, EndpointProtocol, ServerAnswer, by_purpose, matrix
from harness.types import AdapterRules

TAKES_PROMPTS = "gemini-embedding-2"
"""How the names of models begin that read what a text is for in the text, and have no task types."""


def _body(endpoint: Endpoint, ask: Ask) -> dict[str, Any]:
    settings: dict[str, Any] = {"model": f"models/{endpoint.model}"}
    if ask.input_type is not None:
        settings["taskType"] = ask.input_type
    if endpoint.dimensions is not None:
        settings["outputDimensionality"] = endpoint.dimensions
    return {"requests": [{**settings, "content": {"parts": [{"text": text}]}} for text in ask.texts]}


def _read(content: Any, count: int) -> ServerAnswer:
    embeddings = content.get("embeddings") if isinstance(content, dict) else None
    if not isinstance(embeddings, list) or not all(isinstance(item, dict) for item in embeddings):
        raise BadAnswer('it holds no list "embeddings"')
    if len(embeddings) != count:
        raise BadAnswer(f"it holds {len(embeddings)} embeddings for {count} texts")
    return ServerAnswer(matrix([item.get("values") for item in embeddings]), None, None)


GOOGLE = EndpointProtocol(
    key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    headers=lambda key: {"x-goog-api-key": key},
    path=lambda endpoint: f"/models/{endpoint.model}:batchEmbedContents",
    body=_body,
    read=_read,
    texts_per_request=100,
    tokens_per_request=20_000,
    long_texts="unknown",
    input_types=AdapterRules(
        by_key={
            **by_purpose(classification="CLASSIFICATION", clustering="CLUSTERING", similarity="SEMANTIC_SIMILARITY"),
            "query": "RETRIEVAL_QUERY",
            "document": "RETRIEVAL_DOCUMENT",
        }
    ),
    empty_text=" ",
)
