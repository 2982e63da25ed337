"""The kind of model "OpenAI-compatible endpoint": OpenAI, vLLM, text-embeddings-inference, infinity, llama.cpp, ollama.

Source: OpenAI's reference of `POST /embeddings`. Where mteb 2.26 gives an empty text a vector of zeros, OpenAI is sent
a space, because a zero vector cannot be compared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.models.endpoint_names import Endpoint
from harness.models.endpoint_protocol import Ask, EndpointProtocol, bearer, read_indexed


def _body(endpoint: Endpoint, ask: Ask) -> dict[str, Any]:
    dimensions = {} if endpoint.dimensions is None else {"dimensions": endpoint.dimensions}
    return {"model": endpoint.model, "input": list(ask.texts), "encoding_format": "float", **dimensions}


COMPATIBLE = EndpointProtocol(
    key_variables=("OPENAI_API_KEY",),
    headers=bearer,
    path=lambda endpoint: "/embeddings",
    body=_body,
    read=read_indexed,
    texts_per_request=32,  # text-embeddings-inference takes no more unless it is started with other settings
    tokens_per_request=16_384,
    long_texts="unknown",
)
OPENAI = replace(COMPATIBLE, texts_per_request=512, tokens_per_request=200_000, long_texts="refused", empty_text=" ")
"""OpenAI's own servers take 2,048 texts and 300,000 tokens."""
