"""A logger's severity, a word or a number -> one of :data:`pytest_narration.event.LEVELS`.

Formats say which scale their numbers are on; words mean the same everywhere.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Literal

__all__ = ["Scale", "level_of"]

Scale = Literal["auto", "bunyan", "python", "syslog", "otel", "hundreds"]
"""Whose numbers: ``bunyan`` is pino's too; ``auto`` reads 0-7 as syslog, 10-60 as bunyan."""

_WORDS = {
    "trace": ("trace", "verbose", "silly", "finest", "finer", "all", "vrb", "trc", "trac",
              "trce", "t", "v"),
    "debug": ("debug", "dbg", "fine", "config", "d", "debu", "debg", "dbug", "debug2", "debug3",
              "debug4"),
    "info": ("info", "information", "informational", "inf", "notice", "http", "log", "default", "i"
             , "success", "audit", "normal", "ok", "n"),
    "warn": ("warn", "warning", "wrn", "w"),
    "error": ("error", "err", "eror", "erro", "severe", "fail", "failure", "e", "dpanic"),
    "fatal": ("fatal", "critical", "crit", "alert", "emerg", "emergency", "panic", "pani", "ftl",
              "fata", "f", "c"),
}  # fmt: skip
_LEVEL_OF_WORD = {word: level for level, words in _WORDS.items() for word in words}

_SYSLOG = ("fatal", "fatal", "fatal", "error", "warn", "info", "info", "debug")
"""RFC 5424 section 6.2.1: 0 emergency … 7 debug."""

_STEPS: dict[str, tuple[tuple[float, str], ...]] = {
    # The level of a number is that of the greatest step that it reaches.
    "bunyan": ((60, "fatal"), (50, "error"), (40, "warn"), (30, "info"), (20, "debug")),
    "python": ((50, "fatal"), (40, "error"), (30, "warn"), (20, "info"), (10, "debug")),
    "otel": ((21, "fatal"), (17, "error"), (13, "warn"), (9, "info"), (5, "debug")),
    "hundreds": ((500, "fatal"), (400, "error"), (300, "warn"), (200, "info"), (100, "debug")),
}
_LONGEST = 32
"""Characters of a level that are looked at."""
# Go's slog writes levels between its own as "INFO+2"; loguru and others pad or bracket the word.
_DECORATED = re.compile(r"[\s\[<]*([a-z]+)(?:[+-]\d{1,6}|[\s\]>:]*)$")


def level_of(value: Any, scale: Scale = "auto") -> str | None:
    """Return the level that a logger means, ``None`` when it cannot be told."""
    if type(value) is int or (type(value) is str and len(value) <= _LONGEST):
        return _level_of(value, scale)
    return _read(value, scale)


@lru_cache(maxsize=1024)  # a logger has a handful of them
def _level_of(value: str | int, scale: Scale) -> str | None:
    return _read(value, scale)


def _read(value: Any, scale: Scale) -> str | None:
    if isinstance(value, str):
        word = value[:_LONGEST].lower()
        if word in _LEVEL_OF_WORD:
            return _LEVEL_OF_WORD[word]
        if decorated := _DECORATED.match(word):
            return _LEVEL_OF_WORD.get(decorated[1])
        if word.isascii() and word.isdigit():
            return _level_of_number(int(word), scale)
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _level_of_number(value, scale)


def _level_of_number(number: float, scale: Scale) -> str | None:
    if scale == "auto":
        scale = "hundreds" if number >= 100 else "bunyan" if number >= 10 else "syslog"
    if scale == "syslog":
        return _SYSLOG[int(number)] if 0 <= number <= 7 else None
    return next((level for step, level in _STEPS[scale] if number >= step), "trace")
