"""Repository, catalog and coverage data -> what a change adds to narration, with its verdicts.

``narration coverage --diff BASE`` prints it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import CatalogError
from ._catalog_file import parse
from .call_sites import CallSite, scan_source
from .catalog import Catalog, Signature
from .data import CoverageData
from .drafts import is_declared
from .locations import locate
from .repository import Repository
from .results import PointResult, analyse

__all__ = ["Added", "added_since"]


@dataclass(frozen=True, slots=True)
class Added:
    """What a change adds to narration."""

    points: tuple[PointResult, ...]
    """Declared since the base, in other words or on a further channel; with their verdicts."""
    sites: tuple[CallSite, ...]
    """Calls of ``narrate`` written since the base that no point declares."""
    notes: tuple[str, ...] = ()
    """Files that could not be compared, and why."""

    @property
    def untested(self) -> tuple[PointResult, ...]:
        """Those points that no test covers."""
        return tuple(p for p in self.points if p.state in ("missed", "partial"))


def added_since(base: str, catalog: Catalog, data: CoverageData) -> Added:
    """Compare the catalog and the Python source with a commit.

    What was moved to another file is not added by that.

    :param base: a commit, branch or tag; its merge base with HEAD is what is compared with.
    :raises CatalogError: git is missing, this is no repository, or the base is unknown.
    """
    repository = Repository()
    commit = repository.merge_base(base)
    notes: list[str] = []
    known = _declared_at(repository, commit, catalog, notes)
    results = analyse(catalog, data, locations=locate(catalog, base=repository.root))
    return Added(
        points=tuple(
            result
            for result in results.points
            if not known.issuperset((result.point.signature, c) for c in result.point.channels)
        ),
        sites=tuple(
            site
            for site in _written_since(repository, commit, notes)
            if not is_declared(site, catalog)
        ),
        notes=tuple(notes),
    )


def _declared_at(
    repository: Repository, commit: str, catalog: Catalog, notes: list[str]
) -> set[tuple[Signature, str]]:
    """Return ``{(signature, channel)}`` of the catalog, and of any that the change touches."""
    own = {repository.name_of(path) for path in catalog.paths}
    known = set()
    for name in sorted(own | set(repository.changed(commit, "*.toml").before)):
        text = (repository.read(commit, name) or b"").decode("utf-8-sig", "replace")
        try:
            before = parse(text, Path(f"{commit[:12]}:{name}")) if text else Catalog()
        except CatalogError as error:
            if name in own:
                notes.append(f"the catalog at the base is left out: {error}")
            continue
        known |= {(point.signature, c) for point in before.points for c in point.channels}
    return known


def _written_since(repository: Repository, commit: str, notes: list[str]) -> list[CallSite]:
    changed = repository.changed(commit, "*.py")
    known = set()
    for name in changed.before:
        # Source that could not be parsed at the base had nothing that could be known of it.
        with suppress(CatalogError):
            sites = scan_source(repository.read(commit, name) or b"", Path(name))
            known |= {(site.action, site.text) for site in sites}
    added = []
    for name in changed.now:
        try:
            sites = scan_source((repository.root / name).read_bytes(), Path(name))
        except OSError as error:
            notes.append(f"{name} is left out: {error.strerror}")
        except CatalogError as error:
            notes.append(f"{name} is left out: {error}")
        else:
            added += [site for site in sites if (site.action, site.text) not in known]
    return [site for site in added if site.kind == "narrate"]
