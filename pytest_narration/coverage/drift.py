"""Catalog, source and coverage data -> where they drift apart.

``narration catalog check`` prints it; ``narration coverage --diff`` asks what a change added.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import CatalogError
from .call_sites import CallSite, Location, locate, scan_source, scan_tree
from .catalog import Catalog, Point, Signature
from .data import CoverageData
from .drafts import is_declared
from .results import PointResult, analyse

__all__ = ["Added", "Drift", "added_since", "drift"]

_GIT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Drift:
    """What does not fit together."""

    undeclared_sites: tuple[CallSite, ...] = ()
    """Calls of ``narrate`` that no point declares."""
    undeclared_events: tuple[Signature, ...] = ()
    """Seen, but in no catalog."""
    gone: tuple[Point, ...] = ()
    """Points whose ``call_site`` contains them no longer."""

    def __bool__(self) -> bool:
        return bool(self.undeclared_sites or self.undeclared_events or self.gone)


def drift(catalog: Catalog, source: Sequence[Path], data: CoverageData) -> Drift:
    """Compare a catalog with source below some folders, and with what was seen."""
    sites = [site for root in source for site in scan_tree(root) if site.kind == "narrate"]
    located = locate(catalog)
    python = [p for p in catalog.points if p.call_site and _is_python(p)]
    return Drift(
        undeclared_sites=tuple(site for site in sites if not is_declared(site, catalog)),
        undeclared_events=tuple(s for s, _ in analyse(catalog, data).undeclared),
        gone=tuple(point for point in python if point.id not in located),
    )


def _is_python(point: Point) -> bool:
    path = point.root / (point.call_site or "").partition(":")[0]
    return path.suffix == ".py" or path.is_dir()


@dataclass(frozen=True, slots=True)
class Added:
    """What a change adds to narration."""

    points: tuple[PointResult, ...]
    """Declared since the base, or declared in other words; with their verdicts."""
    sites: tuple[CallSite, ...]
    """Calls of ``narrate`` written since the base that no point declares."""

    @property
    def untested(self) -> tuple[PointResult, ...]:
        """Those points that no test covers."""
        return tuple(p for p in self.points if p.state in ("missed", "partial"))


def added_since(base: str, catalog: Catalog, data: CoverageData) -> Added:
    """Compare the catalog and the Python source with a commit.

    :param base: a commit, branch or tag; its merge base with HEAD is what is compared with.
    :raises CatalogError: git is missing, this is no repository, or the base is unknown.
    """
    root = Path(_git("rev-parse", "--show-toplevel").strip())
    common = _git("merge-base", base, "HEAD").strip()
    known = set()
    for path in catalog.paths:
        before = _catalog_at(common, path, root)
        known |= {point.signature for point in before.points} if before else set()
    results = analyse(catalog, data, locations=locate(catalog, base=root))
    return Added(
        points=tuple(p for p in results.points if p.point.signature not in known),
        sites=tuple(site for site in _sites_since(common, root) if not is_declared(site, catalog)),
    )


def _catalog_at(commit: str, path: Path, root: Path) -> Catalog | None:
    name = path.resolve().relative_to(root.resolve()).as_posix()
    text = _git("show", f"{commit}:{name}", missing="")
    if not text:
        return None
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_text(text, encoding="utf-8")
        return Catalog.load(copy)


def _sites_since(commit: str, root: Path) -> list[CallSite]:
    changed = _git("diff", "--name-only", "--diff-filter=d", "-z", commit, "--", "*.py", cwd=root)
    fresh = _git("ls-files", "--others", "--exclude-standard", "-z", "--", "*.py", cwd=root)
    added = []
    for name in filter(None, (changed + fresh).split("\0")):
        now = _scan(Path(root / name).read_text(encoding="utf-8"), Path(name))
        then = _scan(_git("show", f"{commit}:{name}", missing="", cwd=root), Path(name))
        known = {(site.action, site.text) for site in then}
        added += [s for s in now if s.kind == "narrate" and (s.action, s.text) not in known]
    return added


def _scan(text: str, path: Path) -> list[CallSite]:
    try:
        return scan_source(text, path)
    except SyntaxError:
        return []


def _git(*arguments: str, missing: str | None = None, cwd: Path | None = None) -> str:
    """Run git and return what it prints; ``missing`` stands in when it fails."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            capture_output=True,
            cwd=cwd,
            encoding="utf-8",
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CatalogError(f"git {arguments[0]} did not run: {error}") from error
    if done.returncode == 0:
        return done.stdout
    if missing is not None:
        return missing
    raise CatalogError(f"git {' '.join(arguments)} failed: {done.stderr.strip()}")


def place(site: CallSite) -> str:
    """Return ``file:line`` of a site."""
    return str(Location(site.path, site.line))
