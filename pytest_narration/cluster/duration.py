"""``"2 s"``, ``"500 ms"``, ``"1.5 minutes"`` -> seconds, as settings and scenarios write them."""

from __future__ import annotations

import re

from ..errors import ConfigurationError

__all__ = ["DURATION", "seconds"]

_UNITS = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
}
DURATION = (
    r"\d+(?:\.\d+)? ?"
    r"(?:milliseconds|millisecond|ms|seconds|second|s|minutes|minute|min)(?![A-Za-z])"
)
"""Regular expression of a duration, without groups."""


def seconds(text: str | float, *, where: str = "duration") -> float:
    """Return the seconds that a duration lasts; a number is seconds already.

    :raises ConfigurationError: it is none.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    if not isinstance(text, str) or not re.fullmatch(DURATION, text):
        raise ConfigurationError(
            f'{where}: {text!r} is no duration; write "2 s", "500 ms" or "1.5 min"'
        )
    number = re.match(r"[\d.]+", text)
    assert number is not None, "DURATION begins with a number"
    return float(number[0]) * _UNITS[text[number.end() :].strip()]
