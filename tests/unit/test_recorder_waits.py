"""Waiting: at once when it came, soon when it comes, never longer than it can come."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_narration.errors import EmitterDied, PatternFailed, WaitTimeout
from pytest_narration.event import Event
from pytest_narration.pattern import Pattern, event, precedence, response
from pytest_narration.recorder import Ending, Record, Recorder

A, B, X = (event(action=name) for name in "abx")
MANY = 50_000


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def add(recorder: Recorder, actions: str, *, source: str = "", service: str | None = None) -> None:
    for action in actions:
        recorder.add_event(Event(action=action, service=service), source=source)


@contextmanager
def meanwhile(act: Callable[[], None], *, after: float = 0.02) -> Iterator[None]:
    """Run ``act`` in a thread while the block waits."""
    timer = threading.Timer(after, act)
    timer.start()
    try:
        yield
    finally:
        timer.join(10)


def test_what_already_came_is_found_at_once(recorder: Recorder) -> None:
    add(recorder, "ab")

    assert recorder.wait_for(A >> B, timeout=0).event.action == "b"
    assert recorder.wait_for(action="a", timeout=0).record.index == 0
    assert recorder.wait_for(lambda e: e.action == "a", timeout=0).events[0].action == "a"


def test_what_comes_later_ends_the_wait(recorder: Recorder) -> None:
    with meanwhile(lambda: add(recorder, "ab")):
        match = recorder.wait_for(A >> B, timeout=10)

    assert [e.action for e in match.events] == ["a", "b"]


def test_waits_take_nothing_from_each_other(recorder: Recorder) -> None:
    add(recorder, "ba")

    assert recorder.wait_for(A, timeout=0).event.action == "a"
    assert recorder.wait_for(B, timeout=0).event.action == "b"


def test_what_came_before_the_mark_does_not_count(recorder: Recorder) -> None:
    add(recorder, "a")
    mark = recorder.mark()

    with pytest.raises(WaitTimeout):
        recorder.wait_for(A, timeout=0.01, since=mark)
    add(recorder, "a")
    assert recorder.wait_for(A, timeout=0, since=mark).record.index == mark


def test_a_time_out_says_what_remained(recorder: Recorder) -> None:
    add(recorder, "a")

    with pytest.raises(WaitTimeout, match=r"^event\(action='b'\): not met within 0.01 s"):
        recorder.wait_for(A >> B, timeout=0.01)


def test_a_wait_fails_at_once_when_it_can_no_longer_succeed(recorder: Recorder) -> None:
    with (
        meanwhile(lambda: add(recorder, "x")),
        pytest.raises(PatternFailed, match=r"event\(action='x'\) came \(x\) before"),
    ):
        recorder.wait_for(~X >> A, timeout=60)


def test_a_limit_inside_a_pattern_ends_the_wait(recorder: Recorder) -> None:
    add(recorder, "a")

    with pytest.raises(PatternFailed, match=r"did not come within 0\.05 s of a"):
        recorder.wait_for(A >> B.within(0.05), timeout=60)


def test_an_absence_holds_when_the_time_is_over(recorder: Recorder) -> None:
    add(recorder, "a")

    assert recorder.wait_for(~X, timeout=0.02).records == ()
    assert recorder.wait_for(precedence(A, B), timeout=0.02).records == ()
    with pytest.raises(WaitTimeout, match=r"event\(action='b'\) after a \(1 unanswered\)"):
        recorder.wait_for(response(A, B), timeout=0.02)
    with pytest.raises(LookupError, match="met by an absence"):
        _ = recorder.wait_for(~X, timeout=0).event


@pytest.mark.parametrize("during", [0, 60])
def test_what_must_never_come_fails_at_once_when_it_came(recorder: Recorder, during: float) -> None:
    add(recorder, "ax")

    with pytest.raises(PatternFailed, match=r"^never event\(action='x'\): .* came, and must not"):
        recorder.never(X, during=during)
    with pytest.raises(PatternFailed):
        recorder.never(action="x", during=during)
    with pytest.raises(PatternFailed):
        recorder.never(A >> X, during=during)


def test_what_must_never_come_is_watched_for_a_while(recorder: Recorder) -> None:
    add(recorder, "x")
    mark = recorder.mark()
    recorder.never(X >> A)
    recorder.never(~X)
    recorder.never(X, since=mark, during=0.02)

    with (
        meanwhile(lambda: add(recorder, "x")),
        pytest.raises(PatternFailed),
    ):
        recorder.never(X, since=mark, during=60)


def test_conditions_and_a_pattern_together_are_refused(recorder: Recorder) -> None:
    with pytest.raises(TypeError, match="not both"):
        recorder.wait_for(A, action="b")


def test_a_failing_predicate_reaches_the_test_and_no_producer(recorder: Recorder) -> None:
    with (
        meanwhile(lambda: add(recorder, "a")),
        pytest.raises(ZeroDivisionError),
    ):
        recorder.wait_for(lambda e: bool(1 / 0), timeout=10)
    add(recorder, "a")


def test_what_arrives_while_a_long_history_is_read_is_not_slept_through(
    recorder: Recorder,
) -> None:
    """Its wake-up call comes while the wait is busy, and nothing arrives afterwards."""
    add(recorder, "b" * MANY)
    rest = iter("a")

    def adding_once(event: Event) -> bool:
        add(recorder, next(rest, ""))
        return event.action == "a"

    began = time.monotonic()
    recorder.wait_for(adding_once, timeout=20)

    assert time.monotonic() - began < 10


def test_a_wait_ends_in_time_under_a_source_that_outruns_it(recorder: Recorder) -> None:
    def two_more(event: Event) -> bool:
        add(recorder, "bb")
        return False

    add(recorder, "b")
    with pytest.raises(WaitTimeout):
        recorder.wait_for(two_more, timeout=0.05)


def test_a_long_history_is_looked_up_not_read(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every condition has an indexed column, only what may meet one is matched."""
    add(recorder, "a" + "b" * MANY + "c")
    read: list[int] = []
    record = recorder._log.record

    def counted(position: int) -> Record:
        read.append(position)
        return record(position)

    monkeypatch.setattr(recorder._log, "record", counted)
    recorder.wait_for(A >> event(action="c"), timeout=10)
    assert recorder.match(A >> event(action="c"))

    assert read == [0, MANY + 1] * 2


