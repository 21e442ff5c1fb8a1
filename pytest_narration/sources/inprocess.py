"""What this very process narrates and logs -> events: ``narrate()``, structlog, stdlib logging.

Nothing is printed or parsed for structlog and logging: their records are read as they are made,
in the thread that makes them, so a test that asserts after a call sees all of the call's events.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any, Self

from .. import wire
from ..errors import MissingExtra
from ..event import Event
from ..formats import FieldMap, Shape, compose
from ..recorder import IN_PROCESS, Ending, Recorder
from .source import Mapped

__all__ = ["InProcessSource"]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes that every LogRecord has: what is beside them came from ``extra=``."""

_LOGGING = Shape(level=("levelno",), scale="python", timestamp=("created",))
_STRUCTLOG = Shape(
    human=("event",),
    level=("level", "log_level"),
    timestamp=("timestamp",),
    actor=("logger", "logger_name"),
)


class InProcessSource:
    """Captures while its context is open; contexts may nest and each sees everything.

    :param name: source name of the events.
    :param service: service of logged events; narrated ones name their own.
    :param narrated: whether to capture ``narrate()``; the fixtures' recorders do so already.
    :param structlog: whether to capture structlog, as it is configured when the context opens.
    :param logging: whether to capture stdlib logging; a logger's name limits it to that logger.
        Records below the loggers' own levels (WARNING unless set) are never made.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        name: str = IN_PROCESS,
        service: str | None = None,
        narrated: bool = True,
        structlog: bool = False,
        logging: bool | str = False,
        mapping: Mapped = None,
    ) -> None:
        self.name = name
        self.recorder = recorder
        self.ending: Ending | None = None
        self._service = service
        self._narrates = narrated
        self._structlog = structlog
        self._logging = logging
        mapping = recorder.mapping if mapping is None else mapping
        self._fields = mapping if isinstance(mapping, FieldMap) else FieldMap(mapping)
        self._undo: list[Callable[[], object]] = []

    def start(self) -> Self:
        """Begin to capture.

        :raises MissingExtra: structlog is asked for and not installed.
        """
        from ..emit import subscribe

        if self._structlog:  # first: it may be missing, and nothing must stay captured then
            self._undo.append(_capture_structlog(self._bound))
        if self._narrates:
            self._undo.append(subscribe(self._narrated))
        if self._logging:
            logger = logging.getLogger(None if self._logging is True else self._logging)
            handler = _Handler(self._logged)
            logger.addHandler(handler)
            self._undo.append(lambda: logger.removeHandler(handler))
        return self

    def stop(self) -> Ending:
        """Stop capturing; everything has been recorded already."""
        while self._undo:
            self._undo.pop()()
        if self.ending is None:
            self.ending = Ending(self.name, "complete")
            self.recorder.add_ending(self.ending)
        return self.ending

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _narrated(self, line: bytes, context: object) -> None:
        decoded = wire.decode(line, source=self.name)
        if isinstance(decoded, Event):
            self.recorder.add_event(decoded, source=self.name)
        else:
            self.recorder.add_rejected(decoded)

    def _logged(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {
            name: value for name, value in vars(record).items() if name not in _STANDARD
        }
        fields |= {"levelno": record.levelno, "created": record.created}
        template = record.msg if record.args and isinstance(record.msg, str) else None
        failure = record.exc_info[0] if record.exc_info else None
        self.recorder.add_event(
            compose(
                fields,
                _LOGGING,
                self._fields,
                human=record.getMessage(),
                template=template,
                actor=record.name,
                service=self._service,
                error_kind=failure.__name__ if failure else None,
                source_location=f"{record.filename}:{record.lineno}",
            ),
            source=self.name,
        )

    def _bound(self, fields: dict[str, Any], method: str) -> None:
        fields.setdefault("level", method)
        self.recorder.add_event(
            compose(fields, _STRUCTLOG, self._fields, service=fields.get("service", self._service)),
            source=self.name,
        )


class _Handler(logging.Handler):
    """Passes each record on; never formats it."""

    def __init__(self, take: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(logging.NOTSET)
        self._take = take

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._take(record)
        except Exception:  # a message whose arguments do not fit must not break its caller
            self.handleError(record)


def _capture_structlog(take: Callable[[dict[str, Any], str], None]) -> Callable[[], None]:
    """Put a processor before the renderer; return what takes it away again.

    In place, since loggers that are cached on first use keep the list of processors.
    """
    try:
        import structlog
    except ImportError as error:
        raise MissingExtra("structlog") from error

    def capture(
        logger: Any, method: str, fields: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        take(dict(fields), method)
        return fields

    processors = structlog.get_config()["processors"]
    processors.insert(max(len(processors) - 1, 0), capture)

    def undo() -> None:
        processors.remove(capture)

    return undo
