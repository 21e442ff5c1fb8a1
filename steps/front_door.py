"""An orchestrator without nodes: what it admits, to whom, and how many, needs no worker."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from pytest_bdd import given, parsers, then, when

from harness.launch import Spec
from harness.launch.local import LocalLauncher
from pytest_narration.fixtures import Narration

_SECONDS = 60.0
_CLUSTER_TOKEN = secrets.token_hex(16)
_JOB = {"operation": "infer", "prompt": "Who goes there?", "max_tokens": 1}


class FrontDoor:
    """The running orchestrator, and what its clients were answered."""

    def __init__(self, client: httpx.Client, narration: Narration) -> None:
        self.client = client
        self.narration = narration
        self.answers: list[httpx.Response] = []

    def ask(self, method: str, path: str, token: str = _CLUSTER_TOKEN, **more: object) -> None:
        """Send one request and remember the answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.client.request(method, path, headers=headers, **more)  # type: ignore[arg-type]  # what httpx takes beside these
        self.answers.append(answer)

    @property
    def job_id(self) -> str:
        """Of the latest job that was admitted; empty when none was."""
        admitted = [a for a in self.answers if a.status_code == httpx.codes.ACCEPTED]
        return str(admitted[-1].json()["job_id"]) if admitted else ""


Open = Callable[..., FrontDoor]


@pytest.fixture
def open_door(narration: Narration) -> Iterator[Open]:
    """Start an orchestrator that ends with the scenario."""
    with ExitStack() as ends:

        def start(*arguments: str, clients: str = "") -> FrontDoor:
            environment = {**os.environ, "NARRATION_API_TOKEN": _CLUSTER_TOKEN}
            environment["NARRATION_CLIENT_TOKENS"] = clients
            launcher = LocalLauncher(narration.recorder, environment)
            ends.callback(launcher.close)
            spec = Spec("front-door", "harness.services.orchestrator", arguments)
            service = launcher.add(spec)
            service.start()
            service.wait_listening(_SECONDS)
            # The machine's proxies are not meant for 127.0.0.1.
            client = httpx.Client(base_url=service.url, timeout=_SECONDS, trust_env=False)
            return FrontDoor(ends.enter_context(client), narration)

        yield start


@given(
    parsers.parse('an orchestrator that knows the clients "{first}" and "{second}"'),
    target_fixture="door",
)
def _with_clients(open_door: Open, first: str, second: str) -> FrontDoor:
    return open_door(clients=f"{first},{second}")


@given(
    parsers.parse("an orchestrator without nodes that takes {jobs:d} jobs at once"),
    target_fixture="door",
)
def _small(open_door: Open, jobs: int) -> FrontDoor:
    return open_door(f"--most-jobs={jobs}")


@given(
    parsers.parse("an orchestrator without nodes where a job waits for {seconds} s at most"),
    target_fixture="door",
)
def _impatient(open_door: Open, seconds: str) -> FrontDoor:
    return open_door(f"--queue-timeout={seconds}")


@when(parsers.parse("{count:d} jobs are sent to it"))
def _jobs(door: FrontDoor, count: int) -> None:
    for _ in range(count):
        door.ask("POST", "/v1/jobs", json=_JOB)


@when(parsers.parse('"{client}" submits a job'))
def _submits(door: FrontDoor, client: str) -> None:
    door.ask("POST", "/v1/jobs", client, json=_JOB)


@then(parsers.parse('the same is "{status:d}" for "{client}":'))
def _same(door: FrontDoor, status: int, client: str, datatable: list[list[str]]) -> None:
    for method, path in datatable:
        door.ask(method, path.format(job_id=door.job_id), client)
        found = door.answers[-1]
        assert found.status_code == status, f"{client} {method} {path}: {found.status_code}"


@then(parsers.parse("the last answer is {status:d} with error code {code}, and says when to retry"))
def _refused(door: FrontDoor, status: int, code: str) -> None:
    answer = door.answers[-1]
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert int(answer.headers["Retry-After"]) >= 1


@then(parsers.parse("the other {count:d} were admitted"))
def _admitted(door: FrontDoor, count: int) -> None:
    assert [answer.status_code for answer in door.answers[:-1]] == [202] * count


@then(parsers.parse('the refusal is narrated at "{level}" under its correlation id'))
def _narrated(door: FrontDoor, level: str) -> None:
    correlation_id = door.answers[-1].headers["X-Correlation-Id"]
    door.narration.wait_for(
        action="request_refused", level=level, correlation_id=correlation_id, timeout=_SECONDS
    )


@then(parsers.parse('its job ends with the error "{code}"'))
def _ends(door: FrontDoor, code: str) -> None:
    door.ask("GET", f"/v1/jobs/{door.job_id}/stream")
    told = door.answers[-1].text
    assert f'"code":"{code}"' in told
    assert told.endswith("data: [DONE]\n\n")


@then("the job ids cannot be guessed")
def _unguessable(door: FrontDoor) -> None:
    """UUIDs of version 4: 122 random bits (RFC 9562, section 5.4)."""
    from uuid import UUID

    ids = [UUID(answer.json()["job_id"]) for answer in door.answers]
    assert {job_id.version for job_id in ids} == {4}
    assert len(set(ids)) == len(ids)


@then("nothing that it said or answered holds a token")
def _no_token(door: FrontDoor) -> None:
    door.narration.settle(timeout=_SECONDS)
    said = [str(event) for event in door.narration.events(service="orchestrator")]
    assert said, "the orchestrator said nothing"
    shown = {a.request.headers.get("Authorization", "Bearer ")[7:] for a in door.answers} - {""}
    answered = [f"{answer.text}{dict(answer.headers)}" for answer in door.answers]
    found = [token for token in shown if any(token in text for text in [*said, *answered])]
    assert found == []
