"""Where a project's own logs keep what an event needs: ``[tool.narration.map]``.

::

    [tool.narration.map]
    correlation_id = "ctx.corr"              # a dotted path
    human = ["text", "title"]                # the first that is there
    timestamp = "at"

Keys are columns of :class:`~pytest_narration.event.Event`; ``message``, ``time`` and ``severity``
are understood too. A name with dots in it is tried before the path that it spells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigurationError
from ..event import COLUMNS

__all__ = ["FieldMap", "find"]

_ALIASES = {"message": "human", "msg": "human", "time": "timestamp", "severity": "level"}
_MISSING = object()


class FieldMap:
    """A checked mapping: column -> paths to look at, in order."""

    __slots__ = ("paths",)

    def __init__(self, mapping: Mapping[str, str | Sequence[str]] | None = None) -> None:
        """Check the mapping.

        :raises ConfigurationError: a key is no column, or a value is no path.
        """
        self.paths: dict[str, tuple[str, ...]] = {}
        for key, value in (mapping or {}).items():
            column = _ALIASES.get(key, key)
            if column not in COLUMNS:
                raise ConfigurationError(
                    f"[tool.narration.map]: {key!r} is no column of an event; "
                    f"choose from {', '.join(sorted(COLUMNS | set(_ALIASES)))}"
                )
            paths = tuple(value) if isinstance(value, list | tuple) else (value,)
            if not paths or not all(isinstance(path, str) and path for path in paths):
                raise ConfigurationError(
                    f"[tool.narration.map]: {key} must be a dotted path or a list of them, "
                    f"not {value!r}"
                )
            self.paths[column] = paths

    def __bool__(self) -> bool:
        return bool(self.paths)

    def columns(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``{column: value}`` of what the mapping finds in a record."""
        found: dict[str, Any] = {}
        for column, paths in self.paths.items():
            for path in paths:
                value = find(record, path)
                if value is not None:
                    found[column] = value
                    break
        return found


def find(record: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path, ``None`` when there is none."""
    value: Any = record.get(path, _MISSING)
    if value is not _MISSING or "." not in path:
        return None if value is _MISSING else value
    # {"trace.id": 1} and {"trace": {"id": 1}} and {"labels": {"trace.id": 1}} spell the same.
    head, _, rest = path.partition(".")
    while rest:
        inner = record.get(head)
        if isinstance(inner, Mapping):
            value = find(inner, rest)
            if value is not None:
                return value
        part, _, rest = rest.partition(".")
        head = f"{head}.{part}"
    return None
