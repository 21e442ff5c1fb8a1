"""Whatever a program prints, every source reads it to its end, and all read the same."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import serve, stream

from pytest_narration.recorder import Recorder
from pytest_narration.sources import (
    FileSource,
    FilesSource,
    OtlpSource,
    SseSource,
    StreamSource,
)

INFO = b'{"level":"info","message":"x"}'
PIECES = [
    INFO, INFO + b"\n", b"\n", b"\r\n", b"\r", b"data: ", b"data: " + INFO + b"\n\n", b"id: 1\n",
    b"event: narration\n", b"retry: 1\n", b'{"type":"started","job_id":"j"}', b"{\n", b"}\n",
    b"  at x\n", b"Traceback (most recent call last):\n", b"\xff", b"\0", b"\x1b[31m", b"api-1  | ",
    b'{"log":"', b"\xef\xbb\xbf", b"I0501 10:00:00.123456 1 a.go:1] x\n",
]  # fmt: skip
logs = st.lists(st.sampled_from(PIECES) | st.binary(max_size=9), max_size=25).map(b"".join)
Seen = tuple[list[str], list[bytes], list[object]]


def seen(recorder: Recorder) -> Seen:
    """What was read, without the times and names of who read it."""
    events = recorder.events()
    attached = [event.extra.get("continuation") for event in events]
    return [event.human for event in events], [r.line for r in recorder.rejected], attached


def from_stream(data: bytes) -> Seen:
    recorder = Recorder()
    with StreamSource(io.BytesIO(data), "x", recorder) as source:
        assert source.wait(20).outcome == "complete"
    return seen(recorder)


@settings(max_examples=60, deadline=None)
@given(data=logs)
def test_a_pipe_and_a_file_are_read_alike_and_to_their_end(data: bytes) -> None:
    expected = from_stream(data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.log"
        path.write_bytes(data)
        alone, merged = Recorder(), Recorder()
        sources = (FileSource(path, "x", alone, follow=False), FilesSource(path, merged))
        assert [source.start().wait(20).outcome for source in sources] == ["complete"] * 2
    assert seen(alone) == expected
    said, refused, _ = seen(merged)  # in the order of their times
    assert (sorted(said), sorted(refused)) == (sorted(expected[0]), sorted(expected[1]))


@settings(max_examples=15, deadline=None)
@given(data=logs)
def test_a_stream_of_any_bytes_is_read_to_its_end(data: bytes) -> None:
    recorder = Recorder()
    with serve(stream(data)) as script:
        source = SseSource(f"{script.url}/jobs/j/stream", recorder, reconnect=False)
        ending = source.start().wait(20)
    assert "Error: " not in ending.detail


def test_an_endpoint_answers_any_body_and_goes_on() -> None:
    recorder = Recorder()
    with OtlpSource(recorder) as source, httpx.Client(timeout=20) as client:

        @settings(max_examples=25, deadline=None)
        @given(
            body=st.binary(max_size=60) | logs,
            kind=st.sampled_from(["application/json", "application/x-protobuf", "text/plain", ""]),
            path=st.sampled_from(["/v1/logs", "/v1/traces", "/v1/metrics", "/"]),
        )
        def posts(body: bytes, kind: str, path: str) -> None:
            answer = client.post(
                source.endpoint + path, content=body, headers={"Content-Type": kind}
            )
            assert answer.status_code < 500

        posts()
        answer = client.post(source.endpoint + "/v1/logs", json={"resourceLogs": []})
        assert answer.status_code == 200
