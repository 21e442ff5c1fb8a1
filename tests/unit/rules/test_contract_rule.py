"""The rule ``contract``: payloads, ids and frames of what was captured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_narration.contracts import Contracts
from tests.unit.rules.story_builder import Story, only_violation, story

RUN = {"job_id": "job-1-w", "correlation_id": "corr-1"}


def _with(action: str, **fields: Any) -> Story:
    made = story()
    made.event("worker", action, **RUN, extra=fields)
    return made


def test_it_holds_where_no_event_has_a_contract_of_its_own() -> None:
    assert story().verdict("contract").outcome == "held"


def test_it_holds_for_a_payload_that_fits() -> None:
    fitting = _with("job_run_started", job_run_id="r-1", attempt=1)
    assert fitting.verdict("contract").outcome == "held"


def test_a_wrong_payload_is_named_with_its_line_of_source() -> None:
    broken = story()
    for _ in range(2):
        broken.event(
            "worker", "search_executed", **RUN, source_location="search.py:41",
            extra={"mode": "keyword", "results_count": "many", "latency_ms": 1},
        )  # fmt: skip
    violation = only_violation(broken.verdict("contract"))
    assert violation.title == (
        "2 events of worker outside of the contract of search_executed: worker (instance "
        "worker-1) narrated at search.py:41, and results_count is 'many': expected how many "
        "results were found, 0 or more"
    )
    assert len(violation.events) == 2
    assert "NARRATION_VALIDATE=strict" in violation.hint


def test_a_lost_id_is_named() -> None:
    violation = only_violation(_with("job_run_started", attempt=1).verdict("contract"))
    assert "job_run_id is missing" in violation.title


def test_a_nested_envelope_is_judged_by_its_payload_and_correlation() -> None:
    """Its reader keeps both beside the columns it fills."""
    nested: dict[str, Any] = {
        "correlation": {"request_id": "corr-1", "job_id": "j", "job_run_id": "r"},
        "payload": {"attempt": 0},
    }
    broken = story()
    broken.event("worker", "media.worker.job_run.started", correlation_id="corr-1", extra=nested)
    violation = only_violation(broken.verdict("contract"))
    assert "payload.attempt is 0" in violation.title


def test_the_projects_own_contracts_are_judged(tmp_path: Path) -> None:
    own = Contracts.of({"tokenize": {"ids": ["session_id"]}}, folder=tmp_path)
    violation = only_violation(
        story().verdict("contract", options={"contract": {"contracts": own}})
    )
    assert "every tokenize has" in violation.title


@pytest.mark.parametrize(
    ("type", "data", "told"),
    [
        ("token", {"text": 7}, "text is 7: expected text"),
        ("end", {}, "finish_reason is missing"),
        ("error", "no JSON", "its data is 'no JSON'"),
    ],
)
def test_frames_are_judged_where_the_streams_are_ours(type: str, data: Any, told: str) -> None:
    broken = Story()
    broken.event("worker", "tokenize", **RUN)
    broken.frame(type, data, "job-1-o", "orchestrator")
    broken.frame("message", "[DONE]", "job-1-o", "orchestrator")
    assert broken.verdict("contract").outcome == "held"
    violation = only_violation(broken.verdict("contract", options={"contract": {"frames": True}}))
    assert violation.title.startswith(
        f"1 frame {type} of orchestrator outside of the contract sse-frame.v1: {told}"
    )
