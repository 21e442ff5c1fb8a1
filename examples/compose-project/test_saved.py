"""Judges a log that `docker compose logs --no-color` saved; no engine is needed."""

from pathlib import Path

import pytest

from pytest_narration.pattern import event
from pytest_narration.sources import FilesSource

LOG = Path(__file__).parent / "logs" / "compose.log"


@pytest.fixture(scope="session")
def log(narration_recorder):
    """Everything that the file tells: each line's prefix names its service."""
    FilesSource([LOG], narration_recorder).start().wait()
    return narration_recorder


@pytest.mark.usefixtures("log")
def test_every_subscription_keeps_its_ids_on_every_hop(narration):
    ids = ["correlation-present", "correlation-same", "job-own", "job-linked"]
    narration.session.assert_holds(ids)


def test_every_accepted_subscription_is_welcomed(log):
    accepted = log.events(source="compose", action="subscription_accepted")
    assert len(accepted) == 3
    for subscription in accepted:
        # Everything is there already: a wait of no time explains itself when it fails.
        log.wait_for(
            event(service="mailer", action="mail_sent", correlation_id=subscription.correlation_id),
            timeout=0,
        )


def test_every_line_could_be_read(log):
    assert log.rejected == []
