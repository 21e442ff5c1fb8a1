"""Server-sent events over HTTP -> frames, and the events among them.

A client of ``GET …/stream`` as a browser's ``EventSource`` is one: it reads from the moment it is
opened, reconnects with ``Last-Event-ID`` and backs off. It stops at ``data: [DONE]``.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from .. import wire
from ..errors import WaitTimeout
from ..event import Event
from ..formats import reader
from ..recorder import Ending, Frame, Recorder
from ..sse import Decoder, ServerSentEvent
from .source import Mapped, Source
from .tls import trusted

if TYPE_CHECKING:
    import httpx

__all__ = ["SseSource"]

DONE = "[DONE]"
_TERMINAL = frozenset({"end", "error", "done"})
_GRAMMAR = frozenset({"started", "token", "metrics", "end", "error", "done"})
_JOB_IN_URL = re.compile(r"/jobs/([^/?#]+)/stream(?:[?#]|$)")
_WORTH_A_RETRY = frozenset({408, 425, 429, 500, 502, 503, 504})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_BODY = 64 * 1024

_decode = msgspec.json.Decoder().decode


class SseSource(Source):
    """Reads one stream in the background, from :meth:`start` on.

    :param url: address of the stream.
    :param name: name of this client in reports.
    :param job_id: the job whose stream it is; otherwise taken from a URL
        ``…/jobs/<id>/stream`` or from the ``started`` frame.
    :param method: with ``json``, streams that answer a POST are read too; such a stream cannot be
        resumed, so it is never reconnected.
    :param expect: statuses other than 200 that the test wants to see: not a failure to read.
    :param attempts: connections in a row that may fail before it gives up.
    :param connect_timeout: seconds that a connection may take.
    :param idle_timeout: seconds of silence after which a connection counts as dead.
    """

    def __init__(
        self,
        url: str,
        recorder: Recorder,
        *,
        headers: Mapping[str, str] | None = None,
        name: str = "client",
        job_id: str | None = None,
        method: str = "GET",
        json: Any = None,
        expect: Collection[int] = (),
        reconnect: bool = True,
        attempts: int = 5,
        connect_timeout: float = 5.0,
        idle_timeout: float = 60.0,
        last_event_id: str = "",
        format: str = "auto",
        mapping: Mapped = None,
    ) -> None:
        super().__init__(name, recorder)
        in_url = _JOB_IN_URL.search(url)
        self.url = url
        self.job_id = job_id or (in_url[1] if in_url else None)
        self.status: int | None = None
        """Status of the last answer; ``None`` before one."""
        self.headers: dict[str, str] = {}
        """Headers of the last answer, lower-case names."""
        self.body = ""
        """What an answer that is no stream said."""
        self.connections = 0
        """How often the stream was asked for, reconnections included."""
        self.last_event_id = last_event_id
        self._request_headers = dict(headers or {})
        self._method = method
        self._json = json
        self._expect = frozenset(expect)
        self._reconnect = reconnect and method == "GET"
        self._attempts = attempts
        self._connect_timeout = connect_timeout
        self._idle_timeout = idle_timeout
        mapping = recorder.mapping if mapping is None else mapping
        self._reader = reader(format, mapping, source=name, own=recorder.formats)
        self._frames: list[Frame] = []
        self._changed = threading.Condition()
        self._is_finished = False
        self._retry: float | None = None
        self._network: Any = None

    @property
    def frames(self) -> list[Frame]:
        """Every frame so far, in order, ``[DONE]`` included as type ``done``."""
        with self._changed:
            return self._frames.copy()

    def wait_open(self, timeout: float = 10.0) -> int:
        """Wait for the first answer and return its status.

        :raises WaitTimeout: nothing answered.
        """
        self._await(lambda: self.status is not None or self._ended.is_set(), timeout, "an answer")
        if self.status is None:
            raise WaitTimeout(f"nothing answered at {self.url}: {self._outcome()}")
        return self.status

    def wait_done(self, timeout: float = 30.0) -> Ending:
        """Wait for the end of the stream and return how it ended.

        :raises WaitTimeout: it has not ended.
        """
        self._await(self._ended.is_set, timeout, "the end of the stream")
        assert self.ending is not None
        return self.ending

    def wait_frame(self, type: str, timeout: float = 10.0) -> Frame:
        """Wait for the first frame of a type and return it.

        :raises WaitTimeout: none came in time, or before the stream ended.
        """

        def found() -> Frame | None:
            return next((frame for frame in self._frames if frame.type == type), None)

        self._await(lambda: found() or self._ended.is_set(), timeout, f"a frame {type!r}")
        frame = found()
        if frame is None:
            raise WaitTimeout(f"the stream ended without a frame {type!r}. {self._seen()}")
        return frame

    def _await(self, condition: Any, timeout: float, what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise WaitTimeout(f"waited {timeout:g} s for {what}. {self._seen()}")

    def _seen(self) -> str:
        types: dict[str, int] = {}
        for frame in self._frames:
            types[frame.type] = types.get(frame.type, 0) + 1
        frames = ", ".join(f"{count}× {name}" for name, count in types.items()) or "no frames"
        answer = f"status {self.status}" if self.status else "no answer"
        return f"{self.url}: {answer}, {frames}; {self._outcome()}"

    def _outcome(self) -> str:
        if self.ending is None:
            return f"still reading after {self.connections} connection(s)"
        return f"{self.ending.outcome}: {self.ending.detail}"

    def _read_until_ended(self) -> None:
        super()._read_until_ended()
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> Ending:
        failures = 0
        with self._client() as client:
            while True:
                before = len(self._frames)
                ending = self._connect(client)
                if ending is not None:
                    return ending
                if self._stopping.is_set():
                    return self._cut_off("stopped before the end of the stream")
                failures = 0 if len(self._frames) > before else failures + 1
                if failures >= self._attempts or not self._reconnect:
                    return self._give_up()
                pause = self._retry if self._retry is not None else _FIRST_PAUSE
                # The server's wish is the first pause; failures in a row double it.
                pause = min(pause * 2 ** max(failures - 1, 0), max(pause, _LONGEST_PAUSE))
                self._stopping.wait(pause)

    def _client(self) -> httpx.Client:
        import httpx

        timeout = httpx.Timeout(self._connect_timeout, read=self._idle_timeout, pool=None)
        host = httpx.URL(self.url).host
        # A proxy that the environment names has no way to this machine's own ports.
        trust_env = not (host == "localhost" or host.startswith("127.") or host == "::1")
        return httpx.Client(
            timeout=timeout,
            verify=trusted(trust_env=trust_env),
            follow_redirects=True,
            trust_env=trust_env,
        )

    def _give_up(self) -> Ending:
        if not self._frames:
            return self._unreachable(f"{self.url}: {self._why} ({self.connections} connection(s))")
        return self._cut_off(f"{self._why} after {len(self._frames)} frames")

    _why = ""

    def _connect(self, client: httpx.Client) -> Ending | None:
        """Read one response; ``None`` when another connection may go on."""
        import httpx

        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        headers |= self._request_headers
        if self.last_event_id:
            headers["Last-Event-ID"] = self.last_event_id
        self.connections += 1
        body = {} if self._json is None else {"json": self._json}
        try:
            with client.stream(
                self._method,
                self.url,
                headers=headers,
                extensions={"trace": self._connected},
                **body,
            ) as response:
                return self._take(response)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError) as error:
            return self._unreachable(f"{self.url}: {error}")
        except (httpx.TransportError, httpx.StreamError, OSError) as error:
            self._why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            return None

    def _connected(self, step: str, info: dict[str, Any]) -> None:
        """Remember the socket that is read from: https://www.encode.io/httpcore/extensions/#trace."""
        if step in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._network = info["return_value"]
        if step.endswith("send_request_body.complete") and self._stopping.is_set():
            self._interrupt()

    def _take(self, response: httpx.Response) -> Ending | None:
        for answer in (*response.history, response):
            self._answered(answer)
        if self._stopping.is_set():
            return None
        if response.status_code == 204:  # "stop reconnecting", says the standard
            return self._complete("204: the server has nothing more to say")
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/event-stream":
            ending = self._read(response)
            if ending is not None or response.status_code == 200:
                return ending
        else:
            self.body = _text(response)
        if response.status_code in self._expect:
            return self._complete(f"status {response.status_code}, as expected")
        self._why = f"status {response.status_code} {response.reason_phrase}: {self.body[:200]}"
        if response.status_code == 200:
            self._why = f"content type {kind or 'missing'}, not text/event-stream"
        elif response.status_code in _WORTH_A_RETRY:
            self._retry = _retry_after(self.headers)
            return None
        return self._unreachable(f"{self.url}: {self._why}")

    def _answered(self, response: httpx.Response) -> None:
        request = response.request
        headers = {name.lower(): value for name, value in response.headers.items()}
        self.recorder.add_exchange(
            source=self.name,
            method=request.method,
            url=str(request.url),
            status=response.status_code,
            request_headers=dict(request.headers),
            response_headers=headers,
        )
        with self._changed:
            self.headers, self.status = headers, response.status_code
            self._changed.notify_all()

    def _read(self, response: httpx.Response) -> Ending | None:
        decoder = Decoder(last_event_id=self.last_event_id)
        for chunk in response.iter_bytes():
            for event in decoder.feed(chunk):
                self.last_event_id = event.id  # first: who waits for the frame may resume after it
                self._frame(event)
                if event.data == DONE:
                    self._is_finished = True
                    return self._complete()
            self.last_event_id = decoder.last_event_id
            if decoder.retry is not None:
                self._retry = decoder.retry / 1000
            for overlong in decoder.overlong:
                self.recorder.add_rejected(wire.Rejected(overlong.head, overlong.why, self.name))
            decoder.overlong.clear()
            if self._stopping.is_set():
                return None
        unfinished = decoder.finish()
        if self._is_finished and not unfinished:
            return self._complete(f"the stream ended after its last frame, without {DONE}")
        where = " in the middle of a frame" if unfinished else ""
        self._why = f"the stream ended{where} without {DONE}"
        return None

    def _frame(self, event: ServerSentEvent) -> None:
        record = _object(event.data)
        kind = event.type
        if event.data == DONE:
            kind = "done"
        elif kind == "message" and isinstance(record.get("type"), str):
            kind = record["type"]
        if kind in _TERMINAL:
            self._is_finished = True
        if kind == "started" and self.job_id is None and isinstance(record.get("job_id"), str):
            self.job_id = record["job_id"]
        # A frame without an id leaves the one before it in force, and has none of its own.
        own_id = event.id if event.own_id else ""
        frame = self.recorder.add_frame(
            kind, event.data, own_id, source=self.name, stream=self.job_id
        )
        self._narrated(kind, record, event.data)
        with self._changed:
            self._frames.append(frame)
            self._changed.notify_all()

    def _narrated(self, kind: str, record: dict[str, Any], data: str) -> None:
        """Add the event that a frame carries, when it carries one."""
        inner = record.get("event")
        if kind == "narration" and isinstance(inner, dict):
            line = msgspec.json.encode(inner)
            decoded = self._reader.decode(line)
            if isinstance(decoded, wire.Rejected):
                self.recorder.add_rejected(decoded)
        elif kind in _GRAMMAR or not record or record.get("type") in _GRAMMAR:
            return
        else:
            decoded = self._reader.decode(data.encode("utf-8", "replace"))
            # Any JSON with a text in it reads as a plain record; here it is a frame's data.
            if self._reader.format == "json" and not _LOGGED & record.keys():
                return
        if isinstance(decoded, Event):
            self.recorder.add_event(decoded, channel="sse", source=self.name, stream=self.job_id)

    def _interrupt(self) -> None:
        network = self._network
        sock = network.get_extra_info("socket") if network is not None else None
        if isinstance(sock, socket.socket):
            # Closing a socket does not wake a thread that reads from it; shutting it down does.
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


_LOGGED = frozenset({"level", "severity", "human", "action", "event_name", "@timestamp"})


def _object(data: str) -> dict[str, Any]:
    if not data.startswith("{"):
        return {}
    try:
        value = _decode(data)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(response: httpx.Response) -> str:
    """Read the body of a refusal, but not one without end."""
    taken, started = b"", time.monotonic()
    for chunk in response.iter_bytes():
        taken += chunk
        if len(taken) > _BODY or time.monotonic() - started > 5:
            break
    return taken[:_BODY].decode("utf-8", "replace")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    seconds = headers.get("retry-after", "")
    return min(float(seconds), _LONGEST_PAUSE) if seconds.isdigit() else None
