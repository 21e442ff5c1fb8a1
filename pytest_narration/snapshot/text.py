"""Text that services said -> text that cannot break a diagram, a table or a terminal."""

from __future__ import annotations

import hashlib
import re

__all__ = ["cell", "code", "cut", "digest", "shortened", "tidy", "uncell"]

_SPACE = re.compile(r"\s+")
_LONGEST = 1000
_MARKUP = re.compile(
    r"[\\|`*<~]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # inside of a word an underscore emphasises nothing
    r"|&(?=#?\w+;)"
    r"|(?<=\])\("
)
"""What GitHub does not show as it stands in a cell: https://github.github.com/gfm/#inlines"""


def tidy(text: str) -> str:
    """Return one line of printable text."""
    text = _SPACE.sub(" ", text).strip()
    # Joiners keep emoji together; other characters without a shape could hide something.
    return "".join(c if c.isprintable() or c == "\u200d" else "�" for c in text)


def cut(text: str, longest: int) -> str:
    """Cut long text, with a mark."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def shortened(text: str) -> str:
    """Return a line of text; of a very long one its beginning, with a count and a digest."""
    text = tidy(text)
    left = len(text) - _LONGEST
    if left <= 0:
        return text
    return f"{text[:_LONGEST]}… {left} more characters, digest {digest(text)}"


def digest(text: str) -> str:
    """Return what stands for a text that is left out: another text has another one."""
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def cell(text: str) -> str:
    r"""Escape text for a cell of a Markdown table; as little as possible, people read diffs."""
    return _MARKUP.sub(r"\\\g<0>", shortened(text))


def uncell(text: str) -> str:
    r"""Return what :func:`cell` was given."""
    return re.sub(r"\\(.)", r"\1", text.strip())


def code(text: str) -> str:
    """Return a code span, also of text with backticks."""
    text = tidy(text)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text else ""
