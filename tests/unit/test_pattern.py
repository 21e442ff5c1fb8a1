"""Patterns: what each operator promises, judged over events in a given order."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.event import Event
from pytest_narration.pattern import (
    Pattern,
    absence,
    absent,
    any_of,
    at_least,
    at_most,
    between,
    bounded_existence,
    containing,
    event,
    existence,
    is_not,
    precedence,
    present,
    regex,
    response,
    scoped,
)
from pytest_narration.recorder import Match, Progress, Recorder

A, B, C, X = (event(action=name) for name in "abcx")


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def recorded(actions: str, **fields: object) -> Recorder:
    """Record one event per letter, a second apart; ``.`` lets a second pass."""
    clock = Clock()
    recorder = Recorder(clock=clock)
    for letter in actions:
        clock.now += 1.0
        if letter != ".":
            recorder.add_event(Event(action=letter, **fields))  # type: ignore[arg-type]
    return recorder


def found(pattern: Pattern, actions: str) -> str | None:
    """Return the actions of the match, ``None`` without one."""
    match = recorded(actions).match(pattern)
    return None if match is None else "".join(e.action for e in match.events)


def fed(pattern: Pattern, actions: str) -> Progress:
    progress = pattern.start()
    for record in recorded(actions).records():
        progress.feed(record)
    return progress


@pytest.mark.parametrize(
    ("pattern", "actions", "expected"),
    [
        (A, "ba", "a"),
        (A, "b", None),
        (A >> B, "ab", "ab"),
        (A >> B, "ba", None),
        (A >> B, "bacb", "ab"),
        (A >> A, "a", None),
        (A >> A, "aba", "aa"),
        (A & B, "ba", "ab"),
        (A & B, "aa", None),
        (A & A, "a", "aa"),
        (A | B, "cb", "b"),
        (A | B, "cc", None),
        (A * 3, "abaa", "aaa"),
        (A * 3, "aba", None),
        (2 * (A >> B), "abab", "abab"),
        (2 * (A >> B), "aabb", None),
        ((A | B) >> C, "bc", "bc"),
        (A >> (B & C), "acb", "abc"),
        ((A & B) >> C, "acb", None),
        (~A, "bc", ""),
        (~A, "ba", None),
        (A.never(), "a", None),
        (~X >> A, "ax", "a"),
        (~X >> A, "xa", None),
        (A >> ~X >> B, "xab", "ab"),
        (A >> ~X >> B, "axb", None),
        (A >> ~X, "ab", "a"),
        (A >> ~X, "abx", None),
        (A >> ~X, "b", None),
        (A & ~X, "xa", None),
        (A & ~X, "ax", "a"),
        (~A & ~B, "c", ""),
        (~A & ~B, "cb", None),
        (~A | B, "ab", "b"),
        (~A | B, "c", ""),
        (~A | B, "ac", None),
        (~(A >> B), "ba", ""),
        (~(A >> B), "ab", None),
        (~(A >> B) >> C, "bac", "c"),
        (~(A >> B) >> C, "abc", None),
        (~(A >> ~B >> C), "abc", ""),
        (~(A >> ~B >> C), "ac", None),
        (A >> ~X >> ~B >> C, "abc", None),
        (A >> ~X >> ~B >> C, "ac", "ac"),
    ],
    ids=str,
)
def test_operators_mean_what_they_say(pattern: Pattern, actions: str, expected: str | None) -> None:
    assert found(pattern, actions) == expected


@pytest.mark.parametrize(
    ("pattern", "actions", "expected"),
    [
        ((A >> B).within(1), "ab", "ab"),
        ((A >> B).within(1), "a.b", None),
        ((A >> B).within(1), "a.ab", "ab"),
        ((A >> B >> C).within(2), "aabc", "abc"),
        ((A >> B >> C).within(2), "ab.c", None),
        ((A * 3).within(2), "a.a.aaa", "aaa"),
        ((A & B).within(1), "b..ab", "ab"),
        (A >> B.within(2), "acb", "ab"),
        (A >> B.within(2), "acab", None),
        (A >> B.within(2), "a..b", None),
        (A >> (B >> C).within(2), "abc", "abc"),
        (A >> (B >> C).within(2), "ab.c", None),
        (A >> B.within(1) >> C, "ab....c", "abc"),
        (A >> ~X.within(2) >> B, "a..xb", "ab"),
        (A >> ~X.within(2) >> B, "axb", None),
        (A >> ~X.within(2), "ax", None),
        (A >> ~X.within(2), "a..x", "a"),
    ],
    ids=str,
)
def test_within_limits_the_time(pattern: Pattern, actions: str, expected: str | None) -> None:
    """A second lies between two letters."""
    assert found(pattern, actions) == expected


def test_within_can_measure_the_emitters_clocks() -> None:
    clock = Clock()
    recorder = Recorder(clock=clock)
    recorder.add_event(Event(action="a", timestamp="2025-01-01T00:00:00.000Z"))
    recorder.add_event(Event(action="b", timestamp="2025-01-01T00:00:07.500Z"))

    assert recorder.match(A >> B.within(1)), "both arrived at once"
    assert recorder.match(A >> B.within(7, by="timestamp")) is None
    assert recorder.match((A >> B).within(7, by="timestamp")) is None
    assert recorder.match((A >> B).within(8, by="timestamp"))


def test_the_emitters_clock_needs_timestamps() -> None:
    with pytest.raises(ValueError, match=r"needs events with a timestamp.*use by='arrival'"):
        recorded("ab").match(A >> B.within(1, by="timestamp"))


@pytest.mark.parametrize(
    ("pattern", "actions", "holds"),
    [
        (existence(A), "ba", True),
        (existence(A), "b", False),
        (absence(A), "b", True),
        (absence(A), "ba", False),
        (bounded_existence(A, at_least=1, at_most=2), "aba", True),
        (bounded_existence(A, at_least=1, at_most=2), "b", False),
        (bounded_existence(A, at_least=1, at_most=2), "aaa", False),
        (bounded_existence(A | B, at_most=1), "ab", False),
        (bounded_existence(A, at_least=2), "aa", True),
        (response(A, B), "aab", True),
        (response(A, B), "aba", False),
        (response(A, B), "ccc", True),
        (existence(A) & response(A, B), "ccc", False),
        (existence(A) & response(A, B), "acb", True),
        (response(A, B, within=1), "ab.ab", True),
        (response(A, B, within=1), "aab", False),
        (precedence(A, B), "cab", True),
        (precedence(A, B), "cba", False),
        (precedence(A, B), "c", True),
        (scoped(~X, after=A), "xab", True),
        (scoped(~X, after=A), "axb", False),
        (scoped(~X, before=A), "bax", True),
        (scoped(~X, before=A), "xba", False),
        (scoped(~X, before=A), "xb", True),
        (scoped(C, after=A, before=B), "acbacb", True),
        (scoped(C, after=A, before=B), "acbab", False),
        (scoped(C, after=A, before=B), "acba", True),
        (scoped(C, after=A, before=B, closes=False), "acba", False),
        (scoped(~X, after=A, before=B), "xabxax", True),
        (scoped(~X, after=A, before=B, closes=False), "xabxax", False),
    ],
    ids=str,
)
def test_temporal_properties_hold_as_defined(pattern: Pattern, actions: str, holds: bool) -> None:
    assert (recorded(actions).match(pattern) is not None) == holds


def test_properties_can_be_demanded_per_request() -> None:
    """Another request's answer is no answer."""
    recorder = Recorder()
    for action, request in ["a1", "a2", "b2"]:
        recorder.add_event(Event(action=action, correlation_id=request))

    assert recorder.match(response(A, B))
    assert recorder.match(response(A, B, per="correlation_id")) is None
    recorder.add_event(Event(action="b", correlation_id="1"))
    assert recorder.match(response(A, B, per="correlation_id"))
    recorder.add_event(Event(action="b", correlation_id="3"))
    assert recorder.match(precedence(A, B))
    assert recorder.match(precedence(A, B, per="correlation_id")) is None


