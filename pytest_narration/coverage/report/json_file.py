"""Results -> the JSON report, whose contract is ``schema/narration-coverage-report.v1.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..gate import Figure, Judged
from ..results import ChannelSeen, PointResult, Results

__all__ = ["render"]


def render(results: Results, gates: Sequence[Judged]) -> str:
    """Return the report as JSON text."""
    return json.dumps(document(results, gates), ensure_ascii=False, indent=1) + "\n"


def document(results: Results, gates: Sequence[Judged]) -> dict[str, Any]:
    """Return the report as plain values."""
    return {
        "format": "narration-coverage-report",
        "version": 1,
        "system": results.catalog.name,
        "total": _figure(results.total),
        "declared": _figure(results.declared),
        "dimensions": {name: _figure(f) for name, f in results.dimensions.items()},
        "channels": {name: _figure(f) for name, f in results.channels.items()},
        "reaches": {name: _figure(f) for name, f in results.reaches.items()},
        "capabilities": dict(results.capabilities),
        "gates": [
            {"dimension": j.gate.dimension, "minimum": j.gate.text, "holds": j.holds} for j in gates
        ],
        "groups": [
            {
                "name": g.group.name,
                "service": g.group.service,
                "title": g.group.title,
                "total": _figure(g.figure),
                "points": [_point(point) for point in g.points],
            }
            for g in results.groups
        ],
        "hops": [{"from": h.source, "to": h.target, "seen": s} for h, s in results.hops.items()],
        "undeclared_hops": [{"from": h.source, "to": h.target} for h in results.undeclared_hops],
        "undeclared": [
            {**signature._asdict(), "channels": sorted(channels)}
            for signature, channels in results.undeclared
        ],
        "strangers": list(results.strangers),
    }


def _figure(figure: Figure) -> dict[str, Any]:
    percent = figure.percent
    return {
        "covered": figure.covered,
        "total": figure.total,
        "percent": None if percent is None else float(percent),
        "shown": str(figure),
    }


def _point(result: PointResult) -> dict[str, Any]:
    point = result.point
    return {
        "id": point.id,
        "actor": point.actor,
        "action": point.action,
        "text": point.text,
        "level": point.level,
        "reach": point.reach,
        "requires": point.requires,
        "channels": list(point.channels),
        "ids": list(point.ids),
        "state": result.state,
        "why": result.why,
        "declared_at": point.where,
        "call_site": str(result.location) if result.location else None,
        "seen": {channel: _seen(seen) for channel, seen in result.seen.items()},
    }


def _seen(seen: ChannelSeen) -> dict[str, Any]:
    first = seen.evidence
    return {
        "tests": sorted(seen.complete),
        "without_ids": [
            {"missing": list(missing), "tests": sorted(tests)}
            for missing, tests in sorted(seen.incomplete.items())
        ],
        "first": first
        and {
            "timestamp": first.timestamp,
            "event_id": first.event_id,
            "human": first.human,
            "source": first.source,
            "test": first.context,
        },
    }
