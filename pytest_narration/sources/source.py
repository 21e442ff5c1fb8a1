"""What all sources are: a thread of ours that fills a recorder, and how it ended.

Threads, because a blocking test step stops the event loop that runs it: a source must go on
reading meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from ..errors import SourceError, WaitTimeout
from ..event import Channel, Event
from ..formats import Continuation, FieldMap, Reader, flat, reader
from ..formats.reader import Decoded
from ..recorder import Ending, Recorder

__all__ = ["Intake", "Mapped", "Source"]

Mapped = Mapping[str, str | Sequence[str]] | FieldMap | None
"""``[tool.narration.map]``, checked or not yet."""

_TAIL_BYTES = 64 * 1024


class Intake:
    """Reads one stream of bytes into a recorder, and keeps its last lines for messages."""

    def __init__(
        self,
        recorder: Recorder,
        reader: Reader,
        *,
        source: str,
        channel: Channel = "stdout",
        stream: str | None = None,
    ) -> None:
        self.reader = reader
        self._recorder = recorder
        self._source = source
        self._channel: Channel = channel
        self._stream = stream
        self._tail = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.keep(chunk)
        self._add(self.reader.feed(chunk))

    def keep(self, chunk: bytes) -> None:
        """Keep the next bytes for :meth:`lines` without reading events from them."""
        self._tail += chunk[-_TAIL_BYTES:]
        if len(self._tail) > 2 * _TAIL_BYTES:
            del self._tail[:-_TAIL_BYTES]

    def finish(self) -> None:
        """End the stream: what is left of it is read or rejected."""
        self._add(self.reader.finish())

    def lines(self, count: int = 20) -> list[str]:
        """Return the last lines as they were read."""
        return bytes(self._tail).decode("utf-8", "replace").splitlines()[-count:]

    def _add(self, read: Iterable[Decoded]) -> None:
        """Record what was read, in its order; events beside one another together."""
        events: list[Event] = []
        for decoded in flat(read):
            if isinstance(decoded, Event):
                events.append(decoded)
                continue
            self._add_events(events)
            events.clear()
            if isinstance(decoded, Continuation):
                decoded.attach()
            else:
                self._recorder.add_rejected(decoded)
        self._add_events(events)

    def _add_events(self, events: list[Event]) -> None:
        self._recorder.add_events(
            events, channel=self._channel, source=self._source, stream=self._stream
        )


class Source:
    """Base of the sources that read in a thread; a context manager.

    Leaving the context stops reading, after what has already arrived has been read.
    """

    def __init__(self, name: str, recorder: Recorder) -> None:
        self.name = name
        self.recorder = recorder
        self.ending: Ending | None = None
        """How it ended; ``None`` while it reads."""
        self._ended = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has been started and reads."""
        return self._thread is not None and not self._ended.is_set()

    def start(self) -> Self:
        """Begin to read, in a thread.

        :raises SourceError: it was started before.
        """
        if self._thread is not None:
            raise SourceError(f"the source {self.name} was started before; make another one")
        self._thread = threading.Thread(
            target=self._read_until_ended, name=f"narration source {self.name}", daemon=True
        )
        self._thread.start()
        return self

    def stop(self, timeout: float = 10.0) -> Ending | None:
        """Stop reading and return how it ended; ``None`` when it never started.

        :param timeout: seconds that the thread has to end.
        """
        self._stopping.set()
        self._interrupt()
        return self.wait(timeout) if self._thread is not None else None

    def wait(self, timeout: float = 10.0) -> Ending:
        """Wait until the source has ended by itself.

        :raises WaitTimeout: it has not within ``timeout`` seconds.
        """
        if self._ended.wait(timeout):
            assert self.ending is not None
            return self.ending
        raise WaitTimeout(
            f"waited {timeout:g} s for the source {self.name} to end; it still reads. "
            f"{self._seen()}"
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _read_until_ended(self) -> None:
        try:
            ending = self._run()
        except Exception as error:  # the thread must say how it ended, whatever happens
            ending = Ending(self.name, "cut off", f"{type(error).__name__}: {error}")
        self.ending = ending
        self.recorder.add_ending(ending)
        self._ended.set()

    def _run(self) -> Ending:
        """Read until the end or until :attr:`_stopping` is set; return how it ended."""
        raise NotImplementedError

    def _interrupt(self) -> None:
        """Wake the thread when it may be blocked in a read."""

    def _seen(self) -> str:
        """Say what has been seen, for time-outs."""
        return ""

    def _complete(self, detail: str = "") -> Ending:
        return Ending(self.name, "complete", detail)

    def _cut_off(self, detail: str) -> Ending:
        return Ending(self.name, "cut off", detail)

    def _unreachable(self, detail: str) -> Ending:
        return Ending(self.name, "unreachable", detail)

    def _intake(self, format: str, mapping: Mapped, *, label: str = "") -> Intake:
        mapping = self.recorder.mapping if mapping is None else mapping
        lines = reader(
            format,
            mapping,
            source=self.name + label,
            service=self.name,
            own=self.recorder.formats,
        )
        return Intake(self.recorder, lines, source=self.name)
