"""A word of a command line -> a checked value, or argparse's one line about what it should be.

Used by the settings of every service; imports only argparse, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse

__all__ = ["PORT", "Between"]


class Between:
    """A type for argparse: whole numbers between two, both included."""

    def __init__(self, lowest: int, highest: int) -> None:
        self._lowest = lowest
        self._highest = highest

    def __call__(self, text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = self._lowest - 1
        if not self._lowest <= value <= self._highest:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number in {self._lowest}..{self._highest}"
            )
        return value


PORT = Between(0, 65_535)
"""A port to bind; 0 lets the kernel choose."""
