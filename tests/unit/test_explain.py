"""Texts of failures: a reader who did not write the test must see what happened."""

from __future__ import annotations

import pytest

from pytest_narration.errors import EmitterDied, PatternFailed, WaitTimeout
from pytest_narration.event import Event
from pytest_narration.explain import compare, differences, nearest, timeline, waited
from pytest_narration.pattern import any_of, event
from pytest_narration.recorder import Ending, Recorder, Where
from pytest_narration.wire import Rejected


class Clock:
    """Seconds that pass only when a test says so, and a little at every look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


def told(recorder: Recorder, pattern: object, *, since: int = 0) -> str:
    with pytest.raises((WaitTimeout, PatternFailed, EmitterDied)) as caught:
        recorder.wait_for(pattern, timeout=0, since=since)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(explain=waited, clock=Clock())


def say(
    recorder: Recorder, service: str, actor: str, action: str, human: str, **fields: object
) -> Event:
    fields.setdefault("correlation_id", "corr-8f3a")
    said = Event(
        service=service,
        instance=service,
        actor=actor,
        action=action,
        human=human,
        **fields,  # type: ignore[arg-type]
    )
    recorder.add_event(said, source=service)
    return said


def test_a_time_out_tells_the_whole_story(recorder: Recorder) -> None:
    say(recorder, "orchestrator", "http-server", "admit", "Admitted job 4f1c")
    say(recorder, "worker", "tokenizer", "tokenize", "Tokenized prompt (7 tokens)", tokens_in=7)
    complete = say(
        recorder,
        "worker",
        "inference-backend",
        "inference_complete",
        "Inference completed",
        tokens_out=41,
        event_id="e1",
    )
    recorder.add_event(complete, channel="sse", source="client", stream="j")
    recorder.add_rejected(Rejected(b"Segmentation fault\xff", "not JSON: bad", "worker", 120))
    recorder.add_ending(Ending("client", "cut off", "connection reset"))
    recorder.attach("worker-gpu0-r1", lambda: -9, lambda n: ["loading", "MemoryError"])

    assert told(
        recorder,
        event(action="tokenize") >> event(action="inference_complete", tokens_out=42),
    ).splitlines()[1:] == [
        "  event(action='inference_complete', tokens_out=42)",
        "what had come of it:",
        '  worker tokenizer tokenize "Tokenized prompt (7 tokens)"',
        "seen: 3 events: orchestrator 1, worker 2",
        "nearest miss:",
        '  worker inference-backend inference_complete "Inference completed"',
        "      tokens_out: expected 42, found 41",
        "last event of each correlation id:",
        '  corr-8f3a: worker inference-backend inference_complete "Inference completed"',
        "process worker-gpu0-r1 ended with exit code -9 (SIGKILL); its last lines:",
        "  | loading",
        "  | MemoryError",
        "source client ended, cut off: connection reset",
        "1 line could not be read as events:",
        "  worker byte 120: not JSON: bad: Segmentation fault\\xff",
        "last events of 2 emitters:",
        "   +0.000  ● │  orchestrator  http-server admit             Admitted job 4f1c",
        "   +0.001  │ ●  worker        tokenizer tokenize            Tokenized prompt (7 tokens)",
        "   +0.002  │ ●  worker        inference-backend inference…  Inference completed  [+sse]",
    ]


@pytest.mark.parametrize(
    ("pattern", "first_lines"),
    [
        (
            event(action="b"),
            ["waited 0.00 s (timeout 0 s) and this did not come:", "  event(action='b')"],
        ),
        (
            ~event(action="a") >> event(action="b"),
            [
                "event(action='a') came (s x a \"Sentence\") before event(action='b')"
                " (waited 0.00 s) while this was awaited:",
                "  ~event(action='a') >> event(action='b')",
            ],
        ),
        (
            event(service="dead"),
            [
                "dead ended with exit code 3, so this can no longer come (waited 0.00 s):",
                "  event(service='dead')",
            ],
        ),
    ],
    ids=["time-out", "failed", "died"],
)
def test_the_first_lines_say_what_was_awaited_and_why_it_ended(
    pattern: object, first_lines: list[str]
) -> None:
    recorder = Recorder(explain=waited, clock=lambda: 0.0)
    say(recorder, "s", "x", "a", "Sentence")
    recorder.attach("dead", lambda: 3)
    recorder.add_ending(Ending("dead", "complete"))
    if first_lines[0].startswith("dead"):
        with pytest.raises(EmitterDied) as caught:
            recorder.wait_for(pattern, timeout=10)  # type: ignore[arg-type]
        text = str(caught.value)
    else:
        text = told(recorder, pattern)

    assert text.splitlines()[:2] == first_lines


def test_silence_is_said(recorder: Recorder) -> None:
    assert told(recorder, event(action="b")).endswith("\nseen: no event")


def test_an_event_before_the_mark_is_pointed_at(recorder: Recorder) -> None:
    say(recorder, "s", "x", "a", "Sentence")
    text = told(recorder, event(action="a"), since=recorder.mark())

    assert text.splitlines()[2:] == [
        "seen: no event after 1 event before the mark",
        "it came before the mark, where it does not count:",
        '  s x a "Sentence"',
    ]


def test_an_event_that_came_too_early_is_pointed_at(recorder: Recorder) -> None:
    say(recorder, "s", "x", "b", "Sentence")
    say(recorder, "s", "x", "a", "Sentence")

    assert (
        '  s x b "Sentence"\n'
        "      meets every condition, but came when something else was needed first"
    ) in told(recorder, event(action="a") >> event(action="b"))


def test_the_sighting_on_the_wrong_channel_is_the_nearest_miss(recorder: Recorder) -> None:
    say(recorder, "s", "x", "a", "Sentence")

    assert "      channel: expected 'sse', found 'stdout'" in told(
        recorder, event(action="a", channel="sse")
    )


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        (event(action="tokenise"), "no event has action='tokenise': did you mean `tokenize`?"),
        (event(acton="tokenize"), "no event has a field `acton`: did you mean `action`?"),
        (event(prot=1), "no event has a field `prot`: did you mean `port`?"),
        (event(zzz=1), "no event has a field `zzz`"),
    ],
    ids=str,
)
def test_misspelt_names_get_a_hint(recorder: Recorder, pattern: object, hint: str) -> None:
    say(recorder, "s", "tokenizer", "tokenize", "Sentence", extra={"port": 2})

    assert hint in told(recorder, pattern).splitlines()


def test_a_long_history_stays_short_and_counts_what_it_cuts(recorder: Recorder) -> None:
    """12 services, 600 events, 30 requests and 9 rejected lines on at most 60 lines of 100."""
    for n in range(600):
        service = f"service-with-a-long-name-{n % 12}"
        say(
            recorder, service, "actor" * 9, "action" * 9, "words " * 40, correlation_id=f"c{n % 30}"
        )
    for n in range(9):
        recorder.add_rejected(Rejected(b"x" * 5000, "not JSON", "worker", n))
        recorder.add_ending(Ending(f"source-{n}", "cut off", "y" * 500))
    lines = told(recorder, event(action="b")).splitlines()

    assert len(lines) <= 60
    assert max(map(len, lines)) <= 100
    text = "\n".join(lines)
    assert "… 4 more services" in " ".join(text.split())
    assert "… 26 others" in text
    assert "… 14 other correlation ids" in text
    assert "9 lines could not be read as events, the last 3:" in text
    assert "5 other sources ended before" in text
    assert "last events of 12 emitters (580 other events left out):" in text


def test_a_million_events_do_not_delay_the_message(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the last arrivals are looked at, and the message says so."""
    monkeypatch.setattr("pytest_narration.explain.waiting._LOOKED_AT", 10)
    for n in range(25):
        say(recorder, "s", "x", f"a{n}", "")

    text = told(recorder, event(action="b"))
    assert "seen: 10 events (and 15 older arrivals, not looked at): s 10" in text


