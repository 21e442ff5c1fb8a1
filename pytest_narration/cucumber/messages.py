"""A run -> Cucumber messages: one JSON object a line, for ``@cucumber/html-formatter`` and others.

The order and the links between messages are those of the standard
(https://github.com/cucumber/messages): sources and pickles, step definitions and hooks, then one
test case for each test and one attempt for each time that it ran.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from typing import Any

from .attempt import Argument, Attempt, Definition, Hook, Step
from .run import Broken, Pickled, Run

__all__ = ["PROTOCOL", "envelopes", "render"]

PROTOCOL = "34.2.1"
"""Version of the messages' schema that is written."""

_GHERKIN = "text/x.cucumber.gherkin+plain"
_HOOK_TYPES = {"before": "BEFORE_TEST_CASE", "after": "AFTER_TEST_CASE"}

Message = dict[str, Any]


def render(run: Run) -> str:
    """Return the messages as newline-delimited JSON."""
    return "".join(f"{json.dumps(message, ensure_ascii=False)}\n" for message in envelopes(run))


def envelopes(run: Run) -> Iterator[Message]:
    """Yield every message."""
    writer = _Writer(run)
    yield {"meta": _meta(run)}
    for feature in run.features:
        yield {"source": {"uri": feature.uri, "data": feature.text, "mediaType": _GHERKIN}}
        yield {"gherkinDocument": feature.document}
        yield from ({"pickle": pickled.pickle} for pickled in feature.pickled)
    for broken in run.broken:
        yield {"source": {"uri": broken.uri, "data": broken.text, "mediaType": _GHERKIN}}
        yield from _parse_errors(broken)
    ran = [pickled for feature in run.features for pickled in feature.pickled]
    yield from writer.definitions(ran)
    yield {"testRunStarted": {"id": writer.id, "timestamp": _timestamp(run.started)}}
    for pickled in ran:
        for attempts in pickled.tests.values():
            yield from writer.test_case(pickled.pickle, attempts)
    finished = {"testRunStartedId": writer.id, "timestamp": _timestamp(run.finished)}
    yield {"testRunFinished": finished | {"success": run.success}}


class _Writer:
    """Knows the ids that messages refer to each other by."""

    def __init__(self, run: Run) -> None:
        self._new_id = run.new_id.get_next_id
        self._definitions: dict[Definition, str] = {}
        self._hooks: dict[tuple[str, str], str] = {}
        self.id = self._new_id()

    def definitions(self, ran: list[Pickled]) -> Iterator[Message]:
        """Yield what steps and hooks of the run refer to, each once."""
        attempts = [a for pickled in ran for tries in pickled.tests.values() for a in tries]
        for definition in (step.definition for a in attempts for step in a.steps):
            if definition is not None and definition not in self._definitions:
                self._definitions[definition] = self._new_id()
                yield {"stepDefinition": self._definition(definition)}
        for hook in (hook for a in attempts for hook in a.hooks):
            if (hook.when, hook.name) not in self._hooks:
                self._hooks[hook.when, hook.name] = hook_id = self._new_id()
                told = {"id": hook_id, "name": hook.name, "type": _HOOK_TYPES[hook.when]}
                yield {"hook": told | {"sourceReference": {}}}

    def _definition(self, definition: Definition) -> Message:
        kind = "REGULAR_EXPRESSION" if definition.is_regex else "CUCUMBER_EXPRESSION"
        return {
            "id": self._definitions[definition],
            "pattern": {"source": definition.pattern, "type": kind},
            "sourceReference": {"uri": definition.path, "location": {"line": definition.line}},
        }

    def test_case(self, pickle: Message, attempts: list[Attempt]) -> Iterator[Message]:
        """Yield one test: its steps, and each time that it ran."""
        case = self._new_id()
        hooks: dict[tuple[str, str], str] = {}
        hooks |= {(hook.when, hook.name): self._new_id() for a in attempts for hook in a.hooks}
        steps = [self._new_id() for _ in pickle["steps"]]
        before = [_hook(hooks[key], self._hooks[key]) for key in hooks if key[0] == "before"]
        after = [_hook(hooks[key], self._hooks[key]) for key in hooks if key[0] == "after"]
        middle = [
            self._step(step_id, pickle_step, [a.steps[n] for a in attempts if n < len(a.steps)])
            for n, (step_id, pickle_step) in enumerate(zip(steps, pickle["steps"], strict=True))
        ]
        told = {"id": case, "pickleId": pickle["id"], "testRunStartedId": self.id}
        yield {"testCase": told | {"testSteps": [*before, *middle, *after]}}
        for number, attempt in enumerate(attempts):
            started = self._new_id()
            yield from self._attempt(attempt, case, started, number, steps, hooks)
            again = number + 1 < len(attempts)
            finished = {"testCaseStartedId": started, "willBeRetried": again}
            yield {"testCaseFinished": finished | {"timestamp": _timestamp(attempt.finished)}}
        for step, pickle_step in zip(attempts[-1].steps, pickle["steps"], strict=False):
            if step.snippet:
                snippets = [{"language": "python", "code": step.snippet}]
                told = {"id": self._new_id(), "pickleStepId": pickle_step["id"]}
                yield {"suggestion": told | {"snippets": snippets}}

    def _step(self, step_id: str, pickle_step: Message, ran: list[Step]) -> Message:
        known = {s.definition: s for s in ran if s.definition is not None}
        text = pickle_step["text"]
        lists = [[_argument(a, text) for a in step.arguments] for step in known.values()]
        return {
            "id": step_id,
            "pickleStepId": pickle_step["id"],
            "stepDefinitionIds": [self._definitions[definition] for definition in known],
            "stepMatchArgumentsLists": [{"stepMatchArguments": found} for found in lists],
        }

    def _attempt(
        self,
        attempt: Attempt,
        case: str,
        started: str,
        number: int,
        steps: list[str],
        hooks: dict[tuple[str, str], str],
    ) -> Iterator[Message]:
        told = {"id": started, "testCaseId": case, "attempt": number}
        told |= {"timestamp": _timestamp(attempt.started)}
        yield {"testCaseStarted": told | ({"workerId": attempt.worker} if attempt.worker else {})}
        by_when = {w: [h for h in attempt.hooks if h.when == w] for w in _HOOK_TYPES}
        for hook in by_when["before"]:
            yield from _ran(hook, hooks["before", hook.name], started, attempt.started)
        clock = attempt.started
        for position, (step, step_id) in enumerate(zip(attempt.steps, steps, strict=True)):
            clock = step.started or clock
            yield from _ran(
                step,
                step_id,
                started,
                clock,
                attachments=attempt.attachments if position == attempt.shown_at else (),
            )
            clock += step.seconds
        for hook in by_when["after"]:
            yield from _ran(hook, hooks["after", hook.name], started, attempt.finished)


