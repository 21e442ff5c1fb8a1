"""Settings -> running services: started in the order of their needs, stopped in reverse."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from ..errors import ClusterError, ConfigurationError
from ..recorder import Recorder
from .container import ContainerService, attached
from .placeholders import Places
from .process import ProcessService
from .service import RunningService, Service
from .settings import ClusterSettings, ServiceSettings

__all__ = ["Cluster"]


class Cluster:
    """Running services; a context manager that starts and stops them."""

    def __init__(self, settings: ClusterSettings, recorder: Recorder) -> None:
        self.recorder = recorder
        self._settings = settings
        if settings.compose:
            self._settings = settings = replace(
                settings, services=(*settings.services, *attached(settings))
            )
        self._places = Places(settings)
        self.services: dict[str, Service] = {}
        """By name, in the order of the settings."""
        for service in settings.services:
            self._add(service)

    def __getitem__(self, name: str) -> Service:
        if name not in self.services:
            known = ", ".join(self.services) or "none"
            raise ClusterError(f"the cluster has no service {name!r}; services are: {known}")
        return self.services[name]

    def __iter__(self) -> Iterator[Service]:
        return iter(self.services.values())

    def __len__(self) -> int:
        return len(self.services)

    @property
    def url(self) -> str:
        """Where the first service answers that has an address."""
        return next((service.url for service in self if service.url), "")

    def add(self, settings: ServiceSettings) -> Service:
        """Start one more service, wait until it is ready and return it.

        :raises ClusterError: there is one of that name, or it did not start.
        """
        if settings.name in self.services:
            raise ClusterError(f"the cluster has a service {settings.name!r} already")
        self._settings = replace(self._settings, services=(*self._settings.services, settings))
        self._places.settings = self._settings
        self._places.add(settings)
        service = self._add(settings)
        service.start()
        service.wait_ready()
        return service

    def ensure(self) -> None:
        """Start again what a test stopped or killed."""
        for service in self:
            if not service.is_running:
                service.restart()

    def start(self) -> None:
        """Start all services, each when those it needs are ready.

        :raises ClusterError: one did not start; the others are stopped.
        """
        try:
            for wave in self._waves():
                for service in wave:
                    service.start()
                for service in wave:
                    service.wait_ready()
        except BaseException:
            with contextlib.suppress(ClusterError, ConfigurationError):
                self.stop()
            raise

    def stop(self) -> None:
        """Stop all services, those that need others first.

        :raises ClusterError: one had to be killed.
        """
        __tracebackhide__ = True
        complaints = []
        self._places.close()
        for service in reversed([s for wave in self._waves() for s in wave]):
            try:
                service.stop()
            except ClusterError as error:
                complaints.append(str(error))
        if complaints:
            raise ClusterError("\n".join(complaints))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        self.stop()

    def _add(self, settings: ServiceSettings) -> Service:
        kind: type[Service] = RunningService
        if settings.command:
            kind = ProcessService
        elif settings.container:
            kind = ContainerService
        service = kind(settings, self.recorder, self._places, self._settings.mapping)
        self.services[settings.name] = service
        return service

    def _waves(self) -> list[list[Service]]:
        """Return the services in groups, each of which needs only earlier groups."""
        left = dict(self.services)
        waves: list[list[Service]] = []
        while left:
            wave = [s for s in left.values() if not self._places.needs(s.settings) & left.keys()]
            if not wave:
                raise ConfigurationError(
                    f"[tool.narration.cluster]: {', '.join(left)} need each other to start first"
                )
            waves.append(wave)
            for service in wave:
                del left[service.name]
        return waves
