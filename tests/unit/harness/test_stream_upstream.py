"""Another service's stream is cut into frames, in any chunking, and judged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.services.stream import (
    Frame,
    FrameSplitter,
    JobStream,
    ProtocolError,
    Upstream,
    encode_frame,
)
from harness.services.stream.upstream import MAX_FRAME_BYTES

_STARTED = encode_frame("started", b'{"type":"started","job_id":"j"}', 1)
_TOKEN = encode_frame("token", '{"type":"token","text":"ü"}'.encode(), 2)
_NARRATION = encode_frame("narration", b'{"type":"narration","event":{"event_id":"e1"}}', 3)
_END = encode_frame("end", b'{"type":"end"}', 4)
_WHOLE = _STARTED + b": keep-alive\n\n" + _TOKEN + _NARRATION + _END


def _frames(*chunks: bytes) -> list[Frame]:
    async def read() -> list[Frame]:
        async def arrive() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        return [frame async for frame in Upstream(arrive()).frames()]

    return asyncio.run(read())


def test_frames_keep_their_data_and_the_id_of_their_event() -> None:
    assert _frames(_WHOLE) == [
        Frame("started", b'{"type":"started","job_id":"j"}'),
        Frame("token", '{"type":"token","text":"ü"}'.encode()),
        Frame("narration", b'{"type":"narration","event":{"event_id":"e1"}}', "e1"),
        Frame("end", b'{"type":"end"}'),
    ]


@settings(max_examples=80, deadline=None)
@given(cuts=st.lists(st.integers(1, len(_WHOLE) + 20), max_size=12), crlf=st.booleans())
def test_any_chunking_gives_the_same_frames(cuts: list[int], crlf: bool) -> None:
    text = _WHOLE.replace(b"\n", b"\r\n") if crlf else _WHOLE
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    chunks = [text[start:stop] for start, stop in pairwise(edges)]
    assert _frames(*chunks) == _frames(_WHOLE)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (_STARTED + b"data: not json\n\n", "data is not ours"),
        (_STARTED + b"data: []\n\n", "data is not ours"),
        (_STARTED + b'data: {"type":1}\n\n', "data is not ours"),
        (_STARTED + b'data: {"type":"end"\xff}\n\n', "data is not ours"),
        (_STARTED + b'data: {"type":"party"}\n\n', "unknown type 'party'"),
        (_STARTED + b"data: [DONE]\n\n", "data is not ours"),
        (_TOKEN, "`token` before `started`"),
        (_STARTED + _STARTED, "second `started`"),
        (_STARTED + _TOKEN, "stopped before its end"),
        (b"", "stopped before its end"),
        (_STARTED + b"data: " + b"x" * (MAX_FRAME_BYTES + 1), "longer than"),
    ],
)
def test_what_was_not_agreed_is_an_error(text: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        _frames(text)


def test_nothing_is_read_after_the_end() -> None:
    assert [frame.type for frame in _frames(_STARTED + _END + b"data: rubbish\n\n")] == [
        "started",
        "end",
    ]


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(max_size=30), max_size=10))
def test_what_a_job_stream_writes_is_read_back(texts: list[str]) -> None:
    stream = JobStream("job")
    stream.send("started")
    for text in texts:
        stream.send("token", text=text)
    frames, _ = stream.take(1)
    read = list(FrameSplitter().feed(b"".join(frames)))
    assert [frame.type for frame in read] == ["started", *["token"] * len(texts)]
