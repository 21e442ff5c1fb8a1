"""Waiting until a service can be used: by its port, a URL, an event or a printed line.

Each wait ends at once when the service has ended, and a failure quotes its last lines.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from ..errors import ClusterError, EmitterDied, WaitTimeout
from ..pattern import event
from ..recorder import Record
from ..sources.tls import trusted

if TYPE_CHECKING:
    from .service import Service

__all__ = ["last_lines", "unreachable", "wait_ready"]

_PAUSE = 0.02
_CALL_SECONDS = 2.0
_LINES = 15
_LOOKED_AT = 2000


def wait_ready(service: Service, *, since: int) -> None:
    """Return when the service is ready.

    :param since: the recorder's mark of its start.
    :raises ClusterError: it ended or was not ready in time.
    """
    ready = service.settings.ready
    if ready.by == "event":
        _wait_event(service, ready.what, since, ready.timeout)
        return
    probe, what = _probe(service)
    deadline = time.monotonic() + ready.timeout
    seen = "nothing was tried"
    while True:
        code = service.returncode
        if code is not None:
            raise ClusterError(_ended(service, code, f"before {what}"))
        seen = probe()
        if not seen:
            return
        if time.monotonic() >= deadline:
            raise ClusterError(
                f"{service.name} was not ready: waited {ready.timeout:g} s until {what}; {seen}. "
                f"{last_lines(service)}"
            )
        time.sleep(_PAUSE)


def last_lines(service: Service) -> str:
    """Return the service's last lines as the end of a message."""
    lines = service.lines(_LINES)
    if not lines:
        return "It printed nothing."
    return "Its last lines:\n" + "\n".join(f"  {line}" for line in lines)


def _wait_event(service: Service, action: str, since: int, timeout: float) -> None:
    def named(record_action: str | None) -> bool:
        return record_action == action

    pattern = event(source=service.name, action=named) | event(source=service.name, human=action)
    try:
        service.recorder.wait_for(pattern, timeout=timeout, since=since)
    except EmitterDied as error:
        code = service.returncode
        raise ClusterError(_ended(service, code, f"before its event {action!r}")) from error
    except WaitTimeout as error:
        narrated = _narrated(service, since)
        raise ClusterError(
            f"{service.name} was not ready: waited {timeout:g} s for its event {action!r}; "
            f"it narrated {narrated}. {last_lines(service)}"
        ) from error


def _narrated(service: Service, since: int) -> str:
    records: list[Record] = service.recorder.since(since).records(source=service.name)
    actions = list(dict.fromkeys(record.event.action for record in records))
    return ", ".join(actions[:10]) or "nothing"


def _probe(service: Service) -> tuple[Callable[[], str], str]:
    """Return what looks once, and says what is missing, and what is looked for."""
    ready = service.settings.ready
    if ready.by == "url":
        url = urljoin(f"{service.url}/", ready.what)
        if not urlsplit(url).netloc:
            raise ClusterError(
                f"{service.name}: ready.url is {ready.what!r}, and the service has no port or url "
                "that it could start from"
            )
        return lambda: _answers(url), f"GET {url} succeeds"
    if ready.by == "line":
        expression = re.compile(ready.what)

        def printed() -> str:
            found = any(expression.search(line) for line in service.lines(_LOOKED_AT))
            return "" if found else "no line matches"

        return printed, f"it prints a line that matches /{ready.what}/"
    address = urlsplit(service.url)
    if not address.hostname:
        return lambda: "", "it runs"
    port = address.port or (443 if address.scheme == "https" else 80)
    host = address.hostname
    return lambda: unreachable(host, port), f"something listens at {host}:{port}"


def unreachable(host: str, port: int) -> str:
    """Say why nobody listens there, empty when somebody does."""
    try:
        with socket.create_connection((host, port), timeout=_CALL_SECONDS) as connection:
            # A caller whose own port is picked to be the same one is connected to itself.
            if connection.getsockname() == connection.getpeername():
                return "the last try: nobody listens"
    except OSError as error:
        return f"the last try: {error}"
    return ""


def _answers(url: str) -> str:
    import httpx

    try:
        answer = httpx.get(url, timeout=_CALL_SECONDS, verify=trusted(), trust_env=False)
    except httpx.HTTPError as error:
        return f"the last try: {error or type(error).__name__}"
    return "" if answer.is_success else f"the last answer: status {answer.status_code}"


def _ended(service: Service, code: int | None, when: str) -> str:
    how = "ended" if code is None else f"ended with exit code {code}"
    return f"{service.name} {how} {when}. {last_lines(service)}"
