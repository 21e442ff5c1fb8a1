"""Results -> the table that ends a test run, with what is missing and the verdict of the gates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..gate import Figure, Judged
from ..results import GroupResult, PointResult, Results

__all__ = ["Line", "figures_text", "hardware_note", "no_events_text", "place", "render_lines"]

_UNDECLARED_SHOWN = 20
_COUNTS = ("covered", "partial", "missed", "excluded")
_HEAD = ("Points", "Covered", "Partial", "Missed", "Excluded")


class Line(NamedTuple):
    """A line of terminal text."""

    text: str
    style: str = ""
    """``""``, ``"good"`` or ``"bad"``."""


def render_lines(results: Results, gates: Sequence[Judged], *, missing: bool) -> list[Line]:
    """Return the report's lines: table, figures, what is missing, gates."""
    if not results.has_events:
        # A table of zeros would be a figure, and nothing was measured.
        return [Line(text, "bad") for text in no_events_text(results)]
    lines = list(_table(results.groups, results.total))
    lines += [Line(""), *(Line(text) for text in figures_text(results))]
    if note := hardware_note(results):
        lines.append(Line(note))
    if missing:
        lines += _missing(results)
    lines += _undeclared(results)
    if gates:
        lines.append(Line(""))
    for judged in gates:
        text = str(judged) if judged.holds else f"FAIL {judged}"
        lines.append(Line(text, "good" if judged.holds else "bad"))
    return lines


def _table(groups: Sequence[GroupResult], total: Figure) -> Iterator[Line]:
    counts = [[len(g.points), *(g.count(state) for state in _COUNTS)] for g in groups]
    sums = [sum(column) for column in zip(*counts, strict=True)] or [0] * len(_HEAD)
    width = max(len("TOTAL"), *(len(g.group.title) for g in groups), 0)

    def row(name: str, cells: Iterable[object], cover: object) -> str:
        numbers = (f"{cell!s:>{len(head) + 3}}" for cell, head in zip(cells, _HEAD, strict=False))
        return f"{name:<{width}}{''.join(numbers)}{cover!s:>10}"

    head = row("Group", _HEAD, "Cover")
    rule = "-" * len(head)
    yield Line(head)
    yield Line(rule)
    for group, numbers in zip(groups, counts, strict=True):
        yield Line(row(group.group.title, numbers, group.figure))
    yield Line(rule)
    yield Line(row("TOTAL", sums, total))


def figures_text(results: Results) -> list[str]:
    """Return a line per dimension beyond points, those with nothing to cover left out."""
    lines = ["by reach:    " + _figures(results.reaches.items())]
    lines.append("channels:    " + _figures(results.channels.items()))
    for name, said in (
        ("correlation", "carried their required ids"),
        ("hops", "edges between services"),
        ("outcomes", "failure branches"),
    ):
        figure = results.dimensions[name]
        if figure.total:
            lines.append(f"{name + ':':<13}{figure.covered}/{figure.total} {figure} {said}")
    return lines


def _figures(figures: Iterable[tuple[str, Figure]]) -> str:
    return ", ".join(f"{name} {f.covered}/{f.total} {f}" for name, f in figures) or "none"


def hardware_note(results: Results) -> str:
    """Say what absent capabilities excluded, with the figure over all declared points."""
    if not results.absent:
        return ""
    absent = [p for p in results.points if p.why and p.why == f"needs {p.point.requires}"]
    points = f"{len(absent)} point{'s' if len(absent) != 1 else ''}"
    all_of_them = results.declared
    return (
        f"hardware:    {points} excluded, absent here: {', '.join(results.absent)}; "
        f"over all declared {all_of_them.covered}/{all_of_them.total} {all_of_them}"
    )


def place(result: PointResult) -> str:
    """Return the call site, else the entry in the catalog."""
    return str(result.location or result.point.where)


def _missing(results: Results) -> list[Line]:
    lines = []
    for state, title in (("missed", "Missing"), ("partial", "Partial, counted as missed")):
        found = [p for p in results.points if p.state == state]
        if not found:
            continue
        lines += [Line(""), Line(f"{title}:")]
        width = max(len(p.point.id) for p in found)
        for p in found:
            who = f"{p.point.actor} {p.point.action}"
            why = f": {p.why}" if state == "partial" else ""
            lines.append(Line(f"  {p.point.id:<{width}}  {place(p)}{why}"))
            lines.append(Line(f"  {'':<{width}}  {who} “{p.point.text}” on {_on(p)}"))
    excluded = [p for p in results.points if p.state == "excluded"]
    if excluded:
        lines += [Line(""), Line("Excluded:")]
        lines += [Line(f"  {p.point.id}: {p.why}") for p in excluded]
    lacking = [hop for hop, seen in results.hops.items() if not seen]
    for title, hops in (
        ("Hops never crossed:", lacking),
        ("Hops crossed but in no catalog:", results.undeclared_hops),
    ):
        if hops:
            lines += [Line(""), Line(title)]
            lines += [Line(f"  {_printable(h.source)} → {_printable(h.target)}") for h in hops]
    return lines


def _printable(text: str) -> str:
    """Show what would steer the terminal instead of being shown: services write what they like."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _on(result: PointResult) -> str:
    return "+".join(result.point.channels)


def _undeclared(results: Results) -> list[Line]:
    if not results.undeclared:
        return []
    lines = [Line(""), Line("Undeclared, seen but in no catalog:")]
    for signature, channels in results.undeclared[:_UNDECLARED_SHOWN]:
        service, actor, action, text = map(_printable, signature)
        who = f"{service}: {' '.join(filter(None, (actor, action)))}"
        lines.append(Line(f"  {who} “{text}” on {'+'.join(sorted(channels))}"))
    more = len(results.undeclared) - _UNDECLARED_SHOWN
    if more > 0:
        lines.append(Line(f"  … and {more} more; the json report lists all"))
    return lines


def no_events_text(results: Results) -> list[str]:
    """Explain a run that saw no event of a known service: that is an error, not 0 %."""
    services = ", ".join(sorted(results.catalog.services)) or "none"
    if results.strangers:
        seen = ", ".join(name or "(events that name none)" for name in results.strangers)
        return [
            "ERROR: no narration event came from a service of the catalog, so there is no coverage "
            "to measure.",
            f"  Events came from services {seen}.",
            f"  The catalog declares services {services}.",
            "  Is `service` in [groups.…] the name that a service narrates under, the argument of",
            "  configure() or what the mapping reads as `service`? Is it the right catalog?",
        ]
    return [
        "ERROR: no narration event was seen in the whole run, so there is no coverage to measure.",
        f"  The catalog declares services {services}.",
        "  Does a test that ran use narration_cluster, narration_capture or a source that feeds",
        "  narration_recorder? Do the services print their events to the stdout that is captured,",
        "  and do the lines decode (rejected lines are counted in the summary)?",
    ]
