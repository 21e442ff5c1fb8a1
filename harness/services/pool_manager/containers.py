"""Workers as containers of their own, started through the Docker engine as node agents do.

A worker's stdin is a lifeline: this process holds its only other end, through the engine, so that
a worker notices our end, however it came, and the engine then removes its container.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from .docker_api import STDERR, DockerApi, DockerRefused, pieces

__all__ = ["DockerEngine"]

_PORT = "8000"
_NOT_STARTED = 125
"""What ``docker run`` says when the engine refuses a container."""
_PASSED_ON = ("NARRATION_", "FAKETIME", "LD_PRELOAD")
"""What a node's workers inherit: how to narrate, and its clock, when that is made wrong."""
_EVERY_ADDRESS = ("0.0.0.0", "::", "[::]")


class DockerEngine:
    """Starts workers as containers; see :class:`~.engine.Engine`.

    :param networks: the first is where a worker and this process reach each other by name.
    :param labels: of each container: whose run it belongs to.
    :param prefix: of each container's name.
    :param address: of this machine, where each container's port is published.
    :param gpus: whether to ask for all GPUs; the engine must have a runtime for them.
    """

    kind = "docker"

    def __init__(
        self,
        *,
        image: str,
        networks: Sequence[str],
        labels: Mapping[str, str],
        prefix: str = "",
        address: str = "127.0.0.1",
        gpus: bool = False,
        api: DockerApi | None = None,
    ) -> None:
        self._image = image
        self._networks = tuple(networks)
        self._labels = dict(labels)
        self._prefix = prefix
        self._address = address
        self._gpus = gpus
        self._api = api or DockerApi()

    def spawn(
        self, worker_id: str, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> _Container:
        """Start a container; what the engine refuses shows as exit status 125."""
        # A restarted worker must not be reached under its predecessor's name.
        name = f"{self._prefix}{worker_id}-{secrets.token_hex(3)}"
        body = self._body(name, [*arguments, "--parent-fd=0"], environment)
        return _Container(self._api, name, body, self._networks[1:])

    def _body(
        self, name: str, arguments: list[str], environment: Mapping[str, str]
    ) -> dict[str, Any]:
        passed_on = {k: v for k, v in os.environ.items() if k.startswith(_PASSED_ON)}
        gpus = [{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}] if self._gpus else []
        names = {"Aliases": [_alias(name)]}
        return {
            "Image": self._image,
            "Cmd": arguments,
            "Hostname": name,
            "Env": [f"{name}={value}" for name, value in {**passed_on, **environment}.items()],
            "Labels": self._labels,
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "OpenStdin": True,
            "StdinOnce": True,
            "ExposedPorts": {f"{_PORT}/tcp": {}},
            "NetworkingConfig": {"EndpointsConfig": dict.fromkeys(self._networks[:1], names)},
            "HostConfig": {
                "NetworkMode": self._networks[0] if self._networks else "default",
                "PortBindings": {f"{_PORT}/tcp": [{"HostIp": self._address, "HostPort": ""}]},
                # Without an init, PID 1 ignores SIGTERM.
                "Init": True,
                "AutoRemove": True,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                # What it prints comes to us; a second copy would only fill the disk.
                "LogConfig": {"Type": "none"},
                "DeviceRequests": gpus,
            },
        }


class _Container:
    """One start of one worker; a thread follows it from its creation to its end."""

    def __init__(
        self, api: DockerApi, name: str, body: dict[str, Any], networks: Sequence[str]
    ) -> None:
        self._api = api
        self._called = name
        self._body = body
        self._networks = networks
        self.stdout, self._out = os.pipe()
        self.stderr, self._err = os.pipe()
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._lock = threading.Lock()
        self._id = ""
        self._wanted_signal = ""
        threading.Thread(target=self._follow, name=f"container-{name}", daemon=True).start()

    @property
    def name(self) -> str:
        return f"container {self._called}"

    def reach(self, address: str) -> str:
        """Return where peers reach it: by name, when it says that it bound every address it has."""
        host, _, port = address.rpartition(":")
        return f"{_alias(self._called)}:{port}" if host in _EVERY_ADDRESS else address

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def terminate(self) -> None:
        self._signal("SIGTERM")

    def kill(self) -> None:
        self._signal("SIGKILL")

    def _signal(self, name: str) -> None:
        with self._lock:
            self._wanted_signal = name
            container = self._id
        if container and not self._ended.done():
            # The engine may take its time; the event loop has none.
            threading.Thread(target=self._api.kill, args=(container, name), daemon=True).start()

    def _follow(self) -> None:
        try:
            status = self._run()
        except OSError as error:
            self._write(self._err, f"{error}\n".encode())
            status = _NOT_STARTED
        finally:
            os.close(self._out)
            os.close(self._err)
        if not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # the loop closed in between
                self._loop.call_soon_threadsafe(self._settle, status)

    def _run(self) -> int:
        container = self._api.create(self._called, self._body)
        try:
            for network in self._networks:
                self._api.connect(network, container)
            with self._api.exit_status(container) as ending:
                with self._api.attach(container) as lifeline:
                    self._start(container)
                    for stream, piece in pieces(lifeline):
                        self._write(self._err if stream == STDERR else self._out, piece)
                return _status_in(ending.read())
        except BaseException:
            self._api.remove(container)
            raise

    def _start(self, container: str) -> None:
        self._api.start(container)
        with self._lock:
            self._id = container
            wanted = self._wanted_signal
        if wanted:
            self._api.kill(container, wanted)

    def _write(self, descriptor: int, piece: bytes) -> None:
        left = memoryview(piece)
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except OSError:
                return  # nobody reads any more; the container is followed to its end all the same

    def _settle(self, status: int) -> None:
        if not self._ended.done():
            self._ended.set_result(status)


def _alias(name: str) -> str:
    """Return a name that only the first network knows, unlike the container's own."""
    return f"{name}.node"


def _status_in(answer: bytes) -> int:
    """Return an exit status, negative for a signal: containers show those as 128 and more."""
    import json

    try:
        code = int(json.loads(answer)["StatusCode"])
    except (ValueError, KeyError, TypeError):
        raise DockerRefused(f"the engine's answer to a wait: {answer[:200]!r}") from None
    return 128 - code if code > 128 else code
