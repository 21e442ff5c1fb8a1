"""Builds stories of a three-service request, whole or with one thing wrong, for the rules' tests.

:func:`story` is valid by every rule. Its methods break one thing at a time; :meth:`Story.recorded`
gives the evidence to judge. Everything is deterministic: ids count up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pytest_narration.event import Event
from pytest_narration.recorder import Ending, Recorder
from pytest_narration.rules import Verdict, check
from pytest_narration.wire import Rejected

WORKER_TEMPLATES = {
    "execute_request": ("http-server", "Inference request validated for job {job_id}"),
    "inference_start": ("inference-backend", "Starting inference"),
    "tokenize": ("tokenizer", "Tokenized prompt (7 tokens)"),
    "inference_complete": ("inference-backend", "Inference completed (2 tokens in 5 ms)"),
}


@dataclass
class Point:
    """A declared point, as `channel-split` reads it."""

    service: str
    actor: str
    action: str
    human: str
    channels: tuple[str, ...] = ("stdout",)


@dataclass
class Sighting:
    event: Event
    channel: str
    source: str
    stream: str | None = None


@dataclass
class SeenFrame:
    type: str
    data: str
    id: str
    source: str
    stream: str | None


@dataclass
class Call:
    source: str
    method: str
    url: str
    status: int
    request_headers: dict[str, str]
    response_headers: dict[str, str]


@dataclass
class Story:
    """What sources saw, in arrival order."""

    entries: list[Any] = field(default_factory=list)
    _ids: int = 0
    _seqs: dict[str, int] = field(default_factory=dict)
    _frames: dict[str, int] = field(default_factory=dict)

    # Making

    def event(self, service: str, action: str, /, **fields: Any) -> Event:
        """Narrate: one line on stdout; `instance` and `actor` have defaults."""
        self._ids += 1
        instance = fields.pop("instance", f"{service}-1")
        seq = self._seqs[instance] = self._seqs.get(instance, 0) + 1
        actor, human = WORKER_TEMPLATES.get(action, (service, f"Did {action}"))
        values = {
            "event_id": f"01890a5d-ac96-774b-8cce-{self._ids:012x}",
            "timestamp": "2025-01-31T09:30:00.125Z",
            "service": service,
            "emitted_by": f"{service}@0.1.0",
            "instance": instance,
            "seq": seq,
            "actor": actor,
            "action": action,
            "human": human,
            "template": human,
        }
        event = Event(**(values | fields))
        # The pool manager captures its workers' stdout and relays it on its own.
        source = "pool-manager" if service == "worker" else service
        self.entries.append(Sighting(event, "stdout", source))
        return event

    def on_stream(self, event: Event, stream: str, source: str) -> None:
        """Let the same event reach a stream: a frame and a sighting."""
        self.frame("narration", {"event": event.fields()}, stream, source)
        self.entries.append(Sighting(event, "sse", source, stream))

    def frame(self, type: str, data: Any, stream: str, source: str) -> None:
        number = self._frames[source] = self._frames.get(source, 0) + 1
        text = data if isinstance(data, str) else json.dumps({"type": type, **data})
        self.entries.append(SeenFrame(type, text, str(number), source, stream))

    def ending(self, source: str, outcome: Any = "complete", detail: str = "") -> None:
        self.entries.append(Ending(source, outcome, detail))

    def reject(self, line: bytes, why: str = "not JSON", source: str = "worker") -> None:
        self.entries.append(Rejected(line, why, source, 0))

    # Reading

    def sightings(self) -> list[Sighting]:
        return [e for e in self.entries if isinstance(e, Sighting)]

    def frames(self) -> list[SeenFrame]:
        return [e for e in self.entries if isinstance(e, SeenFrame)]

    def calls(self) -> list[Call]:
        return [e for e in self.entries if isinstance(e, Call)]

    def find(self, **where: Any) -> Event:
        """Return the first event with these columns."""
        return self.find_all(**where)[0]

    def find_all(self, **where: Any) -> list[Event]:
        found = {s.event.event_id: s.event for s in self.sightings() if _has(s.event, where)}
        assert found, f"the story has no event with {where}"
        return list(found.values())

    # Breaking

    def change(self, where: dict[str, Any], **fields: Any) -> Story:
        """Change every sighting of the events that match."""
        changed = 0
        for sighting in self.sightings():
            if _has(sighting.event, where):
                sighting.event = msgspec.structs.replace(sighting.event, **fields)
                changed += 1
        assert changed, f"the story has no event with {where}"
        return self

    def drop(self, condition: Callable[[Any], bool]) -> Story:
        """Remove entries."""
        kept = [entry for entry in self.entries if not condition(entry)]
        assert len(kept) < len(self.entries), "nothing to drop"
        self.entries = kept
        return self

    def drop_line(self, event: Event) -> Story:
        """Lose the event's stdout line."""
        return self.drop(
            lambda e: isinstance(e, Sighting) and e.channel == "stdout" and e.event is event
        )

    def drop_event(self, event: Event) -> Story:
        """Remove the event as if it had never been narrated: numbers close up, causes skip it."""
        self.drop(lambda e: isinstance(e, Sighting) and e.event.event_id == event.event_id)
        for s in self.sightings():
            e = s.event
            if e.instance == event.instance and e.seq is not None and e.seq > (event.seq or 0):
                s.event = msgspec.structs.replace(e, seq=e.seq - 1)
            if event.event_id in e.cause:
                cause = tuple(c for c in e.cause if c != event.event_id) + event.cause
                s.event = msgspec.structs.replace(s.event, cause=cause)
        return self

    # Judging

    def recorded(self) -> Recorder:
        """Return a recorder that saw all of it in this order."""
        recorder = Recorder()
        for e in self.entries:
            if isinstance(e, Sighting):
                recorder.add_event(
                    e.event,
                    channel=e.channel,  # type: ignore[arg-type]  # tests build bad ones too
                    source=e.source,
                    stream=e.stream,
                )
            elif isinstance(e, SeenFrame):
                recorder.add_frame(e.type, e.data, e.id, source=e.source, stream=e.stream)
            elif isinstance(e, Call):
                recorder.add_exchange(**vars(e))
            elif isinstance(e, Ending):
                recorder.add_ending(e)
            else:
                recorder.add_rejected(e)
        return recorder

    def verdict(self, rule: str, **how: Any) -> Verdict:
        """Judge by one rule."""
        (verdict,) = check(self.recorded(), only=[rule], **how)
        return verdict

    def outcomes(self, **how: Any) -> dict[str, str]:
        """Judge by every rule: `{rule: outcome}`."""
        return {v.rule: v.outcome for v in check(self.recorded(), **how)}


