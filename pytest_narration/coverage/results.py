"""Catalog and coverage data -> verdict per point, figures per group and dimension.

A pure function; every report reads its :class:`Results` and computes nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .catalog import REACHES, Catalog, Group, Hop, Point, Signature
from .data import CoverageData, Evidence
from .gate import Figure
from .locations import Location

__all__ = ["ChannelSeen", "GroupResult", "PointResult", "Results", "analyse"]


@dataclass(frozen=True, slots=True)
class ChannelSeen:
    """What was seen of a point on one channel."""

    complete: frozenset[str]
    """Tests whose event carried all required ids."""
    incomplete: Mapping[tuple[str, ...], frozenset[str]]
    """``{missing ids: tests}``"""
    evidence: Evidence | None = None

    @property
    def contexts(self) -> frozenset[str]:
        """Every test that saw the point here."""
        return self.complete.union(*self.incomplete.values())


@dataclass(frozen=True, slots=True)
class PointResult:
    """The verdict on one point."""

    point: Point
    state: str
    """``"covered"``, ``"partial"``, ``"missed"`` or ``"excluded"``."""
    why: str
    """What is missing, or why it is excluded; empty for a covered point."""
    seen: Mapping[str, ChannelSeen]
    """``{channel: what was seen}``, also of channels that the point does not declare."""
    location: Location | None = None
    """The line that emits it."""

    @property
    def contexts(self) -> list[str]:
        """Tests that covered it, or tried, sorted."""
        return sorted(frozenset[str]().union(*(seen.contexts for seen in self.seen.values())))


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The points of one group."""

    group: Group
    points: tuple[PointResult, ...]

    def count(self, state: str) -> int:
        """Return how many points are in the state."""
        return sum(point.state == state for point in self.points)

    @property
    def figure(self) -> Figure:
        """Covered out of those that are not excluded."""
        return figure_of(self.points)


@dataclass(frozen=True, slots=True)
class Results:
    """All verdicts, and what they add up to."""

    catalog: Catalog
    groups: tuple[GroupResult, ...]
    dimensions: Mapping[str, Figure]
    """``{name: figure}`` in the order of :data:`~.gate.DIMENSIONS`."""
    channels: Mapping[str, Figure]
    """``{channel: declared points seen there}``"""
    reaches: Mapping[str, Figure]
    """``{reachability class: figure}``, classes without points left out."""
    capabilities: Mapping[str, bool]
    hops: Mapping[Hop, bool]
    """``{edge: seen}``; without declared edges, those that were seen."""
    undeclared_hops: tuple[Hop, ...]
    undeclared: tuple[tuple[Signature, frozenset[str]], ...]
    """Signatures of known services that no point declares, with the channels they came on."""
    strangers: tuple[str, ...]
    """Services that events came from and no group names."""
    has_events: bool
    """Whether any event came from a service that the catalog knows: else nothing was measured."""

    @property
    def points(self) -> tuple[PointResult, ...]:
        """Every point, in the catalog's order by group."""
        return tuple(point for group in self.groups for point in group.points)

    @property
    def total(self) -> Figure:
        """Points covered out of those that this run could reach."""
        return self.dimensions["points"]

    @property
    def declared(self) -> Figure:
        """Points covered out of all declared, those with absent hardware included."""
        counted = [p for p in self.points if p.point.exclude is None]
        return Figure(sum(p.state == "covered" for p in counted), len(counted))

    @property
    def absent(self) -> tuple[str, ...]:
        """Capabilities whose absence excluded a point."""
        return tuple(
            name
            for name, present in self.capabilities.items()
            if not present and any(p.point.requires == name for p in self.points)
        )


def figure_of(points: Iterable[PointResult]) -> Figure:
    """Return covered out of those that are not excluded."""
    counted = [point for point in points if point.state != "excluded"]
    return Figure(sum(point.state == "covered" for point in counted), len(counted))


def analyse(
    catalog: Catalog,
    data: CoverageData,
    *,
    locations: Mapping[str, Location] | None = None,
) -> Results:
    """Judge each declared point by what was seen.

    :param locations: ``{point id: line of source}``, from :func:`~.call_sites.locate`.
    """
    seen, undeclared, strangers = _assign(catalog, data)
    capabilities = _capabilities(catalog, data, seen)
    verdicts = [
        _judge(point, seen.get(point.id, {}), capabilities, (locations or {}).get(point.id))
        for point in catalog.points
    ]
    groups = tuple(
        GroupResult(group, tuple(v for v in verdicts if v.point.group == name))
        for name, group in catalog.groups.items()
        if any(v.point.group == name for v in verdicts)
    )
    channels = _channels(verdicts)
    hops = {hop: hop in data.hops for hop in catalog.hops or sorted(data.hops)}
    reaches = {
        reach: figure
        for reach in REACHES
        if (figure := figure_of(v for v in verdicts if v.point.reach == reach)).total
    }
    return Results(
        catalog=catalog,
        groups=groups,
        dimensions={
            "points": figure_of(verdicts),
            "channels": Figure(
                sum(f.covered for f in channels.values()), sum(f.total for f in channels.values())
            ),
            "correlation": _correlation(verdicts),
            "hops": Figure(sum(hops.values()), len(hops)),
            "outcomes": figure_of(v for v in verdicts if v.point.is_outcome),
        },
        channels=channels,
        reaches=reaches,
        capabilities=capabilities,
        hops=hops,
        undeclared_hops=tuple(hop for hop in sorted(data.hops) if hop not in hops),
        undeclared=tuple(sorted((k, frozenset(v)) for k, v in undeclared.items())),
        strangers=tuple(sorted(strangers)),
        has_events=any(s.signature.service in catalog.services for s in data.sightings),
    )


