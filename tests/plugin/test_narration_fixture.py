"""The fixture ``narration``: a test's window on what its services said."""

from __future__ import annotations

import pytest

EMITTER = """
    import json, sys, time
    def say(**fields):
        print(json.dumps({"service": "billing", "actor": "ledger", **fields}), flush=True)
    say(action="listening", human="Listening")
    say(action="charge", human="Charged 12 EUR", correlation_id="c-1", amount=12)
    sys.stdin.read() if len(sys.argv) > 1 else None
"""
HEAD = """
    import sys
    import pytest
    from pytest_narration.pattern import event
    from pytest_narration.sources import ProcessSource

    @pytest.fixture
    def billing(narration_recorder):
        with ProcessSource([sys.executable, "emitter.py"], "billing", narration_recorder) as source:
            yield source
"""


def run(pytester: pytest.Pytester, body: str) -> pytest.RunResult:
    pytester.makepyfile(emitter=EMITTER)
    pytester.makepyfile(test_it=HEAD + body)
    return pytester.runpytest_subprocess("-p", "no:randomly")


def test_it_waits_for_what_is_still_to_come_and_keeps_what_was_read(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester,
        """
    def test_it(billing, narration):
        narration.wait_for(action="charge", correlation_id="c-1")
        narration.wait_for(action="charge")
        narration.wait_for(event(action="listening") >> event(action="charge", amount=12))
        narration.never(action="refund")

    def test_another_test_sees_its_own_events_only(narration):
        assert narration.events() == []
        assert repr(narration) == "<narration: 0 events, 0 rejected lines>"
        assert narration.recorder.events(action="charge")
    """,
    )
    result.assert_outcomes(passed=2)


def test_never_names_what_came(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    def test_it(billing, narration):
        narration.wait_for(action="charge")
        narration.never(action="charge", amount=12)
    """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*PatternFailed*", "*Charged 12 EUR*"])


def test_a_time_out_shows_the_nearest_miss_and_the_emitters_lines(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester,
        """
    def test_it(billing, narration):
        billing.wait(20)
        narration.wait_for(action="charge", correlation_id="c-2", timeout=0.1)
    """,
    )
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "correlation_id" in text
    assert "'c-2'" in text
    assert "'c-1'" in text
    assert "Charged 12 EUR" in text
    assert "awaiting.py" not in text, "the traceback ends at the test's own line"


def test_what_a_watched_client_is_answered_is_judged(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    import httpx

    def test_it(narration):
        silent = httpx.MockTransport(lambda request: httpx.Response(204))
        with narration.watch(httpx.Client(transport=silent, base_url="http://shop")) as client:
            client.get("/cart", headers={"X-Correlation-Id": "c-1"})
        [exchange] = narration.exchanges
        assert (exchange.status, exchange.source) == (204, "test")
        narration.assert_holds(["correlation-echoed"])
    """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*correlation id not echoed between test and shop: GET /cart*"])


def test_the_session_is_judged_as_a_whole_by_the_projects_settings(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyprojecttoml(
        """
        [tool.narration.rules]
        provenance = { level = "off", reason = "numbers no lines" }
        envelope = { level = "off", reason = "a format of its own" }
        """
    )
    result = run(
        pytester,
        """
    def test_first(billing, narration):
        narration.wait_for(action="charge")

    def test_last(narration):
        assert narration.events() == []
        assert [e.action for e in narration.session.events()] == ["listening", "charge"]
        narration.session.assert_holds()
        assert {v.rule for v in narration.session.check()}.isdisjoint({"provenance", "envelope"})
    """,
    )
    result.assert_outcomes(passed=2)
