"""Services that really run: started when they can be used, stopped, broken and mended."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_narration.cluster import Cluster, ClusterSettings, service_settings
from pytest_narration.errors import ClusterError, WaitTimeout
from pytest_narration.recorder import Recorder

SERVER = """
import http.server, json, os, signal, sys
def say(action):
    print(json.dumps({"event_id": f"{os.getpid()}-{action}", "action": action, "actor": "a",
                      "human": action.title(), "level": "info", "service": "web"}), flush=True)
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
    def log_message(self, *args):
        pass
print("plain words", flush=True)
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
say("listening")
server.serve_forever()
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[object]:
    """Make a cluster of the tables that are given; it is stopped at the end."""
    (tmp_path / "server.py").write_text(SERVER, "utf-8")
    with contextlib.ExitStack() as ends:

        def make(**tables: dict[str, object]) -> Cluster:
            services = tuple(service_settings(n, t, where=n) for n, t in tables.items())
            cluster = Cluster(ClusterSettings(tmp_path, services), Recorder())
            ends.callback(stop, cluster)
            return cluster

        yield make


def stop(cluster: Cluster) -> None:
    with contextlib.suppress(ClusterError):
        cluster.stop()


def web(**more: object) -> dict[str, object]:
    return {"command": "{python} server.py {port}", **more}


def status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return int(answer.status)


@pytest.mark.parametrize(
    "ready",
    [
        {},
        {"url": "/health"},
        {"event": "listening"},
        {"event": "Listening"},
        {"line": '"human": "List.*'},
    ],
    ids=["port", "url", "action", "sentence", "line"],
)
def test_a_service_is_ready_in_each_way(make: object, ready: dict[str, str]) -> None:
    cluster = make(web=web(ready=ready))

    with cluster:
        assert status(f"{cluster['web'].url}/health") == 200
        assert cluster.recorder.wait_for(action="listening", source="web")
        assert cluster.url == cluster["web"].url


def test_a_stopped_cluster_leaves_no_process(make: object) -> None:
    cluster = make(a=web(), b=web())
    with cluster:
        pids = [service.pid for service in cluster]

    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_services_start_after_those_that_they_name(make: object, tmp_path: Path) -> None:
    """The first table needs the second: its command asks it before it does anything else."""
    asks = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1]); print('asked');"
    (tmp_path / "asks.py").write_text(asks + "import time; time.sleep(60)", "utf-8")
    cluster = make(
        asker={
            "command": ["{python}", "asks.py", "{web.url}/health"],
            "ready": {"line": "asked"},
        },
        web=web(),
    )

    with cluster:
        assert cluster["asker"].is_running


def test_a_service_that_ends_at_its_start_is_quoted_and_the_others_are_stopped(
    make: object,
) -> None:
    ends = [sys.executable, "-c", "import sys; print('no licence'); sys.exit(3)"]
    cluster = make(web=web(), broken={"command": ends, "ready": {"event": "x"}, "after": ["web"]})

    with pytest.raises(
        ClusterError, match=r"broken ended with exit code 3 before .*\n *no licence"
    ):
        cluster.start()

    assert cluster["web"].returncode is not None


@pytest.mark.parametrize(
    ("ready", "message"),
    [
        (
            {"event": "lisening"},
            "waited {} for its event 'lisening'; it narrated listening.*plain words",
        ),
        ({"url": "/helth"}, "waited {} until GET http://.*/helth succeeds; .*status 404"),
        ({"line": "ready!"}, "waited {} until it prints a line that matches /ready!/"),
    ],
    ids=["event", "url", "line"],
)
def test_a_service_that_is_not_ready_in_time_says_what_it_did(
    make: object, ready: dict[str, str], message: str
) -> None:
    # What it did is to be told: longer limits are for a machine on which it does nothing so soon.
    for limit in ("0.5 s", "5 s", "30 s"):
        cluster = make(web=web(ready={**ready, "timeout": limit}))
        with pytest.raises(ClusterError) as caught:
            cluster.start()
        assert cluster["web"].returncode is not None
        told = re.search(message.format(limit), str(caught.value), re.DOTALL)
        if told:
            break

    assert told, caught.value


def test_a_program_that_does_not_exist_is_named(make: object) -> None:
    cluster = make(web={"command": "no-such-program --port {port}"})

    with pytest.raises(ClusterError, match=r"web cannot be started: .*no-such-program"):
        cluster.start()


@pytest.mark.parametrize("ready", [{}, {"url": "/health"}])
def test_a_port_that_somebody_else_has_is_told_before_he_is_taken_for_the_service(
    make: object, ready: dict[str, str]
) -> None:
    with make(other=web()) as running:
        taken = running["other"]
        port = int(taken.url.rpartition(":")[2])
        cluster = make(web=web(ports={"port": port}, ready=ready))

        with pytest.raises(ClusterError, match=rf"web cannot be started: its port {port} is taken"):
            cluster.start()

        assert not cluster["web"].is_running
        assert status(f"{taken.url}/health") == 200


def test_a_service_that_ignores_sigterm_is_killed_and_that_is_said(make: object) -> None:
    cluster = make(web=web(command="{python} server.py {port} deaf", stop_timeout="300 ms"))
    cluster.start()
    pid = cluster["web"].pid

    with pytest.raises(ClusterError, match=r"web did not stop within 0.3 s of SIGTERM"):
        cluster.stop()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_killed_service_is_started_again_at_its_address(make: object) -> None:
    # By its event: its port takes connections before the line is written.
    with make(web=web(ready={"event": "listening"})) as cluster:
        service = cluster["web"]
        url = service.url
        service.kill()
        assert service.returncode == -9

        cluster.ensure()

        assert service.url == url
        assert status(f"{url}/health") == 200
        assert len(cluster.recorder.records(action="listening")) == 2


def test_a_frozen_service_goes_on_and_can_be_stopped_while_it_is_frozen(make: object) -> None:
    with make(web=web()) as cluster:
        service = cluster["web"]
        service.pause()
        with pytest.raises(OSError, match="timed out"):
            urllib.request.urlopen(f"{service.url}/health", timeout=0.2)
        service.resume()
        assert status(f"{service.url}/health") == 200
        service.pause()


def test_waiting_for_the_end_of_a_service_that_runs_says_so(make: object) -> None:
    with make(web=web()) as cluster, pytest.raises(WaitTimeout, match=r"web to end; it still runs"):
        cluster["web"].wait_ended(0.05)


def test_a_service_that_does_not_exist_names_those_that_do(make: object) -> None:
    with pytest.raises(ClusterError, match="no service 'wbe'; services are: web"):
        make(web=web())["wbe"]


def test_a_service_that_runs_elsewhere_is_known_by_its_address_and_its_log(
    make: object, tmp_path: Path
) -> None:
    log = tmp_path / "remote.log"
    log.write_text("before\n", "utf-8")
    with make(web=web()) as running:
        cluster = make(remote={"url": running["web"].url, "log": "remote.log"})
        with cluster:
            log.write_text('before\n{"action": "x", "human": "X", "level": "info"}\n', "utf-8")

            assert cluster.recorder.wait_for(action="x").record.source == "remote"
            with pytest.raises(ClusterError, match="remote cannot be killed: it was not started"):
                cluster["remote"].kill()


def test_an_address_where_nobody_answers_is_told(make: object) -> None:
    cluster = make(remote={"url": "http://127.0.0.1:1", "ready": {"timeout": "50 ms"}})

    with pytest.raises(ClusterError, match=r"something listens at 127\.0\.0\.1:1; .*refused"):
        cluster.start()