@pytest.mark.parametrize(
    ("condition", "accepted", "refused"),
    [
        (regex(r"^gpu\d$"), ["gpu0"], ["agpu0", "gpu", 0, None]),
        (re.compile("pu"), ["gpu"], ["cp", None]),
        (containing("pu"), ["gpu"], ["cp", None]),
        (between(1, 3), [1, 3, 2.5], [0, 4, "2", True, None]),
        (at_least(2), [2, 9.5], [1, None]),
        (at_most(2), [2, -1], [3, None]),
        (any_of("x", at_least(2)), ["x", 3], ["y", 1, None]),
        (is_not("x"), ["y", None], ["x"]),
        (present, ["", 0, False], [None]),
        (absent, [None], ["", 0]),
        (None, [None], [0, ""]),
        pytest.param(lambda value: value == 4, [4], [5], id="function"),
        (int, [4], [0]),
    ],
    ids=str,
)
def test_matchers_judge_one_value(
    condition: object, accepted: list[object], refused: list[object]
) -> None:
    def is_accepted(value: object) -> bool:
        recorder = Recorder()
        recorder.add_event(Event(action="a", extra={} if value is None else {"field": value}))
        return bool(recorder.records(field=condition))

    assert [v for v in accepted if not is_accepted(v)] == []
    assert [v for v in refused if is_accepted(v)] == []


