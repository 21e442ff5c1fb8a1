"""A WSGI application behind the middleware: ids in, ids out, the body in the request's context."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import httpx
import pytest

from pytest_narration.emit import current_context, narrate, narration_context
from pytest_narration.emit.wsgi import NarrationMiddleware
from tests.unit.servers import wsgi_server

TRACE = "12345678901234567890123456789012"
HEADERS = {
    "X-Correlation-Id": "c-1",
    "X-Parent-Job-Id": "job-1",
    "traceparent": f"00-{TRACE}-{'1' * 16}-01",
    "tracestate": "narration=01890a5d-ac96-774b-bcce-b302099a8057,foo=1",
}


class Answer:
    """A server's side of one WSGI request."""

    def __init__(self, app: Any, headers: dict[str, str] | None = None) -> None:
        self.environ: dict[str, Any] = {"wsgi.errors": io.StringIO(), "QUERY_STRING": ""}
        setup_testing_defaults(self.environ)
        for name, value in (headers or {}).items():
            self.environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        self.started: list[tuple[str, list[tuple[str, str]], Any]] = []
        self.body = app(self.environ, self.start_response)

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        self.started.append((status, headers, exc_info))
        return lambda chunk: None

    def finish(self) -> bytes:
        try:
            return b"".join(self.body)
        finally:
            self.body.close()

    @property
    def status(self) -> str:
        return self.started[-1][0]

    @property
    def headers(self) -> dict[str, str]:
        names = [name.lower() for name, _ in self.started[-1][1]]
        assert len(names) == len(set(names)), f"a header was set twice: {names}"
        return {name.lower(): value for name, value in self.started[-1][1]}


def works(environ: Any, start_response: Any) -> list[bytes]:
    narrate("work", "Worked", actor="app")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]


def test_ids_come_in_and_go_out(narrated: list[dict[str, Any]]) -> None:
    answer = Answer(NarrationMiddleware(works), HEADERS)
    assert answer.finish() == b"done"
    (event,) = narrated
    assert event["correlation_id"] == "c-1"
    assert event["parent_job_id"] == "job-1"
    assert event["trace_id"] == TRACE
    assert event["parent_span_id"] == "1" * 16
    assert event["cause"] == ["01890a5d-ac96-774b-bcce-b302099a8057"]
    assert answer.headers == {
        "content-type": "text/plain",
        "x-correlation-id": "c-1",
        "x-request-id": "c-1",
        "x-narration-cause": event["event_id"],
    }


def test_the_protocol_is_kept_on_both_sides() -> None:
    """wsgiref's validator around us and around the application complains about any deviation."""
    answer = Answer(validator(NarrationMiddleware(validator(works))), HEADERS)
    assert answer.finish() == b"done"


