"""Values, events and counts in few words, for every text of this package."""

from __future__ import annotations

import functools
import signal
from typing import TYPE_CHECKING, Any

from ..event import Event
from ..recorder import Record

if TYPE_CHECKING:
    from ..emit.redaction import Redactor

__all__ = ["WIDTH", "cut", "event_line", "exit_text", "shown", "speaker"]

WIDTH = 100
"""Columns that a text may use; a terminal, a CI log and a review page all have them."""

_LOOKED_AT = 8192
"""Characters of a text of which a line is made: many more than a line shows."""


@functools.cache
def _redactor() -> Redactor:
    # Late: only failures need it.
    from ..emit.redaction import Redactor

    return Redactor()


def cut(text: str, width: int) -> str:
    """Return one line of at most ``width`` characters, marked where it was cut.

    Secrets in it are replaced first: what a service printed by mistake ends in its own log, a
    report in many more places.
    """
    flat = _redactor().clean(" ".join(text[:_LOOKED_AT].split()))
    return flat if len(flat) <= width else flat[: max(width - 1, 0)] + "…"


def shown(value: Any, width: int = 60) -> str:
    """Return a value as a test would write it; an absent field is ``nothing``."""
    return "nothing" if value is None else cut(repr(value), width)


def speaker(record: Record) -> str:
    """Return who speaks: the service, or the source where the event names none."""
    return record.event.service or record.source or "(unnamed)"


def event_line(event: Event, width: int = WIDTH) -> str:
    """Return actor, action and the sentence: ``tokenizer tokenize "Tokenized 7 tokens"``."""
    words = " ".join(word for word in (event.actor, event.action) if word)
    return cut(f'{words} "{event.human}"' if event.human else words, width)


def exit_text(code: int) -> str:
    """Return ``exit code 1``, or the signal that ended the process."""
    number = -code if code < 0 else code - 128
    if code < 0 or 128 < code < 160:
        try:
            return f"exit code {code} ({signal.Signals(number).name})"
        except ValueError:
            pass
    return f"exit code {code}"
