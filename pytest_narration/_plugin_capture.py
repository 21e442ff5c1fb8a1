"""Whose event is it? In-process events -> the test that narrated them.

A capture marks the test's context with a token. Tasks, ``asyncio.to_thread`` and anything else
that copies the context carry it along, so what they narrate is the test's, however late. Threads
do not copy contexts: what a thread without a token narrates belongs to the running test, unless
the thread was started during an earlier test and is still alive; then it is left out, unless it
narrates with a correlation id that the running test narrated first (a shared pool that now works
for this test).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ._plugin_judge import Policy
from ._plugin_narration import Narration
from .emit import subscribe
from .errors import WaitTimeout
from .event import Channel
from .recorder import IN_PROCESS, Recorder
from .wire import Rejected, decode

if TYPE_CHECKING:
    from .event import Event
    from .recorder import Match, Pattern

__all__ = ["Capture", "SseChannel", "Threads", "record"]

_owner: ContextVar[object | None] = ContextVar("narration_capture", default=None)


def record(
    line: bytes, recorder: Recorder, *, channel: Channel = "stdout", stream: str | None = None
) -> None:
    """Add one line of this process to a recorder."""
    event = decode(line, source=IN_PROCESS)
    if isinstance(event, Rejected):
        recorder.add_rejected(event)
    else:
        recorder.add_event(event, channel=channel, source=IN_PROCESS, stream=stream)


class Threads:
    """Threads that outlived the test that started them."""

    def __init__(self) -> None:
        self._owners: WeakKeyDictionary[threading.Thread, object] = WeakKeyDictionary()

    def owner(self, thread: threading.Thread) -> object | None:
        """Return the token of the ended test that started the thread, if any."""
        return self._owners.get(thread)

    def leave(self, token: object, before: set[threading.Thread]) -> None:
        """Take note of threads that started since ``before`` and are still alive."""
        for thread in threading.enumerate():
            if thread not in before:
                self._owners.setdefault(thread, token)


class SseChannel:
    """A job's SSE stream for ``narration_context(channel=…)``: what is put here is recorded."""

    def __init__(self, recorders: Sequence[Recorder], job_id: str) -> None:
        self.job_id = job_id
        self.is_open = True
        self._recorders = recorders

    def put(self, line: bytes) -> None:
        """Record one event as seen on the stream."""
        for recorder in self._recorders:
            record(line, recorder, channel="sse", stream=self.job_id)

    def close(self) -> None:
        """Take no more events."""
        self.is_open = False


class Capture(Narration):
    """The fixture ``narration_capture``: reads like ``narration``, of one test's own events."""

    def __init__(
        self,
        recorder: Recorder,
        policy: Policy,
        *,
        threads: Threads,
        also: Callable[[], Sequence[Recorder]],
    ) -> None:
        super().__init__(recorder, policy)
        self._also = also
        self._threads = threads
        self._token = object()
        self._correlations: set[str] = set()
        self._before: set[threading.Thread] = set()
        self._left_out = 0
        self._unsubscribe: Callable[[], None] | None = None
        self._reset: Token[object | None] | None = None

    def channel(self, job_id: str) -> SseChannel:
        """Return an open SSE stream for a job, whose events are recorded on channel ``sse``."""
        return SseChannel((self.recorder, *self._also()), job_id)

    def __enter__(self) -> Capture:
        self._before = set(threading.enumerate())
        self._reset = _owner.set(self._token)
        self._unsubscribe = subscribe(self._take)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._threads.leave(self._token, self._before)
        if self._reset is not None:
            # A fixture may be torn down in another context than it was set up in.
            with suppress(ValueError):
                _owner.reset(self._reset)

    def _take(self, line: bytes, context: Any) -> None:
        event = decode(line, source=IN_PROCESS)
        if isinstance(event, Rejected):
            self.recorder.add_rejected(event)
        elif self._is_ours(event.correlation_id):
            if event.correlation_id:
                self._correlations.add(event.correlation_id)
            self.recorder.add_event(event, source=IN_PROCESS)
        else:
            self._left_out += 1

    @property
    def left_out(self) -> int:
        """How many events were heard and not kept: threads and tasks of earlier tests."""
        return self._left_out

    def __repr__(self) -> str:
        events, rejected = len(self.events()), len(self.recorder.rejected)
        note = f", {self._note()}" if self._left_out else ""
        return f"<narration_capture: {events} events, {rejected} rejected lines{note}>"

    def wait_for(
        self,
        pattern: Pattern | Callable[[Event], bool] | None = None,
        /,
        *,
        timeout: float = 5.0,
        since: int | None = None,
        **where: Any,
    ) -> Match:
        """Return what meets the pattern since the test began; see :meth:`Recorder.wait_for`."""
        __tracebackhide__ = True
        with self._telling():
            return super().wait_for(pattern, timeout=timeout, since=since, **where)

    async def wait_for_async(
        self,
        pattern: Pattern | Callable[[Event], bool] | None = None,
        /,
        *,
        timeout: float = 5.0,  # noqa: ASYNC109  # the same wait as its synchronous twin
        since: int | None = None,
        **where: Any,
    ) -> Match:
        """Like :meth:`wait_for`, while the running loop goes on."""
        __tracebackhide__ = True
        with self._telling():
            return await super().wait_for_async(pattern, timeout=timeout, since=since, **where)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Add to a wait's message what was heard and left out: it may be what was awaited."""
        __tracebackhide__ = True
        try:
            yield
        except WaitTimeout as error:
            if self._left_out:
                error.args = (f"{error}\n{self._note()}",)
            raise

    def _note(self) -> str:
        events = "1 event" if self._left_out == 1 else f"{self._left_out} events"
        return f"{events} of threads or tasks left over by earlier tests left out"

    def _is_ours(self, correlation_id: str | None) -> bool:
        owner = _owner.get()
        if owner is not None:
            return owner is self._token
        if self._threads.owner(threading.current_thread()) is None:
            return True
        return correlation_id in self._correlations
