"""A reader loses nothing and never raises: traces, fragments, garbage, floods, cut ends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.errors import ConfigurationError
from pytest_narration.event import Event
from pytest_narration.formats import Batch, Continuation, Decoded, Reader, flat, reader
from pytest_narration.wire import Rejected

INFO = b'{"level":"info","message":"%s"}\n'


def read(data: bytes, **options: object) -> list[Decoded]:
    lines = Reader(**options)  # type: ignore[arg-type]  # options differ from test to test
    decoded = lines.feed(data) + lines.finish()
    for item in decoded:
        if isinstance(item, Continuation):
            item.attach()
    return decoded


def events(decoded: Iterable[Decoded]) -> list[Event]:
    return [item for item in decoded if isinstance(item, Event)]


def rejected(decoded: Iterable[Decoded]) -> list[Rejected]:
    return [item for item in decoded if isinstance(item, Rejected)]


TRACES = {
    "python": """Traceback (most recent call last):
  File "app.py", line 3, in <module>
    main()
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "app.py", line 5, in <module>
app.errors.CartError: two
lines""",
    "java": """java.lang.IllegalStateException: no
	at com.acme.Shop.main(Shop.java:7)
	... 12 more
Caused by: java.io.IOException: disk
	at x""",
    "node": """/app/server.js:10
    throw new Error('boom')
    ^

Error: boom
    at Object.<anonymous> (/app/server.js:10:9)

Node.js v20.20.2""",
    "go": """panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.main()
	/app/main.go:12 +0x1d
exit status 2""",
    "rust": """thread 'main' panicked at src/main.rs:2:5:
explicit panic
stack backtrace:
   0: rust_begin_unwind
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace""",
    "dotnet": """Unhandled exception. System.InvalidOperationException: no
   at Shop.Main() in /app/Shop.cs:line 7
   --- End of inner exception stack trace ---""",
}


@pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES.keys())
def test_a_stack_trace_belongs_to_the_event_before_it(trace: str) -> None:
    data = INFO % b"failing" + trace.encode() + b"\n" + INFO % b"next"
    decoded = read(data)
    first, second = events(decoded)
    assert first.extra["continuation"] == [line for line in trace.splitlines() if line]
    assert second.extra == {}
    assert rejected(decoded) == []


GO_STACK = """main.main.func1
\t/app/stock.go:4
net/http.HandlerFunc.ServeHTTP
\t/usr/lib/go/src/net/http/server.go:2109
net/http.(*conn).serve
\t/usr/lib/go/src/net/http/server.go:1995
golang.org/x/sync/errgroup.(*Group).Go.func1
\t/go/pkg/mod/errgroup.go:78"""


def test_the_stack_that_zap_prints_below_a_failure_is_attached() -> None:
    failure = b'2024-05-01T10:00:00.123Z\tWARN\tshop/main.go:4\tsold out\t{"request_id": "r"}\n'
    decoded = read(failure + GO_STACK.encode() + b"\n" + INFO % b"next")
    first, second = events(decoded)
    assert first.extra["continuation"] == GO_STACK.splitlines()
    assert second.extra == {}
    assert rejected(decoded) == []


@pytest.mark.parametrize("text", [b"example.com", b"config.yaml", b"done.", b"v1.2"])
def test_a_word_with_a_dot_is_part_of_no_trace(text: bytes) -> None:
    [bad] = rejected(read(INFO % b"one" + text + b"\n"))
    assert bad.line == text


def test_interleaved_programs_keep_their_own_traces() -> None:
    data = b"".join([
        b"api-1  | " + INFO % b"api",
        b"web-1  | " + INFO % b"web",
        b"api-1  | Traceback (most recent call last):\n",
        b"web-1  | " + INFO % b"more",
        b"api-1  | ValueError: no\n",
    ])  # fmt: skip
    api, *_ = events(read(data))
    assert api.extra["continuation"] == ["Traceback (most recent call last):", "ValueError: no"]


def test_plain_text_is_rejected_and_not_taken_for_a_trace() -> None:
    decoded = read(INFO % b"one" + b"Server listening on port 80\n" + INFO % b"two")
    assert [item.line for item in rejected(decoded)] == [b"Server listening on port 80"]


def test_a_trace_before_any_event_is_rejected() -> None:
    """Each of its lines says the same: they are one thing that happened."""
    found = rejected(read(TRACES["node"].encode() + b"\n"))
    assert len(found) == 6
    assert {item.why for item in found} == {"part of a stack trace that follows no event"}


def test_what_follows_a_rejected_line_belongs_to_no_event() -> None:
    """It would be shown with an event that it has nothing to do with, and not be counted."""
    decoded = read(INFO % b"one" + b"ERROR in the shop\n    at checkout\n" + INFO % b"two")
    assert [event.extra for event in events(decoded)] == [{}, {}]
    assert [(item.line, item.why) for item in rejected(decoded)] == [
        (b"ERROR in the shop", "not a structured record of any known format"),
        (b"    at checkout", "continues a line that is no event"),
    ]


@pytest.mark.parametrize("line", [b"  INFO order received", b"\t[ERROR] no stock"])
def test_an_indented_level_begins_a_line_of_its_own(line: bytes) -> None:
    decoded = read(INFO % b"one" + line + b"\n")
    assert events(decoded)[0].extra == {}
    assert [item.line for item in rejected(decoded)] == [line]


def test_a_record_over_several_lines_is_an_event() -> None:
    """log4j2's JsonLayout prints so, Jackson's pretty printer, and exports for people."""
    printed = b'{\r\n  "message": "two",\r\n  "n": [\r\n    1\r\n  ]\r\n}\r\n'
    decoded = read(INFO % b"one" + printed + INFO % b"three" + printed.replace(b"}", b"},"))
    assert [event.human for event in events(decoded)] == ["one", "two", "three", "two"]
    assert events(decoded)[1].extra == {"n": [1]}
    assert not rejected(decoded)


def test_an_array_of_records_is_a_batch() -> None:
    """Fluent Bit's `json` output, and whatever else is saved as one value."""
    array = b'[{"message":"one"},{"n":1},{"message":"two"}]'
    for text in (array, array.replace(b"[", b"[\n ").replace(b"]", b"\n]")):
        batch = next(item for item in read(text) if isinstance(item, Batch))
        assert [type(item).__name__ for item in batch.events] == ["Event", "Rejected", "Event"]


@pytest.mark.parametrize("last", [b"", b"} else {\n", b"Listening\n"])
def test_a_record_over_several_lines_that_does_not_end_is_rejected_once(last: bytes) -> None:
    decoded = [*flat(read(INFO % b"one" + b'{\n  "message": "two"\n' + last))]
    first, *_ = rejected(decoded)
    assert first.line == b'{\n  "message": "two"'
    assert first.offset == len(INFO % b"one")
    assert first.why.startswith("JSON over several lines that does not end")
    assert len(rejected(decoded)) == 1 + bool(last)


def test_lines_of_other_programs_end_a_record_over_several_lines() -> None:
    own = b'{"event_id":"1","actor":"a","action":"b","human":"c","service":"s"}\n'
    decoded = [*flat(read(own + b"{\n  'js': 1\n" + own + b"{\n  js: 1\n}\n" + own))]
    assert [event.actor for event in events(decoded)] == ["a", "a", "a"]
    assert [item.line for item in rejected(decoded)] == [b"{\n  'js': 1", b"{\n  js: 1\n}"]


def test_a_record_over_too_many_lines_is_skipped_and_reported() -> None:
    lines = b"[\n" + b'  "0123456789",\n' * 1000 + b"]\n" + INFO % b"after"
    decoded = read(lines, most_bytes=3000)
    assert [event.human for event in events(decoded)] == ["after"]
    (refused,) = rejected(decoded)
    assert "the most is 3000" in refused.why
    assert refused.line.startswith(b"[\n  ")
    assert len(refused.line) <= 2048


