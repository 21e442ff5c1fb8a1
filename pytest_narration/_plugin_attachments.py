"""What was narrated during a test -> texts beside its scenario: story, lines, what was printed.

A report leaves the machine, so secrets are removed as ``narrate()`` removes them, also from what
services in other languages printed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from .cucumber import Attachment
from .emit.redaction import Redactor
from .recorder import Evidence, Record
from .wire import encode

__all__ = ["attachments", "without_secrets"]

_LINES = 1000
_STORY_RECORDS = 5000
_TIMELINE = 100
_redactor = Redactor()


def attachments(
    evidence: Evidence, *, printed: Iterable[tuple[str, str]], in_lanes: bool
) -> Iterator[Attachment]:
    """Yield the story, the captured lines, and what was printed.

    :param printed: sections of the test's report, ``(name, text)``.
    :param in_lanes: whether to tell also who said what when.
    """
    from .explain import timeline
    from .story import Story

    records = evidence.records()
    if records:
        if len(records) <= _STORY_RECORDS:
            told = str(Story.of(evidence))
        else:
            told = f"{len(records)} sightings of events are too many to be told as a story here."
        yield Attachment("story.txt", without_secrets(told))
        if in_lanes:
            yield Attachment("timeline.txt", without_secrets(timeline(evidence, limit=_TIMELINE)))
    if lines := list(_lines(evidence, records)):
        yield Attachment("captured-lines.ndjson", without_secrets("\n".join(lines)))
    for name, text in printed:
        yield Attachment(f"{name}.txt", without_secrets(text))


def _lines(evidence: Evidence, records: list[Record]) -> Iterator[str]:
    """Yield what was captured as JSON, and say how much was left out."""
    for record in records[:_LINES]:
        seen = json.dumps({"channel": record.channel, "source": record.source})
        yield f'{seen[:-1]}, "event": {encode(record.event).decode()}}}'
    rejected = evidence.rejected
    for unread in rejected[:_LINES]:
        line = unread.line.decode("utf-8", "backslashreplace")
        told = {"source": unread.source, "rejected": line, "why": unread.why}
        yield json.dumps(told, ensure_ascii=False)
    if left_out := max(len(records) - _LINES, 0) + max(len(rejected) - _LINES, 0):
        yield json.dumps({"left_out": left_out})


def without_secrets(text: str) -> str:
    """Return the text without secrets, its lines kept."""
    return "\n".join(_redactor.clean(line) for line in text.split("\n"))
