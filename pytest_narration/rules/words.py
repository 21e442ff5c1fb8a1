"""Events -> the words of a violation: who, between whom, and one line that shows an event.

Every rule speaks through this module, so that all messages name hops and quote events alike.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..event import Event

__all__ = ["between", "line", "named", "plural", "quoted", "who"]

_SHOWN = 120
_IDS = ("correlation_id", "job_id", "parent_job_id", "trace_id", "parent_span_id")


def who(event: Event) -> str:
    """Return the service that narrated an event, or the best name there is for it."""
    if event.service:
        return _plain(event.service)
    if event.emitted_by:
        return _plain(event.emitted_by.rpartition("@")[0] or event.emitted_by)
    return _plain(event.actor) or "an unnamed service"


def named(event: Event) -> str:
    """Return the service with its instance: ``"pool-manager (instance pm-1)"``."""
    return f"{who(event)} (instance {_plain(event.instance)})" if event.instance else who(event)


def between(upstream: Event | str | None, downstream: Event | str) -> str:
    """Name the hop: ``"between orchestrator and pool-manager"``, ``"within worker"``."""
    to = downstream if isinstance(downstream, str) else who(downstream)
    if upstream is None:
        return f"at {to}"
    source = upstream if isinstance(upstream, str) else who(upstream)
    return f"within {to}" if source == to else f"between {source} and {to}"


def line(event: Event, *fields: str) -> str:
    """Show one event with its ids, and with other fields that matter here."""
    text = _plain(event.human)
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    position = f" seq {event.seq}" if event.seq is not None else ""
    names = (*(name for name in _IDS if name not in fields), *fields)
    shown = [
        f"{name}={quoted(value) if name in fields else _plain(str(value))}"
        for name in names
        if (value := event.field(name)) is not None or name in fields
    ]
    point = "/".join(filter(None, (_plain(event.actor), _plain(event.action))))
    return f"{named(event)}{position}: {point} “{text}” {' '.join(shown)}".rstrip()


def quoted(value: object) -> str:
    """Quote a value as found, or say that there is none."""
    return "nothing" if value is None else f"'{_plain(str(value))}'"


def plural(count: int, noun: str) -> str:
    """Return ``1 event``, ``2 events``, ``3 processes``."""
    many = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count} {noun if count == 1 else many}"


def listed(values: Iterable[object], *, limit: int = 5) -> str:
    """Return values in quotes, the first few of many."""
    shown = [quoted(value) for value in values]
    more = f" and {len(shown) - limit} more" if len(shown) > limit else ""
    return ", ".join(shown[:limit]) + more


def _plain(text: str) -> str:
    # Foreign text must not move a terminal's cursor or break a report's lines.
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)
