"""What a job says -> frames with ascending ids, kept in bounded memory for one reader at a time.

A job writes whether or not anybody reads; the oldest frames make room when count or bytes run
out, and whoever asks for them later is told from where the stream can still be read. Writers may
be any thread; readers live on the event loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass

import msgspec

from ..web.errors import ApiError
from .frames import DONE, TERMINAL, encode_frame, narration_data

__all__ = ["JobStream", "Limits", "Reader"]

_encode = msgspec.json.Encoder().encode

_BATCH_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one job's stream is kept."""

    frames: int = 8192
    bytes: int = 1 << 20


class JobStream:
    """One job's stream: a ring of encoded frames, numbered from 1.

    :param job_id: names the job in conflicts; ``narrate`` checks it before it writes here.
    :param done_marker: end with ``data: [DONE]``, as the stream that clients read does.
    """

    def __init__(
        self,
        job_id: str,
        *,
        limits: Limits = Limits(),
        done_marker: bool = False,
    ) -> None:
        self.job_id = job_id
        self.dropped = 0
        """Frames that made room for later ones."""
        self._limits = limits
        self._done_marker = done_marker
        self._lock = threading.Lock()
        self._ring: deque[bytes] = deque()
        self._bytes = 0
        self._first = 1
        self._next = 1
        self._open = True
        self._reader: Reader | None = None

    @property
    def is_open(self) -> bool:
        """Whether the job may still say something."""
        return self._open

    @property
    def last_id(self) -> int:
        """The id of the latest frame, 0 before the first."""
        return self._next - 1

    @property
    def kept_frames(self) -> int:
        """Frames that can still be read."""
        return len(self._ring)

    @property
    def kept_bytes(self) -> int:
        """Memory that the ring holds, frames only."""
        return self._bytes

    def put(self, line: bytes) -> None:
        """Add one event's JSON line as a ``narration`` frame: emit's side of the channel."""
        self.send_data("narration", narration_data(line))

    def send(self, type: str, **facts: object) -> bool:
        """Add a frame whose data are these facts; see :meth:`send_data`."""
        return self.send_data(type, _encode({"type": type, **facts}))

    def send_data(self, type: str, data: bytes) -> bool:
        """Add a frame; an ``end`` or ``error`` closes the stream.

        Thread-safe; never blocks. Returns ``False`` when the stream was closed before: so of
        several that try to end a job exactly one succeeds.
        """
        with self._lock:
            if not self._open:
                return False
            self._append(encode_frame(type, data, self._next))
            if type in TERMINAL:
                self._open = False
                if self._done_marker:
                    self._append(encode_frame("", DONE, self._next))
            reader = self._reader
        if reader is not None:
            reader.wake()
        return True

    def attach(self, last_event_id: int | None = None) -> Reader:
        """Become the stream's reader, from the frame after ``last_event_id``.

        Without an id the stream is read from its beginning, and an active reader keeps it; with
        one, the caller is taken for the same client again, and an active reader is ended.

        :raises ApiError: 409 ``stream_in_use``; 410 ``replay_gone`` when frames after the id made
            room; 400 when the id was never given out.
        """
        with self._lock:
            active = self._reader
            if active is not None and active.is_active and last_event_id is None:
                raise ApiError(
                    "stream_in_use",
                    "this job's stream has a reader; show Last-Event-ID to take it over",
                )
            after = last_event_id or 0
            if after > self.last_id:
                raise ApiError(
                    "invalid_request",
                    f"Last-Event-ID {after} was never given out; the last is {self.last_id}",
                )
            if after < self._first - 1:
                raise self._gone(after)
            reader = self._reader = Reader(self, after + 1)
        if active is not None:
            active.replace()
        return reader

    def is_read(self, last_event_id: int) -> bool:
        """Tell whether a reader that has this frame has all that there will ever be."""
        with self._lock:
            return not self._open and last_event_id == self.last_id

    def detach(self, reader: Reader) -> None:
        """Forget a reader that left."""
        with self._lock:
            if self._reader is reader:
                self._reader = None

    def take(self, position: int) -> tuple[list[bytes], bool]:
        """Return frames from this id on, at most some 64 KiB, and whether they are the last.

        :raises ApiError: 410 when the frame made room for later ones.
        """
        with self._lock:
            if position < self._first:
                raise self._gone(position - 1)
            batch: list[bytes] = []
            size = 0
            for index in range(position - self._first, len(self._ring)):
                frame = self._ring[index]
                batch.append(frame)
                size += len(frame)
                if size >= _BATCH_BYTES:
                    break
            is_last = not self._open and position + len(batch) == self._next
            return batch, is_last

    def _append(self, frame: bytes) -> None:
        self._ring.append(frame)
        self._bytes += len(frame)
        self._next += 1
        while len(self._ring) > 1 and (
            len(self._ring) > self._limits.frames or self._bytes > self._limits.bytes
        ):
            self._bytes -= len(self._ring.popleft())
            self._first += 1
            self.dropped += 1

    def _gone(self, after: int) -> ApiError:
        resume_after = self._first - 1
        return ApiError(
            "replay_gone",
            f"frames {after + 1} to {resume_after} are no longer kept; "
            f"the stream can be read with Last-Event-ID: {resume_after}",
            resume_after=resume_after,
        )


class Reader:
    """One reader's place in a stream; belongs to the event loop that made it."""

    def __init__(self, stream: JobStream, position: int) -> None:
        self.is_active = True
        self.was_replaced = False
        """Whether another reader took over."""
        self._stream = stream
        self._position = position
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._news = asyncio.Event()

    async def next(self, patience: float) -> tuple[bytes, bool]:
        """Return ``(bytes, is_last)``: further frames, or nothing after ``patience`` seconds.

        :raises ApiError: 410 ``replay_gone``, this reader was too slow for the buffer.
        """
        while True:
            self._news.clear()
            if not self.is_active:
                return b"", True
            frames, is_last = self._stream.take(self._position)
            if frames or is_last:
                self._position += len(frames)
                return b"".join(frames), is_last
            try:
                async with asyncio.timeout(patience):
                    await self._news.wait()
            except TimeoutError:
                return b"", False

    def wake(self) -> None:
        """Tell the reader that there is something, from any thread."""
        if threading.get_ident() == self._thread:
            self._news.set()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)

    def replace(self) -> None:
        """End this reader, because another one took over."""
        self.was_replaced = self.is_active
        self.close()

    def close(self) -> None:
        """End this reader: it left."""
        self.is_active = False
        self._stream.detach(self)
        self.wake()
