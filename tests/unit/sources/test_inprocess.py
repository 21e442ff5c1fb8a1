"""What a process narrates and logs itself is recorded in the thread that says it."""

from __future__ import annotations

import logging
import sys
import threading

import pytest
import structlog

from pytest_narration.emit import narrate, narration_context
from pytest_narration.errors import MissingExtra
from pytest_narration.recorder import Recorder
from pytest_narration.sources import InProcessSource


def test_narrated_events_are_there_when_the_call_returns(recorder: Recorder) -> None:
    with InProcessSource(recorder) as source, narration_context(correlation_id="c-1"):
        event_id = narrate("tokenize", "Tokenized {n} words", actor="tokenizer", n=3)
        [event] = recorder.events()
    narrate("late", "After the context", actor="tokenizer")
    assert (event.event_id, event.correlation_id, event.human) == (
        event_id,
        "c-1",
        "Tokenized 3 words",
    )
    assert len(recorder.events()) == 1
    assert source.stop().outcome == "complete"
    assert len(recorder.endings) == 1


def test_other_threads_are_heard_too(recorder: Recorder) -> None:
    with InProcessSource(recorder):
        thread = threading.Thread(target=narrate, args=("work", "Working"), kwargs={"actor": "t"})
        thread.start()
        thread.join(10)
    assert [event.action for event in recorder.events()] == ["work"]


def test_stdlib_logging_becomes_events(recorder: Recorder) -> None:
    logger = logging.getLogger("shop.cart")
    logger.setLevel(logging.INFO)
    with InProcessSource(recorder, logging=True, service="shop"):
        logger.warning("Order %s is %d days late", "A1", 3, extra={"request_id": "r-1", "n": 3})
        try:
            raise ValueError("no")
        except ValueError:
            logger.exception("Failed")
    logger.info("after")
    late, failed = recorder.events()
    assert late.human == "Order A1 is 3 days late"
    assert late.template == "Order %s is %d days late"
    assert (late.actor, late.action, late.level) == ("shop.cart", "order_is_days_late", "warn")
    assert (late.correlation_id, late.extra["n"], late.service) == ("r-1", 3, "shop")
    assert late.source_location is not None
    assert late.source_location.startswith("test_inprocess.py:")
    assert (failed.level, failed.error_kind) == ("error", "ValueError")


def test_one_logger_can_be_chosen(recorder: Recorder) -> None:
    with InProcessSource(recorder, logging="shop"):
        logging.getLogger("shop.cart").error("mine")
        logging.getLogger("other").error("not mine")
    assert [event.human for event in recorder.events()] == ["mine"]


def test_structlog_becomes_events_even_from_loggers_made_before(recorder: Recorder) -> None:
    processors = [structlog.processors.add_log_level, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=processors,
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    try:
        logger = structlog.get_logger().bind(request_id="r-1")
        logger.info("before")
        with InProcessSource(recorder, structlog=True):
            logger.warning("order_late", days=3)
        logger.info("after")
        assert len(processors) == 2
    finally:
        structlog.reset_defaults()
    [event] = recorder.events()
    assert (event.action, event.level, event.correlation_id) == ("order_late", "warn", "r-1")
    assert event.extra == {"days": 3}


def test_structlog_that_is_not_installed_is_named_and_nothing_stays_captured(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "structlog", None)  # as if it were not installed
    source = InProcessSource(recorder, structlog=True, logging="shop")
    with pytest.raises(MissingExtra, match=r"^structlog is needed .* pip install structlog$"):
        source.start()
    narrate("work", "Working", actor="a")
    logging.getLogger("shop").error("late")
    assert recorder.events() == []
