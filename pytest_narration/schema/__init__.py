"""JSON objects -> the places where they break the wire contract, in words.

The contract lives beside this file as JSON Schema 2020-12, one versioned file per kind of record:
the event, the nested envelope and its ids, the frames of a job's stream, and the payloads of
common events. :mod:`.contract` judges and words. The rules ``envelope`` and ``contract``, strict
emitting, the benchmarks and the documentation read it.

The meaning of every field is its ``description``, which also ends every message.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from .contract import Contract, Problem

__all__ = [
    "EVENT",
    "URN",
    "Contract",
    "Problem",
    "contract",
    "is_valid",
    "load",
    "names",
    "registry",
    "validate",
]

EVENT = "narration-event.v1"
"""Name of the event's contract."""
URN = "urn:pytest-narration:schema:"
"""What a schema's ``$id`` puts before its name."""


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


@functools.cache
def contract(name: str = EVENT) -> Contract:
    """Return the contract of this name, made once.

    :raises ValueError: no schema has this name; the message lists those that exist.
    """
    document = load(name)
    # Once is its own `$id`.
    return Contract(document, others=registry() if _text(name).count(URN) > 1 else None)


@functools.cache
def registry() -> Mapping[str, dict[str, Any]]:
    """Return ``{uri: schema}`` of all schemas, for those that refer to them."""
    return {f"{URN}{name}": load(name) for name in names()}


def is_valid(fields: Mapping[str, Any], *, name: str = EVENT) -> bool:
    """Say whether an object keeps its contract: the fast half of :func:`validate`."""
    return contract(name).is_valid(fields)


def validate(fields: Mapping[str, Any], *, name: str = EVENT) -> list[Problem]:
    """Return every place where an object breaks its contract, sorted by path; ``[]`` if none."""
    return contract(name).problems(fields)


@functools.cache
def _text(name: str) -> str:
    if name not in (known := names()):
        raise ValueError(f"no schema is named {name!r}; there are: {', '.join(known)}")
    return (resources.files(__package__) / f"{name}.json").read_text("utf-8")
