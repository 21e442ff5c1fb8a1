"""A process with a wrong clock: its dates are wrong, its time-outs right, and nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.launch import clocks
from pytest_narration.errors import ClusterError

_SAY = "import sys, time; print(time.time(), time.monotonic(), flush=True); sys.stdin.read()"


def _left(pid: int) -> list[str]:
    return [path.name for path in Path("/dev/shm").glob(f"*faketime*_{pid}")]


def test_dates_are_wrong_and_time_outs_right_and_a_kill_leaves_nothing() -> None:
    try:
        library = clocks.library()
    except ClusterError as missing:
        pytest.skip(str(missing))
    with subprocess.Popen(
        [sys.executable, "-c", _SAY],
        env={**os.environ, **clocks.wrong_clock(-7200, library)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        wall, monotonic = (float(word) for word in process.stdout.readline().split())
        process.kill()
    assert abs(wall - time.time() + 7200) < 60
    assert abs(monotonic - time.monotonic()) < 60
    assert _left(process.pid), "the library keeps something of a process that was killed"
    clocks.forget(process.pid)
    assert _left(process.pid) == []


def test_a_machine_without_the_library_says_which_package_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clocks, "FAKETIME", "no-such-library.so")
    with pytest.raises(ClusterError, match="apt-get install libfaketime"):
        clocks.library()
