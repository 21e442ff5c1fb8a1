"""``--narration-strict``: every test that narrates is judged."""

from __future__ import annotations

import pytest

from .conftest import Run

_TESTS = """
    from pytest_narration.emit import configure, narrate, narration_context
    from pytest_narration.wire import Rejected

    configure("cart", "1")

    def test_good():
        with narration_context(correlation_id="c-1", job_id="j-1"):
            narrate("ask", "Asking", actor="cart")

    def test_lost():
        with narration_context(correlation_id="c-2", job_id="j-2"):
            narrate("ask", "Asking", actor="cart")
            with narration_context(correlation_id=None):
                narrate("look", "Looking", actor="cart")

    def test_rejected(narration_recorder):
        narration_recorder.add_rejected(Rejected(b"panic: boom", "not JSON", "cart", 7))

    def test_silent():
        pass
"""


def test_a_test_fails_for_broken_rules_and_for_rejected_lines(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(_TESTS)

    result = run("--narration-strict", "-rA")

    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*correlation-present (broken)*"])
    result.stdout.fnmatch_lines(
        ["*1 line could not be read as an event:", "*cart, byte 7: not JSON*"]
    )
    result.stdout.fnmatch_lines_random(["PASSED *::test_good", "PASSED *::test_silent"])


def test_the_summary_of_rejected_lines_shows_no_secret(project: pytest.Pytester, run: Run) -> None:
    key = "ghp_" + "a1B2" * 9
    project.makepyfile(f"""
        from pytest_narration.wire import Rejected

        def test_it(narration_recorder):
            line = b"{"x" * 130} {key}"
            narration_recorder.add_rejected(Rejected(line, "not JSON", "cart", 7))
    """)

    result = run()

    result.stdout.fnmatch_lines(["*cart, byte 7: not JSON: *xx [[]REDACTED*"])
    result.stdout.no_fnmatch_line("*ghp_*")


def test_the_ini_value_does_the_same(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(_TESTS)
    project.makeini("[pytest]\npythonpath = .\nnarration_strict = true\n")

    run().assert_outcomes(passed=2, failed=2)
    run("-n2").assert_outcomes(passed=2, failed=2)


def test_without_it_the_same_tests_pass(project: pytest.Pytester, run: Run) -> None:
    project.makepyfile(_TESTS)

    run().assert_outcomes(passed=4)


_ENDS_BEFORE_ITS_LINES = """
    from threading import Timer

    import pytest
    from pytest_narration.event import Event
    from pytest_narration.wire import Rejected

    @pytest.fixture
    def service(narration_recorder):
        narration_recorder.attach("cart", lambda: None)  # it runs
        return narration_recorder

    def event(name):
        return Event(event_id=name, service="cart", actor="cart", action="ask", human="Asking",
                     correlation_id="c-1", job_id="j-1")

    @pytest.mark.narration(rules=["channel-split"])
    def test_split(service):
        service.add_event(event("e-1"), source="cart")
        service.add_event(event("e-2"), channel="sse", source="test", stream="j-1")
        Timer(0.05, service.add_event, [event("e-2")], {"source": "cart"}).start()

    @pytest.mark.narration(rules=["no-secrets"])
    def test_rejected(service):
        Timer(0.05, service.add_rejected, [Rejected(b"panic: boom", "not JSON", "cart", 7)]).start()
"""


def test_lines_that_a_service_printed_before_the_end_are_read_before_judging(
    project: pytest.Pytester, run: Run
) -> None:
    project.makepyfile(_ENDS_BEFORE_ITS_LINES)

    result = run("--narration-strict")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*cart, byte 7: not JSON*", "FAILED*::test_rejected*"])
