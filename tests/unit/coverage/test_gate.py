"""Figures against minimums, at their boundaries, and figures as text."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pytest_narration.coverage.gate import Figure, parse_gates, percent_text
from pytest_narration.errors import ConfigurationError


@pytest.mark.parametrize(
    ("covered", "total", "minimum", "holds", "shown"),
    [
        (7999, 10000, "80", False, "79.99%"),
        (79999, 100000, "80", False, "79.99%"),
        (4, 5, "80", True, "80.00%"),
        (8001, 10000, "80", True, "80.01%"),
        (8000, 10000, "80.01", False, "80.00%"),
        (8001, 10000, "80.01", True, "80.01%"),
        (99999, 100000, "100", False, "99.99%"),
        (100000, 100000, "100", True, "100.00%"),
        (2, 3, "66.67", False, "66.66%"),
        (1, 100000, "0", True, "0.01%"),
        (0, 5, "0", True, "0.00%"),
        (0, 5, "0.001", False, "0.00%"),
        (0, 0, "80", False, "n/a"),
        (0, 0, "0", True, "n/a"),
    ],
)
def test_a_figure_is_compared_exactly_and_never_rounded_up(
    covered: int, total: int, minimum: str, holds: bool, shown: str
) -> None:
    (gate,) = parse_gates([minimum])
    figure = Figure(covered, total)

    assert gate.holds(figure) is holds
    assert str(figure) == shown


def test_dimensions_have_gates_of_their_own_and_the_last_one_counts() -> None:
    gates = parse_gates(["80,outcomes=50", "channels=99.5", "90"])

    assert {g.dimension: g.minimum for g in gates} == {
        "points": 90,
        "outcomes": 50,
        "channels": Fraction("99.5"),
    }
    assert [g.text for g in gates] == ["90", "50", "99.5"]


@pytest.mark.parametrize("value", ["eighty", "", "-1", "100.01", "nan", "inf", "80%"])
def test_a_minimum_that_is_no_percentage_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="expected a number from 0 to 100"):
        parse_gates([value])


def test_an_unknown_dimension_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigurationError, match="points, channels, correlation, hops, outcomes"):
        parse_gates(["lines=80"])


def test_a_share_just_under_a_whole_is_not_shown_as_whole() -> None:
    assert percent_text(Fraction(10**9 - 1, 10**7)) == "99.99%"
