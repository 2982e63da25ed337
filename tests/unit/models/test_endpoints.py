"""Models behind HTTP: every answer that a server may give ends in the right vectors, or in one clear sentence."""

from __future__ import annotations

import json
import socket
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness import encoding, models
from harness.encoding import vector_files
from harness.errors import HarnessError, ModelError
from harness.hub.offline import offline_mode
from harness.models import catalog, endpoint_client, endpoint_encoder, endpoint_waiting
from harness.models.endpoint_names import URLS, parse
from harness.models.endpoint_providers import KEY_OF_OTHERS, key_of, protocol_of
from harness.models.model_prompts import asked_of, planned_prompts, planned_rules
from harness.tasks import registry
from harness.types import EncodeOptions, Encoder, Prompt, Texts
from tests import endpoint_server
from tests.encoders import NO_PROMPT
from tests.endpoint_server import BREAK, KEY, Asked, EndpointServer, Reply

TEXTS = [f"text number {number} " + "word " * (number % 7) for number in range(128)]


KEY_VARIABLES = [
    KEY_OF_OTHERS,
    *(name for provider in URLS for name in protocol_of(parse(f"{provider}:m")).key_variables),
]
BEARER = ("Authorization", f"Bearer {KEY}")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(endpoint_client, "_backoff", lambda failures: 0.001)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, no_keys: None) -> None:
    for name in KEY_VARIABLES:
        monkeypatch.setenv(name, KEY)


def opened(name: str, **options: Any) -> Encoder:
    encoder = models.open_model(models.resolve(name), EncodeOptions(**options))
    assert isinstance(encoder, Encoder)
    return encoder


def encode(server: EndpointServer, texts: list[str] = TEXTS, **options: Any) -> encoding.EncodedTexts:
    encoder = opened(f"openai:m@{server.url}")
    try:
        return encoding.encode(encoder, Texts(items=texts), **{"prompt": NO_PROMPT, **options})
    finally:
        encoder.close()


def error_of(server: EndpointServer, texts: list[str] = TEXTS) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        encode(server, texts)
    assert "\n" not in str(caught.value)
    return caught.value


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "url", "record"),
    [
        ("openai:text-embedding-3-small", URLS["openai"], "openai/text-embedding-3-small"),
        ("openai:Qwen/Qwen3@http://localhost:8000", "http://localhost:8000/v1", "localhost-8000/Qwen__Qwen3"),
        ("openai:nomic:latest@http://LOCALHOST:80/v1/", "http://localhost/v1", "localhost/nomic_latest"),
        ("openai:@cf/bge@https://a.example/x/embeddings", "https://a.example/x", "a.example/cf__bge"),
        ("openai:m@http://[::1]:9/v1", "http://[::1]:9/v1", "__1-9/m"),
        ("voyage:voyage-3.5#512", URLS["voyage"], "voyage/voyage-3.5"),
    ],
)
def test_a_name_tells_model_and_url(name: str, url: str, record: str) -> None:
    """The record's name is one folder name without separators, and the canonical name reads as itself."""
    endpoint = parse(name)
    assert endpoint.url == url
    assert endpoint.record_name == record
    assert parse(endpoint.asked) == endpoint


@pytest.mark.parametrize(
    "name",
    [
        "openai:",
        "openai:a/../../b@http://localhost",
        "openai:m@main",
        "openai:a b@http://localhost",
        "openai:m@ftp://localhost",
        "openai:m@http://",
        "openai:m@http://me:pass@localhost",
        "openai:m@http://localhost/v1?key=pass",
        "openai:m@http://localhost:port",
        "openai:m#many@http://localhost",
        f"openai:{'m' * 101}@http://localhost",
        "openai:\x1b[31mred@http://localhost",
        "openai:two\nlines",
        "openai:m@http://local\x1b[31mhost",
        "openai:m\x9b@http://localhost:\u202e1",
    ],
)
def test_a_wrong_name_is_refused(name: str) -> None:
    """In one printable sentence, which repeats no password."""
    with pytest.raises(ModelError, match=r"^model ") as caught:
        models.resolve(name)
    assert "pass@" not in str(caught.value)
    assert "key=pass" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_another_server_or_size_is_another_revision() -> None:
    """Records and vectors of two servers, models or numbers of dimensions are never mixed up."""
    names = [f"openai:{name}" for name in ("m@http://localhost:1", "m@http://localhost:2", "n@http://localhost:1")]
    names.append("openai:m#8@http://localhost:1")
    assert len({models.resolve(name).revision for name in names}) == 4


