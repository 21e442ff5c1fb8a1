"""A container's log over Docker's API -> events, without losing a stream, a line or a tail.

The API sends frames, not lines: each has a header with its stream and size, and a line of more
than 16 KiB comes in several. docker-py's ``logs()`` throws the headers away; this reads the raw
response. A last line without a newline reaches the log only after the process has died, when a
live stream may be over already: so the log is read once more, and what was seen is skipped.
https://docs.docker.com/reference/api/engine/version/v1.47/#tag/Container/operation/ContainerAttach
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import MissingExtra, SourceUnreachable
from ..recorder import Ending, Recorder
from .source import Intake, Mapped, Source

__all__ = ["Demultiplexer", "DockerSource"]

STDOUT, STDERR = 1, 2
_HEADER = 8
_CHUNK = 256 * 1024
_PASSES = 3
"""Connections to the engine that may break before reading gives up."""


class Demultiplexer:
    """Bytes of a raw log response -> ``(stream, bytes)`` pieces; any chunking, no copy kept.

    The pieces of one stream, joined, are what the container wrote to it: fragments of a long
    line need no further treatment.
    """

    def __init__(self) -> None:
        self._header = bytearray()
        self._stream = STDOUT
        self._missing = 0

    @property
    def is_at_boundary(self) -> bool:
        """Whether all frames so far were whole."""
        return not self._header and not self._missing

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """Take the next bytes and yield what they hold."""
        position = 0
        while position < len(chunk):
            if self._missing:
                piece = chunk[position : position + self._missing]
                position += len(piece)
                self._missing -= len(piece)
                yield self._stream, piece
                continue
            taken = chunk[position : position + _HEADER - len(self._header)]
            self._header += taken
            position += len(taken)
            if len(self._header) == _HEADER:
                self._stream = self._header[0]
                self._missing = int.from_bytes(self._header[4:], "big")
                self._header.clear()


class DockerSource(Source):
    """Follows one container until it ends or the source is stopped.

    :param container: id or name.
    :param client: a ``docker.DockerClient``; otherwise one is made from the environment.
    :param since: Unix time from which to read; 0 is from the container's start.
    """

    def __init__(
        self,
        container: str,
        recorder: Recorder,
        *,
        name: str | None = None,
        client: Any = None,
        since: int = 0,
        format: str = "auto",
        mapping: Mapped = None,
    ) -> None:
        super().__init__(name or container, recorder)
        self.container = container
        self._client = client
        self._since = since
        self._into: dict[int, Intake] = {
            STDOUT: self._intake(format, mapping),
            STDERR: self._intake(format, mapping, label=":stderr"),
        }
        self._seen_bytes = {STDOUT: 0, STDERR: 0}
        self._socket: socket.socket | None = None

    def lines(self, count: int = 20) -> list[str]:
        """Return the last lines of its stderr, then of its stdout."""
        return [*self._into[STDERR].lines(count), *self._into[STDOUT].lines(count)][-count:]

    def start(self) -> DockerSource:
        """Begin to read.

        :raises MissingExtra: docker-py is not installed.
        :raises SourceUnreachable: no engine answers, or it knows no such container.
        """
        if self._client is None:
            try:
                import docker
            except ImportError as error:
                raise MissingExtra("docker", "docker") from error
            self._client = docker.from_env()
        try:
            state = self._client.api.inspect_container(self.container)
        except Exception as error:  # docker-py and requests each have their own tree
            raise SourceUnreachable(f"container {self.container}: {error}") from error
        self._is_tty = bool(state["Config"]["Tty"])
        self.recorder.attach(self.name, self._exit_code, self.lines, announces_end=True)
        super().start()
        return self

    def _exit_code(self) -> int | None:
        """Asked by waits; an engine that does not answer is no sign of death."""
        with contextlib.suppress(Exception):
            state = self._client.api.inspect_container(self.container)["State"]
            if not state["Running"] and not state.get("Restarting"):
                return int(state["ExitCode"])
        return None

    def _run(self) -> Ending:
        failure = ""
        for _ in range(_PASSES):
            try:
                self._pass(follow=True)
                if self._stopping.is_set() or self._exit_code() is not None:
                    break
                failure = "the engine ended the log of a running container"
            except Exception as error:  # docker-py, requests and urllib3 each have their own tree
                failure = f"{type(error).__name__}: {error}"
                if self._stopping.is_set():
                    break
        else:
            return self._finish(self._cut_off(failure))
        try:
            self._pass(follow=False)
        except Exception as error:  # as above: a removed container has no log any more
            return self._finish(self._cut_off(f"its last lines could not be read: {error}"))
        code = self._exit_code()
        return self._finish(self._complete("" if code is None else f"exit code {code}"))

    def _finish(self, ending: Ending) -> Ending:
        for intake in self._into.values():
            intake.finish()
        return ending

    def _pass(self, *, follow: bool) -> None:
        """Read the log from its beginning, skip what was seen, take the rest."""
        api = self._client.api
        response = api._get(
            api._url("/containers/{0}/logs", self.container),
            params={"stdout": 1, "stderr": 1, "follow": int(follow), "since": self._since},
            stream=True,
            timeout=None,
        )
        api._raise_for_status(response)
        with contextlib.closing(response):
            self._socket = api._get_raw_response_socket(response) if follow else None
            if self._stopping.is_set() and follow:
                return
            # Chunked answers come piece by piece, as the engine sends them.
            self._read(response.raw.stream(_CHUNK, decode_content=False))

    def _read(self, chunks: Iterable[bytes]) -> None:
        """Take frames from the beginning of the log, past what earlier passes took."""
        skip = dict(self._seen_bytes)
        frames = Demultiplexer()
        for chunk in chunks:
            for stream, piece in [(STDOUT, chunk)] if self._is_tty else frames.feed(chunk):
                target = STDERR if stream == STDERR else STDOUT
                known = min(skip[target], len(piece))
                skip[target] -= known
                fresh = piece[known:]
                self._seen_bytes[target] += len(fresh)
                self._into[target].feed(fresh)

    def _interrupt(self) -> None:
        connection = self._socket
        if connection is not None:
            raw = getattr(connection, "_sock", connection)
            with contextlib.suppress(OSError, AttributeError):
                raw.shutdown(socket.SHUT_RDWR)
