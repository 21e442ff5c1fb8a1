"""Services: what runs before a scenario begins, and what it does to them.

The services of ``[tool.narration.cluster]`` start once and serve all scenarios; a service that a
scenario starts itself ends with it. A Given step of the next scenario starts again what one has
stopped.
"""

from __future__ import annotations

import time
from typing import Any

from ..cluster import Cluster, service_settings
from ..errors import ClusterError, StepFailed, StepMistake
from .phrase import given, then, when
from .scene import Scene, services_of
from .tables import Table, nested
from .values import Expected

_PAUSE = 0.02


@given("the cluster is running", example="Given the cluster is running")
def _cluster(narration_cluster: Any, narration_scene: Scene) -> None:
    """Start the project's services, or again those that are down, and wait until each is ready."""
    if isinstance(narration_cluster, Cluster):
        narration_cluster.ensure()
    narration_scene.use(services_of(narration_cluster))


@given(
    "the service {string} is started by {string}",
    example='Given the service "shop" is started by "python shop.py --port {port}"',
)
def _started_by(name: str, command: str, narration_scene: Scene) -> None:
    """Start a program as a service of this scenario and wait until it is ready.

    ``{port}`` in the command is a free port. A service with a port is ready when it listens there;
    for other ways, and for more settings, use the phrase with a table.
    """
    _start(narration_scene, name, {"command": command})


@given(
    "the service {string} is started with:",
    example="""
    Given the service "shop" is started with:
      | command       | node shop.js          |
      | env.PORT      | {port}                |
      | ready.event   | listening             |
      | ready.timeout | 20 s                  |
    """,
)
def _started_with(name: str, datatable: Table, narration_scene: Scene) -> None:
    """Start a service of this scenario with settings as in ``[tool.narration.cluster]``."""
    _start(narration_scene, name, nested(datatable))


def _start(scene: Scene, name: str, table: dict[str, Any]) -> None:
    where = f'the service "{name}"'
    scene.start(service_settings(name, table, where=where, own=scene.formats))


@given(
    "the service {string} answers at {string}",
    example='Given the service "shop" answers at "http://127.0.0.1:8080"',
)
def _answers_at(name: str, url: str, narration_scene: Scene) -> None:
    """Send requests to a service that runs already; something must listen there."""
    _start(narration_scene, name, {"url": url})


@given(
    "the docker compose project {string} is attached",
    example='Given the docker compose project "shop" is attached',
)
def _compose(project: str, narration_scene: Scene) -> None:
    """Read the logs of all running containers of a compose project, each under its service's name.

    Needs ``pip install "pytest-narration[docker]"``. Requests go to the ports that they publish.
    """
    narration_scene.attach(project)


@given(
    "the container {string} is attached as {string}",
    example='Given the container "shop-api-1" is attached as "api"',
)
def _container(container: str, name: str, narration_scene: Scene) -> None:
    """Read the log of one running Docker container."""
    _start(narration_scene, name, {"container": container})


@given(
    "the recorded log {string} of {string}",
    example='Given the recorded log "logs/shop.jsonl" of "shop"',
)
def _recorded(path: str, name: str, narration_scene: Scene) -> None:
    """Read a log file to its end, as if the service had just said it; paths start at the root."""
    narration_scene.read_log(path, name, follow=False)


@given(
    "the log {string} of {string} is followed",
    example='Given the log "/var/log/shop.log" of "shop" is followed',
)
def _followed(path: str, name: str, narration_scene: Scene) -> None:
    """Read what a log file holds and what is appended to it until the scenario ends."""
    narration_scene.read_log(path, name, follow=True)


@given("requests go to {string}", example='Given requests go to "shop"')
def _requests_go_to(name: str, narration_scene: Scene) -> None:
    """Choose the service that requests go to which name none; otherwise it is the first one."""
    narration_scene.requests_go_to(name)


@when("the service {string} is stopped", example='When the service "shop" is stopped')
def _stopped(name: str, narration_scene: Scene) -> None:
    """Ask a service to end, and wait until it has."""
    narration_scene.ended_on_purpose.add(name)
    _act(narration_scene, name, "stop")


@when("the service {string} is killed", example='When the service "shop" is killed')
def _killed(name: str, narration_scene: Scene) -> None:
    """End a service as a crash would, without a last word."""
    narration_scene.ended_on_purpose.add(name)
    _act(narration_scene, name, "kill")


@when("the service {string} is restarted", example='When the service "shop" is restarted')
def _restarted(name: str, narration_scene: Scene) -> None:
    """Stop a service if it runs, start it again at the same address and wait until it is ready."""
    narration_scene.ended_on_purpose.add(name)
    _act(narration_scene, name, "restart")


@when("the service {string} is frozen", example='When the service "shop" is frozen')
def _frozen(name: str, narration_scene: Scene) -> None:
    """Let a service hang: it keeps its connections and does nothing."""
    _act(narration_scene, name, "pause")


@when("the service {string} goes on", example='When the service "shop" goes on')
def _goes_on(name: str, narration_scene: Scene) -> None:
    """Let a frozen service go on."""
    _act(narration_scene, name, "resume")


def _act(scene: Scene, name: str, verb: str) -> None:
    act = getattr(scene.service(name), verb, None)
    if act is None:
        raise StepMistake(f'the service "{name}" cannot {verb}: it has no method of that name')
    act()


@then("the service {string} runs", example='Then the service "shop" runs')
def _runs(name: str, narration_scene: Scene) -> None:
    """Check that a service has not ended."""
    service = narration_scene.service(name)
    if getattr(service, "returncode", None) is not None:
        raise ClusterError(f'the service "{name}" ended with exit code {service.returncode}')


@then(
    "the service {string} ends with exit code {int}",
    example='Then the service "shop" ends with exit code 0',
)
def _exit_code(name: str, code: int, narration_scene: Scene) -> None:
    """Wait until a service has ended by itself, and compare its exit code."""
    service = narration_scene.service(name)
    narration_scene.ended_on_purpose.add(name)
    found = service.wait_ended(narration_scene.patience)
    if found != code:
        lines = "\n".join(f"  {line}" for line in service.lines(15))
        raise StepFailed(
            f'expected the service "{name}" to end with exit code {code}; it ended with {found}. '
            f"Its last lines:\n{lines}"
        )


@then(
    "the service {string} printed {value}",
    example='Then the service "shop" printed /listening on port [0-9]+/',
)
def _printed(name: str, expected: Expected, narration_scene: Scene) -> None:
    """Wait until one of the last 2000 lines that a service printed is such, event or not.

    A text in quotes may be any part of the line.
    """
    wanted = Expected("containing", expected.operands) if expected.word == "is" else expected
    deadline = time.monotonic() + narration_scene.patience
    while not any(map(wanted.accepts, lines := narration_scene.service(name).lines(2000))):
        if time.monotonic() < deadline:
            time.sleep(_PAUSE)
            continue
        shown = "\n".join(f"  {line}" for line in lines[-15:]) or "  (nothing)"
        raise StepFailed(f'no line of "{name}" has {expected!r}; its last lines:\n{shown}')