def test_a_missing_key_is_one_sentence() -> None:
    """It names the variable; a server of one's own needs none; without a network only this machine is asked."""
    with pytest.raises(ModelError, match="COHERE_API_KEY or CO_API_KEY"):
        models.resolve("cohere:embed-v4.0")
    models.resolve("openai:m@http://some.example:8000")
    with offline_mode():
        models.resolve("openai:m@http://localhost:8000")
        with pytest.raises(ModelError, match="--offline"):
            models.resolve("openai:m@http://some.example:8000")


def test_a_key_does_not_travel_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes to this machine and over https; never over http to another machine."""
    monkeypatch.setenv("HARNESS_ENDPOINT_KEY", KEY)
    sent = {
        url: key_of(parse(f"openai:m@{url}")) for url in ("http://a.example", "https://a.example", "http://[::1]:9")
    }
    assert sent == {"http://a.example": "", "https://a.example": KEY, "http://[::1]:9": KEY}


def test_a_provider_s_key_goes_to_the_provider_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another server, whatever protocol it speaks, is sent no key but that of `HARNESS_ENDPOINT_KEY`."""
    for name in KEY_VARIABLES:
        monkeypatch.setenv(name, f"{name}-key")
    monkeypatch.delenv(KEY_OF_OTHERS)
    others = ["http://127.0.0.1:1", "https://a.example", "https://api.openai.com.a.example/v1"]
    assert {key_of(parse(f"{provider}:m@{url}")) for provider in URLS for url in others} == {""}
    assert key_of(parse("openai:m@https://api.openai.com/v1/")) == "OPENAI_API_KEY-key"
    monkeypatch.setenv(KEY_OF_OTHERS, KEY)
    assert key_of(parse("openai:m@https://a.example")) == KEY
    assert key_of(parse("openai:m")) == "OPENAI_API_KEY-key"


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [endpoint_server.openai_like, endpoint_server.llama_cpp_like, endpoint_server.base64_like]
)
def test_answers_of_many_servers_are_read(shape: endpoint_server.Shape) -> None:
    """Floats or base64, in any order of the texts: the row of each text is the server's, to the bit."""
    with EndpointServer(shape) as server:
        encoded = encode(server)
    assert np.array_equal(encoded.vectors, endpoint_server.vectors(TEXTS))
    assert encoded.tokens_encoded == sum(len(text.split()) + 2 for text in TEXTS)
    assert encoded.texts_truncated is None  # such servers may cut texts without a word
    assert max(len(asked.texts) for asked in server.asked) <= 32


@pytest.mark.parametrize(
    ("provider", "shape", "path", "header", "dimensions"),
    [
        ("voyage", endpoint_server.voyage_like, "/v1/embeddings", BEARER, "output_dimension"),
        ("cohere", endpoint_server.cohere_like, "/v1/embed", BEARER, "output_dimension"),
        (
            "google",
            endpoint_server.google_like,
            "/v1/models/m:batchEmbedContents",
            ("x-goog-api-key", KEY),
            "outputDimensionality",
        ),
    ],
)
@pytest.mark.usefixtures("keys")
def test_other_protocols(provider: str, shape: Any, path: str, header: tuple[str, str], dimensions: str) -> None:
    """Each provider is asked at its path, with the key in its header, and answers in its own form."""
    with EndpointServer(shape, needs=header) as server:
        encoder = opened(f"{provider}:m#16@{server.url}")
        encoded = encoding.encode(encoder, Texts(items=TEXTS), prompt=NO_PROMPT)
        encoder.close()
    assert {asked.path for asked in server.asked} == {path}
    assert np.array_equal(encoded.vectors, endpoint_server.vectors(TEXTS))
    assert all(f'"{dimensions}": 16' in json.dumps(asked.body) for asked in server.asked)


