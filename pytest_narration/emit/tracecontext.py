"""``traceparent`` and ``tracestate`` header values <-> frozen records, W3C Trace Context level 2.

Pure functions over text: which header fields a request has, and what is sent on, is the business
of :mod:`.headers`. Quoted headings are those of https://www.w3.org/TR/trace-context-2/.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final, TypeGuard

import msgspec

__all__ = [
    "FLAGS_MASK",
    "MAX_MEMBERS",
    "MAX_STATE_CHARS",
    "RANDOM",
    "SAMPLED",
    "Member",
    "TraceParent",
    "fit_members",
    "format_traceparent",
    "format_tracestate",
    "is_span_id",
    "is_trace_id",
    "merge_members",
    "new_span_id",
    "new_trace_id",
    "parse_traceparent",
    "parse_tracestate",
]

SAMPLED: Final = 0x01
"""The caller may have recorded the trace ("Sampled flag")."""
RANDOM: Final = 0x02
"""The last seven bytes of the trace id are random ("Random Trace ID Flag")."""
FLAGS_MASK: Final = SAMPLED | RANDOM
"""The flags of version 00; every other bit is sent as zero ("Other Flags")."""
MAX_MEMBERS: Final = 32
"""Members of a ``tracestate``; with one more the whole list is invalid ("list")."""
MAX_STATE_CHARS: Final = 512
"""Characters of other systems' members that are passed on ("tracestate Limits": at least 512)."""

# Longer than any list of 32 members of the longest key and value with white space to spare: what
# exceeds this is not read, so that nobody can make a service chew on megabytes of commas.
_MAX_RAW_CHARS: Final = 32 * 1024
_LONG_MEMBER: Final = 128
_OWS: Final = " \t"

_traceparent = re.compile(
    r"([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL
).fullmatch
# Level 2 treats "@" as any other character of a key; level 1 split keys at it ("Key").
_member = re.compile(
    r"([a-z0-9][a-z0-9_\-*/@]{0,255})="
    r"([\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])"
).fullmatch
_trace_id = re.compile(r"(?!0{32})[0-9a-f]{32}").fullmatch
_span_id = re.compile(r"(?!0{16})[0-9a-f]{16}").fullmatch

Member = tuple[str, str]
"""``(key, value)`` of one member of a ``tracestate``."""


class TraceParent(msgspec.Struct, frozen=True, gc=False):
    """A valid ``traceparent``: which trace, and which span of it makes the request."""

    trace_id: str
    """32 lower-case hex digits, not all zero."""
    parent_id: str
    """16 lower-case hex digits, not all zero: the caller's span."""
    flags: int
    """:data:`SAMPLED` and :data:`RANDOM`; bits that version 00 does not define are left out."""


def parse_traceparent(value: str) -> TraceParent | None:
    """Read one header value; ``None`` when it is invalid and the trace has to start anew.

    A version above 00 is read as far as version 00 goes, when what follows is set off by a dash
    ("Versioning of traceparent"). Upper-case hex, version ff and all-zero ids are invalid.
    """
    if len(value) > _MAX_RAW_CHARS:
        return None
    match = _traceparent(value.strip(_OWS))
    if match is None:
        return None
    version, trace_id, parent_id, flags, rest = match.groups()
    if version == "ff" or (rest is not None and version == "00"):
        return None
    return TraceParent(trace_id, parent_id, int(flags, 16) & FLAGS_MASK)


def format_traceparent(trace_id: str, parent_id: str, flags: int) -> str:
    """Return a header value of version 00, the highest that level 2 defines."""
    return f"00-{trace_id}-{parent_id}-{flags & FLAGS_MASK:02x}"


def parse_tracestate(values: Iterable[str]) -> tuple[Member, ...] | None:
    """Read all ``tracestate`` fields of a request, in order, as one list.

    Empty members are skipped. Of a key that occurs twice the first, which is the newer, is kept.
    ``None`` means that the list is invalid (one bad member, or more than :data:`MAX_MEMBERS`) and
    is dropped as a whole.
    """
    text = ",".join(values)
    if len(text) > _MAX_RAW_CHARS:
        return None
    members: dict[str, str] = {}
    count = 0
    for part in text.split(","):
        raw = part.strip(_OWS)
        if not raw:
            continue
        match = _member(raw)
        count += 1
        if match is None or count > MAX_MEMBERS:
            return None
        key, value = match.groups()
        members.setdefault(key, value)
    return tuple(members.items())


def format_tracestate(members: Iterable[Member]) -> str:
    """Return the header value; empty when there are no members, and then the header is not sent."""
    return ",".join([f"{key}={value}" for key, value in members])


def fit_members(
    members: tuple[Member, ...], *, count: int = MAX_MEMBERS, chars: int = MAX_STATE_CHARS
) -> tuple[Member, ...]:
    """Drop whole members until at most ``count`` of them fit in ``chars`` ("tracestate Limits").

    Members longer than 128 characters go first, then the rest; each from the end of the list,
    where the oldest are.
    """
    sizes = [len(key) + len(value) + 2 for key, value in members]  # "=" and ","
    total = sum(sizes) - 1
    if total <= chars and len(members) <= count:
        return members
    kept = list(range(len(members)))
    for index in reversed(range(len(members))):
        if total > chars and sizes[index] - 1 > _LONG_MEMBER:
            kept.remove(index)
            total -= sizes[index]
    while kept and (total > chars or len(kept) > count):
        total -= sizes[kept.pop()]
    return tuple(members[index] for index in kept)


def merge_members(said: tuple[Member, ...], known: tuple[Member, ...]) -> tuple[Member, ...]:
    """Put the members that are added or changed before the rest, which keeps its order.

    "Mutating the tracestate Field": changed members go to the front, nobody else's are deleted.
    """
    changed = tuple([member for member in said if member not in known])
    keys = {key for key, _ in changed}
    return (*changed, *(member for member in known if member[0] not in keys))


def is_trace_id(value: object) -> TypeGuard[str]:
    """Return whether the value is a trace id that may be sent."""
    return type(value) is str and _trace_id(value) is not None


def is_span_id(value: object) -> TypeGuard[str]:
    """Return whether the value is a span id that may be sent."""
    return type(value) is str and _span_id(value) is not None


def new_trace_id() -> str:
    """Return a random trace id; :data:`RANDOM` may be set for it."""
    # The system's randomness: it survives forks and programs that seed `random`.
    return _nonzero(16)


def new_span_id() -> str:
    """Return a random span id."""
    return _nonzero(8)


def _nonzero(size: int) -> str:
    while True:
        drawn = os.urandom(size)
        if any(drawn):
            return drawn.hex()
