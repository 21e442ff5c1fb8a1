"""What a scenario does to the cluster: freeze it, call it as a stranger would."""

from __future__ import annotations

import httpx
from pytest_bdd import parsers, then, when

from .scene import SERVICES, Scene

_CALL_SECONDS = 30.0
_JOB = {"prompt": "Who goes there?", "max_tokens": 1}


@when("the pool manager is frozen until it is lost")
def _freeze_pool_manager(scene: Scene) -> None:
    scene.cluster.pool_managers[0].pause()
    scene.wait_for_point("orchestrator.node-lost")


@when("the pool manager goes on")
def _pool_manager_goes_on(scene: Scene) -> None:
    scene.cluster.pool_managers[0].resume()


@when("the orchestrator is frozen until a heartbeat fails")
def _freeze_orchestrator(scene: Scene) -> None:
    scene.cluster.orchestrator.pause()
    scene.wait_for_point("pool-manager.heartbeat-failed")


@when("the orchestrator goes on")
def _orchestrator_goes_on(scene: Scene) -> None:
    scene.cluster.orchestrator.resume()


@then(parsers.re('the (orchestrator|pool manager|worker) narrates "(?P<point_id>[^"]+)"'))
def _narrates(scene: Scene, point_id: str) -> None:
    scene.wait_for_point(point_id)


@when("a stranger without a token asks the pool manager and the worker for a job")
def _stranger(scene: Scene) -> None:
    for url, path in (
        (scene.cluster.pool_managers[0].url, "/v1/jobs"),
        (scene.worker_url(), "/execute"),
    ):
        answer = httpx.post(url + path, json=_JOB, timeout=_CALL_SECONDS, trust_env=False)
        scene.answers.append(answer)


@then("both answer 401 and narrate the refusal")
def _both_refuse(scene: Scene) -> None:
    assert [answer.status_code for answer in scene.answers] == [401, 401]
    for service in SERVICES[1:]:
        scene.wait_for_point(f"{service}.request-refused")


@when(
    parsers.parse(
        'the worker itself is asked for a job under the correlation id "{correlation_id}"'
    )
)
def _worker_itself(scene: Scene, correlation_id: str) -> None:
    headers = {
        "Authorization": f"Bearer {scene.cluster.token}",
        "X-Correlation-Id": correlation_id,
    }
    url = scene.worker_url() + "/execute"
    httpx.post(url, json=_JOB, headers=headers, timeout=_CALL_SECONDS, trust_env=False)


@when("the worker itself is asked for one more job")
def _one_more(scene: Scene) -> None:
    headers = {"Authorization": f"Bearer {scene.cluster.token}"}
    url = scene.worker_url() + "/execute"
    scene.response = httpx.post(
        url, json=_JOB, headers=headers, timeout=_CALL_SECONDS, trust_env=False
    )


@then(parsers.parse('the worker narrates at "{level}" that it replaced the correlation id'))
def _worker_replaced(scene: Scene, level: str) -> None:
    scene.wait_for_point("worker.correlation-replaced", level=level)
