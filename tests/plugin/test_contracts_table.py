"""``[tool.narration.contracts]``: a project's own contracts judge what its tests narrate."""

from __future__ import annotations

import json

import pytest

from .conftest import Run

_TEST = """
from pytest_narration.emit import narrate

def test_it(narration):
    narrate("order_placed", "Placed", total="5", correlation_id="c")
    narration.assert_holds(["contract"])
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makefile(
        ".toml",
        pyproject='[tool.narration.contracts]\n"order_placed" = "contracts/order.json"\n',
    )
    total = {"description": "the price in cents", "type": "integer"}
    (pytester.mkdir("contracts") / "order.json").write_text(
        json.dumps({"properties": {"total": total}}), "utf-8"
    )
    pytester.makepyfile(_TEST)
    return pytester


def test_a_payload_outside_of_its_contract_fails_the_test(
    project: pytest.Pytester, run: Run
) -> None:
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*contract (broken): every event keeps the contract that its name selects*",
            "*outside of the contract of order_placed*total is '5': expected the price in cents*",
        ]
    )


def test_a_payload_that_fits_passes(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(_TEST.replace('"5"', "5"))
    run().assert_outcomes(passed=1)


def test_a_wrong_table_names_the_entry(project: pytest.Pytester, run: Run) -> None:
    (project.path / "contracts" / "order.json").unlink()
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['*[[]tool.narration.contracts] "order_placed": there is no file*'])