def story(requests: int = 1, *, tokens: int = 1, ended: bool = True) -> Story:
    """Return a valid story of some requests, one after the other."""
    made = Story()
    for service in ("orchestrator", "pool-manager", "worker"):
        made.event(service, "server_bind")
    for number in range(1, requests + 1):
        add_request(made, number, tokens=tokens)
    if ended:
        for source in ("orchestrator", "pool-manager"):
            made.ending(source)
    return made


def add_request(made: Story, number: int, *, tokens: int = 1) -> None:
    """Add one request: client → orchestrator → pool manager → worker, streamed back."""
    c, j = f"corr-{number}", f"job-{number}"
    trace, spans = f"{number:032x}", [f"{number:015x}{hop}" for hop in "0abc"]
    client = f"client-{number}"

    def hop(level: int, parent: str | None) -> dict[str, Any]:
        of = {
            "correlation_id": c,
            "job_id": f"{j}-{'xopw'[level]}",
            "trace_id": trace,
            "span_id": spans[level],
            "parent_span_id": spans[level - 1],
        }
        return of | ({"parent_job_id": parent} if parent else {})

    orchestrator = hop(1, None)
    pool = hop(2, orchestrator["job_id"])
    worker = hop(3, pool["job_id"])
    top = orchestrator["job_id"]
    made.entries.append(
        Call(
            client, "POST", "http://127.0.0.1:4000/v1/jobs", 202,
            {"x-correlation-id": c, "traceparent": f"00-{trace}-{spans[0]}-01"},
            {"x-correlation-id": c, "x-request-id": c},
        )
    )  # fmt: skip
    no_job = {k: v for k, v in orchestrator.items() if k != "job_id"}
    first = made.event("orchestrator", "request_received", **no_job)
    accepted = made.event("orchestrator", "admit", cause=(_id(first),), **orchestrator)
    made.frame("started", {"job_id": top}, top, client)
    dispatch = made.event("orchestrator", "dispatch", **orchestrator)
    received = made.event("pool-manager", "job_received", cause=(_id(dispatch),), **pool)
    forward = made.event("pool-manager", "forward", **pool)
    made.on_stream(accepted, top, client)
    made.on_stream(received, top, client)
    said = [made.event("worker", "execute_request", cause=(_id(forward),), **worker)]
    said += [made.event("worker", action, **worker) for action in ("inference_start", "tokenize")]
    for _ in range(tokens):
        said.append(made.event("worker", "token_generate", **worker))
    said.append(made.event("worker", "inference_complete", **worker))
    for event in said:
        made.on_stream(event, top, client)
        if event.action == "token_generate":
            made.frame("token", {"text": "x"}, top, client)
    relayed = made.event("pool-manager", "relay", cause=(_id(said[-1]),), **pool)
    made.event("orchestrator", "finish", cause=(_id(relayed),), **orchestrator)
    made.frame("end", {"finish_reason": "stop"}, top, client)
    made.frame("done", "[DONE]", top, client)
    made.ending(client)


def only_violation(verdict: Verdict) -> Any:
    """Return the verdict's one violation."""
    assert verdict.outcome == "broken", str(verdict)
    (violation,) = verdict.violations
    return violation


def texts(items: Iterable[Any]) -> str:
    return "\n".join(map(str, items))


def _id(event: Event) -> str:
    assert event.event_id is not None
    return event.event_id


def _has(event: Event, where: dict[str, Any]) -> bool:
    return all(getattr(event, name) == value for name, value in where.items())
