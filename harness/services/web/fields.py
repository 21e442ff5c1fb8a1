"""A JSON value -> checked fields, or one answer that names everything that is wrong with it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .errors import ApiError

__all__ = ["ADDRESS", "NAME", "VISIBLE", "Fields", "Shape"]


class Shape(NamedTuple):
    """What a text must look like as a whole, as a pattern and in words."""

    pattern: re.Pattern[str]
    words: str


_PORT = r"(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"

NAME = Shape(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]*", re.ASCII),
    "letters, digits and . _ - and begin with a letter or digit",
)
"""A name that may be a part of a path."""
ADDRESS = Shape(
    re.compile(
        rf"(?:[A-Za-z0-9][A-Za-z0-9._\-]*|\[[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*\]):{_PORT}", re.ASCII
    ),
    "host:port, such as 127.0.0.1:8080 or [::1]:8080",
)
VISIBLE = Shape(re.compile(r"[!-~]+"), "visible ASCII characters without spaces")


class Fields:
    """Takes named fields out of a JSON object; what nobody takes is unknown, and refused.

    ::

        fields = Fields(body)
        prompt = fields.text("prompt", required=True, longest=8000)
        tokens = fields.integer("max_tokens", lowest=1, highest=512, default=64)
        fields.done()  # raises ApiError when anything was wrong

    A field that is wrong yields its default, so that :meth:`done` can report all of them at once.
    Messages show kinds and lengths, never a text value: a prompt may hold what logs must not.
    """

    def __init__(self, body: object) -> None:
        if not isinstance(body, dict):
            raise ApiError("invalid_request", f"the body must be a JSON object, got {_kind(body)}")
        self._fields: dict[str, Any] = dict(body)
        self._known: list[str] = []
        self._wrong: list[str] = []

    def text(
        self,
        name: str,
        *,
        longest: int,
        shortest: int = 1,
        required: bool = False,
        blank: bool = False,
        shape: Shape | None = None,
    ) -> str | None:
        """Take a string of ``shortest`` to ``longest`` characters; ``blank`` allows only spaces."""
        value = self._take(name, required)
        if value is None:
            return None
        if not isinstance(value, str):
            self.wrong(f"`{name}` must be a string, got {_kind(value)}")
        elif not shortest <= len(value) <= longest:
            got = "an empty one" if not value else f"{len(value)}"
            self.wrong(f"`{name}` must have {shortest} to {longest} characters, got {got}")
        elif shortest and not blank and not value.strip():
            self.wrong(f"`{name}` must not be blank")
        elif shape is not None and not shape.pattern.fullmatch(value):
            self.wrong(f"`{name}` must be {shape.words}")
        else:
            return value
        return None

    def integer(
        self,
        name: str,
        *,
        lowest: int,
        highest: int,
        required: bool = False,
        default: int | None = None,
    ) -> int | None:
        """Take a whole number; ``true`` and ``1.0`` are none."""
        value = self._take(name, required)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(f"`{name}` must be an integer, got {_kind(value)}")
        elif not lowest <= value <= highest:
            self.wrong(f"`{name}` must be {lowest} to {highest}, got {_short(value)}")
        else:
            return value
        return default

    def number(
        self, name: str, *, lowest: float, highest: float, default: float | None = None
    ) -> float | None:
        """Take a number; ``true`` is none."""
        value = self._take(name, required=False)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(f"`{name}` must be a number, got {_kind(value)}")
        elif not lowest <= value <= highest:
            self.wrong(f"`{name}` must be {lowest} to {highest}, got {_short(value)}")
        else:
            return float(value)
        return default

    def choice(self, name: str, choices: tuple[str, ...], *, required: bool = False) -> str | None:
        """Take one of the given words; without one the first choice stands."""
        value = self._take(name, required)
        if value is None:
            return choices[0]
        if value not in choices:
            allowed = " or ".join(f'"{choice}"' for choice in choices)
            self.wrong(f"`{name}` must be {allowed}, got {_kind(value)}")
            return choices[0]
        chosen: str = value
        return chosen

    def wrong(self, complaint: str) -> None:
        """Add a complaint of the caller's own to those of :meth:`done`."""
        self._wrong.append(complaint)

    def done(self) -> None:
        """Refuse the body if a field was wrong or unknown.

        :raises ApiError: 400 ``invalid_request``, naming every complaint.
        """
        for name in list(self._fields)[:5]:
            known = ", ".join(self._known)
            self.wrong(f"unknown field `{name[:40]}`; known are {known}")
        if self._wrong:
            raise ApiError("invalid_request", "; ".join(self._wrong))

    def _take(self, name: str, required: bool) -> Any:
        self._known.append(name)
        value = self._fields.pop(name, None)
        if value is None and required:
            self.wrong(f"`{name}` is required")
        return value


def _kind(value: object) -> str:
    names = {
        dict: "an object",
        list: "an array",
        str: "a string",
        int: "an integer",
        float: "a fraction",
        bool: "a boolean",
    }
    return names.get(type(value), "null")


def _short(value: float) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:24]}…"