_Complete = dict[str, set[str]]
_Incomplete = dict[str, dict[tuple[str, ...], set[str]]]


def _assign(
    catalog: Catalog, data: CoverageData
) -> tuple[dict[str, dict[str, ChannelSeen]], dict[Signature, set[str]], set[str]]:
    """Sort sightings to points; the rest is undeclared or of strangers."""
    complete: dict[str, _Complete] = {}
    incomplete: dict[str, _Incomplete] = {}
    evidence: dict[tuple[str, str], Evidence] = {}
    undeclared: dict[Signature, set[str]] = {}
    strangers: set[str] = set()
    for sighting, contexts in data.sightings.items():
        point = catalog.of_signature(sighting.signature)
        if point is None:
            if sighting.signature.service in catalog.services:
                undeclared.setdefault(sighting.signature, set()).add(sighting.channel)
            else:
                strangers.add(sighting.signature.service)
            continue
        missing = tuple(name for name in point.ids if name not in sighting.ids)
        here = complete.setdefault(point.id, {}).setdefault(sighting.channel, set())
        if missing:
            lacks = incomplete.setdefault(point.id, {}).setdefault(sighting.channel, {})
            lacks.setdefault(missing, set()).update(contexts)
        else:
            here.update(contexts)
        first = data.evidence.get((sighting.signature, sighting.channel))
        known = evidence.get((point.id, sighting.channel))
        if first is not None and (known is None or first < known):
            evidence[point.id, sighting.channel] = first
    seen = {
        point_id: {
            channel: ChannelSeen(
                frozenset(contexts),
                {
                    missing: frozenset(tests)
                    for missing, tests in incomplete.get(point_id, {}).get(channel, {}).items()
                },
                evidence.get((point_id, channel)),
            )
            for channel, contexts in sorted(by_channel.items())
        }
        for point_id, by_channel in complete.items()
    }
    return seen, undeclared, strangers


def _capabilities(
    catalog: Catalog, data: CoverageData, seen: Mapping[str, Mapping[str, ChannelSeen]]
) -> dict[str, bool]:
    """Return ``{capability: present}``: stated, else detected at the run; or proven by an event."""
    present: dict[str, bool] = {}
    for point in catalog.points:
        if point.requires:
            known = data.capabilities.get(point.requires, False)
            known = catalog.capabilities.get(point.requires, known)
            present[point.requires] = (
                known or present.get(point.requires, False) or point.id in seen
            )
    return present


def _judge(
    point: Point,
    seen: Mapping[str, ChannelSeen],
    capabilities: Mapping[str, bool],
    location: Location | None,
) -> PointResult:
    if point.exclude is not None:
        return PointResult(point, "excluded", point.exclude, seen, location)
    if point.requires and not capabilities.get(point.requires, False):
        return PointResult(point, "excluded", f"needs {point.requires}", seen, location)
    if not seen:
        return PointResult(point, "missed", "never seen", seen, location)
    reasons = [
        reason
        for channel in point.channels
        if (reason := _lacking(channel, seen.get(channel), point)) is not None
    ]
    if not reasons:
        return PointResult(point, "covered", "", seen, location)
    where = [channel for channel in seen if channel not in point.channels]
    full = [c for c in point.channels if c in seen and seen[c].complete]
    if full:
        reasons.insert(0, f"seen on {' and '.join(full)}")
    if where:
        reasons.append(f"seen on {' and '.join(where)}, where it is not declared")
    return PointResult(point, "partial", ", ".join(reasons), seen, location)


def _lacking(channel: str, seen: ChannelSeen | None, point: Point) -> str | None:
    if seen is None:
        return f"never on {channel}"
    if seen.complete:
        return None
    missing = min(seen.incomplete, key=lambda names: (len(names), names))
    return f"on {channel} only without {', '.join(missing)}"


def _channels(verdicts: Iterable[PointResult]) -> dict[str, Figure]:
    counts: dict[str, list[int]] = {}
    for verdict in verdicts:
        if verdict.state == "excluded":
            continue
        for channel in verdict.point.channels:
            count = counts.setdefault(channel, [0, 0])
            count[0] += channel in verdict.seen
            count[1] += 1
    return {name: Figure(*counts[name]) for name in sorted(counts, reverse=True)}


def _correlation(verdicts: Iterable[PointResult]) -> Figure:
    """Return how many (point, channel) carried all required ids each time, out of those seen.

    One event without them spoils the entry, whatever other events carried. Tests are not told
    apart here: which one an event belongs to may depend on how tests are spread over workers.
    """
    seen = [
        channel
        for verdict in verdicts
        if verdict.point.ids and verdict.state != "excluded"
        for channel in verdict.seen.values()
    ]
    return Figure(sum(not channel.incomplete for channel in seen), len(seen))
