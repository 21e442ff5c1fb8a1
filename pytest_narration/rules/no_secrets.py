"""``no-secrets``: no event carries a credential, in words or in a field that is named like one.

What counts as a secret is what the emitter redacts; the violation never shows it. Lines that are
no events are searched as well, since they reach the same logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..event import COLUMNS, Event
from .facts import Facts
from .registry import rule
from .verdict import Finding, Violation
from .words import between, line, listed, named

if TYPE_CHECKING:
    from ..emit.redaction import Redactor

__all__ = ["no_secrets"]


@rule(
    "no-secrets",
    title="no event carries a secret",
    hint=(
        "redact where it is logged (pino's `redact`, a formatter or replacer of other loggers; "
        "`configure(redact=...)` for patterns of your own in Python), rotate "
        "what was shown, and delete the captured logs"
    ),
)
def no_secrets(evidence: Facts, *, patterns: Sequence[str] = ()) -> Iterable[Finding]:
    """Yield one violation for each event and each rejected line with a secret.

    :param patterns: further regular expressions of secrets, as `configure(redact=...)` takes them.
    """
    from ..emit.redaction import Redactor

    search = _Search(Redactor(patterns))
    encode = msgspec.json.Encoder().encode
    for event in evidence.events():
        # One scan of the whole event settles nearly all of them.
        text = encode(event).decode("utf-8", "replace")
        if search.is_suspect(text) or (event.extra and search.has_name(event.extra)):
            places = list(dict.fromkeys(search.places(event.fields())))
            if places:
                yield _violation(event, places, search)
    for rejected in evidence.rejected:
        if search.shows(rejected.line.decode("utf-8", "replace")):
            source = rejected.source or "a source"
            yield Violation(
                f"a line of {source} that is no event carries a secret",
                (f"at byte {rejected.offset}, {len(rejected.line)} bytes, not shown here",),
                hop=f"at {source}",
                source=rejected.source,
            )


class _Search:
    """Finds what the emitter's redaction would have replaced."""

    def __init__(self, redactor: Redactor) -> None:
        from ..emit.redaction import REDACTED

        self.clean = redactor.clean
        self.is_suspect = redactor.is_suspect
        self._is_secret_key = redactor.is_secret_key
        self._mark = REDACTED
        self._secret_names: dict[str, bool] = {}

    def has_name(self, fields: dict[str, Any]) -> bool:
        """Whether a field is named like a secret, or holds fields that may be."""
        return any(
            isinstance(value, dict | list) or self._is_secret(name)
            for name, value in fields.items()
        )

    def shows(self, text: str) -> bool:
        """Whether a text shows a secret; deceiving characters alone are none."""
        cleaned = self.clean(text)
        return cleaned is not text and cleaned.count(self._mark) > text.count(self._mark)

    def places(self, value: Any, path: str = "") -> Iterator[str]:
        """Return the dotted places of secrets. JSON readers bound the depth."""
        if isinstance(value, dict):
            for name, inner in value.items():
                place = f"{path}.{name}" if path else str(name)
                is_named_so = (path or name not in COLUMNS) and self._is_secret(str(name))
                if is_named_so and self._is_given(inner):
                    yield place
                else:
                    yield from self.places(inner, place)
        elif isinstance(value, list | tuple):
            for inner in value:
                yield from self.places(inner, path)
        elif isinstance(value, str) and self.shows(value):
            yield path

    def _is_secret(self, name: str) -> bool:
        known = self._secret_names.get(name)
        if known is None:
            known = self._secret_names[name] = self._is_secret_key(name)
        return known

    def _is_given(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return False
        return value not in ("", self._mark)


def _violation(event: Event, places: list[str], search: _Search) -> Violation:
    hop = between(None, event)
    # A copy with what identifies the event and nothing else: a report must not spread the secret.
    safe = Event(
        event_id=event.event_id,
        level=event.level,
        service=event.service,
        instance=event.instance,
        seq=event.seq,
        actor=search.clean(event.actor),
        action=search.clean(event.action),
        human="(not shown)",
    )
    return Violation(
        f"secret shown {hop}: {named(safe)} narrated {safe.actor}/{safe.action} with a secret in "
        f"{listed(places)}",
        (line(safe, "event_id"),),
        (safe,),
        hop,
    )
