"""A sentence for people -> a short ASCII name of what it says, for loggers that have no action.

The name stays the same when the values in the sentence change: numbers, ids, quoted text, paths,
addresses and ``key=value`` pairs do not count. ``"User 42 logged in"`` gives ``user_logged_in``.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["action_of", "as_action"]

_MOST_WORDS = 8
_READ = 300
"""Characters of the sentence that are looked at."""

_VALUES = re.compile(
    r"""
    \{[^{}]{0,80}\}                                     # a template's placeholder
  | "[^"]{0,200}" | (?<!\w)'[^']{0,200}'(?!\w) | `[^`]{0,200}`
  | [a-zA-Z][a-zA-Z0-9+.-]{1,20}://\S+                  # a URL
  | [\w.-]{1,60}=\S*                                    # a pair
  | \S{0,60}@\S{1,60}                                   # an e-mail address
  | (?<!\w)[/~][\w./~%-]+                               # a path
  | \b[\w-]*\d[\w.:/%+-]*                               # anything with a digit in it
  | %[sdvfjoOq]                                         # printf and util.format
    """,
    re.VERBOSE,
)
_WORD = re.compile(r"[A-Za-z]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/@-]{0,99}$")


def action_of(sentence: str) -> str:
    """Return the name of what a sentence or template says; ``""`` when it has no words."""
    return _action_of(sentence[:_READ].partition("\n")[0])


@lru_cache(maxsize=4096)  # templates, and many sentences, come again and again
def _action_of(text: str) -> str:
    if _NAME.match(text):  # structlog's habit: the message is the name already
        return text
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = _WORD.findall(_VALUES.sub(" ", ascii_text)) or _WORD.findall(ascii_text)
    return "_".join(word.lower() for word in words[:_MOST_WORDS])


def as_action(value: str) -> str:
    """Return an explicit action as it is when it is a name, its words joined otherwise."""
    value = value.strip()
    return value if _NAME.match(value) else action_of(value)
