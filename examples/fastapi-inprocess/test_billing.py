"""What one request narrates and logs, in the test's own process."""

import pytest
from billing import app
from fastapi.testclient import TestClient

from pytest_narration.pattern import event
from pytest_narration.sources import InProcessSource

ANNE = {"card": "anne", "amount": 12}


@pytest.fixture
def client():
    return TestClient(app)


@pytest.fixture
def logs(narration_capture):
    """The service's other loggers, read into the same recorder as what it narrates."""
    source = InProcessSource(
        narration_capture.recorder, service="billing", structlog=True, logging="billing"
    )
    with source:
        yield


def test_a_charge_is_narrated_from_start_to_end(client, narration_capture):
    response = client.post("/charges", json=ANNE, headers={"X-Correlation-Id": "demo-1"})

    assert response.headers["X-Correlation-Id"] == "demo-1"
    told = narration_capture.events(correlation_id="demo-1")
    assert [event.human for event in told] == ["Charging 12", "Charged 12"]
    narration_capture.assert_holds()


def test_a_refusal_is_narrated_with_its_reason(client, narration_capture):
    assert client.post("/charges", json=ANNE | {"amount": 501}).status_code == 402

    narration_capture.wait_for(
        event(action="charge_started") >> event(level="warn", error_kind="OVER_LIMIT")
    )
    assert narration_capture.events(action="charge_completed") == []
    narration_capture.assert_holds()


def test_all_loggers_speak_of_the_same_request(client, logs, narration_capture):
    client.post("/charges", json=ANNE, headers={"X-Correlation-Id": "demo-2"})

    told = narration_capture.events(correlation_id="demo-2")
    assert [(event.actor, event.human) for event in told] == [
        ("cashier", "Charging 12"),
        ("ledger", "limit_checked"),
        ("billing.audit", "card charged with 12"),
        ("cashier", "Charged 12"),
    ]
    assert len({event.job_id for event in told}) == 1
    narration_capture.assert_holds()
