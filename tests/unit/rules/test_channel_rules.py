"""channel-split, stream-grammar and terminated: what a stream carries and how it ends."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pytest_narration.errors import ConfigurationError
from pytest_narration.event import Event
from pytest_narration.recorder import Ending
from tests.unit.rules.story_builder import (
    WORKER_TEMPLATES,
    Call,
    Point,
    SeenFrame,
    Sighting,
    Story,
    only_violation,
    story,
    texts,
)

BOTH = ("stdout", "sse")


class TestChannelSplit:
    def test_it_holds_when_stdout_has_all_that_streams_have(self) -> None:
        assert story(2).verdict("channel-split").outcome == "held"

    def test_a_stdout_only_point_on_a_stream_is_named(self) -> None:
        points = [
            Point("worker", "http-server", "error", "Failed to bind {address}: {error_kind}"),
            Point(
                "worker",
                "http-server",
                "error",
                "Validation failed: {error_kind}",
                ("stdout", "sse"),
            ),
        ]
        broken = story()
        for template, human in (
            ("Validation failed: {error_kind}", "Validation failed: EMPTY"),
            ("Failed to bind {address}: {error_kind}", "Failed to bind :1: IN_USE"),
        ):
            event = broken.event(
                "worker", "error", actor="http-server", correlation_id="corr-1", job_id="job-1-w",
                template=template, human=human,
            )  # fmt: skip
            broken.on_stream(event, "job-1-o", "client-1")
        violation = only_violation(broken.verdict("channel-split", points=points))
        assert violation.title == (
            "a stdout-only point reached SSE between worker and the stream's reader client-1: "
            "worker (instance worker-1) narrated http-server/error on the stream of job 'job-1-o'"
        )
        assert "sse=False" in violation.hint

    def test_a_point_is_recognised_by_its_words_where_there_is_no_template(self) -> None:
        """Foreign loggers have no template."""
        points = [
            Point("worker", "w", "log", "Failed to bind {address}"),
            Point("worker", "w", "log", "Job {job_id} done", ("stdout", "sse")),
        ]
        said = story()
        event = said.event(
            "worker", "log", actor="w", correlation_id="corr-1", job_id="job-1-w", template=None,
            human="Job 7 done",
        )  # fmt: skip
        said.on_stream(event, "job-1-o", "client-1")
        assert said.verdict("channel-split", points=points).outcome == "held"
        said.change({"event_id": event.event_id}, human="Failed to bind :1")
        assert said.verdict("channel-split", points=points).outcome == "broken"

    def test_a_stream_event_that_never_reached_stdout_is_named(self) -> None:
        """How a lost last line shows, which no gap in seq can."""
        broken = story()
        broken.drop_line(broken.find(action="inference_complete"))
        violation = only_violation(broken.verdict("channel-split"))
        assert violation.title.startswith(
            "an SSE event never appeared on stdout between worker and the stream's reader "
            "client-1: worker (instance worker-1) narrated inference_complete"
        )

    def test_other_content_on_the_stream_is_shown_field_by_field(self) -> None:
        broken = story()
        twin = [s for s in broken.sightings() if s.event.action == "tokenize"]
        (on_sse,) = [s for s in twin if s.channel == "sse"]
        Story([on_sse]).change({"action": "tokenize"}, human="Tokenised", tokens_in=8)
        violation = only_violation(broken.verdict("channel-split"))
        assert violation.title.startswith("stdout and SSE disagree between worker and ")
        assert violation.evidence[:2] == (
            "human: 'Tokenized prompt (7 tokens)' on stdout, 'Tokenised' on SSE",
            "tokens_in: nothing on stdout, '8' on SSE",
        )

    def test_an_event_that_a_stream_delivers_twice_is_named(self) -> None:
        broken = story()
        broken.on_stream(broken.find(action="tokenize"), "job-1-o", "client-1")
        violation = only_violation(broken.verdict("channel-split"))
        assert violation.title.startswith("an event was delivered twice between worker and")
        assert "Last-Event-ID" in violation.hint

    def test_two_readers_of_one_stream_see_each_event_once(self) -> None:
        seen = story()
        seen.on_stream(seen.find(action="tokenize"), "job-1-o", "another reader")
        assert seen.verdict("channel-split").outcome == "held"

    def test_a_stream_event_without_an_id_is_named(self) -> None:
        broken = story().change({"action": "tokenize"}, event_id=None)
        violation = only_violation(broken.verdict("channel-split"))
        assert violation.title.startswith("an SSE event has no event_id")

    def test_it_is_inconclusive_for_a_service_whose_stdout_was_not_captured(self) -> None:
        blind = story().drop(
            lambda e: (
                isinstance(e, Sighting) and e.channel == "stdout" and e.event.service == "worker"
            )
        )
        verdict = blind.verdict("channel-split")
        assert verdict.outcome == "inconclusive"
        assert verdict.doubts[0].why == (
            "no stdout of worker was captured, so 5 SSE events of it could not be compared"
        )

    def test_a_point_declared_for_sse_that_a_relay_lost_is_named(self) -> None:
        broken = story(2)
        lost = broken.find(action="tokenize")
        violation = only_violation(_off_stream(broken, lost).verdict("channel-split", points=SSE))
        assert violation.title == (
            "a point declared for SSE never arrived between worker and the stream of job 'job-1-o':"
            f" worker (instance worker-1) narrated tokenizer/tokenize (event '{lost.event_id}') on "
            "stdout in job 'job-1-w', and the stream was read to its end without it"
        )
        assert "sse=False" in violation.hint

    @pytest.mark.parametrize("action", ["admit", "job_received", "inference_complete"])
    def test_so_is_one_of_the_stream_s_own_job_and_the_first_or_last_of_a_job_below(
        self, action: str
    ) -> None:
        broken = story(2)
        _off_stream(broken, broken.find(action=action))
        assert only_violation(broken.verdict("channel-split", points=SSE)).events[0].action == (
            action
        )
        assert broken.verdict("channel-split").outcome == "held"  # nothing is declared
        assert broken.verdict("channel-split", points=STDOUT).outcome == "broken"  # the others

    def test_points_that_all_arrived_hold(self) -> None:
        assert story(3).verdict("channel-split", points=SSE).outcome == "held"

    def test_a_stream_without_any_event_is_judged_too(self) -> None:
        silent = story()
        for event in silent.find_all(job_id="job-1-w") + silent.find_all(job_id="job-1-p"):
            silent.drop_event(event)
        _off_stream(silent, silent.find(action="admit"))
        assert not any(s.channel == "sse" for s in silent.sightings())
        violation = only_violation(silent.verdict("channel-split", points=SSE))
        assert violation.hop == "between orchestrator and the stream of job 'job-1-o'"

    def test_a_stream_that_nobody_read_owes_nothing(self) -> None:
        unread = story().drop(
            lambda e: isinstance(e, SeenFrame) or (isinstance(e, Sighting) and e.channel == "sse")
        )
        assert unread.verdict("channel-split", points=SSE).outcome == "held"

    @pytest.mark.parametrize("outcome", ["cut off", None])
    def test_a_stream_that_was_not_read_to_its_end_owes_nothing(self, outcome: Any) -> None:
        part = story().drop(
            lambda e: (
                (isinstance(e, SeenFrame) and e.type in {"end", "done"})
                or (isinstance(e, Ending) and e.source == "client-1")
            )
        )
        _off_stream(part, part.find(action="admit"))
        if outcome:
            part.ending("client-1", outcome)
        assert part.verdict("channel-split", points=SSE).violations == ()
        part.frame("end", {}, "job-1-o", "client-1")
        part.frame("done", "[DONE]", "job-1-o", "client-1")
        assert part.verdict("channel-split", points=SSE).outcome == "broken"

    def test_a_stream_that_was_read_from_its_middle_owes_nothing(self) -> None:
        late = story().drop(lambda e: isinstance(e, SeenFrame) and e.type == "started")
        _off_stream(late, late.find(action="admit"))
        assert late.verdict("channel-split", points=SSE).outcome == "held"

    @pytest.mark.parametrize(("gap", "outcome"), [(0, "broken"), (1, "held")])
    def test_a_stream_that_was_resumed_owes_what_its_frame_ids_prove(
        self, gap: int, outcome: str
    ) -> None:
        """A client that goes on further down may have left out the event itself."""
        resumed = story()
        headers = {"last-event-id": "3", "x-correlation-id": "corr-1"}
        resumed.entries.append(Call("client-1", "GET", "/stream", 200, headers, {}))
        _off_stream(resumed, resumed.find(action="admit"))
        for number, frame in enumerate(resumed.frames(), 1):
            frame.id = str(number + (gap if number > 3 else 0))
        assert resumed.verdict("channel-split", points=SSE).outcome == outcome

    def test_two_readers_of_one_stream_need_not_both_see_it(self) -> None:
        seen = story()
        lost = seen.find(action="admit")
        _off_stream(seen, lost)
        seen.on_stream(lost, "job-1-o", "another reader")
        assert seen.verdict("channel-split", points=SSE).outcome == "held"

    def test_an_attempt_that_broke_off_may_lose_its_last_events_only(self) -> None:
        """The caller of a worker that dies does not get what it said at last."""
        retried = story()
        ids = {"parent_job_id": "job-1-p", "correlation_id": "corr-1", "job_id": "job-1-v"}
        said = [
            retried.event("worker", action, instance="worker-2", **ids)
            for action in ("execute_request", "inference_start", "tokenize")
        ]
        retried.on_stream(said[1], "job-1-o", "client-1")
        violation = only_violation(retried.verdict("channel-split", points=SSE))
        assert violation.events == (said[0],)
        retried.on_stream(said[0], "job-1-o", "client-1")
        assert retried.verdict("channel-split", points=SSE).outcome == "held"

    def test_a_job_that_failed_may_lose_the_last_events_below(self) -> None:
        failed = story(2)
        _off_stream(failed, failed.find(action="inference_complete"))
        for frame in failed.frames():
            frame.type = "error" if frame.type == "end" else frame.type
        assert failed.verdict("channel-split", points=SSE).outcome == "held"

    def test_a_stream_owes_no_events_of_a_service_that_it_never_relays(self) -> None:
        inner = story(2)
        for event in inner.find_all(job_id="job-1-w") + inner.find_all(job_id="job-2-w"):
            _off_stream(inner, event)
        assert inner.verdict("channel-split", points=SSE).outcome == "held"
        relayed = story(2)
        for event in relayed.find_all(job_id="job-1-w"):
            _off_stream(relayed, event)
        assert len(relayed.verdict("channel-split", points=SSE).violations) == 5

    def test_it_says_when_there_was_no_stream(self) -> None:
        lifecycle = Story()
        lifecycle.event("worker", "startup")
        (note,) = lifecycle.verdict("channel-split").notes
        assert note.startswith("no event was seen on SSE")


class TestStreamGrammar:
    def test_it_holds_for_a_complete_stream(self) -> None:
        assert story(2).verdict("stream-grammar").outcome == "held"

    @pytest.mark.parametrize(
        ("kinds", "found"),
        [
            ("token end [DONE]", "it began with token, not with started"),
            ("end [DONE]", "it began with end, not with started"),
            ("[DONE]", "[DONE] came before end or error"),
            ("started started end [DONE]", "started came twice or late"),
            ("started token started end [DONE]", "started came twice or late"),
            ("started end error [DONE]", "a second end, error, came after end"),
            ("started error token [DONE]", "token came after error"),
            ("started end [DONE] token", "token came after [DONE]"),
            ("started end [DONE] [DONE]", "[DONE] came after [DONE]"),
            ("started [DONE]", "[DONE] came before end or error"),
            ("started token", "it closed without end or error"),
            ("started end", "it closed without [DONE]"),
            ("started progress end [DONE]", "unknown frame 'progress'; known are 'metrics', "),
        ],
    )
    def test_each_departure_is_named(self, kinds: str, found: str) -> None:
        verdict = _stream(kinds).verdict("stream-grammar")
        assert verdict.outcome == "broken"
        assert f"stream of job 'job-1-o': {found}" in verdict.violations[0].title
        assert verdict.violations[0].evidence[0].startswith("frames: ")

    @pytest.mark.parametrize(
        "kinds",
        [
            "started end [DONE]",
            "started error [DONE]",
            "started token narration metrics end [DONE]",
        ],
    )
    def test_each_good_stream_holds(self, kinds: str) -> None:
        assert _stream(kinds).verdict("stream-grammar").outcome == "held"

    def test_a_frame_id_that_comes_twice_is_named(self) -> None:
        broken = _stream("started token token end [DONE]")
        broken.frames()[2].id = broken.frames()[1].id
        violation = only_violation(broken.verdict("stream-grammar"))
        assert "frame id '2' came twice" in violation.title
        assert violation.evidence[0] == "frames: started → token → token"

    def test_a_stream_that_is_still_open_is_inconclusive(self) -> None:
        verdict = _stream("started token", ended=False).verdict("stream-grammar")
        assert verdict.outcome == "inconclusive"
        assert verdict.doubts[0].why == (
            "the stream of job 'job-1-o' is still open without end or error; "
            "its last frame is token"
        )

    def test_a_stream_that_was_cut_off_is_inconclusive(self) -> None:
        cut = _stream("started token", ended=False)
        cut.ending("client-1", "cut off", "connection reset by peer")
        verdict = cut.verdict("stream-grammar")
        assert verdict.outcome == "inconclusive"
        assert texts(d.why for d in verdict.doubts) == (
            "source 'client-1' was cut off: connection reset by peer"
        )

    def test_further_frame_types_can_be_allowed(self) -> None:
        options = {"stream-grammar": {"also": ["progress"]}}
        good = _stream("started progress end [DONE]")
        assert good.verdict("stream-grammar", options=options).outcome == "held"

    def test_streams_of_a_service_without_done_can_be_declared(self) -> None:
        options = {"stream-grammar": {"without_done": ["orchestrator"]}}
        good = _stream("started end", owner="orchestrator")
        assert good.verdict("stream-grammar", options=options).outcome == "held"
        assert good.verdict("stream-grammar").outcome == "broken"

    def test_a_callee_s_stream_needs_no_done(self) -> None:
        """[DONE] is the job server's word to its client; between services nobody says it."""
        inner = story()
        for kind in ("started", "end"):
            inner.frame(kind, {}, "job-1-w", "tap")
        inner.ending("tap")
        assert inner.verdict("stream-grammar").outcome == "held"

    def test_a_second_reader_may_go_on_where_the_first_stopped(self) -> None:
        resumed = _stream("started token")
        for kind in ("token", "end"):
            resumed.frame(kind, {}, "job-1-o", "client-1 again")
        resumed.frame("done", "[DONE]", "job-1-o", "client-1 again")
        resumed.ending("client-1 again")
        assert resumed.verdict("stream-grammar").outcome == "held"

    def test_it_says_when_no_stream_was_read(self) -> None:
        lifecycle = Story()
        lifecycle.event("worker", "startup")
        assert lifecycle.verdict("stream-grammar").notes == ("no stream was read",)


