"""A Python service that narrates in this very process: its context, its texts, its voices."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from pytest_bdd import parsers, then, when

from pytest_narration.emit import narrate, narration_context
from pytest_narration.event import Event
from pytest_narration.fixtures import Capture
from pytest_narration.story import Mode, Story
from pytest_narration.wire import encode

_ACTOR = "clerk"
_MOST_BYTES = 64 * 1024
_JOIN_SECONDS = 10.0


@pytest.fixture
def told(narration_capture: Capture) -> Capture:
    """What this scenario narrates in process."""
    return narration_capture


def _say(action: str) -> None:
    narrate(action, "The clerk is at work", actor=_ACTOR)


async def _say_later() -> None:
    await asyncio.sleep(0)
    _say("during")


def _in_await() -> None:
    asyncio.run(_say_later())


def _in_task() -> None:
    async def main() -> None:
        await asyncio.create_task(_say_later())

    asyncio.run(main())


def _in_gathered() -> None:
    async def main() -> None:
        await asyncio.gather(_say_later(), asyncio.sleep(0))

    asyncio.run(main())


def _in_callback() -> None:
    async def main() -> None:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.call_soon(_say, "during")
        loop.call_soon(done.set)
        await done.wait()

    asyncio.run(main())


def _in_to_thread() -> None:
    asyncio.run(asyncio.to_thread(_say, "during"))


def _in_pool() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, _say, "during").result(_JOIN_SECONDS)


def _in_thread() -> None:
    thread = threading.Thread(target=contextvars.copy_context().run, args=(_say, "during"))
    thread.start()
    thread.join(_JOIN_SECONDS)


_ACROSS: dict[str, Callable[[], None]] = {
    "an await": _in_await,
    "a task": _in_task,
    "tasks that are gathered": _in_gathered,
    "a callback of the loop": _in_callback,
    "asyncio.to_thread": _in_to_thread,
    "a pool's thread that was given the context": _in_pool,
    "a thread that was given the context": _in_thread,
}


@when(parsers.parse('the request "{correlation_id}" is worked on before, in and after {across}'))
def _work(told: Capture, correlation_id: str, across: str) -> None:
    with narration_context(correlation_id=correlation_id, job_id="j-1"):
        _say("before")
        _ACROSS[across]()
        _say("after")


@then(parsers.parse('all {count:d} lines carry "{correlation_id}"'))
def _carry(told: Capture, count: int, correlation_id: str) -> None:
    assert [event.correlation_id for event in told.events()] == [correlation_id] * count


@when(parsers.parse('a thread that was given nothing works during the request "{correlation_id}"'))
def _plain_thread(told: Capture, correlation_id: str) -> None:
    with narration_context(correlation_id=correlation_id, job_id="j-1"):
        thread = threading.Thread(target=_say, args=("beside",))
        thread.start()
        thread.join(_JOIN_SECONDS)
        _say("within")


@then(parsers.parse('the line "{action}" carries no correlation id'))
def _carries_none(told: Capture, action: str) -> None:
    assert [event.correlation_id for event in told.events(action=action)] == [None]


@then(parsers.parse('the line "{action}" carries "{correlation_id}"'))
def _carries(told: Capture, action: str, correlation_id: str) -> None:
    assert [e.correlation_id for e in told.events(action=action)] == [correlation_id]


@when("contexts are nested, and the innermost fails")
def _nested(told: Capture) -> None:
    _say("outside")
    with narration_context(correlation_id="outer", job_id="j-1", tenant="blue"):
        _say("outer")
        try:
            with narration_context(job_id="j-2", tenant=None):
                _say("inner")
                with narration_context(correlation_id="innermost"):
                    _say("innermost")
                    raise RuntimeError("the clerk stumbles")
        except RuntimeError:
            _say("outer-again")
    _say("outside-again")


@then("the lines carry, in this order:")
def _table(told: Capture, datatable: list[list[str]]) -> None:
    names, *rows = datatable
    found = [
        [str(event.field(name) if name != "action" else event.action) for name in names]
        for event in told.events()
    ]
    assert found == [[cell or "None" for cell in row] for row in rows]


@when(parsers.parse("{count:d} requests are worked on at the same time on one loop"))
def _many(told: Capture, count: int) -> None:
    async def work(number: int) -> None:
        with narration_context(correlation_id=f"r-{number}", job_id=f"j-{number}"):
            for _ in range(3):
                narrate("step", "Request {number} goes on", actor=_ACTOR, number=number)
                await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(work(number) for number in range(count)))

    asyncio.run(main())


@then(parsers.parse("each of the {count:d} lines carries the ids of its own request"))
def _own(told: Capture, count: int) -> None:
    events = told.events()
    assert len(events) == count
    for event in events:
        number = event.field("number")
        assert (event.correlation_id, event.job_id) == (f"r-{number}", f"j-{number}")


_TEXTS = {
    "a null byte": "pay\x00ment",
    "a zero-width space": "pay\u200bment",
    "a soft hyphen": "pay\u00adment",
    "a right-to-left override": "pay\u202ement",
    "an isolated direction": "pay\u2066ment\u2069",
    "a byte-order mark": "\ufeffpayment",
    "an escape that colours": "pay\x1b[31mment",
    "a tag character": "pay\U000e0041ment",
}


@when(parsers.parse("a text with {what} in it is narrated"))
def _deceiving(told: Capture, what: str) -> None:
    narrate("pay", "Took the {text}", actor=_ACTOR, text=_TEXTS[what])


@when(parsers.parse("the text {text} is narrated"))
def _given_text(told: Capture, text: str) -> None:
    narrate("pay", "Took the {text}", actor=_ACTOR, text=json.loads(text))


@then(parsers.parse("the line says {sentence}"))
def _says(told: Capture, sentence: str) -> None:
    assert [event.human for event in told.events()] == [json.loads(sentence)]


@when(parsers.parse("a text of {characters:d} characters is narrated"))
def _long(told: Capture, characters: int) -> None:
    narrate("read", "Read {text}", actor=_ACTOR, text="ä" * characters)


@then("one line is narrated, of 64 KiB at most, and it says that it was cut")
def _cut(told: Capture) -> None:
    [event] = told.events()
    line = encode(event)
    assert len(line) <= _MOST_BYTES
    assert event.human.startswith("Read ää")
    assert "…" in event.human[-60:], event.human[-60:]


@when("the clerk tells of an order in three voices")
def _voices(told: Capture) -> None:
    with narration_context(correlation_id="r-1", job_id="j-1"):
        narrate(
            "greet",
            "Took the order of {customer}",
            actor=_ACTOR,
            customer="Ada",
            cute="A new order flutters in 🦋",
            story='"Two apples, please," said Ada. "Right away," said the clerk.',
        )
        narrate("pack", "Packed {pieces} apples", actor=_ACTOR, pieces=2)


@then(parsers.parse("its story, told in the voice {mode}, says:"))
def _told_in(told: Capture, mode: Mode, docstring: str) -> None:
    said = str(Story.of(told, mode=mode)).splitlines()
    assert len(said) == len(docstring.splitlines())
    for line, expected in zip(said, docstring.splitlines(), strict=True):
        assert expected.strip() in line


@when(parsers.parse("a dialogue of {characters:d} characters is told"))
def _dialogue(told: Capture, characters: int) -> None:
    spoken = f'"{"Psst! " * characters}'[: characters - 1] + '"'
    with narration_context(correlation_id="r-1", job_id="j-1"):
        narrate("whisper", "Whispered", actor=_ACTOR, story=spoken)


@then(parsers.parse('the rule "{rule}" is {outcome}'))
def _rule(told: Capture, rule: str, outcome: str) -> None:
    [verdict] = told.check([rule])
    assert verdict.outcome == outcome, str(verdict)


@then("the dialogue is kept as it was spoken")
def _kept(told: Capture) -> None:
    event: Event = told.events(action="greet")[0]
    assert event.story == '"Two apples, please," said Ada. "Right away," said the clerk.'
    assert event.human == "Took the order of Ada"
