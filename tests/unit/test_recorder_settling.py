"""Settling when threads are late: the sources' own, and the one that waits.

Driven by hand, on a clock that goes on only while it naps; no test here takes time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from pytest_narration.errors import WaitTimeout
from pytest_narration.event import Event
from pytest_narration.recorder import IN_PROCESS, Ending, Recorder
from pytest_narration.recorder.waits import BATCH, LATE_SECONDS

QUIET = 0.2
BEFORE = Event(action="opened", service="shop", job_id="j", event_id="e0")
SAID = Event(action="greeted", service="shop", job_id="j", event_id="e1")
BEAT = Event(action="beat", service="other")
Script = list[tuple[float, Callable[[], object]]]


class Hand:
    """A recorder, its clock, and what happens while somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.late = 0.0
        """How much later than asked each nap ends that nothing interrupts."""
        self.naps: list[float] = []
        self.recorder = Recorder(clock=lambda: self.now)

    def settle(
        self,
        *script: tuple[float, Callable[[], object]],
        timeout: float = 5.0,
        quiet: float = QUIET,
    ) -> float:
        """Settle while this happens at these times; return how long it took."""
        began, todo = self.now, sorted(script, key=lambda entry: entry[0])
        steps = self.recorder._settle(timeout, quiet, None)
        for nap in steps:
            assert len(self.naps) < 10_000, "it never ends"
            self.naps.append(nap)
            if todo and todo[0][0] <= self.now - began + nap + self.late:
                at, act = todo.pop(0)
                self.now = max(self.now, began + at)
                act()
            else:
                self.now += nap + self.late
        return self.now - began

    def printed(self, *events: Event, source: str = "shop") -> Callable[[], None]:
        return partial(self.recorder.add_events, events, source=source)

    def shown(self, *events: Event) -> Callable[[], None]:
        return partial(self.recorder.add_events, events, channel="sse", source="client", stream="j")

    def frame(self, type: str) -> Callable[[], object]:
        return partial(self.recorder.add_frame, type, stream="k", source="client")


@pytest.fixture
def hand() -> Hand:
    """The shop is read, and a stream has just shown what its output has not."""
    hand = Hand()
    hand.printed(BEFORE)()
    hand.shown(SAID)()
    return hand


def test_a_line_that_a_stream_has_shown_is_awaited(hand: Hand) -> None:
    assert hand.settle((0.6, hand.printed(SAID))) == pytest.approx(0.6 + QUIET)
    assert hand.recorder.events(channel="stdout") == [BEFORE, SAID]


def test_a_line_that_never_comes_is_awaited_for_a_second_once(hand: Hand) -> None:
    assert hand.settle() == pytest.approx(LATE_SECONDS)
    assert hand.settle() == pytest.approx(QUIET)


def test_time_that_has_passed_is_not_waited_for_again(hand: Hand) -> None:
    hand.now = 0.7
    assert hand.settle() == pytest.approx(LATE_SECONDS - 0.7)


def test_what_others_say_does_not_prolong_it(hand: Hand) -> None:
    beats = [(beat / 4, hand.printed(BEAT, source="other")) for beat in range(1, 40)]
    assert hand.settle(*beats) <= LATE_SECONDS + 2 * QUIET


@pytest.mark.parametrize("at", [0.5, 0.65, 0.7, 0.79, 2.0])
def test_it_is_no_reason_to_run_out_of_time(hand: Hand, at: float) -> None:
    """The system was silent once, which is what was asked for."""
    assert hand.settle((at, hand.printed(SAID)), timeout=0.8) <= 0.8 + 1e-9


def test_a_job_that_begins_meanwhile_is_awaited_too(hand: Hand) -> None:
    tokens = [(0.5 + n / 50, hand.frame("token")) for n in range(100)]
    script = [(0.5, hand.frame("started")), *tokens, (2.5, hand.frame("end"))]
    assert hand.settle(*script) == pytest.approx(2.5 + QUIET)


def test_a_service_whose_output_has_ended_prints_no_more(hand: Hand) -> None:
    ending = partial(hand.recorder.add_ending, Ending("shop", "complete"))
    assert hand.settle((0.3, ending)) == pytest.approx(0.3 + QUIET)


@pytest.mark.parametrize("source", [None, IN_PROCESS])
def test_nothing_is_expected_of_a_service_whose_output_is_not_read(source: str | None) -> None:
    hand = Hand()
    if source is not None:
        hand.printed(BEFORE, source=source)()
    hand.shown(SAID)()
    assert hand.settle() == pytest.approx(QUIET)


def test_what_was_printed_first_is_not_awaited(hand: Hand) -> None:
    hand.printed(SAID)()
    hand.settle()
    hand.now += 100
    hand.shown(BEFORE, SAID)()
    assert hand.settle() == pytest.approx(QUIET)


def test_who_asks_for_no_silence_waits_for_nothing(hand: Hand) -> None:
    hand.settle(timeout=0.3)
    assert hand.settle(quiet=0) == 0
    # And takes nothing from who does.
    assert hand.settle((0.4, hand.printed(SAID))) == pytest.approx(0.4 + QUIET)


def test_a_thread_that_was_kept_from_looking_looks_again() -> None:
    """What kept it kept the sources' threads from reading."""
    hand = Hand()
    hand.late = 60.0

    def let_go() -> None:
        hand.late = 0.0
        hand.printed(SAID)()

    took = hand.settle((60.3, let_go), timeout=600)
    assert took == pytest.approx(60.3 + QUIET)
    assert hand.recorder.events() == [SAID]


@pytest.mark.parametrize(("late", "quiet"), [(0.005, 0.01), (0.15, QUIET), (30.0, QUIET)])
def test_a_thread_that_is_always_late_comes_to_an_end(late: float, quiet: float) -> None:
    hand = Hand()
    hand.late = late
    assert hand.settle(timeout=600, quiet=quiet) <= 2 * (quiet + late) + 1e-9


def test_a_thread_that_is_a_little_late_was_not_kept() -> None:
    hand = Hand()
    hand.late = 0.09
    assert hand.settle(quiet=0.01) == pytest.approx(0.01 + 0.09)


def test_endless_talk_is_no_silence_however_late_it_is_looked_at() -> None:
    hand = Hand()
    hand.late = 1.0
    talk = [(n / 10, hand.printed(BEAT, source="other")) for n in range(200)]
    with pytest.raises(WaitTimeout, match="events keep arriving"):
        hand.settle(*talk, timeout=10)


def test_much_that_was_said_is_looked_through_in_parts() -> None:
    """So that an asyncio loop gets its turn in between."""
    hand = Hand()
    hand.printed(*[BEAT] * (3 * BATCH + 1), source="other")()
    hand.settle()
    assert hand.naps.count(0.0) >= 3
