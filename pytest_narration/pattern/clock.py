"""When a record happened, by either clock that ``within`` can measure."""

from __future__ import annotations

from datetime import UTC, datetime

from ..recorder import Record

__all__ = ["moment"]


def moment(record: Record, by: str) -> float:
    """Return seconds on the arrival clock, or since the epoch by the event's own timestamp.

    :raises ValueError: the event has no RFC 3339 timestamp.
    """
    if by == "arrival":
        return record.at
    text = record.event.timestamp
    if text is None:
        raise ValueError(
            "within(by='timestamp') needs events with a timestamp, and"
            f" {record.event.actor} {record.event.action} has none: use by='arrival'"
        )
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
