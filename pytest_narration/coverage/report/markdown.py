"""Results -> Markdown for a comment on a pull request: verdict first, details folded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..gate import Judged
from ..results import PointResult, Results
from .term import figures_text, hardware_note, no_events_text, place

__all__ = ["render"]

_SHOWN = 100


def render(results: Results, gates: Sequence[Judged]) -> str:
    """Return the comment's text."""
    name = f": {_text(results.catalog.name)}" if results.catalog.name else ""
    total = results.total
    parts = [f"## Narration coverage{name}", ""]
    parts += [f"{'✅' if judged.holds else '❌'} {judged}" for judged in gates]
    parts += [f"**{total}** of points ({total.covered} of {total.total})", ""]
    if not results.has_events:
        parts += [*no_events_text(results), ""]
    parts += ["| Group | Points | Covered | Partial | Missed | Excluded | Cover |"]
    parts += ["|:--|--:|--:|--:|--:|--:|--:|"]
    for g in results.groups:
        counts = [g.count(s) for s in ("covered", "partial", "missed", "excluded")]
        cells = " | ".join(map(str, (len(g.points), *counts, g.figure)))
        parts.append(f"| {_text(g.group.title)} | {cells} |")
    parts += ["", *(f"- {_text(' '.join(line.split()))}" for line in figures_text(results))]
    if note := hardware_note(results):
        parts.append(f"- {_text(' '.join(note.split()))}")
    for state, title in (("missed", "Missing"), ("partial", "Partial, counted as missed")):
        parts += _table(title, [p for p in results.points if p.state == state])
    hops = [f"| {_text(h.source)} | {_text(h.target)} |" for h, s in results.hops.items() if not s]
    parts += _folded("Hops never crossed", "| From | To |\n|:--|:--|", hops)
    if results.undeclared:
        rows = [
            f"| {_code(s.service)} | {_code(f'{s.actor} {s.action}')} | {_code(s.text)} |"
            for s, _ in results.undeclared
        ]
        parts += _folded("Undeclared", "| Service | Who does what | Text |\n|:--|:--|:--|", rows)
    return "\n".join(parts) + "\n"


def _table(title: str, points: Iterable[PointResult]) -> list[str]:
    rows = [
        f"| {_code(p.point.id)} | {_code(p.point.text)} | {_text(p.why)} | {_code(place(p))} |"
        for p in points
    ]
    return _folded(title, "| Point | Text | Why | Where |\n|:--|:--|:--|:--|", rows)


def _folded(title: str, head: str, rows: list[str]) -> list[str]:
    if not rows:
        return []
    shown = rows[:_SHOWN]
    if len(rows) > _SHOWN:
        shown.append(f"\n… and {len(rows) - _SHOWN} more")
    summary = f"<details><summary>{title} ({len(rows)})</summary>"
    return ["", summary, "", head, *shown, "", "</details>"]


def _text(text: str) -> str:
    """Escape what Markdown or HTML would take for markup."""
    for mark in "\\`*_[]<>|":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def _code(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|")
    # A fence is longer than any run of backticks in what it encloses.
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"
