"""A worker's lines pass through whole, unchanged and in order, whoever reads them how."""

from __future__ import annotations

import os
import select
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.services.pool_manager.capture import Capture, SharedSink, WorkerLog, shown
from pytest_narration.emit.sink import Drops

_PATIENCE = 20.0


def _capture(*chunks: bytes, limit: int = 1 << 20) -> tuple[list[bytes], WorkerLog]:
    """Return what is written on, call by call, and the log."""
    ours, theirs = os.pipe()
    relayed: list[bytes] = []
    log = WorkerLog(limit)
    capture = Capture(ours, "stdout", log, relayed.append)
    for chunk in chunks:
        _write_all(theirs, chunk)
    os.close(theirs)
    assert capture.join(_PATIENCE)
    return relayed, log


def _read(descriptor: int, count: int) -> bytes:
    """Read so many bytes at least; what is there when they do not come in time."""
    text, deadline = b"", time.monotonic() + _PATIENCE
    while len(text) < count and select.select([descriptor], [], [], _PATIENCE)[0]:
        text += os.read(descriptor, 1 << 20)
        if time.monotonic() > deadline:
            break
    return text


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=12))
def test_bytes_are_untouched_and_only_whole_lines_are_written_on(chunks: list[bytes]) -> None:
    relayed, log = _capture(*chunks)
    text = b"".join(chunks)
    ended = text if not text or text.endswith(b"\n") else text + b"\n"
    assert b"".join(relayed) == ended
    assert all(lines.endswith(b"\n") for lines in relayed)
    assert [line for _, line in log.lines()] == ended.split(b"\n")[:-1]


def test_a_megabyte_in_one_line_arrives_as_one_line() -> None:
    line = b"x" * (1 << 20) + b"\n"
    relayed, _ = _capture(b"a\n", line, b"b\n")
    assert b"".join(relayed) == b"a\n" + line + b"b\n"


def test_the_last_words_of_a_process_that_died_in_a_line_are_kept() -> None:
    relayed, log = _capture(b'{"action":"x"}\nTraceb')
    assert b"".join(relayed) == b'{"action":"x"}\nTraceb\n'
    assert log.lines()[-1] == ("stdout", b"Traceb")


@pytest.mark.parametrize(
    ("printed", "event_id"),
    [
        (b'{"event_id":"first"}\n{"event_id":"last","x":1}\n', "last"),
        (b'{"event_id":"first"}\n{"event_id":"cut', ""),
        (b'{"event_id":7}\n', ""),
        (b"[1]\n", ""),
        (b"\xff\n", ""),
        (b"", ""),
    ],
)
def test_the_latest_event_is_known_by_its_id(printed: bytes, event_id: str) -> None:
    _, log = _capture(printed)
    log.add("stderr", b'{"event_id":"no event"}')
    assert log.last_event_id() == event_id


def test_the_log_is_bounded_by_bytes_and_keeps_the_latest() -> None:
    log = WorkerLog(100)
    for number in range(50):
        log.add("stdout", b"line %02d" % number)
    kept = [line for _, line in log.lines()]
    assert sum(map(len, kept)) <= 100
    assert kept[-1] == b"line 49"
    assert [line for _, line in log.lines(2)] == [b"line 48", b"line 49"]
    log.add("stdout", b"y" * 1000)
    assert [line for _, line in log.lines()] == [b"y" * 100]


@pytest.mark.parametrize(
    ("stream", "line", "text"),
    [
        ("stdout", b'{"level":"info","human":"Loading"}', "[INFO] w: Loading"),
        ("stdout", b'{"level":"error","human":"Failed"}', "[ERROR] w: Failed"),
        ("stdout", b'{"no":"event"}', '[INFO] w: {"no":"event"}'),
        ("stdout", b"plain \xff", "[INFO] w: plain \ufffd"),
        ("stderr", b"Traceback", "[ERROR] w: Traceback"),
    ],
)
def test_a_line_is_shown_as_people_read_it(stream: str, line: bytes, text: str) -> None:
    assert shown("w", stream, line) == text


