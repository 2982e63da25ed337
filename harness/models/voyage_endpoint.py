"""The kind of model "Voyage endpoint". Input types are those of mteb 2.26, `voyage_models.py`."""

from __future__ import annotations

from typing import Any

from harness.models.endpoint_names import Endpoint
from harness.models.endpoint_protocol import Ask, EndpointProtocol, bearer, read_indexed
from harness.types import AdapterRules


def _body(endpoint: Endpoint, ask: Ask) -> dict[str, Any]:
    dimensions = {} if endpoint.dimensions is None else {"output_dimension": endpoint.dimensions}
    return {
        "model": endpoint.model,
        "input": list(ask.texts),
        "input_type": ask.input_type,
        "truncation": ask.truncated,
        **dimensions,
    }


VOYAGE = EndpointProtocol(
    key_variables=("VOYAGE_API_KEY",),
    headers=bearer,
    path=lambda endpoint: "/embeddings",
    body=_body,
    read=read_indexed,
    texts_per_request=1000,
    tokens_per_request=120_000,
    long_texts="cut when asked",
    input_types=AdapterRules(by_key={"query": "query", "document": "document"}, otherwise="document"),
    empty_text=" ",
)
