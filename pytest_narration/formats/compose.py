"""A foreign logger's record -> an :class:`~pytest_narration.event.Event`.

A format says with a :class:`Shape` where its logger keeps message, level and time; the ids are
found by name (:mod:`.roles`), whatever the logger. What became a column is taken out of the rest,
and the rest stays in ``extra`` under its own names: nothing that was logged is lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import msgspec

from ..event import COLUMNS, Event
from .actions import action_of, as_action
from .field_map import FieldMap, find
from .levels import Scale, level_of
from .roles import CONTAINERS, bare, role_of
from .times import rfc3339

__all__ = ["Shape", "compose", "text_of"]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Where a logger keeps the parts of an event; of several paths, the first one present."""

    human: tuple[str, ...] = ()
    template: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    scale: Scale = "auto"
    timestamp: tuple[str, ...] = ()
    actor: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    error: tuple[str, ...] = ()
    """Text of an exception: its first word names the kind of error."""
    open: tuple[str, ...] = ()
    """Objects whose members are the record's own fields: they are lifted to the top."""
    noise: tuple[str, ...] = ()
    """Fields that say nothing about what happened, such as a format's version."""


_TEXT_COLUMNS = frozenset(
    name
    for name in COLUMNS
    if name not in {"cause", "seq", "queue_position", "tokens_in", "tokens_out", "schema_version"}
    and not name.endswith("_ms")
)
_NUMBER_COLUMNS = COLUMNS - _TEXT_COLUMNS - {"cause"}
_OWN = COLUMNS - {"level", "timestamp", "human", "event_id", "service", "actor", "action"}
"""Columns that a foreign record may fill by using their very name."""
_DEEPEST = 4
_LEVELS = frozenset(
    {"level", "severity", "errorseverity", "levelname", "loglevel", "lvl", "severitytext"}
)
_TIMES = frozenset({"timestamp", "time", "ts", "datetime", "asctime", "writtenat", "eventtime"})
_LEVELS_INSIDE = frozenset({"loglevel", "levelname", "severitytext"})
"""Names that mean the record's own level inside of other objects too."""
_DURATION = re.compile(r"[\d.]+(?:[mnuµ]?s|m|h)$")
_HEX16 = re.compile(r"(?:[0-9a-fA-F]{16}|\d{1,20})$")


def compose(
    record: dict[str, Any],
    shape: Shape,
    fields: FieldMap,
    *,
    written: dict[str, Any] | None = None,
    **said: Any,
) -> Event:
    """Build the event of one record.

    :param written: the record as the logger wrote it, when ``record`` is another form of it: the
        paths of a project's own mapping are those of its log files.
    :param said: columns that the format knows already; they win over what is found by name.
    """
    mapped = fields.columns(record if written is None else written) if fields else {}
    rest = dict(record)
    for name in shape.noise:
        rest.pop(name, None)
    for name in shape.open:
        if isinstance(rest.get(name), dict):
            for key, value in rest.pop(name).items():
                rest.setdefault(key, value)

    columns: dict[str, Any] = {}
    human = _take(rest, shape.human, _sentence)
    template = _take(rest, shape.template, _sentence)
    columns["level"] = _take(rest, shape.level, lambda value: level_of(value, shape.scale))
    if columns["level"] is None and shape.level:
        columns["level"] = _usual(rest, _LEVELS, level_of, inside=_LEVELS_INSIDE)
    columns["timestamp"] = _take(rest, shape.timestamp, rfc3339)
    if columns["timestamp"] is None:
        columns["timestamp"] = _usual(rest, _TIMES, rfc3339)
    columns["action"] = _take(rest, shape.action, _name)
    columns["actor"] = _take(rest, shape.actor, _name)
    columns["service"] = _take(rest, shape.service, _name)

    parts = _roles(rest, columns)
    if said:
        columns |= {name: value for name, value in said.items() if value is not None}
    if parts:
        _provenance(columns, parts)
    if not _beginnings(shape.error).isdisjoint(rest):
        _error(columns, rest, shape)
    if mapped:
        _override(columns, mapped)

    human = columns.get("human") or human or template or columns.get("action") or ""
    columns["human"] = human
    columns["template"] = columns.get("template") or (template if template != human else None)
    explicit = columns.get("action")
    columns["action"] = as_action(explicit) if explicit else action_of(template or human)
    extra = {name if name not in COLUMNS else f"raw.{name}": v for name, v in rest.items()}
    return Event(
        **{name: value for name, value in columns.items() if value is not None}, extra=extra
    )