TASKS = ("MiniSTSEnglish", "MiniIntentsEnglish", "MiniTopicsEnglish", "MiniPairsEnglish", "MiniAnswersEnglish")
INPUT_TYPES = {
    "voyage": ["document", "document", "document", "document", "query", "document"],
    "cohere": [
        *("search_document", "classification", "clustering", "search_document", "search_query", "search_document"),
    ],
    "google": [
        *("SEMANTIC_SIMILARITY", "CLASSIFICATION", "CLUSTERING", None, "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT"),
    ],
    "openai": [None] * 6,
}


@pytest.mark.parametrize("provider", INPUT_TYPES)
@pytest.mark.usefixtures("keys")
def test_input_types_are_those_of_mteb(provider: str) -> None:
    """By role, and for STS, classification and clustering by type."""
    tasks, rules = registry.get_tasks(), planned_rules(models.resolve(f"{provider}:m"))
    prompts = [prompt for task in TASKS for prompt in planned_prompts(rules, tasks.get(task)).values()]
    assert [prompt.adapter for prompt in prompts] == INPUT_TYPES[provider]
    assert not any(prompt.text for prompt in prompts)


def test_input_types_are_those_of_the_catalog() -> None:
    """The tables by which mteb's wrappers choose, as the catalog has them; Google's API has another name for STS."""
    of_mteb = {
        "voyage": "mongodb/voyage-3.5",
        "cohere": "Cohere/Cohere-embed-english-v3.0",
        "google": "google/gemini-embedding-001",
    }
    for provider, name in of_mteb.items():
        types, entry = protocol_of(parse(f"{provider}:m")).input_types, catalog.entry(name)
        assert types is not None
        assert entry is not None
        assert {**types.by_key} == {**entry.prompts, **({"STS": "SEMANTIC_SIMILARITY"} if provider == "google" else {})}


# --- errors ----------------------------------------------------------------------------------------------------------


def too_many(seconds: str) -> Any:
    return lambda asked: Reply({"error": {"message": "slow down"}}, 429, {"Retry-After": seconds})


def test_a_server_that_asks_to_wait_is_obeyed() -> None:
    """After a 429 with `Retry-After` nobody sends a request before that time; then all vectors come."""
    until: list[float] = []
    too_early: list[float] = []

    def move(asked: Asked) -> Reply | None:
        if until and asked.at < until[0]:
            too_early.append(until[0] - asked.at)
        return None

    def refuse(asked: Asked) -> Reply:
        until.append(time.monotonic() + 0.3)
        return Reply({"error": {"message": "slow down"}}, 429, {"Retry-After": "0.3"})

    with EndpointServer() as server:
        encode(server, TEXTS[:1])
        server.always = move
        encoder = opened(f"openai:m@{server.url}")
        server.moves.append(refuse)
        encoding.encode(encoder, Texts(items=TEXTS[:1]), prompt=NO_PROMPT)
        encoded = encoding.encode(encoder, Texts(items=TEXTS), prompt=NO_PROMPT)
        encoder.close()
    assert until
    assert not too_early
    assert np.array_equal(encoded.vectors, endpoint_server.vectors(TEXTS))


def test_a_limit_that_is_used_up_is_not_overrun() -> None:
    """An answer that tells that no request is left for a while is the last one until then."""
    free_again: list[float] = []

    def move(asked: Asked) -> Reply:
        answer = endpoint_server.openai_like(asked, endpoint_server.vectors(asked.texts))
        free_again.append(time.monotonic() + 0.2)
        return Reply(answer, 200, {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "200ms"})

    with EndpointServer() as server:
        encoder = opened(f"openai:m@{server.url}")
        server.moves.append(move)
        encoding.encode(encoder, Texts(items=["first"]), prompt=NO_PROMPT)
        encoding.encode(encoder, Texts(items=TEXTS), prompt=NO_PROMPT)
    assert len(server.asked) > 1
    assert all(asked.at >= free_again[0] for asked in server.asked[1:])


