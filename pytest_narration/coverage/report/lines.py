"""Results -> ``{file: {line: points}}``: how formats made for code see narration points.

LCOV and Cobertura count lines. A point's line is its call site; a point without one stands at its
entry in the catalog, so that nothing declared is missing from the file.
"""

from __future__ import annotations

from ..results import PointResult, Results

__all__ = ["by_file", "hits", "place_of"]


def by_file(results: Results) -> dict[str, dict[int, list[PointResult]]]:
    """Return the points that count, sorted by file and line."""
    files: dict[str, dict[int, list[PointResult]]] = {}
    for result in results.points:
        if result.state != "excluded":
            path, line = place_of(result)
            files.setdefault(path, {}).setdefault(line, []).append(result)
    return {path: dict(sorted(files[path].items())) for path in sorted(files)}


def place_of(result: PointResult) -> tuple[str, int]:
    """Return the file and line that stand for the point."""
    if result.location:
        return result.location.path.as_posix(), result.location.line
    path, _, line = result.point.where.rpartition(":")
    return path, int(line)


def hits(result: PointResult) -> int:
    """Return how many tests covered the point, 0 unless it is covered."""
    return len(result.contexts) if result.state == "covered" else 0
