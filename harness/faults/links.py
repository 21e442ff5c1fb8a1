"""A cluster whose every link between services is a :class:`~.proxy.Proxy` in this process.

The services do not know: a node is told another address of the orchestrator and a worker another
one of its pool manager, and what they register about themselves is rewritten on its way. So a
node can be partitioned although all processes share one network. For containers see
:mod:`.links_docker`.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol

from pytest_narration.errors import ClusterError
from pytest_narration.recorder import Recorder

from ..cluster import Cluster
from ..launch import Launcher, Service, Spec
from ..launch.local import LocalLauncher, LocalService
from .calls import BlackHole, only
from .proxy import Answer, Call, Forward, Proxy, ProxyThread
from .services import FullDisk, LoneWorker

__all__ = ["LinkedCluster", "LinkedLauncher", "Links", "linked_cluster"]

_READY = "/v2/internal/workers/ready"


def _as_told(worker_id: str, address: str) -> str:
    return f"http://{address}"


class Links:
    """The links of one node.

    :param host: where proxies between the node and the orchestrator listen.
    :param inner_host: where those between the node and its workers do.
    :param reach: ``(worker_id, address)`` that a worker reports -> where we reach it.
    """

    def __init__(
        self,
        thread: ProxyThread,
        node: Service,
        orchestrator: Service,
        *,
        host: str = "127.0.0.1",
        inner_host: str = "127.0.0.1",
        reach: Callable[[str, str], str] = _as_told,
    ) -> None:
        self._thread = thread
        self._inner_host = inner_host
        self._reach = reach
        self.up = Proxy(thread, lambda: orchestrator.url, host)
        """From the node to the orchestrator."""
        self.down = Proxy(thread, lambda: node.url, host)
        """From the orchestrator to the node."""
        self.ready = Proxy(thread, lambda: node.url, inner_host)
        """From the workers to the node."""
        self.workers: dict[str, Proxy] = {}
        """From the node to its workers, by id."""
        self._gap = BlackHole()
        for proxy in (self.up, self.down):
            proxy.add(self._gap)
        self.up.add(only("POST", "/v2/nodes/register$", self._register))
        self.ready.add(only("POST", _READY, self._ready))

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the node is told of its links; the last one of an option counts."""
        return (
            f"--orchestrator-url={self.up.url}",
            f"--worker-arg=--ready-url={self.ready.url}{_READY}",
        )

    def partition(self) -> None:
        """Let nothing pass between the node and the orchestrator."""
        self._thread.run(_call(self._gap.cut))

    def heal(self) -> None:
        """End a partition."""
        self._thread.run(_call(self._gap.heal))

    def worker(self, worker_id: str) -> Proxy:
        """Return the link to a worker.

        :raises ClusterError: it never reported.
        """
        try:
            return self.workers[worker_id]
        except KeyError:
            known = ", ".join(self.workers) or "none"
            raise ClusterError(f"{worker_id} never reported; known are {known}") from None

    def close(self) -> None:
        """Close every proxy."""
        for proxy in (self.up, self.down, self.ready, *self.workers.values()):
            proxy.close()

    async def _register(self, call: Call, forward: Forward) -> Answer:
        call.body = _with(call.body, {"address": self.down.address})
        return await forward(call)

    async def _ready(self, call: Call, forward: Forward) -> Answer:
        report = json.loads(call.body)
        # An engine may have to be asked: the other links go on meanwhile.
        upstream = await asyncio.to_thread(self._reach, report["worker_id"], report["address"])
        proxy = self.workers.get(report["worker_id"])
        if proxy is None:
            proxy = await Proxy.on_this_loop(self._thread, lambda: upstream, self._inner_host)
            self.workers[report["worker_id"]] = proxy
        proxy.upstream = lambda: upstream
        call.body = _with(call.body, {"address": proxy.address})
        return await forward(call)


class _LinkedService(LocalService):
    """A node behind its links."""

    links: Links

    def partition(self) -> None:
        """Cut the node off; see the protocol."""
        self.links.partition()

    def heal(self) -> None:
        """End a partition; see the protocol."""
        self.links.heal()


class _LinkedLauncher(LocalLauncher):
    def __init__(self, recorder: Recorder, environment: Mapping[str, str]) -> None:
        super().__init__(recorder, environment)
        self.links: dict[str, Links] = {}
        self._thread = ProxyThread()

    def add(self, spec: Spec) -> LocalService:
        """Return the service; a node gets links."""
        if not spec.module.endswith("pool_manager"):
            return super().add(spec)
        node = _LinkedService(spec, self._recorder, self._environment)
        links = node.links = Links(self._thread, node, self._services[0])
        node._spec = replace(spec, arguments=(*spec.arguments, *links.arguments))
        self._services.append(node)
        self.links[spec.name] = links
        return node

    def full_disk(self, token: str) -> FullDisk:
        """Return a worker whose stdout is on a full disk, to be entered with ``with``."""
        return FullDisk(token)

    def close(self) -> None:
        """End the services, then their links."""
        super().close()
        for links in self.links.values():
            links.close()
        self.links.clear()
        self._thread.close()


class LinkedLauncher(Launcher, Protocol):
    """A launcher that puts proxies between services."""

    links: dict[str, Links]
    """By the name of the node's service."""

    def full_disk(self, token: str) -> AbstractContextManager[LoneWorker]:
        """Return a worker whose stdout is on a full disk, to be entered with ``with``."""


class LinkedCluster(Cluster):
    """A cluster whose links can be broken."""

    _launcher: LinkedLauncher

    def links(self, node_id: str = "node-0") -> Links:
        """Return the links of a node."""
        return self._launcher.links[self.node(node_id).name]

    def full_disk(self) -> AbstractContextManager[LoneWorker]:
        """Return a worker whose stdout is on a full disk, to be entered with ``with``."""
        return self._launcher.full_disk(self.token)


def linked_cluster(
    recorder: Recorder, *, env: Mapping[str, str] | None = None, **options: Any
) -> LinkedCluster:
    """Return a cluster of local processes with a proxy on every link.

    :param env: changes to the environment of the services.
    :param options: further parameters of :class:`~harness.cluster.Cluster`.
    """
    token = secrets.token_hex(16)
    environment = {**os.environ, "NARRATION_API_TOKEN": token, **(env or {})}
    launcher = _LinkedLauncher(recorder, environment)
    return LinkedCluster(recorder, launcher, token=token, **options)


def _with(body: bytes, changes: Mapping[str, object]) -> bytes:
    return json.dumps({**json.loads(body), **changes}).encode()


async def _call(action: Any) -> None:
    action()
