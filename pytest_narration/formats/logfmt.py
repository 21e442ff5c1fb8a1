"""logfmt: ``level=info msg="job done" dur=3ms``, as logrus, go-kit, Loki and Heroku write it.

Values in single quotes are structlog's ``KeyValueRenderer``.

https://brandur.org/logfmt
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from .access import request_line
from .compose import Shape
from .format import JsonFormat

__all__ = ["Logfmt", "pairs"]

# Every alternative begins with another character, so a match takes linear time.
_PAIR = re.compile(
    r"""\s*(?:(?P<key>[^\s="]+)(?:=(?:"(?P<double>(?:[^"\\]|\\.)*)"(?=\s|$)|(?:'(?P<single>(?:[^'\\]|\\.)*)'(?=\s|$))|(?P<bare>[^\s"]*)(?=\s|$)))?)""",
    re.DOTALL,
)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})(\.\d{1,18})?")
_DIGITS = frozenset("-0123456789")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_NAMES = {"n": "\n", "t": "\t", "r": "\r"}
_MARKS = frozenset({
    "level", "lvl", "severity", "msg", "message", "ts", "time", "timestamp", "t", "caller", "event",
    "at", "error", "err",
})  # fmt: skip
_SPOKEN = frozenset({"msg", "message", "event", "error", "err"})
_MOST_ITEMS = 2000
"""Pairs and words of one line: a book is no record."""


class Logfmt(JsonFormat):
    """Pairs separated by blanks; at least two, one of which every logger writes."""

    name: ClassVar[str] = "logfmt"
    is_json: ClassVar[bool] = False
    shape: ClassVar[Shape] = Shape(
        human=("msg", "message", "event", "error", "err"),
        level=("level", "lvl", "severity", "at"),
        timestamp=("ts", "time", "timestamp", "t"),
        actor=("logger", "component", "module", "source"),
    )

    def parse(self, text: str) -> dict[str, Any] | None:
        record, count = pairs(text) or ({}, 0)
        return record if count >= 2 and count * 2 >= len(record) else None

    def score(self, record: dict[str, Any]) -> int:
        return 70 if not _MARKS.isdisjoint(record) or request_line(record) else 0

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        if _SPOKEN.isdisjoint(record) and (request := request_line(record)):  # lograge
            record = record | {"message": request}
        duration = record.get("duration", record.get("dur", record.get("elapsed")))
        if isinstance(duration, str) and (milliseconds := _go_duration(duration)) is not None:
            return record | {"duration_ms": milliseconds}
        return record


def pairs(text: str) -> tuple[dict[str, Any], int] | None:
    """Return ``({name: value}, number of pairs)``; a word alone is ``True``; None: no pairs."""
    record: dict[str, Any] = {}
    position, count, items, text = 0, 0, 0, text.strip()
    while position < len(text):
        match = _PAIR.match(text, position)
        if not match or items > _MOST_ITEMS:
            return None
        items += 1
        position = match.end()
        key, double, single, bare = match.group("key", "double", "single", "bare")
        quoted = double if double is not None else single
        if quoted is not None:
            record[key] = _ESCAPE.sub(_unescape, quoted) if "\\" in quoted else quoted
        else:
            record[key] = True if bare is None else _typed(bare)
        count += quoted is not None or bare is not None
    return record, count


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if len(code) == 5 else _NAMES.get(code, code)


def _typed(text: str) -> Any:
    """Numbers and booleans as such; ids with leading zeros or signs stay text."""
    if text in {"true", "false"}:
        return text == "true"
    number = _NUMBER.fullmatch(text) if text[:1] in _DIGITS else None
    if number is None:
        return text
    return float(text) if number[1] else int(text)


def _go_duration(text: str) -> float | None:
    """Read ``1m2.5s`` or ``350µs`` as milliseconds."""
    units = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1, "µs": 1e-3, "us": 1e-3, "ns": 1e-6}
    if not re.fullmatch(r"(?:\d{1,9}(?:\.\d{1,9})?(?:h|ms|m|s|µs|us|ns)){1,4}", text):
        return None
    parts = re.findall(r"([\d.]+)(h|ms|m|s|µs|us|ns)", text)
    return float(round(sum(float(number) * units[unit] for number, unit in parts), 6))
