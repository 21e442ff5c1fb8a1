"""Requests: what a client of the services sends.

A path goes to the service that was started or named first, unless the phrase or ``requests go to``
says another one; a whole address (``http://…``) goes where it says. Texts may hold saved values:
``${name}``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..errors import StepMistake
from .exchange import Body
from .json_path import JsonPath
from .observed import Observed
from .phrase import given, when
from .scene import Scene
from .selection import Selection
from .tables import Table, pairs, parsed

_MOST_AT_ONCE = 64

_CORRELATION = ("X-Correlation-Id", "X-Request-Id")


@given(
    "my requests carry the header {string} with {string}",
    example='Given my requests carry the header "X-Tenant" with "blue"',
)
def _header(name: str, text: str, narration_scene: Scene) -> None:
    """Send a header with every following request and stream of this scenario."""
    narration_scene.sent_with[name] = text


@given(
    "my requests carry the headers:",
    example="""
    Given my requests carry the headers:
      | header   | value |
      | X-Tenant | blue  |
      | X-Client | tests |
    """,
)
def _headers(datatable: Table, narration_scene: Scene) -> None:
    """Send headers with every following request and stream of this scenario."""
    narration_scene.sent_with.update(pairs(datatable, headings=("header", "value")))


@given(
    "my requests carry the bearer token {string}",
    example='Given my requests carry the bearer token "${env:API_TOKEN}"',
)
def _token(token: str, narration_scene: Scene) -> None:
    """Send ``Authorization: Bearer …`` with every following request and stream of this scenario."""
    narration_scene.sent_with["Authorization"] = f"Bearer {token}"


@given(
    "my requests carry the correlation id {string}",
    example='Given my requests carry the correlation id "checkout-7f3a"',
)
def _correlation(correlation_id: str, narration_scene: Scene) -> None:
    """Send it with every following request and stream of this scenario.

    As ``X-Correlation-Id`` and as ``X-Request-Id``; for a header of another name there is
    ``my requests carry the header``.
    """
    narration_scene.sent_with |= dict.fromkeys(_CORRELATION, correlation_id)


@when("I send {method} {string}", example='When I send GET "/health"')
def _send(method: str, path: str, narration_scene: Scene) -> None:
    """Send a request without a body. Whatever the answer is, the next steps judge it."""
    narration_scene.send(method, path)


@when("I send {method} {string} to {string}", example='When I send GET "/health" to "shop"')
def _send_to(method: str, path: str, service: str, narration_scene: Scene) -> None:
    """Send a request without a body to a service by name."""
    narration_scene.send(method, path, to=service)


@when(
    "I send {method} {string} with the headers:",
    example="""
    When I send GET "/orders" with the headers:
      | X-Correlation-Id | checkout-7f3a |
    """,
)
def _send_headers(method: str, path: str, datatable: Table, narration_scene: Scene) -> None:
    """Send a request with headers of its own."""
    narration_scene.send(method, path, headers=dict(pairs(datatable, headings=("header", "value"))))


@when(
    "I send {method} {string} with the JSON:",
    example='''
    When I send POST "/orders" with the JSON:
      """
      {"item": "shoes", "count": 2}
      """
    ''',
)
def _send_json(method: str, path: str, docstring: str, narration_scene: Scene) -> None:
    """Send the JSON below the step."""
    narration_scene.send(method, path, Body.json(parsed(docstring)))


@when(
    "I send {method} {string} with the JSON {json}",
    example='When I send POST "/orders" with the JSON {"item": "shoes"}',
)
def _send_json_inline(method: str, path: str, document: Any, narration_scene: Scene) -> None:
    """Send JSON that stands in the line, as outlines need it."""
    narration_scene.send(method, path, Body.json(document))


@when(
    "I send {method} {string} to {string} with the JSON:",
    example='''
    When I send POST "/orders" to "shop" with the JSON:
      """
      {"item": "shoes"}
      """
    ''',
)
def _send_json_to(
    method: str, path: str, service: str, docstring: str, narration_scene: Scene
) -> None:
    """Send the JSON below the step to a service by name."""
    narration_scene.send(method, path, Body.json(parsed(docstring)), to=service)


@when(
    "I send {method} {string} with the text:",
    example='''
    When I send POST "/orders" with the text:
      """
      {"item": this is no JSON
      """
    ''',
)
def _send_text(method: str, path: str, docstring: str, narration_scene: Scene) -> None:
    """Send the text below the step as it is, as ``text/plain`` unless a header says other."""
    narration_scene.send(method, path, Body.text(docstring))


@when(
    "I send {method} {string} with a text of {int} characters",
    example='When I send POST "/orders" with a text of 1000000 characters',
)
def _send_long(method: str, path: str, length: int, narration_scene: Scene) -> None:
    """Send a text of that many letters, to see how a service meets too much of it."""
    narration_scene.send(method, path, Body.text("x" * length))


@when(
    "I send {method} {string} {int} times at the same time",
    example='When I send GET "/orders/${n}" 20 times at the same time',
)
def _send_many(method: str, path: str, times: int, narration_scene: Scene) -> None:
    """Send many requests from as many clients; ``${n}`` is the number of each, from 1."""
    _at_once(narration_scene, method, path, times, None)


@when(
    "I send {method} {string} {int} times at the same time with the JSON:",
    example='''
    When I send POST "/orders" 20 times at the same time with the JSON:
      """
      {"item": "shoes", "customer": "c-${n}"}
      """
    ''',
)
def _send_many_json(
    method: str, path: str, times: int, docstring: str, narration_scene: Scene
) -> None:
    """Send many requests with JSON from as many clients; ``${n}`` is the number of each, from 1."""
    _at_once(narration_scene, method, path, times, docstring)


def _at_once(scene: Scene, method: str, path: str, times: int, text: str | None) -> None:
    def send(number: int) -> None:
        body = None
        if text is not None:
            body = Body.json(parsed(text.replace("${n}", str(number))))
        scene.send(method, path.replace("${n}", str(number)), body)

    if times < 1:
        raise StepMistake(f"{times} requests at the same time are none: write at least 1")
    scene.narration.mark()  # made before the threads ask for it
    with ThreadPoolExecutor(min(times, _MOST_AT_ONCE)) as pool:
        list(pool.map(send, range(1, times + 1)))


@when(
    "I save {path} of the answer as {string}",
    example='When I save "$.order.id" of the answer as "order"',
)
def _save_path(path: JsonPath, name: str, narration_scene: Scene) -> None:
    """Keep a value of the answer's JSON; later steps write ``${order}`` for it."""
    found = path.value(narration_scene.answer.json())
    if found is None:
        raise StepMistake(f"there is nothing at {path!r}: {narration_scene.answer}")
    narration_scene.saved[name] = str(found)


@when(
    "I save the header {string} of the answer as {string}",
    example='When I save the header "Location" of the answer as "place"',
)
def _save_header(header: str, name: str, narration_scene: Scene) -> None:
    """Keep a header of the answer; later steps write ``${place}`` for it."""
    headers = narration_scene.answer.response.headers
    if header not in headers:
        raise StepMistake(f'the answer has no header "{header}"; it has: {", ".join(headers)}')
    narration_scene.saved[name] = headers[header]


@when(
    "I save the field {string} of {event} as {string}",
    example='When I save the field "order_id" of the event "order_placed" as "order"',
)
def _save_field(field: str, described: Selection, name: str, narration_scene: Scene) -> None:
    """Wait for an event and keep one of its fields; later steps write ``${order}`` for it."""
    event = Observed(narration_scene).wait(described).event
    found = event.field(field)
    if found is None:
        raise StepMistake(f'the event has no field "{field}"; it has: {", ".join(event.fields())}')
    narration_scene.saved[name] = str(found)


@when("I call {string} {string}", example='When I call "order" "o-17"')
def _call(name: str, text: str, narration_scene: Scene) -> None:
    """Keep a text under a name; later steps write ``${order}`` for it."""
    narration_scene.saved[name] = text
