"""The table ``[tool.narration.contracts]`` and an event's fields -> the problems of the event.

::

    [tool.narration.contracts]
    "shop.orders.order.placed" = "contracts/order_placed.v1.json"
    "*.payment.*" = { payload = "contracts/payment.v1.json", ids = ["correlation_id", "job_id"] }
    "job_started" = false

A name is an envelope's ``event_name``, or a flat event's ``event_name`` or ``action``. The first
pattern that matches decides; a project's come before those of the package. An entry that only
demands ids adds them to what the next pattern that matches demands.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import msgspec

from .. import schema
from ..errors import ConfigurationError
from ..schema import Contract, Problem
from .files import neighbours, read_schema

__all__ = ["BUILTIN", "Contracts", "Entry"]

ENVELOPE: Final = "event_envelope.v1"
_ALIASES: Final = {"request_id": "correlation_id", "correlation_id": "request_id"}
_KEYS: Final = ("payload", "ids")
_KNOWN_NAMES: Final = 4096
"""How many names of events are remembered with their contract."""


class Entry(msgspec.Struct, frozen=True):
    """What events of some names must keep."""

    pattern: str
    """A name, with ``*`` and ``?`` as in file names."""
    payload: str | None = None
    """The payload's schema: a name of :func:`pytest_narration.schema.names`, or a path."""
    ids: tuple[str, ...] = ()
    """Ids that the event must have, in its correlation or as its own fields."""
    is_open: bool = False
    """Whether nothing is demanded, whatever later entries say."""


def _common() -> Iterable[Entry]:
    ids = {
        "job": ("job_id",),
        "job_run": ("job_id", "job_run_id"),
        "layer": (),
        "search": ("correlation_id",),
    }
    for thing, status in (
        *(("job", status) for status in ("created", "started", "failed")),
        *(("job_run", status) for status in ("started", "completed", "failed")),
        *(("layer", status) for status in ("started", "completed", "failed")),
        ("search", "executed"),
    ):
        for pattern in (f"{thing}_{status}", f"*.{thing}.{status}"):
            yield Entry(pattern, f"{thing}_{status}.v1", ids[thing])


BUILTIN: Final[tuple[Entry, ...]] = tuple(_common())
"""The common events: ``job_run_started`` when flat, ``*.job_run.started`` in an envelope."""


class Contracts:
    """The contracts of a project's events.

    :param entries: in order of precedence.
    :param own: ``{payload: contract}`` of the entries whose schema is not one of the package.
    """

    def __init__(
        self, entries: Iterable[Entry] = BUILTIN, own: Mapping[str, Contract] | None = None
    ) -> None:
        self.entries = tuple(entries)
        self._own = dict(own or {})
        self._known: dict[str, Entry | None] = {}

    @classmethod
    def of(cls, table: Mapping[str, Any], *, folder: Path) -> Contracts:
        """Read the table; paths in it start at ``folder``.

        :raises ConfigurationError: an entry is malformed, or a schema is missing or no schema.
        """
        own: dict[str, Contract] = {}
        entries = []
        for pattern, value in table.items():
            entry = _entry(pattern, value)
            if entry.payload is not None and entry.payload not in schema.names():
                own[entry.payload] = _load(pattern, entry.payload, folder)
            entries.append(entry)
        return cls((*entries, *BUILTIN), own)

    def entry(self, name: str) -> Entry | None:
        """Return what events of this name must keep, ``None`` when nothing is said of them."""
        if name not in self._known:
            if len(self._known) >= _KNOWN_NAMES:  # names that are made at run time
                self._known.clear()
            self._known[name] = self._found(name)
        return self._known[name]

    def _found(self, name: str) -> Entry | None:
        found: Entry | None = None
        for entry in self.entries:
            if fnmatchcase(name, entry.pattern):
                found = entry if found is None else _both(found, entry)
                if found.is_open or found.payload is not None:
                    break
        return found

    def problems(self, fields: Mapping[str, Any]) -> list[Problem]:
        """Return all that is wrong with one event: its form, its payload, its ids."""
        if is_envelope(fields):
            return [*schema.validate(fields, name=ENVELOPE), *self.payload_problems(fields)]
        return [*schema.validate(fields), *self.payload_problems(fields)]

    def payload_problems(self, fields: Mapping[str, Any]) -> list[Problem]:
        """Return what is wrong with the payload and the ids, by the contract of its name."""
        name = fields.get("event_name") or fields.get("action")
        entry = self.entry(name) if isinstance(name, str) else None
        if entry is None:
            return []
        found = [
            Problem(missing, "ids", f"is missing: expected the id, which every {name} has")
            for missing in entry.ids
            if not _id(fields, missing)
        ]
        if entry.payload is not None:
            inner = fields.get("payload")
            is_nested = isinstance(inner, Mapping)
            contract = self._own.get(entry.payload) or schema.contract(entry.payload)
            for problem in contract.problems(inner if is_nested else fields):
                path = ".".join(filter(None, ("payload" if is_nested else "", problem.path)))
                found.append(problem._replace(path=path))
        return found


def _both(first: Entry, then: Entry) -> Entry:
    ids = tuple(dict.fromkeys((*first.ids, *then.ids)))
    return Entry(first.pattern, then.payload, ids, then.is_open)


def is_envelope(fields: Mapping[str, Any]) -> bool:
    """Whether an object is meant as a nested envelope, well-formed or not."""
    return "event_name" in fields and "action" not in fields


def _id(fields: Mapping[str, Any], name: str) -> Any:
    nested = fields.get("correlation")
    places = (fields, nested) if isinstance(nested, Mapping) else (fields,)
    names = (name, _ALIASES.get(name, name))
    given = (place.get(n) for place in places for n in names)
    return next((found for found in given if found and not str(found).isspace()), None)


def _entry(pattern: str, value: object) -> Entry:
    if value is False:
        return Entry(pattern, is_open=True)
    if isinstance(value, str):
        return Entry(pattern, value)
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"{_where(pattern)} must be a schema's name or path, "
            f'{{payload = "…", ids = ["…"]}}, or false, not {value!r}'
        )
    if unknown := [key for key in value if key not in _KEYS]:
        raise ConfigurationError(
            f"{_where(pattern)} has no key {unknown[0]!r}; keys are: {', '.join(_KEYS)}"
        )
    payload, ids = value.get("payload"), value.get("ids", [])
    if payload is not None and not isinstance(payload, str):
        raise ConfigurationError(f"{_where(pattern)}: payload must be text, not {payload!r}")
    if not isinstance(ids, list) or not all(isinstance(name, str) and name for name in ids):
        raise ConfigurationError(f"{_where(pattern)}: ids must be a list of names, not {ids!r}")
    return Entry(pattern, payload, tuple(ids))


def _where(pattern: str) -> str:
    return f"[tool.narration.contracts] {json.dumps(pattern)}"


def _load(pattern: str, payload: str, folder: Path) -> Contract:
    path = (folder / payload).resolve()
    if not payload.endswith(".json"):
        raise ConfigurationError(
            f"{_where(pattern)}: no schema is named {payload!r}; give the path of a .json file, or "
            f"one of: {', '.join(schema.names())}"
        )
    if not path.is_file():
        raise ConfigurationError(f"{_where(pattern)}: there is no file {path}")
    contract = Contract(read_schema(path), others=neighbours(path.parent), base=path.as_uri())
    try:
        _ = contract.judge
    except ValueError as error:
        raise ConfigurationError(f"{_where(pattern)}: {path} is no valid schema: {error}") from None
    return contract
