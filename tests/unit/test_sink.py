"""Promises of the sink: never block, never raise, never interleave, count every loss."""

from __future__ import annotations

import _thread
import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_narration.emit.sink import Drops, FdSink

PATIENCE = 60.0


def line_of(seq: int, size: int = 60) -> bytes:
    head = b"%d:" % seq
    return head + b"x" * (size - len(head) - 1) + b"\n"


def wait_until(condition: Callable[[], bool], what: str, saw: Callable[[], object]) -> None:
    """Wait for what another thread does; say what was seen when it never happens."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for {what}; saw {saw()!r}"
        threading.Event().wait(0.005)


class Reader:
    """Reads a descriptor to its end in a thread; it can be slow."""

    def __init__(self, fd: int, pause: float = 0.0) -> None:
        self.data = bytearray()
        self._fd, self._pause = fd, pause
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while chunk := os.read(self._fd, 3000):
            self.data += chunk
            if self._pause:
                threading.Event().wait(self._pause)

    def to_end(self) -> bytes:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"no end of file after {len(self.data)} bytes"
        return bytes(self.data)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for fd in (read, write):
        with contextlib.suppress(OSError):
            os.close(fd)


def sequence(data: bytes) -> list[int]:
    """Return the seqs of whole, undamaged lines; fail on any other line."""
    assert data.endswith(b"\n") or not data, f"ends within a line: {data[-80:]!r}"
    seqs = []
    for line in data.splitlines():
        seq = int(line.split(b":")[0])
        assert line + b"\n" == line_of(seq, len(line) + 1), f"damaged line {line[:80]!r}"
        seqs.append(seq)
    return seqs


def account(arrived: list[int], drops: list[Drops], count: int) -> None:
    """Fail unless each of ``count`` lines arrived once and in order, or was counted as lost."""
    assert arrived == sorted(set(arrived)), "a line came twice or out of order"
    lost = [seq for drop in drops for seq in range(drop.first_seq, drop.last_seq + 1)]
    assert all(drop.count == drop.last_seq - drop.first_seq + 1 for drop in drops)
    assert sorted([*arrived, *lost]) == list(range(1, count + 1))


def test_a_line_is_in_the_pipe_when_write_returns(pipe: tuple[int, int]) -> None:
    read, write = pipe
    FdSink(write).write(b"hello\n", 1)
    assert os.read(read, 100) == b"hello\n"


def test_the_flags_of_a_shared_pipe_stay_as_they_are(pipe: tuple[int, int]) -> None:
    read, write = pipe
    sink = FdSink(write)
    sink.write(b"hello\n", 1)
    assert os.get_blocking(write)
    assert os.get_blocking(read)


def test_lines_keep_going_to_the_pipe_after_its_descriptor_was_replaced(
    pipe: tuple[int, int], tmp_path: Path
) -> None:
    """A file that takes over the number of a closed stdout must not get our lines."""
    read, write = pipe
    sink = FdSink(write)
    with (tmp_path / "database").open("wb") as other:
        os.dup2(other.fileno(), write)
        sink.write(b"hello\n", 1)
    assert os.read(read, 100) == b"hello\n"
    assert (tmp_path / "database").read_bytes() == b""
    sink.close()


def test_a_pipe_that_nobody_reads_neither_blocks_nor_fails(pipe: tuple[int, int]) -> None:
    read, write = pipe
    drops: list[Drops] = []
    sink = FdSink(write, backlog_bytes=100_000, on_recovered=drops.append)
    count = 10_000
    for seq in range(1, count + 1):
        sink.write(line_of(seq), seq)
    assert not sink.flush(0.05)
    assert drops == []
    reader = Reader(read)
    wait_until(lambda: sink.waiting == 0 and bool(drops), "the loss to be told", lambda: drops)
    assert [drop.why for drop in drops] == ["SLOW_READER"]
    sink.close()
    os.close(write)
    arrived = sequence(reader.to_end())
    account(arrived, drops, count)
    assert len(arrived) > 100_000 // 60, "the backlog was not used"


@pytest.mark.parametrize("size", [60, 4096, 4097, 30_000])
def test_with_a_slow_reader_each_line_arrives_once_or_is_counted(
    pipe: tuple[int, int], size: int
) -> None:
    read, write = pipe
    drops: list[Drops] = []
    sink = FdSink(write, backlog_bytes=10 * size, on_recovered=drops.append)
    reader = Reader(read, pause=0.0005)
    count = 200_000 // size + 60
    for seq in range(1, count + 1):
        sink.write(line_of(seq, size), seq)
    wait_until(lambda: sink.flush(0.1), "the backlog to empty", lambda: sink.waiting)
    sink.close()
    os.close(write)
    account(sequence(reader.to_end()), drops, count)


def test_lines_of_many_threads_never_mix_while_the_reader_is_slow(pipe: tuple[int, int]) -> None:
    read, write = pipe
    sink = FdSink(write, backlog_bytes=1 << 22)
    reader = Reader(read, pause=0.0002)
    numbers = iter(range(1, 401))
    lock = threading.Lock()

    def narrate() -> None:
        while True:
            with lock:  # as the narrator does: its lock gives the seq and covers the write
                seq = next(numbers, None)
                if seq is None:
                    return
                sink.write(line_of(seq, 5000 + seq % 7), seq)

    threads = [threading.Thread(target=narrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sink.flush(PATIENCE)
    sink.close()
    os.close(write)
    assert sequence(reader.to_end()) == list(range(1, 401))


def test_a_half_written_line_is_completed_before_the_next(pipe: tuple[int, int]) -> None:
    read, write = pipe
    sink = FdSink(write)
    big = line_of(1, 200_000)
    sink.write(big, 1)
    assert sink.waiting == 1
    sink.write(line_of(2), 2)
    reader = Reader(read)
    assert sink.flush(PATIENCE)
    sink.close()
    os.close(write)
    assert reader.to_end() == big + line_of(2)


def test_a_reader_that_went_away_does_no_harm(pipe: tuple[int, int]) -> None:
    read, write = pipe
    sink = FdSink(write, backlog_bytes=300)
    os.close(read)
    for seq in range(1, 100):
        sink.write(line_of(seq), seq)
    started = time.monotonic()
    assert not sink.flush(PATIENCE)
    assert time.monotonic() - started < PATIENCE / 2, "flush waited for a reader that is gone"
    assert sink.waiting == 5


def test_a_reader_that_returns_to_a_fifo_is_told_what_it_missed(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    first = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write = os.open(path, os.O_WRONLY)
    drops: list[Drops] = []
    sink = FdSink(write, backlog_bytes=300, on_recovered=drops.append)
    sink.write(line_of(1), 1)
    assert os.read(first, 100) == line_of(1)
    os.close(first)
    for seq in range(2, 21):
        sink.write(line_of(seq), seq)
    second = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(second, True)
    reader = Reader(second)
    wait_until(lambda: bool(drops), "the loss to be told", lambda: (drops, sink.waiting))
    sink.write(line_of(21), 21)
    assert sink.flush(PATIENCE)
    sink.close()
    os.close(write)
    assert [drop.why for drop in drops] == ["NO_READER"]
    account([1, *sequence(reader.to_end())], drops, 21)
    os.close(second)


def test_a_full_device_counts_what_it_refuses() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    fd = os.open("/dev/full", os.O_WRONLY)
    sink = FdSink(fd, backlog_bytes=130)
    for seq in range(1, 10):
        sink.write(line_of(seq), seq)
    assert not sink.flush(0.05)
    assert sink.waiting == 2
    sink.close()
    os.close(fd)


def test_a_file_that_may_grow_again_gets_its_lines_and_the_loss_is_told(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: a write is cut, then refused."""
    path = tmp_path / "out"
    code = f"""
import os, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from pytest_narration.emit.sink import FdSink
drops = []
fd = os.open({str(path)!r}, os.O_WRONLY | os.O_CREAT)
sink = FdSink(fd, backlog_bytes=600, on_recovered=drops.append)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (150, hard))
for seq in range(1, 41):
    sink.write(b"%d:".ljust(99, b"x") % seq + b"\\n", seq)
cut = os.fstat(fd).st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
assert sink.flush({PATIENCE}), sink.waiting
[drop] = drops
print(cut, drop.count, drop.first_seq, drop.last_seq, drop.why)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    cut, count, first, last, why = done.stdout.split()
    assert (cut, last, why) == ("150", "40", "EFBIG")
    arrived = [int(line.split(b":")[0]) for line in path.read_bytes().splitlines()]
    account(arrived, [Drops(int(count), int(first), int(last), why)], 40)


def test_a_socket_that_nobody_reads_neither_blocks_nor_fails() -> None:
    ours, theirs = socket.socketpair()
    drops: list[Drops] = []
    sink = FdSink(ours.fileno(), backlog_bytes=50_000, on_recovered=drops.append)
    count = 20_000
    for seq in range(1, count + 1):
        sink.write(line_of(seq), seq)
    assert ours.getblocking()
    reader = Reader(theirs.fileno())
    wait_until(lambda: sink.waiting == 0 and bool(drops), "the loss to be told", lambda: drops)
    sink.close()
    ours.close()
    account(sequence(reader.to_end()), drops, count)
    theirs.close()


def test_a_terminal_gets_its_lines() -> None:
    ours, theirs = pty.openpty()
    sink = FdSink(theirs)
    sink.write(b"hello\n", 1)
    assert os.read(ours, 100) == b"hello\r\n"
    sink.close()
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_cannot_be_opened_again_is_polled_before_each_write(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """As without /proc, or when another user owns the pipe; a blocking descriptor stays so."""
    drops: list[Drops] = []
    if kind == "pipe":
        read, write = os.pipe()
    else:
        pair = socket.socketpair()
        read, write = (each.detach() for each in pair)
        monkeypatch.setattr(socket, "getdefaulttimeout", lambda: 5.0)

    def refuse(*args: object) -> int:
        raise PermissionError(13, "not yours")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        sink = FdSink(write, backlog_bytes=50_000, on_recovered=drops.append)
    for seq in range(1, 5001):
        sink.write(line_of(seq), seq)
    assert os.get_blocking(write)
    reader = Reader(read)
    wait_until(lambda: sink.waiting == 0 and bool(drops), "the loss to be told", lambda: drops)
    sink.close()
    os.close(write)
    account(sequence(reader.to_end()), drops, 5000)
    os.close(read)


def test_a_closed_descriptor_does_no_harm(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    sink = FdSink(fd)
    os.close(fd)
    sink.write(line_of(1), 1)
    assert not sink.flush(PATIENCE)
    assert sink.waiting == 1
    sink.close()
    sink.write(line_of(2), 2)
    assert not sink.flush(PATIENCE)


def test_a_descriptor_that_was_never_open_does_no_harm() -> None:
    sink = FdSink(9999)
    sink.write(line_of(1), 1)
    assert not sink.flush(PATIENCE)
    sink.close()


def test_the_listener_may_write_and_may_fail(pipe: tuple[int, int]) -> None:
    """The narrator narrates a loss through the sink that had it."""
    read, write = pipe
    told: list[Drops] = []

    def listen(drops: Drops) -> None:
        told.append(drops)
        sink.write(b"1001:\n", 1001)
        raise RuntimeError("a listener's own mistake")

    sink = FdSink(write, backlog_bytes=200, on_recovered=listen)
    sink.write(line_of(1, 70_000), 1)
    for seq in range(2, 21):
        sink.write(line_of(seq), seq)
    reader = Reader(read)
    wait_until(lambda: bool(told), "the loss to be told", lambda: sink.waiting)
    assert sink.flush(PATIENCE)
    sink.close()
    os.close(write)
    assert b"1001:\n" in reader.to_end()
    assert [drop.why for drop in told] == ["SLOW_READER"]


def test_the_listener_runs_without_the_sinks_lock(pipe: tuple[int, int]) -> None:
    """It may wait for a thread that narrates."""
    read, write = pipe
    others: list[bool] = []

    def listen(drops: Drops) -> None:
        def other() -> None:
            others.append(sink.flush(0.0) or True)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(PATIENCE)

    sink = FdSink(write, backlog_bytes=200, on_recovered=listen)
    for seq in range(1, 1500):
        sink.write(line_of(seq), seq)
    reader = Reader(read)
    wait_until(lambda: bool(others), "another thread to use the sink", lambda: sink.waiting)
    sink.close()
    os.close(write)
    reader.to_end()


def test_without_a_thread_the_next_line_takes_the_waiting_ones_along(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = pipe

    def refuse(*args: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    drops: list[Drops] = []
    sink = FdSink(write, backlog_bytes=1000, on_recovered=drops.append)
    sink.write(line_of(1, 65_536), 1)
    for seq in range(2, 41):
        sink.write(line_of(seq), seq)
    assert len(os.read(read, 65_536)) == 65_536
    sink.write(line_of(41), 41)
    arrived = sequence(os.read(read, 65_536))
    assert sink.waiting == 0
    account([1, *arrived], drops, 41)


def test_a_signal_handler_that_narrates_lets_its_line_wait(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler runs right after a partial write, before its rest is noted down."""
    read, write = pipe
    sink = FdSink(write)
    put = sink._put

    def interrupted(line: bytes) -> int:
        sink._put = put
        written = put(line[:10])
        signal.raise_signal(signal.SIGUSR1)
        return written

    sink._put = interrupted
    before = signal.signal(signal.SIGUSR1, lambda *_: sink.write(line_of(2), 2))
    try:
        sink.write(line_of(1), 1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert sink.flush(PATIENCE)
    wait_until(lambda: not sink._running, "the thread to end", lambda: sink.waiting)
    assert sequence(os.read(read, 1000)) == [1, 2]


def test_a_child_starts_with_nothing_waiting(pipe: tuple[int, int]) -> None:
    read, write = pipe
    sink = FdSink(write)
    big = line_of(1, 100_000)
    sink.write(big, 1)
    sink.write(line_of(2), 2)
    assert sink.waiting == 2
    sink.after_fork()
    assert sink.waiting == 0
    assert len(os.read(read, 65_536)) == 65_536
    sink.write(line_of(1), 1)
    assert os.read(read, 1000) == line_of(1)


def test_flush_gives_up_in_time(pipe: tuple[int, int]) -> None:
    _, write = pipe
    sink = FdSink(write)
    sink.write(line_of(1, 100_000), 1)
    started = time.monotonic()
    assert not sink.flush(0.1)
    assert 0.09 < time.monotonic() - started < PATIENCE


def test_flush_with_nothing_waiting_says_so_at_once(pipe: tuple[int, int]) -> None:
    assert FdSink(pipe[1]).flush(0.0)


def test_a_line_larger_than_the_backlog_is_only_kept_when_begun(pipe: tuple[int, int]) -> None:
    read, write = pipe
    drops: list[Drops] = []
    sink = FdSink(write, backlog_bytes=100, on_recovered=drops.append)
    sink.write(line_of(1, 70_000), 1)
    sink.write(line_of(2, 200), 2)
    reader = Reader(read)
    wait_until(lambda: bool(drops), "the loss to be told", lambda: sink.waiting)
    assert sink.flush(PATIENCE)
    sink.close()
    os.close(write)
    assert sequence(reader.to_end()) == [1]
    assert drops == [Drops(1, 2, 2, "SLOW_READER")]


def test_no_thread_is_left_once_the_backlog_is_empty(pipe: tuple[int, int]) -> None:
    read, write = pipe
    sink = FdSink(write)
    sink.write(line_of(1, 100_000), 1)
    assert sink._running
    reader = Reader(read)
    wait_until(lambda: not sink._running, "the thread to end", lambda: sink.waiting)
    assert sink.waiting == 0
    sink.close()
    os.close(write)
    reader.to_end()
