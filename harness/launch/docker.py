"""Services as containers of Docker engines, under the same protocol as local processes.

Each cluster has a control network, whose only use is that we reach published ports; a data
network, where the orchestrator and the nodes talk; and a network per node for its workers.
A partition cuts the data network, so the ports and the workers stay. Everything is labelled with
the run and its owner, for :mod:`.reaper`.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import secrets
import signal
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pytest_narration.errors import ClusterError, EmitterDied, WaitTimeout
from pytest_narration.recorder import Recorder
from pytest_narration.sources import DockerSource

from .at_once import at_once
from .docker_labels import Run
from .docker_machine import HOST, PORT, Machine, published_port
from .protocol import Spec

__all__ = ["DockerLauncher", "DockerService", "service_of"]

_SHOWN_LINES = 15
_KILL_SECONDS = 15.0
_DRAIN_SECONDS = 10.0
_TAG_VARIABLE = "NARRATION_IMAGE_TAG"


class DockerService:
    """One service as a container; see :class:`~harness.launch.Service`.

    Every start is a container of its own, with the same names and the same published port: its log
    then holds this start's lines and no others.
    """

    def __init__(self, spec: Spec, launcher: DockerLauncher, machine: Machine) -> None:
        self.name = spec.name
        self._spec = spec
        self._machine = machine
        self._launcher = launcher
        self._recorder = launcher.recorder
        self._container: Any = None
        self._source: DockerSource | None = None
        self._status: int | None = None
        self._stderr: list[str] = []
        self._began = 0
        self._port: int | None = None
        self._is_paused = False

    @property
    def pid(self) -> int | None:
        """Its process on the engine's machine."""
        if self._container is None or self.returncode is not None:
            return None
        return int(self._container.attrs["State"]["Pid"]) or None

    @property
    def address(self) -> str:
        """``host:port``."""
        if self._port is None:
            raise ClusterError(f"{self.name} has not been listening yet")
        return f"{self._machine.address}:{self._port}"

    @property
    def url(self) -> str:
        """Where we reach it: its published port."""
        return f"http://{self.address}"

    @property
    def peer_url(self) -> str:
        """Where the cluster's other services reach it: by name, on the data network."""
        return f"http://{self.name}:{PORT.partition('/')[0]}"

    @property
    def returncode(self) -> int | None:
        """Exit status of the latest start."""
        if self._container is None:
            return self._status
        self._container.reload()
        state = self._container.attrs["State"]
        return _status_of(state) if state["Status"] in ("exited", "dead") else None

    def start(self) -> None:
        """Start a container; see the protocol."""
        if self._container is not None:
            if self.returncode is None:
                raise ClusterError(f"{self.name} is running already, as {self._container.name}")
            self._release()
        self._began = self._recorder.mark()
        self._status, self._stderr = None, []
        container = self._launcher.create(self._spec, self._machine, self._port)
        try:
            container.start()
        except Exception as error:  # docker-py's tree; a failed start leaves a container behind
            container.remove(force=True)
            raise ClusterError(f"{self.name} cannot be started: {error}") from error
        self._container = container
        self._source = DockerSource(
            container.id, self._recorder, name=self.name, client=self._machine.client
        )
        self._source.start()

    def wait_listening(self, timeout: float) -> str:
        """Wait for ``server_bind`` in its log; see the protocol."""
        try:
            self._recorder.wait_for(
                timeout=timeout,
                since=self._began,
                source=self.name,
                action="server_bind",
                service=service_of(self._spec),
            )
        except EmitterDied as error:
            raise ClusterError(self.explain("ended before it was listening")) from error
        except WaitTimeout as error:
            raise ClusterError(self.explain(f"was not listening within {timeout:g} s")) from error
        self._port = published_port(self._container)
        return self.address

    def stop(self, timeout: float = 10.0) -> int:
        """SIGTERM, then SIGKILL; see the protocol."""
        if self._container is None:
            return self._status or 0
        if self._is_paused:
            self.resume()
        with contextlib.suppress(Exception):  # it has ended meanwhile
            self._container.stop(timeout=round(timeout))
        self._release()
        return self._status or 0

    def kill(self) -> None:
        """SIGKILL; see the protocol."""
        if self._container is None:
            return
        if self._is_paused:
            # A frozen control group keeps even SIGKILL waiting on old kernels.
            self.resume()
        with contextlib.suppress(Exception):  # it has ended meanwhile
            self._container.kill()
        self._release()

    def restart(self, timeout: float = 20.0) -> None:
        """Stop and start at the same port; see the protocol."""
        self.stop()
        self.start()
        self.wait_listening(timeout)

    def pause(self) -> None:
        """Freeze the container; see the protocol."""
        self._running().pause()
        self._is_paused = True

    def resume(self) -> None:
        """Let a frozen container go on; see the protocol."""
        self._running().unpause()
        self._is_paused = False

    def partition(self) -> None:
        """Cut it from the data network; see the protocol."""
        self._machine.leave(self._launcher.data, self._running())

    def heal(self) -> None:
        """Connect it to the data network again; see the protocol."""
        self._machine.join(self._launcher.data, self._running(), self.name)

    def exec(
        self, command: Sequence[str], timeout: float = 10.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in its container; see the protocol."""
        container = self._running()
        pool = concurrent.futures.ThreadPoolExecutor(1)
        try:
            done = pool.submit(container.exec_run, list(command), demux=True).result(timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired(list(command), timeout) from None
        finally:
            # The engine offers no way to end a command: its thread ends with its container.
            pool.shutdown(wait=False)
        out, err = ((piece or b"").decode("utf-8", "replace") for piece in done.output)
        return subprocess.CompletedProcess(list(command), done.exit_code, out, err)

    def logs(self) -> list[str]:
        """Return its latest lines; see the protocol."""
        since = self._recorder.since(self._began)
        said = [
            f"{r.event.level} {r.event.actor}: {r.event.human}"
            for r in since.records(source=self.name, channel="stdout")
        ]
        return said + [
            f"unreadable: {each.line.decode('utf-8', 'replace')}"
            for each in since.rejected
            if each.source.startswith(self.name)
        ]

    def explain(self, what: str) -> str:
        """Return what happened to the service, with its last lines."""
        status = self.returncode
        how = "it still runs" if status is None else f"exit status {status}"
        lines = self.logs() or (self._source.lines() if self._source is not None else [])
        quoted = "\n".join(f"    {line}" for line in lines[-_SHOWN_LINES:])
        quoted = quoted or "    (it printed nothing)"
        command = " ".join((self._machine.image(service_of(self._spec)), *self._spec.arguments))
        return f"{self.name} {what}: {how}.\n  container: {command}\n  last lines:\n{quoted}"

    def _running(self) -> Any:
        if self._container is None or self.returncode is not None:
            raise ClusterError(f"{self.name} is not running")
        return self._container

    def _release(self) -> None:
        """Read its log to the last byte, keep its status, remove the container."""
        container, source = self._container, self._source
        if self._port is None:
            with contextlib.suppress(ClusterError):
                self._port = published_port(container)
        self._status = _status_of({"ExitCode": container.wait(timeout=_KILL_SECONDS)["StatusCode"]})
        if source is not None:
            with contextlib.suppress(WaitTimeout):
                source.wait(_DRAIN_SECONDS)
            source.stop()
        status = self._status
        self._recorder.attach(self.name, lambda: status)
        container.remove(force=True, v=True)
        self._container, self._source, self._is_paused = None, None, False


class DockerLauncher:
    """Makes services as containers.

    :param environment: of every service.
    :param machines: ``(address, engine)`` of each, the engines being one swarm whose manager is the
        first: see :class:`~.docker_machine.Machine`. By default one, as the docker client finds it.
    """

    kind = "docker"
    names_peers = True

    def __init__(
        self,
        recorder: Recorder,
        environment: Mapping[str, str],
        machines: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.recorder = recorder
        self._environment = dict(environment)
        self._services: list[DockerService] = []
        self._machines: list[Machine] = []
        run = self._run = Run.of_this_process()
        tag = os.environ.get(_TAG_VARIABLE, "latest")
        try:
            for address, engine in machines or [(HOST, "")]:
                self._machines.append(Machine(run, tag, address=address, engine=engine))
            overlay = {"driver": "overlay", "attachable": True} if len(self._machines) > 1 else {}
            self.data = self._machines[0].network("data", internal=True, **overlay)
        except BaseException:
            self.close()
            raise

    def add(self, spec: Spec) -> DockerService:
        """Return the service, not yet started."""
        service = DockerService(spec, self, self.machine_of(spec))
        self._services.append(service)
        return service

    def machine_of(self, spec: Spec) -> Machine:
        """Return where a service runs: nodes from the last machine on, all else on the first.

        So the only node of a small cluster is across the wire already.
        """
        if service_of(spec) != "pool-manager":
            return self._machines[0]
        nodes = sum(service.name.startswith("pool-manager") for service in self._services)
        return self._machines[-1 - nodes % len(self._machines)]

    def create(self, spec: Spec, machine: Machine, port: int | None) -> Any:
        """Create a container, connected and not started.

        :param port: published; ``None`` lets the engine choose.
        """
        arguments = list(spec.arguments)
        options: dict[str, Any] = {}
        node = None
        if service_of(spec) == "pool-manager":
            node = machine.network(spec.name, internal=True)
            options = {
                "volumes": {machine.socket: {"bind": "/var/run/docker.sock", "mode": "rw"}},
                "group_add": [str(machine.socket_group)],
            }
            arguments += self._node_arguments(spec, machine, node)
        container = machine.create(
            machine.image(service_of(spec)),
            spec.name,
            arguments,
            port=port,
            environment={**self._environment, **spec.environment},
            **options,
        )
        try:
            machine.join(self.data, container, spec.name)
            if node is not None:
                machine.join(node, container, spec.name)
        except BaseException:
            container.remove(force=True)
            raise
        return container

    def create_worker(self, arguments: Sequence[str], **options: Any) -> Any:
        """Create a worker's container that belongs to no node, not started."""
        machine = self._machines[0]
        name = f"lone-{secrets.token_hex(3)}"
        image = machine.image("worker")
        return machine.create(image, name, arguments, environment=self._environment, **options)

    def clock(self, seconds: int) -> Mapping[str, str]:
        """Return the environment of a service with a wrong clock; see the protocol."""
        return self._machines[0].wrong_clock(seconds)

    def signal_worker(self, runs_as: str, number: int) -> None:
        """Signal a worker's container; see the protocol."""
        _, container = self._worker(runs_as)
        if number == signal.SIGSTOP:
            container.pause()
        elif number == signal.SIGCONT:
            container.unpause()
        else:
            container.kill(signal=int(number))

    def worker_url(self, runs_as: str, address: str) -> str:
        """Return where we reach a worker: its published port; see the protocol."""
        machine, container = self._worker(runs_as)
        return f"http://{machine.address}:{published_port(container)}"

    def close(self) -> None:
        """Ask all to end, then remove all that is the run's."""
        first, nodes = self._services[:1], self._services[1:]
        # The nodes say goodbye to the orchestrator, which was started first.
        for together in (nodes, first):
            at_once(partial(_stop, service) for service in together)
        self._services.clear()
        # The first one's last: an overlay can be removed when nobody uses it any more.
        while self._machines:
            self._machines.pop().close()

    def _node_arguments(self, spec: Spec, machine: Machine, node: Any) -> list[str]:
        labels = [f"--worker-label={key}={value}" for key, value in self._run.labels.items()]
        return [
            f"--advertise={spec.name}",
            "--engine=docker",
            f"--worker-image={machine.image('worker')}",
            f"--worker-prefix={machine.called('')}",
            f"--worker-address={machine.address}",
            f"--worker-network={node.name}",
            f"--worker-network={machine.control.name}",
            *(["--worker-gpus"] if machine.has_gpu else []),
            *labels,
        ]

    def _worker(self, runs_as: str) -> tuple[Machine, Any]:
        kind, _, name = runs_as.partition(" ")
        if kind != "container" or not name:
            raise ClusterError(f"a worker here runs as `container <name>`, this one as `{runs_as}`")
        for machine in self._machines:
            if (container := machine.find(name)) is not None:
                return machine, container
        raise ClusterError(f"no container runs as {runs_as}")


def _stop(service: DockerService) -> None:
    with contextlib.suppress(Exception):  # the machine removes what resists
        service.stop()


def service_of(spec: Spec) -> str:
    """Return the service that a spec runs: ``"pool-manager"``."""
    return spec.module.rpartition(".")[2].replace("_", "-")


def _status_of(state: Mapping[str, Any]) -> int:
    """Return an exit status, negative for a signal: containers show those as 128 and more."""
    code = int(state["ExitCode"])
    return 128 - code if code > 128 else code
