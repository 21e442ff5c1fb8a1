"""One narrated thing: the columns of an event, their meaning and unit.

Everything else in the package turns bytes into :class:`Event` or judges a collection of them.
The columns stay flat so that the same events can be queried as a table. The contract that
services must meet is ``schema/narration-event.v1.json``; this type is what *readers* accept, so
provenance is optional here (foreign loggers have none) and its absence is a rule's verdict.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

__all__ = ["COLUMNS", "LEVELS", "MAX_LINE_BYTES", "SCHEMA_VERSION", "Channel", "Event", "Level"]

Level = Literal["trace", "debug", "info", "warn", "error", "fatal"]
LEVELS: tuple[str, ...] = get_args(Level)
"""Severities in ascending order."""

Channel = Literal["stdout", "sse"]
"""Where an event can be seen."""

MAX_LINE_BYTES = 64 * 1024
"""Longest line an emitter writes, newline included; longer text is cut and marked."""

SCHEMA_VERSION = 1


# An event holds what was read from a line, which cannot refer back to it: the garbage collector
# need not look at a million of them. A field without a column is no silent loss: its decoder says
# so, and it is put among the extras.
class Event(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    gc=False,
    forbid_unknown_fields=True,
):
    """Who (``actor``) did what (``action``) to what (``target``), said in words (``human``).

    ``None`` means that the emitter did not say. Fields that this class does not name are kept in
    :attr:`extra` under their own names.
    """

    event_id: str | None = None
    """UUIDv7 (RFC 9562), unique for ever; the same on stdout and SSE."""
    timestamp: str | None = None
    """RFC 3339, UTC, milliseconds. For people: order never rests on it."""
    level: str = "info"
    """One of :data:`LEVELS`."""
    service: str | None = None
    """The kind of process that narrates: ``"orchestrator"``."""
    emitted_by: str | None = None
    """``name@version`` of the code that narrates."""
    instance: str | None = None
    """One running process of a service, unique per start."""
    seq: int | None = None
    """Position in the instance's output, from 1 without gaps: a gap is a lost line."""
    actor: str = ""
    """The component that acts, ASCII: ``"tokenizer"``."""
    action: str = ""
    """What it does, ASCII: ``"tokenize"``. With the actor it names a point."""
    human: str = ""
    """The sentence a person reads; at most 100 characters is good style."""
    template: str | None = None
    """``human`` before its values were filled in: ``"Tokenized prompt ({tokens_in} tokens)"``."""
    target: str | None = None
    """What it is done to: an address, a peer, a path."""
    cute: str | None = None
    """The same in a playful voice, at most 150 characters."""
    story: str | None = None
    """The same as dialogue or narrative, at most 200 characters."""
    correlation_id: str | None = None
    """Global: the same on every hop of one request."""
    job_id: str | None = None
    """Local to the service that made it; routes SSE and isolates jobs."""
    parent_job_id: str | None = None
    """The caller's job id."""
    session_id: str | None = None
    task_id: str | None = None
    """A parallel branch inside one job; program order holds within a branch."""
    node_id: str | None = None
    pool_id: str | None = None
    replica_id: str | None = None
    worker_id: str | None = None
    trace_id: str | None = None
    """W3C trace id, 32 lower-case hex digits."""
    span_id: str | None = None
    """W3C span id, 16 lower-case hex digits."""
    parent_span_id: str | None = None
    cause: tuple[str, ...] = ()
    """Event ids that directly precede this one, beyond its emitter's own program order."""
    error_kind: str | None = None
    """Machine-readable reason of a failure: ``"VRAM_OOM"``."""
    duration_ms: int | float | None = None
    retry_after_ms: int | float | None = None
    backoff_ms: int | float | None = None
    queue_position: int | None = None
    predicted_start_ms: int | float | None = None
    engine: str | None = None
    engine_version: str | None = None
    model_ref: str | None = None
    device: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    decode_time_ms: int | float | None = None
    source_location: str | None = None
    """``file.py:155``, only when the emitter is in development mode."""
    schema_version: int | None = None
    extra: dict[str, Any] = msgspec.field(default_factory=dict, name="$extra")
    """Fields of the line that this class does not name. Never written under this name."""

    def field(self, name: str) -> Any:
        """Return the value of a column or of an extra field, ``None`` when it has neither.

        A dotted name walks into nested extras: ``"payload.user.id"``.
        """
        if name in COLUMNS:
            return getattr(self, name)
        if name in self.extra:
            return self.extra[name]
        value: Any = self.extra
        for part in name.split("."):
            if not isinstance(value, dict) or part not in value:
                return None
            value = value[part]
        return value

    def fields(self) -> dict[str, Any]:
        """Return ``{name: value}`` of everything the emitter said, extras included."""
        said = {n: v for n in _ORDER if (v := getattr(self, n)) is not None and v != ()}
        return said | self.extra


_ORDER = tuple(f for f in Event.__struct_fields__ if f != "extra")
COLUMNS: frozenset[str] = frozenset(_ORDER)
"""Names of the flat columns."""
