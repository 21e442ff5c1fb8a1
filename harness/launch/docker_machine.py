"""One engine as a run uses it: its networks and containers, labelled with the run.

A run has one of these, or several whose engines are one swarm: their data network is then an
overlay, on which services of all machines reach each other by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_narration.errors import ClusterError

from . import clocks
from .docker_engine import connect, engine_socket, gpu_runtime
from .docker_labels import Run
from .reaper import Reaper, sweep, sweep_dead_runs

__all__ = ["HOST", "PORT", "Machine", "published_port"]

PORT = "8000/tcp"
"""Where every service listens in its container."""
HOST = "127.0.0.1"
_SERVICES = ("orchestrator", "pool-manager", "worker")
_FAKETIME = f"/srv/faketime/{clocks.FAKETIME}"
_FAKETIME_LABEL = "narration.faketime"
_NO_ICC = {"com.docker.network.bridge.enable_icc": "false"}


class Machine:
    """An engine, for one run.

    :param address: where its ports are published and we reach them.
    :param engine: ``unix://``, ``ssh://`` …; by default as the docker client finds it.
    :raises ClusterError: it does not answer, or lacks the images; the message says what to do.
    """

    def __init__(self, run: Run, tag: str, *, address: str = HOST, engine: str = "") -> None:
        self.address = address
        self.client = connect(engine)
        self._run = run
        self._tag = tag
        self._networks: dict[str, Any] = {}
        self._check_images()
        sweep_dead_runs(self.client)
        self._reaper = Reaper(run, engine)
        try:
            self.control = self.network("control", options=_NO_ICC)
            self.socket, self.socket_group = engine_socket(
                self.client, self.image("orchestrator"), engine
            )
            self.has_gpu = gpu_runtime(self.client)
        except BaseException:
            self.close()
            raise

    def image(self, service: str) -> str:
        """Return the image of a service."""
        return f"narration/{service}:{self._tag}"

    def called(self, name: str) -> str:
        """Return what a container or network of this run is called."""
        return f"narration-{self._run.id}-{name}"

    def network(self, name: str, **options: Any) -> Any:
        """Return a network of this run, made when it is first asked for."""
        if name not in self._networks:
            self._networks[name] = self.client.networks.create(
                self.called(name), labels=self._run.labels, **options
            )
        return self._networks[name]

    def create(
        self,
        image: str,
        name: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        port: int | None = None,
        **options: Any,
    ) -> Any:
        """Create a container on the control network, not started.

        :param port: published; ``None`` lets the engine choose.
        """
        from docker.types import LogConfig

        return self.client.containers.create(
            image,
            list(arguments),
            name=self.called(name),
            # The engine resolves host names and containers' names on the control network as well,
            # so peers go by aliases, which only the data network and the node's network know.
            hostname=self.called(name),
            labels=self._run.labels,
            environment=dict(environment),
            init=True,
            network=self.control.name,
            ports={PORT: (self.address, port)},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            # Rotation would lose lines without a word.
            log_config=LogConfig(type="json-file", config={"max-size": "1t"}),
            **options,
        )

    def join(self, network: Any, container: Any, alias: str) -> None:
        """Connect a container to a network of this or, by an overlay, of another machine."""
        # Not through the network's object: an overlay is unknown to an engine until it is used.
        self.client.api.connect_container_to_network(container.id, network.id, aliases=[alias])

    def leave(self, network: Any, container: Any) -> None:
        """Disconnect a container from a network."""
        self.client.api.disconnect_container_from_network(container.id, network.id)

    def wrong_clock(self, seconds: int) -> dict[str, str]:
        """Return the environment of a service whose clock is so many seconds ahead.

        :raises ClusterError: the images have no libfaketime.
        """
        image = self.client.images.get(self.image("worker"))
        if image.labels.get(_FAKETIME_LABEL) != "yes":
            raise ClusterError(f"{clocks.HELP} in the images: then make images")
        return clocks.wrong_clock(seconds, _FAKETIME)

    def find(self, name: str) -> Any:
        """Return a container by its name, ``None`` when there is none here.

        :raises ClusterError: the engine does not answer.
        """
        import docker

        try:
            return self.client.containers.get(name)
        except docker.errors.NotFound:
            return None
        except docker.errors.DockerException as error:
            raise ClusterError(f"the engine does not tell of {name}: {error}") from None

    def close(self) -> None:
        """Remove all that is the run's."""
        self._networks.clear()
        sweep(self.client, self._run.id)
        self._reaper.dismiss()
        self.client.close()

    def _check_images(self) -> None:
        import docker

        for service in _SERVICES:
            image = self.image(service)
            try:
                self.client.images.get(image)
            except docker.errors.ImageNotFound:
                self.client.close()
                raise ClusterError(f"the engine has no image {image}; try: make images") from None


def published_port(container: Any) -> int:
    """Return the port where a container is reached.

    :raises ClusterError: it has none, or none any more.
    """
    container.reload()
    found = (container.attrs["NetworkSettings"]["Ports"] or {}).get(PORT)
    if not found:
        raise ClusterError(f"the container {container.name} publishes no port: it has ended")
    return int(found[0]["HostPort"])
