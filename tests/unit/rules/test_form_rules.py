"""trace-linked, provenance, envelope, no-secrets, editorial and causal-order."""

from __future__ import annotations

import msgspec
import pytest

from pytest_narration.rules import check
from tests.unit.rules.story_builder import Call, Sighting, Story, only_violation, story


class TestTraceLinked:
    def test_it_holds_when_one_trace_spans_the_request(self) -> None:
        assert story(2).verdict("trace-linked").outcome == "held"

    def test_a_hop_that_starts_a_trace_of_its_own_is_named(self) -> None:
        broken = story().change(
            {"service": "worker", "job_id": "job-1-w"}, trace_id="f" * 32, parent_span_id=None
        )
        violation = only_violation(broken.verdict("trace-linked"))
        assert violation.title == (
            "trace lost between pool-manager and worker: worker (instance worker-1) narrated "
            f"execute_request in trace '{'f' * 32}' instead of '{1:032x}', pool-manager's trace"
        )
        assert "traceparent" in violation.hint

    def test_a_hop_that_has_no_trace_is_named(self) -> None:
        broken = story().change(
            {"service": "worker", "job_id": "job-1-w"},
            trace_id=None, parent_span_id=None, span_id=None,
        )  # fmt: skip
        violation = only_violation(broken.verdict("trace-linked"))
        assert "narrated execute_request without trace_id instead of" in violation.title

    def test_a_second_call_of_the_client_may_have_a_trace_of_its_own(self) -> None:
        """Starting a job and cancelling it are two requests for one job."""
        cancelled = story()
        cancelled.event(
            "orchestrator", "cancel", correlation_id="corr-1", job_id="job-1-o",
            trace_id="e" * 32, span_id="e" * 16,
        )  # fmt: skip
        assert cancelled.verdict("trace-linked").outcome == "held"

    def test_services_without_job_ids_are_compared_by_correlation_id(self) -> None:
        foreign = Story()
        foreign.event("shop", "order", correlation_id="c", trace_id="a" * 32)
        foreign.event("billing", "charge", correlation_id="c", trace_id="b" * 32)
        violation = only_violation(foreign.verdict("trace-linked"))
        assert violation.hop == "between shop and billing"

    def test_a_parent_span_that_nobody_narrated_in_is_named(self) -> None:
        broken = story().change({"service": "worker", "job_id": "job-1-w"}, parent_span_id="9" * 16)
        violation = only_violation(broken.verdict("trace-linked"))
        assert violation.title.startswith(
            "parent span unknown between pool-manager and worker: worker (instance worker-1) "
            "narrated execute_request in trace "
        )
        assert f"with parent_span_id '{'9' * 16}', in which nobody narrated" in violation.title

    def test_the_client_s_own_span_needs_no_event(self) -> None:
        """Neither when the test's call is known, nor when the client is a stranger."""
        unknown = story().drop(lambda e: isinstance(e, Call))
        assert unknown.verdict("trace-linked").outcome == "held"

    def test_it_says_when_there_is_no_trace(self) -> None:
        foreign = Story()
        foreign.event("shop", "order")
        assert foreign.verdict("trace-linked").notes == (
            "no event carries a trace id, so there is no trace to follow",
        )