class TestTerminated:
    def test_it_holds_when_each_start_has_its_end(self) -> None:
        assert story(2).verdict("terminated").outcome == "held"

    def test_a_silent_failure_path_is_named(self) -> None:
        broken = story()
        broken.drop_event(broken.find(action="inference_complete"))
        violation = only_violation(broken.verdict("terminated"))
        assert violation.title == (
            "a job never ended within worker: worker (instance worker-1) narrated inference_start "
            "in job 'job-1-w', and neither its end nor an error of inference-backend followed"
        )

    def test_an_error_of_the_same_actor_is_an_end(self) -> None:
        failed = story().change(
            {"action": "inference_complete"}, action="error", level="error", error_kind="OOM"
        )
        assert failed.verdict("terminated").outcome == "held"

    def test_an_error_of_another_actor_is_none(self) -> None:
        failed = story().change(
            {"action": "inference_complete"}, action="error", level="error", actor="http-server"
        )
        assert failed.verdict("terminated").outcome == "broken"

    def test_an_end_and_an_error_are_two_ends(self) -> None:
        broken = story()
        done = broken.find(action="inference_complete")
        broken.event(
            "worker", "error", level="error", actor="inference-backend", job_id=done.job_id,
            correlation_id="corr-1",
        )  # fmt: skip
        violation = only_violation(broken.verdict("terminated"))
        assert violation.title.startswith(
            "a job ended more than once within worker: worker (instance worker-1) narrated 2 ends "
            "for 1 start of inference_start"
        )

    def test_a_retry_starts_and_ends_once_more(self) -> None:
        retried = story()
        ids = {"actor": "inference-backend", "job_id": "job-1-w", "correlation_id": "corr-1"}
        retried.event("worker", "inference_start", **ids)
        assert retried.verdict("terminated").outcome == "broken"
        retried.event("worker", "error", level="error", **ids)
        assert retried.verdict("terminated").outcome == "held"

    def test_other_names_of_starts_and_ends_can_be_declared(self) -> None:
        jobs = Story()
        jobs.event("shop", "opened", job_id="j", correlation_id="c")
        options = {"terminated": {"pairs": [["opened", "shut", "burnt"]]}}
        assert jobs.verdict("terminated").notes[0].startswith("no start of a job was recognised")
        assert jobs.verdict("terminated", options=options).outcome == "broken"
        jobs.event("shop", "burnt", job_id="j", correlation_id="c")
        assert jobs.verdict("terminated", options=options).outcome == "held"

    def test_a_stream_that_started_and_closed_without_an_end_is_named(self) -> None:
        violation = only_violation(_stream("started token").verdict("terminated"))
        assert violation.title == (
            "a job never ended: the stream of job 'job-1-o' started, and closed without end or "
            "error"
        )

    def test_a_stream_with_two_ends_is_named(self) -> None:
        violation = only_violation(_stream("started end error").verdict("terminated"))
        assert "carried 2 ends for one start" in violation.title

    def test_a_job_whose_stream_is_still_open_is_inconclusive(self) -> None:
        verdict = _stream("started token", ended=False).verdict("terminated")
        assert verdict.outcome == "inconclusive"
        assert "its stream is still open without an end" in verdict.doubts[0].why


