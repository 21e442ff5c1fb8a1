"""Raw log frames are taken apart in any chunking; a log is read once, its tail included."""

from __future__ import annotations

import io
import socket
from typing import Any

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
            raw = io.BytesIO(self.logs.pop(0))

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
