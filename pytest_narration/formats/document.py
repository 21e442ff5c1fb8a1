"""The lines of one JSON value that was printed for people -> the value's bytes.

Exports of traces and some loggers' default layouts spread a record over many lines. Such a value
begins with a line that is only its opening bracket and ends with one that is only the closing
bracket; everything between them is indented. What is not is another program's line.
"""

from __future__ import annotations

__all__ = ["Document"]

_CLOSING = {b"{": b"}", b"[": b"]"}


class Document:
    """Collects one value.

    :param opener: its first line.
    :param offset: where that line is in the stream.
    :param most_bytes: bytes that are kept; of a longer value only the beginning is.
    """

    __slots__ = ("_ends", "_lines", "_most_bytes", "_shown", "offset", "size")

    def __init__(self, opener: bytes, offset: int, most_bytes: int, shown: int) -> None:
        closing = _CLOSING[opener]
        self._ends = (closing, closing + b",")
        self._lines = [opener]
        self._most_bytes = most_bytes
        self._shown = shown
        self.offset = offset
        self.size = 1
        """Bytes of the lines so far, kept or not."""

    @staticmethod
    def begins(line: bytes) -> bool:
        """Whether a line is the first of such a value."""
        return line in _CLOSING

    @property
    def is_too_long(self) -> bool:
        """Whether lines had to be dropped."""
        return self.size > self._most_bytes

    @property
    def text(self) -> bytes:
        """What was collected; the beginning of it when it is too long."""
        text = b"\n".join(self._lines)
        return text[: self._shown] if self.is_too_long else text

    def takes(self, line: bytes) -> bool:
        """Take the line if it is a part of the value."""
        ending = line.rstrip()
        if ending and line[:1] not in b" \t" and ending not in self._ends:
            return False
        self.size += len(line) + 1
        if not self.is_too_long:
            self._lines.append(ending.removesuffix(b",") if self.is_end(line) else line)
        return True

    def is_end(self, line: bytes) -> bool:
        """Whether the line closes the value."""
        return line.rstrip() in self._ends
