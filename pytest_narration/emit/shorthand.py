"""Calls that say less than :func:`~.process.narrate` and fill in what can be known.

``narrate`` itself already adds provenance, and ids from the running context. These add the actor
and the sentence, or the ids of an OpenTelemetry span where there is no context of ours.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from .context import current_context
from .otel import current_ids
from .process import narrate

__all__ = ["narrate_auto", "narrate_with_otel_context", "sentence_of"]

_SPEECH = frozenset({"actor", "cute", "level", "sse", "story"})
"""Keywords of ``narrate`` that are no fields of their own."""


def narrate_auto(action: str, template: str | None = None, /, **fields: Any) -> str | None:
    """Narrate with what can be known filled in.

    ::

        narrate_auto("cache_reset", entries=12)   # in app/kv_store.py
        # actor "kv-store", "Cache reset (entries 12)"

    :param action: what is done, ASCII; a literal, because it names a point.
    :param template: the sentence; made of the action and the names of the fields when omitted.
    :param fields: as for ``narrate``. Without an ``actor``, given or bound, the calling module's
        name is the actor; without a ``trace_id``, given or bound, the current OpenTelemetry
        span's ids are taken, if there is one.
    :return: the event id; ``None`` when the level is not written or the event failed.
    """
    context = current_context()
    if fields.get("actor") is None and (context is None or context.actor is None):
        fields["actor"] = _module_of(sys._getframe(1).f_globals)
    if context is None or context.get("trace_id") is None:
        fields = _span_ids() | fields
    return narrate(action, sentence_of(action, fields) if template is None else template, **fields)


def narrate_with_otel_context(action: str, template: str, /, **fields: Any) -> str | None:
    """Narrate with ``trace_id`` and ``span_id`` of the current OpenTelemetry span.

    For code that runs in a span of its own and not in a request of the middleware. Ids that are
    given win; the span's win over bound ones. Without a span it is ``narrate``.
    """
    return narrate(action, template, **(_span_ids() | fields))


def _span_ids() -> dict[str, Any]:
    ids = current_ids()
    return {} if ids is None else {"trace_id": ids[0], "span_id": ids[1]}


def _module_of(names: dict[str, Any]) -> str | None:
    name = str(names.get("__name__") or "")
    if name == "__main__":
        return None  # the service itself, as for narrate
    return name.rpartition(".")[2].strip("_").replace("_", "-") or None


def sentence_of(action: object, fields: Mapping[str, Any]) -> str:
    """Return the template that :func:`narrate_auto` makes of an action and of fields with values.

    The catalog makes the same of source.
    """
    words = str(action).replace("_", " ").strip().capitalize()
    told = ", ".join(
        f"{name.replace('_', ' ')} {{{name}}}"
        for name, value in fields.items()
        if name not in _SPEECH and name not in ("trace_id", "span_id") and value is not None
    )
    return f"{words} ({told})" if told else words
