"""Verdicts -> the text that a failed test prints, grouped by rule, with the hint how to fix it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .verdict import Verdict, Violation
from .words import plural

__all__ = ["report", "told"]

_SAME = 3
"""Violations shown of one kind on one hop; the rest is counted."""
_MOST = 12
"""Violations shown of one rule."""


def report(verdicts: Iterable[Verdict]) -> str:
    """Return the text for verdicts that are not all held; those that held are counted only."""
    every = list(verdicts)
    bad = [verdict for verdict in every if verdict.outcome != "held"]
    return "\n\n".join([_headline(every), *map(told, bad)])


def told(verdict: Verdict) -> str:
    """Return the text for one verdict: its violations, doubts and hints."""
    return "\n".join(_told(verdict))


def _headline(verdicts: list[Verdict]) -> str:
    broken = [v for v in verdicts if v.outcome == "broken" and v.level == "error"]
    warned = [v for v in verdicts if v.outcome != "held" and v.level == "warn"]
    unclear = [v for v in verdicts if v.outcome == "inconclusive" and v.level == "error"]
    held = sum(v.outcome == "held" for v in verdicts)
    parts = [
        f"{plural(len(broken), 'rule')} broken" if broken else "",
        f"{plural(len(unclear), 'rule')} inconclusive" if unclear else "",
        f"{plural(len(warned), 'warning')}" if warned else "",
        f"{held} held",
    ]
    return f"narration: {', '.join(part for part in parts if part)}"


def _told(verdict: Verdict) -> Iterator[str]:
    if verdict.outcome == "held":
        notes = f" ({'; '.join(verdict.notes)})" if verdict.notes else ""
        yield f"{verdict.rule} (held): {verdict.title}{notes}"
        return
    warning = ", a warning" if verdict.level == "warn" else ""
    yield f"{verdict.rule} ({verdict.outcome}{warning}): {verdict.title}"
    hidden: dict[str, int] = {}
    shown: dict[tuple[str, str], int] = {}
    hints: dict[str, None] = {}
    for violation in verdict.violations:
        # The title up to its first colon says what kind it is and where; ids follow behind.
        kind = (violation.title.partition(":")[0], violation.hop)
        shown[kind] = shown.get(kind, 0) + 1
        if shown[kind] > _SAME or sum(min(n, _SAME) for n in shown.values()) > _MOST:
            hidden[violation.hop] = hidden.get(violation.hop, 0) + 1
            continue
        hints[violation.hint] = None
        yield from _violation(violation)
    for hop, count in hidden.items():
        yield f"  … and {count} more{f' {hop}' if hop else ''}"
    for doubt in verdict.doubts:
        yield f"  ? {doubt.why}"
    for exempted in verdict.exempted[:1]:
        yield f"  ({len(verdict.exempted)} exempted, such as: {exempted.reason})"
    for hint in hints:
        yield f"  hint: {hint}"


def _violation(violation: Violation) -> Iterator[str]:
    yield f"  ✗ {violation.title}"
    for text in violation.evidence:
        yield f"      {text}"
