"""Which names mean ids, what makes them, emitters of events, and secrets."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from ..emit.redaction import Redactor

__all__ = ["is_emitter", "is_emitter_class", "is_id", "is_id_maker", "is_maker", "is_secret"]

_IDS: Final = frozenset(
    {
        "correlation_id", "request_id", "job_id", "job_run_id", "run_id", "parent_job_id",
        "session_id", "trace_id", "span_id", "parent_span_id", "event_id",
        "x_correlation_id", "x_request_id", "x_parent_job_id", "traceparent",
    }
)  # fmt: skip
_RANDOM: Final = (
    r"uuid\.uuid\d|uuid\.UUID|secrets\.\w+|os\.urandom|ulid\.\w+(\.\w+)*|uuid_utils\.\w+|"
    r"uuid6\.\w+|nanoid\.\w+|shortuuid\.\w+|itertools\.count"
)
_MAKERS: Final = re.compile(
    rf"{_RANDOM}|random\.\w+|time\.(time|monotonic|perf_counter)(_ns)?|"
    r"hashlib\.\w+|datetime\.datetime\.(now|utcnow)"
)
_MADE: Final = re.compile(rf"({_RANDOM})\(\)(\.\w+(\(\))?)*")
_MAKES_IDS: Final = re.compile(r"_?(new|make|create|generate|gen|next)_(\w+_)?id")
_EMITTER: Final = re.compile(
    r"_?(narrate|(emit|log|send|publish|track|record|write|push|report)"
    r"_(event|events|narration|telemetry))(_async|_sync)?",
    re.IGNORECASE,
)
_EMITTER_CLASS: Final = re.compile(
    r"_?(\w*)(Event|Events|Narration|Telemetry)"
    r"(Emitter|Logger|Narrator|Publisher|Reporter|Sender|Tracker|Writer)"
)
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_id(name: str) -> bool:
    """Whether a field, variable or header of this name holds an id of the story."""
    return name.lower().replace("-", "_").lstrip("_") in _IDS


def is_maker(name: str) -> bool:
    """Whether a call of this name makes something to be an id, or the name is what one made."""
    return _MAKERS.fullmatch(name) is not None or _MADE.fullmatch(name) is not None


def is_id_maker(name: str) -> bool:
    """Whether a function of this name is meant to return an id: ``job_id``, ``make_request_id``."""
    return is_id(name) or _MAKES_IDS.fullmatch(name) is not None


def is_emitter(name: str) -> bool:
    """Whether a function of this name is meant to emit events of any kind."""
    return _EMITTER.fullmatch(_HUMP.sub("_", name)) is not None


def is_emitter_class(name: str) -> bool:
    """Whether objects of a class of this name are meant to emit events."""
    return _EMITTER_CLASS.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether a variable or field of this name holds a secret, as redaction sees it."""
    return _redactor().is_secret_key(name)


@lru_cache(maxsize=1)
def _redactor() -> Redactor:
    return Redactor()