class TestProvenance:
    def test_it_holds_for_complete_sequences(self) -> None:
        assert story(2).verdict("provenance").outcome == "held"

    def test_a_lost_line_is_named_with_its_number_and_neighbours(self) -> None:
        broken = story()
        lost = broken.find(action="tokenize")
        broken.drop_line(lost)
        violation = only_violation(broken.verdict("provenance"))
        assert violation.title == (
            f"1 line lost between worker and its stdout's reader: seq {lost.seq} of worker "
            "(instance worker-1) never arrived, before it narrated token_generate"
        )
        assert "inference_start" in violation.evidence[0]
        assert "token_generate" in violation.evidence[1]

    def test_several_lost_lines_in_a_row_are_one_gap(self) -> None:
        broken = story()
        for action in ("inference_start", "tokenize"):
            broken.drop_line(broken.find(action=action))
        violation = only_violation(broken.verdict("provenance"))
        assert violation.title.startswith(
            "2 lines lost between worker and its stdout's reader: seq 3 to 4"
        )

    def test_a_lost_first_line_is_noticed(self) -> None:
        broken = story()
        broken.drop_line(broken.find(service="worker", action="server_bind"))
        assert "seq 1 of worker" in only_violation(broken.verdict("provenance")).title

    def test_a_capture_that_began_while_a_service_ran_can_be_declared(self) -> None:
        attached = story()
        attached.drop_line(attached.find(service="worker", action="server_bind"))
        options = {"provenance": {"attached": ["worker"]}}
        assert attached.verdict("provenance", options=options).outcome == "held"
        attached.drop_line(attached.find(action="tokenize"))
        assert attached.verdict("provenance", options=options).outcome == "broken"

    def test_lines_may_arrive_in_another_order_than_they_were_numbered(self) -> None:
        """Threads of one process write when they can."""
        mixed = story()
        mixed.entries.reverse()
        assert mixed.verdict("provenance").outcome == "held"

    def test_a_line_that_arrives_twice_is_named(self) -> None:
        broken = story()
        event = broken.find(action="tokenize")
        broken.entries.append(Sighting(event, "stdout", "pool-manager"))
        violation = only_violation(broken.verdict("provenance"))
        assert violation.title == (
            f"seq {event.seq} repeated between worker and its stdout's reader: worker (instance "
            "worker-1) narrated tokenize once, and its line arrived twice"
        )

    def test_a_line_and_its_relayed_copy_are_one_line(self) -> None:
        """A container's own log and the log of the service that relays it, say."""
        relayed = story()
        for sighting in relayed.sightings():
            if sighting.channel == "stdout" and sighting.event.service == "worker":
                relayed.entries.append(Sighting(sighting.event, "stdout", "worker's own log"))
        assert relayed.verdict("provenance").outcome == "held"

    def test_one_number_for_two_lines_is_named(self) -> None:
        broken = story()
        seq = broken.find(action="inference_start").seq
        broken.change({"action": "tokenize"}, seq=seq)
        titles = [v.title for v in broken.verdict("provenance").violations]
        assert f"seq {seq} repeated between worker and its stdout's reader" in titles[0]
        assert "numbered both inference_start and tokenize so" in titles[0]

    def test_one_event_id_on_two_lines_is_named(self) -> None:
        broken = story()
        same = broken.find(action="admit").event_id
        broken.change({"action": "dispatch"}, event_id=same)
        violation = broken.verdict("provenance").violations[0]
        assert violation.title.startswith(f"event id '{same}' stands on two different lines")

    def test_events_that_name_no_emitter_are_one_violation_for_each_service(self) -> None:
        """What a person sees first who has another logger; the hint says what to do."""
        foreign = Story()
        for _ in range(5):
            foreign.event("shop", "order", instance=None, seq=None, emitted_by=None, event_id=None)
        violation = only_violation(foreign.verdict("provenance"))
        assert violation.title.startswith(
            "5 events of shop without 'event_id', 'emitted_by', 'instance', 'seq'"
        )
        assert 'provenance = {level = "off", reason = "..."}' in violation.hint

    def test_a_part_of_a_session_reports_only_its_own_gap(self) -> None:
        broken = story(2)
        broken.drop_line(broken.find(action="tokenize", job_id="job-1-w"))
        recorder = broken.recorded()
        outcomes = {
            c: check(recorder.for_correlation(c), only=["provenance"], whole=recorder)[0].outcome
            for c in ("corr-1", "corr-2")
        }
        assert outcomes == {"corr-1": "broken", "corr-2": "held"}


class TestEnvelope:
    def test_it_holds_for_valid_events(self) -> None:
        assert story().verdict("envelope").outcome == "held"

    def test_events_that_break_the_contract_alike_are_one_violation(self) -> None:
        broken = story(3).change({"action": "tokenize"}, timestamp="yesterday", tokens_in=-1)
        violation = only_violation(broken.verdict("envelope"))
        assert violation.title == (
            "3 events of worker outside of the contract: worker (instance worker-1) narrated "
            "tokenize, whose timestamp is 'yesterday': expected an RFC 3339 time in UTC with "
            "milliseconds, such as 2025-01-31T09:30:00.125Z and 1 more problem"
        )
        assert "tokens_in is -1: expected tokens of the prompt, 0 or more" in violation.evidence

    def test_a_service_with_a_logger_of_its_own_is_one_violation(self) -> None:
        foreign = {"event_id": None, "emitted_by": None, "seq": None}
        broken = (
            story()
            .change({"service": "worker"}, **foreign)
            .change({"action": "tokenize"}, actor="")
        )
        count = len(broken.recorded().events(service="worker"))
        violation = only_violation(broken.verdict("envelope"))
        assert count > 3
        assert violation.title.startswith(f"{count} events of worker outside of the contract: ")

    def test_a_missing_field_is_named(self) -> None:
        broken = story().change({"action": "admit"}, emitted_by=None)
        violation = only_violation(broken.verdict("envelope"))
        assert "whose emitted_by is missing: expected name@version" in violation.title

    def test_a_default_level_that_the_line_did_say_is_no_breach(self) -> None:
        """The reader's type leaves defaults out; the judge must not miss them."""
        assert (
            story().change({"action": "admit"}, level="info").verdict("envelope").outcome == "held"
        )
        assert (
            story().change({"action": "admit"}, level="loud").verdict("envelope").outcome
            == "broken"
        )

    def test_extra_fields_of_any_shape_are_valid(self) -> None:
        rich = story().change({"action": "admit"}, extra={"deep": {"er": [1, None]}})
        assert rich.verdict("envelope").outcome == "held"

    def test_a_line_that_looks_like_an_event_and_is_none_is_named(self) -> None:
        broken = story()
        broken.reject(b'{"action":"tokenize","seq":"x"}', "field of the wrong type: `seq`")
        broken.reject(b"Segmentation fault")
        violation = only_violation(broken.verdict("envelope"))
        assert violation.title == (
            "a line of worker is no event although it looks like one: "
            "field of the wrong type: `seq`"
        )


