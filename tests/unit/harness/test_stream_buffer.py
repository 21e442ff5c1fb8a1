"""A job's frames are kept in bounded memory, in order, for one reader at a time."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.services.stream import JobStream, Limits, encode_frame
from harness.services.web import ApiError
from pytest_narration.sse import Decoder


def _read_all(stream: JobStream, after: int | None = None) -> bytes:
    async def read() -> bytes:
        reader = stream.attach(after)
        text, is_last = b"", False
        while not is_last:
            chunk, is_last = await reader.next(1.0)
            assert chunk or is_last, "the stream has no end"
            text += chunk
        return text

    return asyncio.run(read())


def _ids(text: bytes) -> list[int]:
    return [int(event.id) for event in Decoder().feed(text)]


def _refused(stream: JobStream, after: int | None) -> ApiError:
    async def attach() -> None:
        stream.attach(after)

    with pytest.raises(ApiError) as refused:
        asyncio.run(attach())
    return refused.value


def test_frames_are_numbered_and_end_with_done() -> None:
    stream = JobStream("job", done_marker=True)
    stream.send("started", job_id="job")
    stream.put(b'{"action":"x"}')
    stream.send("end", tokens_out=1)
    events = Decoder().feed(_read_all(stream))
    assert [(event.type, event.data, event.id) for event in events] == [
        ("started", '{"type":"started","job_id":"job"}', "1"),
        ("narration", '{"type":"narration","event":{"action":"x"}}', "2"),
        ("end", '{"type":"end","tokens_out":1}', "3"),
        ("message", "[DONE]", "4"),
    ]


def test_exactly_one_end_or_error_is_taken() -> None:
    stream = JobStream("job")
    assert stream.send("error", code="A")
    assert not stream.send("end")
    assert not stream.send("error", code="B")
    stream.put(b"{}")
    assert not stream.is_open
    assert _ids(_read_all(stream)) == [1]


def test_of_many_threads_that_end_a_job_one_succeeds() -> None:
    stream = JobStream("job")
    barrier = threading.Barrier(8)
    won: list[bool] = []

    def end() -> None:
        barrier.wait()
        won.append(stream.send("end"))

    threads = [threading.Thread(target=end) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won.count(True) == 1


@settings(max_examples=60, deadline=None)
@given(frames=st.integers(1, 60), cut=st.integers(0, 60))
def test_resuming_gives_the_rest_without_a_gap_or_a_repeat(frames: int, cut: int) -> None:
    stream = JobStream("job", done_marker=True)
    for index in range(frames):
        stream.send("token", index=index)
    stream.send("end")
    after = min(cut, stream.last_id)
    assert _ids(_read_all(stream, after)) == list(range(after + 1, stream.last_id + 1))


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 200), min_size=1, max_size=80),
    frames=st.integers(1, 20),
    size=st.integers(100, 2000),
)
def test_memory_is_bounded_and_what_is_kept_is_a_run_without_holes(
    sizes: list[int], frames: int, size: int
) -> None:
    stream = JobStream("job", limits=Limits(frames=frames, bytes=size))
    for wanted in sizes:
        stream.send("token", text="x" * wanted)
    assert stream.kept_bytes <= max(size, 400)
    stream.send("end")
    first = stream.dropped
    assert _ids(_read_all(stream, first or None)) == list(range(first + 1, stream.last_id + 1))
    assert stream.last_id - stream.dropped <= frames


def test_frames_that_made_room_are_said_to_be_gone_and_where_to_go_on() -> None:
    stream = JobStream("job", limits=Limits(frames=3))
    for index in range(10):
        stream.send("token", index=index)
    for after in (None, 0, 6):
        refusal = _refused(stream, after)
        assert (refusal.code, refusal.status) == ("replay_gone", 410)
        assert refusal.facts == {"resume_after": 7}
        assert "Last-Event-ID: 7" in refusal.message
    stream.send("end")
    assert _ids(_read_all(stream, 8)) == [9, 10, 11]


@pytest.mark.parametrize("done_marker", [False, True])
def test_a_stream_is_read_by_whoever_has_the_last_frame_of_an_ended_job(done_marker: bool) -> None:
    stream = JobStream("job", done_marker=done_marker)
    stream.send("started")
    assert not stream.is_read(1), "the job may still say something"
    stream.send("end")
    assert [each for each in range(1, 5) if stream.is_read(each)] == [3 if done_marker else 2]


def test_an_id_that_was_never_given_out_is_refused() -> None:
    stream = JobStream("job")
    stream.send("started")
    assert _refused(stream, 2).code == "invalid_request"
    assert "the last is 1" in _refused(stream, 2).message


def test_a_second_reader_is_refused_and_one_that_resumes_takes_over() -> None:
    async def scenario() -> None:
        stream = JobStream("job")
        stream.send("started")
        first = stream.attach()
        assert (await first.next(1.0))[0]
        with pytest.raises(ApiError) as refused:
            stream.attach()
        assert (refused.value.code, refused.value.status) == ("stream_in_use", 409)
        waiting = asyncio.create_task(first.next(5.0))
        await asyncio.sleep(0)
        second = stream.attach(1)
        assert await waiting == (b"", True), "the first reader ends"
        assert (first.was_replaced, second.was_replaced) == (True, False)
        stream.send("end")
        chunk, is_last = await second.next(1.0)
        assert (_ids(chunk), is_last) == ([2], True)

    asyncio.run(scenario())


def test_a_reader_that_left_makes_room_for_another_and_was_not_replaced() -> None:
    async def scenario() -> None:
        stream = JobStream("job")
        stream.send("started")
        left = stream.attach()
        left.close()
        assert (await stream.attach(0).next(1.0))[0]
        assert not left.was_replaced

    asyncio.run(scenario())


def test_a_reader_that_falls_behind_is_told() -> None:
    async def scenario() -> None:
        stream = JobStream("job", limits=Limits(frames=4))
        reader = stream.attach()
        for index in range(9):
            stream.send("token", index=index)
        with pytest.raises(ApiError, match="Last-Event-ID: 5"):
            await reader.next(1.0)

    asyncio.run(scenario())


def test_a_waiting_reader_is_woken_from_another_thread() -> None:
    async def scenario() -> None:
        stream = JobStream("job")
        reader = stream.attach()
        waiting = asyncio.create_task(reader.next(5.0))
        await asyncio.sleep(0)
        threading.Thread(target=stream.put, args=(b'{"a":1}',)).start()
        chunk, is_last = await waiting
        assert b'{"a":1}' in chunk
        assert not is_last

    asyncio.run(scenario())


def test_silence_is_reported_after_the_readers_patience() -> None:
    async def scenario() -> None:
        assert await JobStream("job").attach().next(0.01) == (b"", False)

    asyncio.run(scenario())


def test_what_threads_write_arrives_whole_and_once() -> None:
    """Four writers, one reader: ids ascend and nothing is lost."""

    async def scenario() -> None:
        stream = JobStream("job")
        reader = stream.attach()

        def write(name: int) -> None:
            for index in range(200):
                stream.put(b'{"w":%d,"i":%d}' % (name, index))

        threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        text = b""
        while text.count(b"\n\n") < 800:
            chunk, _ = await reader.next(5.0)
            assert chunk, "the writers' frames did not arrive"
            text += chunk
        for thread in threads:
            thread.join()
        assert _ids(text) == list(range(1, 801))

    asyncio.run(scenario())


@pytest.mark.parametrize("data", [b"a\nb", b"a\r\nb", b"a\rb", b"a\n\nb"])
def test_line_ends_in_data_do_not_end_the_frame(data: bytes) -> None:
    (event,) = Decoder().feed(encode_frame("token", data, 1))
    assert event.data.split("\n") == data.decode().splitlines()
