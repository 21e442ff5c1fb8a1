"""Judges logs that kubectl saved: no cluster is asked, and no service runs."""

from pathlib import Path

import pytest

from pytest_narration.pattern import event
from pytest_narration.sources import FilesSource

LOGS = Path(__file__).parent / "logs"


@pytest.fixture(scope="session")
def logs(narration_recorder):
    """Everything that the files tell, read once, in the order of its timestamps."""
    FilesSource(sorted(LOGS.glob("*.log")), narration_recorder).start().wait()
    return narration_recorder


@pytest.mark.usefixtures("logs")
def test_every_request_keeps_its_ids_on_every_hop(narration):
    narration.session.assert_holds(["correlation-present", "correlation-same", "trace-linked"])


@pytest.mark.usefixtures("logs")
def test_nothing_that_was_logged_is_a_secret(narration):
    narration.session.assert_holds(["no-secrets"])


def test_a_checkout_that_completes_was_paid_and_packed(logs):
    completed = logs.events(service="frontend", action="checkout_completed")
    assert len(completed) == 2
    for request in [checkout.correlation_id for checkout in completed]:
        # Everything is there already: a wait of no time explains itself when it fails.
        logs.wait_for(
            event(service="payment", action="payment_authorised", correlation_id=request)
            >> event(service="warehouse", action="parcel_packed", correlation_id=request)
            >> event(service="frontend", action="checkout_completed", correlation_id=request),
            timeout=0,
        )


def test_what_fails_says_why(logs):
    failed = logs.events(level="warn")
    assert {(event.service, event.error_kind) for event in failed} == {
        ("payment", "INSUFFICIENT_FUNDS"),
        ("frontend", "INSUFFICIENT_FUNDS"),
    }


def test_both_pods_of_the_cart_worked(logs):
    pods = {event.instance for event in logs.events(service="cart", action="cart_loaded")}
    assert pods == {"cart-7d4b9c6f5-x2x9q", "cart-7d4b9c6f5-p8rzt"}
