"""All known formats: the built-in ones, and those that other distributions register.

A distribution adds a format with an entry point whose value is a :class:`~.format.Format`
subclass or instance::

    [project.entry-points."pytest_narration.formats"]
    acme = "acme_logs:AcmeFormat"

A project's own formats, which no distribution registers, are given to the readers.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import entry_points

from ..errors import ConfigurationError
from .access import Access
from .arguments import Log4js, Tslog
from .bunyan import Bunyan
from .clef import Clef, DotnetConsole, SerilogJson
from .cloudevents import CloudEvents
from .console import Console
from .ecs import Ecs
from .eliot import Eliot
from .envelope import Envelope
from .format import Format
from .gelf import Gelf
from .jaeger import Jaeger
from .journald import Journald
from .log4j2 import Log4j2
from .logfmt import Logfmt
from .logstash import Logback, Logstash
from .loguru import Loguru
from .otel_console import OtelConsole
from .otlp import Otlp
from .own import Own
from .pino import Pino
from .plain_json import PlainJson
from .slog import Slog
from .stdlib_json import StdlibJson
from .structlog import Structlog
from .text import Text
from .tracing_subscriber import TracingSubscriber
from .winston import Winston
from .zap import Zap
from .zipkin import Zipkin

__all__ = ["GROUP", "formats", "named"]

GROUP = "pytest_narration.formats"
"""The entry point group."""

_BUILT_IN: tuple[Format, ...] = (
    Own(), Otlp(), OtelConsole(), Jaeger(), Zipkin(), CloudEvents(), Eliot(), Clef(), Loguru(),
    Ecs(), Gelf(),
    Envelope(), SerilogJson(), DotnetConsole(), Log4j2(), Logback(), Logstash(),
    TracingSubscriber(), Journald(), Bunyan(), Pino(), Zap(), Slog(), StdlibJson(), Structlog(),
    Winston(), Log4js(), Tslog(), Text(), Console(), Logfmt(), Access(), PlainJson(),
)  # fmt: skip


@cache
def formats(own: tuple[Format, ...] = ()) -> dict[str, Format]:
    """Return ``{name: format}``; a registered format replaces a built-in one of its name.

    :param own: the project's; they come first, and replace any other of their names.
    :raises ConfigurationError: an entry point names something that is no format.
    """
    known: dict[str, Format] = {fmt.name: fmt for fmt in own}
    for point in entry_points(group=GROUP):
        try:
            found = point.load()
            found = found() if isinstance(found, type) else found
        except Exception as error:  # another distribution's code may fail in any way
            raise ConfigurationError(
                f"the log format {point.name!r} ({point.value}) cannot be loaded: {error}"
            ) from error
        if not isinstance(found, Format):
            raise ConfigurationError(
                f"the entry point {point.name!r} of {GROUP} is a {type(found).__name__}; "
                f"it must be a subclass of pytest_narration.formats.Format, or an instance of one"
            )
        known.setdefault(point.name, found)
    for built_in in _BUILT_IN:
        known.setdefault(built_in.name, built_in)
    return known


def named(name: str, own: tuple[Format, ...] = ()) -> Format:
    """Return one format.

    :raises ConfigurationError: there is no format of that name.
    """
    known = formats(own)
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    raise ConfigurationError(
        f"there is no log format {name!r}{hint} Choose auto, {', '.join(sorted(known))}."
    )
