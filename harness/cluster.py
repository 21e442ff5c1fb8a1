"""The reference cluster as tests see it: start it, talk to it, break it, and nothing stays behind.

``local_cluster(recorder)`` is what the plugin's fixture ``narration_cluster`` enters; everything
the services print and stream ends up in the recorder.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from pytest_narration.errors import ClusterError, EmitterDied, WaitTimeout
from pytest_narration.event import Event
from pytest_narration.pattern import Pattern, any_of, event
from pytest_narration.recorder import Recorder
from pytest_narration.sources import SseSource
from pytest_narration.sources.tls import trusted

from .launch import Launcher, Service, Spec, at_once

__all__ = [
    "Cluster",
    "Job",
    "WorkerHandle",
    "cluster",
    "docker_cluster",
    "local_cluster",
    "passed_on",
]

CLUSTER_VARIABLE = "NARRATION_CLUSTER"
MACHINES_VARIABLE = "NARRATION_MACHINES"
"""The machines that containers are spread over, whose engines are one swarm."""

_START_SECONDS = 120.0
_CALL_SECONDS = 30.0
_LIMITS = httpx.Limits()
"""None: a pool that has more connections than it keeps closes some that threads have just taken."""
_JOIN_SECONDS = 30.0
"""In which nodes wait for an orchestrator that was started together with them."""
_SHOWN_LINES = 15
_PASSED_ON = frozenset({"NARRATION_LEVEL", "NARRATION_VALIDATE"})
"""Variables of this process that services in containers see as well."""
_FOR_TESTS = {"NARRATION_VALIDATE": "strict"}
"""What services are told when nobody says otherwise: an event that breaks its contract raises."""


class Job(NamedTuple):
    """A job that the orchestrator admitted."""

    job_id: str
    sse_url: str
    """Absolute."""
    correlation_id: str
    response: httpx.Response


class WorkerHandle:
    """One worker, over all its restarts, seen through its pool manager."""

    def __init__(self, cluster: Cluster, launcher: Launcher, worker_id: str, url: str) -> None:
        self.worker_id = worker_id
        self._cluster = cluster
        self._launcher = launcher
        self._url = url

    def facts(self) -> dict[str, Any]:
        """Return what the pool's status says of it: ``state``, ``restarts``, ``address``…"""
        status = self._get("/v2/pools/pool-0/status").json()
        for worker in status["workers"]:
            if worker["worker_id"] == self.worker_id:
                return dict(worker)
        raise ClusterError(f"the pool has no {self.worker_id}: {status}")

    @property
    def url(self) -> str:
        """Where this process reaches it."""
        facts = self.facts()
        return self._launcher.worker_url(facts["runs_as"], facts["address"])

    def logs(self) -> list[str]:
        """Return its latest lines as its pool manager shows them."""
        return self._get(f"/v1/workers/{self.worker_id}/logs").text.splitlines()

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        self._signal(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        self._launcher.signal_worker(self.facts()["runs_as"], number)

    def _get(self, path: str) -> httpx.Response:
        return self._cluster.inner.get(f"{self._url}{path}")


class Cluster:
    """One orchestrator, a pool manager per node, and their workers; a context manager.

    :param nodes: pool managers.
    :param workers: workers of each.
    :param slots: jobs that a worker runs at once.
    :param client_tokens: tokens for clients, beside :attr:`token`.
    :param orchestrator_args: more arguments of the orchestrator's command line.
    :param pool_manager_args: of each pool manager's.
    :param worker_args: of each worker's.
    :param clocks: seconds by which the wall clock of a node, or of ``"orchestrator"``, is ahead.
    :param timeout: seconds for the whole start, the import of torch included.
    """

    def __init__(
        self,
        recorder: Recorder,
        launcher: Launcher,
        *,
        token: str,
        nodes: int = 1,
        workers: int = 1,
        slots: int = 4,
        orchestrator_args: Sequence[str] = (),
        pool_manager_args: Sequence[str] = (),
        worker_args: Sequence[str] = (),
        clocks: Mapping[str, int] | None = None,
        timeout: float = _START_SECONDS,
    ) -> None:
        self.recorder = recorder
        self.token = token
        self.nodes = tuple(f"node-{number}" for number in range(nodes))
        self.workers = workers
        self._launcher = launcher
        self._timeout = timeout
        self._clocks = dict(clocks or {})
        self._orchestrator_args = tuple(orchestrator_args)
        self._node_args = (
            f"--workers={workers}",
            f"--worker-arg=--slots={slots}",
            *(f"--worker-arg={argument}" for argument in worker_args),
            *pool_manager_args,
        )
        self._orchestrator: Service | None = None
        self.pool_managers: list[Service] = []
        self._clients: list[httpx.Client] = []
        self._streams: list[SseSource] = []
        self._client: httpx.Client | None = None
        # One for all questions: a fresh one takes longer to make than a short job takes.
        self.inner = httpx.Client(
            headers={"Authorization": f"Bearer {token}"},
            timeout=5.0,
            limits=_LIMITS,
            verify=trusted(),
            trust_env=False,
        )
        """A client of the services behind the orchestrator; the recorder does not see its calls."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def orchestrator(self) -> Service:
        """The control plane."""
        if self._orchestrator is None:
            raise ClusterError("the cluster is not running: use it as a context manager")
        return self._orchestrator

    @property
    def services(self) -> list[Service]:
        """The orchestrator and the pool managers; workers belong to their pool manager."""
        return [self.orchestrator, *self.pool_managers]

    def stop(self) -> None:
        """End streams, clients and services; harmless when there are none."""
        for stream in self._streams:
            stream.stop()
        for client in (self.inner, *self._clients):
            client.close()
        self._streams.clear()
        self._clients.clear()
        self._client = None
        self._launcher.close()
        self.pool_managers = []
        self._orchestrator = None

    def client(self, token: str | None = None) -> httpx.Client:
        """Return a client of the orchestrator; the recorder keeps its calls.

        :param token: another one than the cluster's; ``""`` shows none.
        """
        shown = self.token if token is None else token
        client = httpx.Client(
            base_url=self.orchestrator.url,
            headers={"Authorization": f"Bearer {shown}"} if shown else {},
            event_hooks={"response": [self._keep_exchange]},
            timeout=_CALL_SECONDS,
            limits=_LIMITS,
            verify=trusted(),
            # The machine's proxies are not meant for 127.0.0.1.
            trust_env=False,
        )
        self._clients.append(client)
        return client

    def submit(
        self,
        prompt: str = "Tell me a story",
        *,
        max_tokens: int = 20,
        correlation_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> Job:
        """Submit a job that is expected to be admitted.

        :param correlation_id: sent as ``X-Correlation-Id``.
        :param fields: further fields of the body, such as ``seed``.
        :raises ClusterError: it was not admitted; use :meth:`client` to look at refusals.
        """
        if self._client is None:
            self._client = self.client()
        sent = dict(headers or {})
        if correlation_id is not None:
            sent["X-Correlation-Id"] = correlation_id
        body = {"operation": "infer", "prompt": prompt, "max_tokens": max_tokens, **fields}
        response = self._client.post("/v1/jobs", json=body, headers=sent)
        if response.status_code != httpx.codes.ACCEPTED:
            raise ClusterError(
                f"the orchestrator answered {response.status_code} to a job: {response.text[:500]}"
            )
        said = response.json()
        url = f"{self.orchestrator.url}{said['sse_url']}"
        return Job(said["job_id"], url, said["correlation_id"], response)

    def open_stream(
        self,
        job: Job,
        *,
        last_event_id: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> SseSource:
        """Read a job's stream into the recorder, from this moment on, in a thread."""
        stream = SseSource(
            job.sse_url,
            self.recorder,
            headers={"Authorization": f"Bearer {self.token}", **(headers or {})},
            name=f"stream:{job.job_id}",
            last_event_id=last_event_id,
        )
        stream.start()
        self._streams.append(stream)
        return stream

    def worker(self, worker_id: str = "worker-gpu0-r1") -> WorkerHandle:
        """Return a worker, as its pool manager knows it at this moment."""
        node_id = self.nodes[int(worker_id.removeprefix("worker-gpu").partition("-")[0])]
        return WorkerHandle(self, self._launcher, worker_id, self.node(node_id).url)

    def node(self, node_id: str) -> Service:
        """Return the pool manager of a node."""
        for service in self.pool_managers:
            if service.name == f"pool-manager-{node_id}":
                return service
        raise ClusterError(f"there is no node {node_id!r}; there are {', '.join(self.nodes)}")

    def _start(self) -> None:
        began = self.recorder.mark()
        self._orchestrator = self._launcher.add(
            self._spec("orchestrator", "orchestrator", self._orchestrator_args)
        )
        self._orchestrator.start()
        if not self._launcher.names_peers:
            self._orchestrator.wait_listening(self._timeout)
        for index, node_id in enumerate(self.nodes):
            arguments = (
                f"--node-id={node_id}",
                f"--gpu=gpu{index}",
                f"--orchestrator-url={self._orchestrator.peer_url}",
                f"--join-patience={_JOIN_SECONDS if self._launcher.names_peers else 0:g}",
                *self._node_args,
            )
            service = self._launcher.add(
                self._spec(f"pool-manager-{node_id}", "pool_manager", arguments, place=node_id)
            )
            self.pool_managers.append(service)
        at_once(service.start for service in self.pool_managers)
        if self._launcher.names_peers:
            self._orchestrator.wait_listening(self._timeout)
        for service in self.pool_managers:
            service.wait_listening(self._timeout)
        self._wait_ready(began, self._timeout, may_restart=False)

    def _spec(
        self, name: str, module: str, arguments: tuple[str, ...], place: str = "orchestrator"
    ) -> Spec:
        ahead = self._clocks.get(place, 0)
        environment = self._launcher.clock(ahead) if ahead else {}
        return Spec(name, f"harness.services.{module}", arguments, environment)

    def wait_ready(self, *, since: int = 0, timeout: float | None = None) -> None:
        """Wait until every node can take jobs with every worker it should have.

        :param since: a mark of the recorder; readiness that was told before it does not count.
        :raises ClusterError: with the last lines of the services.
        """
        patience = self._timeout if timeout is None else timeout
        self._wait_ready(since, patience, may_restart=True)

    def _wait_ready(self, since: int, patience: float, *, may_restart: bool) -> None:
        for index, node_id in enumerate(self.nodes):
            for number in range(1, self.workers + 1):
                worker_id = f"worker-gpu{index}-r{number}"
                wanted = event(
                    source=self.node(node_id).name,
                    service="pool-manager",
                    worker_id=worker_id,
                    action=any_of("worker_ready", *(() if may_restart else ("worker_exit",))),
                )
                found = self._wait(wanted, worker_id, since, patience)
                if found.action == "worker_exit":
                    raise ClusterError(self._explain(f"{worker_id} did not start", worker_id))
            ready = event(source=self.orchestrator.name, action="node_ready", node_id=node_id)
            self._wait(ready, f"node {node_id}", since, patience)

    def _wait(self, pattern: Pattern, who: str, since: int, patience: float) -> Event:
        try:
            return self.recorder.wait_for(pattern, since=since, timeout=patience).event
        except (EmitterDied, WaitTimeout) as error:
            what = f"{who} was not ready within {patience:g} s"
            raise ClusterError(self._explain(what, who)) from error

    def _explain(self, what: str, who: str) -> str:
        lines = [f"{what}."]
        for service in self.services:
            status = service.returncode
            how = "it runs" if status is None else f"exit status {status}"
            lines.append(f"  {service.name} ({how}), last lines:")
            lines += [f"    {line}" for line in service.logs()[-_SHOWN_LINES:]]
        if who.startswith("worker-"):
            # Its stderr is known to its pool manager only.
            with contextlib.suppress(ClusterError, httpx.HTTPError):
                lines.append(f"  {who}, last lines:")
                lines += [f"    {line}" for line in self.worker(who).logs()[-_SHOWN_LINES:]]
        return "\n".join(lines)

    def _keep_exchange(self, response: httpx.Response) -> None:
        request = response.request
        self.recorder.add_exchange(
            source="client",
            method=request.method,
            url=str(request.url),
            status=response.status_code,
            request_headers=dict(request.headers),
            response_headers=dict(response.headers),
        )


def local_cluster(
    recorder: Recorder,
    *,
    nodes: int = 1,
    workers: int = 1,
    env: Mapping[str, str] | None = None,
    client_tokens: Sequence[str] = (),
    **options: Any,
) -> Cluster:
    """Return a cluster of local processes, to be entered with ``with``.

    :param env: changes to the environment of the services, such as ``NARRATION_LEVEL``.
    :param client_tokens: tokens that open the orchestrator beside the cluster's own.
    :param options: further parameters of :class:`Cluster`.
    """
    from .launch.local import LocalLauncher

    token = secrets.token_hex(16)
    environment = {
        **_FOR_TESTS,
        **os.environ,
        "NARRATION_API_TOKEN": token,
        "NARRATION_CLIENT_TOKENS": ",".join(client_tokens),
        **(env or {}),
    }
    launcher = LocalLauncher(recorder, environment)
    return Cluster(recorder, launcher, token=token, nodes=nodes, workers=workers, **options)


def docker_cluster(
    recorder: Recorder,
    *,
    nodes: int = 1,
    workers: int = 1,
    env: Mapping[str, str] | None = None,
    client_tokens: Sequence[str] = (),
    **options: Any,
) -> Cluster:
    """Return a cluster of containers, to be entered with ``with``; else like :func:`local_cluster`.

    :param env: the services' environment, beside this process's own ``NARRATION_*``.
    :raises ClusterError: no engine answers, or it lacks the images; the message says what to do.
    """
    from .launch.docker import DockerLauncher

    token = secrets.token_hex(16)
    environment = {
        **_FOR_TESTS,
        **passed_on(),
        "NARRATION_API_TOKEN": token,
        "NARRATION_CLIENT_TOKENS": ",".join(client_tokens),
        **(env or {}),
    }
    launcher = DockerLauncher(recorder, environment, _machines())
    return Cluster(recorder, launcher, token=token, nodes=nodes, workers=workers, **options)


def passed_on() -> dict[str, str]:
    """Return what containers see of this process's environment."""
    return {name: value for name, value in os.environ.items() if name in _PASSED_ON}


def _machines() -> list[tuple[str, str]]:
    """Read the machines: ``"127.0.0.1=unix:///var/run/docker.sock 10.0.0.2=ssh://node-b"``."""
    machines = []
    for word in os.environ.get(MACHINES_VARIABLE, "").split():
        address, is_pair, engine = word.partition("=")
        if not (address and is_pair and engine):
            raise ClusterError(
                f"{MACHINES_VARIABLE} has {word!r}; expected address=engine, a space between "
                "machines: 127.0.0.1=unix:///var/run/docker.sock 10.0.0.2=ssh://node-b"
            )
        machines.append((address, engine))
    return machines


def cluster(recorder: Recorder, **options: Any) -> Cluster:
    """Return a cluster of what the variable ``NARRATION_CLUSTER`` says: ``process``, ``docker``."""
    factories = {"process": local_cluster, "docker": docker_cluster}
    chosen = os.environ.get(CLUSTER_VARIABLE, "process")
    if chosen not in factories:
        raise ClusterError(
            f"{CLUSTER_VARIABLE}={chosen!r}: choose one of {', '.join(sorted(factories))}"
        )
    return factories[chosen](recorder, **options)
