"""Which sources can still bring events: the knowledge behind "the awaited service died".

Waits ask here before they read what arrived, so a verdict never runs ahead of the last lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

__all__ = ["Death", "Emitters", "LastLines", "Silence", "Status"]

Status = Callable[[], int | None]
"""Exit code of a process, ``None`` while it runs."""

LastLines = Callable[[int], Iterable[str]]
"""The last so many lines of a process, whatever they are."""

QUOTED = 20
"""Lines of a dead process that are kept for messages."""

DRAIN_SECONDS = 1.0
"""How long the last lines of a dead process may take when its source announces no ending."""


class Death(msgspec.Struct, frozen=True):
    """A process that ended."""

    name: str
    exit_code: int
    lines: tuple[str, ...] = ()
    """Its last lines, as they were read."""


class _Emitter:
    def __init__(
        self, status: Status, last_lines: LastLines | None, *, announces_end: bool
    ) -> None:
        self.status = status
        self.last_lines = last_lines
        self.announces_end = announces_end
        self.exit_code: int | None = None
        self.died_at = 0.0
        self.ended = False

    def is_drained(self, now: float) -> bool:
        if self.exit_code is None or self.ended:
            return self.exit_code is not None
        return not self.announces_end and now - self.died_at >= DRAIN_SECONDS


class Emitters:
    """Processes attached by name, and the sources that were seen or have ended."""

    def __init__(self) -> None:
        self._attached: dict[str, _Emitter] = {}
        self._live: dict[str, set[str]] = {}
        self._services: dict[str, set[str]] = {}

    @property
    def has_attached(self) -> bool:
        """Whether any process can be asked for its exit code."""
        return bool(self._attached)

    def attach(
        self,
        name: str,
        status: Status,
        last_lines: LastLines | None = None,
        *,
        announces_end: bool = False,
    ) -> None:
        """Watch a process whose lines carry ``source=name``; a restart attaches again."""
        self._attached[name] = _Emitter(status, last_lines, announces_end=announces_end)

    def saw(self, source: str, service: str | None) -> None:
        """Note that a source brought an event of a service."""
        services = self._services.setdefault(source, set())
        if service is not None:
            services.add(service)

    def ended(self, source: str) -> None:
        """Note that nothing more comes from a source."""
        if source in self._attached:
            self._attached[source].ended = True
        else:
            self._services.pop(source, None)

    def deaths(self, now: float) -> list[Death]:
        """Ask every process; return those that ended, in order of attachment."""
        self._ask(now)
        return [
            Death(name, emitter.exit_code, _quoted(emitter.last_lines))
            for name, emitter in self._attached.items()
            if emitter.exit_code is not None
        ]

    def _ask(self, now: float) -> None:
        for emitter in self._attached.values():
            if emitter.exit_code is None:
                emitter.exit_code = _asked(emitter.status)
                emitter.died_at = now

    def silent(self, now: float) -> Silence:
        """Return what can be said about who will never speak again, as of this moment."""
        self._ask(now)
        drained = {name for name, e in self._attached.items() if e.is_drained(now)}
        return Silence(drained, set(self._attached), dict(self._services))


class Silence:
    """Sources from which nothing more comes, at one moment."""

    def __init__(
        self, drained: set[str], attached: set[str], services: dict[str, set[str]]
    ) -> None:
        self._drained = drained
        self._attached = attached
        self._services = services

    def __bool__(self) -> bool:
        return bool(self._drained)

    def covers(self, conditions: Mapping[str, Any]) -> bool:
        """Say whether every source that could bring such an event is dead and read to its end."""
        return bool(speakers := self.speakers(conditions)) and speakers <= self._drained

    def is_broken_by(self, conditions: Mapping[str, Any], without: set[str]) -> bool:
        """Say whether a source other than these could still bring such an event."""
        return bool(self.speakers(conditions) - self._drained - without)

    def speakers(self, conditions: Mapping[str, Any]) -> set[str]:
        """Return the sources that could bring an event that meets the conditions."""
        source, service = conditions.get("source"), conditions.get("service")
        if isinstance(source, str):
            return {source}
        if isinstance(service, str):
            known = {name for name, services in self._services.items() if service in services}
            if service in self._attached:
                known.add(service)
            if known:
                return known
        return self._attached | set(self._services)

    def who(self, conditions: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return the dead sources among those that could have met the conditions."""
        named = {name for c in conditions for name in self.speakers(c)}
        return sorted(named & self._drained)


def _asked(status: Status) -> int | None:
    try:
        return status()
    except Exception:  # foreign code: a process that cannot be asked is not known to be dead
        return None


def _quoted(last_lines: LastLines | None) -> tuple[str, ...]:
    if last_lines is None:
        return ()
    try:
        return tuple(last_lines(QUOTED))
    except Exception:  # foreign code: a message with fewer lines is better than none
        return ()
