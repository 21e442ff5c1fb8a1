"""Runs the projects of examples/ as a user does: pytest in their folder, in its own process."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCS = EXAMPLES.parent / "docs"
IGNORED = ("__pycache__", "node_modules", ".pytest_cache")
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH")
IMAGE = "python:3.12-slim"
START_SECONDS, INSTALL_SECONDS, RUN_SECONDS = 20, 180, 400

Run = Callable[..., str]


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """Yield the fenced blocks of a page that are in one of the languages."""
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.M | re.S):
        if language in languages:
            yield text


def is_quoted_rightly(page: Path, printed: str) -> bool:
    """Whether every line of output that a page quotes was printed; `…` is what changes."""
    quoted = [line for block in blocks(page, "text") for line in block.splitlines()]
    patterns = [".*".join(map(re.escape, line.strip().split("…"))) for line in quoted]
    return bool(patterns) and all(re.search(pattern, printed) for pattern in patterns)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a project's tests; returns what pytest printed, and checks its exit code."""
    for name in [n for n in os.environ if n.startswith(("NARRATION_", "PYTEST_", "COV_CORE_"))]:
        monkeypatch.delenv(name)
    for name in ("PYTHONPATH", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CI", "true")  # assertions show long values whole
    # Of all that is installed here a user has this plugin; its entry point is what is loaded.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(folder: Path, *arguments: str, exit_code: int = 0) -> str:
        arguments = ("-p", "no:cacheprovider", "-rs", *arguments)
        command = [sys.executable, "-m", "pytest", "-p", "narration", *arguments]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
        )
        printed = done.stdout + done.stderr
        assert done.returncode == exit_code, f"exit code {done.returncode}\n{printed}"
        return printed

    return run


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[str], Path]:
    """Copy an example, to break something in it."""

    def copy(name: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns(*IGNORED))
        modules = EXAMPLES / name / "node_modules"
        if modules.is_dir():
            (folder / "node_modules").symlink_to(modules)
        return folder

    return copy


@pytest.fixture(scope="session")
def node() -> None:
    """Node 18 or later with the packages of the example, from its lock file."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: the services of this example need Node 18")
    version = _said("node", "--version")
    if _number(version) < (18,):
        pytest.skip(f"node {version} is too old: the services of this example need 18 or later")
    with _alone(EXAMPLES / "node-service"):
        _install(EXAMPLES / "node-service")


@pytest.fixture
def compose_project() -> Iterator[None]:
    """The project of the example, running; needs an engine, compose, and the project's image."""
    folder = EXAMPLES / "compose-project"
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed: only the saved log is judged")
    plugin = ["docker", "compose"]
    compose = plugin if _works(*plugin, "version") else ["docker-compose"]
    if not _works(*compose, "version", "--short"):
        pytest.skip("docker compose is not installed: only the saved log is judged")
    if not _works("docker", "image", "inspect", IMAGE):
        pytest.skip(f"no Docker engine that has {IMAGE}: only the saved log is judged")
    up = [*compose, "up", "--detach", "--pull", "never"]
    subprocess.run(up, cwd=folder, check=True, timeout=120, capture_output=True)
    try:
        yield
    finally:
        down = [*compose, "down", "--timeout", "1"]
        subprocess.run(down, cwd=folder, check=True, timeout=60, capture_output=True)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis server of this run's own, on a private socket."""
    pytest.importorskip("redis", reason="the Python package redis is not installed")
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: the queue is tried as embedded only")
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:  # a socket's path must be short
        socket = f"{folder}/redis.sock"
        command = ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir"]
        server = subprocess.Popen(
            [*command, folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        too_late = threading.Timer(START_SECONDS, server.kill)
        too_late.start()
        try:
            assert server.stdout is not None
            said: list[str] = []
            for line in server.stdout:
                said.append(line)
                if "ready to accept connections at" in line.lower():
                    break
            else:
                told = "".join(said)
                pytest.fail(f"redis-server was not ready within {START_SECONDS} s:\n{told}")
            too_late.cancel()
            yield f"unix://{socket}"
        finally:
            too_late.cancel()
            server.terminate()
            server.wait(START_SECONDS)
            server.stdout.close()


@pytest.fixture(scope="session")
def go() -> None:
    """Go 1.21 or later, the first with log/slog."""
    if shutil.which("go") is None:
        pytest.skip("go is not installed: the service of this example needs Go 1.21")
    version = _said("go", "version").removeprefix("go version go")
    if _number(version) < (1, 21):
        pytest.skip(f"go {version} has no log/slog: the service of this example needs Go 1.21")


def _install(folder: Path) -> None:
    locked, installed = folder / "package-lock.json", folder / "node_modules/.package-lock.json"
    if installed.is_file() and installed.stat().st_mtime >= locked.stat().st_mtime:
        return
    command = ["npm", "ci", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"`{' '.join(command)}` did not end within {INSTALL_SECONDS} s")
    if any(code in done.stderr for code in UNREACHABLE):
        pytest.skip(f"no npm registry can be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def _said(*command: str) -> str:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=20, check=True
    ).stdout.strip()


def _works(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _number(version: str) -> tuple[int, ...]:
    found = re.match(r"v?(\d+)(?:\.(\d+))?", version)
    return tuple(int(part) for part in found.groups() if part) if found else ()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other pytest processes out, such as those of xdist."""
    with (folder / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