def test_settling_in_vain_is_explained(recorder: Recorder) -> None:
    recorder.add_frame("started", stream="job-7", source="client")
    with pytest.raises(WaitTimeout) as caught:
        recorder.settle(timeout=0, quiet=0)

    assert str(caught.value).splitlines()[:2] == [
        "job job-7 on client started 0.0 s ago and sent neither end, error nor [DONE]"
        " (waited 0.00 s) while this was awaited:",
        "  quiet: no job open, then 0 s without an arrival",
    ]


# Timelines


def test_a_timeline_has_a_lane_per_emitter(recorder: Recorder) -> None:
    say(recorder, "orchestrator", "api", "admit", "Admitted")
    say(recorder, "worker", "tok", "tokenize", "Tokenized", level="warn")
    say(recorder, "orchestrator", "api", "error", "Failed", level="error")

    assert timeline(recorder).splitlines() == [
        "   +0.000  ● │  orchestrator  api admit     Admitted",
        "   +0.001  │ !  worker        tok tokenize  Tokenized",
        "   +0.002  ✗ │  orchestrator  api error     Failed",
    ]


def test_runs_collapse_and_requests_get_names(recorder: Recorder) -> None:
    for n in range(3):
        say(recorder, "worker", "gen", "token", f"Token {n}", template="Token {n}")
    say(recorder, "worker", "gen", "token", "Token 9", template="Token {n}", correlation_id="other")
    say(recorder, "worker", "gen", "stop", "Stopped", correlation_id=None)

    assert timeline(recorder).splitlines() == [
        "   +0.000  ●  c1  worker  gen token  Token 2  ×3",
        "   +0.001  ●  c2  worker  gen token  Token 9",
        "   +0.002  ●  -   worker  gen stop   Stopped",
        "c1 = corr-8f3a",
        "c2 = other",
    ]


