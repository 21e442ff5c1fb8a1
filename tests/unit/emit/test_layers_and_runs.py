"""Attempts at jobs, steps of the work, and calls that fill in what can be known."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_narration.contracts import Contracts
from pytest_narration.emit import (
    JobRun,
    current_context,
    end_job_run,
    job_run,
    layer,
    narrate,
    narrate_auto,
    narrate_with_otel_context,
    narration_context,
    start_job_run,
    subscribe,
)

_STARTED = ("job_run_started", "layer_started")


class Heard:
    """What this process narrates while a test runs."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def actions(self) -> list[str]:
        return [event["action"] for event in self.events]

    def of(self, action: str) -> dict[str, Any]:
        (found,) = (event for event in self.events if event["action"] == action)
        return found

    def check_contracts(self) -> None:
        contracts = Contracts()
        told = [str(problem) for e in self.events for problem in contracts.problems(e)]
        assert told == []


@pytest.fixture
def heard(capfd: pytest.CaptureFixture[str]) -> Iterator[Heard]:
    kept = Heard()
    stop = subscribe(lambda line, context: kept.events.append(json.loads(line)))
    yield kept
    stop()
    kept.check_contracts()
    assert current_context() is None, "every binding was undone"


class TestJobRun:
    def test_every_event_of_an_attempt_has_its_ids_and_number(self, heard: Heard) -> None:
        with narration_context(correlation_id="req-1"):
            run = start_job_run("job-1", attempt=2, actor="transcriber", worker_id="w-1")
            narrate("transcribe", "Transcribing")
            end_job_run(run)
            narrate("after", "After")
        assert heard.actions() == [
            "job_run_started", "transcribe", "job_run_completed", "after",
        ]  # fmt: skip
        for event in heard.events[:3]:
            assert (event["correlation_id"], event["job_id"], event["attempt"]) == (
                "req-1", "job-1", 2,
            )  # fmt: skip
            assert event["job_run_id"] == run.job_run_id
            assert event["actor"] == "transcriber"
        assert heard.of("job_run_started")["worker_id"] == "w-1"
        assert heard.of("job_run_completed")["duration_ms"] >= 0
        assert not {"job_id", "job_run_id", "attempt"} & heard.of("after").keys()

    def test_a_failed_attempt_says_why_and_whether_another_follows(self, heard: Heard) -> None:
        run = start_job_run("job-1")
        end_job_run(run, TimeoutError("slow"), will_retry=True, backoff_ms=250, cause_of="gpu")
        failed = heard.of("job_run_failed")
        assert (failed["level"], failed["error_kind"], failed["attempt"]) == ("error", "TIMEOUT", 1)
        assert (failed["will_retry"], failed["backoff_ms"], failed["cause_of"]) == (
            True,
            250,
            "gpu",
        )

    def test_retries_are_visible_as_runs_of_one_job(self, heard: Heard) -> None:
        for attempt in (1, 2):
            with contextlib.suppress(KeyError), job_run("job-1", attempt=attempt):
                if attempt == 1:
                    raise KeyError("x")
        told = [(e["action"], e["attempt"]) for e in heard.events]
        assert told == [
            ("job_run_started", 1),
            ("job_run_failed", 1),
            ("job_run_started", 2),
            ("job_run_completed", 2),
        ]
        assert len({e["job_run_id"] for e in heard.events}) == 2
        assert {e["job_id"] for e in heard.events} == {"job-1"}

    def test_an_exception_passes_on_and_its_own_kind_is_told(self, heard: Heard) -> None:
        class OutOfMemory(Exception):
            error_kind = "VRAM_OOM"

        with pytest.raises(OutOfMemory), job_run("job-1"):
            raise OutOfMemory
        assert heard.of("job_run_failed")["error_kind"] == "VRAM_OOM"

    def test_a_cancelled_task_is_told_as_such(self, heard: Heard) -> None:
        async def cancelled() -> None:
            started = asyncio.Event()

            async def work() -> None:
                async with job_run("job-1"):
                    started.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(work())
            await started.wait()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        asyncio.run(cancelled())
        assert heard.of("job_run_failed")["error_kind"] == "CANCELLED"

    def test_an_attempt_ends_once(self, heard: Heard) -> None:
        with job_run("job-1") as run:
            run.outcome = "cached"
            end_job_run(run)
            end_job_run(run, "LATE")
        assert heard.actions() == ["job_run_started", "job_run_completed"]
        assert heard.of("job_run_completed")["outcome"] == "cached"

    def test_a_bound_job_is_taken_and_a_fresh_one_made_where_there_is_none(
        self, heard: Heard
    ) -> None:
        with narration_context(job_id="bound"), job_run() as bound:
            pass
        with job_run() as fresh:
            pass
        assert bound.job_id == "bound"
        assert len(fresh.job_id) == 36

    @pytest.mark.parametrize("attempt", [0, -1, "2", None, 1.5, True])
    def test_an_attempt_that_is_no_number_breaks_no_work(self, heard: Heard, attempt: Any) -> None:
        with job_run("job-1", attempt=attempt) as run:
            assert run.attempt == 1
        assert heard.of("job_run_started").get("given_attempt", None) == attempt

    def test_the_returned_run_is_typed(self, heard: Heard) -> None:
        with job_run("job-1") as run:
            assert isinstance(run, JobRun)