def test_conditions_reach_columns_extras_nested_extras_and_the_sighting() -> None:
    recorder = Recorder()
    recorder.add_event(
        Event(action="a", tokens_in=7, extra={"port": 1, "user": {"id": 5}}),
        channel="sse",
        source="client",
        stream="job-1",
    )

    assert recorder.match(event(tokens_in=7, port=1, channel="sse", stream="job-1"))
    assert recorder.match(event(**{"user.id": 5}, source="client"))
    assert recorder.match(event(lambda e: e.tokens_in == 7, action="a"))
    assert recorder.match(event(channel="stdout")) is None
    assert recorder.match(event(lambda e: e.tokens_in == 7, action="b")) is None


def test_an_event_seen_on_two_channels_has_happened_once() -> None:
    recorder = Recorder()
    once = Event(event_id="e1", action="a")
    recorder.add_event(once)
    recorder.add_event(Event(event_id="e2", action="b"))
    recorder.add_event(once, channel="sse")

    assert recorder.match(A * 2) is None
    assert recorder.match(B >> A) is None, "the echo of a after b is no second a"
    beside = event(action="z", channel="sse")
    assert recorder.match(B >> A | beside) is None, "whatever else the pattern looks at"
    assert recorder.match(event(action="a", channel="stdout") >> event(action="a", channel="sse"))


def test_a_reconnected_stream_that_repeats_an_event_brings_nothing_new() -> None:
    recorder = Recorder()
    for _ in range(2):
        recorder.add_event(Event(event_id="e1", action="a"), channel="sse", stream="j")

    assert recorder.match(event(action="a", channel="sse") * 2) is None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (A, "event(action='a')"),
        (event(tokens_in=7, human=regex("T")), "event(tokens_in=7, human=regex('T'))"),
        (event(re.search), "event(<search>)"),
        (event(human=re.compile("x+")), "event(human=/x+/)"),
        (A >> B >> C, "event(action='a') >> event(action='b') >> event(action='c')"),
        ((A | B) >> C, "(event(action='a') | event(action='b')) >> event(action='c')"),
        (A | B >> C, "event(action='a') | event(action='b') >> event(action='c')"),
        ((A >> B) * 2, "(event(action='a') >> event(action='b')) * 2"),
        ((A * 2).within(3), "(event(action='a') * 2).within(3)"),
        (~A >> B, "~event(action='a') >> event(action='b')"),
        (~(A & B), "~(event(action='a') & event(action='b'))"),
        (B.within(0.5, by="timestamp"), "event(action='b').within(0.5, by='timestamp')"),
        (
            response(A, B, per="job_id"),
            "response(event(action='a'), event(action='b'), per='job_id')",
        ),
        (scoped(~A, after=B), "scoped(~event(action='a'), after=event(action='b'))"),
    ],
    ids=str,
)
def test_a_pattern_shows_as_it_is_written(pattern: Pattern, text: str) -> None:
    assert repr(pattern) == text


@pytest.mark.parametrize(
    ("pattern", "actions", "remaining"),
    [
        (A >> B >> C, "a", "event(action='b') >> event(action='c')"),
        (A & B & C, "b", "event(action='a') & event(action='c')"),
        (A * 3, "aa", "event(action='a') * 1 (2 of 3 came)"),
        (A >> ~X >> B, "a", "~event(action='x') >> event(action='b')"),
        (A >> (B | C), "a", "event(action='b') | event(action='c')"),
        (A >> B.within(5), "a", "event(action='b').within(5)"),
        (A >> (B >> C).within(5), "ab", "event(action='c').within(5)"),
        (
            response(A, B),
            "aa",
            "event(action='b') after a (2 unanswered)",
        ),
    ],
    ids=str,
)
def test_what_remains_is_shown(pattern: Pattern, actions: str, remaining: str) -> None:
    progress = fed(pattern, actions)

    assert progress.state == "open"
    assert progress.remaining() == remaining


