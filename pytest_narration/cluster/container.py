"""A service that is a Docker container, found by name or as part of a compose project."""

from __future__ import annotations

import time
from typing import Any

from ..errors import ClusterError, MissingExtra
from ..sources import DockerSource
from .service import Service
from .settings import ClusterSettings, ServiceSettings

__all__ = ["ContainerService", "attached"]

_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"
_EVERYWHERE = ("", "0.0.0.0", "::")


class ContainerService(Service):
    """A Docker container that runs already."""

    _container: Any = None

    @property
    def url(self) -> str:
        """Where its first published port answers."""
        if self.settings.url or self._container is None:
            return self.settings.url
        published = self._container.attrs["NetworkSettings"]["Ports"] or {}
        for bindings in published.values():
            for binding in bindings or ():
                host = binding["HostIp"]
                host = "127.0.0.1" if host in _EVERYWHERE else host
                return f"http://{host}:{binding['HostPort']}"
        return ""

    @property
    def returncode(self) -> int | None:
        """Its exit code; ``None`` while it runs."""
        if self._container is None:
            return None
        self._container.reload()
        state = self._container.attrs["State"]
        return None if state["Running"] else int(state["ExitCode"])

    def _open(self) -> DockerSource:
        client = _docker_client()
        try:
            self._container = client.containers.get(self.settings.container)
        except Exception as error:  # docker-py and requests each have their own tree
            raise ClusterError(
                f"{self.name}: no container {self.settings.container!r}: {error}"
            ) from error
        return DockerSource(
            self.settings.container,
            self.recorder,
            name=self.name,
            client=client,
            since=int(time.time()),
            format=self.settings.format,
            mapping=self._mapping or None,
        )

    def restart(self) -> None:
        """Restart the container and wait until the service is ready."""
        self._container.restart()
        self.stop()
        self.start()
        self.wait_ready()

    def kill(self) -> None:
        """End it as a crash would."""
        self._container.kill()

    def pause(self) -> None:
        """Freeze it."""
        self._container.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._container.unpause()


def _docker_client() -> Any:
    """Return a client of the engine that the environment names.

    :raises MissingExtra: docker-py is not installed.
    :raises ClusterError: no engine answers.
    """
    try:
        import docker
    except ImportError as error:
        raise MissingExtra("docker", "docker") from error
    try:
        return docker.from_env()
    except Exception as error:  # docker-py and requests each have their own tree
        raise ClusterError(f"no Docker engine answers: {error}") from error


def attached(settings: ClusterSettings) -> list[ServiceSettings]:
    """Return the services of the running compose project.

    :raises ClusterError: it has no running container, or no engine answers.
    """
    found_by = {"label": f"{_PROJECT}={settings.compose}"}
    client = _docker_client()
    try:
        containers = client.containers.list(filters=found_by)
    except Exception as error:  # docker-py and requests each have their own tree
        raise ClusterError(f"no Docker engine answers: {error}") from error
    if not containers:
        raise ClusterError(
            f"the Docker compose project {settings.compose!r} has no running container; start it "
            f"with: docker compose -p {settings.compose} up -d"
        )
    names: dict[str, int] = {}
    found = []
    for container in sorted(containers, key=lambda c: str(c.name)):
        service = container.labels.get(_SERVICE, container.name)
        names[service] = number = names.get(service, 0) + 1
        name = service if number == 1 else f"{service}-{number}"
        found.append(ServiceSettings(name, container=container.id))
    return found
