"""A span of any tracer -> its events: one at its start, and one for each thing that it logged.

Tracers differ in where they keep things, not in what they say; each brings its spans into the form
of :class:`Span`. What orders the events of different spans is which span is whose parent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from ..event import Event
from .compose import Shape, compose
from .field_map import FieldMap
from .levels import level_of

__all__ = ["SPAN", "Logged", "Span", "owned", "padded"]

SPAN = Shape(
    human=("name",),
    timestamp=("startTimeUnixNano", "timeUnixNano"),
    error=("exception.type", "error.type"),
    noise=(
        "endTimeUnixNano", "droppedAttributesCount", "droppedEventsCount", "droppedLinksCount",
        "flags",
    ),
)  # fmt: skip
_SHARED = ("correlation_id", "job_id", "parent_job_id", "task_id", "session_id")
_FAILURES = frozenset({"exception", "error"})
_PUNCTUATION = re.compile(r"[^a-z0-9]+")
_NANOSECONDS = 1_000_000
_HEX = re.compile(r"[0-9a-fA-F]{1,32}$")


class Logged(msgspec.Struct, frozen=True):
    """Something that happened during a span."""

    name: str | None
    at: int | None
    """Nanoseconds since 1970."""
    attributes: dict[str, Any]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A span; times are nanoseconds since 1970."""

    name: str | None
    ids: dict[str, str]
    """``trace_id``, ``span_id``, ``parent_span_id``, as far as there are any."""
    begin: int | None = None
    end: int | None = None
    error: str | None = None
    """What went wrong, empty when nobody said; ``None`` when nothing did."""
    attributes: dict[str, Any] = {}
    logged: list[Logged] = []
    resource: dict[str, Any] = {}
    """Attributes of the process, ``service.name`` among them."""
    scope: str | None = None

    def events(self, fields: FieldMap) -> Iterator[Event]:
        """Yield the event of the span's start, then those of what it logged."""
        said: dict[str, Any] = {"action": _slug(self.name), **self.ids}
        told = self.attributes | {"name": self.name, "startTimeUnixNano": self.begin}
        if self.error is not None:
            said["level"] = "error"
            if self.error:
                told["status_message"] = self.error
        if self.begin is not None and self.end is not None and self.end >= self.begin:
            said["duration_ms"] = round((self.end - self.begin) / _NANOSECONDS, 3)
        begun = owned(told, SPAN, self.resource, self.scope, fields, **said)
        events = [begun, *(self._event(log, fields) for log in self.logged)]
        # A span is one line of work: what one of its events knows is true of all of them.
        found = [{name: getattr(event, name) for name in _SHARED} for event in events]
        shared = {name: next((f[name] for f in found if f[name]), None) for name in _SHARED}
        for event in events:
            yield msgspec.structs.replace(event, **shared)

    def _event(self, log: Logged, fields: FieldMap) -> Event:
        here = {name: value for name, value in self.ids.items() if name != "parent_span_id"}
        level = "error" if log.name in _FAILURES else level_of(log.attributes.get("level"))
        told = log.attributes | {"name": log.name, "timeUnixNano": log.at}
        return owned(
            told,
            SPAN,
            self.resource,
            self.scope,
            fields,
            action=_slug(log.name),
            level=level,
            **here,
        )


def owned(
    flat: dict[str, Any],
    shape: Shape,
    resource: dict[str, Any],
    scope: str | None,
    fields: FieldMap,
    **said: Any,
) -> Event:
    """Build an event of the process that a resource describes."""
    written = flat | {"resource": resource} if resource else flat
    service, version = resource.get("service.name"), resource.get("service.version")
    if isinstance(service, str):
        said["service"] = service
        if isinstance(version, str):
            said["emitted_by"] = f"{service}@{version}"
    place = resource.get("service.instance.id") or resource.get("k8s.pod.name")
    if isinstance(place, str):
        said["instance"] = place
    if scope:
        said["actor"] = scope
    return compose(written, shape, fields, **said)


def padded(value: Any) -> str | None:
    """Return an id as W3C Trace Context writes it: some tracers drop zeros at its beginning."""
    if not isinstance(value, str) or not value.strip("0"):
        return None
    if not _HEX.match(value):
        return value[:128]
    return value.lower().zfill(16 if len(value) <= 16 else 32)


def _slug(name: Any) -> str | None:
    if not isinstance(name, str):
        return None
    return _PUNCTUATION.sub("_", name.lower()).strip("_") or None
