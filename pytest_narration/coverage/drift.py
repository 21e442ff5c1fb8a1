"""Catalog, source and coverage data -> where they drift apart, for ``narration catalog check``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .call_sites import CallSite
from .catalog import Catalog, Point, Signature
from .data import CoverageData
from .drafts import is_declared
from .locations import call_site_of, locate
from .results import analyse

__all__ = ["Drift", "drift"]


@dataclass(frozen=True, slots=True)
class Drift:
    """What does not fit together."""

    undeclared_sites: tuple[CallSite, ...] = ()
    """Calls of ``narrate`` that no point declares."""
    undeclared_events: tuple[Signature, ...] = ()
    """Seen, but in no catalog."""
    gone: tuple[Point, ...] = ()
    """Points whose ``call_site`` contains them no longer, or is itself not there."""

    def __bool__(self) -> bool:
        return bool(self.undeclared_sites or self.undeclared_events or self.gone)


def drift(catalog: Catalog, sites: Iterable[CallSite], data: CoverageData) -> Drift:
    """Compare a catalog with call sites in source, and with what was seen."""
    narrated = [site for site in sites if site.kind == "narrate"]
    # A line that the catalog gives would hide that the words are gone from it.
    located = locate(catalog, trust_lines=False)
    return Drift(
        undeclared_sites=tuple(site for site in narrated if not is_declared(site, catalog)),
        undeclared_events=tuple(s for s, _ in analyse(catalog, data).undeclared),
        gone=tuple(p for p in catalog.points if p.call_site and _is_gone(p, p.id in located)),
    )


def _is_gone(point: Point, is_located: bool) -> bool:
    path, _ = call_site_of(point)
    if not path.exists():
        return True
    # Words that a pattern stands for, and source of other languages, cannot be looked for.
    can_be_looked_for = path.is_dir() or path.suffix == ".py"
    return can_be_looked_for and point.pattern is None and not is_located
