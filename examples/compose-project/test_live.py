"""Attaches to the project while it runs: `docker compose up --detach`, then pytest."""

import time
from contextlib import ExitStack
from uuid import uuid4

import httpx
import pytest

from pytest_narration.pattern import event
from pytest_narration.sources import DockerSource

PROJECT = "newsletter"
START_SECONDS = 60


@pytest.fixture(scope="session")
def containers():
    """``{service: container}`` of the running project."""
    docker = pytest.importorskip("docker", reason='pip install "pytest-narration[docker]"')
    try:
        client = docker.from_env()
    except docker.errors.DockerException as error:
        pytest.skip(f"no Docker engine answers: {error}")
    label = f"com.docker.compose.project={PROJECT}"
    found = client.containers.list(filters={"label": label})
    if not found:
        client.close()
        pytest.skip(f"the project {PROJECT} does not run: docker compose up --detach")
    for container in found:
        wait_healthy(container)
    yield {c.labels["com.docker.compose.service"]: c for c in found}
    client.close()


def wait_healthy(container):
    """Wait until the health check in compose.yaml finds that the service listens."""
    deadline = time.monotonic() + START_SECONDS
    while container.health != "healthy":
        state = f"{container.name} is {container.health} after {START_SECONDS} s"
        assert time.monotonic() < deadline, f"{state}:\n{container.logs().decode()}"
        time.sleep(0.2)
        container.reload()


@pytest.fixture(scope="session")
def narration_cluster(containers, narration_recorder):
    """The gateway's URL, while everything is read that the project logs from here on."""
    now = int(time.time())
    with ExitStack() as sources:
        for service, container in containers.items():
            source = DockerSource(container.id, narration_recorder, name=service, since=now)
            sources.enter_context(source)
        [published] = containers["gateway"].ports["8080/tcp"]
        yield f"http://127.0.0.1:{published['HostPort']}"


def test_a_subscription_is_the_same_request_in_both_containers(narration_cluster, narration):
    request = f"signup-{uuid4()}"
    httpx.post(
        f"{narration_cluster}/subscriptions",
        json={"to": "reader@example.org"},
        headers={"X-Correlation-Id": request},
    ).raise_for_status()

    narration.wait_for(
        event(service="gateway", action="subscription_accepted", correlation_id=request)
        & event(service="mailer", action="mail_sent")
    )
    narration.assert_holds(["correlation-present", "correlation-same", "job-own", "job-linked"])
