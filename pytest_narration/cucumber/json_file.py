"""A run -> Cucumber JSON, as cucumber-jvm writes it: for Jenkins, Xray, report generators.

The schema is that of https://github.com/cucumber/cucumber-json-schema. The format knows no second
attempt, so a scenario that was run again is there once for each time.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from .attempt import Attachment, Attempt, Hook, Step
from .run import Feature, Pickled, Run, scenarios

__all__ = ["render"]

Node = dict[str, Any]


def render(run: Run) -> str:
    """Return the report, features in the order of their files."""
    features = [_feature(feature) for feature in run.features]
    return json.dumps(features, ensure_ascii=False, indent=2) + "\n"


def _feature(feature: Feature) -> Node:
    tree = feature.document["feature"]
    nodes = _Nodes(tree)
    return {
        "uri": feature.uri,
        "id": _slug(tree["name"]),
        "line": tree["location"]["line"],
        "keyword": tree["keyword"],
        "name": tree["name"],
        "description": tree["description"],
        "tags": [
            {"name": tag["name"], "type": "Tag", "location": tag["location"]}
            for tag in tree["tags"]
        ],
        "elements": [
            element
            for pickled in feature.pickled
            for attempts in pickled.tests.values()
            for attempt in attempts
            for element in nodes.elements(pickled, attempt)
        ],
    }


class _Nodes:
    """The syntax tree of a feature, by the ids that pickles refer to."""

    def __init__(self, feature: Node) -> None:
        self._feature = feature
        self._backgrounds: dict[str, Node] = {}
        """``{id of a step: the background that has it}``"""
        self._steps: dict[str, Node] = {}
        for background in _backgrounds(feature["children"]):
            for step in background["steps"]:
                self._backgrounds[step["id"]] = background
                self._steps[step["id"]] = step
        self._scenarios: dict[str, Node] = {}
        for scenario in scenarios({"feature": feature}):
            self._scenarios[scenario["id"]] = scenario
            self._steps |= {step["id"]: step for step in scenario["steps"]}

    def elements(self, pickled: Pickled, attempt: Attempt) -> Iterator[Node]:
        """Yield one run of a scenario; steps of backgrounds are an element before it."""
        pickle = pickled.pickle
        steps = [
            (
                self._backgrounds.get(told["astNodeIds"][0]),
                self._step(told, ran, attempt.attachments if n == attempt.shown_at else ()),
            )
            for n, (told, ran) in enumerate(zip(pickle["steps"], attempt.steps, strict=True))
        ]
        if inherited := [step for background, step in steps if background is not None]:
            background = next(found for found, _ in steps if found is not None)
            yield _element("background", background, background["name"]) | {"steps": inherited}
        scenario = self._scenarios[pickle["astNodeIds"][0]]
        element = _element("scenario", scenario, pickle["name"])
        element["line"] = pickle["location"]["line"] if "location" in pickle else attempt.line
        element["id"] = f"{_slug(self._feature['name'])};{_slug(pickle['name'])}"
        if attempt.row is not None:
            element["id"] += f";;{attempt.row + 2}"  # as Cucumber counts: the heading is row 1
        began = datetime.fromtimestamp(attempt.started, UTC)
        element["start_timestamp"] = began.isoformat(timespec="milliseconds")[:-6] + "Z"
        element["tags"] = [{"name": tag["name"]} for tag in pickle["tags"]]
        for when in ("before", "after"):
            if hooks := [_hook(hook) for hook in attempt.hooks if hook.when == when]:
                element[when] = hooks
        element["steps"] = [step for background, step in steps if background is None]
        yield element

    def _step(self, told: Node, ran: Step, attachments: Iterable[Attachment]) -> Node:
        node = self._steps[told["astNodeIds"][0]]
        definition = ran.definition
        step: Node = {
            "keyword": node["keyword"],
            "line": node["location"]["line"],
            "name": told["text"],
            "match": {"location": f"{definition.path}:{definition.line}"} if definition else {},
            "result": _result(ran),
        }
        argument = told.get("argument", {})
        if "docString" in argument:
            line = node["docString"]["location"]["line"]
            step["doc_string"] = {"line": line, "value": argument["docString"]["content"]}
            if media_type := argument["docString"].get("mediaType"):
                step["doc_string"]["content_type"] = media_type
        if "dataTable" in argument:
            rows = argument["dataTable"]["rows"]
            step["rows"] = [{"cells": [cell["value"] for cell in row["cells"]]} for row in rows]
        if embeddings := [_embedding(attachment) for attachment in attachments]:
            step["embeddings"] = embeddings
        return step


def _backgrounds(children: list[Node]) -> Iterator[Node]:
    for child in children:
        if "background" in child:
            yield child["background"]
        if "rule" in child:
            yield from _backgrounds(child["rule"]["children"])


def _element(kind: str, node: Node, name: str) -> Node:
    return {
        "type": kind,
        "keyword": node["keyword"],
        "name": name,
        "description": node["description"],
        "line": node["location"]["line"],
    }


def _result(ran: Step | Hook) -> Node:
    result: Node = {"status": ran.status, "duration": round(ran.seconds * 1e9)}
    if ran.message:
        result["error_message"] = ran.message
    return result


def _hook(hook: Hook) -> Node:
    return {"match": {"location": hook.name}, "result": _result(hook)}


def _embedding(attachment: Attachment) -> Node:
    data = base64.b64encode(attachment.text.encode()).decode("ascii")
    return {"data": data, "mime_type": attachment.media_type, "name": attachment.name}


def _slug(name: str) -> str:
    return re.sub(r"[\s'_,!]", "-", name).lower()
