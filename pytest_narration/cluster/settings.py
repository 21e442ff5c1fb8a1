"""The table ``[tool.narration.cluster]`` -> which services there are and how each one starts.

::

    [tool.narration.cluster.services.payments]
    command = "{python} payments.py --port {port}"
    ready = { url = "/health" }

    [tool.narration.cluster.services.shop]
    command = "node shop.js"
    env = { PORT = "{port}", PAYMENTS_URL = "{payments.url}" }
    ready = { event = "listening", timeout = "20 s" }
    format = "pino"

A wrong table is refused with the choices that there are. Steps of scenarios describe single
services with the same keys.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import ConfigurationError
from ..formats import Format, named
from .duration import seconds

__all__ = ["ClusterSettings", "Ready", "ServiceSettings", "cluster_settings", "service_settings"]

READY_SECONDS = 30.0
STOP_SECONDS = 10.0

_TABLE = "[tool.narration.cluster]"
_KEYS = {
    "command": "the command line, as text or as a list of words",
    "env": "environment variables",
    "cwd": "the folder that it starts in, from the project's root",
    "ports": "fixed ports, { port = 8080 }",
    "ready": '{ url = "/health" }, { event = "listening" } or { line = "a regular expression" }',
    "after": "names of services that must be ready before",
    "format": "how it logs; found out by itself when left out",
    "stop_timeout": "how long it may take to stop",
    "url": "where a service answers that runs already",
    "log": "the path of a log file that is followed",
    "container": "the name of a Docker container that runs already",
}
_READY_KEYS = ("url", "event", "line", "timeout")
_SOURCES = ("command", "url", "log", "container")


@dataclass(frozen=True, slots=True)
class Ready:
    """What says that a service can be used."""

    by: Literal["port", "url", "event", "line"] = "port"
    """``port``: something listens on it; a service without a port is ready when it runs."""
    what: str = ""
    timeout: float = READY_SECONDS
    """Seconds."""


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """One service: how it starts, or where it runs already."""

    name: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "."
    ports: Mapping[str, int] = field(default_factory=dict)
    """Ports that are not left to the kernel."""
    ready: Ready = field(default_factory=Ready)
    after: tuple[str, ...] = ()
    format: str = "auto"
    stop_timeout: float = STOP_SECONDS
    url: str = ""
    log: str = ""
    container: str = ""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """All services of a project."""

    root: Path
    """Folder that relative paths start from."""
    services: tuple[ServiceSettings, ...] = ()
    compose: str = ""
    """A Docker compose project that runs already, all services of which belong to the cluster."""
    mapping: Mapping[str, Any] = field(default_factory=dict)
    """``[tool.narration.map]``."""

    @property
    def is_empty(self) -> bool:
        """Whether the project has said nothing."""
        return not self.services and not self.compose


def cluster_settings(root: Path, *, own: tuple[Format, ...] = ()) -> ClusterSettings:
    """Read the ``pyproject.toml`` of a project; without one, or without the table, it is empty.

    :param own: log formats of the project, which services may name.
    :raises ConfigurationError: the file or the table is wrong.
    """
    path = root / "pyproject.toml"
    if not path.is_file():
        return ClusterSettings(root)
    try:
        narration = tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("narration", {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is no TOML: {error}") from error
    table = narration.get("cluster", {})
    _known(table, ("services", "compose"), _TABLE)
    services = tuple(
        service_settings(name, entry, where=f"[tool.narration.cluster.services.{name}]", own=own)
        for name, entry in _mapping(table.get("services", {}), f"{_TABLE} services").items()
    )
    names = [service.name for service in services]
    for service in services:
        for other in service.after:
            if other not in names:
                raise ConfigurationError(
                    f"[tool.narration.cluster.services.{service.name}] after: there is no service "
                    f"{other!r}; services are: {', '.join(names)}"
                )
    return ClusterSettings(
        root,
        services,
        compose=_text(table, "compose", _TABLE),
        mapping=_mapping(narration.get("map", {}), "[tool.narration.map]"),
    )


def service_settings(
    name: str, table: object, *, where: str, own: tuple[Format, ...] = ()
) -> ServiceSettings:
    """Read what is said about one service.

    :param where: the table's place, for messages.
    :param own: log formats of the project.
    :raises ConfigurationError: it is wrong.
    """
    entry = _mapping(table, where)
    _known(entry, tuple(_KEYS), where, explained=_KEYS)
    if not any(entry.get(key) for key in _SOURCES):
        raise ConfigurationError(
            f"{where} says neither how the service starts nor where it runs; "
            f"give one of {', '.join(_SOURCES)}"
        )
    if entry.get("command") and (entry.get("url") or entry.get("container")):
        other = "url" if entry.get("url") else "container"
        raise ConfigurationError(
            f"{where} has both command and {other}; {other} is for services that run already"
        )
    logged_as = _text(entry, "format", where) or "auto"
    if logged_as != "auto":
        try:
            named(logged_as, own)
        except ConfigurationError as error:
            raise ConfigurationError(f"{where} format: {error}") from None
    stop = entry.get("stop_timeout", STOP_SECONDS)
    return ServiceSettings(
        name=name,
        command=_command(entry.get("command", ()), f"{where} command"),
        env={
            key: _scalar(value, f"{where} env.{key}")
            for key, value in _mapping(entry.get("env", {}), f"{where} env").items()
        },
        cwd=_text(entry, "cwd", where) or ".",
        ports=_ports(entry.get("ports", {}), f"{where} ports"),
        ready=_ready(entry.get("ready", {}), f"{where} ready"),
        after=_names(entry.get("after", ()), f"{where} after"),
        format=logged_as,
        stop_timeout=seconds(stop, where=f"{where} stop_timeout"),
        url=_text(entry, "url", where).rstrip("/"),
        log=_text(entry, "log", where),
        container=_text(entry, "container", where),
    )


def _ready(value: object, where: str) -> Ready:
    table = _mapping(value, where)
    _known(table, _READY_KEYS, where)
    ways = [key for key in ("url", "event", "line") if key in table]
    if len(ways) > 1:
        raise ConfigurationError(f"{where} has {' and '.join(ways)}; give one of them")
    timeout = seconds(table.get("timeout", READY_SECONDS), where=f"{where} timeout")
    if not ways:
        return Ready(timeout=timeout)
    by: Any = ways[0]
    what = _text(table, by, where)
    if by == "line":
        _regex(what, where)
    return Ready(by, what, timeout)


def _regex(text: str, where: str) -> None:
    try:
        re.compile(text)
    except re.error as error:
        raise ConfigurationError(
            f"{where} line: {text!r} is no regular expression: {error}"
        ) from error


def _command(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            raise ConfigurationError(f"{where}: {value!r} cannot be read: {error}") from error
    return _names(value, where)


def _ports(value: object, where: str) -> dict[str, int]:
    ports = _mapping(value, where)
    for name, port in ports.items():
        if isinstance(port, str) and port.isdecimal():
            ports[name] = port = int(port)
        if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
            raise ConfigurationError(f"{where}: {name} = {port!r} is no port from 1 to 65535")
        if not name.endswith("port"):
            raise ConfigurationError(
                f"{where}: {name!r} must end in 'port', as the placeholder {{{name}}} does"
            )
    return ports


def _known(
    table: Mapping[str, Any],
    keys: Sequence[str],
    where: str,
    *,
    explained: Mapping[str, str] | None = None,
) -> None:
    unknown = [key for key in table if key not in keys]
    if unknown:
        choices = (
            "\n" + "\n".join(f"  {key}: {about}" for key, about in explained.items())
            if explained
            else f" {', '.join(keys)}"
        )
        raise ConfigurationError(f"{where} has no key {unknown[0]!r}; keys are:{choices}")


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{where} must be a table, not {value!r}")
    return dict(value)


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise ConfigurationError(f"{where} {key} must be text, not {value!r}")
    return value


def _scalar(value: object, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ConfigurationError(f"{where} must be text or a number, not {value!r}")
    return str(value)


def _names(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
        raise ConfigurationError(f"{where} must be text or a list of texts, not {value!r}")
    return tuple(value)