class TestLayer:
    def test_a_step_tells_its_latency_and_outcome_and_marks_what_is_inside(
        self, heard: Heard
    ) -> None:
        with job_run("job-1"), layer("diarize", actor="enricher", model_ref="tiny") as step:
            narrate("inside", "Inside")
            step.outcome = "cached"
            step.add(speakers=2)
        started, completed = heard.of("layer_started"), heard.of("layer_completed")
        assert (started["layer"], started["model_ref"], started["actor"]) == (
            "diarize", "tiny", "enricher",
        )  # fmt: skip
        assert "speakers" not in started
        assert (completed["outcome"], completed["speakers"]) == ("cached", 2)
        assert completed["latency_ms"] >= 0
        assert heard.of("inside")["layer"] == "diarize"
        assert started["job_run_id"] == completed["job_run_id"]
        assert "layer" not in heard.of("job_run_completed")

    def test_a_failed_step_says_why_and_the_exception_passes_on(self, heard: Heard) -> None:
        with pytest.raises(ZeroDivisionError), layer("divide"):
            _ = 1 / 0
        failed = heard.of("layer_failed")
        assert (failed["error_kind"], failed["outcome"], failed["level"]) == (
            "ZeroDivisionError", "failed", "error",
        )  # fmt: skip

    def test_steps_nest(self, heard: Heard) -> None:
        with layer("outer"), layer("inner"):
            pass
        assert [(e["action"], e["layer"]) for e in heard.events] == [
            ("layer_started", "outer"),
            ("layer_started", "inner"),
            ("layer_completed", "inner"),
            ("layer_completed", "outer"),
        ]

    def test_each_call_of_a_decorated_function_is_a_step(self, heard: Heard) -> None:
        @layer("double", unit="x")
        def double(n: int) -> int:
            """Docstring."""
            return n * 2

        assert [double(2), double(3)] == [4, 6]
        assert double.__doc__ == "Docstring."
        assert heard.actions() == ["layer_started", "layer_completed"] * 2
        assert heard.events[0]["unit"] == "x"

    def test_decorated_coroutines_run_side_by_side(self, heard: Heard) -> None:
        @layer("double")
        async def double(n: int) -> int:
            await asyncio.sleep(0)
            narrate("doubled", "Doubled {n}", n=n)
            return n * 2

        async def both() -> list[int]:
            return await asyncio.gather(double(2), double(3))

        assert asyncio.run(both()) == [4, 6]
        assert heard.actions().count("layer_completed") == 2
        assert [e["layer"] for e in heard.events if e["action"] == "doubled"] == ["double"] * 2

    def test_decorated_functions_run_in_threads_at_once(self, heard: Heard) -> None:
        meeting = threading.Barrier(2, timeout=30)

        @layer("meet")
        def meet() -> None:
            meeting.wait()

        threads = [threading.Thread(target=meet) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(heard.actions()) == ["layer_completed"] * 2 + ["layer_started"] * 2

    def test_async_with_serves_as_well(self, heard: Heard) -> None:
        async def run() -> None:
            async with layer("fetch"):
                await asyncio.sleep(0)

        asyncio.run(run())
        assert heard.actions() == ["layer_started", "layer_completed"]

    def test_a_generator_cannot_be_decorated(self) -> None:
        def numbers() -> Iterator[int]:
            yield 1

        async def slowly() -> Any:
            yield 1

        for generator in (numbers, slowly):
            with pytest.raises(TypeError, match=r"cannot decorate the generator .*write `with"):
                layer("count")(generator)

    def test_one_object_is_one_step_at_a_time(self, heard: Heard) -> None:
        step = layer("once")
        with step, pytest.raises(RuntimeError, match=r"'once' is running already"):
            step.__enter__()
        with step:
            pass
        assert heard.actions() == ["layer_started", "layer_completed"] * 2


class TestShorthand:
    def test_the_module_is_the_actor_and_the_sentence_is_made_of_the_fields(
        self, heard: Heard
    ) -> None:
        narrate_auto("cache_reset", entries=12, cache_name="kv", nothing=None)
        event = heard.of("cache_reset")
        assert event["actor"] == "test-layers-and-runs"
        assert event["template"] == "Cache reset (entries {entries}, cache name {cache_name})"
        assert event["human"] == "Cache reset (entries 12, cache name kv)"

    def test_what_is_given_or_bound_wins(self, heard: Heard) -> None:
        with narration_context(actor="bound"):
            narrate_auto("one")
            narrate_auto("two", "Said {n}", n=1, actor="given", level="warn")
        assert heard.of("one")["actor"] == "bound"
        assert heard.of("one")["human"] == "One"
        two = heard.of("two")
        assert (two["actor"], two["human"], two["level"]) == ("given", "Said 1", "warn")

    def test_the_ids_of_the_current_span_are_taken(
        self, heard: Heard, span: Callable[[], Any]
    ) -> None:
        with narration_context(trace_id="1" * 32, span_id="1" * 16), span() as (trace_id, span_id):
            narrate_with_otel_context("in_span", "In a span")
            narrate_with_otel_context("given", "Given", span_id="2" * 16)
            narrate_auto("bound")
        with span() as (other_trace, other_span):
            narrate_auto("unbound")
        narrate_with_otel_context("outside", "Outside")
        of = {e["action"]: (e.get("trace_id"), e.get("span_id")) for e in heard.events}
        assert of == {
            "in_span": (trace_id, span_id),
            "given": (trace_id, "2" * 16),
            "bound": ("1" * 32, "1" * 16),
            "unbound": (other_trace, other_span),
            "outside": (None, None),
        }
        assert heard.of("unbound")["template"] == "Unbound", "ids are no part of the sentence"


@pytest.fixture
def span() -> Iterator[Callable[[], Any]]:
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider()

    @contextlib.contextmanager
    def running() -> Iterator[tuple[str, str]]:
        with provider.get_tracer("test").start_as_current_span("work") as current:
            ids = current.get_span_context()
            yield f"{ids.trace_id:032x}", f"{ids.span_id:016x}"

    yield running
    provider.shutdown()