def test_a_line_by_itself_begins_no_record_over_several_lines() -> None:
    """Tokens of a model come as frames of one bracket, with whole records between them."""
    lines = reader()
    assert isinstance(lines.decode(b"{"), Rejected)
    assert isinstance(lines.decode(INFO % b"one"), Event)


@pytest.mark.parametrize(
    "line",
    [
        "INFO:     127.0.0.1:1 - \"GET /?a=b HTTP/1.1\" 200 OK",
        "2024-05-01 10:00:00,123 INFO shop.orders order A-1 received",
        "2024-05-01T10:00:00.123Z ERROR something went wrong",
        "ERROR in the shop", "error: cannot find x", "info", "INFO: {}", "warning: {not json}",
        "purple order received a=b", "Information about=x",
        'sent body {"level":"info","message":"x"}', 'got event: {"level":"info","message":"x"}',
        'a:b: {"n":1}', 'ERROR:root: {"level":"info","message":"x"}',
        're-sent body {"level":"info","message":"x"}',
    ],
)  # fmt: skip
def test_text_without_fields_stays_text(line: str) -> None:
    assert isinstance(reader().decode(line.encode()), Rejected)


@pytest.mark.parametrize(
    "line",
    [
        b"I0501 10:00:00.123456 1 a.go:1] x" + b" " * 400_000 + b"y",
        b"WARN[0001] x" + b" " * 400_000 + b"y",
        b"[2024-05-01 10:00:00] a.ERROR: x" + b" {" * 200_000 + b"}",
        b"10:00:00.123 " + b"a=b " * 100_000,
        b"2024-05-01T10:00:00Z " + b"a" * 400_000,
        b"shop" + b"-1" * 200_000 + b" {",
        b'{"log":"' + b'"stream"' * 50_000,
    ],
    ids=lambda line: line[:30].decode(),
)
def test_an_odd_long_line_takes_no_longer_than_its_length(line: bytes) -> None:
    began = time.process_time()
    read(line + b"\n")
    assert time.process_time() - began < 2


