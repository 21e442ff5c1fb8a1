"""The narrator of this process, and the functions through which services use it.

Services import them from :mod:`pytest_narration.emit`.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Protocol

from ..errors import ConfigurationError, ContractBroken
from ..event import LEVELS
from .identity import Identity, new_instance
from .narrator import RANK, Narrator, Subscriber
from .redaction import Redactor
from .sink import FdSink, Sink

__all__ = ["configure", "flush", "identity", "narrate", "subscribe"]

_FLUSH_SECONDS: Final = 1.0
_ALIASES: Final = {
    "warning": "warn",
    "err": "error",
    "critical": "fatal",
    "emergency": "fatal",
    "alert": "fatal",
    "notice": "info",
    "verbose": "debug",
}
"""Levels as other loggers name them."""
_SPEECH: Final = frozenset({"actor", "cute", "sse", "story"})
"""Keywords of :func:`narrate` that are no fields."""


def _default() -> Narrator:
    program = Path(sys.argv[0] or "app")
    # ``python -m package`` runs package/__main__.py.
    name = program.parent.name if program.stem == "__main__" else program.stem
    if "pytest" in sys.modules:
        # A test's own story must not change with what started it: xdist's workers are called `-c`.
        name = "pytest"
    service = os.environ.get("NARRATION_SERVICE") or name or "app"
    level = os.environ.get("NARRATION_LEVEL", "info")
    return _make(
        Identity(service, "0", new_instance(service)),
        level=level if level in RANK else "info",
        sink=None,
        redact=(),
        development=bool(os.environ.get("NARRATION_DEVELOPMENT")),
    )


def _make(
    identity: Identity, *, level: str, sink: Sink | None, redact: Iterable[str], development: bool
) -> Narrator:
    sink = sink or FdSink(1)
    narrator = Narrator(
        identity, sink, redactor=Redactor(redact), level=level, development=development
    )
    if isinstance(sink, FdSink) and sink.on_recovered is None:
        sink.on_recovered = narrator.say_dropped
    return narrator


class _Process:
    """The narrator of this process. Emitting is global by nature, as stdout is."""

    def __init__(self) -> None:
        self.narrator: Narrator | None = None
        self.subscribers: tuple[Subscriber, ...] = ()
        self.checks: tuple[Subscriber, ...] = ()
        """What ``NARRATION_VALIDATE`` asks for; after the subscribers, which see every event."""
        self.lock = threading.Lock()


_process: Final = _Process()


def _narrator() -> Narrator:
    with _process.lock:
        if _process.narrator is None:
            narrator = _default()
            _process.checks = _checks()
            narrator.subscribers = _process.subscribers + _process.checks
            _process.narrator = narrator
        return _process.narrator


def _checks() -> tuple[Subscriber, ...]:
    mode = os.environ.get("NARRATION_VALIDATE") or "off"
    if mode == "off":
        return ()
    from .validation import checks  # late: it needs two schema libraries

    return checks(mode)


def configure(
    service: str,
    version: str = "0",
    *,
    instance: str | None = None,
    level: str | None = None,
    sink: Sink | None = None,
    redact: Iterable[str] = (),
    development: bool | None = None,
) -> Identity:
    """Say who this process is; call it once, before the first event.

    :param service: the kind of process, ``"worker"``.
    :param version: of the code that narrates; with the service it makes ``emitted_by``.
    :param instance: unique per start; made from the host name, the pid and chance by default.
    :param level: the lowest level that is written; ``NARRATION_LEVEL`` or ``info`` by default.
    :param sink: where lines go; stdout by default.
    :param redact: more patterns of secrets, see :class:`~.redaction.Redactor`.
    :param development: add ``source_location`` to events; ``NARRATION_DEVELOPMENT`` by default.
    :raises ConfigurationError: the level, a pattern or ``NARRATION_VALIDATE`` is unknown or
        malformed.
    """
    if level is None:
        level = os.environ.get("NARRATION_LEVEL") or "info"
    if level not in RANK:
        raise ConfigurationError(f"level is {level!r}; choose one of {', '.join(LEVELS)}")
    if development is None:
        development = bool(os.environ.get("NARRATION_DEVELOPMENT"))
    who = Identity(service, version, instance or new_instance(service))
    narrator = _make(who, level=level, sink=sink, redact=redact, development=development)
    with _process.lock:
        _process.checks = _checks()
        narrator.subscribers = _process.subscribers + _process.checks
        _process.narrator = narrator
    return who


def identity() -> Identity:
    """Return who this process says it is."""
    return (_process.narrator or _narrator()).identity


def flush(timeout: float = _FLUSH_SECONDS) -> bool:
    """Wait at most ``timeout`` seconds for waiting lines to be written; say whether all were."""
    return _process.narrator is None or _process.narrator.sink.flush(timeout)


def subscribe(callback: Subscriber) -> Callable[[], None]:
    """Call ``callback(line, context)`` for each event of this process, in its thread.

    :param callback: gets the JSON line without its newline and the context it was emitted in.
    :return: a function that ends the subscription.
    """

    def change(subscribers: tuple[Subscriber, ...]) -> None:
        _process.subscribers = subscribers
        if _process.narrator is not None:
            _process.narrator.subscribers = subscribers + _process.checks

    def unsubscribe() -> None:
        with _process.lock:
            change(tuple(s for s in _process.subscribers if s is not callback))

    with _process.lock:
        change((*_process.subscribers, callback))
    return unsubscribe


class _Narrate(Protocol):
    def __call__(
        self,
        action: str,
        template: str,
        /,
        *,
        actor: str | None = None,
        level: str = "info",
        cute: str | None = None,
        story: str | None = None,
        sse: bool = True,
        **fields: Any,
    ) -> str | None: ...


def _typed(function: Callable[..., str | None]) -> _Narrate:
    return function


# Python compares the name of every field with every keyword of a signature. Naming only the
# level halves the cost of a call that is not written; type checkers still see all keywords.
@_typed
def narrate(action: str, template: str, /, *, level: str = "info", **fields: Any) -> str | None:
    """Say that ``actor`` did ``action``: one line on stdout, and on the job's SSE stream.

    ::

        narrate("tokenize", "Tokenized prompt ({tokens_in} tokens)", actor="tokenizer", tokens_in=7)

    Never raises and never blocks: a sink that takes nothing drops, counts and says so later. Only
    ``NARRATION_VALIDATE=strict``, which is for tests, raises when an event breaks its contract.

    :param action: what is done, ASCII; a literal, because it names a point.
    :param template: the sentence, with ``{placeholders}`` for fields and bound values.
    :param actor: who does it, ASCII; the context's actor by default.
    :param level: one of :data:`~pytest_narration.event.LEVELS`; other loggers' names are
        understood, and anything else is written as ``info`` with the field ``given_level``.
    :param cute: the same in a playful voice.
    :param story: the same as dialogue.
    :param sse: ``False`` keeps an event inside a job off the job's stream.
    :param fields: further fields of the event; they win over the context's.
    :return: the event id; ``None`` when the level is not written or the event failed.
    """
    narrator = _process.narrator or _narrator()
    try:
        if level in narrator.silent:
            return None
        if level not in RANK:
            level, fields = _known_level(level, fields)
            if level in narrator.silent:
                return None
        actor = said = None
        sse = True
        if not _SPEECH.isdisjoint(fields):
            actor = fields.pop("actor", None)
            sse = fields.pop("sse", True)
            said = _voices(fields)
        if narrator.development and "source_location" not in fields:
            frame = sys._getframe(1)
            while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
                frame = frame.f_back  # `layer` and its like narrate for their caller
            where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
            fields["source_location"] = where
        return narrator.emit(action, template, actor, level, said, sse, fields)
    except ContractBroken:
        raise
    except Exception as error:  # telling a story must never break the work it tells of
        return narrator.say_failed(action, error)


def _voices(fields: dict[str, Any]) -> dict[str, str]:
    """Take the other voices of an event out of its fields."""
    given = ((name, fields.pop(name, None)) for name in ("cute", "story"))
    return {name: str(text) for name, text in given if text is not None}


def _known_level(level: object, fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the level that is meant, and the fields with what was given when nothing is."""
    name = str(level).lower()
    known = _ALIASES.get(name, name)
    return (known, fields) if known in RANK else ("info", {**fields, "given_level": name})


def _after_fork() -> None:
    _process.lock = threading.Lock()
    if _process.narrator is not None:
        _process.narrator.after_fork()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(flush)
