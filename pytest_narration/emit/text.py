"""What to write when a value does not fit: templates that miss values, objects JSON cannot hold.

The slow paths of :mod:`.narrator`; none of them raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Any

__all__ = ["ascii_only", "cut_texts", "fill", "placeholders", "plain"]


def placeholders(template: str) -> frozenset[str]:
    try:
        return frozenset(name for _, name, _, _ in Formatter().parse(template) if name is not None)
    except ValueError:
        return frozenset()


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
            parts.append(
                str(values[name]) if type(values.get(name)) in (str, int, float) else whole
            )
    return "".join(parts)


def ascii_only(text: object) -> str:
    return str(text).encode("ascii", "replace").decode("ascii")


def plain(value: Any) -> Any:
    """Replace what JSON cannot hold by text."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    try:
        return repr(value)
    except Exception:  # a value's own __repr__ may raise anything
        return f"<{type(value).__name__}>"


def cut_texts(value: Any, longest: int) -> Any:
    if isinstance(value, str) and len(value) > longest:
        return f"{value[:longest]}… [cut {len(value) - longest} characters]"
    if isinstance(value, dict):
        return {name: cut_texts(item, longest) for name, item in value.items()}
    if isinstance(value, list | tuple):
        cut = [cut_texts(item, longest) for item in value[:longest]]
        return cut if len(value) <= longest else [*cut, f"… [cut {len(value) - longest} items]"]
    return value
