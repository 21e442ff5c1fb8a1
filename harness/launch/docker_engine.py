"""A Docker engine, found as the docker client finds it: DOCKER_HOST, else the current context.

The launcher and the reaper use it; ``connect`` says what to do when no engine answers.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path
from typing import Any

from pytest_narration.errors import ClusterError, MissingExtra

__all__ = ["connect", "engine_socket", "gpu_runtime", "why_no_engine"]

_SOCKET = "/var/run/docker.sock"
_TIMEOUT = 60
_ANY_VERSION = "1.41"
_HELP = """\
no Docker engine answers at {where}: {error}
  - start Docker, or point DOCKER_HOST (or `docker context use`) at an engine: ssh:// works too;
  - on a bare Debian or Ubuntu machine, as root: harness/images/engine.sh start;
  - or run the same features on local processes: make features"""


def connect(engine: str = "") -> Any:
    """Return a ``docker.DockerClient`` whose engine answers.

    :param engine: ``unix://``, ``tcp://``, ``ssh://`` …; by default what the client finds.
    :raises ClusterError: none does; the message says what to do.
    :raises MissingExtra: docker-py is not installed.
    """
    try:
        import docker
    except ImportError as error:
        raise MissingExtra("docker", "docker") from error
    where = engine or os.environ.get("DOCKER_HOST")
    context = engine or (None if where else _context_host())
    try:
        _try_socket(where or context or f"unix://{_SOCKET}")
        options = {"base_url": context} if context else docker.utils.kwargs_from_env()
        # Without a version the constructor asks for one, and nobody closes what it opened when
        # the answer does not come.
        probe = docker.APIClient(version=_ANY_VERSION, timeout=_TIMEOUT, **options)
        try:
            probe.version(api_version=False)
        finally:
            probe.close()
        return docker.DockerClient(timeout=_TIMEOUT, **options)
    except Exception as error:  # docker-py, requests and paramiko each have their own tree
        shown = where or context or f"unix://{_SOCKET}"
        raise ClusterError(_HELP.format(where=shown, error=error)) from error


def why_no_engine() -> str:
    """Return in one line why there is no engine, ``""`` when one answers."""
    try:
        connect().close()
    except (ClusterError, MissingExtra) as error:
        return str(error).splitlines()[0]
    return ""


def gpu_runtime(client: Any) -> bool:
    """Tell whether the engine can hand GPUs to containers.

    Asked of the engine, because a request without its toolkit fails only when a container starts.
    """
    return "nvidia" in client.info().get("Runtimes", {})


def engine_socket(client: Any, image: str, engine: str = "") -> tuple[str, int]:
    """Return the engine's socket on its own machine, and the group that may use it.

    :param image: has Python; used to look at the socket where the engine is not on this machine.
    :param engine: see :func:`connect`.
    """
    host = engine or os.environ.get("DOCKER_HOST") or _context_host() or f"unix://{_SOCKET}"
    if host.startswith("unix://"):
        path = Path(host.removeprefix("unix://"))
        with contextlib.suppress(OSError):
            found = path.stat()
            if stat.S_ISSOCK(found.st_mode):
                return str(path.resolve()), found.st_gid
    asked = client.containers.run(
        image,
        ["-c", "import os; print(os.stat('/engine.sock').st_gid)"],
        entrypoint="python3",
        network_mode="none",
        volumes={_SOCKET: {"bind": "/engine.sock", "mode": "ro"}},
        remove=True,
    )
    return _SOCKET, int(asked)


def _try_socket(host: str) -> None:
    """Connect to a Unix socket: docker-py would leave open what cannot be connected."""
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_TIMEOUT)
            probe.connect(host.removeprefix("unix://"))


def _context_host() -> str | None:
    from docker.context import ContextAPI

    try:
        context = ContextAPI.get_current_context()
    except Exception:  # a broken config file is the client's business, not ours
        return None
    return None if context is None or context.name == "default" else str(context.Host)