def test_a_long_line_of_text_takes_no_longer_than_its_length() -> None:
    """Two megabytes, in a time that a quadratic search needs for a few hundred kilobytes."""
    for unit in ("INFO a b ", "info: x{", "INFO a_", "a=' ", "WARN [x "):
        began = time.monotonic()
        reader().decode((unit * (2_000_000 // len(unit))).encode())
        reader().decode((unit[:5] + unit[5:] * (2_000_000 // len(unit))).encode())
        assert time.monotonic() - began < 10


def test_an_event_takes_no_more_than_a_thousand_lines() -> None:
    decoded = read(INFO % b"one" + b"  more\n" * 1500)
    assert len(events(decoded)[0].extra["continuation"]) == 1000
    assert len(rejected(decoded)) == 500


def test_offsets_are_those_of_the_line_in_the_stream() -> None:
    data = INFO % b"one" + b"garbage\n" + INFO % b"two" + b"more garbage"
    lines = reader(source="app")
    found = []
    for size in (7, 1, 30, 10_000):
        found.append(lines.feed(data[:size]))
        data = data[size:]
    found.append(lines.finish())
    bad = [item for chunk in found for item in rejected(chunk)]
    data = INFO % b"one" + b"garbage\n" + INFO % b"two"
    assert [(item.source, item.offset) for item in bad] == [
        ("app", data.index(b"garbage")),
        ("app", len(data)),
    ]
    assert bad[1].why.endswith("(the stream ended in this line)")


ODD = [
    (b'{"level":"info","message":"x","n":NaN,"m":-Infinity}', {"n": "NaN", "m": "-Infinity"}),
    (b'{"level":"info","message":"x","n":1e999}', {"n": "inf"}),
    (b'{"level":"info","message":"x","n":"a\xffb"}', {"n": "a\ufffdb"}),
    (b'{"level":"info","message":"x","n":"a\\ud800b"}', {"n": "a?b"}),
    (b'{"level":"info","message":"x","n":"a\tb"}', {"n": "a\tb"}),
    (b'{"level":"info","message":"x","n":1,"n":2}', {"n": 2}),
    (b'{"level":"info","message":"x","n":' + b"9" * 400 + b"}", {"n": int("9" * 400)}),
]


@pytest.mark.parametrize(("line", "extra"), ODD, ids=range(len(ODD)))
def test_odd_json_that_loggers_write_is_read(line: bytes, extra: dict[str, object]) -> None:
    event = reader().decode(line)
    assert isinstance(event, Event)
    assert event.extra == extra


BAD = {
    "deep": b'{"message":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep enough to break a reader": b'{"message":"x","n":' + b"[" * 900 + b"]" * 900 + b"}",
    "cut": b'{"message":"x","n":[1,2',
    "array": b"[1,2,3]",
    "no message": b'{"a":1}',
    "long number": b'{"message":"x","n":' + b"9" * 10_000 + b"x}",
    "binary": bytes(range(1, 32)),
    "wire of the wrong type": b'{"event_id":"e","actor":"a","action":"b","human":"c","seq":"7"}',
    "two records": b'{"message":"x"}{"message":"y"}',
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD.keys())
def test_a_bad_line_is_rejected_with_a_reason_and_the_next_is_read(line: bytes) -> None:
    decoded = read(line.replace(b"\n", b"") + b"\n" + INFO % b"next")
    [bad] = rejected(decoded)
    assert bad.why
    assert [event.human for event in events(decoded)] == ["next"]


def test_a_line_of_a_megabyte_is_an_event() -> None:
    [event] = events(read(INFO % (b"x" * 1_000_000)))
    assert len(event.human) == 1_000_000


@pytest.mark.parametrize("size", [10**9, 1000, 7])
def test_a_line_beyond_the_limit_is_skipped_and_reported(size: int) -> None:
    data = INFO % b"one" + b"{" + b"x" * 50_000 + b"\n" + INFO % b"two" + b"y" * 50_000
    lines = Reader(most_bytes=10_000)
    decoded = [d for i in range(0, len(data), size) for d in lines.feed(data[i : i + size])]
    decoded += lines.finish()
    assert [event.human for event in events(decoded)] == ["one", "two"]
    first, last = rejected(decoded)
    assert last.offset == data.index(b"y")
    assert first.offset == data.index(b"{x")
    if size < 50_000:
        assert first.why == "line of 50001 bytes; the most is 10000"
        assert len(first.line) == 2048


def test_blank_lines_are_nothing() -> None:
    decoded = read(b"\n\n" + INFO % b"one" + b"\r\n   \n")
    assert len(events(decoded)) == 1
    assert rejected(decoded) == []
    assert events(decoded)[0].extra == {}


def test_a_stream_may_mix_formats() -> None:
    decoded = read(
        b'{"level":30,"time":1,"pid":1,"hostname":"h","msg":"pino"}\n'
        b'level=info msg=logfmt\n{"@t":"2024-05-01T10:00:00Z","@m":"clef"}\n'
        b'{"event_id":"e","service":"s","actor":"a","action":"b","human":"own"}\n'
    )
    assert [event.human for event in events(decoded)] == ["pino", "logfmt", "clef", "own"]


def test_an_export_is_a_batch() -> None:
    record = {"body": {"stringValue": "x"}}
    line = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record, record]}]}]})
    batch = reader().decode(line.encode())
    assert isinstance(batch, Batch)
    assert [event.human for event in events(batch.events)] == ["x", "x"]


