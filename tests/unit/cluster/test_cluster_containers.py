"""Containers that run already, as Docker's client shows them; no engine is needed."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from pytest_narration.cluster import Cluster, ClusterSettings, service_settings
from pytest_narration.errors import ClusterError, MissingExtra
from pytest_narration.recorder import Recorder

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"


class Response:
    """A raw log: frames of eight header bytes and what was written."""

    def __init__(self, *lines: bytes) -> None:
        self.raw = self
        self._lines = lines

    def stream(self, size: int, decode_content: bool) -> Any:
        for line in self._lines:
            yield bytes([1, 0, 0, 0]) + len(line).to_bytes(4, "big") + line

    def close(self) -> None:
        pass


class Api:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def inspect_container(self, name: str) -> dict[str, Any]:
        return self._engine.containers.get(name).attrs

    def _url(self, path: str, name: str) -> str:
        return name

    def _get(self, name: str, params: dict[str, Any], **options: Any) -> Response:
        return Response(*self._engine.logs.get(name, ()))

    def _raise_for_status(self, response: Response) -> None:
        pass

    def _get_raw_response_socket(self, response: Response) -> None:
        return None


class Container:
    def __init__(self, id: str, labels: dict[str, str], port: int | None) -> None:
        self.id, self.name, self.labels = id, id, labels
        self.did: list[str] = []
        bindings = [{"HostIp": "0.0.0.0", "HostPort": str(port)}] if port else None
        self.attrs: dict[str, Any] = {
            "Config": {"Tty": False},
            "State": {"Running": False, "Restarting": False, "ExitCode": 0},
            "NetworkSettings": {"Ports": {"80/tcp": bindings}},
        }

    def reload(self) -> None:
        pass

    def __getattr__(self, verb: str) -> Any:
        if verb not in ("kill", "pause", "unpause", "restart"):
            raise AttributeError(verb)
        return lambda: self.did.append(verb)


class Containers:
    def __init__(self, members: list[Container]) -> None:
        self.members = members

    def list(self, filters: dict[str, str]) -> list[Container]:
        label, _, value = filters["label"].partition("=")
        return [c for c in self.members if c.labels.get(label) == value]

    def get(self, name: str) -> Container:
        for container in self.members:
            if container.name == name:
                return container
        raise LookupError(f"No such container: {name}")


class Engine:
    def __init__(self, *members: Container, logs: dict[str, tuple[bytes, ...]]) -> None:
        self.containers = Containers(list(members))
        self.logs = logs
        self.api = Api(self)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    labels = {PROJECT: "shop"}
    engine = Engine(
        Container("shop-api-1", {**labels, SERVICE: "api"}, 18080),
        Container("shop-api-2", {**labels, SERVICE: "api"}, None),
        Container("shop-db-1", {**labels, SERVICE: "db"}, None),
        Container("other-1", {PROJECT: "other", SERVICE: "api"}, None),
        logs={"shop-api-1": (b'{"msg": "Order placed", "level": "info"}\n',)},
    )
    docker = types.ModuleType("docker")
    docker.from_env = lambda: engine  # type: ignore[attr-defined]  # a stand-in for the library
    monkeypatch.setitem(sys.modules, "docker", docker)
    return engine


def test_a_compose_project_is_read_service_by_service(engine: Engine, tmp_path: Path) -> None:
    recorder = Recorder()
    cluster = Cluster(ClusterSettings(tmp_path, compose="shop"), recorder)

    assert list(cluster.services) == ["api", "api-2", "db"]
    for service in cluster:
        service.start()

    assert recorder.wait_for(human="Order placed").event.service == "api"
    assert cluster["api"].url == "http://127.0.0.1:18080"
    assert cluster["db"].url == ""
    cluster.stop()


def test_a_project_without_containers_says_how_to_start_it(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"docker compose -p shpo up -d"):
        Cluster(ClusterSettings(tmp_path, compose="shpo"), Recorder())


def test_a_container_is_broken_and_mended_by_the_engine(engine: Engine, tmp_path: Path) -> None:
    settings = service_settings("db", {"container": "shop-db-1"}, where="db")
    cluster = Cluster(ClusterSettings(tmp_path, (settings,)), Recorder())
    service = cluster["db"]
    service.start()

    service.pause()
    service.resume()
    service.kill()

    assert engine.containers.get("shop-db-1").did == ["pause", "unpause", "kill"]
    assert service.returncode == 0
    cluster.stop()


def test_a_container_that_does_not_exist_is_named(engine: Engine, tmp_path: Path) -> None:
    settings = service_settings("db", {"container": "nobody"}, where="db")

    with pytest.raises(ClusterError, match=r"db: no container 'nobody': No such container"):
        Cluster(ClusterSettings(tmp_path, (settings,)), Recorder()).start()


def test_without_the_library_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)

    with pytest.raises(MissingExtra, match=r"pytest-narration\[docker\]"):
        Cluster(ClusterSettings(tmp_path, compose="shop"), Recorder())


def test_an_engine_that_does_not_answer_is_told(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, tmp_path: Path
) -> None:
    def fails(filters: object) -> None:
        raise ConnectionRefusedError("no such file /var/run/docker.sock")

    monkeypatch.setattr(engine.containers, "list", fails)

    with pytest.raises(ClusterError, match=r"no Docker engine answers: .*docker\.sock"):
        Cluster(ClusterSettings(tmp_path, compose="shop"), Recorder())