@pytest.mark.parametrize(
    "move",
    [
        too_many("0.01"),
        lambda asked: Reply({"message": "busy"}, 503),
        lambda asked: Reply(b"<html>bad gateway</html>", 502),
        lambda asked: BREAK,
        lambda asked: Reply(endpoint_server.openai_like(asked, endpoint_server.vectors(asked.texts)), cut_at=300),
        lambda asked: Reply(b'{"data": [{"embedding": [0.1, 0.'),
        lambda asked: Reply({"object": "list", "data": []}),
    ],
    ids=["429", "503", "502", "reset", "cut body", "cut JSON", "no data"],
)
def test_a_passing_failure_costs_nothing(move: Any) -> None:
    """It is asked again, only what failed, and every text has its vector."""
    with EndpointServer() as server:
        encode(server, ["first"])
        server.moves.extend([move, lambda asked: None, move])
        encoded = encode(server)
    assert np.array_equal(encoded.vectors, endpoint_server.vectors(TEXTS))
    assert set(server.answered.values()) == {1}


def spoiled(spoil: Any) -> Any:
    def move(asked: Asked) -> Reply:
        answer = endpoint_server.openai_like(asked, endpoint_server.vectors(asked.texts))
        spoil(answer["data"])
        return Reply(answer)

    return move


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda data: data.pop(), "31 embeddings for 32 texts"),
        (lambda data: data[1].update(index=0), '"index"'),
        (lambda data: data[0].update(embedding=data[0]["embedding"][:7]), "7 and of 16 dimensions"),
        (lambda data: data[0]["embedding"].__setitem__(3, float("nan")), "NaN"),
        (lambda data: data[0]["embedding"].__setitem__(3, 1e300), "float32 cannot hold"),
        (lambda data: data[0]["embedding"].__setitem__(3, None), "not a list of numbers"),
        (lambda data: data[0].update(embedding=[[0.5, 1.0], [1.0, 0.5]]), "--pooling"),
        (lambda data: data[0].update(embedding="no base64!"), "base64"),
        (lambda data: [item.update(embedding=[0.0] * 16) for item in data], "zero vector"),
    ],
)
def test_a_wrong_answer_is_never_scored(spoil: Any, sentence: str) -> None:
    """Missing, repeated, short, non-finite or nested vectors end in a sentence that tells which."""
    with EndpointServer() as server:
        server.always = spoiled(spoil)
        err = error_of(server)
    assert sentence in str(err)
    assert err.kind == "model"


def test_vectors_of_other_dimensions_in_the_middle() -> None:
    """A server that changes its model during a run is caught."""
    with EndpointServer() as server:
        encode(server, ["first"])
        encoder = opened(f"openai:m@{server.url}")
        encoding.encode(encoder, Texts(items=["second"]), prompt=NO_PROMPT)
        server.rows = lambda texts: np.ones((len(texts), 5), dtype=np.float32)
        with pytest.raises(HarnessError, match="5 dimensions; expected 16"):
            encoding.encode(encoder, Texts(items=TEXTS), prompt=NO_PROMPT)
        encoder.close()


