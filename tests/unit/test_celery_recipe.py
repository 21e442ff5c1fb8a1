"""The recipe for Celery in ``docs/headers.md``, as it stands there, with a real worker."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_narration import emit
from pytest_narration.emit import narrate

celery = pytest.importorskip("celery")
testing = pytest.importorskip("celery.contrib.testing.worker")

PAGE = Path(__file__).parents[2] / "docs" / "headers.md"


@pytest.fixture
def recipe() -> Iterator[dict[str, Any]]:
    """What the page defines; Celery forgets the receivers with it."""
    (code,) = re.findall(r"Celery:\n\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    defined: dict[str, Any] = {}
    exec(code, defined)
    yield defined
    for signal in ("before_task_publish", "task_prerun", "task_postrun"):
        for name in ("send", "begin", "end"):
            defined[signal].disconnect(defined[name])


def test_tasks_their_retries_and_their_tasks_are_one_story(
    recipe: dict[str, Any], narrated: list[dict[str, Any]]
) -> None:
    app = celery.Celery("shop", broker="memory://", backend="cache+memory://")
    app.conf.broker_transport_options = {"polling_interval": 0.02}

    @app.task
    def ship() -> None:
        narrate("ship", "Shipped", actor="shop")

    @app.task(bind=True)
    def order(self: Any) -> str:
        narrate("order", "Ordered", actor="shop")
        if self.request.retries == 0:
            raise self.retry(countdown=0)
        return str(ship.delay().id)

    with testing.start_worker(app, pool="threads", concurrency=1, perform_ping_check=False):
        with emit.extract({"X-Correlation-Id": "c-1"}).context(job_id="web"):
            asked = narrate("ask", "Asked", actor="web")
            placed = order.delay()
        shipped = app.AsyncResult(placed.get(timeout=20))
        shipped.get(timeout=20)
        ship.delay().get(timeout=20)
    stray = narrated.pop()
    assert [
        (said["action"], said.get("job_id"), said.get("parent_job_id")) for said in narrated
    ] == [
        ("ask", "web", None),
        ("order", placed.id, "web"),
        ("order", placed.id, None),
        ("ship", shipped.id, placed.id),
    ]
    assert {event["correlation_id"] for event in narrated} == {"c-1"}
    assert len({event["trace_id"] for event in narrated}) == 1
    ids = [event["event_id"] for event in narrated]
    assert [event.get("cause") for event in narrated] == [None, [asked], [ids[1]], [ids[2]]]
    assert stray["correlation_id"] != "c-1"
    assert not {"cause", "parent_job_id"} & stray.keys()