@pytest.mark.parametrize(
    ("pattern", "actions", "reason"),
    [
        (~X >> A, "x", "event(action='x') came (x) before event(action='a')"),
        (~X, "x", "event(action='x') came (x)"),
        (A >> B.within(2), "a..b", "event(action='b') came 3 s after a, 2 s allowed"),
        (bounded_existence(A, at_most=1), "aa", "event(action='a') came 2 times, 1 allowed (a)"),
        (precedence(A, B), "b", "event(action='b') came (b) before any event(action='a')"),
        (
            scoped(C, after=A, before=B),
            "ab",
            "event(action='c') did not come before event(action='b') (b)",
        ),
        (
            ~X >> A | ~X >> B,
            "x",
            "event(action='x') came (x) before event(action='a'); event("
            "action='x') came (x) before event(action='b')",
        ),
    ],
    ids=str,
)
def test_a_failure_says_what_came(pattern: Pattern, actions: str, reason: str) -> None:
    progress = fed(pattern, actions)

    assert progress.state == "failed"
    assert progress.reason() == reason


def test_a_time_limit_ends_with_the_clock_when_nothing_arrives() -> None:
    progress = fed(A >> B.within(2), "a")

    assert progress.deadline() == 3.0
    progress.tick(2.9)
    assert progress.state == "open"
    progress.tick(3.1)
    assert progress.reason() == "event(action='b') did not come within 2 s of a"


@pytest.mark.parametrize(
    ("build", "error", "text"),
    [
        (lambda: A * 0, ValueError, "a whole number from 1"),
        (lambda: A * True, ValueError, "a whole number from 1"),
        (lambda: ~A * 2, ValueError, "an absence cannot be counted"),
        (lambda: A.within(0), ValueError, "greater than 0"),
        (lambda: A.within(1, by="moon"), ValueError, "choose 'arrival' or 'timestamp'"),
        (lambda: A >> "b", TypeError, ">> takes a pattern"),
        (lambda: A and B, TypeError, "not a truth value"),
        (lambda: response(A >> B, C), TypeError, "response takes single events"),
        (lambda: bounded_existence(A, at_least=2, at_most=1), ValueError, "no number is"),
        (lambda: scoped(A), ValueError, "needs after="),
        (lambda: between(3, 1), ValueError, "the lower bound comes first"),
        (lambda: any_of(), ValueError, "accepts nothing"),
    ],
)
def test_a_pattern_without_sense_is_refused(
    build: Callable[[], object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=re.escape(text)):
        build()


_LEAVES = st.sampled_from([A, B, C])
_PATTERNS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a >> b, inner, inner),
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a, n: a * n, inner, st.integers(1, 2)),
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(_PATTERNS, st.text("abc", max_size=12))
def test_a_positive_pattern_met_by_a_history_is_met_by_every_longer_one(
    pattern: Pattern, actions: str
) -> None:
    """And the match is the same: what was found first stays found."""
    matches = [found(pattern, actions[:n]) for n in range(len(actions) + 1)]
    first = next((m for m in matches if m is not None), None)

    assert [m for m in matches if m is not None] == [first] * sum(m is not None for m in matches)
    assert matches == sorted(matches, key=lambda m: m is not None)


@settings(max_examples=100, deadline=None)
@given(_PATTERNS, st.text("abc", max_size=12))
def test_records_found_by_an_index_meet_what_all_records_meet(
    pattern: Pattern, actions: str
) -> None:
    """Long histories are narrowed by indexes; here every letter is followed by 70 others."""
    recorder = Recorder()
    for action in actions:
        recorder.add_event(Event(action=action))
        recorder.add_events(Event(action="other") for _ in range(70))

    match = recorder.match(pattern)
    assert found(pattern, actions) == (match and "".join(e.action for e in match.events))
    if match:
        assert recorder.wait_for(pattern, timeout=0) == match


@settings(max_examples=150, deadline=None)
@given(_PATTERNS, st.text("abc", max_size=12))
def test_negation_turns_the_judgement_round(pattern: Pattern, actions: str) -> None:
    assert (found(pattern, actions) is None) == (found(~pattern, actions) is not None)


@settings(max_examples=100, deadline=None)
@given(st.lists(_PATTERNS, min_size=2, max_size=4), st.text("abc", max_size=12))
def test_no_question_changes_the_answer_to_another(patterns: list[Pattern], actions: str) -> None:
    """Matching consumes nothing: any order of questions, any number of times."""
    recorder = recorded(actions)

    def ask(order: list[Pattern]) -> dict[int, Match | None]:
        return {id(pattern): recorder.match(pattern) for pattern in order}

    assert ask(patterns) == ask(patterns[::-1]) == ask([*patterns, *patterns])
