"""Tables and texts below a step -> what the step reads from them; what is missing is explained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..errors import StepMistake
from .values import Expected, cell

__all__ = ["Table", "column", "expectations", "nested", "pairs", "parsed"]

Table = list[list[str]]
"""Rows of cells, as pytest-bdd passes them."""


def pairs(table: Table, *, headings: Sequence[str]) -> list[tuple[str, str]]:
    """Return the rows of a table with two columns; a first row of headings is left out.

    :param headings: the two words that a first row is recognised by.
    :raises StepMistake: it has another number of columns.
    """
    for row in table:
        if len(row) != 2:
            raise StepMistake(
                f"the table has {len(row)} columns in the row {_shown(row)}; "
                f"it takes two: | {' | '.join(headings)} |"
            )
    rows = table[1:] if table and [c.lower() for c in table[0]] == list(headings) else table
    if not rows:
        raise StepMistake(f"the table has no row; it takes two columns: | {' | '.join(headings)} |")
    return [(first, second) for first, second in rows]


def column(table: Table, *, heading: str) -> list[str]:
    """Return the cells of a table with one column; a first row with the heading is left out.

    :raises StepMistake: it has another number of columns.
    """
    for row in table:
        if len(row) != 1:
            raise StepMistake(
                f"the table has {len(row)} columns in the row {_shown(row)}; "
                f"it takes one: | {heading} |"
            )
    cells = [row[0] for row in table]
    return cells[1:] if cells and cells[0].lower() == heading else cells


def expectations(table: Table, *, headings: Sequence[str]) -> list[tuple[str, Expected]]:
    """Return ``(name, what is expected)`` of each row."""
    return [(name, cell(text)) for name, text in pairs(table, headings=headings)]


def nested(table: Table) -> dict[str, Any]:
    """Return ``{"env": {"MODE": "test"}}`` of a row ``| env.MODE | test |``."""
    found: dict[str, Any] = {}
    for name, text in pairs(table, headings=("setting", "value")):
        *path, last = name.split(".", 1)
        inner = found
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise StepMistake(f"the setting {part!r} has a value and settings below it")
        inner[last] = text
    return found


def parsed(text: str) -> Any:
    """Return the JSON of a text.

    :raises StepMistake: it is none; the message shows where.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        lines = text.splitlines() or [""]
        line = lines[min(error.lineno, len(lines)) - 1]
        raise StepMistake(
            f"the text below the step is no JSON: {error.msg}, line {error.lineno} "
            f"column {error.colno}:\n  {line}\n  {' ' * (error.colno - 1)}^"
        ) from error


def _shown(row: Sequence[str]) -> str:
    return f"| {' | '.join(row)} |"
