"""Feature files run by themselves, each once, and what would silently not run is refused."""

from __future__ import annotations

import pytest

from .conftest import Run

BDD = ("-p", "pytest_bdd.plugin")

LOOK = """\
Feature: Looking

  Scenario: A look
    When the customer looks
    Then the event "look" is seen

  Scenario Outline: Looks at things
    When the customer looks at <thing>
    Then the event "look" with "item" = "<thing>" is seen

    Examples:
      | thing |
      | hats  |
      | shoes |
"""


@pytest.fixture
def features(project: pytest.Pytester) -> pytest.Pytester:
    """A project with steps in its conftest, and a feature that no module binds."""
    project.makeini("[pytest]\npythonpath = .\nnarration_steps = true\n")
    project.makeconftest(
        """
        import shop
        from pytest_bdd import parsers, when

        @when("the customer looks")
        def _look():
            shop.look()

        @when(parsers.parse("the customer looks at {thing}"))
        def _look_at(thing):
            shop.look(thing)
        """
    )
    (project.mkdir("features") / "look.feature").write_text(LOOK, "utf-8")
    return project


@pytest.mark.parametrize("extra", [(), ("-n2",)], ids=["serial", "xdist"])
def test_a_feature_runs_without_any_python_that_binds_it(
    features: pytest.Pytester, run: Run, extra: tuple[str, ...]
) -> None:
    result = run(*BDD, *extra, "-rA")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines_random(
        [
            "PASSED features/look.feature::test_a_look",
            "PASSED features/look.feature::test_looks_at_things[[]hats]",
            "PASSED features/look.feature::test_looks_at_things[[]shoes]",
        ]
    )


def test_one_file_or_scenario_is_chosen_as_any_test(features: pytest.Pytester, run: Run) -> None:
    run(*BDD, "features/look.feature").assert_outcomes(passed=3)
    run(*BDD, "features/look.feature::test_a_look").assert_outcomes(passed=1)
    run(*BDD, "-k", "shoes").assert_outcomes(passed=1, deselected=2)


def test_a_feature_that_a_module_binds_runs_once(features: pytest.Pytester, run: Run) -> None:
    features.makepyfile(test_it="from pytest_bdd import scenarios\nscenarios('features')\n")

    result = run(*BDD, "-rA")

    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("*features/look.feature::*")


def test_without_the_library_feature_files_are_left_alone(
    features: pytest.Pytester, run: Run
) -> None:
    features.makeini("[pytest]\npythonpath = .\n")

    result = run(*BDD)

    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


BROKEN = {
    "no_gherkin": ("Feature: A\n  Scenario: B\n    Given a\n  And what\n  Scen: C\n", "*Line: *"),
    "same_names": (
        'Feature: A\n  Scenario: B\n    Given I call "a" "b"\n'
        '  Scenario: B\n    Given I call "a" "b"\n',
        "*same_names.feature: two scenarios are named 'B', and only the last of them would run*",
    ),
    "no_keyword": (
        'Feature: A\n  Scenario: B\n    the event "look" is seen\n    Given I call "a" "b"\n',
        'this line is a step without its keyword, and would be ignored: the event "look" is seen',
    ),
    "no_steps": (
        "Feature: A\n  Background:\n    Given I wait at most 1 s\n"
        "  Scenario: B\n    Whenever I look\n",
        "the scenario has no step of its own, so it would pass whatever happens; its lines are "
        "read as a description: Whenever I look …",
    ),
    "small_keyword": (
        'Feature: A\n  Scenario: B\n    when I call "a" "b"\n    And I call "c" "d"\n',
        "line 3 begins with 'when': keywords begin with a capital",
    ),
    "misspelt_keyword": (
        'Feature: A\n  Scenario: B\n    Given I call "a" "b"\n    Whenn I look\n    Then what\n',
        "a step begins with Given, When, Then, And, But or [*], below a line *",
    ),
    "open_text": (
        'Feature: A\n  Scenario: B\n    Given I call "a" "b"\n      """\n      what\n',
        'the lines of a text stand between two lines of """; the second is missing',
    ),
    "no_utf8": (
        b"Feature: A\n  Scenario: caf\xe9\n    Given I call 'a' 'b'\n",
        "*no_utf8.feature is not encoded in UTF-8: *byte 0xe9*",
    ),
    "no_examples": (
        'Feature: A\n  Scenario Outline: B\n    Given I call "a" "<b>"\n',
        "this is a Scenario Outline without a table of Examples, so nothing stands for *",
    ),
    "no_column": (
        'Feature: A\n  Scenario Outline: B\n    Given I call "a" "<b>"\n'
        "    Examples:\n      | c |\n      | 1 |\n",
        "<b> is no column of the Examples, and would stay as it is; nothing uses the column: c",
    ),
    "unknown_tag": ("@slow\nFeature: A\n  Scenario: B\n    Given I call 'a' 'b'\n", "*'slow'*"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_would_silently_not_run_is_refused(
    features: pytest.Pytester, run: Run, name: str
) -> None:
    text, told = BROKEN[name]
    written = text if isinstance(text, bytes) else text.encode()
    (features.path / f"{name}.feature").write_bytes(written)

    result = run(*BDD, "--strict-markers", f"{name}.feature")

    outcomes = result.parseoutcomes()
    assert "passed" not in outcomes
    result.stdout.fnmatch_lines([told])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.parametrize("text", ["Feature: Nothing yet\n", "", "# Feature: Later\n\n"])
def test_an_empty_feature_is_no_test(features: pytest.Pytester, run: Run, text: str) -> None:
    (features.path / "empty.feature").write_text(text, "utf-8")

    result = run(*BDD, "empty.feature")

    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_feature_with_a_byte_order_mark_and_line_ends_of_windows_runs(
    features: pytest.Pytester, run: Run
) -> None:
    text = LOOK.replace("\n", "\r\n").encode("utf-8-sig")
    (features.path / "features" / "look.feature").write_bytes(text)

    result = run(*BDD, "--narration-cucumber=json:run.json")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["Cucumber json of 3 scenarios written to *"])


def test_what_is_between_angle_brackets_may_be_meant_as_it_stands(
    features: pytest.Pytester, run: Run
) -> None:
    outline = LOOK.replace("looks at <thing>", "looks at <b><thing></b>")
    outline = outline.replace('= "<thing>"', '= "<b><thing></b>"')
    (features.path / "features" / "look.feature").write_text(outline, "utf-8")

    run(*BDD).assert_outcomes(passed=3)
