"""Channels: what an operator reads on stdout, and what a user reads on a stream."""

from __future__ import annotations

from typing import Any

from ..errors import PatternFailed
from .judging import judge
from .observed import Observed
from .phrase import then
from .scene import Scene
from .selection import Selection


@then("{event} is seen on {channel}", example='Then the event "paid" is seen on the stream')
def _seen_on(described: Selection, channel: str, narration_scene: Scene) -> None:
    """Wait until such an event has come on a channel."""
    Observed(narration_scene).wait(described, **_on(channel, narration_scene))


@then(
    "{event} is seen on stdout and on {channel}",
    example='Then the event "paid" is seen on stdout and on the stream',
)
def _seen_on_both(described: Selection, channel: str, narration_scene: Scene) -> None:
    """Wait until the same event (by its id) has come on both."""
    observed = Observed(narration_scene)
    event = observed.wait(described, **_on(channel, narration_scene)).event
    same = {"event_id": event.event_id} if event.event_id else {}
    observed.wait(described, channel="stdout", **same)


@then(
    "{event} is seen on stdout and never on a stream",
    example='Then the event "cache_miss" is seen on stdout and never on a stream',
)
def _stdout_only(described: Selection, narration_scene: Scene) -> None:
    """Wait for such an event on stdout; when all is quiet, no stream must have brought one."""
    observed = Observed(narration_scene)
    observed.wait(described, channel="stdout")
    observed.settled()
    leaked = observed.pattern(described, channel="sse")
    narration = narration_scene.narration
    narration.recorder.never(leaked, since=narration.start)


@then(
    "each stream carries only its own job's events",
    example="Then each stream carries only its own job's events",
)
def _isolated(narration_scene: Scene) -> None:
    """Judge by the rule ``job-isolated``; streams must have carried events."""
    observed = Observed(narration_scene)
    observed.settled()
    if not narration_scene.narration.records(channel="sse"):
        raise PatternFailed("no stream carried an event, so nothing can be said about isolation")
    judge(narration_scene, ["job-isolated"])


@then(
    "what is on a stream is on stdout too",
    example="Then what is on a stream is on stdout too",
)
def _split(narration_scene: Scene) -> None:
    """Judge by the rule ``channel-split``: same events, same content, nothing that is stdout's."""
    judge(narration_scene, ["channel-split"])


@then("each stream is well formed", example="Then each stream is well formed")
def _grammar(narration_scene: Scene) -> None:
    """Judge by the rule ``stream-grammar``: started, the rest, one end, and nothing after it."""
    judge(narration_scene, ["stream-grammar"])


def _on(channel: str, scene: Scene) -> dict[str, Any]:
    if channel == "stdout":
        return {"channel": channel}
    if channel == "a stream":
        return {"channel": "sse"}
    return {"channel": "sse", "source": scene.stream.name}
