"""Records -> a timeline with one lane per emitter, readable at 100 columns.

::

     +0.000  ●      orchestrator  http-server admit    Admitted job 4f1c
     +0.012  │ ●    pool-manager  scheduler place      Placed on worker-gpu0-r1
     +0.031  │ │ ●  worker        tokenizer tokenize   Tokenized prompt (7 tokens)  [+sse]
     +0.090  │ │ ✗  worker        backend error        Inference failed: VRAM_OOM

Failed waits, broken rules and failed steps print it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ..event import Event
from ..recorder import Evidence, Record
from ..rules.words import plural
from .words import WIDTH, cut, speaker

__all__ = ["emitters", "timeline"]

_MARKS = {"warn": "!", "error": "✗", "fatal": "✗"}
_MOST_LANES = 8
"""Lanes drawn as columns; more share the last one, and keep their names."""

_LEGEND = 6
"""Correlation ids spelt out below the rows."""


class _Row(msgspec.Struct):
    record: Record
    channels: list[str]
    times: int = 1


def timeline(evidence: Evidence | Iterable[Record], *, limit: int = 40, width: int = WIDTH) -> str:
    """Return the sightings as rows in arrival order, one lane per emitter.

    One event that was seen on several channels is one row; a run of one point collapses to
    ``×N``. With more than one correlation id, each row names its own, explained below.

    :param limit: rows at most, the last ones; what is left out is counted.
    :param width: columns at most.
    """
    records = evidence.records() if isinstance(evidence, Evidence) else list(evidence)
    rows = _collapsed(_rows(records))
    if not rows:
        return "no events"
    kept = rows[-limit:] if limit else rows
    left_out = sum(row.times for row in rows[: len(rows) - len(kept)])
    drawn = _drawn(kept, emitters(row.record for row in kept), width)
    return "\n".join([f"… {plural(left_out, 'earlier event')}", *drawn] if left_out else drawn)


def emitters(records: Iterable[Record]) -> dict[tuple[str, str | None], str]:
    """Return ``{(service, instance): label}`` in order of first sight.

    The label is the service, numbered where several instances of it speak: ``worker#2``.
    """
    found: dict[str, list[str | None]] = {}
    for record in records:
        instances = found.setdefault(speaker(record), [])
        if record.event.instance not in instances:
            instances.append(record.event.instance)
    return {
        (name, instance): name if len(instances) == 1 else f"{name}#{number}"
        for name, instances in found.items()
        for number, instance in enumerate(instances, 1)
    }


def _rows(records: Sequence[Record]) -> list[_Row]:
    rows: list[_Row] = []
    by_id: dict[str, _Row] = {}
    for record in records:
        event_id = record.event.event_id
        known = by_id.get(event_id) if event_id is not None else None
        if known is not None:
            if record.channel not in known.channels:
                known.channels.append(record.channel)
            continue
        row = _Row(record, [record.channel])
        rows.append(row)
        if event_id is not None:
            by_id[event_id] = row
    return rows


def _collapsed(rows: list[_Row]) -> list[_Row]:
    collapsed: list[_Row] = []
    for row in rows:
        last = collapsed[-1] if collapsed else None
        if last is not None and _same(last, row):
            last.times += 1
            last.record = row.record
        else:
            collapsed.append(row)
    return collapsed


def _same(one: _Row, other: _Row) -> bool:
    def point(row: _Row) -> tuple[object, ...]:
        e = row.record.event
        words = e.template if e.template is not None else e.human
        return (speaker(row.record), e.instance, e.actor, e.action, words, e.correlation_id)

    return point(one) == point(other) and one.channels == other.channels


def _drawn(rows: list[_Row], lanes: dict[tuple[str, str | None], str], width: int) -> list[str]:
    order = list(lanes)
    columns = min(len(order), _MOST_LANES)
    requests = list(dict.fromkeys(c for r in rows if (c := r.record.event.correlation_id)))
    names = {c: f"c{n}" for n, c in enumerate(requests, 1)} if len(requests) > 1 else {}
    label_width = min(max(map(len, lanes.values())), 22)
    point_width = min(max(len(_point(row.record.event)) for row in rows), 28)
    began = rows[0].record.at
    lines = []
    for row in rows:
        event, key = row.record.event, (speaker(row.record), row.record.event.instance)
        lane = min(order.index(key), columns - 1)
        mark = _MARKS.get(event.level, "●")
        graph = " ".join(mark if n == lane else "│" for n in range(columns))
        request = f"{names.get(event.correlation_id or '', '-'):<4}" if names else ""
        head = (
            f"{row.record.at - began:+9.3f}  {graph}  {request}{cut(lanes[key], 22):<{label_width}}"
            f"  {cut(_point(event), point_width):<{point_width}}  "
        )
        tail = _tail(row)
        lines.append(
            (head + cut(event.human, max(width - len(head) - len(tail), 12)) + tail).rstrip()
        )
    return [*lines, *_legend(names, width)]


def _legend(names: dict[str, str], width: int) -> list[str]:
    legend = [cut(f"{name} = {c}", width) for c, name in names.items()]
    if len(legend) <= _LEGEND:
        return legend
    return [*legend[:_LEGEND], f"… {len(legend) - _LEGEND} other correlation ids"]


def _point(event: Event) -> str:
    return f"{event.actor} {event.action}".strip()


def _tail(row: _Row) -> str:
    tail = f"  ×{row.times}" if row.times > 1 else ""
    if row.channels != ["stdout"]:
        both = "stdout" in row.channels
        tail += "  [+sse]" if both else "  [sse]"
    return tail