def test_a_mapping_says_where_things_are() -> None:
    lines = reader(
        "auto",
        {
            "correlation_id": "ctx.corr",
            "message": ["title", "text"],
            "time": "at",
            "severity": "sev",
            "job_id": "ctx.job",
            "actor": "who",
        },
    )
    event = lines.decode(
        b'{"text":"Hello","at":1714557600123,"sev":"W","ctx":{"corr":"c-1","job":7},"who":"me"}'
    )
    assert isinstance(event, Event)
    assert (event.human, event.level, event.timestamp) == (
        "Hello",
        "warn",
        "2024-05-01T10:00:00.123Z",
    )
    assert (event.correlation_id, event.job_id, event.actor) == ("c-1", "7", "me")


def test_a_mapping_wins_over_what_a_format_finds() -> None:
    line = b'{"level":30,"time":1,"pid":1,"hostname":"h","reqId":"a","flow":{"x":"b"},"msg":"m"}'
    event = reader("auto", {"correlation_id": "flow.x"}).decode(line)
    assert isinstance(event, Event)
    assert event.correlation_id == "b"


def test_a_mapping_sees_the_record_as_it_was_written() -> None:
    line = b'{"record":{"message":"m","level":{"name":"INFO"},"extra":{"rid":"r"}},"text":""}'
    event = reader("auto", {"correlation_id": "record.extra.rid"}).decode(line)
    assert isinstance(event, Event)
    assert event.correlation_id == "r"


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        ({"corelation_id": "x"}, "'corelation_id' is no column of an event; choose from"),
        ({"correlation_id": 7}, "correlation_id must be a dotted path or a list of them"),
        ({"correlation_id": []}, "correlation_id must be a dotted path or a list of them"),
    ],
)
def test_a_wrong_mapping_is_explained(mapping: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        reader("auto", mapping)  # type: ignore[arg-type]  # wrong on purpose


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)did you mean 'pino'.*bunyan.*zap"):
        reader("pinno")


def test_a_service_is_filled_in_for_foreign_lines_only() -> None:
    """An event of the package's own that names no service breaks a rule, and goes on doing so."""
    foreign = reader(service="api").decode(INFO % b"x")
    framed = reader(service="api").decode(b"web-1  | " + INFO % b"x")
    own = reader(service="api").decode(b'{"event_id":"e","actor":"a","action":"b","human":"c"}')
    assert isinstance(foreign, Event)
    assert isinstance(framed, Event)
    assert isinstance(own, Event)
    assert (foreign.service, framed.service, own.service) == ("api", "web", None)


def test_extras_never_hide_a_column() -> None:
    """A foreign field of a column's name and another type is kept beside it."""
    event = reader().decode(b'{"message":"x","level":"info","seq":"abc","cause":"z","job_id":true}')
    assert isinstance(event, Event)
    assert event.extra == {"raw.seq": "abc", "raw.cause": "z", "raw.job_id": True}
    assert event.fields()["level"] == "info"