def test_a_body_is_made_in_its_requests_context_whichever_thread_takes_it() -> None:
    """Two responses interleave over threads; between the chunks nothing of theirs is bound."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        for _ in range(3):
            context = current_context()
            assert context is not None
            yield context.get("correlation_id").encode()

    middleware = NarrationMiddleware(app)
    answers = [Answer(middleware, {"X-Correlation-Id": f"c-{n}"}) for n in range(3)]
    taken: list[list[bytes]] = [[], [], []]
    for _ in range(3):
        for answer, chunks in zip(answers, taken, strict=True):
            with ThreadPoolExecutor(1) as thread:
                chunks.append(thread.submit(next, answer.body).result(5))
        assert current_context() is None
    assert taken == [[f"c-{n}".encode()] * 3 for n in range(3)]
    for answer in answers:
        answer.body.close()


@pytest.mark.parametrize("when", ["call", "iter", "first chunk"])
def test_an_application_that_fails_is_answered_for_and_narrated(
    when: str, narrated: list[dict[str, Any]]
) -> None:
    class Unwilling:
        def __iter__(self) -> Iterator[bytes]:
            raise RuntimeError("secret detail")

    def app(environ: Any, start_response: Any) -> Any:
        if when == "call":
            raise RuntimeError("secret detail")
        return Unwilling() if when == "iter" else lazily()

    def lazily() -> Iterator[bytes]:
        raise RuntimeError("secret detail")
        yield b""

    answer = Answer(NarrationMiddleware(app), HEADERS)
    body = answer.finish()
    assert answer.status == "500 Internal Server Error"
    assert json.loads(body)["error"]["code"] == "internal_error"
    assert answer.headers["content-length"] == str(len(body))
    assert answer.headers["x-correlation-id"] == "c-1"
    (event,) = narrated
    assert (event["action"], event["level"]) == ("request_failed", "error")
    assert event["error_kind"] == "RuntimeError"
    assert answer.headers["x-narration-cause"] == event["event_id"]
    assert b"secret" not in body
    assert "secret" not in json.dumps(narrated)
    assert "RuntimeError: secret detail" in answer.environ["wsgi.errors"].getvalue()


def test_a_failure_after_the_response_began_is_left_to_the_server() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"begun"
        raise RuntimeError("too late")

    answer = Answer(NarrationMiddleware(app))
    with pytest.raises(RuntimeError, match="too late"):
        answer.finish()
    assert len(answer.started) == 1


@pytest.mark.parametrize("when", ["call", "empty chunk", "first chunk"])
def test_a_failure_before_anything_was_sent_is_answered_for(
    when: str, narrated: list[dict[str, Any]]
) -> None:
    """The headers are out with the first bytes; until then they can be taken back (PEP 3333)."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        if when == "call":
            raise RuntimeError("secret detail")
        return lazily()

    def lazily() -> Iterator[bytes]:
        if when == "empty chunk":
            yield b""
        raise RuntimeError("secret detail")

    answer = Answer(NarrationMiddleware(app), HEADERS)
    body = answer.finish()
    assert answer.status == "500 Internal Server Error"
    assert json.loads(body)["error"]["code"] == "internal_error"
    assert answer.started[-1][2][0] is RuntimeError
    assert len(answer.started) == (2 if when == "empty chunk" else 1)
    assert answer.headers["x-correlation-id"] == "c-1"
    assert narrated[-1]["action"] == "request_failed"


