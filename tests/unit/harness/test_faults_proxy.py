"""Each fault of a link, seen from the two ends of a proxy."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from harness.faults import (
    BadBytes,
    ChangeFrames,
    ChangeHeaders,
    CutStream,
    Delay,
    Drop,
    Duplicate,
    Proxy,
    ProxyThread,
    Reorder,
    RewriteBody,
    only,
    repeat_frame,
    swap_frames,
)

_FRAMES = [f"event: token\ndata: {number}\n\n" for number in range(4)] + ["event: end\ndata: x\n\n"]


class _Upstream(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Upstream
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for frame in _FRAMES:
            self.wfile.write(f"{len(frame):x}\r\n{frame}\r\n".encode())
        self.wfile.write(b"0\r\n\r\n")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.bodies.append(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        said = {"headers": headers, "body": body.decode(), "path": self.path}
        text = json.dumps(said).encode()
        self.send_response(418)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("X-Answer", "kept")
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def upstream() -> Iterator[_Upstream]:
    with _Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(upstream: _Upstream) -> Iterator[Proxy]:
    thread = ProxyThread()
    made = Proxy(thread, lambda: upstream.url)
    yield made
    made.close()
    thread.close()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, timeout=10.0, trust_env=False) as made:
        yield made


def test_without_a_fault_nothing_changes(client: httpx.Client) -> None:
    answer = client.post("/a/b?c=d", content=b"body", headers={"X-Correlation-Id": "c-1"})
    assert (answer.status_code, answer.headers["X-Answer"]) == (418, "kept")
    said = answer.json()
    assert (said["path"], said["body"]) == ("/a/b?c=d", "body")
    assert said["headers"]["x-correlation-id"] == "c-1"
    assert client.get("/").text == "".join(_FRAMES)


def test_an_upstream_that_is_not_known_yet_is_unavailable(
    proxy: Proxy, client: httpx.Client
) -> None:
    def unknown() -> str:
        raise LookupError

    proxy.upstream = unknown
    assert client.post("/").status_code == 503


def test_an_upstream_that_is_gone_breaks_the_connection(proxy: Proxy, client: httpx.Client) -> None:
    proxy.upstream = lambda: "http://127.0.0.1:1"
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/")


def test_a_dropped_call_never_arrives_and_the_next_one_does(
    proxy: Proxy, client: httpx.Client, upstream: _Upstream
) -> None:
    with proxy.having(Drop(times=1)):
        with pytest.raises(httpx.TransportError):
            client.post("/", content=b"one")
        assert client.post("/", content=b"two").status_code == 418
    assert upstream.bodies == [b"two"]


def test_a_fault_hits_only_the_calls_that_it_is_meant_for(
    proxy: Proxy, client: httpx.Client
) -> None:
    with proxy.having(only("POST", "/lost$", Drop(times=9))):
        assert client.post("/lost/not").status_code == 418
        assert client.get("/lost").status_code == 200
        with pytest.raises(httpx.TransportError):
            client.post("/lost")
    assert client.post("/lost").status_code == 418, "the fault was taken out"


def test_a_doubled_call_arrives_twice_and_is_answered_once(
    proxy: Proxy, client: httpx.Client, upstream: _Upstream
) -> None:
    with proxy.having(Duplicate()):
        assert client.post("/", content=b"x").status_code == 418
        client.post("/", content=b"y")
    assert upstream.bodies == [b"x", b"x", b"y"]


def test_a_call_is_overtaken_by_the_next(
    proxy: Proxy, client: httpx.Client, upstream: _Upstream
) -> None:
    fault = Reorder()
    with proxy.having(fault), ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda body: client.post("/", content=body), [b"one", b"two"]))
    assert fault.overtaken == 1
    assert sorted(upstream.bodies) == [b"one", b"two"]


def test_a_call_that_nothing_overtakes_goes_on(proxy: Proxy, client: httpx.Client) -> None:
    fault = Reorder(patience=0.01)
    with proxy.having(fault):
        assert client.post("/").status_code == 418
    assert fault.overtaken == 0


def test_a_call_that_waits_too_long_for_a_slow_one_goes_on(
    proxy: Proxy, client: httpx.Client, upstream: _Upstream
) -> None:
    """The patience of the first may end while the second is on its way."""
    with (
        proxy.having(Delay(0.1)),
        proxy.having(Reorder(patience=0.05)),
        ThreadPoolExecutor(4) as pool,
    ):
        answers = list(pool.map(lambda body: client.post("/", content=body), [b"1", b"2", b"3"]))
    assert [answer.status_code for answer in answers] == [418] * 3
    assert sorted(upstream.bodies) == [b"1", b"2", b"3"]


def test_headers_are_removed_and_set(proxy: Proxy, client: httpx.Client) -> None:
    with proxy.having(ChangeHeaders({"x-correlation-id": None, "X-Parent-Job-Id": "other"})):
        said = client.post("/", headers={"X-Correlation-Id": "c", "X-Parent-Job-Id": "p"}).json()
    assert "x-correlation-id" not in said["headers"]
    assert said["headers"]["x-parent-job-id"] == "other"


def test_a_body_is_rewritten_with_its_length(proxy: Proxy, client: httpx.Client) -> None:
    with proxy.having(RewriteBody(b"prompt", b"p")):
        assert client.post("/", content=b"a prompt, a prompt").json()["body"] == "a p, a p"


def test_a_delay_is_felt_and_loses_nothing(proxy: Proxy, client: httpx.Client) -> None:
    with proxy.having(Delay(0.05)):
        answer = client.get("/")
    assert answer.text == "".join(_FRAMES)
    assert answer.elapsed.total_seconds() >= 0.1, "before the call and before a piece"


def test_a_stream_is_cut_after_some_frames(proxy: Proxy, client: httpx.Client) -> None:
    got = b""
    with (
        proxy.having(CutStream(after=2)),
        client.stream("GET", "/") as answer,
        pytest.raises(httpx.TransportError),
    ):
        for piece in answer.iter_raw():
            got += piece
    assert got.decode() == "".join(_FRAMES[:2])


def test_bad_bytes_come_in_place_of_data(proxy: Proxy, client: httpx.Client) -> None:
    with proxy.having(BadBytes(after=1)):
        got = client.get("/").content
    assert got.startswith(_FRAMES[0].encode())
    with pytest.raises(UnicodeDecodeError):
        got.decode()


def test_frames_are_repeated(proxy: Proxy, client: httpx.Client) -> None:
    with proxy.having(ChangeFrames(repeat_frame("end"))):
        assert client.get("/").text == "".join([*_FRAMES, _FRAMES[-1]])


def test_two_frames_change_places(proxy: Proxy, client: httpx.Client) -> None:
    with proxy.having(ChangeFrames(swap_frames("token"))):
        assert client.get("/").text == "".join([_FRAMES[1], _FRAMES[0], *_FRAMES[2:]])
