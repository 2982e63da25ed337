"""The kind of model "OpenAI-compatible endpoint": OpenAI, vLLM, text-embeddings-inference, infinity, llama.cpp, ollama.

Source: OpenAI's reference of `POST /embeddings`. Where mteb 2.26 gives an empty text a vector of zeros, OpenAI is sent
a space, because a zero vector cannot be compared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.errors import EncodeError, first_line
from harness.models.endpoint_names import Endpoint
from harness.models.endpoint_protocol import Ask, EndpointProtocol, bearer, read_indexed

_MOST_TOKENS = 8191
_ADVICE = "if it is too long, install the package tiktoken (extra `openai`), with which it is cut as mteb cuts it"


def _body(endpoint: Endpoint, ask: Ask) -> dict[str, Any]:
    dimensions = {} if endpoint.dimensions is None else {"dimensions": endpoint.dimensions}
    return {"model": endpoint.model, "input": list(ask.texts), "encoding_format": "float", **dimensions}


def _cut(text: str) -> str | None:
    """The first 8,191 tokens of a text, as mteb 2.26 cuts; None without the package tiktoken.

    Raises:
        EncodeError: tiktoken cannot load the tokens' table.
    """
    try:
        import tiktoken
    except ImportError:
        return None
    try:
        table = tiktoken.get_encoding("cl100k_base")
    except Exception as err:
        raise EncodeError(f"tiktoken cannot load cl100k_base ({first_line(err)})", kind="transient") from err
    return str(table.decode(table.encode(text, disallowed_special=())[:_MOST_TOKENS]))


COMPATIBLE = EndpointProtocol(
    key_variables=("OPENAI_API_KEY",),
    headers=bearer,
    path=lambda endpoint: "/embeddings",
    body=_body,
    read=read_indexed,
    texts_per_request=32,  # text-embeddings-inference takes no more unless it is started with other settings
    tokens_per_request=16_384,
    long_texts="unknown",
    advice="if it is too long, start the server so that it cuts long texts, or leave out the task",
)
OPENAI = replace(
    COMPATIBLE,
    texts_per_request=512,
    tokens_per_request=200_000,
    long_texts="cut here",
    empty_text=" ",
    cut=_cut,
    advice=_ADVICE,
)
"""OpenAI's own servers take 2,048 texts and 300,000 tokens."""
