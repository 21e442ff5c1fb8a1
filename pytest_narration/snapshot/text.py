"""Text that services said -> text that cannot break a diagram, a table or a terminal."""

from __future__ import annotations

import re

__all__ = ["cell", "code", "cut", "tidy", "uncell"]

_SPACE = re.compile(r"\s+")


def tidy(text: str) -> str:
    """Return one line of printable text."""
    text = _SPACE.sub(" ", text).strip()
    # Joiners keep emoji together; other characters without a shape could hide something.
    return "".join(c if c.isprintable() or c == "\u200d" else "�" for c in text)


def cut(text: str, longest: int) -> str:
    """Cut long text, with a mark."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def cell(text: str) -> str:
    r"""Escape text for a cell of a Markdown table; as little as possible, people read diffs."""
    text = tidy(text).replace("\\", "\\\\")
    for character in "|`*<":
        text = text.replace(character, f"\\{character}")
    return text


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
