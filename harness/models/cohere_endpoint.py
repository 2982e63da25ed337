"""The kind of model "Cohere endpoint", version 2 of the API. Input types are those of mteb 2.26, `cohere_models.py`."""

from __future__ import annotations

from typing import Any

from harness.models.endpoint_names import Endpoint
from harness.models.endpoint_protocol import (
    Ask,
    BadAnswer,
    EndpointProtocol,
    ServerAnswer,
    bearer,
    by_purpose,
    matrix,
    tokens_in,
)
from harness.types import AdapterRules


def _body(endpoint: Endpoint, ask: Ask) -> dict[str, Any]:
    dimensions = {} if endpoint.dimensions is None else {"output_dimension": endpoint.dimensions}
    return {
        "model": endpoint.model,
        "texts": list(ask.texts),
        "input_type": ask.input_type,
        "embedding_types": ["float"],
        "truncate": "END" if ask.truncated else "NONE",
        **dimensions,
    }


def _read(content: Any, count: int) -> ServerAnswer:
    embeddings = content.get("embeddings") if isinstance(content, dict) else None
    rows = embeddings.get("float") if isinstance(embeddings, dict) else None
    if not isinstance(rows, list):
        raise BadAnswer('it holds no list "embeddings.float"')
    if len(rows) != count:
        raise BadAnswer(f"it holds {len(rows)} embeddings for {count} texts")
    meta = content.get("meta")
    billed = meta.get("billed_units") if isinstance(meta, dict) else None
    return ServerAnswer(matrix(rows), tokens_in(billed, "input_tokens"), None)


COHERE = EndpointProtocol(
    key_variables=("COHERE_API_KEY", "CO_API_KEY"),
    headers=bearer,
    path=lambda endpoint: "/embed",
    body=_body,
    read=_read,
    texts_per_request=96,
    tokens_per_request=128_000,
    long_texts="cut when asked",
    input_types=AdapterRules(
        by_key={
            **by_purpose(classification="classification", clustering="clustering"),
            "query": "search_query",
            "document": "search_document",
        },
        otherwise="search_document",
    ),
    needs_input_type=True,
    empty_text=" ",
)
