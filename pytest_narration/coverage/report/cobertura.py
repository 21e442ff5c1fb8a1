"""Results -> Cobertura XML (``coverage-04.dtd``): a package per group, a class per file.

Lines are call sites. Channels are branches, so a point that was seen on one of two channels shows
as ``50% (1/2)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ..gate import Figure, Judged
from ..results import GroupResult, PointResult, Results
from .lines import hits, place_of

__all__ = ["render"]

# https://www.w3.org/TR/xml/#charsets; a catalog learned from foreign logs may hold them.
_ILLEGAL = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]")
_DOCTYPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    "<!DOCTYPE coverage SYSTEM 'http://cobertura.sourceforge.net/xml/coverage-04.dtd'>\n"
)


def render(results: Results, gates: Sequence[Judged]) -> str:
    """Return the document's text."""
    counted = [p for p in results.points if p.state != "excluded"]
    lines, branches = _lines(counted), _branches(counted)
    root = Element(
        "coverage",
        {
            "line-rate": _rate(lines),
            "branch-rate": _rate(branches),
            "lines-covered": str(lines.covered),
            "lines-valid": str(lines.total),
            "branches-covered": str(branches.covered),
            "branches-valid": str(branches.total),
            "complexity": "0",
            "version": "pytest-narration",
            # Runs that saw the same write the same file; the format demands a time.
            "timestamp": "0",
        },
    )
    SubElement(SubElement(root, "sources"), "source").text = "."
    packages = SubElement(root, "packages")
    for group in results.groups:
        _package(packages, group)
    indent(root)
    return _DOCTYPE + _ILLEGAL.sub("\ufffd", tostring(root, encoding="unicode")) + "\n"


def _package(parent: Element, group: GroupResult) -> None:
    counted = [p for p in group.points if p.state != "excluded"]
    package = SubElement(parent, "package", {"name": group.group.name, **_rates(counted)})
    classes = SubElement(package, "classes")
    files: dict[str, list[PointResult]] = {}
    for result in counted:
        files.setdefault(place_of(result)[0], []).append(result)
    for path, points in sorted(files.items()):
        names = {"name": path.replace("/", "."), "filename": path}
        found = SubElement(classes, "class", names | _rates(points))
        methods = SubElement(found, "methods")
        for result in points:
            method = SubElement(
                methods,
                "method",
                {
                    "name": result.point.id,
                    "signature": f"{result.point.actor} {result.point.action}",
                    **_rates([result]),
                },
            )
            _line(SubElement(method, "lines"), place_of(result)[1], [result])
        lines = SubElement(found, "lines")
        for number, here in sorted(_by_line(points).items()):
            _line(lines, number, here)


def _line(parent: Element, number: int, points: list[PointResult]) -> None:
    branches = _branches(points)
    line = {"number": str(number), "hits": str(min(hits(p) for p in points)), "branch": "false"}
    if branches.total > 1:
        percent = 100 * branches.covered // branches.total
        line["branch"] = "true"
        line["condition-coverage"] = f"{percent}% ({branches.covered}/{branches.total})"
    SubElement(parent, "line", line)


def _by_line(points: Iterable[PointResult]) -> dict[int, list[PointResult]]:
    lines: dict[int, list[PointResult]] = {}
    for result in points:
        lines.setdefault(place_of(result)[1], []).append(result)
    return lines


def _rates(points: Sequence[PointResult]) -> dict[str, str]:
    return {
        "line-rate": _rate(_lines(points)),
        "branch-rate": _rate(_branches(points)),
        "complexity": "0",
    }


def _lines(points: Sequence[PointResult]) -> Figure:
    files: dict[tuple[str, int], bool] = {}
    for result in points:
        place = place_of(result)
        files[place] = files.get(place, True) and hits(result) > 0
    return Figure(sum(files.values()), len(files))


def _branches(points: Sequence[PointResult]) -> Figure:
    channels = [
        channel in p.seen and bool(p.seen[channel].complete)
        for p in points
        for channel in p.point.channels
    ]
    return Figure(sum(channels), len(channels))


def _rate(figure: Figure) -> str:
    """Return the rate cut to four decimals, so that only the whole is 1."""
    if not figure.total:
        return "1"
    tenthousandths = 10_000 * figure.covered // figure.total
    return f"{tenthousandths // 10_000}.{tenthousandths % 10_000:04d}"
