"""What the running request or job adds to every event: ids, actor, SSE channel, causes.

A context is bound once per request and read by every :func:`~.narrator.narrate` inside it. Its
values are cleaned and encoded when it is entered, so an event pays for them with one copy of
bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Final, Protocol, runtime_checkable

from .identity import is_event_id

__all__ = ["MAX_PENDING", "Channel", "Context", "Trail", "current_context", "narration_context"]

MAX_PENDING: Final = 32
"""How many causes one event names at most."""
_BRANCHES: Final = ("job_id", "task_id")


@runtime_checkable
class Channel(Protocol):
    """The SSE stream of one job, as the emitter sees it."""

    @property
    def job_id(self) -> str:
        """The job whose reader sees the stream; only its own events go there."""

    @property
    def is_open(self) -> bool:
        """Whether the stream still takes events."""

    def put(self, line: bytes) -> None:
        """Take one event as JSON without a newline. Thread-safe; never blocks."""


class Trail:
    """Happens-before links of one line of work: one job, or one parallel branch of it.

    Program order inside the branch needs no links. A link is written into an event's ``cause``
    where work crosses a process, a job or a branch.
    """

    __slots__ = ("last", "pending")

    def __init__(self, pending: Iterable[str] = ()) -> None:
        self.last: str | None = None
        """The id of the branch's latest event: what a call to another service carries along."""
        self.pending: list[str] = []
        """Ids that the branch's next event names as its causes; the latest :data:`MAX_PENDING`."""
        self.follow(*pending)

    def follow(self, *event_ids: str) -> None:
        """Let the branch's next event name these as causes; what is no event id is ignored."""
        for event_id in event_ids:
            if is_event_id(event_id) and event_id not in self.pending:
                self.pending.append(event_id)
        # Work that joins a thousand branches without a word of its own names the latest.
        del self.pending[:-MAX_PENDING]


class Context:
    """The values that :func:`narration_context` binds; outer values included, inner ones win."""

    __slots__ = ("actor", "channel", "encoded", "names", "tracestate", "trail", "values")

    def __init__(
        self,
        values: Mapping[str, Any],
        *,
        actor: str | None,
        channel: Channel | None,
        tracestate: str | None,
        trail: Trail,
    ) -> None:
        self.values = values
        self.names = frozenset(values)
        self.actor = actor
        self.channel = channel
        self.tracestate = tracestate
        self.trail = trail
        self.encoded: str | None = None
        """``"name":value,`` for each value, cleaned; made by the narrator on first use."""

    def get(self, name: str) -> Any:
        """Return a bound value, ``None`` when it is not bound."""
        return self.values.get(name)


_INHERIT: Final[Any] = object()
_current: ContextVar[Context | None] = ContextVar("narration_context", default=None)


def current_context() -> Context | None:
    """Return the innermost context of the running task or thread."""
    return _current.get()


class narration_context:  # noqa: N801  a context manager reads as a verb phrase
    """Bind ids and other fields to every event narrated inside the ``with`` block.

    ::

        with narration_context(correlation_id=cid, job_id=job, actor="scheduler"):
            narrate("admit", "Admitted job {job_id}")

    Contexts nest: inner values win, and the outer ones are restored at the end, also after an
    exception. A value of ``None`` unbinds the outer one. Tasks inherit the context they are
    created in; a thread does so when it is run through :func:`contextvars.copy_context`.

    A block that changes ``job_id`` or ``task_id`` is a branch of its own: its first event names
    the outer branch's latest event as its cause, and the outer branch's next event names the
    block's last.

    :param channel: the job's SSE stream; events inside go there too when their ``job_id`` is the
        channel's.
    :param cause: event ids of other processes that precede what is narrated next.
    :param tracestate: the caller's W3C ``tracestate`` without our own member, passed on by
        :func:`~.headers.inject`.
    :param actor: who acts, for events that name no actor of their own.
    :param values: fields of every event: ``correlation_id``, ``job_id``, ``worker_id``, ...
    """

    __slots__ = ("_context", "_joins", "_token")

    def __init__(
        self,
        *,
        channel: Channel | None = _INHERIT,
        cause: Iterable[str] = (),
        tracestate: str | None = _INHERIT,
        actor: str | None = None,
        **values: Any,
    ) -> None:
        outer = _current.get()
        self._token: Token[Context | None] | None = None
        self._joins: Trail | None = None
        if outer is None:
            merged = {name: value for name, value in values.items() if value is not None}
            trail = Trail(_listed(cause))
        else:
            merged = {k: v for k, v in {**outer.values, **values}.items() if v is not None}
            if any(_differ(merged.get(name), outer.get(name)) for name in _BRANCHES):
                last = (outer.trail.last,) if outer.trail.last else tuple(outer.trail.pending)
                trail = Trail((*last, *_listed(cause)))
                self._joins = outer.trail
            else:
                trail = outer.trail
                trail.follow(*_listed(cause))
        self._context = Context(
            merged,
            actor=actor or (outer.actor if outer else None),
            channel=_inherited(channel, outer.channel if outer else None),
            tracestate=_inherited(tracestate, outer.tracestate if outer else None),
            trail=trail,
        )

    def __enter__(self) -> Context:
        self._token = _current.set(self._context)
        return self._context

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._token is not None, "narration_context is left without having been entered"
        # A generator may be closed in another task than the one that entered the block, whose
        # context holds nothing of ours to restore; and a block may be left twice.
        with suppress(ValueError, RuntimeError):
            _current.reset(self._token)
        last = self._context.trail.last
        if self._joins is not None and last:
            self._joins.follow(last)


def _inherited(given: Any, outer: Any) -> Any:
    return outer if given is _INHERIT else given


def _differ(one: object, other: object) -> bool:
    return one is not other and not (type(one) is type(other) is str and one == other)


def _listed(cause: Iterable[str]) -> tuple[str, ...]:
    try:
        return tuple(cause)
    except TypeError:  # emitting never raises, and a cause that is none tells nothing
        return ()
