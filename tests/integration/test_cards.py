"""`harness card` as its users meet it: the commands, a hub to push to, and claims that are run."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
import yaml
from huggingface_hub import HfApi, parse_eval_result_entries

from harness import cards
from harness.cards.card_writing import CardOptions
from harness.cards.verify import RunSettings, verify
from harness.errors import CardError
from harness.hub import commits
from tests import in_process
from tests.conftest import ROOT, SHARED, bundled_folder, environment

BUNDLED = "bundled/all-MiniLM-L6-v2"
MINI = str(ROOT / "results")
HUB_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


def test_show_write_lint_read(command: Callable[..., Any], tmp_path: Path) -> None:
    """A new card is written, written again without a change, is sound, and reads back as what is shown."""
    card = tmp_path / "README.md"
    base = ("--results", MINI, "--suite", "mini")
    dry = command("card", "write", BUNDLED, str(card), *base, "--dry-run")
    assert (dry.status, card.exists(), dry.out.startswith(f"--- {os.devnull}\n+++ {card}\n")) == (0, False, True)
    done = command(
        "card", "write", BUNDLED, str(card), *base, "--digits", "2", "--table", "--compare", "baseline/hashing"
    )
    assert (done.status, done.out) == (0, f"{card}: 15 added, 0 changed, 0 unchanged\n")
    assert stat.S_IMODE(card.stat().st_mode) == 0o666 & ~_umask()
    again = command(
        "card", "write", BUNDLED, str(card), *base, "--digits", "2", "--table", "--compare", "baseline/hashing"
    )
    assert again.out == f"{card}: 0 added, 0 changed, 15 unchanged\n"
    assert command("card", "lint", str(card)) == (0, "0 findings in 1 card\n", "")
    shown = command("card", "show", BUNDLED, *base, "--digits", "2")
    front = yaml.safe_load(card.read_text(encoding="utf-8").split("---\n")[1])
    assert yaml.safe_load(shown.out)["model-index"] == front["model-index"]
    read = command("card", "read", str(card), "--json")
    assert [record["revision"] for record in json.loads(read.out)] == ["external"] * 15


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_prune(command: Callable[..., Any], tmp_path: Path) -> None:
    """`--prune` takes out our results that are no longer recorded, and nobody else's; the rest keeps its bytes."""
    card = tmp_path / "README.md"
    tasks = ("STSBenchmark", "GermanSTSBenchmark", "SIB200Classification")
    published = str(SHARED / "public-results")
    if not Path(published).is_dir():
        pytest.skip("no ../shared/public-results beside this checkout")
    command("card", "write", HUB_MODEL, str(card), "--results", published, "-t", ",".join(tasks))
    whole = card.read_text(encoding="utf-8")
    theirs = whole.replace("MTEB SIB200Classification", "SIB200Classification")
    card.write_text(theirs, encoding="utf-8")
    results = tmp_path / "results"
    part = results / HUB_MODEL.replace("/", "__") / "8b3219a92973c328a8e22fadcfa821b5dc75636a"
    part.mkdir(parents=True)
    source = SHARED / "public-results" / HUB_MODEL.replace("/", "__") / part.name
    (part / "STSBenchmark.json").write_bytes((source / "STSBenchmark.json").read_bytes())
    kept = command("card", "write", HUB_MODEL, str(card), "--results", str(results))
    assert kept.out == f"{card}: 0 added, 0 changed, 1 unchanged\n"
    assert card.read_text(encoding="utf-8") == theirs
    pruned = command("card", "write", HUB_MODEL, str(card), "--results", str(results), "--prune")
    assert pruned.out == f"{card}: 0 added, 0 changed, 1 unchanged, 2 pruned\n"
    old, new = (text.splitlines() for text in (theirs, card.read_text(encoding="utf-8")))
    begin = next(i for i, line in enumerate(old) if "MTEB German" in line) - 2
    assert new == old[:begin] + old[begin + 22 :]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "bundled/all-MiniLM-L6"), "did you mean bundled/all-MiniLM-L6-v2"),
        (("show", "../../etc"), "no recorded model"),
        (("show", BUNDLED, "-t", "MiniSTSGermna"), "did you mean MiniSTSGerman"),
        (("show", BUNDLED, "--metrics", "cosine_spearmann"), "did you mean cosine_spearman"),
        (("show", f"{BUNDLED}@2"), "no recorded revision"),
        (("write", BUNDLED, "nowhere/README.md"), "cannot be"),
        (("write", BUNDLED, "README.md", "--compare", "baseline/hashing"), "add --table"),
        (("read", "missing.md"), "cannot be read"),
        (("lint", "missing.md"), "cannot be read"),
        (("verify", "missing.md"), "cannot be read"),
    ],
)
def test_bad_requests(
    arguments: tuple[str, ...],
    said: str,
    command: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request that cannot be met ends with status 2 and one line on what to do, and makes no file."""
    extra = () if arguments[0] in ("read", "lint", "verify") else ("--results", MINI)
    monkeypatch.chdir(tmp_path)
    done = command("card", *arguments, *extra)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "README.md").exists()


def test_the_card_commands_start_light(tmp_path: Path) -> None:
    """`card show`, `write`, `read` and `lint` import none of the heavy packages, nor the hub's client."""
    card = tmp_path / "README.md"
    heavy = ["torch", "mteb", "datasets", "sklearn", "scipy", "transformers", "huggingface_hub", "pandas"]
    calls = [
        ["card", "show", BUNDLED, "--results", MINI],
        ["card", "write", BUNDLED, str(card), "--results", MINI, "--table"],
        ["card", "read", str(card), "--to", str(tmp_path / "results")],
        ["card", "lint", str(card)],
        ["card", "--help"],
    ]
    script = (
        "import sys\nfrom harness import cli\n"
        f"for call in {calls!r}:\n    try:\n        cli.main(call)\n    except SystemExit:\n        pass\n"
        f"print('HEAVY', [name for name in {heavy!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(tmp_path), timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "HEAVY []"


# --- the hub -------------------------------------------------------------------------------------------------------


class Committed(dict[str, Any]):
    """What `create_commit` was asked for."""


@pytest.fixture
def committed(monkeypatch: pytest.MonkeyPatch) -> Committed:
    seen = Committed()

    def create_commit(self: HfApi, repo: str, operations: list[Any], **options: Any) -> Any:
        seen.update(repo=repo, files={one.path_in_repo: one.path_or_fileobj for one in operations}, **options)
        url = "https://hub/pr/1" if options["create_pr"] else None
        return type("Info", (), {"commit_url": "https://hub/commit/1", "pr_url": url})()

    monkeypatch.setattr(HfApi, "create_commit", create_commit)
    return seen


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A repository with the files that a test puts into it."""
    files: dict[str, bytes] = {}

    def fetch(repo: str, *, prefix: str = commits.CARD) -> commits.Remote:
        return commits.Remote(repo, "c" * 40, {name: raw for name, raw in files.items() if name.startswith(prefix)})

    monkeypatch.setattr(commits, "fetch", fetch)
    return files


def test_push(command: Callable[..., Any], committed: Committed, remote: dict[str, bytes]) -> None:
    """The card on the hub is merged as a file is, on top of the commit that was read; the change is shown first."""
    remote["README.md"] = "\ufeff---\r\nlicense: mit # ours\r\n---\r\n# A\r\n".encode()
    base = ("card", "push", BUNDLED, "--repo", "me/mine", "--results", MINI, "-t", "MiniSTSGerman")
    asked = command(*base)
    assert (asked.status, committed) == (2, {})
    assert "--yes" in asked.err
    done = command(*base, "--yes", "--pr")
    assert (done.status, done.out.splitlines()[-1]) == (0, "https://hub/pr/1")
    assert "+model-index:" in done.out
    assert (committed["repo"], committed["parent_commit"], committed["create_pr"]) == ("me/mine", "c" * 40, True)
    new = committed["files"]["README.md"]
    assert new.startswith(b"\xef\xbb\xbf---\r\nlicense: mit # ours\r\nmodel-index:\r\n")
    assert new.endswith(b"\r\n---\r\n# A\r\n")
    remote["README.md"] = new
    committed.clear()
    assert command(*base, "--yes").out == "me/mine: nothing to change\n"
    assert committed == {}


def test_push_eval_results(command: Callable[..., Any], committed: Committed, remote: dict[str, bytes]) -> None:
    """The newer files are pushed likewise; entries of others in them stay."""
    published = SHARED / "public-results"
    if not published.is_dir():
        pytest.skip("no ../shared/public-results beside this checkout")
    other = {"dataset": {"id": "a/b", "task_id": "x"}, "value": 1.5, "source": {"url": "https://example.org"}}
    remote[".eval_results/STSBenchmark.yaml"] = yaml.safe_dump([other]).encode()
    base = ("card", "push", HUB_MODEL, "--results", str(published), "-t", "STSBenchmark", "--eval-results")
    done = command(*base, "--yes")
    assert (done.status, done.out.splitlines()[-1]) == (0, "https://hub/commit/1")
    (content,) = committed["files"].values()
    entries = parse_eval_result_entries(yaml.safe_load(content))
    assert [(entry.task_id, entry.value) for entry in entries] == [
        ("x", 1.5),
        ("STSBenchmark_default_test", 82.03247),
        ("STSBenchmark", 82.03247),
    ]
    assert entries[0].source_url == "https://example.org"


def test_fetch_from_a_hub(hub: Any, tmp_path: Path) -> None:
    """A model's card and commit come from the hub through its own client."""
    with in_process.environment_of(environment(tmp_path, HF_ENDPOINT=hub.endpoint), folder=tmp_path):
        remote = commits.fetch(HUB_MODEL)
        assert commits.fetch(HUB_MODEL, prefix=".eval_results/").files == {}
    assert (remote.repo, len(remote.commit)) == (HUB_MODEL, 40)
    assert list(remote.files) == (["README.md"] if (bundled_folder() / "README.md").is_file() else [])


def test_eval_results_in_a_clone(command: Callable[..., Any], tmp_path: Path) -> None:
    """`card eval-results` writes one file a task, the mean last, private data left out; again, nothing."""
    published = SHARED / "public-results"
    if not published.is_dir():
        pytest.skip("no ../shared/public-results beside this checkout")
    base = ("card", "eval-results", HUB_MODEL, str(tmp_path), "--results", str(published), "-t", "GermanSTSBenchmark")
    done = command(*base)
    assert (done.status, done.out.splitlines()[-1]) == (0, "1 file written")
    entries = parse_eval_result_entries(
        yaml.safe_load((tmp_path / ".eval_results/GermanSTSBenchmark.yaml").read_text())
    )
    assert [(entry.task_id, entry.value) for entry in entries] == [
        ("GermanSTSBenchmark_default_test", 60.56173),
        ("GermanSTSBenchmark_default_validation", 67.29439),
        ("GermanSTSBenchmark", 63.92806),
    ]
    assert {entry.dataset_id for entry in entries} == {"jinaai/german-STSbenchmark"}
    assert command(*base).out == "nothing to change\n"
    private = command("card", "eval-results", BUNDLED, str(tmp_path), "--results", MINI)
    assert (private.status, "its data is not on the hub" in private.err) == (2, True)


class Answers(BaseHTTPRequestHandler):
    """A hub that takes commits: it remembers them, or refuses with `status`."""

    commits: ClassVar[list[tuple[str, list[dict[str, Any]]]]] = []
    status: ClassVar[int] = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/api/validate-yaml"):
            self._answer(200, {"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            self._answer(
                200, {"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]}
            )
        else:
            self.commits.append((self.path, [json.loads(line) for line in body.splitlines()]))
            home = f"http://{self.headers['Host']}/me/mine"
            done = {"commitUrl": f"{home}/commit/1", "commitOid": "1", "pullRequestUrl": f"{home}/discussions/1"}
            self._answer(self.status, done if self.status == 200 else {"error": "no"})

    def _answer(self, status: int, content: Any) -> None:
        raw = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("status", "pull_request", "said"),
    [
        (200, True, "/me/mine/discussions/1"),
        (200, False, "/me/mine/commit/1"),
        (403, False, "the token may not write"),
        (412, False, "somebody else changed"),
    ],
)
def test_commit_through_the_client(status: int, pull_request: bool, said: str, tmp_path: Path) -> None:
    """The hub's own client sends the file on top of the commit that was read; refusals say what to do."""
    Answers.commits.clear()
    Answers.status = status
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()
    remote, files = commits.Remote("me/mine", "c" * 40, {}), {"README.md": b"---\na: b\n---\n"}
    env = environment(tmp_path, HF_ENDPOINT=f"http://127.0.0.1:{server.server_port}", HF_TOKEN="hf_test")
    try:
        with in_process.environment_of(env, folder=tmp_path):
            answer = commits.commit(remote, files, message="M", as_pull_request=pull_request)
    except CardError as err:
        answer = str(err)
    finally:
        server.shutdown()
    assert said in answer
    assert (status == 200) == answer.startswith("http")
    ((path, lines),) = Answers.commits
    assert path.startswith("/api/models/me/mine/commit/main")
    assert ("create_pr=1" in path) == pull_request
    header, file = (line["value"] for line in lines)
    assert (header["summary"], header["parentCommit"]) == ("M", "c" * 40)
    assert (file["path"], base64.b64decode(file["content"])) == ("README.md", b"---\na: b\n---\n")


# --- verify --------------------------------------------------------------------------------------------------------


def mini_card(folder: Path) -> Path:
    """A card of the baseline's two scores, recorded anew."""
    path = folder / "README.md"
    options = CardOptions(results=MINI, tasks=["MiniSTSGerman", "MiniPairsGerman"])
    cards.write("baseline/hashing", path, options=options)
    return path


def test_verify(command: Callable[..., Any], tmp_path: Path, results: Path) -> None:
    """True claims are reproduced, a changed one is not, and what cannot be run says why; the status tells."""
    card = mini_card(tmp_path)
    true = command("card", "verify", str(card), "--model", "baseline/hashing", "--json")
    assert true.status == 0, true.err
    assert [one["verdict"] for one in json.loads(true.out)] == ["reproduced"] * 2
    text = card.read_text(encoding="utf-8")
    value = json.loads(true.out)[0]["claim"] * 100
    assert "45.3" in f"{value}"
    card.write_text(text.replace("value: 45.3", "value: 45.9"), encoding="utf-8")
    tampered = command("card", "verify", str(card), "--model", "baseline/hashing")
    assert tampered.status == 1
    assert "not reproduced" in tampered.out
    assert "1 not reproduced" in tampered.out.splitlines()[-1]
    card.write_text(
        text.replace("MTEB MiniSTSGerman", "MTEB MiniSTSGermna")
        .replace("type: max_ap", "type: hamming")
        .replace("split: test\n      type: MiniPairsGerman", "split: dev\n      type: MiniPairsGerman"),
        encoding="utf-8",
    )
    neither = command("card", "verify", str(card), "--model", "baseline/hashing")
    assert neither.status == 1
    assert "did you mean MiniSTSGerman" in neither.out
    assert "the harness does not compute the metric hamming" in neither.out


def test_verify_another_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim about data of another place cannot be run and says so; with `pinned_data` it runs, with a note."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    card = mini_card(tmp_path)
    card.write_text(
        card.read_text(encoding="utf-8").replace("type: MiniSTSGerman", "type: somebody/else"), encoding="utf-8"
    )
    run = RunSettings(results=tmp_path / "results")
    first, second = verify(card, model="baseline/hashing", run=run)
    assert (first.verdict, second.verdict) == ("cannot run", "reproduced")
    assert "somebody/else" in first.reason
    pinned = verify(card, model="baseline/hashing", run=RunSettings(results=tmp_path / "results", pinned_data=True))
    assert [one.verdict for one in pinned] == ["reproduced", "reproduced"]
    assert "the card names somebody/else" in pinned[0].reason
    text = card.read_text(encoding="utf-8")
    digest = yaml.safe_load(text.split("---\n")[1])["model-index"][0]["results"][1]["dataset"]["revision"]
    card.write_text(text.replace(digest, "sha256:0123456789abcdef"), encoding="utf-8")
    _, changed = verify(card, model="baseline/hashing", run=run)
    assert (changed.verdict, changed.reason) == (
        "reproduced",
        f"the data files differ from the card's: {digest}, not sha256:0123456789abcdef",
    )


def test_verify_through_a_hub(hub: Any, harness: Callable[..., Any], tmp_path: Path) -> None:
    """Published scores of MiniLM, through a hub: reproduced; one that was changed by half a point is flagged."""
    suite = tmp_path / "tasks" / "suites" / "some.yaml"
    suite.parent.mkdir(parents=True)
    part = {"task": "SIB200Classification", "splits": ["test"], "subsets": ["deu_Latn"]}
    suite.write_text(
        yaml.safe_dump({"name": "some", "description": "Some.", "tasks": [part, "TenKGnadClusteringS2S"]}),
        encoding="utf-8",
    )
    card = tmp_path / "README.md"
    options = CardOptions(
        results=SHARED / "public-results",
        suite="some",
        tasks_dirs=[tmp_path / "tasks"],
        metrics=["accuracy", "f1", "v_measure"],
    )
    cards.write(HUB_MODEL, card, options=options)
    text = card.read_text(encoding="utf-8")
    assert text.count("value: 41.0") == 1
    card.write_text(text.replace("value: 41.0", "value: 41.5"), encoding="utf-8")
    done = harness(
        *("card", "verify", str(card), "--model", f"{HUB_MODEL}@8b3219a92973c328a8e22fadcfa821b5dc75636a"),
        *("--device", "cpu", "--precision", "fp32", "--json"),
        env={"HF_ENDPOINT": hub.endpoint},
    )
    assert done.returncode == 1, done.stderr
    true, tampered, missing = json.loads(done.stdout)
    assert (true["metric"], true["verdict"]) == ("accuracy", "reproduced")
    assert (tampered["verdict"], round(tampered["difference"], 2)) == ("not reproduced", -0.5)
    assert (missing["verdict"], "no such data set" in missing["reason"]) == ("cannot run", True)


PUBLISHED_HERE: list[str | dict[str, Any]] = [
    "STSBenchmark",
    "GermanSTSBenchmark",
    "Banking77Classification",
    "AmazonCounterfactualClassification",
    {"task": "SciFact", "splits": ["test"]},
    {"task": "STSBenchmarkMultilingualSTS", "subsets": ["de", "en", "es"]},
    {"task": "PawsXPairClassification", "subsets": ["de", "en"]},
    {"task": "SIB200Classification", "subsets": ["ace_Latn", "deu_Latn", "eng_Latn", "spa_Latn"]},
    {"task": "SIB200ClusteringS2S", "subsets": ["ace_Latn", "deu_Latn", "eng_Latn", "spa_Latn"]},
]
"""Tasks of MiniLM's published scores whose data is in `../shared/hub`, and some subsets that are not (en, ace_Latn)."""


@pytest.mark.slow
def test_verify_all_published_scores(hub: Any, harness: Callable[..., Any], tmp_path: Path) -> None:
    """Every claim of MiniLM's own card whose data is here is reproduced, or lies in the interval; the rest says why."""
    suite = tmp_path / "tasks" / "suites" / "here.yaml"
    suite.parent.mkdir(parents=True)
    content = {"name": "here", "description": "What is here.", "tasks": PUBLISHED_HERE}
    suite.write_text(yaml.safe_dump(content), encoding="utf-8")
    card = tmp_path / "README.md"
    options = CardOptions(results=SHARED / "public-results", suite="here", tasks_dirs=[tmp_path / "tasks"])
    cards.write(HUB_MODEL, card, options=options)
    done = harness(
        *("card", "verify", str(card), "--model", f"{HUB_MODEL}@8b3219a92973c328a8e22fadcfa821b5dc75636a"),
        *("--device", "cpu", "--precision", "fp32", "--json"),
        env={"HF_ENDPOINT": hub.endpoint},
    )
    assert done.returncode == 0, done.stderr
    _check_published(json.loads(done.stdout))


def _check_published(found: list[dict[str, Any]]) -> None:
    cannot = {(one["task"], one["subset"]): one["reason"] for one in found if one["verdict"] == "cannot run"}
    assert cannot.keys() == {
        ("PawsXPairClassification", "en"),
        ("SIB200Classification", "ace_Latn"),
        ("SIB200ClusteringS2S", "ace_Latn"),
    }
    assert all("not found" in reason for reason in cannot.values())
    ran = [one for one in found if one["verdict"] != "cannot run"]
    assert len(ran) >= 30
    assert {one["verdict"] for one in ran} <= {"reproduced", "in interval", "within 0.1"}
    inexact = {one["task"] for one in ran if one["verdict"] != "reproduced"}
    assert inexact <= {"SIB200ClusteringS2S", "PawsXPairClassification"}
