"""The declared points of a system: what ``narration.toml`` says, checked and ready to match.

:meth:`Catalog.load` turns one or more files into a :class:`Catalog`; results, reports, the plugin
and the ``channel-split`` rule read it. The format is ``schema/narration-catalog.v1.json``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..errors import CatalogError

__all__ = ["ANYONE", "REACHES", "Catalog", "Group", "Hop", "Point", "Signature", "template_regex"]

REACHES = ("request", "error", "lifecycle", "device")
"""What it takes to reach a point: a request, a failure, a start or stop, certain hardware."""

ANYONE = "*"
"""Stands for any actor or action: what foreign loggers call them, source does not always show."""


class Signature(NamedTuple):
    """What an event is recognised by: who said what, in which words."""

    service: str
    actor: str
    action: str
    text: str
    """The template; for emitters without templates the pattern or the text itself."""


class Hop(NamedTuple):
    """An edge between two services that a request crosses."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Group:
    """The points of one service: one table in every report."""

    name: str
    service: str
    title: str


@dataclass(frozen=True, slots=True)
class Point:
    """A place in a system that narrates, as the catalog declares it."""

    id: str
    group: str
    service: str
    actor: str
    action: str
    human: str = ""
    """The template: ``"Tokenized prompt ({tokens_in} tokens)"``; empty when a pattern stands."""
    pattern: str | None = None
    """Regular expression that the whole text matches."""
    channels: tuple[str, ...] = ("stdout",)
    """Where it must be seen, every one of them."""
    level: str = "info"
    reach: str = "request"
    """One of :data:`REACHES`."""
    requires: str | None = None
    """A capability without which the point cannot be reached: ``"cuda"``."""
    ids: tuple[str, ...] = ()
    """Fields an event must carry to count."""
    exclude: str | None = None
    """Why the point is left out of the figure, or ``None``."""
    call_site: str | None = None
    """Path of the emitting file, ``path`` or ``path:line``, relative to the catalog's root."""
    where: str = ""
    """``file:line`` of the entry in the catalog."""
    root: Path = Path()
    """Folder that the call site is relative to."""

    @property
    def text(self) -> str:
        """The words that stand for the point: its template, else its pattern."""
        return self.human or self.pattern or ""

    @property
    def signature(self) -> Signature:
        """What the point's events are recognised by."""
        return Signature(self.service, self.actor, self.action, self.text)

    @property
    def is_outcome(self) -> bool:
        """Whether the point tells of a failure."""
        return self.reach == "error" or self.level in ("warn", "error", "fatal")


