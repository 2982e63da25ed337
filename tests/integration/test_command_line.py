"""The command line itself: the order of words, help, advice on options, values that are refused at once."""

from __future__ import annotations

import http.client
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import parser
from harness.cli.command_parser import all_parsers
from tests import boards

from .conftest import Said

Command = Callable[..., Said]
COMMANDS = {words: command for words, command in all_parsers(parser()) if not command.is_group}


@pytest.mark.parametrize("words", ["", *COMMANDS])
def test_the_help_of_a_command_ends_with_examples_that_it_accepts(words: str) -> None:
    """Every command shows two examples, `harness` alone five; each of them parses, and is one of that command."""
    command = dict(all_parsers(parser()))[words]
    assert len(command.examples) == (2 if words else 5)
    shown = command.format_help().splitlines()
    assert [line.strip() for line in shown[-len(command.examples) :]] == list(command.examples)
    for example in command.examples:
        given = [word for word in shlex.split(example, comments=True) if not re.match(r"[A-Z_]+=", word)]
        assert " ".join(given).startswith(f"harness {words}".strip())
        parser().parse_args(given[1:])


def test_harness_alone_shows_its_help(command: Command) -> None:
    """`harness` and a group without a command are questions, not mistakes: help, status 0."""
    said = command()
    assert said.status == 0
    assert said.out.startswith("usage: harness COMMAND [options]")
    assert "examples:" in said.out
    assert command("card").out.startswith("usage: harness card COMMAND [options]")


def test_models_may_stand_between_options() -> None:
    """`run A -t X B` means the models A and B, as `run A B -t X` does."""
    mixed = parser().parse_args(["run", "A", "-t", "X", "B", "--plan", "C"])
    assert mixed.models == ["A", "B", "C"]
    assert mixed.tasks == ["X"]
    assert vars(parser().parse_args(["run", "A", "B", "C", "--plan", "-t", "X"])) == vars(mixed)
    assert parser().parse_args(["run", "-t", "X", "--", "A"]).models == ["A"]


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["run", "A", "--langauges", "deu"], "unknown option --langauges; did you mean --languages?"),
        (["run", "A", "--limit", "10"], "unknown option --limit; did you mean --max-texts?"),
        (["run", "A", "--max_texts", "10"], "unknown option --max_texts; did you mean --max-texts?"),
        (["run", "A", "--batch-size=8"], "unknown option --batch-size; did you mean --batch-tokens?"),
        (
            ["run", "--model", "A"],
            "unknown option --model; models are named without an option: harness run [MODEL ...]",
        ),
        (["run", "A", "--task", "X"], "unknown option --task; did you mean --tasks or --suite?"),
        (["run", "A", "-o", "out"], "unknown option -o; did you mean --results?"),
        (["run", "A", "--zzzzzz"], "unknown option --zzzzzz; harness run --help lists the options"),
        (["compare", "A", "B", "C=", "--x"], "unknown option --x"),
        (["history", "A", "B"], "unexpected argument 'B'; harness history --help"),
        (["card", "write"], "the following arguments are required: MODEL[@REVISION], README.md"),
    ],
)
def test_an_unknown_option_is_answered_by_its_command(command: Command, arguments: list[str], advice: str) -> None:
    """The usage line is that of the command, in one line, and the message names the option that was meant."""
    said = command(*arguments)
    usage, message = said.err.splitlines()
    assert said.status == 2
    name = "harness card write" if arguments[0] == "card" else f"harness {arguments[0]}"
    assert usage.startswith(f"usage: {name} ")
    assert message.startswith(f"{name}: error: {advice}")


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", "--device gpu: unknown device; expected auto, cpu, cuda, cuda:N, cuda:all or mps"),
        ("cuda:x", "--device cuda:x: unknown device"),
        ("cuda:99", "--device cuda:99: this machine has"),
        ("cuda:0,gpu", "--device cuda:0,gpu: unknown device"),
    ],
)
def test_a_device_is_checked_before_the_model(command: Command, device: str, message: str) -> None:
    """A device that cannot be used is the answer even where the model does not exist: the hub was not asked."""
    said = command("run", "no/such-model", "-t", "SciFact", "--device", device)
    assert said.status == 2
    assert said.err.startswith(f"harness: {message}")


def test_the_board_is_served_on_this_machine(command: Command, monkeypatch: pytest.MonkeyPatch, results: Path) -> None:
    """`view` writes the board beside the results, opens it, answers for 127.0.0.1 alone, and ends by Ctrl+C."""
    boards.put(results, "org/a", "MiniSTSEnglish", 0.5)
    answers: dict[str, tuple[int, str]] = {}

    def ask(host: str, address: str) -> None:
        port = int(address.rstrip("/").rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/", headers={"Host": f"{host}:{port}"})
        answer = connection.getresponse()
        answers[host] = answer.status, answer.read().decode()

    def browse(address: str) -> None:
        try:
            for host in ("127.0.0.1", "evil.example"):
                ask(host, address)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    # A process that a shell starts in the background ignores the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    opened = lambda address: threading.Thread(target=browse, args=(address,)).start()  # noqa: E731
    monkeypatch.setattr("webbrowser.open", opened)
    try:
        said = command("view", str(results))
    finally:
        signal.signal(signal.SIGINT, before)
    assert said.status == 0, said.err
    assert "1 model on http://127.0.0.1:" in said.out
    assert answers["127.0.0.1"][0] == 200
    assert "org/a" in answers["127.0.0.1"][1]
    assert answers["evil.example"][0] == 403
    assert (results.parent / "results-board" / "index.html").is_file()


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("har", []),
        ("harness lea", ["leaderboard"]),
        ("harness run --langu", ["--languages"]),
        ("harness run bundled/x --precision b", ["bf16"]),
        ("harness card wr", ["write"]),
        ("harness card write --na", ["--names"]),
        ("harness card write --names v", ["v1", "v2"]),
        ("harness completion z", ["zsh"]),
    ],
)
def test_bash_completes(command: Command, words: str, completed: list[str], tmp_path: Path) -> None:
    """The script, in a real bash, completes commands, options of nested commands, and the choices of an option."""
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    script = tmp_path / "completion.bash"
    script.write_text(command("completion", "bash").out, encoding="utf-8")
    typed = words.split()
    lines = [
        f"source {shlex.quote(str(script))}",
        f"COMP_WORDS=({' '.join(typed)}); COMP_CWORD={len(typed) - 1}",
        '(( COMP_CWORD > 0 )) && _harness; printf "%s\\n" "${COMPREPLY[@]}"',
    ]
    done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == completed


def test_scripts_for_other_shells(command: Command) -> None:
    """zsh takes the script of bash; fish gets a line for each option, with quotes in helps escaped."""
    assert command("completion", "zsh").out.startswith("autoload -U +X bashcompinit && bashcompinit\n_harness() {")
    fish = command("completion", "fish").out.splitlines()
    assert all(line.startswith("complete -c harness ") for line in fish)
    assert any("-l precision -x -a 'auto checkpoint fp32 fp16 bf16'" in line for line in fish)
    assert all(line.replace("\\'", "").count("'") % 2 == 0 for line in fish)


def test_a_plan_may_name_a_device_of_another_machine(command: Command) -> None:
    """`--plan` refuses words that name no device, and accepts a GPU that this machine lacks."""
    planned = command("run", "baseline/bm25", "--suite", "mini", "--device", "cuda:99", "--plan", "--offline")
    assert "--device cuda:99: this machine" not in planned.err
    assert command("run", "baseline/bm25", "--suite", "mini", "--device", "gpu", "--plan").status == 2
