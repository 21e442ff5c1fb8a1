"""A worker's start and end: what stops it from starting, what ends it, and how it says so."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from harness.services.worker.checkpoint import save, tiny

from .worker_process import ROOT, TOKEN, WorkerProcess, client, execute, run_job

Failed = dict[str, tuple[int, WorkerProcess]]
ABSENT = "mps" if sys.platform == "linux" else "cuda"
"""A device that this machine cannot have."""


@pytest.fixture(scope="module")
def broken_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compatible checkpoint whose training diverged: its last layer is NaN."""
    model = tiny()
    model.head.weight.data.fill_(float("nan"))
    path = tmp_path_factory.mktemp("models") / "diverged.safetensors"
    save(model, path)
    return path


def test_a_taken_port_is_told_and_ends_the_process_at_once() -> None:
    """Point 12, before anything as slow as importing torch."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with WorkerProcess("--port", str(port)) as worker:
            assert worker.wait(timeout=60) == 1
    told = [(e["actor"], e["action"], e["level"], e["human"]) for e in worker.events]
    address = f"127.0.0.1:{port}"
    assert told == [
        ("llm-worker", "startup", "info", f"Starting worker worker-0 on port {port}"),
        ("http-server", "server_start", "info", f"HTTP server initialized on {address}"),
        ("http-server", "error", "error", f"Failed to bind {address}: EADDRINUSE"),
    ]
    assert worker.events[-1]["error_kind"] == "EADDRINUSE"


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Failed:
    """Workers that cannot start, and their statuses: together, as each takes a while to import."""
    odd = tmp_path_factory.mktemp("models") / "odd.safetensors"
    odd.write_bytes(b"no model")
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/ready"
    starts = {
        "device": ("--device", ABSENT),
        "model": ("--device", "cpu", "--model", str(odd)),
        "callback": ("--device", "cpu", "--ready-url", nobody, "--ready-attempts", "2"),
    }
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(WorkerProcess(*arguments))
            for name, arguments in starts.items()
        }
        return {name: (worker.wait(timeout=120), worker) for name, worker in workers.items()}


def test_a_device_that_is_not_there_is_told_and_ends_the_process(failed: Failed) -> None:
    status, worker = failed["device"]
    assert status == 1
    (event,) = worker.find(actor="device-manager")
    assert event["human"] == f"Device {ABSENT} is unavailable: device_unavailable"
    assert event["level"] == "error"
    assert f"device {ABSENT} is not available to torch" in event["reason"]
    assert "here are:" in event["reason"]
    assert worker.find(actor="model-loader") == []


def test_an_incompatible_model_is_told_and_ends_the_process(failed: Failed) -> None:
    status, worker = failed["model"]
    assert status == 1
    event = worker.find(actor="model-loader")[-1]
    assert event["human"] == "Failed to load model odd.safetensors: checkpoint_incompatible"
    assert "cannot be read as safetensors" in event["reason"]
    assert worker.stderr == ""


def test_a_pool_manager_that_never_answers_ends_the_worker(failed: Failed) -> None:
    """Point 9 each time; a worker that nobody knows is of no use."""
    status, worker = failed["callback"]
    assert status == 1
    failures = worker.find(template_starts="Pool manager callback failed")
    assert [event["error_kind"] for event in failures] == ["connection_refused"] * 2
    assert len(worker.find(template_starts="Calling pool manager")) == 2
    assert failures[0]["backoff_ms"] == 100
    assert "backoff_ms" not in failures[1], "there is no third attempt to wait for"
    assert worker.find(action="server_shutdown")[0]["reason"].endswith("in 2 attempts")


@pytest.fixture
def broken(broken_model: Path) -> Iterator[WorkerProcess]:
    arguments = ("--model", str(broken_model), "--device", "cpu")
    with WorkerProcess(*arguments) as worker:
        yield worker.ready()


def test_weights_that_compute_no_numbers_fail_the_job_not_the_worker(
    broken: WorkerProcess,
) -> None:
    """Point 16, INFERENCE_FAILED."""
    for _ in range(6):  # more than there are slots
        frames = run_job(broken.url, prompt="hi", max_tokens=3)
        assert frames.types[-2:] == ["narration", "error"]
        assert frames.seen[-1]["code"] == "INFERENCE_FAILED"
        event = frames.events[-1]
        assert event["error_kind"] == "INFERENCE_FAILED"
        assert event["reason"] == "the model's logits are not finite"
        assert event["model_ref"] == "diverged.safetensors"


def test_sigterm_lets_jobs_finish_for_a_while_then_cancels_them() -> None:
    """Point 13; every stream has an end."""
    with WorkerProcess("--device", "cpu", "--grace", "0") as worker:
        url = worker.ready().url
        with (
            execute(url, prompt="hi", max_tokens=500, max_tok_per_s=20) as active,
            execute(url, prompt="hi", max_tokens=500, max_tok_per_s=20) as other,
        ):
            active.until("token")
            other.until("token")
            worker.signal(signal.SIGTERM)
            worker.wait_for("point 13", action="server_shutdown")
            for frames in (active, other):
                assert frames.rest()[-1]["code"] == "CANCELLED"
                assert frames.events[-1]["reason"] == "the worker is shutting down"
        assert worker.wait() == 0
    (event,) = worker.find(action="server_shutdown")
    assert event["human"] == "HTTP server shutting down gracefully"
    assert (event["actor"], event["reason"], event["open_jobs"]) == ("http-server", "SIGTERM", 2)
    assert "job_id" not in event


@pytest.fixture
def let_torch_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Hold the import of torch in every Python that starts, until this is called."""
    may_enter = tmp_path / "torch-may-enter"
    hook = f"""
import pathlib, sys, time
class Gate:
    def find_spec(self, name, path=None, target=None):
        while name == "torch" and not pathlib.Path({str(may_enter)!r}).exists():
            time.sleep(0.01)
sys.meta_path.insert(0, Gate())
"""
    (tmp_path / "sitecustomize.py").write_text(hook)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return may_enter.touch


