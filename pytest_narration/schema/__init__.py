"""Flat JSON objects -> the places where they break the wire contract, in words.

The contract lives beside this file as JSON Schema 2020-12, one versioned file per kind of record.
``jsonschema-rs`` judges the bulk (a few microseconds an event); only for an object that it
refuses does ``jsonschema`` find the words, so both libraries load on first use. The rule
``envelope``, the benchmarks and the documentation read it.

The meaning of every field is its ``description``, which also ends every message.
"""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from typing import Any, NamedTuple

__all__ = ["EVENT", "Problem", "is_valid", "load", "names", "validate"]

EVENT = "narration-event.v1"
"""Name of the event's contract."""

_SHOWN = 80
"""Longest piece of an offending value that a message quotes."""


class Problem(NamedTuple):
    """One place where an object breaks its contract."""

    path: str
    """Where, dotted: ``"seq"``, ``"cause.0"``; empty for the object itself."""
    rule: str
    """The JSON Schema keyword that refused it: ``"required"``, ``"pattern"``, ``"format"``."""
    message: str
    """What was found and what is expected."""


def names() -> list[str]:
    """Return the names that :func:`load` knows, sorted."""
    files = resources.files(__package__).iterdir()
    return sorted(f.name.removesuffix(".json") for f in files if f.name.endswith(".json"))


def load(name: str = EVENT) -> dict[str, Any]:
    """Return a schema as a fresh dict that the caller may change.

    :raises ValueError: no schema has this name; the message lists those that exist.
    """
    loaded: dict[str, Any] = json.loads(_text(name))
    return loaded


def is_valid(fields: Mapping[str, Any], *, name: str = EVENT) -> bool:
    """Say whether an object keeps its contract: the fast half of :func:`validate`."""
    try:
        return bool(_judge(name).is_valid(fields))
    except (ValueError, TypeError):
        # What JSON cannot say (bytes, a key that is no string, endless nesting) is no event.
        return False


def validate(fields: Mapping[str, Any], *, name: str = EVENT) -> list[Problem]:
    """Return every place where an object breaks its contract, sorted by path; ``[]`` if none."""
    if is_valid(fields, name=name):
        return []
    problems = list(_worded(fields, name)) or list(_judged(fields, name))
    return sorted(problems)


def _worded(fields: Mapping[str, Any], name: str) -> Iterator[Problem]:
    contract = _shared(name)
    if isinstance(fields, Mapping):
        for missing in contract["required"]:
            if missing not in fields:
                yield Problem(missing, "required", f"is missing: {_wanted(name, (missing,))}")
    for error in _teller(name).iter_errors(fields):
        path = tuple(error.absolute_path)
        # The contract requires names of the object itself only; they are worded above.
        if error.validator != "required":
            yield _problem(name, path, str(error.validator), error.instance)


def _judged(fields: Mapping[str, Any], name: str) -> Iterator[Problem]:
    """Word what only the judge refuses, such as a newline after a pattern's ``$``."""
    try:
        for error in _judge(name).iter_errors(fields):
            rule = [str(part) for part in error.schema_path if isinstance(part, str)][-1:]
            yield _problem(name, tuple(error.instance_path), "".join(rule), error.instance)
    except (ValueError, TypeError) as error:
        yield Problem("", "json", f"cannot be written as JSON: {error}")


def _problem(name: str, path: tuple[str | int, ...], rule: str, found: object) -> Problem:
    return Problem(".".join(map(str, path)), rule, f"is {_shown(found)}: {_wanted(name, path)}")


def _wanted(name: str, path: tuple[str | int, ...]) -> str:
    place: Any = _shared(name)
    for part in path:
        place = place["items"] if isinstance(part, int) else place["properties"][part]
    return f"expected {place['description']}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


@functools.cache
def _text(name: str) -> str:
    if name not in (known := names()):
        raise ValueError(f"no schema is named {name!r}; there are: {', '.join(known)}")
    return (resources.files(__package__) / f"{name}.json").read_text("utf-8")


@functools.cache
def _shared(name: str) -> dict[str, Any]:
    return load(name)


@functools.cache
def _judge(name: str) -> Any:
    import jsonschema_rs

    return jsonschema_rs.validator_for(_shared(name), validate_formats=True)


@functools.cache
def _teller(name: str) -> Any:
    import jsonschema

    # The library checks a date-time only with its `format` extra; the standard library serves.
    formats = jsonschema.FormatChecker(formats=())
    formats.checks("date-time", raises=ValueError)(_is_date_time)
    # A tuple is an array to the judge, and to every encoder.
    draft = jsonschema.Draft202012Validator
    types = draft.TYPE_CHECKER.redefine("array", lambda _, value: isinstance(value, list | tuple))
    extend: Callable[..., Any] = jsonschema.validators.extend  # has no annotations
    teller = extend(draft, type_checker=types)
    return teller(_shared(name), format_checker=formats)


def _is_date_time(value: object) -> bool:
    if isinstance(value, str):
        # A leap second is a valid time that Python's clock cannot hold.
        datetime.datetime.fromisoformat(value.replace(":60.", ":59.").replace("Z", "+00:00"))
    return True
