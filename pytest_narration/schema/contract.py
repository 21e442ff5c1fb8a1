"""One JSON Schema -> a :class:`Contract` that judges objects quickly and words what is wrong.

``jsonschema-rs`` judges (a few microseconds an event); only for an object that it refuses does
``jsonschema`` find the words. Both are loaded on first use, and neither ever fetches a document:
a ``$ref`` leads to one that the contract was given, or is an error.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

__all__ = ["Contract", "Problem"]

_SHOWN = 80
"""Longest piece of an offending value that a message quotes."""
_NAMED = frozenset({"additionalProperties", "dependentRequired", "unevaluatedProperties"})
"""Keywords whose own message names the fields at fault, which the object's description does not."""
_DEFAULT_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Problem(NamedTuple):
    """One place where an object breaks its contract."""

    path: str
    """Where, dotted: ``"seq"``, ``"cause.0"``; empty for the object itself."""
    rule: str
    """The JSON Schema keyword that refused it: ``"required"``, ``"pattern"``, ``"format"``."""
    message: str
    """What was found and what is expected."""

    def __str__(self) -> str:
        """Return the place and the message as one line."""
        return f"{self.path or 'the event'} {self.message} [{self.rule}]"


class Contract:
    """What objects of one kind must keep.

    :param document: a JSON Schema; without a ``$schema`` of its own, of draft 2020-12.
    :param others: ``{uri: document}`` that a ``$ref`` may lead to.
    :param base: the URI that relative references start from when the document has no ``$id``.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        *,
        others: Mapping[str, Mapping[str, Any]] | None = None,
        base: str = "urn:pytest-narration:contract",
    ) -> None:
        self.document: dict[str, Any] = {
            "$schema": _DEFAULT_DIALECT,
            "$id": base,
            **document,
        }
        self._others = dict(others or {})

    def is_valid(self, value: Any) -> bool:
        """Say whether a value keeps the contract: the fast half of :meth:`problems`."""
        try:
            return bool(self.judge.is_valid(value))
        except (ValueError, TypeError):
            # What JSON cannot say (bytes, a key that is no string, endless nesting) is no event.
            return False

    def problems(self, value: Any) -> list[Problem]:
        """Return every place where a value breaks the contract, sorted by path; ``[]`` if none."""
        if self.is_valid(value):
            return []
        found = sorted(set(self._worded(value))) or sorted(set(self._judged(value)))
        # A field that breaks its format and its pattern is wrong once, in the same words.
        return list({(p.path, p.message): p for p in found}.values())

    @cached_property
    def judge(self) -> Any:
        """The validator of ``jsonschema-rs``.

        :raises ValueError: the document is no valid schema, or a ``$ref`` leads nowhere.
        """
        import jsonschema_rs

        others = [(uri, dict(document)) for uri, document in self._others.items()]
        registry = jsonschema_rs.Registry(others) if others else None
        return jsonschema_rs.validator_for(
            self.document, validate_formats=True, registry=registry, retriever=_refuse
        )

    @cached_property
    def teller(self) -> Any:
        """The validator of ``jsonschema``, which agrees with the judge and has better words."""
        import jsonschema
        import referencing

        # The library checks a date-time only with its `format` extra; the standard library serves.
        formats = jsonschema.FormatChecker(formats=("uuid", "date", "ipv4", "ipv6"))
        formats.checks("date-time", raises=ValueError)(_is_date_time)
        draft = jsonschema.validators.validator_for(self.document)
        # A tuple is an array to the judge, and to every encoder.
        types = draft.TYPE_CHECKER.redefine(
            "array", lambda _, value: isinstance(value, list | tuple)
        )
        extend: Callable[..., Any] = jsonschema.validators.extend  # has no annotations
        dialect = referencing.jsonschema.specification_with(self.document["$schema"])
        resources = [(uri, dialect.create_resource(d)) for uri, d in self._others.items()]
        registry: Any = referencing.Registry().with_resources(resources)
        return extend(draft, type_checker=types)(
            self.document, format_checker=formats, registry=registry
        )

    def _worded(self, value: Any) -> Iterator[Problem]:
        try:
            for error in self.teller.iter_errors(value):
                yield from self._problems(error)
        except (ValueError, TypeError, RecursionError):
            return  # no JSON, as bytes are: the judge says so

    def _problems(self, error: Any) -> Iterator[Problem]:
        path = tuple(error.absolute_path)
        rule = str(error.validator)
        if rule == "required":
            for name in error.validator_value:
                if name not in error.instance:
                    wanted = self._wanted(error, ("properties", name)) or "a value"
                    yield _problem((*path, name), rule, f"is missing: expected {wanted}")
            return
        wanted = "" if rule in _NAMED else self._wanted(error)
        if rule == "not" and error.validator_value in ({}, True):
            # What must not be told is not told here either.
            yield _problem(path, rule, f"must not be there: expected {wanted or 'nothing'}")
        elif wanted:
            yield _problem(path, rule, f"is {_shown(error.instance)}: expected {wanted}")
        else:
            yield _problem(path, rule, f"is wrong: {_cut(error.message)}")

    def _judged(self, value: Any) -> Iterator[Problem]:
        """Word what only the judge refuses, such as a newline after a pattern's ``$``."""
        try:
            for error in self.judge.iter_errors(value):
                rule = [str(part) for part in error.schema_path if isinstance(part, str)][-1:]
                wanted = self._described(error.schema_path)
                # To the judge a number that JSON cannot say is null.
                shown = _shown(functools.reduce(_step, error.instance_path, value))
                text = f"is {shown}: expected {wanted}" if wanted else f"is {shown}: refused"
                yield _problem(tuple(error.instance_path), "".join(rule), text)
        except (ValueError, TypeError) as error:
            yield Problem("", "json", f"cannot be written as JSON: {error}")

    def _wanted(self, error: Any, further: tuple[str, ...] = ()) -> str:
        return self._described((*list(error.absolute_schema_path)[:-1], *further))

    def _described(self, schema_path: Any) -> str:
        """Return the description of the place that a schema path leads to, empty if it has none."""
        place: Any = self.document
        root: Any = self.document
        found = str(place.get("description", ""))
        for part in schema_path:
            if isinstance(place, Mapping) and part not in place and "$ref" in place:
                # The teller's path leaves references out.
                uri, _, pointer = str(place["$ref"]).partition("#")
                root = self._others.get(uri, root) if uri else root
                place = _follow(root, pointer)
            place = _step(place, part)
            if part in ("properties", "items", "prefixItems"):
                found = ""  # what is said of the object is not said of its parts
            if isinstance(place, Mapping) and isinstance(place.get("description"), str):
                found = found or place["description"]
        return found


