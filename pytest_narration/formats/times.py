"""A logger's time, in whatever unit or notation -> RFC 3339, UTC, milliseconds.

Times are for people: order never rests on them, so a time that cannot be read is no error.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

__all__ = ["rfc3339"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"\d{9,20}(?:\.\d{1,12})?$")
_RFC3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
_FINER = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z$")  # Go, Rust, Docker
# "2024-05-01 10:00:00,123 +0200": datetime.fromisoformat wants a point and no space.
_LOOSE = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,:](\d{1,9}))?\s*(Z|UTC|[+-]\d\d:?\d\d)?$"
)

# Apache's and nginx' own: "01/May/2024:10:00:00 +0000".
_COMMON_LOG = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})$")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def rfc3339(value: Any) -> str | None:
    """Return the time as ``2024-05-01T10:00:00.123Z``, ``None`` when it cannot be told.

    Numbers are seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by
    their size. Without a zone the time is taken as UTC.
    """
    if isinstance(value, str):
        if _RFC3339_UTC.match(value):
            return value
        value = value.strip()
        if _NUMBER.match(value):
            return _from_epoch(float(value))
        return _from_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _from_epoch(value)


def _from_epoch(number: float) -> str | None:
    size = abs(number)
    # Seconds until the year 5138; each further unit is a thousand times finer. Rounding seconds
    # keeps 0.1 s in a binary float at 100 ms.
    if size < 1e11:
        milliseconds = round(number * 1000)
    elif size < 1e20:
        milliseconds = int(number // (1 if size < 1e14 else 1000 if size < 1e17 else 1_000_000))
    else:
        return None
    try:
        return f"{_to_the_second(milliseconds // 1000)}.{milliseconds % 1000:03}Z"
    except OverflowError:  # before the year 1
        return None


@lru_cache(maxsize=1024)  # lines of one moment come together
def _to_the_second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat("T", "seconds")


def _from_text(text: str) -> str | None:
    if _FINER.match(text):
        return f"{second}.{text[20:23]}Z" if (second := _valid(text[:19])) else None
    if (common := _COMMON_LOG.match(text)) and common[2] in _MONTHS:
        number = _MONTHS.index(common[2]) + 1
        text = f"{common[3]}-{number:02}-{common[1]} {common[4]} {common[5]}"
    match = _LOOSE.match(text)
    if not match:
        return None
    year, month, day, clock, fraction, zone = match.groups()
    zone = "+00:00" if zone in (None, "Z", "UTC") else zone
    try:
        when = datetime.fromisoformat(
            f"{year}-{month}-{day}T{clock}.{(fraction or '0')[:6].ljust(6, '0')}{zone}"
        )
        return _format(when.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=1024)
def _valid(second: str) -> str | None:
    try:
        datetime.fromisoformat(second)
    except ValueError:
        return None
    return second


def _format(when: datetime) -> str:
    return f"{when.replace(tzinfo=None).isoformat('T', 'milliseconds')}Z"
