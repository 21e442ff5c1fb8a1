"""Processes and streams: every line is read, and the ending says whether it was all."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time

import pytest

from pytest_narration.errors import SourceError, WaitTimeout
from pytest_narration.recorder import Recorder
from pytest_narration.sources import ProcessSource, StreamSource

LINE = '{"level":"info","message":"%s","requestId":"r-1"}'


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_stdout_and_stderr_are_read_to_their_end(recorder: Recorder) -> None:
    code = f"import sys; print('{LINE % 'out'}'); print('{LINE % 'err'}', file=sys.stderr)"
    with ProcessSource(python(code), "api", recorder) as source:
        ending = source.wait(20)
    assert (ending.outcome, ending.detail, source.returncode) == ("complete", "exit code 0", 0)
    assert {event.human for event in recorder.events()} == {"out", "err"}
    assert {event.service for event in recorder.events()} == {"api"}
    assert {record.source for record in recorder.records()} == {"api"}
    assert recorder.endings == [ending]


def test_kept_stderr_is_only_for_messages(recorder: Recorder) -> None:
    code = f"import sys; print('warming up', file=sys.stderr); print('{LINE % 'out'}')"
    with ProcessSource(python(code), "api", recorder, stderr="keep") as source:
        source.wait(20)
    assert recorder.rejected == []
    assert "warming up" in source.lines()


def test_text_on_stderr_is_rejected_under_its_own_name(recorder: Recorder) -> None:
    with ProcessSource(python("import sys; sys.stderr.write('oops')"), "api", recorder) as source:
        source.wait(20)
    [rejected] = recorder.rejected
    assert (rejected.line, rejected.source) == (b"oops", "api:stderr")


def test_a_failing_program_is_read_whole_and_its_exit_code_is_told(recorder: Recorder) -> None:
    with ProcessSource(python("raise SystemExit(3)"), "api", recorder) as source:
        ending = source.wait(20)
    assert (ending.outcome, ending.detail) == ("complete", "exit code 3")


def test_a_killed_program_is_cut_off(recorder: Recorder) -> None:
    code = f"import os, signal; print('{LINE % 'last'}'); os.kill(os.getpid(), signal.SIGKILL)"
    with ProcessSource(python(code), "api", recorder) as source:
        ending = source.wait(20)
    assert (ending.outcome, ending.detail) == ("cut off", "killed by SIGKILL")
    assert [event.human for event in recorder.events()] == ["last"]


def test_stopping_ends_the_program_and_reads_its_last_words(recorder: Recorder) -> None:
    code = (
        "import signal, sys\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (print('{LINE % 'bye'}'), sys.exit(0)))\n"
        f"print('{LINE % 'ready'}')\n"
        "signal.pause()"
    )
    with ProcessSource(python(code), "api", recorder) as source:
        recorder.wait_for(human="ready", timeout=20)
    assert source.ending is not None
    assert (source.ending.outcome, source.returncode) == ("complete", 0)
    assert [event.human for event in recorder.events()] == ["ready", "bye"]


def test_a_program_that_ignores_sigterm_is_killed_with_what_it_started(recorder: Recorder) -> None:
    code = (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        'print(\'{"level":"info","message":"ready","child":%d}\' % child.pid)\n'
        "signal.pause()"
    )
    source = ProcessSource(python(code), "api", recorder).start()
    recorder.wait_for(human="ready", timeout=20)
    ending = source.stop(timeout=0.3)
    assert ending is not None
    assert (ending.outcome, ending.detail) == ("cut off", "killed")
    child = recorder.events()[0].extra["child"]
    deadline = time.monotonic() + 10
    while is_alive(child):
        assert time.monotonic() < deadline, f"process {child} outlived its parent's source"


def is_alive(pid: int) -> bool:
    """Whether a process runs; a killed orphan may be a zombie of init for a moment."""
    stat = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return stat.stdout.strip()[:1] not in {"", "Z"}


def test_death_is_noticed_by_a_wait_at_once(recorder: Recorder) -> None:
    with (
        ProcessSource(python("raise SystemExit(7)"), "api", recorder),
        pytest.raises(AssertionError, match="7"),
    ):
        recorder.wait_for(action="never", timeout=20)


def test_environment_and_folder_are_the_callers(recorder: Recorder, tmp_path) -> None:
    code = (
        "import os, json\n"
        "print(json.dumps({'msg': os.environ['A'], 'cwd': os.getcwd(), "
        "'home': os.environ.get('HOME')}))"
    )
    with ProcessSource(
        python(code), "api", recorder, env={"A": "1", "HOME": None}, cwd=tmp_path
    ) as source:
        source.wait(20)
    [event] = recorder.events()
    assert (event.human, event.extra["cwd"], event.extra["home"]) == ("1", str(tmp_path), None)


def test_a_program_that_is_not_there_is_named(recorder: Recorder) -> None:
    with pytest.raises(SourceError, match=r"cannot start api: /no/such/program"):
        ProcessSource(["/no/such/program"], "api", recorder).start()


def test_waiting_for_a_running_program_quotes_its_last_lines(recorder: Recorder) -> None:
    code = f"import signal; print('{LINE % 'ready'}'); signal.pause()"
    with ProcessSource(python(code), "api", recorder) as source:
        recorder.wait_for(human="ready", timeout=20)
        with pytest.raises(WaitTimeout, match=r"(?s)waited 0.05 s for the source api.*ready"):
            source.wait(0.05)


def test_a_hundred_thousand_lines_arrive_in_order(recorder: Recorder) -> None:
    code = (
        "import sys\n"
        'for n in range(1, 100001): sys.stdout.write(\'{"event_id":"e%d","seq":%d,"service":"s",'
        '"actor":"a","action":"b","human":"c"}\\n\' % (n, n))'
    )
    with ProcessSource(python(code), "s", recorder) as source:
        source.wait(60)
    assert [record.event.seq for record in recorder.records()] == list(range(1, 100_001))


def test_a_stack_trace_on_stderr_follows_its_event(recorder: Recorder) -> None:
    code = f"import sys\nprint('{LINE % 'failing'}', file=sys.stderr)\n1/0"
    with ProcessSource(python(code), "api", recorder) as source:
        source.wait(20)
    [event] = recorder.events()
    assert event.extra["continuation"][0].startswith("Traceback")
    assert event.extra["continuation"][-1] == "ZeroDivisionError: division by zero"
    assert recorder.rejected == []


@pytest.mark.parametrize("kind", [bytes, str])
def test_any_file_object_is_a_stream(recorder: Recorder, kind: type) -> None:
    text = f"{LINE % 'one'}\nnonsense\n{LINE % 'two'}"
    fileobj = io.StringIO(text) if kind is str else io.BytesIO(text.encode())
    with StreamSource(fileobj, "in", recorder) as source:
        assert source.wait(10).outcome == "complete"
    assert [event.human for event in recorder.events()] == ["one", "two"]
    assert [rejected.line for rejected in recorder.rejected] == [b"nonsense"]
    assert recorder.rejected[0].offset == len(LINE % "one") + 1


def test_a_pipe_is_read_as_it_is_written_and_left_when_stopped(recorder: Recorder) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb", buffering=0) as out:
        with StreamSource(pipe, "in", recorder) as source:
            out.write(f"{LINE % 'one'}\n".encode())
            recorder.wait_for(human="one", timeout=10)
            out.write(f"{LINE % 'two'}\n".encode())
        assert not pipe.closed
    assert source.ending is not None
    assert [event.human for event in recorder.events()] == ["one", "two"]


def test_a_file_closed_under_a_source_is_cut_off(recorder: Recorder) -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("gone")

    with StreamSource(Broken(), "in", recorder) as source:
        assert source.wait(10).outcome == "cut off"
    assert source.ending is not None
    assert "gone" in source.ending.detail


def test_a_source_starts_once(recorder: Recorder) -> None:
    with (
        StreamSource(io.BytesIO(), "in", recorder) as source,
        pytest.raises(SourceError, match="started before"),
    ):
        source.start()


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ("node server.js", r"args is the string 'node server.js'; .* \['node', 'server.js'\]"),
        ([], "args is empty; expected a program and its arguments"),
    ],
)
def test_a_command_that_is_no_list_is_refused_with_the_right_one(
    recorder: Recorder, args: list[str], why: str
) -> None:
    with pytest.raises(SourceError, match=why):
        ProcessSource(args, "x", recorder)


def test_numbers_in_a_command_and_its_environment_are_written_out(recorder: Recorder) -> None:
    code = "import os, sys; print('level=info', 'msg=' + sys.argv[1] + os.environ['PORT'])"
    with ProcessSource([*python(code), 5], "x", recorder, env={"PORT": 0}) as source:
        source.wait(20)
    assert [event.human for event in recorder.events()] == ["50"]


def test_it_says_that_it_will_announce_its_end(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no wait gives up while there is something left to read."""
    said: list[dict[str, object]] = []
    monkeypatch.setattr(recorder, "attach", lambda *_, **how: said.append(how))
    with ProcessSource(python("pass"), "x", recorder) as source:
        source.wait(20)
    assert said == [{"announces_end": True}]
