"""Text for people with fields in it, which many loggers write unless they are told otherwise.

zap's console encoder, winston's ``simple()``, structlog's ``ConsoleRenderer``, zerolog's
``ConsoleWriter``, hclog, and Rust's tracing-subscriber (``full`` and ``compact``). A line is of
this format when it begins with a level and has fields, or has the very form of one of these
loggers; other text stays text.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from .compose import Shape
from .format import JsonFormat
from .levels import level_of
from .logfmt import pairs
from .loose_json import read_json

__all__ = ["Console"]

_HEAD = re.compile(
    r"(?:(?P<time>\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\d\.\d{4,18}e\+09)\s{1,3})?"
    r"(?P<open>\[)?(?P<level>[A-Z]{3,11}|[a-z]{3,11})(?P<pad> {0,8})(?(open)\]|(?P<colon>:)?)"
    r"(?=\s)"
)
_WORDS_OF_SPEECH = frozenset({
    "all", "audit", "config", "default", "fail", "failure", "fine", "http", "log", "normal", "ok",
    "success",
})  # fmt: skip
"""Levels somewhere, and the beginning of a sentence elsewhere."""
_FIRST_KEY = re.compile(r"(?:^|\s)(?=[A-Za-z_][\w.@/-]{0,80}=)")
_FIRST_OBJECT = re.compile(r"(?:^|\s)(?=\{)")
_SPAN = re.compile(r"[\w:.-]{1,128}\{([^{}]{0,4096})\}:")
_TARGET = re.compile(r"((?:[\w.-]{1,128}:{1,2}){1,12})\s")
_CALLER = re.compile(r"\S{1,200}\.go:\d{1,6}$")
_PARTS = frozenset({"level", "time", "message"})
_LOGGER_BEHIND = re.compile(r"\s\[([\w.-]{1,128})\]$")


class Console(JsonFormat):
    """``2024-05-01T10:00:00.123Z  INFO shop: order received job_id="j-1"`` and its kin."""

    name: ClassVar[str] = "console"
    is_json: ClassVar[bool] = False
    shape: ClassVar[Shape] = Shape(
        human=("message",), level=("level",), timestamp=("time",), actor=("logger",)
    )

    def parse(self, text: str) -> dict[str, Any] | None:
        head = _HEAD.match(text.strip())
        if head is None or level_of(head["level"]) is None:
            return None
        if head["level"].lower() in _WORDS_OF_SPEECH and not head["colon"]:
            return None
        rest = text.strip()[head.end() :]
        record = _tabs(rest) if rest.count("\t") > 1 and head["time"] else _words(rest, head)
        if record is None:
            return None
        said = {"level": head["level"]} | ({"time": _time(head["time"])} if head["time"] else {})
        return record | said

    def score(self, record: dict[str, Any]) -> int:
        return 75 if "level" in record and "message" in record else 0


def _beside(fields: dict[str, Any]) -> dict[str, Any]:
    """Rename fields that are called like a part of the line."""
    return {f"raw.{name}" if name in _PARTS else name: v for name, v in fields.items()}


def _time(text: str) -> str:
    return str(float(text)) if "e+" in text else text  # zap's production console encoder


def _tabs(rest: str) -> dict[str, Any]:
    """Read zap's columns: ``[logger] [caller] message [{fields}]``."""
    columns = rest.strip().split("\t")
    record: dict[str, Any] = {}
    if columns[-1].startswith("{") and len(columns) > 1:
        found = read_json(columns[-1].encode())
        if isinstance(found, dict):
            record |= _beside(found)
            columns.pop()
    caller = next((n for n, text in enumerate(columns[:-1]) if _CALLER.match(text)), None)
    if caller is not None:
        record["caller"] = columns.pop(caller)
    if len(columns) > 1:
        record["logger"] = columns.pop(0)
    record["message"] = "\t".join(columns)
    return record


def _words(rest: str, head: re.Match[str]) -> dict[str, Any] | None:
    """Read a sentence and the fields behind it."""
    rest, record = _spans(rest.strip())
    target = _TARGET.match(rest) if head["time"] else None
    if target:
        record["logger"] = target[1].rstrip(":").rpartition(": ")[2]
        rest = rest[target.end() :].lstrip()
    fields, rest = _fields(rest)
    record |= _beside(fields)
    # Without fields only what nobody writes by chance is a record: structlog's padded level, a
    # time, a level and a target.
    padded = head["open"] and head["pad"] and head["level"].islower()
    if not (fields or target or (padded and head["time"])):
        return None
    if logger := _LOGGER_BEHIND.search(rest):
        record["logger"], rest = logger[1], rest[: logger.start()]
    record["message"] = rest.strip().removesuffix(":")
    return record


def _spans(rest: str) -> tuple[str, dict[str, Any]]:
    """Take off ``request{job_id="j-1"}:order{…}:``; the innermost span's fields win."""
    fields: dict[str, Any] = {}
    while span := _SPAN.match(rest):
        found = pairs(span[1])
        fields |= found[0] if found else {}
        rest = rest[span.end() :]
    return rest.lstrip(), fields


def _fields(rest: str) -> tuple[dict[str, Any], str]:
    """Return the fields behind a sentence, and the sentence."""
    if rest.endswith("}") and (start := _FIRST_OBJECT.search(rest)):
        found = read_json(rest[start.end() :].encode())
        if isinstance(found, dict) and found:
            return found, rest[: start.start()]
    if start := _FIRST_KEY.search(rest):
        read = pairs(rest[start.end() :])
        if read:
            return read[0], rest[: start.start()]
    return {}, rest