_KEY = "sk-" + "abcdEFGH1234" * 4


class TestNoSecrets:
    def test_it_holds_for_redacted_events(self) -> None:
        clean = story().change(
            {"action": "admit"}, human="token [REDACTED]", extra={"password": "[REDACTED]"}
        )
        assert clean.verdict("no-secrets").outcome == "held"

    @pytest.mark.parametrize(
        ("fields", "place"),
        [
            ({"human": f"called with Authorization: Bearer {_KEY}"}, "human"),
            ({"target": f"https://user:{_KEY}@host/"}, "target"),
            ({"extra": {"password": "hunter2"}}, "password"),
            ({"extra": {"request": {"headers": {"authorization": "x"}}}}, "request.headers"),
            ({"extra": {"lines": ["fine", f"Authorization: Bearer {_KEY}"]}}, "lines"),
        ],
    )
    def test_a_secret_is_named_and_never_shown(self, fields: dict[str, object], place: str) -> None:
        broken = story().change({"action": "admit"}, **fields)
        verdict = broken.verdict("no-secrets")
        violation = only_violation(verdict)
        assert violation.title.startswith(
            "secret shown at orchestrator: orchestrator (instance orchestrator-1) narrated "
            f"orchestrator/admit with a secret in '{place}"
        )
        for told in (str(verdict), repr(violation)):
            assert _KEY not in told
            assert "hunter2" not in told

    def test_columns_that_are_named_like_secrets_are_none(self) -> None:
        """`tokens_in` counts tokens."""
        assert (
            story().change({"action": "admit"}, tokens_in=5).verdict("no-secrets").outcome == "held"
        )

    def test_deceiving_characters_alone_are_no_secret(self) -> None:
        odd = story().change({"action": "admit"}, human="zero\u200bwidth\nbreak")
        assert odd.verdict("no-secrets").outcome == "held"

    def test_a_line_that_is_no_event_is_searched_as_well(self) -> None:
        broken = story()
        broken.reject(f"DEBUG Authorization: Bearer {_KEY}".encode())
        verdict = broken.verdict("no-secrets")
        assert only_violation(verdict).hop == "at worker"
        assert _KEY not in str(verdict)

    def test_further_patterns_can_be_declared(self) -> None:
        said = story().change({"action": "admit"}, human="badge ACME-12345 seen")
        options = {"no-secrets": {"patterns": ["ACME-[0-9]{5}"]}}
        assert said.verdict("no-secrets").outcome == "held"
        assert said.verdict("no-secrets", options=options).outcome == "broken"


class TestEditorial:
    def test_it_holds_for_short_and_clear_narration(self) -> None:
        assert story().verdict("editorial").outcome == "held"

    @pytest.mark.parametrize(("name", "most"), [("human", 100), ("cute", 150), ("story", 200)])
    def test_a_long_text_is_a_warning(self, name: str, most: int) -> None:
        assert (
            story().change({"action": "admit"}, **{name: "x" * most}).verdict("editorial").outcome
            == "held"
        )
        verdict = (
            story().change({"action": "admit"}, **{name: "x" * (most + 1)}).verdict("editorial")
        )
        assert only_violation(verdict).title == (
            f"orchestrator's orchestrator/admit has a {name} of more than {most} characters "
            "(1 event)"
        )
        assert verdict.level == "warn"
        assert not verdict.is_failure

    @pytest.mark.parametrize(
        "human",
        ["error occurred", "An error occurred.", "Something went wrong!", "failed", "Unknown error",
         "Request failed", "an unexpected exception has occurred"],
    )  # fmt: skip
    def test_a_failure_without_a_reason_is_a_warning(self, human: str) -> None:
        flawed = story().change({"action": "admit"}, level="error", human=human)
        assert "fails without saying why" in only_violation(flawed.verdict("editorial")).title
        flawed.change({"action": "admit"}, error_kind="VRAM_OOM")
        assert flawed.verdict("editorial").outcome == "held"

    @pytest.mark.parametrize(
        "human", ["Validation failed: EMPTY", "disk full", "timed out after 5 s"]
    )
    def test_a_failure_that_says_why_is_fine(self, human: str) -> None:
        fine = story().change({"action": "admit"}, level="error", human=human)
        assert fine.verdict("editorial").outcome == "held"

    def test_events_of_one_point_are_one_violation(self) -> None:
        flawed = story(4).change({"action": "admit"}, human=" ")
        assert only_violation(flawed.verdict("editorial")).title.endswith(
            "says nothing: human is empty (4 events)"
        )

    def test_the_limits_are_options(self) -> None:
        options = {"editorial": {"human": 3}}
        assert story().verdict("editorial", options=options).outcome == "broken"


