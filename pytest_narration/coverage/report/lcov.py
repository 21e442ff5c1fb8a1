"""Results -> an LCOV tracefile, format as in ``geninfo(1)``.

A point is a function (``FN``, ``FNDA``) of the file that emits it, its call site a line (``DA``).
A line with several points counts as hit when all of them are covered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..gate import Judged
from ..results import PointResult, Results
from .lines import by_file, hits

__all__ = ["render"]


def render(results: Results, gates: Sequence[Judged]) -> str:
    """Return the tracefile's text."""
    sections = ("\n".join(_section(p, lines)) for p, lines in by_file(results).items())
    return "".join(f"{section}\n" for section in sections)


def _section(path: str, lines: dict[int, list[PointResult]]) -> Iterator[str]:
    points = [(line, result) for line, found in lines.items() for result in found]
    yield "TN:narration"
    yield f"SF:{path}"
    for line, result in points:
        yield f"FN:{line},{result.point.id}"
    for _, result in points:
        yield f"FNDA:{hits(result)},{result.point.id}"
    yield f"FNF:{len(points)}"
    yield f"FNH:{sum(hits(result) > 0 for _, result in points)}"
    counts = {line: min(hits(result) for result in found) for line, found in lines.items()}
    for line, count in counts.items():
        yield f"DA:{line},{count}"
    yield f"LF:{len(counts)}"
    yield f"LH:{sum(count > 0 for count in counts.values())}"
    yield "end_of_record"
