"""Catalog and source -> the line of each declared point: what reports show and LCOV counts."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .call_sites import CallSite, scan_module
from .call_texts import is_met
from .catalog import ANYONE, Catalog, Point
from .source import modules

__all__ = ["Location", "call_site_of", "locate"]


@dataclass(frozen=True, slots=True)
class Location:
    """A line of source."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path.as_posix()}:{self.line}"


def locate(
    catalog: Catalog, *, base: Path | None = None, trust_lines: bool = True
) -> dict[str, Location]:
    """Return ``{point id: Location}`` for each point whose ``call_site`` leads to a line.

    The line is that of ``narrate(action, template)`` or of the logger's call; where the template
    reaches the call through a variable, that of the template's literal.

    :param base: folder that paths are relative to when they lie below it; the current one unless
        told otherwise.
    :param trust_lines: take the line that a catalog gives where the words are not found.
    """
    base = (base or Path.cwd()).resolve()
    scans: dict[Path, _Scan] = {}
    found = {}
    for point in catalog.points:
        if not point.call_site:
            continue
        path, fixed = call_site_of(point)
        if path not in scans:
            scans[path] = _Scan(path)
        location = scans[path].find(point) or (
            Location(path, fixed) if trust_lines and fixed and path.is_file() else None
        )
        if location:
            found[point.id] = Location(_relative(location.path, base), location.line)
    return found


def call_site_of(point: Point) -> tuple[Path, int]:
    """Return the path that a point's ``call_site`` names, and its line, 0 when it names none."""
    name, colon, line = (point.call_site or "").rpartition(":")
    fixed = int(line) if colon and line.isdecimal() else 0
    return (point.root / (name if fixed else point.call_site or "")).resolve(), fixed


class _Scan:
    """The call sites and string literals of a file or folder, read once."""

    def __init__(self, root: Path) -> None:
        self._sites: dict[str, list[CallSite]] = {}
        self._literals: dict[str, list[Location]] = {}
        for module in modules(root) if root.is_dir() or root.suffix == ".py" else ():
            for site in scan_module(module):
                self._sites.setdefault(site.text, []).append(site)
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    place = Location(module.path, node.lineno)
                    self._literals.setdefault(node.value, []).append(place)

    def find(self, point: Point) -> Location | None:
        best = max(
            self._candidates(point), key=lambda s: (s.actor == point.actor, -s.line), default=None
        )
        if best:
            return Location(best.path, best.line)
        words = point.human or ""
        places = self._literals.get(words, [])
        # Where each literal is that of a call, the calls are those of other actions.
        return places[0] if len(places) > len(self._sites.get(words, ())) else None

    def _candidates(self, point: Point) -> Sequence[CallSite]:
        if point.pattern:
            texts = [text for text in self._sites if is_met(point.pattern, text)]
        else:
            texts = [point.human]
        return [
            site
            for text in texts
            for site in self._sites.get(text, ())
            if ANYONE in (site.action, point.action) or site.action == point.action
        ]


def _relative(path: Path, base: Path) -> Path:
    return path.relative_to(base) if path.is_relative_to(base) else path
