"""Raw log frames are taken apart in any chunking; a log is read once, its tail included."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import docker
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.errors import SourceUnreachable
from pytest_narration.recorder import Recorder
from pytest_narration.sources import DockerSource
from pytest_narration.sources.docker import STDERR, STDOUT, Demultiplexer


def framed(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def joined(pieces: list[tuple[int, bytes]]) -> dict[int, bytes]:
    streams = {STDOUT: b"", STDERR: b""}
    for stream, piece in pieces:
        streams[stream] += piece
    return streams


@settings(max_examples=150, deadline=None)
@given(
    frames=st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=40))),
    size=st.integers(1, 50),
)
def test_any_chunking_gives_each_streams_bytes(frames: list[tuple[int, bytes]], size: int) -> None:
    raw = b"".join(framed(stream, data) for stream, data in frames)
    demultiplexer = Demultiplexer()
    pieces = [
        piece for i in range(0, len(raw), size) for piece in demultiplexer.feed(raw[i : i + size])
    ]
    assert joined(pieces) == joined(frames)
    assert demultiplexer.is_at_boundary


def test_a_frame_that_is_cut_off_is_noticed() -> None:
    demultiplexer = Demultiplexer()
    assert list(demultiplexer.feed(framed(STDOUT, b"abc")[:-1])) == [(STDOUT, b"ab")]
    assert not demultiplexer.is_at_boundary


class FakeEngine:
    """The few methods of docker-py's API client that a source calls, over recorded logs."""

    def __init__(self, *logs: bytes, tty: bool = False, code: int | None = 0) -> None:
        self.api = self
        self.logs, self.tty, self.code = list(logs), tty, code

    def inspect_container(self, container: str) -> dict[str, Any]:
        if container != "api":
            raise LookupError(f"No such container: {container}")
        state = {"Running": self.code is None, "ExitCode": self.code or 0}
        return {"Config": {"Tty": self.tty}, "State": state}

    def _url(self, path: str, *parts: str) -> str:
        return path.format(*parts)

    def _get(self, url: str, **options: Any) -> Any:
        class Response:
            raw = property(lambda response: response)
            log = self.logs.pop(0)

            def stream(self, size: int, decode_content: bool) -> Iterator[bytes]:
                yield from (self.log[i : i + 1000] for i in range(0, len(self.log), 1000))

            def close(self) -> None: ...

        return Response()

    def _raise_for_status(self, response: Any) -> None: ...

    def _get_raw_response_socket(self, response: Any) -> socket.socket | None:
        return None


LINE = b'{"level":"info","message":"%s"}'


def read(recorder: Recorder, engine: FakeEngine) -> DockerSource:
    with DockerSource("api", recorder, client=engine) as source:
        source.wait(10)
    return source


def test_a_long_line_in_fragments_is_one_event(recorder: Recorder) -> None:
    text = b"x" * 100_000
    long = LINE % text + b"\n"
    fragments = [long[i : i + 16384] for i in range(0, len(long), 16384)]
    log = b"".join(
        framed(STDOUT, piece) + framed(STDERR, LINE % b"%d" % n + b"\n")
        for n, piece in enumerate(fragments)
    )
    read(recorder, FakeEngine(log, log))
    texts = [event.human for event in recorder.events()]
    assert texts.count(text.decode()) == 1
    assert sorted(t for t in texts if len(t) == 1) == [str(n) for n in range(len(fragments))]
    assert recorder.rejected == []


def test_the_tail_that_comes_after_death_is_read_once(recorder: Recorder) -> None:
    live = framed(STDOUT, LINE % b"one" + b"\n")
    source = read(recorder, FakeEngine(live, live + framed(STDOUT, LINE % b"tail"), code=137))
    assert [event.human for event in recorder.events()] == ["one", "tail"]
    assert source.ending is not None
    assert (source.ending.outcome, source.ending.detail) == ("complete", "exit code 137")


def test_a_broken_log_of_a_running_container_is_read_on_then_cut_off(recorder: Recorder) -> None:
    one, two = framed(STDOUT, LINE % b"one" + b"\n"), framed(STDOUT, LINE % b"two" + b"\n")
    source = read(recorder, FakeEngine(one, one + two, one + two, code=None))
    assert [event.human for event in recorder.events()] == ["one", "two"]
    assert source.ending is not None
    assert source.ending.outcome == "cut off"


def test_a_terminals_log_has_no_frames(recorder: Recorder) -> None:
    log = LINE % b"one" + b"\r\n"
    read(recorder, FakeEngine(log, log, tty=True))
    assert [event.human for event in recorder.events()] == ["one"]


def test_a_container_that_is_not_there_is_unreachable(recorder: Recorder) -> None:
    with pytest.raises(SourceUnreachable, match="container nope: No such container"):
        DockerSource("nope", recorder, client=FakeEngine()).start()


def test_the_real_client_follows_a_live_log_and_lets_go_of_it(recorder: Recorder) -> None:
    """docker-py itself against an engine of a few lines: the live answer never ends."""
    log = framed(STDOUT, LINE % b"one" + b"\n") + framed(STDERR, LINE % b"two" + b"\n")
    hold = threading.Event()

    class Engine(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            if "/logs" in self.path:
                self.chunk(log[:11])
                self.chunk(log[11:])
                if "follow=1" in self.path:
                    hold.wait(20)
            else:
                state = {"Running": True, "ExitCode": 0}
                self.chunk(json.dumps({"Config": {"Tty": False}, "State": state}).encode())
            self.chunk(b"")

        def chunk(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    client = docker.DockerClient(f"tcp://127.0.0.1:{server.server_address[1]}", version="1.41")
    try:
        with DockerSource("api", recorder, client=client) as source:
            recorder.wait_for(human="two", timeout=10)
            assert source.is_running
        assert source.ending is not None
        assert source.ending.outcome == "complete"
        assert sorted(event.human for event in recorder.events()) == ["one", "two"]
    finally:
        hold.set()
        client.close()
        server.shutdown()
        server.server_close()
