"""Bytes that should be JSON -> the value that their writer meant, or the reason why not.

Real loggers write ``NaN`` (Python), raw control characters, half of a surrogate pair or bytes
that are no UTF-8. Strict JSON is tried first; only a line that fails it pays for tolerance.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

import msgspec

__all__ = ["NotJson", "read_json"]

_strict = msgspec.json.Decoder().decode
_DEEPEST = 200
"""Levels of nesting that a line may have; more is an attack or a bug, and breaks readers."""


class NotJson(NamedTuple):
    """Why a line is not JSON."""

    why: str


def read_json(line: bytes) -> Any | NotJson:
    """Return the JSON value of a line. Never raises."""
    try:
        value = _strict(line)
    except RecursionError:
        return NotJson("JSON nested too deeply")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _read_loosely(line, error)
    return value if line.count(b"{") + line.count(b"[") < _DEEPEST else _unless_deep(value)


def _read_loosely(line: bytes, strict_error: Exception) -> Any | NotJson:
    text = line.decode("utf-8", "replace").removeprefix("\ufeff")
    if text[:1] not in "{[" or text[-1:] not in "}]":
        # A tolerant parser would find nothing else: the line is cut, or was never JSON.
        return NotJson(f"not JSON: {strict_error}")
    try:
        # JSONDecoder raises RecursionError on deep nesting, ValueError on all else, integers of
        # more than 4300 digits included.
        value = json.loads(text, strict=False, parse_constant=str)
    except RecursionError:
        return NotJson("JSON nested too deeply")
    except ValueError:
        return NotJson(f"not JSON: {strict_error}")
    return _unless_deep(value)


def _unless_deep(value: Any) -> Any | NotJson:
    try:
        return _clean(value, 0)
    except RecursionError:
        return NotJson("JSON nested too deeply")


def _clean(value: Any, depth: int) -> Any:
    """Copy without what cannot be written again: half surrogate pairs and infinities."""
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, str):
        return value if value.isprintable() else value.encode("utf-8", "replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_clean(key, depth): _clean(item, depth + 1) for key, item in value.items()}
    return value