@pytest.mark.parametrize(
    ("status", "kind", "word"),
    [
        (401, "request", "HARNESS_ENDPOINT_KEY"),
        (302, "request", "302"),
        (404, "request", "model's name"),
        (400, "model", "refuses a text"),
        (500, "transient", "500"),
    ],
)
def test_a_lasting_refusal_is_one_sentence(status: int, kind: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do, the server's words, and without the key, even where the server repeats it."""
    monkeypatch.setenv("HARNESS_ENDPOINT_KEY", KEY)
    with EndpointServer() as server:
        server.always = lambda asked: Reply(
            {"error": {"message": f"bad\nkey {asked.headers['Authorization']}"}}, status, {"Location": "/elsewhere"}
        )
        err = error_of(server)
    assert word in str(err)
    assert err.kind == kind
    assert KEY not in str(err)
    assert {asked.path for asked in server.asked} == {"/v1/embeddings"}


def test_a_used_up_quota_is_not_asked_again() -> None:
    """OpenAI's 429 for a quota is no reason to wait; nor is a wait of hours."""
    with EndpointServer() as server:
        server.always = lambda asked: Reply({"error": {"code": "insufficient_quota", "message": "pay"}}, 429)
        assert "no quota left" in str(error_of(server, ["one"]))
        assert len(server.asked) == 1
        server.always = lambda asked: Reply({}, 429, {"Retry-After": "7200"})
        assert "asks to wait 7,200 s" in str(error_of(server, ["one"]))
        assert len(server.asked) == 2


def test_nobody_listens() -> None:
    """Said at once, as something that may pass."""
    with EndpointServer() as server:
        name = f"openai:m@{server.url}"
    encoder = opened(name)
    with pytest.raises(ModelError, match="nobody listens") as caught:
        encoding.encode(encoder, Texts(items=TEXTS), prompt=NO_PROMPT)
    assert caught.value.kind == "transient"


def test_a_host_without_an_address_is_said_to_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that cannot be resolved is another mistake than a server that is not started."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    encoder = opened("openai:m@http://nosuchhost.invalid")
    with pytest.raises(ModelError, match=r"the name nosuchhost\.invalid cannot be resolved"):
        encoding.encode(encoder, Texts(items=TEXTS), prompt=NO_PROMPT)


def test_a_slow_server_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that does not come in time is asked for again."""
    monkeypatch.setenv("HARNESS_ENDPOINT_TIMEOUT", "0.3")
    with EndpointServer() as server:
        server.moves.append(lambda asked: time.sleep(1.0))
        encoded = encode(server, TEXTS[:3])
    assert np.array_equal(encoded.vectors, endpoint_server.vectors(TEXTS[:3]))


def test_a_server_that_never_answers_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After the time that one request may fail, however many attempts are left; the log tells of each other attempt."""
    monkeypatch.setattr(endpoint_client, "LONGEST_FAILING", 100.0)
    monkeypatch.setenv("HARNESS_ENDPOINT_TIMEOUT", "100")
    monkeypatch.setattr(endpoint_waiting, "TELL_EVERY", 0.0)
    monkeypatch.setattr(endpoint_client, "_backoff", lambda failures: 0.0)
    with EndpointServer() as server, caplog.at_level("INFO", logger="harness"):
        # It asks for 0 s once, and then for more than the whole time.
        server.moves.append(lambda asked: Reply({"error": "loading"}, 503, {"Retry-After": "0"}))
        server.always = lambda asked: Reply({"error": "loading"}, 503, {"Retry-After": "101"})
        err = error_of(server, TEXTS[:3])
    assert err.kind == "transient"
    assert "tried again without success" in str(err)
    assert len(server.asked) == 2
    assert [record.getMessage().rpartition("; ")[2] for record in caplog.records] == ["trying again (2 of 8)"]


def test_a_silent_wait_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """While an answer is waited for, one line of the log says so, with the limit and the variable that sets it."""
    monkeypatch.setattr(endpoint_waiting, "SILENCE", 0.05)
    with EndpointServer() as server, caplog.at_level("INFO", logger="harness"):
        server.moves.extend([lambda asked: time.sleep(0.3)] * 2)
        encode(server, TEXTS[:3])
    (line,) = [record.getMessage() for record in caplog.records]
    assert "has not answered for 0 s; waiting for up to 300 s ($HARNESS_ENDPOINT_TIMEOUT)" in line


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf"])
def test_a_wrong_limit_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any server is asked, in one sentence."""
    monkeypatch.setenv("HARNESS_ENDPOINT_TIMEOUT", value)
    with pytest.raises(ModelError, match=rf"HARNESS_ENDPOINT_TIMEOUT is '{value}'; expected a number of seconds"):
        opened("openai:m@http://localhost:1")


# --- limits ----------------------------------------------------------------------------------------------------------


def limited(most_texts: int, longest: int) -> Any:
    """A server that takes so many texts of so many characters, as text-embeddings-inference refuses more."""

    def move(asked: Asked) -> Reply | None:
        if len(asked.texts) > most_texts:
            return Reply({"error": "batch size > maximum allowed batch size", "error_type": "Validation"}, 422)
        if max(map(len, asked.texts)) > longest and asked.body.get("truncation") is not True:
            return Reply({"error": "`inputs` must have less than 512 tokens", "error_type": "Validation"}, 413)
        return None

    return move


def test_batches_shrink_to_what_the_server_takes() -> None:
    """A request that is refused as too large is cut in half, as often as it takes."""
    with EndpointServer() as server:
        server.always = limited(5, 10_000)
        encoded = encode(server)
    assert np.array_equal(encoded.vectors, endpoint_server.vectors(TEXTS))
    assert set(server.answered.values()) == {1}


def test_texts_that_are_too_long_are_counted_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Voyage is allowed to cut exactly those that it refuses whole, and they are counted; others refuse the cell."""
    monkeypatch.setenv("VOYAGE_API_KEY", KEY)
    texts = [*TEXTS[:40], "long " * 100, "longer " * 100]
    with EndpointServer(endpoint_server.voyage_like) as server:
        server.always = limited(1000, 300)
        encoder = opened(f"voyage:m@{server.url}")
        encoded = encoding.encode(encoder, Texts(items=texts), prompt=NO_PROMPT)
        cut = [asked.texts for asked in server.asked if asked.body["truncation"]]
        assert encoded.texts_truncated == 2
        assert sorted(cut) == sorted([[text] for text in texts[-2:]])
    with EndpointServer() as server:
        server.always = limited(1000, 300)
        err = error_of(server, texts)
        assert "refuses a text of" in str(err)
        assert "512 tokens" in str(err)


@pytest.mark.usefixtures("keys")
def test_openai_refuses_long_texts_or_they_are_cut_as_mteb_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """With tiktoken at 8,191 tokens, and counted; without it the sentence says what to install."""
    texts = [*TEXTS[:5], "x" * 9000]
    with EndpointServer() as server:
        server.always = limited(1000, 8200)
        monkeypatch.setitem(URLS, "openai", server.url)
        monkeypatch.setitem(sys.modules, "tiktoken", None)
        with pytest.raises(HarnessError, match=r"refuses a text of 9,000 characters.*tiktoken"):
            encoding.encode(opened("openai:m"), Texts(items=texts), prompt=NO_PROMPT)
        characters = SimpleNamespace(encode=lambda text, disallowed_special: list(text), decode="".join)
        monkeypatch.setitem(sys.modules, "tiktoken", SimpleNamespace(get_encoding=lambda name: characters))
        encoded = encoding.encode(opened("openai:m"), Texts(items=texts), prompt=NO_PROMPT)
    assert encoded.texts_truncated == 1
    assert ["x" * 8191] in [asked.texts for asked in server.asked]
    assert np.array_equal(encoded.vectors[:5], endpoint_server.vectors(TEXTS[:5]))


@pytest.mark.usefixtures("keys")
def test_an_empty_text_is_a_space_where_the_provider_refuses_it() -> None:
    """As Voyage's own wrapper in mteb; a server of one's own gets the empty text."""
    for name, sent in (("voyage:m", " "), ("openai:m", "")):
        with EndpointServer() as server:
            encoding.encode(opened(f"{name}@{server.url}"), Texts(items=["", "a"]), prompt=NO_PROMPT)
        assert sorted(text for asked in server.asked for text in asked.texts) == sorted([sent, "a"])


def test_requests_hold_no_more_tokens_than_they_may() -> None:
    """`--batch-tokens` bounds a request, estimated from bytes; one long text goes alone."""
    with EndpointServer() as server:
        encoder = opened(f"openai:m@{server.url}", batch_tokens=50)
        encoding.encode(encoder, Texts(items=TEXTS), prompt=NO_PROMPT)
    for asked in server.asked:
        assert len(asked.texts) == 1 or sum(map(endpoint_encoder.estimated_tokens, asked.texts)) <= 50


# --- nothing twice ---------------------------------------------------------------------------------------------------


class _Killed(BaseException):
    """Stands for a signal that ends the process between two answers."""


def test_nothing_is_encoded_twice_after_a_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer is on disk when it has arrived: the second run asks only for texts that had not arrived."""
    written: list[int] = []
    put = encoding.vector_cache.Namespace.put

    def put_and_die(self: Any, keys: Any, rows: Any, **more: Any) -> None:
        put(self, keys, rows, **more)
        written.append(len(keys))
        if len(written) == 3:
            raise _Killed

    with EndpointServer() as server, monkeypatch.context() as patch:
        patch.setattr(encoding.vector_cache.Namespace, "put", put_and_die)
        with pytest.raises(_Killed):
            encode(server, cache="float32")
        patch.undo()
        server.answered.clear()
        encoded = encode(server, cache="float32")
        assert encoded.texts_cached == sum(written)
        assert encoded.texts_encoded == len(TEXTS) - sum(written) == server.answered.total()
        assert np.array_equal(encoded.vectors, endpoint_server.vectors(TEXTS))
        server.answered.clear()
        encode(server, cache="float32")
        assert not server.answered


@pytest.mark.parametrize("changed", [False, True])
def test_other_weights_get_other_vectors(changed: bool) -> None:
    """A server that starts again with other weights, under the same URL and name, is asked again; rounding is not."""
    with EndpointServer() as server:
        encode(server, cache="float32")
        server.answered.clear()
        noise = np.random.default_rng(0).normal(size=16).astype(np.float32)
        factors = 1 + (0.5 if changed else 0.002) * noise
        server.rows = lambda texts: endpoint_server.vectors(texts) * factors
        encoded = encode(server, cache="float32")
        assert np.array_equal(encoded.vectors, server.rows(TEXTS) if changed else endpoint_server.vectors(TEXTS))
        assert server.answered.total() == (len(TEXTS) if changed else 0)


def test_an_error_in_the_middle_keeps_what_arrived() -> None:
    """What was answered before and beside the failure is cached; the next run asks for the rest only."""
    with EndpointServer() as server:
        server.always = lambda asked: Reply({"error": "no"}, 400) if TEXTS[77] in asked.texts else None
        with pytest.raises(HarnessError, match="refuses a text"):
            encode(server, cache="float32")
        assert server.answered
        server.always = lambda asked: None
        encode(server, cache="float32")
    assert set(server.answered) == set(TEXTS)
    assert set(server.answered.values()) == {1}


def test_the_key_is_on_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the vector cache nor the facts for records hold it."""
    monkeypatch.setenv("HARNESS_ENDPOINT_KEY", KEY)
    with EndpointServer(needs=("Authorization", f"Bearer {KEY}")) as server:
        encoder = opened(f"openai:m@{server.url}")
        encoding.encode(encoder, Texts(items=TEXTS), prompt=NO_PROMPT, cache="float32")
    assert KEY not in repr(encoder.facts)
    files = [file for file in vector_files.folder().rglob("*") if file.is_file()]
    assert files
    assert not any(KEY.encode() in file.read_bytes() for file in files)


# --- prompts ---------------------------------------------------------------------------------------------------------


def test_prompts_and_those_of_a_catalogued_model() -> None:
    """`--prompts` and `--like` go before texts; what no endpoint can do is refused."""
    spec = models.resolve("openai:m@http://localhost:1")
    task = registry.get_tasks().get("MiniAnswersEnglish")
    prompted = asked_of(spec, prompts={"query": "q: "}, like=None)
    assert planned_prompts(planned_rules(prompted), task)["query"].text == "q: "
    like = asked_of(spec, prompts=None, like="Qwen/Qwen3-Embedding-0.6B")
    assert "Instruct" in (planned_prompts(planned_rules(like), task)["query"].text or "")
    with pytest.raises(ModelError, match="has no prompts to take"):
        asked_of(spec, prompts=None, like="openai/text-embedding-3-small")
    with pytest.raises(ModelError, match="is a folder; expected a name of mteb's catalog"):
        asked_of(spec, prompts=None, like="./folder")
    with pytest.raises(ModelError, match="adapters"):
        asked_of(spec, prompts=None, like="jinaai/jina-embeddings-v3")
    with EndpointServer() as server:
        encode(server, ["one", "two"], prompt=Prompt("query", "q: "))
    assert [text for asked in server.asked for text in asked.texts] == ["q: one", "q: two"]


def test_cohere_takes_no_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its models must be told an input type."""
    monkeypatch.setenv("CO_API_KEY", KEY)
    with pytest.raises(ModelError, match="input types"):
        asked_of(models.resolve("cohere:embed-v4.0"), prompts={"query": "q: "}, like=None)


def test_an_option_that_no_server_honours_is_refused() -> None:
    """A precision or a maximum length that the server would not hear of changes nothing in silence."""
    with pytest.raises(ModelError, match="--precision"):
        opened("openai:m@http://localhost:1", precision="bf16")
    with pytest.raises(ModelError, match="--max-length"):
        opened("openai:m@http://localhost:1", max_length=8)