class TestCausalOrder:
    def test_it_holds_when_causes_come_first(self) -> None:
        assert story(2).verdict("causal-order").outcome == "held"

    def test_arrival_order_is_no_evidence_against_it(self) -> None:
        """Sources are read by threads."""
        mixed = story()
        mixed.entries.reverse()
        assert mixed.verdict("causal-order").outcome == "held"

    def test_neither_arrival_nor_age_decides(self) -> None:
        """Sources raced and clocks differ: only the links themselves are judged."""
        mixed = story()
        mixed.entries.reverse()
        ages = {s.event.event_id: f"{n:04}" for n, s in enumerate(mixed.sightings())}
        for sighting in mixed.sightings():
            event = sighting.event
            sighting.event = msgspec.structs.replace(
                event,
                event_id=ages[event.event_id],
                cause=tuple(ages[cause] for cause in event.cause),
            )
        assert mixed.verdict("causal-order").outcome == "held"
        relay = mixed.find(action="relay")
        mixed.change({"action": "dispatch"}, cause=(relay.event_id,))
        assert mixed.verdict("causal-order").outcome == "broken"

    def test_a_later_event_of_the_same_emitter_as_cause_is_named(self) -> None:
        broken = story()
        later = broken.find(action="inference_complete")
        broken.change({"action": "tokenize"}, cause=(later.event_id,))
        violation = only_violation(broken.verdict("causal-order"))
        assert violation.title == (
            "an event precedes its cause within worker: worker (instance worker-1) narrated "
            f"tokenize (seq 4) as caused by inference_complete (seq {later.seq}), which came later"
        )

    def test_an_event_that_causes_itself_is_named(self) -> None:
        broken = story()
        event = broken.find(action="tokenize")
        broken.change({"action": "tokenize"}, cause=(event.event_id,))
        assert "as caused by itself" in only_violation(broken.verdict("causal-order")).title

    def test_a_ring_across_services_is_named_once(self) -> None:
        """Each emitter's own order is fine; together with the links it cannot be."""
        broken = story()
        relay = broken.find(action="relay")
        broken.change({"action": "dispatch"}, cause=(relay.event_id,))
        violation = only_violation(broken.verdict("causal-order"))
        assert violation.title.startswith("events are each other's causes between ")
        assert 3 <= len(violation.evidence) <= 6

    def test_a_cause_that_was_never_seen_is_named_with_the_hop(self) -> None:
        """The last line of an emitter was lost: no gap shows it, but the next service names it."""
        broken = story()
        broken.drop(
            lambda e: (
                isinstance(e, Sighting)
                and e.event.service == "pool-manager"
                and e.event.action in ("forward", "relay")
            )
        )
        titles = [v.title for v in broken.verdict("causal-order").violations]
        assert titles[0].startswith(
            "an event's cause was never seen between pool-manager and worker: worker (instance "
            "worker-1) narrated execute_request as caused by event "
        )

    def test_a_cause_that_the_test_sent_needs_no_event(self) -> None:
        given = Story([Call("t", "GET", "http://x/", 200, {"tracestate": "narration=e-1"}, {})])
        given.event("worker", "work", cause=("e-1",))
        assert given.verdict("causal-order").outcome == "held"

    def test_a_cause_outside_of_the_part_is_looked_up_in_the_whole(self) -> None:
        recorder = story(2).recorded()
        mark = recorder.records(action="execute_request", correlation_id="corr-2")[0].index
        view = recorder.since(mark)
        (alone,) = check(view, only=["causal-order"], whole=view)
        (within,) = check(view, only=["causal-order"])
        assert (alone.outcome, within.outcome) == ("broken", "held")

    def test_it_says_when_no_event_names_a_cause(self) -> None:
        foreign = Story()
        foreign.event("shop", "order")
        (note,) = foreign.verdict("causal-order").notes
        assert note.startswith("no event names a cause")
