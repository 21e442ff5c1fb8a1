"""Services that start together start at the same time, and a failure hides no other start."""

from __future__ import annotations

import threading

import pytest

from harness.launch import at_once


def test_all_are_under_way_at_the_same_time() -> None:
    together = threading.Barrier(3)
    at_once([lambda: together.wait(10)] * 3)
    assert not together.broken


def test_none_and_one_need_no_thread() -> None:
    callers: list[threading.Thread] = []
    at_once([])
    at_once([lambda: callers.append(threading.current_thread())])
    assert callers == [threading.current_thread()]


def test_the_first_failure_is_raised_when_all_are_done() -> None:
    done = threading.Event()

    def fail() -> None:
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        at_once([fail, done.set])
    assert done.is_set()