PIECES = [
    INFO % b"x", b'{"level":30,"time":1,"msg":"m","pid":1,"hostname":"h"}\n', b"level=info msg=a\n",
    b"api-1  | ", b"[pod/a/b] ", b"2024-05-01T10:00:00.1Z stdout P ", b"<34>1 - - - - - - ", b"\n",
    b'{"log":"', b'","stream":"stdout","time":""}\n', b"Traceback (most recent call last):\n",
    b"    at x\n", b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}\n', b"\x1b[31m", b"{",
    b'{"specversion":1,"id":2,"source":3,"type":4}\n', b'{"task_uuid":[],"task_level":{}}\n',
    b'{"event_name":1,"occurred_at":{},"actor":7}\n', b'{"@t":1,"@mt":{}}\n', b"\xff\xfe", b"\0",
    b'{"record":{"message":1,"level":2,"time":3,"extra":4},"text":5}\n', b"a=1 level= b\n",
    b'{"fields":{},"target":{},"level":"x"}\n', b'{"short_message":0,"host":{},"level":1e300}\n',
    b"2024-05-01T10:00:00.1Z\tINFO\t", b"2024-05-01 10:00:00 [info     ] ", b"INFO r{a=1}:x: ",
    b'info: x {"a":1}\n', b" ERROR a='", b"9.9e+09\t", b"main.f()\n", b"0|a | ", b"a-0 b {",
    b"a:b: {", b"I0501 10:00:00.123456 1 a.go:1] ", b'"m" a=1\n', b"x {} []\n", b"ERROR:a:",
    b"[2024-05-01 10:00:00] a.ERROR: ", b"10:00:00.123 ", b"[main] INFO a -- ", b"WARN[0001] ",
    b"<3>", b"10.1 ",
    b'{"log":"a\\n","stream":"x"}\n', b'{"line":"{}","labels":{"app":1}}\n', b"a.1.", b"@n | ",
    b'{"method":"GET","path":"/","status":{}}\n', b'{"_meta":{"logLevelName":""},"0":{}}\n',
    b'{"categoryName":1,"data":[[],{}]}\n', b'[{"traceId":"1","id":"2","kind":{},"tags":[]}]\n',
    b'{"data":[{"traceID":"","spans":[{"logs":[{}],"tags":[{"key":"error"}]}]}]}\n',
    b'{"start_time":1,"context":{"trace_id":2},"events":[{"name":[]}]}\n',
    b"{\n", b"[\n", b"}\n", b"]\n", b' "message": "x"\n', b'[{"message":"x"},{}]\n',
    b'{"level":true,"message":{"a":[]},"timestamp":-1e18,"service":{"name":{}}}\n', b'"', b"}",
]  # fmt: skip
streams = st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=30).map(b"".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(sorted({
    "level", "message", "msg", "time", "timestamp", "event", "record", "fields", "target", "@t",
    "@mt", "@timestamp", "log.level", "log", "trace", "resourceLogs", "task_uuid", "task_level",
    "short_message", "host", "levelname", "name", "pid", "hostname", "v", "ts", "caller", "source",
    "specversion", "id", "type", "event_name", "occurred_at", "actor", "correlation", "instant",
    "loggerName", "threadName", "mdc", "contextMap", "Timestamp", "LogLevel", "Category", "State",
    "Scopes", "MessageTemplate", "Level", "Properties", "MESSAGE", "__REALTIME_TIMESTAMP",
    "data", "spans", "traceID", "spanID", "operationName", "traceId", "parentId", "annotations",
    "tags", "kind", "localEndpoint", "startTime", "duration", "start_time", "context", "events",
    "status", "method", "path", "request", "_meta", "0", "categoryName", "kubernetes", "stream",
    "labels", "line", "podName", "source_type", "processes", "references", "batches", "result",
    "exception", "action", "human", "seq", "cause", "kvpList", "traceparent", "error",
}))  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(data=streams, size=st.integers(1, 60))
def test_any_bytes_in_any_chunking_give_the_same_and_lose_nothing(data: bytes, size: int) -> None:
    whole, pieces = Reader(), Reader()
    once = whole.feed(data) + whole.finish()
    many = [d for i in range(0, len(data), size) for d in pieces.feed(data[i : i + size])]
    many += pieces.finish()
    assert many == once
    assert not any(item.why.startswith("the reader failed") for item in rejected(once))
    lines = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    assert len(once) >= lines


@settings(max_examples=500, deadline=None)
@given(record=st.dictionaries(KEYS, json_values, max_size=8))
def test_any_record_of_known_names_is_read_or_rejected(record: dict[str, object]) -> None:
    line = json.dumps(record).encode()
    decoded = reader().decode(line)
    assert isinstance(decoded, Event | Rejected | Batch | Continuation)
    if isinstance(decoded, Rejected):
        assert "the reader failed" not in decoded.why
    if isinstance(decoded, Event):
        json.dumps(decoded.fields(), allow_nan=False).encode()
        assert decoded.level in {"trace", "debug", "info", "warn", "error", "fatal"}
