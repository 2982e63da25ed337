"""Names of models behind HTTP, `PROVIDER:MODEL[#DIMENSIONS][@URL]`: what is asked where, and the names of records."""

from __future__ import annotations

import hashlib
import json
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from harness.errors import ModelError

URLS = {
    "openai": "https://api.openai.com/v1",
    "voyage": "https://api.voyageai.com/v1",
    "cohere": "https://api.cohere.com/v2",
    "google": "https://generativelanguage.googleapis.com/v1beta",
}
"""Provider -> where its API answers, for a name without a URL."""
_NAME = re.compile(r"(?P<provider>[a-z]+):(?P<model>.*?)(?:#(?P<dimensions>[^#@]*))?(?:@(?P<url>[a-z]+://.*))?")
_MODEL = re.compile(r"[A-Za-z0-9@][A-Za-z0-9._+:/@-]{0,99}")
_LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1")
_LONGEST_HOST = 60


class Endpoint(NamedTuple):
    """A model behind an HTTP endpoint.

    Attributes:
        provider: whose protocol it speaks.
        model: as the server calls it.
        url: to which the protocol's paths are added; without a slash at its end.
        dimensions: how many the server is asked for; None for the model's own.
    """

    provider: str
    model: str
    url: str
    dimensions: int | None = None

    @property
    def asked(self) -> str:
        """The name, in one spelling."""
        dimensions = "" if self.dimensions is None else f"#{self.dimensions}"
        url = "" if self.at_provider else f"@{self.url}"
        return f"{self.provider}:{self.model}{dimensions}{url}"

    @property
    def host(self) -> str:
        """The name of the machine."""
        return urlsplit(self.url).hostname or ""

    @property
    def at_provider(self) -> bool:
        """Whether it answers at the provider's own API."""
        return self.url == URLS[self.provider]

    @property
    def on_this_machine(self) -> bool:
        """Whether it answers at a loopback address."""
        return _LOOPBACK.fullmatch(self.host) is not None

    @property
    def record_name(self) -> str:
        """`provider/model`, or `host-port/model` for a URL of one's own; safe as the name of a folder."""
        place = self.provider
        if not self.at_provider:
            port = urlsplit(self.url).port
            place = self.host if port is None else f"{self.host}-{port}"
        model = re.sub(r"[^\w.-]", "_", self.model.lstrip("@").replace("/", "__"))
        return f"{re.sub(r'[^a-z0-9.-]', '_', place)}/{model}"

    @property
    def revision(self) -> str:
        """A digest of all that is asked: servers at two addresses may run other weights under one name."""
        return hashlib.sha256(json.dumps(self).encode()).hexdigest()[:40]


def is_endpoint(name: str) -> bool:
    """Whether a name asks for an endpoint."""
    return name.partition(":")[0] in URLS and ":" in name


def is_record_name(name: str) -> bool:
    """Whether the records of an endpoint can have this name: a provider's, or that of a server on this machine."""
    place = name.partition("/")[0].lower()
    return place in URLS or _LOOPBACK.fullmatch(re.sub(r"-\d+$", "", place)) is not None


def parse(name: str) -> Endpoint:
    """The endpoint that a name asks for.

    Raises:
        ModelError: the name is not of the form, or its URL holds what must not be written down.
    """
    if not name.isprintable():
        raise ModelError(f"model {_shown(name)}: holds characters that cannot be printed; leave them out")
    match = _NAME.fullmatch(name)
    assert match is not None, "`is_endpoint` was asked before"
    provider, model = match["provider"], match["model"]
    if "@" in model[1:] and match["url"] is None:
        raise ModelError(
            f"model {_shown(name)}: {model.rpartition('@')[2]!r} is no URL; expected "
            f"{provider}:MODEL[#DIMENSIONS][@http(s)://HOST[:PORT][/PATH]]; an endpoint has no revisions"
        )
    if not _MODEL.fullmatch(model) or ".." in model or "//" in model:
        raise ModelError(
            f"model {_shown(name)}: expected {provider}:MODEL[#DIMENSIONS][@URL], with a name of at most 100 letters, "
            "digits and . _ + : / @ -"
        )
    dimensions = match["dimensions"]
    if dimensions is not None and not re.fullmatch(r"[1-9]\d{0,4}", dimensions):
        raise ModelError(f"model {_shown(name)}: after # stands {dimensions!r}; expected a number of dimensions")
    return Endpoint(
        provider, model, _url(name, provider, match["url"]), None if dimensions is None else int(dimensions)
    )


def _url(name: str, provider: str, url: str | None) -> str:
    if url is None:
        return URLS[provider]
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as err:
        raise ModelError(f"model {_shown(name)}: expected a URL such as http://localhost:8080/v1") from err
    if parts.username is not None or parts.query or parts.fragment:
        raise ModelError(
            f"model {_shown(name)}: its URL holds a user name, a password or a query, which records would show; leave "
            "them out: the key is taken from the environment"
        )
    bad_host = not host or len(host) > _LONGEST_HOST or not re.fullmatch(r"[a-z0-9.:_-]+", host) or ".." in host
    if parts.scheme not in ("http", "https") or bad_host or not re.fullmatch(r"[\w.~/-]*", parts.path, re.ASCII):
        raise ModelError(f"model {_shown(name)}: expected a URL such as http://localhost:8080/v1")
    path = parts.path.rstrip("/").removesuffix("/embeddings")
    if not path and provider == "openai" and not parts.path.rstrip("/"):
        path = "/v1"
    usual = {"http": 80, "https": 443}[parts.scheme]
    shown_host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown_host}{'' if port in (None, usual) else f':{port}'}{path}"


def _shown(name: str) -> str:
    """The name for messages: printable, without what may be a password or a key."""
    printable = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name)
    return re.sub(r"(//)[^/@]*@|[?].*", r"\1", printable)
