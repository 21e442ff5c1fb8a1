"""The event-stream decoder gives what the WHATWG algorithm gives, for any chunking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration import sse
from pytest_narration.sse import Decoder, ServerSentEvent

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "sse" / "cases.json").read_text()
)

# Pieces that mean something to the decoder: arbitrary bytes alone would rarely form a field.
PIECES = [
    b"data", b"data:", b"data: x", b"event:a", b"event:", b"id:7", b"id", b"id:\0", b"retry:12",
    b"retry:1x", b":", b": note", b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b" ", b"\0",
    b"\xef\xbb\xbf", b"\xef", b"\xf0\x9f\x98\x80", b"\xf0\x9f", b"\xff", b"\xe2\x82\xac", b"x" * 40,
]  # fmt: skip
streams = st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=40).map(b"".join)


def run(chunks: list[bytes], **options: Any) -> tuple[list[ServerSentEvent], Decoder, bool]:
    decoder = Decoder(**options)
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events, decoder, decoder.finish()


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


@pytest.mark.parametrize("size", [10**9, 1, 2, 3, 7], ids=lambda n: f"chunks of {n}")
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_case_of_the_algorithm(case: dict[str, Any], size: int) -> None:
    events, decoder, pending = run(cut(case["bytes"].encode("latin-1"), size))
    assert [{"type": e.type, "data": e.data, "id": e.id} for e in events] == case["events"]
    assert decoder.retry == case["retry"]
    assert decoder.last_event_id == case["last_event_id"]
    assert pending is case["pending"]


@settings(max_examples=300, deadline=None)
@given(data=streams, chunking=st.data())
def test_any_chunking_gives_the_same_events(data: bytes, chunking: st.DataObject) -> None:
    cuts = sorted(chunking.draw(st.lists(st.integers(0, len(data)), max_size=12)))
    chunks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    whole, one, pending_one = run([data])
    pieces, many, pending_many = run(chunks)
    assert pieces == whole
    assert (one.retry, one.last_event_id, pending_one) == (
        many.retry,
        many.last_event_id,
        pending_many,
    )


@settings(max_examples=200, deadline=None)
@given(data=streams)
def test_it_agrees_with_the_algorithm_written_out_on_whole_text(data: bytes) -> None:
    """The oracle decodes the whole stream at once, as the standard describes it."""
    assert run(cut(data, 1))[0] == oracle(data)


def oracle(data: bytes) -> list[ServerSentEvent]:
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]
    events, buffer, kind, last_id, own_id = [], "", "", "", False
    for line in lines:
        name, _, value = line.partition(":")
        value = value[1:] if value[:1] == " " else value
        if line == "":
            if buffer:
                events.append(ServerSentEvent(kind or "message", buffer[:-1], last_id, own_id))
            buffer, kind, own_id = "", "", False
        elif name == "data":
            buffer += value + "\n"
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id, own_id = value, True
    return events


def test_the_id_of_the_previous_connection_stays_in_force() -> None:
    events, decoder, _ = run([b"data:x\n\n"], last_event_id="41")
    assert events == [ServerSentEvent("message", "x", "41")]
    assert decoder.last_event_id == "41"


def test_events_come_as_soon_as_their_empty_line_does() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data:x\r\n\r") == [ServerSentEvent("message", "x")]
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"data:y\n\n") == [ServerSentEvent("message", "y")]


@pytest.mark.parametrize("size", [10**9, 1, 7])
@pytest.mark.parametrize(
    "long", [b"data:" + b"x" * 200 + b"\n", b"data:xxxxxxxxxx\n" * 20], ids=["line", "event"]
)
def test_an_overlong_event_is_dropped_whole_and_reported(long: bytes, size: int) -> None:
    stream = b"data:before\n\ndata:start\n" + long + b"data:rest\n\ndata:after\n\n"
    events, decoder, _ = run(cut(stream, size), limit=100)
    assert [event.data for event in events] == ["before", "after"]
    [overlong] = decoder.overlong
    assert overlong.why == "server-sent event of more than 100 bytes: dropped"
    assert overlong.head == b"data:start"


def test_an_overlong_comment_drops_nothing() -> None:
    events, decoder, _ = run(cut(b"data:a\n:" + b"x" * 500 + b"\ndata:b\n\n", 10), limit=100)
    assert [event.data for event in events] == ["a\nb"]
    assert decoder.overlong == []


def test_an_endless_line_keeps_no_more_than_the_limit() -> None:
    """The bytes a decoder holds stay below the limit and one chunk."""
    decoder = Decoder(limit=10_000)
    for _ in range(1000):
        decoder.feed(b"x" * 1000)
        assert decoder.held <= 11_000
    assert len(decoder.overlong) == 1


def test_everything_public_is_listed() -> None:
    assert sorted(sse.__all__) == sse.__all__
    assert all(hasattr(sse, name) for name in sse.__all__)
