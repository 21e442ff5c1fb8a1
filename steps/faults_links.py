"""What a scenario does to the links between the services, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_bdd import given, parsers, then, when

from harness.faults import (
    BadBytes,
    ChangeFrames,
    ChangeHeaders,
    CutStream,
    Delay,
    Drop,
    Duplicate,
    Fault,
    LinkedCluster,
    Proxy,
    Reorder,
    RewriteBody,
    only,
    swap_frames,
)

from .scene import STREAM_SECONDS, Scene

_WORKER = "worker-gpu0-r1"
_LOST = ("X-Correlation-Id", "X-Request-Id")
_ON_RETURN: dict[str, Callable[[], Fault]] = {
    "cuts": lambda: CutStream(after=8),
    "garbles": lambda: BadBytes(after=8),
}

Break = Callable[[Proxy, Fault], None]


@pytest.fixture
def having() -> Iterator[Break]:
    """Put a fault into a link until the scenario ends."""
    with ExitStack() as faults:
        yield lambda proxy, fault: faults.enter_context(proxy.having(fault))


def _link(scene: Scene, service: str) -> Proxy:
    assert isinstance(scene.cluster, LinkedCluster)
    links = scene.cluster.links()
    return links.down if service == "pool-manager" else links.worker(_WORKER)


def _jobs(service: str, fault: Fault) -> Fault:
    return only("POST", "/v1/jobs$" if service == "pool-manager" else "/execute$", fault)


@given(parsers.parse("the link from the {caller} to the {service} drops the correlation id"))
def _drops_id(scene: Scene, having: Break, service: str) -> None:
    having(_link(scene, service), ChangeHeaders(dict.fromkeys(_LOST)))


@then(parsers.parse('the check of "{rule}" names "{caller}" and "{service}"'))
def _names(scene: Scene, rule: str, caller: str, service: str) -> None:
    scene.narration.settle(timeout=STREAM_SECONDS)
    (verdict,) = scene.narration.check([rule])
    assert verdict.outcome == "broken"
    assert f"{caller} and {service}" in " ".join(v.hop for v in verdict.violations)


@when("the node is partitioned until it is lost")
def _partitioned(scene: Scene) -> None:
    scene.cluster.pool_managers[0].partition()
    scene.wait_for_point("orchestrator.node-lost")


@when("the partition heals")
def _heals(scene: Scene) -> None:
    scene.cluster.pool_managers[0].heal()


@given(
    parsers.parse(
        "every piece between the orchestrator and the node takes {milliseconds:d} ms more"
    )
)
def _slow(scene: Scene, having: Break, milliseconds: int) -> None:
    having(_link(scene, "pool-manager"), Delay(milliseconds / 1000))


@given(parsers.parse("the link from the {caller} to the {service} loses the next job"))
def _loses(scene: Scene, having: Break, service: str) -> None:
    having(_link(scene, service), _jobs(service, Drop()))


@given(parsers.parse("the link from the {caller} to the {service} doubles the next job"))
def _doubles(scene: Scene, having: Break, service: str) -> None:
    having(_link(scene, service), _jobs(service, Duplicate()))


@pytest.fixture
def reorder() -> Reorder:
    """The fault of the scenario that lets one job overtake another."""
    return Reorder()


@given(
    parsers.parse(
        "the link from the {caller} to the {service} lets the second job overtake the first"
    )
)
def _overtakes(scene: Scene, having: Break, service: str, reorder: Reorder) -> None:
    having(_link(scene, service), _jobs(service, reorder))


@then("one job was overtaken")
def _overtaken(reorder: Reorder) -> None:
    assert reorder.overtaken == 1


@given(
    parsers.re(
        "the link from the (?P<caller>[a-z-]+) to the (?P<service>[a-z-]+) "
        "(?P<breaks>cuts|garbles) what comes back"
    )
)
def _breaks_return(scene: Scene, having: Break, service: str, breaks: str) -> None:
    left = [_ON_RETURN[breaks]()]

    async def once(call, forward):  # type: ignore[no-untyped-def]  # a Fault
        return await (left.pop()(call, forward) if left else forward(call))

    having(_link(scene, service), _jobs(service, once))


@given(parsers.parse("the link from the {caller} to the {service} swaps two tokens"))
def _swaps(scene: Scene, having: Break, service: str) -> None:
    having(_link(scene, service), _jobs(service, ChangeFrames(swap_frames("token"))))


@given(parsers.parse('the link from the {caller} to the {service} changes "{old}" to "{new}"'))
def _changes(scene: Scene, having: Break, service: str, old: str, new: str) -> None:
    having(_link(scene, service), _jobs(service, RewriteBody(old.encode(), new.encode())))