def test_jobs_are_taken_from_the_bind_to_the_shutdown_and_finish_within_the_grace(
    let_torch_in: Callable[[], None],
) -> None:
    with WorkerProcess("--device", "cpu", "--slots", "1", "--grace", "60") as worker:
        url = worker.url
        assert httpx.get(f"{url}/health", timeout=60).json()["status"] == "loading"
        let_torch_in()
        assert run_job(url, prompt="early", max_tokens=2).types[-1] == "end"
        assert httpx.get(f"{url}/health", timeout=60).json()["status"] == "ready"
        slow = execute(url, prompt="hi", max_tokens=100, max_tok_per_s=15)
        with slow as frames, client(url) as http:
            frames.until("token")
            assert http.post("/shutdown").status_code == 202
            worker.wait_for("point 13", action="server_shutdown")
            late = http.post("/execute", json={"prompt": "late"})
            assert (late.status_code, late.json()["error"]["code"]) == (503, "unavailable")
            assert frames.rest()[-1]["type"] == "end"
        assert worker.wait() == 0
    assert worker.find(action="server_shutdown")[0]["reason"] == "asked over HTTP"


def test_ctrl_c_while_the_model_loads_ends_the_worker_without_waiting_for_it() -> None:
    with WorkerProcess("--device", "cpu") as worker:
        worker.wait_for("the server", action="server_bind")
        worker.signal(signal.SIGINT)
        assert worker.wait() == 0
    assert [event["reason"] for event in worker.find(action="server_shutdown")] == ["SIGINT"]
    assert "Traceback" not in worker.stderr


def test_the_last_event_is_followed_by_the_exit_and_no_teardown_of_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taking the interpreter apart would last seconds; its hooks, the first to run, do not run."""
    hook = "import atexit, sys\natexit.register(sys.stderr.write, 'taken apart')\n"
    tmp_path.joinpath("sitecustomize.py").write_text(hook)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert (
        "taken apart"
        in subprocess.run(
            [sys.executable, "-c", ""], capture_output=True, text=True, check=True
        ).stderr
    ), "the hook works where nothing keeps it from running"
    with WorkerProcess("--device", "cpu") as worker:
        worker.ready()
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
        assert worker.events[-1]["action"] == "server_shutdown"
        assert worker.stderr == ""


def test_the_end_of_the_parent_is_the_end_of_the_worker() -> None:
    ours, theirs = os.pipe()
    try:
        with WorkerProcess("--parent-fd", str(ours), pass_fds=(ours,)) as worker:
            worker.wait_for("the server", action="server_bind")
            os.close(theirs)
            # Its watch is sterner than a signal: whatever the worker does, it ends.
            assert worker.wait() in (0, 1)
        assert [e["reason"] for e in worker.find(action="server_shutdown")] == ["parent gone"]
    finally:
        os.close(ours)


def test_help_is_fast_because_it_imports_no_torch() -> None:
    code = (
        "import sys; from harness.services.worker.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print([n for n in ('torch', 'uvicorn', 'aiohttp') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "--kv-tokens" in done.stdout
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--device", "tpu"], "invalid choice: 'tpu'"),
        (["--slots", "0"], "'0' is not a whole number in 1..256"),
        (["--port", "x"], "'x' is not a whole number in 0..65535"),
        (["--ready-url", "ftp://x"], "'ftp://x' is no http:// or https:// address"),
        (["--grace", "-1"], "'-1' is not a number of seconds in 0..600"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.services.worker.options import parse

    with pytest.raises(SystemExit) as left:
        parse(arguments)
    assert left.value.code == 2
    assert complaint in capsys.readouterr().err


def test_without_a_token_nothing_starts() -> None:
    environment = {**os.environ, "NARRATION_API_TOKEN": ""}
    done = subprocess.run(
        [sys.executable, "-m", "harness.services.worker"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "NARRATION_API_TOKEN is not set" in done.stderr
    assert done.stdout == ""


def test_stdout_carries_narration_only_and_never_the_token() -> None:
    with WorkerProcess("--device", "cpu") as worker:
        worker.wait_for("the server", action="server_bind")
        authorized = {"Authorization": f"Bearer {TOKEN}"}
        httpx.get(f"{worker.url}/nowhere", headers=authorized, timeout=60)
        worker.wait_for("the refusal", action="request_refused")
        worker.signal(signal.SIGTERM)
        worker.wait()
    assert worker.other_lines == []
    assert TOKEN not in json.dumps(worker.events)
