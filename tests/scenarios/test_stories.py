"""The cluster's stories, compared with the approved ones in ``snapshots/``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_bdd import parsers, scenarios, then

from pytest_narration.event import Event
from pytest_narration.story import Story
from steps.scene import Scene

if TYPE_CHECKING:
    from pytest_narration.snapshot.approval import StorySnapshot

scenarios("stories")

TOKENS = {"action": "token_generate"}
"""How many of them come before an end from outside is a matter of time."""

PROVISIONING = ("engine-provisioner", "llm-worker", "http-server", "device-manager", "model-loader")
"""Actors of a worker's start and end, which belong to no request."""


@then("the job's story is as approved")
def _job_story(scene: Scene, story_snapshot: StorySnapshot) -> None:
    scene.settle()
    assert scene.narration.story(scene.job.correlation_id) == story_snapshot


@then("the job's story is as approved, however many tokens came")
def _cut_story(scene: Scene, story_snapshot: StorySnapshot) -> None:
    scene.settle()
    assert scene.narration.story(scene.job.correlation_id) == story_snapshot(without=TOKENS)


@then(parsers.parse('the story of "{correlation_id}" is as approved'))
def _story_of(scene: Scene, story_snapshot: StorySnapshot, correlation_id: str) -> None:
    scene.wait_for(correlation_id=correlation_id)
    scene.settle()
    assert scene.narration.story(correlation_id) == story_snapshot


@then("the story of all jobs is as approved")
def _all_stories(scene: Scene, story_snapshot: StorySnapshot) -> None:
    scene.settle()
    requests = {job.correlation_id for job in scene.jobs}

    def belongs(event: Event) -> bool:
        return event.correlation_id in requests

    assert Story.of(scene.narration) == story_snapshot(only=belongs)


@then("the story of the crash is as approved, however many tokens came")
def _crash_story(scene: Scene, story_snapshot: StorySnapshot) -> None:
    scene.settle()

    def belongs(event: Event) -> bool:
        return event.correlation_id == scene.job.correlation_id or event.actor in PROVISIONING

    # Which device there is depends on the machine.
    unlike = {"action": re.compile("^(token_generate|device_init)$")}
    approved = story_snapshot(only=belongs, without=unlike, redact=["device", "gpu"])
    assert Story.of(scene.narration) == approved
