"""The providers of models over HTTP: protocol, input types and key of each."""

from __future__ import annotations

import os

from harness.errors import ModelError
from harness.models import cohere_endpoint, google_endpoint, openai_endpoint, voyage_endpoint
from harness.models.endpoint_names import Endpoint, parse
from harness.models.endpoint_protocol import EndpointProtocol
from harness.types import ModelSpec, PromptRules


def protocol_of(endpoint: Endpoint) -> EndpointProtocol:
    """The protocol that a server speaks."""
    if endpoint.provider == "openai":
        return openai_endpoint.OPENAI if endpoint.at_provider else openai_endpoint.COMPATIBLE
    return {
        "voyage": voyage_endpoint.VOYAGE,
        "cohere": cohere_endpoint.COHERE,
        "google": google_endpoint.GOOGLE,
    }[endpoint.provider]


def input_type_rules(spec: ModelSpec) -> PromptRules:
    """Which input type, or prompt, belongs to which text; as mteb's wrapper of the provider.

    Raises:
        ModelError: the model takes none, and needs prompts.
    """
    endpoint = parse(spec.location)
    types = protocol_of(endpoint).input_types
    if endpoint.model.startswith(google_endpoint.TAKES_PROMPTS) and endpoint.provider == "google":
        raise ModelError(
            f"model {spec.name}: takes instructions in its texts in place of task types; give them with --prompts, for "
            'example {"query": "task: search result | query: "}'
        )
    return PromptRules() if types is None else PromptRules(adapters=types, source="catalog")


def require_prompts_allowed(spec: ModelSpec) -> None:
    """Refuse prompts for a model that must be told an input type.

    Raises:
        ModelError: it must.
    """
    if protocol_of(parse(spec.location)).needs_input_type:
        raise ModelError(f"model {spec.name}: takes input types in place of prompts; leave out --prompts and --like")


KEY_OF_OTHERS = "HARNESS_ENDPOINT_KEY"
"""The environment variable of the key for a server that is not the provider's: the provider's key is not sent there."""


def key_variables(endpoint: Endpoint) -> tuple[str, ...]:
    """The environment variables that may hold the key for a server; the first that is set counts."""
    return protocol_of(endpoint).key_variables if endpoint.at_provider else (KEY_OF_OTHERS,)


def key_advice(endpoint: Endpoint) -> str:
    """What to do if a server refuses the key."""
    if _is_private(endpoint):
        return f"set {' or '.join(key_variables(endpoint))} to a key that may use this model"
    return f"{KEY_OF_OTHERS} is sent over https, or to this machine; give a URL with https://"


def _is_private(endpoint: Endpoint) -> bool:
    """Whether nobody on the way to the server can read a key."""
    return endpoint.url.startswith("https:") or endpoint.on_this_machine


def key_of(endpoint: Endpoint) -> str:
    """The key for a server; empty where none is needed, or where it would travel unencrypted to another machine.

    Raises:
        ModelError: the provider needs one, and there is none.
    """
    variables = key_variables(endpoint)
    key = next((value for name in variables if (value := os.environ.get(name, "").strip())), "")
    if not key and endpoint.at_provider:
        raise ModelError(f"model {endpoint.asked}: needs a key; set the environment variable {' or '.join(variables)}")
    if not key.isascii() or not key.isprintable():
        raise ModelError(f"model {endpoint.asked}: {' or '.join(variables)} holds characters that no key has")
    return key if _is_private(endpoint) else ""