_SAID = [
    ("orchestrator", "orchestrator", "admit"),
    ("pool-manager", "pool-manager", "job_received"),
    ("worker", "worker", "token_generate"),
    *(("worker", actor, action) for action, (actor, _) in WORKER_TEMPLATES.items()),
]
SSE = [
    Point(service, actor, action, WORKER_TEMPLATES.get(action, ("", f"Did {action}"))[1], BOTH)
    for service, actor, action in _SAID
]
STDOUT = [dataclasses.replace(point, channels=("stdout",)) for point in SSE]


def _off_stream(said: Story, event: Event) -> Story:
    """Lose an event on its way to every stream."""
    return said.drop(
        lambda e: (
            (isinstance(e, Sighting) and e.channel == "sse" and e.event is event)
            or (isinstance(e, SeenFrame) and str(event.event_id) in e.data)
        )
    )


def _stream(kinds: str, *, ended: bool = True, owner: str = "orchestrator") -> Story:
    """A story of one job server's event and one stream with these frames."""
    made = Story()
    made.event(owner, "admit", correlation_id="corr-1", job_id="job-1-o")
    for kind in kinds.split():
        is_done = kind == "[DONE]"
        made.frame("done" if is_done else kind, kind if is_done else {}, "job-1-o", "client-1")
    if ended:
        made.ending("client-1")
    assert all(isinstance(frame, SeenFrame) for frame in made.frames())
    return made


@pytest.mark.parametrize("pairs", [["opened", "closed"], [["opened"]], [[]]])
def test_pairs_that_are_no_lists_of_two_are_refused(pairs: list[Any]) -> None:
    """Read as they are they would name actions of one letter, and nothing would ever be judged."""
    with pytest.raises(ConfigurationError, match=r"'pairs' .* \[\[\"order_opened\""):
        story().verdict("terminated", options={"terminated": {"pairs": pairs}})
