"""Models behind HTTP in whole runs: scores, records, plans, the key, and what a second run asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import cli, data, models
from harness.errors import Failure
from harness.files import log_lines
from harness.models import endpoint_client
from harness.models.asked_settings import of_options
from harness.nightly import cell_work, night
from harness.nightly.engines.protocol import Answer, Outcome, Work
from harness.nightly.night_state import Journal
from harness.nightly.schedule.cell_order import ordered
from harness.runner.api import run
from harness.types import EncodeOptions
from tests import endpoint_server, nights
from tests.endpoint_server import KEY, EndpointServer, Reply

TASKS = ["MiniSTSEnglish", "MiniIntentsEnglish", "MiniAnswersEnglish"]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("HARNESS_ENDPOINT_KEY", KEY)
    monkeypatch.setenv("VOYAGE_API_KEY", KEY)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setattr(endpoint_client, "_backoff", lambda failures: 0.001)


def holds_key(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]


def test_scores_are_those_of_the_same_model_here(tmp_path: Path, cache_folder: Path) -> None:
    """Through a server that is busy, breaks off and refuses in between, every score equals that of a local run."""
    local = run("baseline/hashing", TASKS, results=tmp_path / "local")
    with EndpointServer(rows=endpoint_server.hashed, needs=("Authorization", f"Bearer {KEY}")) as server:
        server.moves.extend(
            [
                lambda asked: Reply({"error": {"message": "slow down"}}, 429, {"Retry-After": "0.02"}),
                lambda asked: None,
                lambda asked: Reply(b'{"data": [', cut_at=5),
                lambda asked: endpoint_server.BREAK,
                lambda asked: Reply({"error": "overloaded"}, 503),
            ]
        )
        served = run(f"openai:org/model@{server.url}", TASKS, results=tmp_path / "served", price=2.0, offline=True)
        port = server.url.split(":")[2].removesuffix("/v1")
        assert set(server.answered.values()) == {1}
        for here, there in zip(local, served, strict=True):
            assert there.task == here.task
            for part, scores in here.parts.items():
                assert there.parts[part]["main_score"] == pytest.approx(scores["main_score"], abs=1e-6)
        server.answered.clear()
        again = run(f"openai:org/model@{server.url}", TASKS, results=tmp_path / "again")
        assert not server.answered
        assert [record.parts for record in again] == [record.parts for record in served]
    record = served[0]
    assert record.model == f"127.0.0.1-{port}/org__model"
    assert (tmp_path / "served" / f"127.0.0.1-{port}__org__model" / record.revision / "MiniSTSEnglish.json").is_file()
    part = next(iter(record.harness["parts"].values()))
    assert part["tokens_encoded"] > 0
    assert part["cost_usd"] == pytest.approx(part["tokens_encoded"] * 2e-6)
    assert part["texts_truncated"] is None
    endpoint = record.harness["encoder"]["endpoint"]
    assert endpoint["url"] == server.url
    assert (endpoint["model"], endpoint["model_reported"]) == ("org/model", "served/model")
    assert record.harness["encoder"]["precision"] == "unknown"
    assert holds_key(tmp_path) == holds_key(cache_folder) == []


def test_overwrite_asks_the_server_again(tmp_path: Path) -> None:
    """Each text once, also where two tasks share texts; a later run takes the newer vectors from the cache."""
    tasks = ["MiniSTSEnglish", "MiniAnswersEnglish"]
    with EndpointServer() as server:
        name = f"openai:m@{server.url}"
        before = run(name, tasks, results=tmp_path / "first")
        texts = set(server.answered)
        server.answered.clear()
        # Other weights, which give the two texts of the probe the same vectors as before.
        server.rows = lambda texts: (
            endpoint_server.vectors(texts) if len(texts) == 2 else endpoint_server.vectors([f"x{t}" for t in texts])
        )
        again = run(name, tasks, results=tmp_path / "first", overwrite=True)
        assert set(server.answered) == texts
        assert set(server.answered.values()) == {1}
        assert [record.parts for record in again] != [record.parts for record in before]
        server.answered.clear()
        later = run(name, tasks, results=tmp_path / "later")
        assert not server.answered
    assert [record.parts for record in later] == [record.parts for record in again]


def test_a_failing_cell_leaves_the_others(tmp_path: Path) -> None:
    """A text that the server refuses fails its own task; the message is one sentence without the key."""
    task = harness.get_task("MiniAnswersEnglish")
    refused = data.load(task, task.parts[0]).gold.queries[3]
    with EndpointServer() as server:
        server.always = lambda asked: (
            Reply({"error": {"message": f"no {KEY}"}}, 400) if refused in asked.texts else None
        )
        with pytest.raises(harness.CellsFailed) as caught:
            run(f"openai:m@{server.url}", ["MiniAnswersEnglish", "MiniSTSEnglish"], results=tmp_path)
    assert [record.task for record in caught.value.records] == ["MiniSTSEnglish"]
    (failure,) = caught.value.failures
    assert "refuses a text" in failure.error
    assert failure.traceback == ""
    assert holds_key(tmp_path) == []
    assert KEY not in str(caught.value)


def test_input_types_reach_the_server(tmp_path: Path) -> None:
    """Voyage is told which texts are queries and which are documents, as mteb tells it."""
    with EndpointServer(endpoint_server.voyage_like) as server:
        record, _ = run(f"voyage:voyage-3.5@{server.url}", ["MiniAnswersEnglish", "MiniSTSEnglish"], results=tmp_path)
    (part,) = record.harness["parts"].values()
    assert part["adapters"] == {"queries": "query", "documents": "document"}
    assert part["texts_truncated"] == 0
    kinds = {asked.body["input_type"]: asked.texts[0] for asked in server.asked}
    assert set(kinds) == {"query", "document"}


def command(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    status = cli.main(list(arguments))
    return status, capsys.readouterr()


def test_the_plan_tells_the_cost_and_asks_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--plan` with a price: dollars by cell and in all, from an estimate that is called one."""
    asked = ["run", "openai:text-embedding-3-small", "-t", "MiniSTSEnglish", "--plan", "--results", str(tmp_path)]
    status, printed = command(*asked, "--price", "0.02", "--json", capsys=capsys)
    (row,) = json.loads(printed.out)
    assert status == 0
    assert row["cost_usd"] == pytest.approx(row["tokens"] * 2e-8)
    status, printed = command(*asked, "--price", "20000", capsys=capsys)
    assert "estimated" in printed.out
    assert f"${row['tokens'] * 0.02:,.2f}" in printed.out
    assert KEY not in printed.out + printed.err
    status, printed = command(*asked, "--price", "0.00001", capsys=capsys)
    assert "e-" not in printed.out.partition("cost_usd")[2]
    assert "$0.00000" in printed.out
    assert "$0.00 " not in printed.out
    status, printed = command(*asked, capsys=capsys)
    assert "$" not in printed.out


