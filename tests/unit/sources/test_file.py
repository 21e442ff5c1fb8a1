"""A file source loses nothing: not at rotation, not at truncation, not in the last half line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pytest_narration.errors import SourceError
from pytest_narration.recorder import Recorder
from pytest_narration.sources import FileSource


def line(message: str) -> str:
    return f'{{"level":"info","message":"{message}"}}\n'


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def messages(recorder: Recorder) -> list[str]:
    return [event.human for event in recorder.events()]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def test_a_complete_file_is_read_once(recorder: Recorder, log: Path) -> None:
    log.write_text(line("one") + line("two"))
    with FileSource(log, "app", recorder, follow=False) as source:
        assert source.wait(10).outcome == "complete"
    assert messages(recorder) == ["one", "two"]
    assert recorder.records()[0].source == "app"


def test_what_is_appended_is_read_as_it_comes(recorder: Recorder, log: Path) -> None:
    log.write_text(line("one"))
    with FileSource(log, "app", recorder):
        recorder.wait_for(human="one", timeout=10)
        append(log, line("two")[:20])
        append(log, line("two")[20:])
        recorder.wait_for(human="two", timeout=10)


def test_leaving_the_context_reads_what_was_written_before(recorder: Recorder, log: Path) -> None:
    log.write_text("")
    with FileSource(log, "app", recorder, poll=30):
        append(log, "".join(line(f"m{n}") for n in range(1000)))
    assert messages(recorder) == [f"m{n}" for n in range(1000)]


def test_from_now_on_leaves_out_the_past_only(recorder: Recorder, log: Path) -> None:
    log.write_text(line("past"))
    with FileSource(log, "app", recorder, from_start=False):
        append(log, line("present"))
    assert messages(recorder) == ["present"]


def test_a_rotated_file_is_read_to_its_end_before_the_fresh_one(
    recorder: Recorder, log: Path
) -> None:
    log.write_text(line("one"))
    with FileSource(log, "app", recorder) as source:
        recorder.wait_for(human="one", timeout=10)
        moved = log.with_suffix(".1")
        append(log, line("two"))
        log.rename(moved)
        append(moved, line("three"))  # the writer still has the old file open
        log.write_text(line("four"))
        recorder.wait_for(human="four", timeout=10)
    assert messages(recorder) == ["one", "two", "three", "four"]
    assert source.ending is not None
    assert source.ending.outcome == "complete"


def test_a_truncated_file_is_read_from_its_start_again(recorder: Recorder, log: Path) -> None:
    log.write_text(line("one") + line("two"))
    with FileSource(log, "app", recorder):
        recorder.wait_for(human="two", timeout=10)
        shutil.copy(log, log.with_suffix(".1"))
        os.truncate(log, 0)
        append(log, line("three"))
        recorder.wait_for(human="three", timeout=10)
    assert messages(recorder) == ["one", "two", "three"]


def test_a_rewritten_file_that_grew_past_its_old_size_is_read_whole(
    recorder: Recorder, log: Path
) -> None:
    """A size alone cannot tell a rewritten file from a grown one."""
    log.write_text(line("one"))
    with FileSource(log, "app", recorder):
        recorder.wait_for(human="one", timeout=10)
        with log.open("r+") as file:
            file.truncate()
            file.write(line("two") + line("three"))
    assert messages(recorder) == ["one", "two", "three"]


def test_a_file_that_is_not_there_yet_is_waited_for(recorder: Recorder, log: Path) -> None:
    with FileSource(log, "app", recorder):
        log.write_text(line("one"))
        recorder.wait_for(human="one", timeout=10)


def test_a_file_that_never_came_is_unreachable(recorder: Recorder, log: Path) -> None:
    with FileSource(log, "app", recorder) as source:
        pass
    assert source.ending is not None
    assert source.ending.outcome == "unreachable"
    assert str(log) in source.ending.detail


def test_half_a_line_at_the_end_is_rejected_and_said_to_be_cut(
    recorder: Recorder, log: Path
) -> None:
    log.write_text(line("one") + line("two")[:-5])
    with FileSource(log, "app", recorder, follow=False) as source:
        source.wait(10)
    [rejected] = recorder.rejected
    assert rejected.why.endswith("(the stream ended in this line)")
    assert (rejected.source, rejected.offset) == ("app", len(line("one")))


def test_a_whole_line_without_a_newline_at_the_end_is_an_event(
    recorder: Recorder, log: Path
) -> None:
    log.write_text(line("one").rstrip())
    with FileSource(log, "app", recorder, follow=False) as source:
        source.wait(10)
    assert messages(recorder) == ["one"]


def test_a_folder_is_no_file(recorder: Recorder, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=rf"cannot read {tmp_path}: Is a directory"):
        FileSource(tmp_path, "app", recorder).start()