def test_every_record_is_matched_once_by_a_wait(recorder: Recorder) -> None:
    """A long history is not read again for each arrival."""
    add(recorder, "b" * MANY)
    calls = 0

    def counted(event: Event) -> bool:
        nonlocal calls
        calls += 1
        return event.action == "a"

    def trickle() -> None:
        for _ in range(50):
            add(recorder, "b")
        add(recorder, "a")

    with meanwhile(trickle):
        recorder.wait_for(counted, timeout=30)

    assert calls == MANY + 51


# asyncio


@pytest.mark.asyncio
async def test_tasks_wait_while_the_loop_goes_on(recorder: Recorder) -> None:
    goes_on = threading.Event()

    async def tick() -> None:
        for _ in range(5):
            await asyncio.sleep(0.001)
        goes_on.set()

    def once_it_went_on() -> None:
        if goes_on.wait(timeout=5):
            add(recorder, "ab")

    with meanwhile(once_it_went_on):
        _, *matches = await asyncio.gather(
            tick(), *(recorder.wait_for_async(A >> B, timeout=10) for _ in range(100))
        )

    assert {m.event.action for m in matches} == {"b"}


@pytest.mark.asyncio
async def test_reading_a_long_history_lets_other_tasks_run(recorder: Recorder) -> None:
    add(recorder, "b" * MANY + "a")
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await recorder.wait_for_async(lambda event: event.action == "a", timeout=10)
    counting.cancel()

    assert turns >= MANY // 4096


@pytest.mark.asyncio
async def test_tasks_are_told_the_same_as_threads(recorder: Recorder) -> None:
    with pytest.raises(WaitTimeout, match=r"not met within 0\.01 s"):
        await recorder.wait_for_async(A, timeout=0.01)
    add(recorder, "x")
    with pytest.raises(PatternFailed):
        await recorder.wait_for_async(~X >> A, timeout=10)
    with pytest.raises(PatternFailed):
        await recorder.never_async(X, during=10)
    await recorder.settle_async(quiet=0.01)


@pytest.mark.asyncio
async def test_a_cancelled_wait_leaves_nothing_behind(recorder: Recorder) -> None:
    waiting = asyncio.create_task(recorder.wait_for_async(A, timeout=60))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert recorder._waiters._wakes == ()
    add(recorder, "a")


