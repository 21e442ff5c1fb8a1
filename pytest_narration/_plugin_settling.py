"""A test has ended, and its last lines are still on their way -> a verdict that has read them.

What a service printed before the test ended may be in a pipe, in Docker's log or on the network
when the test is judged. So judging waits until the sources are silent, and a test fails only after
a longer silence in which nothing came that would have changed the verdict.
"""

from __future__ import annotations

from collections.abc import Callable

from .errors import WaitTimeout
from .recorder import Recorder

__all__ = ["settled_complaint"]

TIMEOUT = 5.0
"""Seconds that services may go on talking after a test's end."""

_QUIET = 0.2
_QUIET_BEFORE_FAILING = 1.0


def settled_complaint(
    recorder: Recorder, judge: Callable[[], str], *, timeout: float = TIMEOUT
) -> str:
    """Return what ``judge`` complains about once everything has arrived, empty when nothing.

    It is judged at once when no source can bring more. When services do not fall silent in time,
    it is judged all the same, and the complaint says so.
    """
    unsettled = _wait(recorder, timeout, _QUIET)
    mark = recorder.mark()
    complaint = judge()
    if complaint and not unsettled:
        unsettled = _wait(recorder, timeout, _QUIET_BEFORE_FAILING)
        if recorder.mark() != mark:
            complaint = judge()
    return f"{complaint}\n{unsettled}" if complaint and unsettled else complaint


def _wait(recorder: Recorder, timeout: float, quiet: float) -> str:
    """Wait for a silence; return in words what was still going on when the time was over."""
    if not recorder.can_grow():
        return ""
    try:
        recorder.settle(timeout, quiet)
    except WaitTimeout as error:
        why = str(error).partition("\n")[0].partition(" (waited ")[0]
        return (
            f"judged {timeout:g} s after the test's end although more may come: {why}; end what "
            "the test began, or call narration.settle() in it"
        )
    return ""
