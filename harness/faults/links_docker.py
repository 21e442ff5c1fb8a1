"""A cluster of containers whose every link between services is a proxy in this process.

The proxies listen where a network's gateway is, which is an address of the engine's machine that
containers reach on internal networks too; they reach services by their published ports.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_narration.errors import ClusterError
from pytest_narration.recorder import Recorder

from ..cluster import passed_on
from ..launch import Spec
from ..launch.docker import DockerLauncher, DockerService, service_of
from ..launch.docker_machine import published_port
from .links import LinkedCluster, Links
from .proxy import ProxyThread
from .services import FullDiskContainer

__all__ = ["docker_linked_cluster"]


class _LinkedService(DockerService):
    """A node behind its links."""

    links: Links

    def partition(self) -> None:
        """Cut its network and its links; see the protocol."""
        super().partition()
        self.links.partition()

    def heal(self) -> None:
        """End a partition; see the protocol."""
        super().heal()
        self.links.heal()


class _LinkedLauncher(DockerLauncher):
    names_peers = False
    """A node is told of its proxy, which has to know where the orchestrator listens."""

    def __init__(self, recorder: Recorder, environment: Mapping[str, str]) -> None:
        self.links: dict[str, Links] = {}
        self._thread = ProxyThread()
        try:
            super().__init__(recorder, environment)
        except BaseException:
            self._thread.close()
            raise

    def add(self, spec: Spec) -> DockerService:
        """Return the service; a node gets links."""
        if service_of(spec) != "pool-manager":
            return super().add(spec)
        machine = self.machine_of(spec)
        node = _LinkedService(spec, self, machine)
        try:
            links = node.links = Links(
                self._thread,
                node,
                self._services[0],
                host=_gateway(self.data),
                inner_host=_gateway(machine.network(spec.name, internal=True)),
                reach=self._reach,
            )
        except OSError as error:
            raise ClusterError(
                f"no proxy can listen on the engine's networks ({error}): "
                "links of containers can be broken on the engine's own machine only"
            ) from error
        node._spec = replace(spec, arguments=(*spec.arguments, *links.arguments))
        self._services.append(node)
        self.links[spec.name] = links
        return node

    def full_disk(self, token: str) -> FullDiskContainer:
        """Return a worker whose stdout is on a full disk, to be entered with ``with``."""
        return FullDiskContainer(self.create_worker)

    def close(self) -> None:
        """End the services, then their links."""
        super().close()
        for links in self.links.values():
            links.close()
        self.links.clear()
        self._thread.close()

    def _reach(self, worker_id: str, address: str) -> str:
        machine = self._machines[0]
        chosen = {"name": machine.called(f"{worker_id}-"), "status": "running"}
        for container in machine.client.containers.list(filters=chosen):
            return f"http://{machine.address}:{published_port(container)}"
        raise ClusterError(f"no container of {worker_id} runs")


def docker_linked_cluster(
    recorder: Recorder, *, env: Mapping[str, str] | None = None, **options: Any
) -> LinkedCluster:
    """Return a cluster of containers with a proxy on every link.

    :param env: the services' environment.
    :param options: further parameters of :class:`~harness.cluster.Cluster`.
    """
    token = secrets.token_hex(16)
    environment = {**passed_on(), "NARRATION_API_TOKEN": token, **(env or {})}
    launcher = _LinkedLauncher(recorder, environment)
    return LinkedCluster(recorder, launcher, token=token, **options)


def _gateway(network: Any) -> str:
    network.reload()
    return str(network.attrs["IPAM"]["Config"][0]["Gateway"])
