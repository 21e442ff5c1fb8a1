"""job-own, job-linked and job-isolated: whose job it is, what it belongs to, who may see it."""

from __future__ import annotations

import msgspec

from pytest_narration.rules import check
from tests.unit.rules.story_builder import Call, Sighting, Story, only_violation, story


class TestJobOwn:
    def test_it_holds_when_every_service_makes_its_own(self) -> None:
        assert story(2).verdict("job-own").outcome == "held"

    def test_a_service_that_narrates_under_its_caller_s_id_is_named(self) -> None:
        broken = story().change({"job_id": "job-1-w"}, job_id="job-1-p", parent_job_id="job-1-o")
        violation = only_violation(broken.verdict("job-own"))
        assert violation.title == (
            "job id 'job-1-p' is used by 'pool-manager', 'worker': worker (instance worker-1) "
            "narrated execute_request under pool-manager's job id instead of its own"
        )
        assert violation.hop == "between pool-manager and worker"
        assert "new_id()" in violation.hint

    def test_the_copier_is_found_whoever_was_seen_first(self) -> None:
        """It names the id as its parent's too, so arrival order does not matter."""
        broken = Story()
        broken.event("worker", "work", correlation_id="c", job_id="j", parent_job_id="j")
        broken.event("pool-manager", "send", correlation_id="c", job_id="j")
        violation = only_violation(broken.verdict("job-own"))
        assert violation.hop == "between pool-manager and worker"

    def test_a_job_that_is_its_own_parent_is_named(self) -> None:
        broken = story().change({"job_id": "job-1-w"}, parent_job_id="job-1-w")
        violation = only_violation(broken.verdict("job-own"))
        assert "with its parent's job id 'job-1-w' as its own" in violation.title
        assert violation.hop == "between pool-manager and worker"

    def test_it_says_when_there_are_no_jobs(self) -> None:
        assert _lifecycle().verdict("job-own").notes == (
            "no event carries a job id, so none could be compared",
        )


class TestJobLinked:
    def test_it_holds_when_all_jobs_form_one_tree_per_request(self) -> None:
        assert story(3).verdict("job-linked").outcome == "held"

    def test_a_parent_that_nobody_narrated_is_named_with_the_real_caller(self) -> None:
        broken = story().change({"job_id": "job-1-w"}, parent_job_id="job-of-nobody")
        violation = only_violation(broken.verdict("job-linked"))
        assert violation.title == (
            "parent job unknown between pool-manager and worker: worker (instance worker-1) "
            "narrated execute_request in job 'job-1-w' with parent_job_id 'job-of-nobody', under "
            "which nobody narrated"
        )
        assert violation.evidence[1].startswith("its caller's job is 'job-1-p'")

    def test_a_parent_that_the_test_itself_named_resolves(self) -> None:
        """A test may play the caller of a worker."""
        alone = Story([Call("t", "POST", "http://w/execute", 200, {"x-parent-job-id": "mine"}, {})])
        alone.event("worker", "work", correlation_id="c", job_id="j", parent_job_id="mine")
        assert alone.verdict("job-linked").outcome == "held"

    def test_swapped_parents_of_two_requests_are_told_as_such(self) -> None:
        broken = story(2).change({"job_id": "job-1-w"}, parent_job_id="job-2-p")
        broken.change({"job_id": "job-2-w"}, parent_job_id="job-1-p")
        first, second = broken.verdict("job-linked").violations
        assert first.title == (
            "job ids swapped between pool-manager and worker: worker (instance worker-1) narrated "
            "execute_request in job 'job-1-w' of correlation 'corr-1' with parent_job_id "
            "'job-2-p', which belongs to 'corr-2'"
        )
        assert first.evidence[:2] == (
            "parent job 'job-2-p' belongs to pool-manager's correlation 'corr-2'",
            "pool-manager's job of correlation 'corr-1' is 'job-1-p'",
        )
        assert "'job-2-w'" in second.title

    def test_a_lost_parent_id_in_the_middle_of_a_request_is_a_second_root(self) -> None:
        broken = story().change({"job_id": "job-1-p"}, parent_job_id=None)
        violation = only_violation(broken.verdict("job-linked"))
        assert violation.title == (
            "parent job id lost between orchestrator and pool-manager: pool-manager (instance "
            "pool-manager-1) narrated job_received in job 'job-1-p' without parent_job_id, in "
            "correlation 'corr-1' that orchestrator's job 'job-1-o' began"
        )

    def test_a_second_root_is_found_whoever_was_seen_first(self) -> None:
        """Sources are read by threads: the callee's lines may arrive before the caller's."""
        broken = story().change({"job_id": "job-1-p"}, parent_job_id=None)
        broken.entries.sort(
            key=lambda e: not (isinstance(e, Sighting) and e.event.service == "pool-manager")
        )
        violation = only_violation(broken.verdict("job-linked"))
        assert violation.hop == "between orchestrator and pool-manager"

    def test_two_jobs_that_the_client_started_under_one_id_are_two_trees(self) -> None:
        twice = Story()
        for job in ("a", "b"):
            twice.event("orchestrator", "admit", correlation_id="c", job_id=job)
        assert twice.verdict("job-linked").outcome == "held"

    def test_a_job_with_two_parents_is_named(self) -> None:
        broken = story().change({"action": "tokenize"}, parent_job_id="job-1-o")
        violation = only_violation(broken.verdict("job-linked"))
        assert violation.title == ("job 'job-1-w' of worker names 2 parents: 'job-1-p', 'job-1-o'")

    def test_a_ring_of_jobs_is_named_once(self) -> None:
        broken = story().change({"job_id": "job-1-o"}, parent_job_id="job-1-w")
        violation = only_violation(broken.verdict("job-linked"))
        assert violation.title.startswith("jobs are each other's parents between ")
        assert "orchestrator's 'job-1-o' → worker's 'job-1-w' → pool-manager's" in violation.title

    def test_a_parent_outside_of_the_part_is_looked_up_in_the_whole(self) -> None:
        broken = story(2).change({"job_id": "job-1-w"}, parent_job_id="job-2-p")
        recorder = broken.recorded()
        (verdict,) = check(recorder.for_correlation("corr-1"), only=["job-linked"], whole=recorder)
        violation = only_violation(verdict)
        assert "which belongs to 'corr-2'" in violation.title

    def test_it_says_when_there_are_no_jobs(self) -> None:
        assert _lifecycle().verdict("job-linked").notes == (
            "no event carries a job id, so there is no tree to judge",
        )


