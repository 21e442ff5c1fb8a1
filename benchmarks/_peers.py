"""Each logger of the comparison: a function that writes one event of 20 fields to a descriptor.

Every peer is set up as its manual says for JSON lines in production, with the request's fields
bound once: that is how it is fastest. None of them redacts anything.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from contextvars import ContextVar
from typing import Any

from benchmarks._events import CONTEXT, PROVENANCE, Said

__all__ = ["PEERS", "Say", "empty_function", "floor", "narration"]

Say = Callable[[], object]
Setup = Callable[[int, Said, ExitStack], Say]


def narration(fd: int, said: Said, stack: ExitStack, level: str = "info") -> Say:
    """``narrate()``: with redaction, event ids and sequence numbers, 22 fields."""
    from pytest_narration.emit import configure, narrate, narration_context
    from pytest_narration.emit.sink import FdSink

    sink = FdSink(fd)
    stack.callback(sink.close)
    stack.callback(sink.flush, 1.0)
    configure(
        PROVENANCE["service"], "1.4.0", instance=PROVENANCE["instance"], sink=sink, level="info"
    )
    stack.enter_context(narration_context(actor=PROVENANCE["actor"], **CONTEXT))
    arguments = "" if level == "info" else f"level={level!r}, "
    return said.call_site(f"narrate(action, template, {arguments}FIELDS)", narrate=narrate)


def empty_function(said: Said) -> Say:
    """Call a function of ``narrate``'s signature that does nothing: what no filter goes below."""

    def nothing(action: str, template: str, /, *, level: str = "info", **fields: object) -> None:
        pass

    return said.call_site("narrate(action, template, level='debug', FIELDS)", narrate=nothing)


def structlog_orjson(fd: int, said: Said, stack: ExitStack) -> Say:
    import orjson
    import structlog
    from structlog.contextvars import bound_contextvars, merge_contextvars

    structlog.reset_defaults()
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[
            merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.EventRenamer("human"),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(_file(fd, stack)),
    )
    logger = structlog.get_logger().bind(**PROVENANCE)
    stack.enter_context(bound_contextvars(**CONTEXT))
    return said.call_site("info(HUMAN, action=action, template=template, FIELDS)", info=logger.info)


def stdlib_json(fd: int, said: Said, stack: ExitStack) -> Say:
    from pythonjsonlogger.json import JsonFormatter

    bound: ContextVar[dict[str, Any]] = ContextVar("bound", default=CONTEXT)

    def add_bound(record: logging.LogRecord) -> bool:
        record.__dict__.update(bound.get())
        return True

    logger = logging.Logger("benchmark", logging.INFO)
    handler = logging.StreamHandler(os.fdopen(os.dup(fd), "w", encoding="utf-8"))
    stack.callback(handler.stream.close)
    handler.setFormatter(
        JsonFormatter(
            "%(message)s %(levelname)s",
            rename_fields={"message": "human"},
            timestamp=True,
            static_fields=PROVENANCE,
        )
    )
    handler.addFilter(add_bound)
    logger.addHandler(handler)
    return said.call_site(
        "info(HUMAN, extra=dict(action=action, template=template, FIELDS))", info=logger.info
    )


def loguru(fd: int, said: Said, stack: ExitStack) -> Say:
    from loguru import logger

    logger.remove()
    added = logger.add(_file(fd, stack, "w"), serialize=True, level="INFO", format="{message}")
    stack.callback(logger.remove, added)
    stack.enter_context(logger.contextualize(**CONTEXT))
    mine = logger.bind(**PROVENANCE)
    return said.call_site(
        "bind(action=action, template=template, FIELDS).info(HUMAN)", bind=mine.bind
    )


def eliot(fd: int, said: Said, stack: ExitStack) -> Say:
    from eliot import (
        FileDestination,
        add_destinations,
        log_message,
        remove_destination,
        start_action,
    )

    destination = FileDestination(file=_file(fd, stack))
    add_destinations(destination)
    stack.callback(remove_destination, destination)
    stack.enter_context(start_action(action_type="request"))
    bound = {**PROVENANCE, **CONTEXT}
    return said.call_site(
        "log(message_type=action, human=HUMAN, template=template, level='info', FIELDS, **bound)",
        log=log_message,
        bound=bound,
    )


def floor(fd: int, said: Said, stack: ExitStack) -> Say:
    """Write a ready line of the same size: what no logger can go below."""
    line = b"x" * 640 + b"\n"
    return lambda: os.write(fd, line)


PEERS: dict[str, Setup] = {
    "narrate": narration,
    "structlog + orjson": structlog_orjson,
    "stdlib + python-json-logger": stdlib_json,
    "loguru serialize": loguru,
    "eliot": eliot,
    "os.write alone": floor,
}


def _file(fd: int, stack: ExitStack, mode: str = "wb") -> Any:
    file: AbstractContextManager[Any] = os.fdopen(os.dup(fd), mode)
    return stack.enter_context(file)