def text_of(value: Any) -> str | None:
    """Return an id as text: numbers are written out, empty and other values are nothing."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return str(value) if -(2**128) < value < 2**128 else None


def _sentence(value: Any) -> str | None:
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode() if value else None
    return value if isinstance(value, str) else text_of(value)


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value and len(value) <= 300 else None


def _take(rest: dict[str, Any], paths: tuple[str, ...], read: Any) -> Any:
    """Read the first path that gives a value, and take it out of the rest."""
    if not paths:
        return None
    for path in paths:
        if path in rest:
            value = read(rest[path])
            if value is not None:
                del rest[path]
                return value
        elif "." in path and (value := read(find(rest, path))) is not None:
            return value
    return None


def _usual(
    rest: dict[str, Any],
    names: frozenset[str],
    read: Callable[[Any], str | None],
    *,
    inside: frozenset[str] = frozenset(),
) -> str | None:
    """Read what is not where the format has it under a name that loggers use, in any spelling.

    Teams rename fields: a lost level would turn every failure into ``info``.
    """
    for name, value, depth in _walk(rest, "", 0):
        if bare(name) in (inside if depth else names) and (found := read(value)) is not None:
            if not depth:
                del rest[name]
            return found
    return None


def _walk(record: dict[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any, int]]:
    """Yield ``(joined name, value, depth)`` of every field, top level first."""
    inner: list[tuple[str, dict[str, Any]]] = []
    for name, value in record.items():
        if type(value) is dict:
            if depth < _DEEPEST:
                inner.append((name, value))
        else:
            yield (prefix + name if prefix else name), value, depth
    for name, value in inner:
        if bare(name) not in CONTAINERS:
            yield from _walk(value, f"{prefix}{name}.", depth + 1)
            continue
        yield from _walk(value, prefix, depth + 1)
        if "id" in value:  # {"request": {"id": …}} is a request id
            yield f"{name}.id", value["id"], depth + 1


def _roles(rest: dict[str, Any], columns: dict[str, Any]) -> dict[str, Any]:
    """Fill columns by what fields are called; return the parts that are no columns."""
    best: dict[str, tuple[tuple[int, int], str, Any]] = {}
    # Most fields of most records mean nothing here: one look-up has to do for them.
    for name, value, depth in _walk(rest, "", 0):
        role = role_of(name) if depth else _role_at_the_top(name)
        if role is None:
            continue
        column, rank = role
        value = _fit(column, value)
        if value is None:
            continue
        order = (depth, rank)
        if column not in best or order < best[column][0]:
            best[column] = (order, name, value)
    if not best:
        return {}
    parts: dict[str, Any] = {}
    for column, ((depth, _), name, value) in best.items():
        if column in _PARTS:
            parts[column] = value
            continue
        if columns.get(column) is not None:
            continue
        columns[column] = value
        if depth == 0:
            del rest[name]
    return parts


@lru_cache(maxsize=4096)
def _role_at_the_top(name: str) -> tuple[str, int] | None:
    return role_of(name) or ((name, 0) if name in _OWN else None)


_PARTS = frozenset({"version", "host", "pid", "traceparent"})


def _fit(column: str, value: Any) -> Any:
    if column in _NUMBER_COLUMNS:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return value if column.endswith("_ms") or isinstance(value, int) else None
    if column == "cause":
        whole = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return tuple(value) if whole else None
    if column in {"trace_id", "span_id"} and isinstance(value, str):
        # Google Cloud: projects/<project>/traces/<id>; OpenTelemetry's console: 0x<id>
        return value.rpartition("/traces/")[2].removeprefix("0x") or None
    if column == "parent_span_id" and not (isinstance(value, str) and _HEX16.match(value)):
        return None
    if column in {"actor", "action"}:
        return _name(value)
    if column == "service" and isinstance(value, str) and _DURATION.match(value):
        return None  # Heroku's router: service=12ms
    return text_of(value)


def _provenance(columns: dict[str, Any], parts: dict[str, Any]) -> None:
    service = columns.get("service")
    if service and parts.get("version") and not columns.get("emitted_by"):
        columns["emitted_by"] = f"{service}@{parts['version']}"
    if not columns.get("instance") and parts.get("pid"):
        columns["instance"] = f"{parts.get('host') or ''}:{parts['pid']}"
    # https://www.w3.org/TR/trace-context/#traceparent-header
    trace = str(parts.get("traceparent", "")).split("-")
    if len(trace) >= 4 and len(trace[1]) == 32 and len(trace[2]) == 16:
        if not columns.get("trace_id"):
            columns["trace_id"] = trace[1]
        if not columns.get("span_id"):
            columns["span_id"] = trace[2]


@lru_cache(maxsize=256)
def _beginnings(paths: tuple[str, ...]) -> frozenset[str]:
    """Return ``{"a", "a.b"}`` for ``("a.b",)``: without any of them none of the paths is there."""
    parts = (path.split(".") for path in paths)
    return frozenset(".".join(part[:n]) for part in parts for n in range(1, len(part) + 1))


def _error(columns: dict[str, Any], rest: dict[str, Any], shape: Shape) -> None:
    if columns.get("error_kind"):
        return
    for path in shape.error:
        text = find(rest, path)
        if not isinstance(text, str) or not text:
            continue
        # Python ends with "ValueError: why"; the others begin with it.
        lines = text.strip().splitlines()
        line = lines[-1] if lines[0].startswith("Traceback") else lines[0]
        kind = line.split(":")[0].strip()
        if kind and " " not in kind:
            columns["error_kind"] = kind[:200]
            return


def _override(columns: dict[str, Any], mapped: dict[str, Any]) -> None:
    """The project's own mapping wins over everything that was guessed."""
    for column, value in mapped.items():
        if column == "level":
            value = level_of(value)
        elif column == "timestamp":
            value = rfc3339(value)
        elif column == "human":
            value = _sentence(value)
        else:
            value = _fit(column, value)
        if value is not None:
            columns[column] = value
