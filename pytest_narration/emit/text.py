"""What to write when a value does not fit: templates that miss values, objects JSON cannot hold.

The slow paths of :mod:`.narrator`; none of them raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import itemgetter
from string import Formatter
from typing import Any

__all__ = ["ascii_only", "cut_texts", "fill", "filler", "plain"]

_CUT = re.compile(r"… \[cut (\d{1,12}) characters\]\Z", re.ASCII)
"""The mark of a text that was cut before."""

Fill = Callable[[dict[str, Any]], str | None]


def filler(template: str) -> Fill:
    """Return what fills a template quickly, and gives ``None`` when :func:`fill` has to.

    A template of plain ``{names}`` becomes a ``%`` format, which costs half of ``str.format``.
    """
    try:
        pieces = list(Formatter().parse(template))
    except ValueError:
        return lambda fields: None
    names = [name for _, name, _, _ in pieces if name is not None]
    if not names:
        text = "".join(literal for literal, *_ in pieces)
        return lambda fields: text
    if not all(
        name.isidentifier() and not spec and not conversion
        for _, name, spec, conversion in pieces
        if name is not None
    ):
        return lambda fields: _format(template, fields)
    percent = "".join(
        literal.replace("%", "%%") + ("%s" if name is not None else "")
        for literal, name, _, _ in pieces
    )
    values: Callable[[dict[str, Any]], Any] = itemgetter(*names)

    def fill_quickly(fields: dict[str, Any]) -> str | None:
        try:
            filled: str = percent % values(fields)
            return filled
        except Exception:  # a name that is not there; a value's own __str__ may raise anything
            return None

    def fill_one(fields: dict[str, Any]) -> str | None:
        try:
            return percent % (values(fields),)
        except Exception:  # as above
            return None

    return fill_quickly if len(names) > 1 else fill_one


def _format(template: str, fields: dict[str, Any]) -> str | None:
    try:
        return template.format_map(fields)
    except Exception:  # a missing name, or a format that does not fit its value
        return None


def fill(template: str, values: Mapping[str, Any]) -> str:
    parts: list[str] = []
    try:
        pieces = list(Formatter().parse(template))
    except ValueError:
        return template
    for literal, name, spec, conversion in pieces:
        parts.append(literal)
        if name is None:
            continue
        whole = (
            "{"
            + name
            + (f"!{conversion}" if conversion else "")
            + (f":{spec}" if spec else "")
            + "}"
        )
        try:
            parts.append(whole.format_map(values))
        except Exception:  # a value's own __format__ may raise anything
            parts.append(str(plain(values[name])) if name in values else whole)
    return "".join(parts)


def ascii_only(text: object) -> str:
    return str(text).encode("ascii", "replace").decode("ascii")


def plain(value: Any) -> Any:
    """Replace what JSON cannot hold by text."""
    if isinstance(value, dict):
        return {_utf8(str(name)): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return _utf8(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        if -(2**63) <= value < 2**64:
            return value
        return str(value) if value.bit_length() < 4096 else f"<int of {value.bit_length()} bits>"
    try:
        return repr(value)
    except Exception:  # a value's own __repr__ may raise anything
        return f"<{type(value).__name__}>"


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def cut_texts(value: Any, longest: int) -> Any:
    if isinstance(value, str) and len(value) > longest:
        whole = len(value)
        if before := _CUT.search(value, max(0, whole - 60)):
            whole = before.start() + int(before[1])
        return f"{value[:longest]}… [cut {whole - longest} characters]"
    if isinstance(value, dict):
        return {name: cut_texts(item, longest) for name, item in value.items()}
    if isinstance(value, list | tuple):
        cut = [cut_texts(item, longest) for item in value[:longest]]
        return cut if len(value) <= longest else [*cut, f"… [cut {len(value) - longest} items]"]
    return value
