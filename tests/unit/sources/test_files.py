"""Saved logs that are judged together arrive in the order in which their lines were written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_narration.errors import SourceError
from pytest_narration.pattern import event
from pytest_narration.recorder import Ending, Recorder
from pytest_narration.sources import FilesSource


def line(second: int | None, message: str) -> str:
    time = "" if second is None else f'"time":"2024-05-01T10:00:{second:02}.000Z",'
    return f'{{{time}"level":"INFO","msg":"{message}"}}\n'


def read(recorder: Recorder, paths: Iterable[Path]) -> Ending:
    return FilesSource(paths, recorder).start().wait(10)


def messages(recorder: Recorder) -> list[str]:
    return [event.human for event in recorder.events()]


def test_lines_of_several_files_are_merged_by_their_times(
    recorder: Recorder, tmp_path: Path
) -> None:
    shop, stock = tmp_path / "shop.log", tmp_path / "stock.log"
    shop.write_text(line(1, "ordered") + line(4, "confirmed"))
    stock.write_text(line(2, "looked") + line(3, "reserved"))
    assert read(recorder, [shop, stock]) == Ending("files", "complete", "2 files")
    assert messages(recorder) == ["ordered", "looked", "reserved", "confirmed"]
    assert recorder.match(event(service="stock") >> event(service="shop", action="confirmed"))
    assert [record.source for record in recorder.records()] == ["shop", "stock", "stock", "shop"]


def test_one_file_of_several_services_is_merged_too(recorder: Recorder, tmp_path: Path) -> None:
    """`docker compose logs` writes one service after the other."""
    log = tmp_path / "compose.log"
    shop = [f"shop-1  | {text}" for text in (line(1, "ordered"), line(4, "confirmed"))]
    log.write_text("".join([f"stock-1  | {line(3, 'reserved')}", *shop]))
    read(recorder, [log])
    assert messages(recorder) == ["ordered", "reserved", "confirmed"]


def test_no_clock_turns_an_emitters_own_lines_around(recorder: Recorder, tmp_path: Path) -> None:
    """A clock that was set back, and a line without a time, stay where they were printed."""
    log = tmp_path / "a.log"
    log.write_text(line(5, "a") + line(1, "b") + line(None, "c") + line(6, "d"))
    other = tmp_path / "b.log"
    other.write_text(line(3, "early") + line(7, "late"))
    read(recorder, [log, other])
    assert messages(recorder) == ["early", "a", "b", "c", "d", "late"]


def test_rejected_lines_and_traces_are_kept(recorder: Recorder, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    trace = "Traceback (most recent call last):\n"
    log.write_text("garbage\n" + line(1, "failed") + trace + line(2, "x")[:-2])
    read(recorder, [log])
    [failed] = recorder.events()
    assert failed.extra["continuation"] == [trace.strip()]
    assert [(r.line[:7], r.source, r.offset) for r in recorder.rejected] == [
        (b"garbage", "a", 0),
        (b'{"time"', "a", len("garbage\n" + line(1, "failed") + trace)),
    ]


def test_a_file_that_cannot_be_read_makes_the_rest_inconclusive(
    recorder: Recorder, tmp_path: Path
) -> None:
    log = tmp_path / "a.log"
    log.write_text(line(1, "one"))
    ending = read(recorder, [tmp_path / "gone.log", log])
    assert messages(recorder) == ["one"]
    assert ending.outcome == "unreachable"
    assert ending.detail == f"{tmp_path / 'gone.log'}: {os.strerror(2)}"


def test_a_pattern_that_finds_no_file_is_an_error(recorder: Recorder, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file to read: the list of paths is empty"):
        FilesSource(tmp_path.glob("*.log"), recorder)


def test_one_path_is_a_list_of_one(recorder: Recorder, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(line(1, "one"))
    assert FilesSource(str(log), recorder).start().wait(10).detail == "1 file"
    assert messages(recorder) == ["one"]
