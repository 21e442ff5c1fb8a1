"""Verdicts -> the text that a failed test prints, grouped by rule, with the hint how to fix it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from textwrap import wrap

from .verdict import Verdict, Violation
from .words import plural

__all__ = ["report", "told"]

_SAME = 3
"""Violations shown of one kind on one hop; the rest is counted."""
_WIDTH = 100
_MOST = 12
"""Violations shown of one rule."""


def report(verdicts: Iterable[Verdict]) -> str:
    """Return the text for verdicts that are not all held; those that held are counted only.

    What keeps several rules from being judged, such as a source that was cut off, is told once.
    """
    every = list(verdicts)
    bad = [verdict for verdict in every if verdict.outcome != "held"]
    shared = _shared(bad)
    own = [
        "\n".join(_told(verdict, shared))
        for verdict in bad
        if verdict.violations or verdict.exempted or not shared.keys() >= _whys(verdict)
    ]
    return "\n\n".join([_headline(every), *own, *_together(shared)])


def told(verdict: Verdict) -> str:
    """Return the text for one verdict: its violations, doubts and hints."""
    return "\n".join(_told(verdict))


def _whys(verdict: Verdict) -> set[str]:
    return {doubt.why for doubt in verdict.doubts}


def _shared(verdicts: list[Verdict]) -> dict[str, tuple[str, ...]]:
    """Return ``{doubt: rules}`` of the doubts that several rules have."""
    rules: dict[str, tuple[str, ...]] = {}
    for verdict in verdicts:
        name = verdict.rule + (" (and broken)" if verdict.outcome == "broken" else "")
        for doubt in dict.fromkeys(doubt.why for doubt in verdict.doubts):
            rules[doubt] = (*rules.get(doubt, ()), name)
    return {doubt: names for doubt, names in rules.items() if len(names) > 1}


def _together(shared: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """Yield a paragraph for each group of rules with its common doubts."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for doubt, names in shared.items():
        groups.setdefault(names, []).append(f"  ? {doubt}")
    for names, doubts in groups.items():
        rules = wrap(f"inconclusive: {', '.join(names)}", _WIDTH, subsequent_indent="  ",
                     break_on_hyphens=False)  # fmt: skip
        yield "\n".join([*rules, *doubts])


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


def _told(verdict: Verdict, elsewhere: Container[str] = ()) -> Iterator[str]:
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
        if doubt.why not in elsewhere:
            yield f"  ? {doubt.why}"
    for exempted in verdict.exempted[:1]:
        yield f"  ({len(verdict.exempted)} exempted, such as: {exempted.reason})"
    for hint in hints:
        yield f"  hint: {hint}"


def _violation(violation: Violation) -> Iterator[str]:
    yield f"  ✗ {violation.title}"
    for text in violation.evidence:
        yield f"      {text}"