def _ran(
    step: Step | Hook, step_id: str, started: str, clock: float, *, attachments: Any = ()
) -> Iterator[Message]:
    """Yield one step or hook of an attempt as it goes."""
    where = {"testCaseStartedId": started, "testStepId": step_id}
    ended = _timestamp(clock + step.seconds)
    yield {"testStepStarted": where | {"timestamp": _timestamp(clock)}}
    for attachment in attachments:
        text = {"body": attachment.text, "contentEncoding": "IDENTITY"}
        named = {"mediaType": attachment.media_type, "fileName": attachment.name}
        yield {"attachment": where | text | named | {"timestamp": ended}}
    yield {"testStepFinished": where | {"testStepResult": _result(step), "timestamp": ended}}


def _parse_errors(broken: Broken) -> Iterator[Message]:
    for message, location in broken.errors:
        place = {"uri": broken.uri} | ({"location": location} if location else {})
        yield {"parseError": {"source": place, "message": message}}


def _argument(argument: Argument, text: str) -> Message:
    # Readers in JavaScript and Java count UTF-16 units.
    start = len(text[: argument.start].encode("utf-16-le", "surrogatepass")) // 2
    group = {"start": start, "value": argument.text}
    return {"group": group} | ({"parameterTypeName": argument.type} if argument.type else {})


def _result(step: Step | Hook) -> Message:
    result: Message = {"status": step.status.upper(), "duration": _duration(step.seconds)}
    if step.message:
        result["message"] = step.message
    if step.status == "failed":
        told = {"type": step.kind or "Exception", "stackTrace": step.message}
        result["exception"] = told | {"message": step.brief or step.message.partition("\n")[0]}
    return result


def _hook(step_id: str, hook_id: str) -> Message:
    return {"id": step_id, "hookId": hook_id}


def _meta(run: Run) -> Message:
    return {
        "protocolVersion": PROTOCOL,
        "implementation": {"name": "pytest-narration", "version": run.version},
        "cpu": {"name": platform.machine()},
        "os": {"name": platform.system(), "version": platform.release()},
        "runtime": {
            "name": platform.python_implementation(),
            "version": platform.python_version(),
        },
    }


def _timestamp(seconds: float) -> Message:
    return _duration(max(seconds, 0.0))


def _duration(seconds: float) -> Message:
    # A clock's float holds microseconds today, and no more.
    microseconds = round(seconds * 1e6)
    return {"seconds": microseconds // 10**6, "nanos": microseconds % 10**6 * 1000}
