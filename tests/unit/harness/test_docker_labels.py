"""Labels say who owns a container, so that a later run can judge whether the owner is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

from harness.launch.docker_labels import Run


def test_a_run_survives_its_labels() -> None:
    run = Run.of_this_process()
    assert Run.from_labels(run.labels) == run
    assert all(isinstance(value, str) for value in run.labels.values())


def test_each_run_has_an_id_of_its_own() -> None:
    assert Run.of_this_process().id != Run.of_this_process().id


def test_labels_of_others_name_no_run() -> None:
    labels = Run.of_this_process().labels
    assert Run.from_labels({}) is None
    assert Run.from_labels({**labels, "narration.owner.pid": "x"}) is None
    for missing in labels:
        assert Run.from_labels({k: v for k, v in labels.items() if k != missing}) is None


def test_the_run_of_a_living_process_is_not_dead() -> None:
    run = Run.of_this_process()
    assert run.pid == os.getpid()
    assert not run.is_dead


def test_the_run_of_an_ended_process_is_dead() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert replace(Run.of_this_process(), pid=ended.pid).is_dead


def test_the_run_of_a_process_whose_number_is_used_again_is_dead() -> None:
    assert replace(Run.of_this_process(), started="1").is_dead


def test_a_process_that_nobody_waited_for_has_ended_too() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as ended:
        assert ended.stdout is not None
        ended.stdout.read()
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert replace(Run.of_this_process(), pid=ended.pid).is_dead


def test_whether_a_run_on_another_machine_is_dead_cannot_be_known() -> None:
    run = Run.of_this_process()
    assert not replace(run, machine="elsewhere", pid=2**22 + 1).is_dead