def test_instances_of_one_service_have_lanes_of_their_own() -> None:
    recorder = Recorder(clock=Clock())
    for instance in ("i1", "i2"):
        recorder.add_event(Event(action="a", service="worker", instance=instance))
    recorder.add_event(Event(action="a", human="foreign"), source="web.log")

    assert timeline(recorder.records()).splitlines() == [
        "   +0.000  ● │ │  worker#1  a",
        "   +0.001  │ ● │  worker#2  a",
        "   +0.002  │ │ ●  web.log   a  foreign",
    ]


def test_an_event_on_two_channels_is_one_row(recorder: Recorder) -> None:
    for event_id, channels in (("1", ["stdout", "sse"]), ("2", ["sse"])):
        for channel in channels:
            recorder.add_event(Event(event_id=event_id, action="a", service="s"), channel=channel)

    rows = timeline(recorder).splitlines()
    assert [row.partition("[")[2] for row in rows] == ["+sse]", "sse]"]


def test_a_long_timeline_keeps_its_end(recorder: Recorder) -> None:
    for n in range(10):
        say(recorder, "s", "x", f"a{n}", "")

    lines = timeline(recorder, limit=2).splitlines()
    assert lines[0] == "… 8 earlier events"
    assert [line.split()[-1] for line in lines[1:]] == ["a8", "a9"]
    assert timeline(Recorder()) == "no events"


# Differences


def test_differences_name_field_expected_and_found() -> None:
    found = Event(action="a", tokens_in=5, extra={"port": 1})

    assert differences(found, {"action": "a", "tokens_in": 7, "gone": any_of(1, 2), "port": 1}) == [
        "tokens_in: expected 7, found 5",
        "gone: expected any_of(1, 2), found nothing",
    ]


def test_a_predicate_that_says_no_is_a_difference() -> None:
    def is_even(event: Event) -> bool:
        return False

    assert differences(Event(action="a"), Where({"action": "a"}, predicate=is_even)) == [
        "<is_even>: expected True, found False"
    ]


def test_two_events_are_compared_by_what_they_say_first() -> None:
    one = Event(event_id="1", action="a", tokens_in=5, extra={"port": 1})
    other = Event(event_id="2", action="b", tokens_in=5, target="t")

    assert compare(one, other) == [
        "action: 'a' != 'b'",
        "port: 1 != nothing",
        "target: nothing != 't'",
        "event_id: '1' != '2'",
    ]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"action": "b", "tokens_in": 9}, "2"),
        ({"action": "z", "actor": "y", "tokens_in": 2}, "2"),
        ({"actor": "x", "action": "tokenise"}, "1"),
        ({"tokens_in": 1, "action": "b"}, "2"),
        ({"tokens_in": 2, "action": "tokenize"}, "1"),
        ({"action": "nothing like it"}, None),
    ],
)
def test_the_nearest_miss_misses_the_fewest_conditions(
    conditions: dict[str, object], expected: str | None
) -> None:
    """A wrong value at the right point is nearer than another point."""
    recorder = Recorder()
    recorder.add_event(Event(event_id="1", actor="x", action="tokenize", tokens_in=1))
    recorder.add_event(Event(event_id="2", actor="y", action="b", tokens_in=2))
    recorder.add_event(Event(event_id="3", actor="x", action="z", tokens_in=3))

    miss = nearest(recorder.records(), [Where(conditions)])
    assert (miss.record.event.event_id if miss else None) == expected


KEY = "ghp_" + "a1B2" * 9


def test_no_message_spreads_a_secret(recorder: Recorder) -> None:
    """What a service printed by mistake ends in one log; a report goes to many more places."""
    say(
        recorder,
        "worker",
        "backend",
        "login",
        f"Signed in with {KEY}",
        extra={"detail": f"x {KEY}"},
    )
    recorder.attach("worker", lambda: 1, lambda count: [f"token {KEY}", "panic"])
    recorder.add_ending(Ending("worker", "cut off", f"exit code 1: {KEY}"))
    recorder.add_rejected(Rejected(f"using {KEY}".encode(), "not JSON", "worker", 0))
    message = told(recorder, event(service="worker", action="login", detail="y"))
    for text in (message, timeline(recorder)):
        assert "Signed in with [REDACTED]" in text
        assert KEY[:20] not in text


def test_a_secret_that_is_cut_is_no_longer_there_either(recorder: Recorder) -> None:
    """It must be gone before the text is cut, or half of it would stay."""
    say(recorder, "worker", "backend", "login", "x" * 40 + f" {KEY}")
    assert "ghp_" not in timeline(recorder, width=100)
