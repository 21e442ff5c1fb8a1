"""What a log format is: how sure it is that a record is its own, and how it reads it.

Third parties subclass :class:`Format` and name an instance of theirs under the entry point group
``pytest_narration.formats``; the built-in formats are made of the same classes.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ..event import Event
from .compose import Shape, compose
from .field_map import FieldMap

__all__ = ["Format", "JsonFormat"]


class Format:
    """One logger's way to write a record; instances keep no state."""

    name: ClassVar[str]
    """How a configuration names it: ``"pino"``."""
    is_json: ClassVar[bool] = True
    """Whether a line is one JSON object; otherwise :meth:`parse` reads it."""
    is_joint: ClassVar[bool] = False
    """Whether the records of one array are read at once, as ``{"": [record, …]}``."""

    def parse(self, text: str) -> dict[str, Any] | None:
        """Read a line that is no JSON object; ``None`` when it is not of this format."""
        return None

    def score(self, record: dict[str, Any]) -> int:
        """Return how sure it is that the record is of this format: 0 (not) to 100 (certain)."""
        raise NotImplementedError

    def read(self, record: dict[str, Any], fields: FieldMap) -> Event | list[Event]:
        """Return the event, or events, of a record that scored."""
        raise NotImplementedError


class JsonFormat(Format):
    """A format whose record is one event, described by a :class:`~.compose.Shape`."""

    shape: ClassVar[Shape]

    def flatten(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return the record in the form that :attr:`shape` describes."""
        return record

    def read(self, record: dict[str, Any], fields: FieldMap) -> Event | list[Event]:
        """Return the event of a record."""
        return compose(self.flatten(record), self.shape, fields, written=record)