def test_the_server_hears_of_the_answer_when_the_application_returns() -> None:
    """What stands around us may want the status before it takes a chunk."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"done"

    answer = Answer(NarrationMiddleware(app))
    assert answer.status == "200 OK"
    assert answer.finish() == b"done"


def test_an_answer_that_is_started_twice_is_a_failure(narrated: list[dict[str, Any]]) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        start_response("200 OK", [])
        return [b"done"]

    assert Answer(NarrationMiddleware(app)).status == "500 Internal Server Error"
    assert narrated[-1]["error_kind"] == "AssertionError"


def test_what_was_written_before_the_failure_cannot_be_taken_back() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])(b"begun")
        raise RuntimeError("too late")

    with pytest.raises(RuntimeError, match="too late"):
        Answer(NarrationMiddleware(app))


def test_an_application_that_forgets_to_answer_is_answered_for(
    narrated: list[dict[str, Any]],
) -> None:
    answer = Answer(NarrationMiddleware(lambda environ, start_response: []), HEADERS)
    body = answer.finish()
    assert answer.status == "500 Internal Server Error"
    assert json.loads(body)["error"]["code"] == "internal_error"
    assert answer.headers["x-request-id"] == "c-1"
    (event,) = narrated
    assert (event["action"], event["error_kind"]) == ("request_failed", "NoResponse")
    assert "start_response" in answer.environ["wsgi.errors"].getvalue()


def test_the_answer_to_head_has_no_body() -> None:
    """Servers pass on what an application says to HEAD."""

    def fails(environ: Any, start_response: Any) -> Any:
        raise RuntimeError

    def asked_for_its_head(environ: Any, start_response: Any) -> Any:
        environ["REQUEST_METHOD"] = "HEAD"
        return NarrationMiddleware(fails)(environ, start_response)

    answer = Answer(asked_for_its_head, HEADERS)
    assert answer.finish() == b""
    assert answer.status == "500 Internal Server Error"
    assert int(answer.headers["content-length"]) > 0


def test_a_middleware_within_another_leaves_the_request_to_it(
    narrated: list[dict[str, Any]],
) -> None:
    twice = NarrationMiddleware(NarrationMiddleware(works))
    answer = Answer(twice, {"X-Correlation-Id": "not an id"})
    answer.finish()
    assert [event["action"] for event in narrated] == ["correlation_id_replaced", "work"]
    ids = {event["correlation_id"] for event in narrated}
    assert ids == {answer.headers["x-correlation-id"]}
    assert answer.headers["x-narration-cause"] == narrated[-1]["event_id"]


def test_an_environ_that_is_used_again_is_another_request() -> None:
    """As test clients do it."""
    first = Answer(NarrationMiddleware(works))
    first.finish()
    again: list[dict[str, str]] = []
    body: Any = NarrationMiddleware(works)(
        first.environ, lambda status, headers: again.append(dict(headers))
    )
    body.close()
    assert again[0]["X-Correlation-Id"] != first.headers["x-correlation-id"]


def test_an_error_page_of_the_application_carries_the_ids() -> None:
    """start_response may be called again with exc_info before anything was sent (PEP 3333)."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        try:
            raise ValueError
        except ValueError:
            start_response("503 Busy", [("X-Correlation-ID", "own")], sys.exc_info())
        return [b"busy"]

    answer = Answer(NarrationMiddleware(app), HEADERS)
    answer.finish()
    assert answer.status == "503 Busy"
    assert answer.started[-1][2][0] is ValueError
    assert answer.headers == {"x-correlation-id": "own", "x-request-id": "own"}


def test_the_applications_iterable_is_closed_in_its_context() -> None:
    closed: list[Any] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"a"])

        def close(self) -> None:
            context = current_context()
            closed.append(context and context.get("correlation_id"))
            raise OSError("close failed")

    def app(environ: Any, start_response: Any) -> Body:
        start_response("200 OK", [])
        return Body()

    answer = Answer(NarrationMiddleware(app), HEADERS)
    with pytest.raises(OSError, match="close failed"):
        answer.finish()
    assert closed == ["c-1"]
    assert current_context() is None


def test_the_callers_context_in_the_same_process_is_not_inherited() -> None:
    with narration_context(job_id="caller", worker_id="w"):
        answer = Answer(NarrationMiddleware(works))
        answer.finish()
        context = current_context()
        assert context is not None
        assert context.trail.last is None
    assert answer.headers["x-correlation-id"]


def test_a_traceparent_that_a_server_joined_from_two_is_refused(
    narrated: list[dict[str, Any]],
) -> None:
    twice = f"{HEADERS['traceparent']},{HEADERS['traceparent']}"
    Answer(NarrationMiddleware(works), {**HEADERS, "traceparent": twice}).finish()
    assert narrated[0]["trace_id"] != TRACE
    assert "cause" not in narrated[0]


def test_a_refused_correlation_id_is_narrated(narrated: list[dict[str, Any]]) -> None:
    answer = Answer(NarrationMiddleware(works), {"X-Correlation-Id": "a b"})
    answer.finish()
    assert narrated[0]["action"] == "correlation_id_replaced"
    assert answer.headers["x-correlation-id"] == narrated[0]["correlation_id"]


def test_a_real_server_serves_it() -> None:
    """wsgiref's server, over a socket."""

    with wsgi_server(NarrationMiddleware(works)) as url:
        answer = httpx.get(url, headers=HEADERS, timeout=5)
    assert answer.headers["x-correlation-id"] == "c-1"
    assert answer.text == "done"
