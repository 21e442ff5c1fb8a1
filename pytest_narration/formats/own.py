"""The package's own wire: lines written by :func:`pytest_narration.emit.narrate`."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from .. import wire
from ..event import Event
from .field_map import FieldMap
from .format import Format

__all__ = ["Own"]


class Own(Format):
    """``action``, ``actor`` and ``human`` together are the mark of a narrated event."""

    name: ClassVar[str] = "narration"

    def score(self, record: dict[str, Any]) -> int:
        if not (isinstance(record.get("action"), str) and isinstance(record.get("human"), str)):
            return 0
        return 99 if "actor" in record or "event_id" in record else 70

    def read(self, record: dict[str, Any], fields: FieldMap) -> Event | list[Event]:
        """Return the event.

        :raises msgspec.ValidationError: a column has a value of the wrong type; the contract is
            ours, so this is a broken line and not a dialect.
        """
        event = wire.from_fields(record)
        mapped = fields.columns(record)
        return msgspec.structs.replace(event, **mapped) if mapped else event