def test_the_command_refuses_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key, or no network: exit status 2 and one sentence."""
    remote = ["run", "openai:text-embedding-3-small", "-t", "MiniSTSEnglish", "--results", str(tmp_path)]
    status, printed = command(*remote, "--offline", capsys=capsys)
    assert (status, printed.err.count("\n")) == (2, 1)
    monkeypatch.delenv("OPENAI_API_KEY")
    status, printed = command(*remote, capsys=capsys)
    assert (status, printed.err.count("\n")) == (2, 1)
    assert "OPENAI_API_KEY" in printed.err
    assert not list(tmp_path.iterdir())


def test_the_screen_shows_costs_and_no_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run prints what it cost; an error that repeats the key is printed without it."""
    with EndpointServer() as server:
        status, printed = command(
            *("run", f"openai:m@{server.url}", "-t", "MiniSTSEnglish", "--results", str(tmp_path), "--price", "1000"),
            capsys=capsys,
        )
        assert status == 0
        assert "$" in printed.out
        server.always = lambda asked: Reply({"error": asked.headers["Authorization"]}, 418)
        status, failed = command(
            *("run", f"openai:n@{server.url}", "-t", "MiniSTSEnglish", "--results", str(tmp_path)), capsys=capsys
        )
    assert status == 1
    assert "status 418" in failed.err
    assert KEY not in printed.out + printed.err + failed.out + failed.err


def test_the_screen_tells_that_a_server_is_asked_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line however many failures come at once, with the server, what it did and the count."""
    with EndpointServer() as server:
        server.moves.extend([lambda asked: Reply({"error": "over\x1b[31mloaded"}, 500)] * 3)
        status, printed = command(
            *("run", f"openai:m@{server.url}", "-t", "MiniSTSEnglish", "--results", str(tmp_path)), capsys=capsys
        )
    assert status == 0
    (line,) = [line for line in printed.err.splitlines() if "trying again" in line]
    assert line == f'the server at {server.url} answered with status 500 ("over [31mloaded"); trying again (2 of 8)'


@pytest.mark.parametrize("asked", [("run", "-t", "MiniSTSEnglish", "--json"), ("models", "check"), ("doctor",)])
def test_other_screens_tell_too(asked: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard error tells that a server is asked again, also beside JSON and in the checks of a model."""
    with EndpointServer() as server:
        server.moves.append(lambda asked: Reply({"error": "overloaded"}, 500))
        results = ("--results", str(tmp_path)) if asked[0] == "run" else ()
        status, printed = command(*asked, f"openai:m@{server.url}", *results, capsys=capsys)
    assert status == 0
    assert printed.err.count("trying again (2 of 8)") == 1
    if "--json" in asked:
        json.loads(printed.out)


