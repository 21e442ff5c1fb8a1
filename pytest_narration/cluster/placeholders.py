"""``{port}``, ``{payments.url}``, ``{python}`` -> what they stand for in commands and variables.

Every ``{…port}`` is a port that the kernel picks when the cluster is made, unless the settings fix
it; the socket that reserves it stays bound until its service starts.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator

from ..errors import ConfigurationError
from .settings import ClusterSettings, ServiceSettings

__all__ = ["HOST", "Places"]

HOST = "127.0.0.1"
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w.-]*)\}")


class Places:
    """Ports and addresses of the services of one cluster."""

    def __init__(self, settings: ClusterSettings) -> None:
        self.settings = settings
        """The services that placeholders may name."""
        self._ports: dict[str, dict[str, int]] = {}
        self._reserved: dict[str, list[socket.socket]] = {}
        for service in settings.services:
            self.add(service)

    def add(self, service: ServiceSettings) -> None:
        """Pick the ports that a service's own placeholders name."""
        wanted = {name for name in _names(service) if name.endswith("port") and "." not in name}
        for other in (*self.settings.services, service):
            dotted = (n.rpartition(".") for n in _names(other) if n.endswith("port"))
            wanted |= {port for owner, _, port in dotted if owner == service.name}
        ports = dict(service.ports)
        for name in sorted(wanted - ports.keys()):
            reserved = socket.socket()
            reserved.bind((HOST, 0))
            ports[name] = reserved.getsockname()[1]
            self._reserved.setdefault(service.name, []).append(reserved)
        self._ports[service.name] = ports

    def port(self, service: str) -> int | None:
        """Return the service's main port, ``None`` when it has none."""
        return self._ports.get(service, {}).get("port")

    def ports(self, service: str) -> dict[str, int]:
        """Return the service's ports by name."""
        return dict(self._ports.get(service, {}))

    def url(self, service: ServiceSettings) -> str:
        """Return where the service answers, empty when it does not say."""
        port = self.port(service.name)
        return service.url or (f"http://{HOST}:{port}" if port else "")

    def release(self, service: str) -> None:
        """Let go of the service's ports, so that it can listen on them."""
        for reserved in self._reserved.pop(service, ()):
            reserved.close()

    def close(self) -> None:
        """Let go of all ports."""
        for service in list(self._reserved):
            self.release(service)

    def needs(self, service: ServiceSettings) -> set[str]:
        """Return the other services that must be there before it starts."""
        named = {name.rpartition(".")[0] for name in _names(service)}
        return {n for n in (*named, *service.after) if n in self._ports and n != service.name}

    def fill(self, text: str, service: ServiceSettings) -> str:
        """Return the text with its placeholders replaced.

        :raises ConfigurationError: a placeholder stands for nothing.
        """
        return _PLACEHOLDER.sub(lambda match: self._value(match[1], service), text)

    def _value(self, name: str, service: ServiceSettings) -> str:
        known = {"python": sys.executable, "root": str(self.settings.root)}
        known |= {key: str(port) for key, port in self._ports[service.name].items()}
        for other in self.settings.services:
            if url := self.url(other):
                known[f"{other.name}.url"] = url
            known |= {f"{other.name}.{k}": str(p) for k, p in self._ports[other.name].items()}
        if name not in known:
            raise ConfigurationError(
                f"service {service.name}: {{{name}}} stands for nothing; "
                f"placeholders are: {', '.join(f'{{{n}}}' for n in sorted(known | {'port': ''}))}"
            )
        return known[name]


def _names(service: ServiceSettings) -> Iterator[str]:
    for text in (*service.command, *service.env.values(), service.cwd):
        yield from _PLACEHOLDER.findall(text)
