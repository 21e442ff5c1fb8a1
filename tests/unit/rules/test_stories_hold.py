"""Every valid story holds every rule, in any arrival order; every single mutation breaks one.

The mutations are those that the project promises to catch: an id dropped on one hop, job ids
swapped, an event leaked to another stream, a line lost, an event repeated, an end cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.rules import check
from tests.unit.rules.story_builder import Sighting, Story, story

_FEW = settings(max_examples=25, deadline=None)
_SERVICES = {"orchestrator": "o", "pool-manager": "p", "worker": "w"}
_CALLERS = {"pool-manager": "orchestrator", "worker": "pool-manager"}

_requests = st.integers(1, 4)
_seeds = st.randoms(use_true_random=False)


@given(requests=_requests, tokens=st.integers(0, 5))
@_FEW
def test_a_valid_story_holds_every_rule(requests: int, tokens: int) -> None:
    outcomes = story(requests, tokens=tokens).outcomes()
    assert {rule for rule, outcome in outcomes.items() if outcome != "held"} == set()


@given(requests=_requests, random=_seeds)
@_FEW
def test_arrival_order_between_sources_changes_no_verdict(requests: int, random: object) -> None:
    """Each source delivers in order; how they interleave is chance."""
    made = story(requests, tokens=2)
    queues: dict[object, list[object]] = {}
    for entry in made.entries:
        channel = getattr(entry, "channel", "frames")
        queues.setdefault((getattr(entry, "source", ""), channel), []).append(entry)
    waiting = list(queues.values())
    mixed = Story()
    while waiting:
        queue = random.choice(waiting)  # type: ignore[attr-defined]  # a random.Random
        mixed.entries.append(queue.pop(0))
        waiting = [queue for queue in waiting if queue]
    assert set(mixed.outcomes().values()) == {"held"}


@given(requests=_requests, tokens=st.integers(0, 3), data=st.data())
@_FEW
def test_a_correlation_id_dropped_on_one_hop_is_caught_and_the_hop_is_named(
    requests: int, tokens: int, data: st.DataObject
) -> None:
    service = data.draw(st.sampled_from(sorted(_CALLERS)))
    number = data.draw(st.integers(1, requests))
    fresh = data.draw(st.sampled_from([None, "fresh"]))
    broken = story(requests, tokens=tokens)
    for downstream in ("pool-manager", "worker") if service == "pool-manager" else ("worker",):
        job = f"job-{number}-{_SERVICES[downstream]}"
        broken.change({"job_id": job}, correlation_id=fresh)
    rule = "correlation-present" if fresh is None else "correlation-same"
    verdict = broken.verdict(rule)
    assert verdict.outcome == "broken"
    hop = f"between {_CALLERS[service]} and {service}"
    assert verdict.violations[0].hop == hop
    assert verdict.violations[0].title.startswith(f"correlation id lost {hop}")


@given(requests=st.integers(2, 4), data=st.data())
@_FEW
def test_job_ids_swapped_between_two_requests_are_caught(
    requests: int, data: st.DataObject
) -> None:
    service = data.draw(st.sampled_from(sorted(_CALLERS)))
    one, other = data.draw(st.permutations(range(1, requests + 1)))[:2]
    letter, above = _SERVICES[service], _SERVICES[_CALLERS[service]]
    broken = story(requests)
    broken.change({"job_id": f"job-{one}-{letter}"}, parent_job_id=f"job-{other}-{above}")
    verdict = broken.verdict("job-linked")
    assert verdict.outcome == "broken"
    assert verdict.violations[0].title.startswith(
        f"job ids swapped between {_CALLERS[service]} and {service}: "
    )


@given(requests=st.integers(2, 4), data=st.data())
@_FEW
def test_an_event_leaked_to_another_stream_is_caught(requests: int, data: st.DataObject) -> None:
    one, other = data.draw(st.permutations(range(1, requests + 1)))[:2]
    broken = story(requests)
    leaked = data.draw(st.sampled_from(broken.find_all(correlation_id=f"corr-{one}")))
    broken.on_stream(leaked, f"job-{other}-o", f"client-{other}")
    verdict = broken.verdict("job-isolated")
    assert verdict.outcome == "broken"
    assert f"job-{other}-o" in verdict.violations[0].title
    assert leaked in verdict.violations[0].events


@given(requests=_requests, data=st.data())
@_FEW
def test_any_lost_stdout_line_is_caught(requests: int, data: st.DataObject) -> None:
    """In the middle by the gap; at an emitter's end by who names it, or sees it on a stream."""
    broken = story(requests)
    lines = [s for s in broken.sightings() if s.channel == "stdout"]
    # The orchestrator's very last line is on no stream and nobody's cause: nothing can tell.
    lost = data.draw(st.sampled_from(lines[:-1]))
    broken.entries.remove(lost)
    outcomes = broken.outcomes(only=["provenance", "channel-split", "causal-order"])
    assert "broken" in outcomes.values()
    is_last = lost.event.seq == max(
        s.event.seq or 0 for s in lines if s.event.instance == lost.event.instance
    )
    if not is_last:
        assert outcomes["provenance"] == "broken"


@given(requests=_requests, data=st.data())
@_FEW
def test_an_event_that_arrives_twice_is_caught(requests: int, data: st.DataObject) -> None:
    broken = story(requests)
    again: Sighting = data.draw(st.sampled_from(broken.sightings()))
    broken.entries.append(again)
    rule = "provenance" if again.channel == "stdout" else "channel-split"
    assert broken.verdict(rule).outcome == "broken"


@given(requests=_requests, data=st.data())
@_FEW
def test_an_end_that_never_came_is_caught(requests: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, requests))
    broken = story(requests)
    source = f"client-{number}"
    broken.drop(
        lambda e: getattr(e, "source", "") == source and getattr(e, "type", "") in ("end", "done")
    )
    outcomes = broken.outcomes(only=["stream-grammar", "terminated"])
    assert outcomes == {"stream-grammar": "broken", "terminated": "broken"}


@pytest.mark.parametrize(
    ("mutation", "expected"),
    [
        (lambda s: s.change({"job_id": "job-1-p"}, parent_job_id=None), "job-linked"),
        (lambda s: s.change({"job_id": "job-1-w"}, job_id="job-1-p"), "job-own"),
        (lambda s: s.change({"action": "tokenize"}, trace_id="0" * 32), "envelope"),
        (lambda s: s.change({"job_id": "job-1-w"}, trace_id="9" * 32), "trace-linked"),
        (lambda s: s.change({"action": "tokenize"}, target="ghp_" + "a1B2" * 9), "no-secrets"),
        (lambda s: s.change({"action": "tokenize"}, human="x" * 101), "editorial"),
        (lambda s: s.change({"action": "admit"}, cause=("nobody",)), "causal-order"),
        (lambda s: s.calls()[0].response_headers.clear(), "correlation-echoed"),
    ],
)
def test_each_other_mutation_is_caught_by_its_rule(
    mutation: Callable[[Story], object], expected: str
) -> None:
    broken = story(2)
    mutation(broken)
    assert broken.verdict(expected).outcome == "broken"


def test_the_cost_of_a_check_grows_with_the_story_and_no_faster() -> None:
    """Sixteen times the events take about sixteen times as long; a square would take 256."""

    def seconds(requests: int) -> float:
        recorder = story(requests, tokens=5).recorded()
        best = float("inf")
        for _ in range(3):
            start = process_time()
            check(recorder)
            best = min(best, process_time() - start)
        return best

    check(story().recorded())
    assert seconds(160) < 80 * max(seconds(10), 0.001)
