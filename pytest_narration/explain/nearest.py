"""How far an event is from what was expected, and which one came nearest.

Time-outs show the nearest miss; step failures and ``assert`` on events show the differences.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches
from typing import Any

import msgspec

from ..event import COLUMNS, Event
from ..formats.roles import role_of
from ..recorder import Difference, Record, Where
from .words import shown

__all__ = ["Miss", "compare", "differences", "hints", "nearest", "told"]

_TIES = 200
_PROVENANCE = ("event_id", "timestamp", "instance", "seq", "emitted_by", "schema_version")


class Miss(msgspec.Struct, frozen=True):
    """An event that meets some of the conditions."""

    record: Record
    differences: list[Difference]
    """Empty when it meets all of them and came at the wrong time."""


def differences(found: Event | Record, expected: Where | Mapping[str, Any]) -> list[str]:
    """Return one line per condition that is not met: ``tokens_in: expected 7, found 5``."""
    record = found if isinstance(found, Record) else Record(found, 0, 0.0)
    where = expected if isinstance(expected, Where) else Where(expected)
    return [told(difference) for difference in where.differences(record)]


def compare(left: Event, right: Event) -> list[str]:
    """Return one line per field in which two events differ, what they say before who said it."""
    one, other = left.fields(), right.fields()
    names = [name for name in (one | other) if one.get(name) != other.get(name)]
    names.sort(key=lambda name: name in _PROVENANCE)
    return [f"{name}: {shown(one.get(name))} != {shown(other.get(name))}" for name in names]


def nearest(records: Iterable[Record], awaited: Sequence[Where]) -> Miss | None:
    """Return the record that misses the fewest conditions of one awaited event.

    Of equals, the one whose values are most alike, then the latest. ``None`` when no record
    meets any condition at all.
    """
    best: tuple[int, int] | None = None
    # Comparing texts is slow, so only the last few of those that miss equally little compete.
    ties: deque[Miss] = deque(maxlen=_TIES)
    for where in awaited:
        if not where.conditions:
            continue
        for record in records:
            found = where.differences(record)
            if len(found) >= len(where.conditions) + (where.predicate is not None):
                continue
            rank = (len(found), _weight(found))
            if best is None or rank < best:
                best = rank
                ties.clear()
            if rank == best:
                ties.append(Miss(record, found))
    return max(ties, key=lambda m: (_likeness(m.differences), m.record.index), default=None)


def hints(records: Sequence[Record], awaited: Sequence[Where]) -> list[str]:
    """Return what looks misspelt: field names and values that no event has, and the likely ones."""
    found = []
    fields = {name for record in records for name in record.event.extra} | COLUMNS
    for where in awaited:
        for name, expected in where.conditions.items():
            root = name.partition(".")[0]
            if root not in fields and name not in fields and name not in _ORIGIN:
                found.append(
                    f"no event has a field `{name}`{_read_as(name) or _meant(name, fields)}"
                )
            elif isinstance(expected, str):
                values = {v for r in records if isinstance(v := r.event.field(name), str)}
                if values and expected not in values and name not in _ORIGIN:
                    meant = _meant(expected, values)
                    if meant:
                        found.append(f"no event has {name}={expected!r}{meant}")
    return list(dict.fromkeys(found))


_ORIGIN = ("channel", "source", "stream")


def _read_as(name: str) -> str:
    """Say under which name a loggers' field is kept."""
    role = role_of(name)
    column = role[0] if role is not None else ""
    return f": loggers' `{name}` is read as `{column}`" if column in COLUMNS else ""


def _meant(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.75)
    return f": did you mean `{close[0]}`?" if close else ""


def _weight(found: list[Difference]) -> int:
    # Another point altogether is further away than another value at the same point.
    return sum(d.field in ("action", "actor", "service") for d in found)


def _likeness(found: list[Difference]) -> float:
    return sum(
        SequenceMatcher(None, d.expected[:60], d.found[:60]).ratio()
        for d in found
        if isinstance(d.expected, str) and isinstance(d.found, str)
    )


def told(difference: Difference) -> str:
    """Return a difference in one line."""
    return (
        f"{difference.field}: expected {shown(difference.expected)},"
        f" found {shown(difference.found)}"
    )