def test_a_slow_reader_of_our_stdout_loses_no_line_of_a_worker() -> None:
    """More than the sink's backlog, and nobody reads until the worker has written half of it."""
    worker_in, worker_out = os.pipe()
    our_in, our_out = os.pipe()
    sink = SharedSink(our_out, backlog_bytes=1 << 20)
    capture = Capture(worker_in, "stdout", WorkerLog(1 << 16), sink.relay)
    count, line = 3000, b"%06d " + b"x" * 1000 + b"\n"
    half = threading.Event()

    def work() -> None:
        for number in range(count):
            if number == count // 40:
                half.set()
            _write_all(worker_out, line % number)
        os.close(worker_out)

    writer = threading.Thread(target=work)
    writer.start()
    assert half.wait(_PATIENCE)
    expected = count * len(line % 0)
    text = b""
    while len(text) < expected:
        text += os.read(our_in, 1 << 20)
    writer.join()
    assert capture.join(_PATIENCE)
    assert text == b"".join(line % number for number in range(count))
    os.close(our_in)
    os.close(our_out)


def test_our_own_lines_that_wait_do_not_hold_a_worker_back() -> None:
    """A reader that never quite catches up with us would otherwise starve the worker."""
    our_in, our_out = os.pipe()
    sink = SharedSink(our_out)
    own, number = b"o" * 999 + b"\n", 0
    while sink.waiting < 100:
        number += 1
        sink.write(own, number)
    relay = threading.Thread(target=sink.relay, args=(b"from the worker\n",), daemon=True)
    relay.start()
    relay.join(_PATIENCE)
    assert not relay.is_alive(), "the worker's line waits until none of ours does"
    sink.write(own, number + 1)
    expected = own * number + b"from the worker\n" + own
    assert _read(our_in, len(expected)) == expected
    sink.close()
    os.close(our_in)
    os.close(our_out)


def test_a_long_line_of_one_worker_gets_its_turn_among_others() -> None:
    """Three workers keep what the first one's line needs from ever being free at once."""
    our_in, our_out = os.pipe()
    sink = SharedSink(our_out, backlog_bytes=1 << 20)
    short, long = b"s" * 65_535 + b"\n", b"l" * 524_000 + b"\n"
    done = threading.Event()

    def talk() -> None:
        while not done.is_set():
            sink.relay(short)

    others = [threading.Thread(target=talk) for _ in range(3)]
    for other in others:
        other.start()
    text = _read(our_in, 4 << 20)
    relay = threading.Thread(target=sink.relay, args=(long,), daemon=True)
    relay.start()
    while long not in text and len(text) < 40 << 20:
        time.sleep(0.002)  # slower than the workers
        text += _read(our_in, 1)
    done.set()
    sink.let_go()
    while any(other.is_alive() for other in others):
        _read(our_in, 1 << 16)
    assert long in text
    assert set(text.rpartition(b"\n")[0].split(b"\n")) == {short[:-1], long[:-1]}
    sink.close()
    os.close(our_in)
    os.close(our_out)


def test_lines_of_a_worker_that_are_dropped_are_counted_one_by_one() -> None:
    our_in, our_out = os.pipe()
    drops: list[Drops] = []
    sink = SharedSink(our_out, backlog_bytes=1000)
    sink.on_recovered = drops.append
    sink.let_go()
    seq = 0
    while sink.waiting < 2:
        seq += 1
        sink.write(b"o" * 499 + b"\n", seq)
    sink.write(b"o" * 999 + b"\n", seq + 1)
    sink.relay(b"one\ntwo\nthree\n")
    sink.write(b"o" * 999 + b"\n", seq + 2)
    sink.relay(b"four\n")
    assert len(_read(our_in, seq * 500)) == seq * 500
    assert sink.flush(_PATIENCE)
    assert drops == [Drops(6, seq + 1, seq + 2, "SLOW_READER")]
    sink.close()
    os.close(our_in)
    os.close(our_out)


def test_without_any_reader_the_worker_is_not_held_up() -> None:
    worker_in, worker_out = os.pipe()
    our_in, our_out = os.pipe()
    os.close(our_in)
    sink = SharedSink(our_out)
    log = WorkerLog(1 << 20)
    capture = Capture(worker_in, "stdout", log, sink.relay)
    for number in range(2000):
        _write_all(worker_out, b"line %d of many that nobody will ever read\n" % number)
    os.close(worker_out)
    assert capture.join(_PATIENCE)
    assert log.lines()[-1][1].startswith(b"line 1999 ")
    os.close(our_out)


def test_our_own_events_do_not_wait_for_a_slow_reader() -> None:
    our_in, our_out = os.pipe()
    sink = SharedSink(our_out)
    for number in range(5000):
        sink.write(b"x" * 1000 + b"\n", number)
    sink.let_go()
    sink.relay(b"one more\n")
    os.close(our_in)
    os.close(our_out)