class CountingClock:
    """How often a wait looks at it is how often it woke."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return time.monotonic()


@pytest.mark.asyncio
async def test_a_wait_sleeps_between_arrivals() -> None:
    """One arrival wakes it once, and it does not spin afterwards."""
    clock = CountingClock()
    recorder = Recorder(clock=clock)

    def wait_in_thread() -> None:
        with meanwhile(lambda: add(recorder, "x")), pytest.raises(WaitTimeout):
            recorder.wait_for(A, timeout=0.1)

    await asyncio.to_thread(wait_in_thread)
    with meanwhile(lambda: add(recorder, "x")), pytest.raises(WaitTimeout):
        await recorder.wait_for_async(A, timeout=0.1)

    assert clock.looks < 40


# Death


class Process:
    """What the recorder asks for an exit code."""

    def __init__(self) -> None:
        self.code: int | None = None

    def __call__(self) -> int | None:
        return self.code


def test_the_death_of_the_awaited_service_ends_the_wait(recorder: Recorder) -> None:
    process = Process()
    recorder.attach("worker", process)

    def die() -> None:
        process.code = -9
        recorder.add_ending(Ending("worker", "complete"))

    with (
        meanwhile(die),
        pytest.raises(EmitterDied, match="worker ended with exit code -9"),
    ):
        recorder.wait_for(A >> event(action="b", service="worker"), timeout=60)


def test_last_lines_that_meet_the_pattern_win_over_the_death(recorder: Recorder) -> None:
    """The process is dead before the wait; its lines are still being read."""
    recorder.attach("worker", lambda: 0, announces_end=True)

    def read_on() -> None:
        add(recorder, "b", source="worker", service="worker")
        recorder.add_ending(Ending("worker", "complete"))

    with meanwhile(read_on):
        assert recorder.wait_for(action="b", service="worker", timeout=10)


def dead_for(seconds: float) -> Recorder:
    """Return one whose worker ended so long ago, by its clock, without an announced ending."""
    clock = 0.0
    recorder = Recorder(clock=lambda: clock)
    recorder.attach("worker", lambda: 3)
    recorder.deaths()
    clock = seconds
    return recorder


def test_the_last_lines_have_a_second_where_no_ending_is_announced() -> None:
    recorder = dead_for(0.9)

    with meanwhile(lambda: add(recorder, "b", source="worker", service="worker")):
        assert recorder.wait_for(action="b", service="worker", timeout=60)


def test_a_dead_process_without_an_announced_ending_is_given_up_after_a_second() -> None:
    with pytest.raises(EmitterDied, match="exit code 3"):
        dead_for(1.5).wait_for(service="worker", action="b", timeout=60)


@pytest.mark.parametrize(
    "pattern", [A, event(service="pool"), A | event(service="worker")], ids=str
)
def test_a_death_elsewhere_is_no_reason_to_stop_waiting(
    recorder: Recorder, pattern: Pattern
) -> None:
    recorder.attach("worker", lambda: 1)
    recorder.attach("pool", lambda: None)
    recorder.add_ending(Ending("worker", "complete"))

    with pytest.raises(WaitTimeout, match="worker ended with exit code 1"):
        recorder.wait_for(pattern, timeout=0.05)


def test_a_service_that_speaks_through_another_process_lives_with_it(recorder: Recorder) -> None:
    """The pool manager relays the worker's lines."""
    pool = Process()
    recorder.attach("pool", pool)
    add(recorder, "a", source="pool", service="worker")
    with pytest.raises(WaitTimeout):
        recorder.wait_for(service="worker", action="b", timeout=0.05)

    pool.code = 1
    recorder.add_ending(Ending("pool", "complete"))
    with pytest.raises(EmitterDied):
        recorder.wait_for(service="worker", action="b", timeout=60)


def test_a_source_without_a_process_keeps_open_waits_alive(recorder: Recorder) -> None:
    recorder.attach("worker", lambda: 1)
    recorder.add_ending(Ending("worker", "complete"))
    add(recorder, "b", source="in-process")

    with pytest.raises(WaitTimeout):
        recorder.wait_for(A, timeout=0.05)
    recorder.add_ending(Ending("in-process", "complete"))
    with pytest.raises(EmitterDied):
        recorder.wait_for(A, timeout=60)


def test_a_restarted_process_is_alive_again(recorder: Recorder) -> None:
    recorder.attach("worker", lambda: 1)
    recorder.add_ending(Ending("worker", "complete"))
    recorder.attach("worker", lambda: None)

    with pytest.raises(WaitTimeout):
        recorder.wait_for(source="worker", timeout=0.05)


def test_a_process_that_cannot_be_asked_is_not_dead(recorder: Recorder) -> None:
    def broken() -> int | None:
        raise OSError

    recorder.attach("worker", broken)
    with pytest.raises(WaitTimeout):
        recorder.wait_for(source="worker", timeout=0.05)