def test_a_night_tells_too(tmp_path: Path) -> None:
    """What a worker's log tells is logged by the night, with the cell."""
    schedule = nights.schedule_of(tmp_path, tasks=["MiniSTSEnglish"], baselines=None)
    tonight = night.planned(schedule)
    lines: list[str] = []

    class Engine:
        def run(self, work: Sequence[Work], *, stop: Any) -> Iterator[Outcome]:
            failure = Failure(str(work[0]), "gave up", kind="transient")
            yield Outcome("again", work[0], "w", Answer(failure, log=("the server at x is asked again",)))

        def close(self) -> None:
            pass

    with log_lines.passed_on(lines.append):
        journal = Journal(schedule, started=0.0)
        cell_work.compute(schedule, Engine(), ordered(tonight.plan), journal, None, lambda news: None)
    assert lines == [f"{tonight.plan.todo[0].key}: the server at x is asked again"]


def test_a_device_is_of_the_models_here_only() -> None:
    """The device of a reranker, or of a night, is not asked of an endpoint, which would refuse it."""
    first = models.resolve("openai:m@http://localhost:1")
    options = models.options_of_first(EncodeOptions(device="cpu"), first)
    assert models.refusal(first, of_options(options)) == ""
    here = models.options_of_first(EncodeOptions(device="cpu"), models.resolve("baseline/hashing"))
    assert here.device == "cpu"


def test_the_plan_shows_input_types(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In brackets after the text, by role."""
    plan = ["run", "voyage:voyage-3.5", "-t", "MiniAnswersEnglish", "--plan", "--json", "--results", str(tmp_path)]
    _, printed = command(*plan, capsys=capsys)
    assert json.loads(printed.out)[0]["prompts"] == {"query": "{text} (query)", "document": "{text} (document)"}


def test_a_schedule_measures_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A night measures it once; no night pins it as a baseline, or trusts code and pickles that it has not."""
    with EndpointServer() as server:
        schedule = tmp_path / "nightly.yaml"
        entry = f'"openai:m@{server.url}"'
        schedule.write_text(f"models: [{entry}]\nbaselines: [{entry}]\ntasks: [MiniSTSEnglish]\n")
        status, printed = command("nightly", "--check", str(schedule), capsys=capsys)
        assert status == 2
        assert "can change" in printed.err
        for setting in ("trust_remote_code", "allow_pickle"):
            schedule.write_text(f"models: [{{name: {entry}, {setting}: true}}]\ntasks: [MiniSTSEnglish]\n")
            status, printed = command("nightly", "--check", str(schedule), capsys=capsys)
            assert status == 2
            assert f"takes no --{setting.replace('_', '-')}; leave it out" in printed.err
        schedule.write_text(f"models: [{entry}]\ntasks: [MiniSTSEnglish]\nengine: {{kind: local, device: cpu}}\n")
        status, printed = command("nightly", "--plan", str(schedule), capsys=capsys)
        assert status == 0
        assert "MiniSTSEnglish" in printed.out
        assert not server.asked


def test_the_vectors_of_a_server_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    """`doctor` asks for other batches and another order; a server whose vectors depend on them fails."""
    with EndpointServer() as server:
        status, printed = command("doctor", f"openai:m@{server.url}", capsys=capsys)
        assert status == 0
        assert printed.out.count(": rounding") == 2
        server.rows = lambda texts: endpoint_server.vectors(texts) + 100 * len(texts[0])
        status, printed = command("doctor", f"openai:m@{server.url}", capsys=capsys)
        assert status == 1
        assert "MORE THAN ROUNDING" in printed.out


def test_commands_take_the_name_that_run_took(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`compare` finds the record of an endpoint, `models show` describes it, and mteb's name leads to it."""
    with EndpointServer() as server:
        name = f"openai:m@{server.url}"
        run([name, "baseline/hashing"], ["MiniSTSEnglish"], results=tmp_path)
        status, printed = command("compare", name, "baseline/hashing", "--results", str(tmp_path), capsys=capsys)
        assert status == 0
        assert "MiniSTSEnglish" in printed.out
    status, printed = command("models", "show", name, capsys=capsys)
    assert status == 0
    assert "OpenAI-compatible endpoint" in printed.out
    status, printed = command("run", "mongodb/voyage-4-large (embed_dim=2048)", "--plan", capsys=capsys)
    assert status == 2
    assert "voyage:voyage-4-large#2048" in printed.err
    status, printed = command("run", "google:gemini-embedding-2", "--plan", capsys=capsys)
    assert status == 2
    assert "--prompts" in printed.err