def _problem(path: tuple[str | int, ...], rule: str, message: str) -> Problem:
    return Problem(".".join(map(str, path)), rule, message)


def _step(place: Any, part: str | int) -> Any:
    if isinstance(place, Mapping):
        return place.get(part)
    if isinstance(place, list) and isinstance(part, int) and part < len(place):
        return place[part]
    return None


def _follow(root: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        root = _step(root, int(name) if isinstance(root, list) and name.isdecimal() else name)
    return root


def _refuse(uri: str) -> Any:
    raise ValueError(f"no schema {uri!r} is known here, and none is fetched")


def _shown(value: object) -> str:
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


_date_time = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
).fullmatch


def _is_date_time(value: object) -> bool:
    """Return whether a text is a time of RFC 3339 section 5.6; what is no text passes."""
    if not isinstance(value, str):
        return True
    if not _date_time(value):
        return False
    text = value.upper().replace("Z", "+00:00")
    if text[17:19] == "60":
        # A leap second is the last of a month's day in UTC, and Python's clock cannot hold it.
        moment = datetime.datetime.fromisoformat(text[:17] + "59" + text[19:])
        last = moment.astimezone(datetime.UTC)
        return (last.hour, last.minute) == (23, 59)
    datetime.datetime.fromisoformat(text)
    return True
