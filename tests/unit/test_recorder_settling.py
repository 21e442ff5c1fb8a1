"""Settling when threads are late: the sources' own, and the one that waits."""

from __future__ import annotations

import threading
import time

import pytest

from pytest_narration.errors import WaitTimeout
from pytest_narration.event import Event
from pytest_narration.recorder import Recorder
from pytest_narration.recorder.waits import LATE_SECONDS

QUIET = 0.05
SAID = Event(action="greeted", service="shop", job_id="j", event_id="e1")
BEFORE = Event(action="opened", service="shop", job_id="j", event_id="e0")


@pytest.fixture
def recorder() -> Recorder:
    """One whose shop is read, and showed on a stream what its output has not."""
    recorder = Recorder()
    recorder.add_event(BEFORE, source="shop")
    recorder.add_event(SAID, channel="sse", source="client", stream="j")
    return recorder


def expects_more(recorder: Recorder) -> bool:
    """Tell without a clock whether settling would wait for more than silence."""
    return recorder._late_until(recorder.mark()) > 0


def test_a_line_that_a_stream_has_shown_is_waited_for(recorder: Recorder) -> None:
    late = threading.Timer(6 * QUIET, recorder.add_event, [SAID], {"source": "shop"})
    late.start()

    assert expects_more(recorder)
    recorder.settle(timeout=10, quiet=QUIET)

    assert recorder.events(channel="stdout") == [BEFORE, SAID]
    late.join(10)


def test_a_line_that_never_comes_is_waited_for_once(recorder: Recorder) -> None:
    began = time.monotonic()
    recorder.settle(timeout=10, quiet=QUIET)

    assert time.monotonic() - began > LATE_SECONDS / 2
    assert not expects_more(recorder)


def test_a_line_that_never_comes_is_no_time_out(recorder: Recorder) -> None:
    recorder.settle(timeout=4 * QUIET, quiet=QUIET)


@pytest.mark.parametrize("printed_first", [True, False])
def test_a_line_that_came_is_not_waited_for(printed_first: bool) -> None:
    recorder = Recorder()
    recorder.add_event(BEFORE, source="shop")
    if printed_first:
        recorder.add_event(SAID, source="shop")
        recorder.settle(timeout=10, quiet=QUIET)
        recorder.add_event(SAID, channel="sse", source="client", stream="j")
    else:
        recorder.add_event(SAID, channel="sse", source="client", stream="j")
        recorder.add_event(SAID, source="shop")

    assert not expects_more(recorder)


def test_nothing_is_expected_of_a_service_whose_output_is_not_read() -> None:
    recorder = Recorder()
    recorder.add_event(SAID, channel="sse", source="client", stream="j")

    assert not expects_more(recorder)


class _Stalls:
    """A clock that shows a pause of a minute between two looks at it, once."""

    def __init__(self) -> None:
        self.pause = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.pause


def test_a_thread_that_was_kept_from_looking_looks_again() -> None:
    """What kept it from looking kept the sources' threads from reading."""
    clock = _Stalls()
    recorder = Recorder(clock=clock)

    def stall() -> None:
        clock.pause = 60.0
        time.sleep(5 * QUIET)
        recorder.add_event(SAID, source="shop")

    stalling = threading.Timer(QUIET, stall)
    stalling.start()
    recorder.settle(timeout=600, quiet=4 * QUIET)

    assert recorder.events() == [SAID]
    stalling.join(10)


def test_a_thread_that_is_kept_all_the_time_does_not_wait_for_ever() -> None:
    """A pause between any two looks, and silence all the while: that is quiet enough."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0
        return now

    Recorder(clock=clock).settle(timeout=20, quiet=0.01)


def test_endless_talk_is_no_silence_however_late_it_is_looked_at() -> None:
    recorder: Recorder
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0
        return now

    recorder = Recorder(clock=clock)
    stop = threading.Event()

    def talk() -> None:
        while not stop.is_set():
            recorder.add_event(SAID, source="shop")

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        with pytest.raises(WaitTimeout, match="events keep arriving"):
            recorder.settle(timeout=1000, quiet=400)
    finally:
        stop.set()
        talking.join(10)