@dataclass(frozen=True, slots=True)
class Catalog:
    """Points of one or more files, with an index from signature to point."""

    points: tuple[Point, ...] = ()
    groups: Mapping[str, Group] = field(default_factory=dict)
    hops: tuple[Hop, ...] = ()
    capabilities: Mapping[str, bool] = field(default_factory=dict)
    """Capabilities that a catalog states instead of leaving them to detection."""
    name: str = ""
    root: Path = Path()
    """Folder that call sites are written relative to; of several catalogs, that of the first."""
    paths: tuple[Path, ...] = ()
    _exact: dict[Signature, Point] = field(default_factory=dict, repr=False, compare=False)
    _loose: dict[tuple[str, str, str], list[tuple[re.Pattern[str], Point]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for point in self.points:
            self._exact[point.signature] = point
            expression = point.pattern or template_regex(point.human)
            key = (point.service, point.actor, point.action)
            self._loose.setdefault(key, []).append((re.compile(expression, re.DOTALL), point))
        for candidates in self._loose.values():
            # The template with the most literal text is the most specific one.
            candidates.sort(key=lambda pair: -len(re.sub(r"\{[^{}]*\}", "", pair[1].text)))

    @classmethod
    def load(cls, *paths: str | Path) -> Catalog:
        """Read and merge catalogs.

        :raises CatalogError: a file cannot be read, or its entries are wrong or contradict each
            other; the message has one line for each finding, with file, line and entry.
        """
        from ._catalog_file import read

        return cls.merge(read(Path(path)) for path in paths)

    @classmethod
    def merge(cls, catalogs: Iterable[Catalog]) -> Catalog:
        """Return one catalog with the points of all, in their order.

        :raises CatalogError: two points share an id or a signature, or two groups of one name
            name different services.
        """
        merged = list(catalogs)
        if len(merged) == 1:
            return merged[0]
        groups: dict[str, Group] = {}
        problems: list[str] = []
        for catalog in merged:
            for name, group in catalog.groups.items():
                known = groups.setdefault(name, group)
                if known.service != group.service:
                    problems.append(
                        f"group {name!r} is service {known.service!r} in one catalog "
                        f"and {group.service!r} in {_names(catalog.paths)}"
                    )
        points = tuple(point for catalog in merged for point in catalog.points)
        problems += duplicates(points)
        if problems:
            raise CatalogError("\n".join(problems))
        return cls(
            points=points,
            groups=groups,
            hops=tuple(dict.fromkeys(hop for catalog in merged for hop in catalog.hops)),
            capabilities={k: v for catalog in merged for k, v in catalog.capabilities.items()},
            root=next((catalog.root for catalog in merged), Path()),
            name=" + ".join(dict.fromkeys(c.name for c in merged if c.name)),
            paths=tuple(path for catalog in merged for path in catalog.paths),
        )

    @property
    def services(self) -> frozenset[str]:
        """Names of the services that the catalog knows."""
        return frozenset(group.service for group in self.groups.values())

    def point(self, id: str) -> Point:
        """Return the point of that id.

        :raises KeyError: there is none.
        """
        for point in self.points:
            if point.id == id:
                return point
        raise KeyError(id)

    def of_signature(self, signature: Signature) -> Point | None:
        """Return the point that a recorded signature belongs to."""
        return self._stated(signature) or self._by_text(signature, loose=False)

    def match(
        self, *, service: str, actor: str, action: str, template: str | None, human: str
    ) -> Point | None:
        """Return the point that an event belongs to, ``None`` when none declares it.

        A template is compared as it is; without one, or with one that is the text itself because
        the caller had filled it in before, the text is matched against the templates and patterns
        of (service, actor, action).
        """
        if template:
            found = self._stated(Signature(service, actor, action, template))
            if found:
                return found
        is_loose = not template or template == human
        return self._by_text(Signature(service, actor, action, human), loose=is_loose)

    def _stated(self, signature: Signature) -> Point | None:
        service, actor, action, text = signature
        for who, what in _namings(actor, action):
            found = self._exact.get(Signature(service, who, what, text))
            if found is not None:
                return found
        return None

    def _by_text(self, signature: Signature, *, loose: bool) -> Point | None:
        service, actor, action, text = signature
        for who, what in _namings(actor, action):
            for expression, point in self._loose.get((service, who, what), ()):
                if (loose or point.pattern) and expression.fullmatch(text):
                    return point
        return None


def _namings(actor: str, action: str) -> tuple[tuple[str, str], ...]:
    """Return who and what a point may call them, the most exact first."""
    return (actor, action), (ANYONE, action), (actor, ANYONE), (ANYONE, ANYONE)


_PLACEHOLDER = re.compile(r"\{[^{}]*\}")


def template_regex(template: str) -> str:
    """Return a regular expression for the texts that a template can become.

    Its time is linear in the text: each literal is taken where it comes first, which leaves the
    most room for the rest, so the atomic groups lose no match.
    """
    first, *rest = (re.escape(part) for part in _PLACEHOLDER.split(template))
    if not rest:
        return first
    *inner, last = rest
    return first + "".join(f"(?>.+?{literal})" for literal in inner) + f".+{last}"


def duplicates(points: Iterable[Point]) -> list[str]:
    """Return a line for each id or signature that more than one point has."""
    ids: dict[str, Point] = {}
    signatures: dict[Signature, Point] = {}
    problems = []
    for point in points:
        first = ids.setdefault(point.id, point)
        if first is not point:
            problems.append(f"{point.where}: point {point.id!r} is declared at {first.where} too")
            continue
        first = signatures.setdefault(point.signature, point)
        if first is not point:
            problems.append(
                f"{point.where}: point {point.id!r} cannot be told from {first.id!r} at "
                f"{first.where}: both are {point.actor} {point.action} {point.text!r} "
                f"of service {point.service!r}"
            )
    return problems


def _names(paths: Iterable[Path]) -> str:
    return ", ".join(str(path) for path in paths) or "another"