class TestJobIsolated:
    def test_it_holds_when_every_stream_has_its_own_events(self) -> None:
        assert story(3).verdict("job-isolated").outcome == "held"

    def test_a_leaked_event_names_both_jobs_and_both_requests(self) -> None:
        broken = story(2)
        broken.on_stream(broken.find(action="tokenize", job_id="job-2-w"), "job-1-o", "client-1")
        violation = only_violation(broken.verdict("job-isolated"))
        assert violation.title == (
            "cross-talk between worker and orchestrator: the stream of orchestrator's job "
            "'job-1-o', correlation 'corr-1' carried an event that is not its own; worker "
            "(instance worker-1) narrated tokenize in job 'job-2-w' of correlation 'corr-2'"
        )
        where, leaked, own = violation.evidence
        assert where == "on the stream of job 'job-1-o', read by client-1:"
        assert "tokenizer/tokenize" in leaked
        assert own.startswith("the stream's own: orchestrator (instance orchestrator-1)")

    def test_a_leak_between_two_jobs_of_one_request_is_found(self) -> None:
        """The client may start two jobs under one correlation id: each keeps its own stream."""
        broken = story(2)
        for event in broken.find_all(correlation_id="corr-2"):
            broken.change({"event_id": event.event_id}, correlation_id="corr-1")
        broken.on_stream(broken.find(action="tokenize", job_id="job-2-w"), "job-1-o", "client-1")
        violation = only_violation(broken.verdict("job-isolated"))
        assert "in job 'job-2-w'" in violation.title

    def test_an_event_without_a_job_belongs_to_no_stream(self) -> None:
        broken = story()
        broken.on_stream(broken.find(action="request_received"), "job-1-o", "client-1")
        violation = only_violation(broken.verdict("job-isolated"))
        assert (
            "narrated request_received without a job_id, so it belongs to no stream"
            in violation.title
        )
        assert violation.hop == "within orchestrator, between its jobs"

    def test_a_caller_s_event_on_its_callee_s_stream_is_a_leak(self) -> None:
        broken = story()
        broken.on_stream(broken.find(action="admit"), "job-1-w", "tap")
        assert broken.verdict("job-isolated").outcome == "broken"

    def test_an_event_of_its_job_under_another_correlation_id_is_a_leak(self) -> None:
        broken = story().change({"action": "tokenize"}, correlation_id="other")
        violation = only_violation(broken.verdict("job-isolated"))
        assert "of correlation 'other'" in violation.title

    def test_a_silent_service_in_between_is_not_a_leak(self) -> None:
        """The link that is missing is another rule's finding; the request is the same."""
        gap = story().drop(lambda e: isinstance(e, Sighting) and e.event.service == "pool-manager")
        assert gap.verdict("job-isolated").outcome == "held"
        assert gap.verdict("job-linked").outcome == "broken"

    def test_a_stream_whose_job_is_unknown_is_held_to_one_request(self) -> None:
        mixed = story(2)
        for sighting in mixed.sightings():
            if sighting.channel == "sse":
                sighting.stream, sighting.source = None, "reader"
        verdict = mixed.verdict("job-isolated")
        assert "on a stream that began with orchestrator's correlation 'corr-1'" in (
            verdict.violations[0].title
        )

    def test_it_says_when_no_stream_was_read(self) -> None:
        assert _lifecycle().verdict("job-isolated").notes == (
            "no event was seen on a stream, so none could be on the wrong one",
        )


def test_a_tree_as_deep_as_a_long_chain_is_judged_without_recursion() -> None:
    """A thousand hops, each one the parent of the next."""
    chain = Story()
    for n in range(1_500):
        event = chain.event(
            f"s{n}", "act", correlation_id="c", job_id=f"j{n}",
            parent_job_id=f"j{n - 1}" if n else None,
        )  # fmt: skip
    chain.on_stream(event, "j0", "client")
    assert chain.verdict("job-isolated").outcome == "held"
    assert chain.verdict("job-linked").outcome == "held"


def test_change_in_the_builder_changes_every_sighting() -> None:
    """The other tests rest on it."""
    changed = story().change({"action": "tokenize"}, human="changed")
    humans = [s.event.human for s in changed.sightings() if s.event.action == "tokenize"]
    assert humans == ["changed", "changed"]
    assert msgspec.structs.replace(changed.find(action="tokenize"), human="x").human == "x"


def _lifecycle() -> Story:
    lifecycle = Story()
    lifecycle.event("worker", "startup")
    return lifecycle
