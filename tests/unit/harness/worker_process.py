"""A real worker process and a real client: what the tests of the worker start and ask."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import httpx

from pytest_narration.sse import Decoder

TOKEN = "a-token-for-tests"
ROOT = Path(__file__).resolve().parents[3]

Event = dict[str, Any]
Report = dict[str, Any]


class WorkerProcess:
    """``python -m harness.services.worker`` and every line of its stdout, as it comes."""

    def __init__(self, *arguments: str, pass_fds: tuple[int, ...] = ()) -> None:
        # Its stdin is its lifeline, unless a test brings another: it ends with the test run.
        lifeline = () if pass_fds else ("--parent-fd=0",)
        command = [sys.executable, "-m", "harness.services.worker", *arguments, *lifeline]
        self.events: list[Event] = []
        self.other_lines: list[str] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "NARRATION_API_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
            pass_fds=pass_fds,
        )
        self._errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self.wait()

    @property
    def url(self) -> str:
        address: str = self.wait_for("its address", action="server_bind")["address"]
        return f"http://{address}"

    @property
    def stderr(self) -> str:
        return "".join(self._errors)

    def ready(self) -> WorkerProcess:
        self.wait_for("the model", template_starts="Loaded model", timeout=120)
        return self

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, timeout: float = 60) -> int:
        """Return the exit status, with all of stdout read."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no exit within {timeout} s; {self._told()}") from None
        for reader in self._readers:
            reader.join(timeout)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        return status

    def find(self, *, template_starts: str = "", **where: Any) -> list[Event]:
        return [
            event
            for event in list(self.events)
            if str(event.get("template")).startswith(template_starts)
            and all(event.get(name) == value for name, value in where.items())
        ]

    def wait_for(
        self, what: str, *, timeout: float = 60, template_starts: str = "", **where: Any
    ) -> Event:
        """Return the first event that fits, from the beginning of the process on."""
        until = time.monotonic() + timeout
        with self._news:
            while not (found := self.find(template_starts=template_starts, **where)):
                left = until - time.monotonic()
                ended = self._process.poll() is not None and not self._readers[0].is_alive()
                if left <= 0 or ended:
                    raise AssertionError(f"waited {timeout} s for {what}, {where}; {self._told()}")
                self._news.wait(min(left, 0.5))
        return found[0]

    def _told(self) -> str:
        lines = [f"{event['action']}: {event['human']}" for event in self.events[-8:]]
        return "\n".join([f"status {self._process.poll()}", *lines, self.stderr[-2000:]])

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                try:
                    self.events.append(json.loads(line))
                except ValueError:
                    self.other_lines.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(self._process.stderr)


class Frames:
    """An event stream, read frame by frame."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.seen: list[dict[str, Any]] = []
        self._iterator = self._decode()

    def _decode(self) -> Iterator[dict[str, Any]]:
        decoder = Decoder()
        for chunk in self.response.iter_raw():
            for frame in decoder.feed(chunk):
                data = json.loads(frame.data)
                assert data["type"] == frame.type, "the event: line and the JSON agree"
                assert frame.id == str(len(self.seen) + 1), "ids count from 1"
                self.seen.append(data)
                yield data

    def until(self, type: str) -> dict[str, Any]:
        for frame in self._iterator:
            if frame["type"] == type:
                return frame
        raise AssertionError(f"the stream ended without {type}: {self.types}")

    def rest(self) -> list[dict[str, Any]]:
        """Read to the end; return all frames."""
        for _ in self._iterator:
            pass
        return self.seen

    @property
    def types(self) -> list[str]:
        return [frame["type"] for frame in self.seen]

    def of(self, type: str) -> list[dict[str, Any]]:
        return [frame for frame in self.seen if frame["type"] == type]

    @property
    def events(self) -> list[Event]:
        return [frame["event"] for frame in self.of("narration")]


def client(url: str, **headers: str) -> httpx.Client:
    return httpx.Client(
        base_url=url,
        timeout=60,
        headers={"Authorization": f"Bearer {TOKEN}", "Accept": "text/event-stream", **headers},
    )


@contextmanager
def execute(url: str, headers: dict[str, str] | None = None, **body: Any) -> Iterator[Frames]:
    """Start a job; leaving the block before its end disconnects."""
    with (
        client(url) as http,
        http.stream("POST", "/execute", json=body, headers=headers) as response,
    ):
        yield Frames(response)


def run_job(url: str, headers: dict[str, str] | None = None, **body: Any) -> Frames:
    """Run a job to its end."""
    with execute(url, headers, **body) as frames:
        frames.rest()
        return frames


@contextmanager
def pool_manager(answer: Callable[[int], int]) -> Iterator[tuple[str, Queue[Report]]]:
    """A server that takes readiness reports; ``answer`` maps the nth report to a status."""
    reports: Queue[Report] = Queue()
    nth = itertools.count(1)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reports.put({"path": self.path, "headers": dict(self.headers), "body": body})
            self.send_response(answer(next(nth)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v2/internal/workers/ready", reports
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
