"""``@pytest.mark.narration``: rules judged at a test's end."""

from __future__ import annotations

import pytest

from .conftest import Run

_LOST = """
    import pytest
    from pytest_narration.emit import configure, narrate, narration_context

    configure("cart", "1")

    def lose_the_id():
        with narration_context(correlation_id="c-1", job_id="j-1"):
            narrate("ask", "Asking", actor="cart")
            with narration_context(correlation_id=None):
                narrate("look", "Looking", actor="cart")

    {marker}
    def test_it():
        lose_the_id()
"""


def test_a_broken_rule_fails_the_test_with_its_evidence(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(_LOST.format(marker="@pytest.mark.narration"))

    result = run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*correlation-present (broken)*", "*- narration -*", "*Looking*"])


def test_only_the_named_rules_are_judged(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(_LOST.format(marker="@pytest.mark.narration(rules=['no-secrets'])"))

    run().assert_outcomes(passed=1)


def test_an_allowed_rule_does_not_count(project: pytest.Pytester, run: Run) -> None:
    allow = "{'correlation-present': 'a known gap', 'correlation-same': 'a known gap'}"
    project.makepyfile(_LOST.format(marker=f"@pytest.mark.narration(allow={allow})"))

    run().assert_outcomes(passed=1)


def test_an_unmarked_test_is_not_judged(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(_LOST.format(marker=""))

    run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("rules=['no-such-rule']", "*no rule is named 'no-such-rule'*correlation-present*"),
        (
            "rules=['job-owned']",
            "*no rule is named 'job-owned'; did you mean 'job-own'? Rules are:*",
        ),
        ("rules='no-secrets'", "*rules is 'no-secrets'; expected rules=*"),
        ("allow=['no-secrets']", "*allow has 'no-secrets'; expected*"),
        ("allow={'no-secrets': ''}", "*allow of 'no-secrets' needs a reason*"),
        ("allow={'no-such-rule': 'x'}", "*no rule is named 'no-such-rule'*"),
        ("allow={1: 'x'}", "*no rule is named 1; rules are: *"),
        ("strict=True", "*does not take strict; it takes rules=*"),
        ("'no-secrets'", "*does not take 'no-secrets'; it takes rules=*"),
    ],
)
def test_wrong_arguments_are_refused_with_what_is_right(
    project: pytest.Pytester, run: Run, arguments: str, expected: str
) -> None:
    project.makepyfile(_LOST.format(marker=f"@pytest.mark.narration({arguments})"))

    result = run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([expected])
    result.stdout.no_fnmatch_line("*Error: *")  # the words, and no traceback of ours


@pytest.mark.parametrize("method", ["check", "assert_holds"])
def test_a_call_with_a_wrong_rule_fails_at_the_tests_own_line(
    project: pytest.Pytester, run: Run, method: str
) -> None:
    project.makepyfile(f"def test_it(narration):\n    narration.{method}(['job-owned'])\n")

    result = run()

    result.stdout.fnmatch_lines(
        [f">*narration.{method}(*", "E*no rule is named*", "*.py:2: Usage*"]
    )
    result.stdout.no_fnmatch_line("*_plugin_judge*")


def test_a_marked_test_that_narrates_nothing_is_inconclusive_and_fails(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.narration(rules=["correlation-present"])
        def test_it():
            pass
        """
    )

    result = run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*correlation-present (inconclusive)*", "*no event was seen*"])


def test_a_rule_of_the_project_is_judged_and_can_be_named(
    project: pytest.Pytester, run: Run
) -> None:
    project.makeconftest(
        """
        from pytest_narration.rules import Violation, rule

        @rule("no-looking", title="nobody looks", hint="look away")
        def no_looking(evidence):
            for event in evidence.events(action="look"):
                yield Violation(f"{event.service} looked", events=(event,))

        def pytest_narration_rules(config):
            return [no_looking]
        """
    )
    project.makepyfile(_LOST.format(marker="@pytest.mark.narration(rules=['no-looking'])"))

    result = run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no-looking (broken): nobody looks*", "*cart looked*"])


def test_the_settings_of_the_project_weigh(project: pytest.Pytester, run: Run) -> None:
    (project.path / "tox.ini").unlink()
    project.makepyprojecttoml(
        """
        [tool.pytest.ini_options]
        pythonpath = ["."]
        [tool.narration.rules]
        correlation-present = { level = "off", reason = "not yet" }
        correlation-same = { level = "off", reason = "not yet" }
        """
    )
    project.makepyfile(_LOST.format(marker="@pytest.mark.narration"))

    run().assert_outcomes(passed=1)


def test_a_check_in_a_test_returns_verdicts_and_an_assertion_raises(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(
        _LOST.format(marker="")
        + """
    def test_check(narration):
        lose_the_id()
        (verdict,) = narration.check(["correlation-present"])
        assert verdict.outcome == "broken"

    def test_assert(narration_capture):
        lose_the_id()
        narration_capture.assert_holds(["no-secrets"])
        with pytest.raises(AssertionError, match="correlation-present"):
            narration_capture.assert_holds()
"""
    )

    run().assert_outcomes(passed=3)


def test_rules_are_judged_on_workers_too(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(_LOST.format(marker="@pytest.mark.narration"))

    run("-n2").assert_outcomes(failed=1)
