"""What is volatile in text without a template: a short list of forms, and a project's own.

Everything is found in one pass over the text as it was said, so no redaction ever sees what
another one put there; of two that overlap the one that begins first wins, then the longer one,
then the first by name. The order in which a project lists its patterns cannot matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import ConfigurationError

__all__ = ["ID", "NOTHING", "Redact", "Redactions", "Span", "is_id_text", "scan"]

ID = "id"
"""Name of the redaction whose matches are ids: they keep their identity."""

Redact = Iterable[str | re.Pattern[str]] | Mapping[str, str | re.Pattern[str]]
"""Names of fields, compiled patterns, or ``{shown name: pattern}``."""

Span = tuple[int, int, str]
"""Start, stop and the name that is shown instead."""

_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_HEX = r"(?=[0-9a-f]{0,63}[0-9])(?=[0-9a-f]{0,63}[a-f])[0-9a-f]{12,64}"
_ULID = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"
_FORMS = {
    "url": r"\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>)\]}]+",
    "time": r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\b\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\b",
    ID: rf"\b(?:{_UUID}|{_HEX}|{_ULID})\b",
    "pointer": r"\b0x[0-9a-fA-F]{4,16}\b",
    "address": r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?\b"
    r"|\[[0-9a-fA-F:]{2,39}\](?::\d{1,5})?|\b(?:localhost|[\w.-]{1,99}\.local):\d{1,5}\b",
    "duration": r"(?<![\w.])\d+(?:\.\d+)?\s?"
    r"(?:ns|us|µs|μs|ms|s|secs?|seconds?|mins?|minutes?|h|hrs?|hours?)\b",
    "path": r"(?:/private)?/(?:tmp|var/folders|var/tmp)/[^\s\"':,;)\]}]+"
    r"|\b[A-Z]:\\[^\s\"']{0,99}\\Temp\\[^\s\"']+",
    "pid": r"(?<=\bpid[ =:])\d+\b",
}
_scan = re.compile("|".join(f"(?P<{name}>{form})" for name, form in _FORMS.items()))
_is_id = re.compile(rf"(?:{_UUID}|{_HEX}|{_ULID})\Z")
# Each form has a digit, or a scheme: most sentences have neither and need no scan.
_may_match = re.compile(r"\d|://|\[[0-9a-fA-F]*:|/(?:tmp|var)/|\\Temp\\").search


def is_id_text(text: str) -> bool:
    """Return whether a text as a whole is an id by its form: UUID, ULID, long hex."""
    return 12 <= len(text) <= 64 and _is_id.match(text) is not None


def scan(text: str) -> list[Span]:
    """Find the volatile parts of a text, in order, without overlaps."""
    if _may_match(text) is None:
        return []
    return [(m.start(), m.end(), str(m.lastgroup)) for m in _scan.finditer(text)]


@dataclass(frozen=True, slots=True)
class Redactions:
    """What a project or an assertion wants shown by name: fields, and patterns in text."""

    fields: frozenset[str] = frozenset()
    patterns: tuple[tuple[str, re.Pattern[str]], ...] = ()
    """``(shown name, pattern)``, sorted."""

    @classmethod
    def of(cls, redact: Redact = ()) -> Redactions:
        """Read what ``redact=`` was given.

        :raises ConfigurationError: a pattern is malformed, or something is neither.
        """
        fields: set[str] = set()
        patterns: list[tuple[str, re.Pattern[str]]] = []
        if isinstance(redact, str):
            raise ConfigurationError(f"redact={redact!r}: expected a list, such as [{redact!r}]")
        if isinstance(redact, Mapping):
            patterns += [(name, _compiled(name, pattern)) for name, pattern in redact.items()]
        else:
            for entry in redact:
                if isinstance(entry, re.Pattern):
                    patterns.append(("redacted", entry))
                elif isinstance(entry, str):
                    fields.add(entry)
                else:
                    raise ConfigurationError(
                        f"redact: {entry!r} is neither the name of a field nor a compiled pattern"
                    )
        return cls(frozenset(fields), _ordered(patterns))

    def __or__(self, other: Redactions) -> Redactions:
        """Return both."""
        patterns = {*self.patterns, *other.patterns}
        return Redactions(self.fields | other.fields, _ordered(patterns))

    def spans(self, text: str) -> list[Span]:
        """Find what the patterns match, in order, without overlaps."""
        found = sorted(
            (m.start(), -m.end(), name)
            for name, pattern in self.patterns
            for m in pattern.finditer(text)
            if m.end() > m.start()
        )
        spans: list[Span] = []
        position = 0
        for start, negative_stop, name in found:
            if start >= position:
                position = -negative_stop
                spans.append((start, position, name))
        return spans


NOTHING = Redactions()
"""No redactions beyond the forms that are always recognised."""


def _compiled(name: str, pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    if isinstance(pattern, re.Pattern):
        return pattern
    try:
        return re.compile(pattern)
    except (re.error, TypeError) as error:
        raise ConfigurationError(f"redact: pattern {name!r} = {pattern!r}: {error}") from error


def _ordered(
    patterns: Iterable[tuple[str, re.Pattern[str]]],
) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(sorted(patterns, key=lambda entry: (entry[0], entry[1].pattern)))
