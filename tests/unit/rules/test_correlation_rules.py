"""correlation-present, correlation-same and correlation-echoed: lost ids, and on which hop."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_narration.errors import ConfigurationError
from tests.unit.rules.story_builder import Call, Story, only_violation, story


class TestCorrelationPresent:
    def test_it_holds_when_every_event_of_a_request_has_an_id(self) -> None:
        verdict = story(2).verdict("correlation-present")
        assert (verdict.outcome, verdict.notes) == ("held", ())

    def test_lifecycle_events_need_no_id_and_the_verdict_says_so(self) -> None:
        lifecycle = Story()
        lifecycle.event("worker", "startup")
        verdict = lifecycle.verdict("correlation-present")
        assert verdict.outcome == "held"
        assert verdict.notes == ("no event is inside a request, so none needs a correlation id",)

    def test_a_service_that_drops_the_id_is_named_with_its_caller(self) -> None:
        broken = story().change(
            {"service": "pool-manager", "job_id": "job-1-p"}, correlation_id=None
        )
        violation = only_violation(broken.verdict("correlation-present"))
        assert violation.title == (
            "correlation id lost between orchestrator and pool-manager: pool-manager (instance "
            "pool-manager-1) narrated job_received without correlation_id, as 2 more events of "
            "the same job although orchestrator called it with 'corr-1'"
        )
        assert violation.hop == "between orchestrator and pool-manager"
        assert violation.evidence[0] == (
            "parent job 'job-1-o' belongs to orchestrator's correlation 'corr-1'"
        )
        assert [event.action for event in violation.events] == ["job_received", "forward", "relay"]
        assert "extract(headers)" in violation.hint

    def test_one_event_that_loses_the_id_is_lost_within_its_service(self) -> None:
        broken = story().change({"action": "tokenize"}, correlation_id=None)
        violation = only_violation(broken.verdict("correlation-present"))
        assert violation.title.startswith(
            "correlation id lost within worker: worker (instance worker-1) narrated tokenize "
            "without correlation_id"
        )
        assert violation.evidence[0] == "other events of job 'job-1-w' carry 'corr-1'"

    def test_an_event_without_job_is_inside_when_its_caller_s_span_is(self) -> None:
        """A request that lost every id of ours still has its trace."""
        broken = story().change(
            {"service": "pool-manager", "job_id": "job-1-p"},
            correlation_id=None, job_id=None, parent_job_id=None,
        )  # fmt: skip
        violation = only_violation(broken.verdict("correlation-present"))
        assert violation.hop == "between orchestrator and pool-manager"

    def test_an_empty_id_is_no_id(self) -> None:
        broken = story().change({"action": "admit"}, correlation_id="")
        assert broken.verdict("correlation-present").outcome == "broken"

    def test_an_event_on_a_stream_needs_an_id_whatever_else_it_lacks(self) -> None:
        broken = story().change(
            {"action": "admit"}, correlation_id=None, job_id=None, parent_span_id=None
        )
        violation = only_violation(broken.verdict("correlation-present"))
        assert "narrated admit without correlation_id" in violation.title


class TestCorrelationSame:
    def test_it_holds_over_concurrent_requests(self) -> None:
        assert story(3).verdict("correlation-same").outcome == "held"

    def test_a_fresh_id_behind_a_dropped_header_is_named_with_the_hop(self) -> None:
        """What the middleware of a service does when no id arrives: it makes one."""
        broken = story().change({"job_id": "job-1-p"}, correlation_id="fresh")
        broken.change({"job_id": "job-1-w"}, correlation_id="fresh")
        violation = only_violation(broken.verdict("correlation-same"))
        assert violation.title == (
            "correlation id lost between orchestrator and pool-manager: pool-manager (instance "
            "pool-manager-1) narrated job_received with 'fresh' instead of 'corr-1'"
        )
        assert violation.evidence[0] == (
            "parent job 'job-1-o' belongs to orchestrator's correlation 'corr-1'"
        )
        assert "inject(headers)" in violation.hint

    def test_only_the_hop_that_lost_it_is_reported(self) -> None:
        """The worker passes the wrong id on faithfully: it is not at fault."""
        broken = story().change({"job_id": "job-1-w"}, correlation_id="fresh")
        violation = only_violation(broken.verdict("correlation-same"))
        assert violation.hop == "between pool-manager and worker"

    def test_ids_of_two_requests_that_crossed_are_told_from_lost_ones(self) -> None:
        broken = story(2)
        broken.change({"job_id": "job-1-w"}, correlation_id="corr-2")
        violation = only_violation(broken.verdict("correlation-same"))
        assert violation.title.startswith(
            "correlation ids crossed between pool-manager and worker: worker (instance worker-1) "
            "narrated execute_request with 'corr-2' instead of 'corr-1', and 'corr-2' is another"
        )
        assert "pool-manager's own job of 'corr-2' is 'job-2-p'" in violation.evidence

    def test_a_job_with_two_ids_is_reported(self) -> None:
        broken = story(2).change({"action": "relay", "job_id": "job-1-p"}, correlation_id="corr-2")
        titles = [v.title for v in broken.verdict("correlation-same").violations]
        assert any(
            t.startswith("job 'job-1-p' carries 2 correlation ids within pool-manager:")
            and "narrated relay with 'corr-2' instead of 'corr-1'" in t
            for t in titles
        )

    @pytest.mark.parametrize("kept", ["cause", "parent_span_id"])
    def test_a_hop_that_lost_the_parent_job_as_well_is_found_by_another_link(
        self, kept: str
    ) -> None:
        lost = "parent_span_id" if kept == "cause" else "cause"
        broken = story().change(
            {"service": "worker", "job_id": "job-1-w"}, correlation_id="fresh", parent_job_id=None
        )
        broken.change({"action": "execute_request"}, **{lost: () if lost == "cause" else None})
        broken.change({"service": "worker"}, parent_span_id=None) if lost != "cause" else None
        violations = broken.verdict("correlation-same").violations
        assert violations[0].title.startswith(
            "correlation id lost between pool-manager and worker: worker (instance worker-1) "
            "narrated execute_request with 'fresh' instead of 'corr-1'"
        )
        link = {"cause": "its cause", "parent_span_id": "its parent span"}[kept]
        assert violations[0].evidence[0].startswith(link)

    def test_it_says_when_there_was_no_id_to_compare(self) -> None:
        lifecycle = Story()
        lifecycle.event("worker", "startup")
        verdict = lifecycle.verdict("correlation-same")
        assert verdict.notes == ("no event carries a correlation id, so none could be compared",)


class TestCorrelationEchoed:
    def test_it_holds_when_the_given_id_comes_back(self) -> None:
        assert story(2).verdict("correlation-echoed").outcome == "held"

    def test_a_response_without_the_id_is_named(self) -> None:
        violation = only_violation(_answered({}).verdict("correlation-echoed"))
        assert violation.title == (
            "correlation id not echoed between client-1 and 127.0.0.1:4000: POST /v1/jobs → 202 "
            "answered without X-Correlation-Id to a request with 'corr-1'"
        )
        assert "NarrationMiddleware" in violation.hint

    def test_a_response_with_another_id_is_named(self) -> None:
        violation = only_violation(
            _answered({"x-correlation-id": "other"}).verdict("correlation-echoed")
        )
        assert "answered with 'other' instead of 'corr-1'" in violation.title
        assert violation.evidence[1] == "request x-correlation-id: 'corr-1', x-request-id: nothing"

    def test_the_alias_counts_as_given(self) -> None:
        answered = _answered({"x-correlation-id": "other"}, {"x-request-id": "mine"})
        assert answered.verdict("correlation-echoed").outcome == "broken"

    @pytest.mark.parametrize("sent", [{"x-request-id": "mine"}, {}])
    def test_the_alias_echoes_for_who_sent_no_correlation_id(self, sent: dict[str, str]) -> None:
        """Many services know X-Request-Id only."""
        answered = _answered({"x-request-id": "mine"}, sent)
        assert answered.verdict("correlation-echoed").outcome == "held"

    def test_an_alias_that_changed_is_named(self) -> None:
        answered = _answered({"x-request-id": "other"}, {"x-request-id": "mine"})
        violation = only_violation(answered.verdict("correlation-echoed"))
        assert "answered with 'other' instead of 'mine'" in violation.title

    def test_who_sent_a_correlation_id_gets_one_back(self) -> None:
        answered = _answered({"x-request-id": "corr-1"})
        assert answered.verdict("correlation-echoed").outcome == "broken"

    @pytest.mark.parametrize("given", ["x" * 129, "a b", "-leading", ""])
    def test_an_id_that_must_be_replaced_may_come_back_changed(self, given: str) -> None:
        answered = _answered({"x-correlation-id": "made"}, {"x-correlation-id": given})
        assert answered.verdict("correlation-echoed").outcome == "held"

    def test_an_id_that_nobody_gave_must_still_come_back(self) -> None:
        violation = only_violation(_answered({}, {}).verdict("correlation-echoed"))
        assert violation.title.endswith("answered without X-Correlation-Id")

    def test_paths_can_be_skipped(self) -> None:
        answered = _answered({}, url="http://127.0.0.1:4000/health?full=1")
        skip = {"correlation-echoed": {"skip": ["/health"]}}
        assert answered.verdict("correlation-echoed", options=skip).outcome == "held"

    def test_it_says_when_there_was_no_response_to_judge(self) -> None:
        """A call that was refused at the socket has status 0."""
        refused = Story([Call("client", "GET", "http://x/", 0, {}, {})])
        verdict = refused.verdict("correlation-echoed")
        assert verdict.outcome == "held"
        assert verdict.notes == ("the test recorded no HTTP response, so no echo could be judged",)


def _answered(
    response: dict[str, str],
    request: dict[str, str] | None = None,
    url: str = "http://127.0.0.1:4000/v1/jobs",
) -> Story:
    sent = {"x-correlation-id": "corr-1"} if request is None else request
    return Story([Call("client-1", "POST", url, 202, sent, response)])


@pytest.mark.parametrize("hops", [["shop", "stock"], [["shop"]], [["shop", 7]], ["ab"]])
def test_hops_that_are_no_pairs_are_refused(hops: list[Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"'hops' .* \[\[\"shop\", \"stock\"\]\], not"):
        story().verdict("correlation-same", options={"correlation-same": {"hops": hops}})