# Quiescence


def test_settling_waits_for_the_end_of_every_stream(recorder: Recorder) -> None:
    recorder.add_frame("started", stream="j")
    ended_at: list[float] = []

    def end() -> None:
        ended_at.append(time.monotonic())
        recorder.add_frame("end", stream="j")

    with meanwhile(end, after=0.1):
        recorder.settle(timeout=10, quiet=0.05)

    assert time.monotonic() - ended_at[0] >= 0.05


def test_settling_waits_for_late_lines(recorder: Recorder) -> None:
    """A line within the silent window begins it anew."""
    with meanwhile(lambda: add(recorder, "a"), after=0.05):
        recorder.settle(timeout=10, quiet=0.3)

    assert recorder.match(A)


@pytest.mark.parametrize("last", ["end", "error", "done"])
def test_each_last_frame_closes_a_job(recorder: Recorder, last: str) -> None:
    recorder.add_frame("started", stream="j")
    recorder.add_frame(last, stream="j")

    recorder.settle(timeout=1, quiet=0)


def test_an_open_job_is_named(recorder: Recorder) -> None:
    recorder.add_frame("started", stream="job-7", source="client")
    recorder.add_frame("token", stream="job-7", source="client")

    with pytest.raises(WaitTimeout, match=r"job job-7 on client started .* neither end, error nor"):
        recorder.settle(timeout=0.02, quiet=0)


def test_a_stream_that_was_cut_off_keeps_nobody_waiting(recorder: Recorder) -> None:
    recorder.add_frame("started", stream="j", source="client")
    recorder.add_ending(Ending("client", "cut off"))

    recorder.settle(timeout=1, quiet=0)


def test_endless_talk_is_named() -> None:
    """By a clock that goes on only while somebody talks, so that no pause is a silence."""
    said = 0
    recorder = Recorder(clock=lambda: said / 100)
    stop = threading.Event()

    def talk() -> None:
        nonlocal said
        while not stop.is_set():
            said += 1
            add(recorder, "a")
            stop.wait(0.001)

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        with pytest.raises(WaitTimeout, match="events keep arriving"):
            recorder.settle(timeout=0.2, quiet=0.1)
    finally:
        stop.set()
        talking.join()


def test_services_without_streams_settle_by_a_terminal_event(recorder: Recorder) -> None:
    def is_last(event: Event) -> bool:
        return event.action == "finished"

    recorder.add_event(Event(action="begun", actor="api", service="shop", job_id="j1"))
    with pytest.raises(WaitTimeout, match="job j1 of shop has no terminal event; its last is api"):
        recorder.settle(timeout=0.02, quiet=0, terminal=is_last)

    recorder.add_event(Event(action="finished", job_id="j1"))
    recorder.add_event(Event(action="afterthought", job_id="j1"))
    recorder.settle(timeout=1, quiet=0, terminal=is_last)


def test_an_open_job_of_dead_processes_is_given_up(recorder: Recorder) -> None:
    recorder.attach("worker", lambda: 1)
    recorder.add_event(Event(action="begun", job_id="j1"), source="worker")
    recorder.add_ending(Ending("worker", "complete"))

    with pytest.raises(EmitterDied, match="exit code 1"):
        recorder.settle(timeout=60, quiet=0, terminal=lambda e: False)


@pytest.mark.parametrize("awaited", ["listening", {"action": "listening"}, 7])
def test_what_is_no_pattern_is_refused_at_once(awaited: Any) -> None:
    """It would be awaited for ever, or until the time-out, as something that cannot come."""
    with pytest.raises(TypeError, match=r"expected a pattern such as event\(action='listening'\)"):
        Recorder().wait_for(awaited, timeout=5)


def test_the_lines_of_a_dead_program_are_waited_for_until_its_source_ends() -> None:
    """A fast program is long dead while its output is still being read."""
    clock = 0.0
    recorder = Recorder(clock=lambda: clock)
    recorder.attach("x", lambda: 0, announces_end=True)
    assert [death.exit_code for death in recorder.deaths()] == [0]
    clock = 100.0
    with meanwhile(lambda: add(recorder, "a", source="x")):
        assert recorder.wait_for(source="x", action="a", timeout=60)
    recorder.add_ending(Ending("x", "complete"))
    with pytest.raises(EmitterDied):
        recorder.wait_for(source="x", action="b", timeout=60)
