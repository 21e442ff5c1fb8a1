"""The text of a ``narration.toml`` -> the line of an entry; ``tomllib`` keeps no positions."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

__all__ = ["Lines"]

_HEADER = re.compile(r"\s*(?P<array>\[)?\[(?P<name>[^\[\]]+)\]\]?\s*(?:#.*)?$")


class Lines:
    """Finds lines, from 1, by JSON paths: ``["points", 3, "level"]``."""

    def __init__(self, text: str) -> None:
        # Not splitlines(): TOML ends a line at LF only, and texts may hold other separators.
        self._lines = text.split("\n")
        self._headers: list[int] = []
        self._tables: dict[str, list[int]] = {}
        for number, line in enumerate(self._lines, 1):
            if found := _HEADER.match(line):
                self._headers.append(number)
                self._tables.setdefault(_plain(found["name"]), []).append(number)

    def of(self, where: Sequence[str | int]) -> int:
        """Return the line of a JSON path; of the closest entry around it if unsure."""
        header, rest = self._header(where)
        start, end = header, len(self._lines)
        if header:
            following = bisect_right(self._headers, header)
            end = self._headers[following] - 1 if following < len(self._headers) else end
        if rest:
            found = self._key(str(rest[0]), start, end)
            if found:
                return found
        return header or self._key(str(where[0]) if where else "", 0, len(self._lines)) or 1

    def _header(self, where: Sequence[str | int]) -> tuple[int, Sequence[str | int]]:
        """Return the line of the innermost table around a path, 0 if none, and what is left."""
        if len(where) > 1 and isinstance(where[1], int):
            found = self._tables.get(str(where[0]), [])
            return (found[where[1]] if where[1] < len(found) else 0), where[2:]
        for depth in (2, 1):
            name = ".".join(map(str, where[:depth]))
            if len(where) >= depth and name in self._tables:
                return self._tables[name][0], where[depth:]
        return 0, where

    def _key(self, name: str, start: int, end: int) -> int:
        key = re.compile(rf"\s*[\"']?{re.escape(name)}[\"']?\s*[=.]")
        found = (n for n in range(start, end) if name and key.match(self._lines[n]))
        return next((n + 1 for n in found), 0)


def _plain(name: str) -> str:
    """Return a header's name without the blanks and quotes it may be written with."""
    return ".".join(part.strip().strip("\"'") for part in name.split("."))
