"""``$.items[0].name`` -> the values at that place of a JSON document.

The part of RFC 9535 that points at things: members, indexes from either end, ``[*]`` and ``.*``
for all of them. The leading ``$.`` may be left out.
https://www.rfc-editor.org/rfc/rfc9535
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..errors import StepMistake

__all__ = ["JsonPath"]

_PART = re.compile(
    r"""\.(?P<name>[^.\[\]*"'\s]+) | \.\*(?P<any>) | \[(?P<index>-?\d+)\] | \[\*\](?P<all>)
      | \[(?P<quoted>"[^"]*"|'[^']*')\]""",
    re.VERBOSE,
)
_EVERY = object()


class JsonPath:
    """A place in a JSON document.

    :raises StepMistake: the text is no path.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = list(_parts(text))

    @property
    def is_many(self) -> bool:
        """Whether it may point at several values."""
        return _EVERY in self._parts

    def find(self, document: Any) -> list[Any]:
        """Return the values at the place, in order; none when it is not there."""
        found = [document]
        for part in self._parts:
            found = [inner for value in found for inner in _step(value, part)]
        return found

    def value(self, document: Any) -> Any:
        """Return the value at the place, ``None`` when it is not there, a list when it is many."""
        found = self.find(document)
        if self.is_many:
            return found
        return found[0] if found else None

    def __repr__(self) -> str:
        return self.text


def _parts(text: str) -> Iterator[Any]:
    rest = text.removeprefix("$")
    if rest == text and not text.startswith(("[", ".")):
        rest = f".{text}"
    position = 0
    while position < len(rest):
        match = _PART.match(rest, position)
        if match is None:
            raise StepMistake(
                f'"{text}" is no JSON path: {rest[position:]!r} is not understood; '
                'write "$.items[0].name", "$.items[*].id" or "error.code"'
            )
        if match["name"] is not None:
            yield match["name"]
        elif match["index"] is not None:
            yield int(match["index"])
        elif match["quoted"] is not None:
            yield match["quoted"][1:-1]
        else:
            yield _EVERY
        position = match.end()


def _step(value: Any, part: Any) -> list[Any]:
    if part is _EVERY:
        if isinstance(value, dict):
            return list(value.values())
        return list(value) if isinstance(value, list) else []
    if isinstance(part, int):
        fits = isinstance(value, list) and -len(value) <= part < len(value)
        return [value[part]] if fits else []
    return [value[part]] if isinstance(value, dict) and part in value else []
