"""The few calls of a Docker engine's HTTP API that keep workers alive, over its Unix socket.

Blocking: each container's thread uses a client of its own. Standard library only, because an image
that manages containers should hold little.
https://docs.docker.com/reference/api/engine/version/v1.41/
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

__all__ = ["STDERR", "STDOUT", "DockerApi", "DockerRefused", "pieces"]

STDOUT, STDERR = 1, 2
_VERSION = "v1.41"
_HEADER = 8
_CHUNK = 64 * 1024


class DockerRefused(OSError):
    """The engine answered with an error, or not at all; the message is the engine's."""


class DockerApi:
    """One engine.

    :param path: its socket.
    :param timeout: seconds for an answer, except of what waits for a container.
    """

    def __init__(self, path: str = "/var/run/docker.sock", timeout: float = 60.0) -> None:
        self._path = path
        self._timeout = timeout

    def create(self, name: str, body: dict[str, Any]) -> str:
        """Create a container; return its id.

        :raises DockerRefused: no such image, no such network, a name that is taken…
        """
        return str(self._call("POST", "/containers/create", {"name": name}, body)["Id"])

    def connect(self, network: str, container: str) -> None:
        """Connect a container to one more network.

        :raises DockerRefused: no such network.
        """
        self._call("POST", f"/networks/{quote(network)}/connect", body={"Container": container})

    def start(self, container: str) -> None:
        """Start it.

        :raises DockerRefused: its command, a port or a device is not to be had.
        """
        self._call("POST", f"/containers/{container}/start")

    def kill(self, container: str, signal: str) -> None:
        """Signal it; harmless when it has ended."""
        with contextlib.suppress(DockerRefused):
            self._call("POST", f"/containers/{container}/kill", {"signal": signal})

    def remove(self, container: str) -> None:
        """Remove it, running or not; harmless when it is gone."""
        with contextlib.suppress(DockerRefused):
            self._call("DELETE", f"/containers/{container}", {"force": 1, "v": 1})

    def attach(self, container: str) -> socket.socket:
        """Return its stdin, stdout and stderr in one connection; see :func:`pieces`.

        With ``StdinOnce``, the end of this connection is the end of its stdin.
        """
        connection = self._connection(timeout=self._timeout)
        chosen = urlencode({"stream": 1, "stdin": 1, "stdout": 1, "stderr": 1})
        connection.putrequest("POST", f"/{_VERSION}/containers/{container}/attach?{chosen}")
        connection.putheader("Connection", "Upgrade")
        connection.putheader("Upgrade", "tcp")
        connection.endheaders()
        held = connection.sock
        # http.client would read ahead of the frames that follow the headers.
        head = _read_head(held)
        if not head.startswith((b"HTTP/1.1 101", b"HTTP/1.1 200")):
            held.close()
            raise DockerRefused(f"attach to {container}: {head[:200].decode('latin-1')}")
        held.settimeout(None)
        return held

    @contextlib.contextmanager
    def exit_status(self, container: str) -> Iterator[http.client.HTTPResponse]:
        """Begin to wait for its next end, before it is started; the answer comes with its end."""
        connection = self._connection(timeout=None)
        try:
            connection.request(
                "POST", f"/{_VERSION}/containers/{container}/wait?condition=next-exit"
            )
            # The headers come at once, so that the engine surely waits when the container starts.
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise DockerRefused(f"wait for {container}: {error}") from error
        finally:
            connection.close()

    def _call(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        connection = self._connection(timeout=self._timeout)
        target = f"/{_VERSION}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            connection.request(
                method, target, None if body is None else json.dumps(body).encode(), headers
            )
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise DockerRefused(f"{method} {path}: {error}") from error
        finally:
            connection.close()
        if answer.status >= 300 and answer.status != http.HTTPStatus.NOT_MODIFIED:
            raise DockerRefused(f"{method} {path}: {answer.status} {_message(text)}")
        said = json.loads(text) if text else {}
        return said if isinstance(said, dict) else {}

    def _connection(self, timeout: float | None) -> http.client.HTTPConnection:
        return _UnixConnection(self._path, timeout)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("engine", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def pieces(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Yield ``(STDOUT | STDERR, bytes)`` until the container has ended.

    Each frame is a byte that names the stream, three of padding, the size in four, and the bytes.
    """
    with io.BufferedReader(connection.makefile("rb", buffering=0), _CHUNK) as frames:
        while len(header := frames.read(_HEADER)) == _HEADER:
            left = int.from_bytes(header[4:], "big")
            while left:
                piece = frames.read1(min(left, _CHUNK))
                if not piece:
                    return
                left -= len(piece)
                yield header[0], piece


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            break
        head += byte
    return head


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:300].decode("utf-8", "replace")
