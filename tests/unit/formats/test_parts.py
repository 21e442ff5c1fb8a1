"""Levels, times, actions and names of fields mean the same whoever wrote them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.errors import ConfigurationError
from pytest_narration.formats import Format, JsonFormat, Shape, registry
from pytest_narration.formats.actions import action_of, as_action
from pytest_narration.formats.levels import Scale, level_of
from pytest_narration.formats.logfmt import Logfmt
from pytest_narration.formats.roles import role_of
from pytest_narration.formats.times import rfc3339


@pytest.mark.parametrize(
    ("value", "scale", "level"),
    [
        ("INFO", "auto", "info"), ("Warning", "auto", "warn"), ("notice", "auto", "info"),
        ("CRITICAL", "auto", "fatal"), ("dpanic", "auto", "error"), ("SEVERE", "auto", "error"),
        ("VERBOSE", "auto", "trace"), ("INFO+2", "auto", "info"), ("DEBUG-4", "auto", "debug"),
        ("[ERROR]", "auto", "error"), ("WARN    ", "auto", "warn"), ("FINEST", "auto", "trace"),
        ("30", "auto", "info"), (10, "auto", "trace"), (20, "auto", "debug"), (35, "auto", "info"),
        (60, "auto", "fatal"), (3, "auto", "error"), (7, "auto", "debug"), (0, "auto", "fatal"),
        (250, "auto", "info"), (550, "auto", "fatal"), (20, "python", "info"),
        (5, "python", "trace"),
        (1, "otel", "trace"), (9, "otel", "info"), (24, "otel", "fatal"), (13.0, "otel", "warn"),
        (9, "syslog", None), ("purple", "auto", None), ("", "auto", None), (True, "auto", None),
        (None, "auto", None), ({}, "auto", None),
    ],
)  # fmt: skip
def test_a_severity_is_one_of_six_levels(value: object, scale: Scale, level: str | None) -> None:
    assert level_of(value, scale) == level


NOON = "2024-05-01T10:00:00.123Z"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NOON, NOON), ("2024-05-01T12:00:00.123456789+02:00", NOON), (1714557600.123, NOON),
        ("2024-05-01 10:00:00,123", NOON), ("2024/05/01 10:00:00.1239", NOON),
        ("2024-05-01T10:00:00.123+0000", NOON), ("2024-05-01 10:00:00.123 UTC", NOON),
        (1714557600123, NOON), (1714557600123456, NOON), (1714557600123456789, NOON),
        ("1714557600123", NOON), ("1714557600.123", NOON),
        ("2024-05-01T10:00:00Z", NOON[:20] + "000Z"),
        (0.1, "1970-01-01T00:00:00.100Z"), (-1, "1969-12-31T23:59:59.000Z"),
        ("yesterday", None), ("2024-13-01T10:00:00Z", None), ("0001-01-01T00:00:00+14:00", None),
        (1e300, None), (float("nan"), None), (True, None), (None, None), ([], None), ("", None),
    ],
)  # fmt: skip
def test_a_time_is_rfc3339_in_utc(value: object, expected: str | None) -> None:
    assert rfc3339(value) == expected


@settings(max_examples=300, deadline=None)
@given(value=st.floats() | st.integers() | st.text(max_size=30))
def test_any_time_is_told_or_not_and_never_raises(value: object) -> None:
    found = rfc3339(value)
    assert found is None or (len(found) == 24 and found.endswith("Z"))


@pytest.mark.parametrize(
    ("sentence", "action"),
    [
        ("user_logged_in", "user_logged_in"),
        ("order.placed", "order.placed"),
        ("User 42 logged in", "user_logged_in"),
        ("Tokenized prompt ({tokens_in} tokens)", "tokenized_prompt_tokens"),
        ('Order "A1" of bob@example.com placed', "order_of_placed"),
        ("GET https://example.com/a?b=1 returned 200 in 5ms", "get_returned_in"),
        ("Loaded /etc/passwd and C0FFEE42", "loaded_and"),
        ("café überfüllt", "cafe_uberfullt"),
        ("It's done", "it_s_done"),
        ("first line\nsecond line", "first_line"),
        ("one two three four five six seven eight nine", "one_two_three_four_five_six_seven_eight"),
        ("42", ""),
        ("", ""),
    ],
)
def test_an_action_is_what_stays_when_values_change(sentence: str, action: str) -> None:
    assert action_of(sentence) == action


def test_an_explicit_action_stays_as_it_is() -> None:
    assert as_action("order:placed") == "order:placed"
    assert as_action("Order placed!") == "order_placed"


@settings(max_examples=300, deadline=None)
@given(sentence=st.text(max_size=400))
def test_an_action_is_ascii_without_blanks(sentence: str) -> None:
    action = action_of(sentence)
    assert action.isascii()
    assert " " not in action


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("x-request-id", "correlation_id"), ("X-Correlation-Id", "correlation_id"),
        ("requestId", "correlation_id"), ("request_id", "correlation_id"),
        ("http.request.id", "correlation_id"), ("req.id", "correlation_id"),
        ("trace.id", "trace_id"), ("TraceId", "trace_id"), ("dd.trace_id", "trace_id"),
        ("x-b3-traceid", "trace_id"), ("otelSpanID", "span_id"), ("jobId", "job_id"),
        ("parent_job_id", "parent_job_id"), ("service.name", "service"),
        ("traceparent", "traceparent"),
    ],
)  # fmt: skip
def test_ids_are_known_by_all_their_names(name: str, column: str) -> None:
    role = role_of(name)
    assert role is not None
    assert role[0] == column


@pytest.mark.parametrize("name", ["user_id", "order.id", "customer", "id", "identity", "xrequest"])
def test_other_ids_are_left_alone(name: str) -> None:
    assert role_of(name) is None


@pytest.mark.parametrize(
    "text",
    [
        'msg="' + "\\" * 50_000,
        "a=" * 50_000,
        'a="' * 50_000,
        " " * 100_000 + "x",
        "level=info " + "x" * 100_000 + '"',
    ],
    ids=range(5),
)
def test_adversarial_logfmt_takes_linear_time(text: str) -> None:
    began = time.process_time()
    Logfmt().parse(text)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("text", ["hello world", "a=1", "x y z=1", "", "http://a?b=1 c", '{"a":1}'])
def test_prose_is_not_logfmt(text: str) -> None:
    record = Logfmt().parse(text)
    assert record is None or Logfmt().score(record) == 0


class Acme(JsonFormat):
    name = "acme"
    shape = Shape(human=("txt",))

    def score(self, record: dict[str, object]) -> int:
        return 100 if "txt" in record else 0


class Point:
    value = "acme_logs:Acme"

    def __init__(self, name: str, found: object) -> None:
        self.name = name
        self._found = found

    def load(self) -> object:
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


def registered(monkeypatch: pytest.MonkeyPatch, found: object) -> dict[str, Format]:
    monkeypatch.setattr(registry, "entry_points", lambda group: [Point("acme", found)])
    return registry.formats.__wrapped__()


@pytest.mark.parametrize("found", [Acme, Acme()], ids=["class", "instance"])
def test_other_distributions_add_formats(monkeypatch: pytest.MonkeyPatch, found: object) -> None:
    known = registered(monkeypatch, found)
    assert isinstance(known["acme"], Acme)
    assert "pino" in known


def test_a_broken_registration_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"'acme' \(acme_logs:Acme\) cannot be loaded: no"):
        registered(monkeypatch, ImportError("no"))
    with pytest.raises(ConfigurationError, match=r"'acme' of .* is a int; it must be"):
        registered(monkeypatch, 7)
