"""The kinds of model behind HTTP endpoints: found by name, asked with a key from the environment, never loaded."""

from __future__ import annotations

from harness.errors import ModelError
from harness.hub.offline import is_offline
from harness.models.endpoint_names import parse
from harness.models.endpoint_providers import key_of
from harness.models.model_kind import ModelKind
from harness.types import EncodeOptions, Encoder, ModelSpec

_KIND_NAMES = {
    "openai": "OpenAI-compatible endpoint",
    "voyage": "Voyage endpoint",
    "cohere": "Cohere endpoint",
    "google": "Google endpoint",
}


def _open(spec: ModelSpec, options: EncodeOptions) -> Encoder:
    """The model; nothing is sent yet.

    Raises:
        ModelError: there is no key.
    """
    from harness.models.endpoint_encoder import EndpointEncoder

    return EndpointEncoder(spec, options)


KINDS = tuple(
    ModelKind(
        name=name,
        recognises=lambda repository: False,
        open=_open,
        settings=frozenset({"batch_tokens", "store", "price", "dims", "quantize", "prompts", "like"}),
    )
    for name in _KIND_NAMES.values()
)


def resolve(name: str, *, runnable: bool) -> ModelSpec:
    """The model that a name of an endpoint stands for.

    Args:
        name: for which `endpoint_names.is_endpoint` says yes.
        runnable: whether a model that could not be asked now is refused.

    Raises:
        ModelError: the name is wrong, there is no key, or the endpoint may not be asked.
    """
    endpoint = parse(name)
    if runnable:
        if is_offline() and not endpoint.on_this_machine:
            raise ModelError(
                f"model {endpoint.asked}: offline, only an endpoint on this machine may be asked; leave out --offline"
            )
        key_of(endpoint)
    return ModelSpec(
        name=endpoint.record_name,
        revision=endpoint.revision,
        location=endpoint.asked,
        origin="endpoint",
        kind=_KIND_NAMES[endpoint.provider],
    )
