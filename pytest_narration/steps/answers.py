"""Answers: what the latest request got back.

A table of places takes the same words for values as phrases do (``at least 3``, ``/regex/``,
``present``); any other cell is a text as it stands.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from ..errors import StepFailed
from .exchange import Answer
from .json_path import JsonPath
from .phrase import then
from .scene import Scene
from .tables import Table, expectations, parsed
from .values import Expected

_SHOWN = 80


@then("the answer is {int}", example="Then the answer is 202")
def _status(status: int, narration_scene: Scene) -> None:
    """Compare the status code."""
    if narration_scene.answer.status != status:
        raise StepFailed(f"expected status {status}: {narration_scene.answer}")


@then("the answer is a success", example="Then the answer is a success")
def _success(narration_scene: Scene) -> None:
    """Expect any status from 200 to 299."""
    if not narration_scene.answer.response.is_success:
        raise StepFailed(f"expected a success: {narration_scene.answer}")


@then("the answer's {path} is {value}", example='Then the answer\'s "$.error.code" is "not_found"')
def _place(path: JsonPath, expected: Expected, narration_scene: Scene) -> None:
    """Judge one value of the answer's JSON."""
    _judge(narration_scene.answer, [(path.text, expected)])


@then(
    "the answer has:",
    example="""
    Then the answer has:
      | place        | value    |
      | $.status     | accepted |
      | $.items[0].n | at least 1 |
      | $.error      | absent   |
    """,
)
def _places(datatable: Table, narration_scene: Scene) -> None:
    """Judge several values of the answer's JSON; all that differ are shown."""
    _judge(narration_scene.answer, expectations(datatable, headings=("place", "value")))


def _judge(answer: Answer, expected: list[tuple[str, Expected]]) -> None:
    document = answer.json()
    wrong = []
    for place, condition in expected:
        found = JsonPath(place).value(document)
        if not condition.accepts(found):
            wrong.append(f"{place}: expected {condition!r}, found {_shown(found)}")
    if wrong:
        raise StepFailed("\n".join([*wrong, str(answer)]))


@then(
    "the answer is the JSON:",
    example='''
    Then the answer is the JSON:
      """
      {"status": "accepted", "items": []}
      """
    ''',
)
def _same(docstring: str, narration_scene: Scene) -> None:
    """Compare the whole of the answer's JSON; the order of members does not matter."""
    expected, found = parsed(docstring), narration_scene.answer.json()
    if differences := list(_differences(expected, found, "$")):
        raise StepFailed("\n".join([*differences, str(narration_scene.answer)]))


def _differences(expected: Any, found: Any, place: str) -> list[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            text
            for key in dict.fromkeys((*expected, *found))
            for text in _differences(
                expected.get(key, _NOTHING), found.get(key, _NOTHING), f"{place}.{key}"
            )
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [
            text
            for number, (one, other) in enumerate(zip(expected, found, strict=True))
            for text in _differences(one, other, f"{place}[{number}]")
        ]
    same = type(expected) is not bool and type(found) is not bool and expected == found
    if same or (expected is found and expected is not _NOTHING):
        return []
    return [f"{place}: expected {_shown(expected)}, found {_shown(found)}"]


class _Nothing:
    """Stands for a member that is not there."""


_NOTHING = _Nothing()


@then("the answer's text is {value}", example='Then the answer\'s text is containing "paid"')
def _text(expected: Expected, narration_scene: Scene) -> None:
    """Judge the answer as text."""
    if not expected.accepts(narration_scene.answer.response.text):
        raise StepFailed(f"expected a text that is {expected!r}: {narration_scene.answer}")


@then(
    "the answer's header {string} is {value}",
    example='Then the answer\'s header "Content-Type" is containing "json"',
)
def _header(name: str, expected: Expected, narration_scene: Scene) -> None:
    """Judge a header, ``absent`` ones included; its name in any case."""
    found = narration_scene.answer.response.headers.get(name)
    if not expected.accepts(found):
        headers = ", ".join(narration_scene.answer.response.headers)
        raise StepFailed(
            f"header {name}: expected {expected!r}, found {_shown(found)} "
            f"(headers are: {headers}). {narration_scene.answer}"
        )


@then("the answer came within {duration}", example="Then the answer came within 500 ms")
def _in_time(limit: float, narration_scene: Scene) -> None:
    """Judge how long the answer took, from the request's first byte to its own last."""
    if narration_scene.answer.seconds > limit:
        raise StepFailed(f"expected an answer within {limit:g} s: {narration_scene.answer}")


@then("every answer is {int}", example="Then every answer is 200")
def _every(status: int, narration_scene: Scene) -> None:
    """Compare the status of every answer of this scenario."""
    wrong = [answer for answer in narration_scene.answers if answer.status != status]
    if wrong or not narration_scene.answers:
        found = Counter(answer.status for answer in narration_scene.answers)
        raise StepFailed(
            f"expected every answer to be {status}; statuses are: {_counts(found)}"
            + (f"\nsuch as {wrong[0]}" if wrong else "")
        )


@then("{amount} answer/answers is/are {int}", example="Then exactly 1 answer is 409")
def _some(amount: Expected, status: int, narration_scene: Scene) -> None:
    """Count the answers of this scenario that have a status."""
    found = Counter(answer.status for answer in narration_scene.answers)
    if not amount.accepts(found[status]):
        raise StepFailed(
            f"expected {amount!r} with status {status}; statuses are: {_counts(found)}"
        )


@then(
    "{number} % of the answers came within {duration}",
    example="Then 95 % of the answers came within 200 ms",
)
def _percentile(percent: float, limit: float, narration_scene: Scene) -> None:
    """Judge how long the answers of this scenario took, the slowest left out."""
    times = sorted(answer.seconds for answer in narration_scene.answers)
    if not times:
        raise StepFailed("no request was sent in this scenario")
    fast = sum(seconds <= limit for seconds in times) / len(times) * 100
    if fast < percent:
        raise StepFailed(
            f"expected {percent:g} % of the answers within {limit:g} s; it were {fast:.4g} % of "
            f"{len(times)}, the median after {times[len(times) // 2] * 1000:.0f} ms and the "
            f"slowest after {times[-1] * 1000:.0f} ms"
        )


def _counts(found: Counter[int]) -> str:
    return ", ".join(f"{times}× {status}" for status, times in sorted(found.items())) or "none"


def _shown(value: Any) -> str:
    if value is None or value is _NOTHING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
