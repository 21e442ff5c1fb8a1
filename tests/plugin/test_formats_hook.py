"""The hook ``pytest_narration_formats``: log formats of a project's own."""

from __future__ import annotations

import pytest

from .conftest import Run

_FORMAT = """
from pytest_narration.formats import JsonFormat, Shape

class Acme(JsonFormat):
    name = "acme"
    shape = Shape(human=("txt",), level=("sev",), actor=("unit",))

    def score(self, record):
        return 80 if "txt" in record and "sev" in record else 0

def pytest_narration_formats(config):
    return [{returned}]
"""

_TEST = """
from io import BytesIO

import pytest
from pytest_narration.sources import FilesSource, StreamSource

LINE = b'{"txt": "Paid in full", "sev": "W", "unit": "till"}\\n'

@pytest.mark.parametrize("named", ["auto", "acme"])
def test_a_stream_is_read(narration_recorder, named):
    with StreamSource(BytesIO(LINE), "shop", narration_recorder, format=named) as shop:
        shop.wait(5)
    (event,) = narration_recorder.events(source="shop", human="Paid in full")[-1:]
    assert (event.actor, event.level) == ("till", "warn")

def test_a_file_is_read(narration_recorder, tmp_path):
    saved = tmp_path / "saved.log"
    saved.write_bytes(LINE)
    with FilesSource([saved], narration_recorder) as files:
        files.wait(5)
    assert narration_recorder.events(source="saved", actor="till")
"""


@pytest.mark.parametrize("returned", ["Acme", "Acme()"])
def test_a_format_of_the_project_is_detected_and_can_be_named(
    project: pytest.Pytester, run: Run, returned: str
) -> None:
    project.makeconftest(_FORMAT.format(returned=returned))
    project.makepyfile(_TEST)

    run().assert_outcomes(passed=3)


_PROJECT = """
[tool.narration.cluster.services.shop]
command = "{python} shop.py"
format = "acme"
"""

_FEATURE = """
Feature: A service of a scenario
  Scenario: Its format is the project's own
    Given the service "till" is started with:
      | command | {python} shop.py |
      | format  | acme             |
    Then the event "paid_in_full" of "till" is seen
"""

_TESTS = """
from pytest_bdd import scenarios

scenarios(".")

def test_a_service_of_the_project(narration_cluster, narration_recorder):
    narration_recorder.wait_for(source="shop", actor="till", timeout=20)
"""


def test_a_format_of_the_project_can_be_named_where_a_service_is_described(
    project: pytest.Pytester, run: Run
) -> None:
    line = '{"txt": "Paid in full", "sev": "W", "unit": "till"}'
    shop = project.path / "shop.py"
    shop.write_text(f"import time\nprint({line!r}, flush=True)\ntime.sleep(60)\n")
    project.makeconftest(_FORMAT.format(returned="Acme"))
    project.makepyprojecttoml(_PROJECT)
    project.path.joinpath("shop.feature").write_text(_FEATURE)
    project.makepyfile(_TESTS)

    run("-p", "pytest_bdd.plugin", "-o", "narration_steps=true").assert_outcomes(passed=2)


def test_what_is_no_format_is_refused(project: pytest.Pytester, run: Run) -> None:
    project.makeconftest(_FORMAT.format(returned="'acme'"))
    project.makepyfile(_TEST)

    result = run()

    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(["*pytest_narration_formats returned 'acme'; expected subclasses*"])
