"""A service as a process of this machine: what it said last is heard, however late it is read."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from harness.launch import Spec, local
from pytest_narration.errors import EmitterDied
from pytest_narration.recorder import Ending, Recorder
from pytest_narration.sources import StreamSource

_SERVICE = """
import json
print(json.dumps({"action": "farewell", "actor": "a", "human": "Bye", "level": "info"}))
"""


def test_the_last_lines_of_a_dead_service_are_awaited_however_late_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each start of it dies while the thread that reads its pipe is far behind."""
    reads = threading.Event()

    class Late(StreamSource):
        def _run(self) -> Ending:
            assert reads.wait(60)
            return super()._run()

    monkeypatch.setattr(local, "StreamSource", Late)
    (tmp_path / "brief.py").write_text(_SERVICE, "utf-8")
    ahead = 0.0
    recorder = Recorder(clock=lambda: time.monotonic() + ahead)
    launcher = local.LocalLauncher(recorder, {**os.environ, "PYTHONPATH": str(tmp_path)})
    service = launcher.add(Spec("brief", "brief"))
    try:
        for _ in range(2):
            mark = recorder.mark()
            reads.clear()
            service.start()
            _wait_dead(recorder)
            ahead += 100

            reading = threading.Timer(0.1, reads.set)
            reading.start()
            recorder.wait_for(source="brief", action="farewell", since=mark, timeout=60)
            reading.join()
            with pytest.raises(EmitterDied, match="brief ended with exit code 0"):
                recorder.wait_for(source="brief", action="return", since=mark, timeout=60)
            assert service.wait_ended(60) == 0
    finally:
        reads.set()
        launcher.close()


def _wait_dead(recorder: Recorder) -> None:
    deadline = time.monotonic() + 60
    while not recorder.deaths():
        assert time.monotonic() < deadline, "waited 60 s for the service to end; it still runs"
        time.sleep(0.01)
