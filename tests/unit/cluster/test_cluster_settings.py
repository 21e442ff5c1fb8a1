"""The table ``[tool.narration.cluster]``: what it says, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_narration.cluster import cluster_settings, configured_cluster, seconds
from pytest_narration.cluster.placeholders import Places
from pytest_narration.errors import ConfigurationError
from pytest_narration.recorder import Recorder

SHOP = """
[tool.narration.map]
correlation_id = "ctx.id"

[tool.narration.cluster.services.shop]
command = "node 'shop server.js' --port {port}"
env = { BANK = "{bank.url}", LEVEL = 3 }
ready = { event = "listening", timeout = "20 s" }
format = "pino"
stop_timeout = "500 ms"

[tool.narration.cluster.services.bank]
command = ["{python}", "bank.py", "{port}", "{admin_port}"]
cwd = "bank"
ports = { admin_port = 9100 }
ready = { url = "/health" }
"""


def read(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text, "utf-8")


def test_a_service_is_described_by_its_table(tmp_path: Path) -> None:
    read(tmp_path, SHOP)

    settings = cluster_settings(tmp_path)
    shop, bank = settings.services

    assert shop.command == ("node", "shop server.js", "--port", "{port}")
    assert shop.env == {"BANK": "{bank.url}", "LEVEL": "3"}
    assert (shop.ready.by, shop.ready.what, shop.ready.timeout) == ("event", "listening", 20.0)
    assert (shop.format, shop.stop_timeout) == ("pino", 0.5)
    assert bank.command == ("{python}", "bank.py", "{port}", "{admin_port}")
    assert (bank.cwd, bank.ports, bank.ready.by) == ("bank", {"admin_port": 9100}, "url")
    assert settings.mapping == {"correlation_id": "ctx.id"}


def test_ports_are_the_kernels_unless_they_are_fixed_and_names_lead_to_other_services(
    tmp_path: Path,
) -> None:
    read(tmp_path, SHOP)
    settings = cluster_settings(tmp_path)
    shop, bank = settings.services

    places = Places(settings)

    port = places.port("bank")
    assert port is not None
    assert port != places.port("shop")
    assert places.fill("{bank.url} {bank.port}", shop) == f"http://127.0.0.1:{port} {port}"
    assert places.fill("{port} {admin_port}", bank) == f"{port} 9100"
    assert places.fill('{"json": {"stays": 1}}', shop) == '{"json": {"stays": 1}}'
    assert places.needs(shop) == {"bank"}
    assert places.needs(bank) == set()
    places.close()


def test_a_port_that_only_another_service_names_is_the_owners(tmp_path: Path) -> None:
    """The owner may learn its port from a file; those who call it must know it all the same."""
    read(
        tmp_path,
        """
        [tool.narration.cluster.services.a]
        command = "a --metrics {metrics_port}"
        [tool.narration.cluster.services.b]
        command = "b --scrape {a.metrics_port}"
        """,
    )
    settings = cluster_settings(tmp_path)
    places = Places(settings)
    a, b = settings.services

    assert places.fill("{metrics_port}", a) == places.fill("{a.metrics_port}", b)
    places.close()


def test_a_placeholder_that_stands_for_nothing_names_those_that_there_are(tmp_path: Path) -> None:
    read(tmp_path, SHOP)
    settings = cluster_settings(tmp_path)
    places = Places(settings)

    with pytest.raises(
        ConfigurationError,
        match=r"shop: \{bnak\.url\} stands for nothing; .*"
        r"\{bank\.url\}, \{port\}, \{python\}, \{root\}",
    ):
        places.fill("{bnak.url}", settings.services[0])
    places.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.narration.cluster.services.a]", "says neither how the service starts nor where"),
        ("[tool.narration.cluster.service.a]", "has no key 'service'; keys are: services, compose"),
        (
            "[tool.narration.cluster.services.a]\ncomand = 'x'",
            "has no key 'comand'; keys are:\n  command: the command line",
        ),
        (
            "[tool.narration.cluster.services.a]\ncommand = 'x'\nurl = 'http://h'",
            "has both command and url",
        ),
        ("[tool.narration.cluster.services.a]\ncommand = 3", "must be text or a list of texts"),
        ('[tool.narration.cluster.services.a]\ncommand = "x \'y"', "cannot be read: No closing"),
        (
            "[tool.narration.cluster.services.a]\ncommand = 'x'\nformat = 'pinot'",
            "there is no log format 'pinot'; did you mean 'pino'? Choose auto, ",
        ),
        (
            "[tool.narration.cluster.services.a]\ncommand = 'x'\nready = { url = '/', line = 'x' }",
            "ready has url and line; give one of them",
        ),
        (
            "[tool.narration.cluster.services.a]\ncommand = 'x'\nready = { line = '(' }",
            "is no regular expression",
        ),
        (
            "[tool.narration.cluster.services.a]\ncommand = 'x'\nready = { timeout = '2 weeks' }",
            "'2 weeks' is no duration; write \"2 s\"",
        ),
        (
            "[tool.narration.cluster.services.a]\ncommand = 'x'\nready = '/health'",
            "ready must be a table, not '/health'",
        ),
        (
            "[tool.narration.cluster.services.a]\ncommand = 'x'\nports = { port = 0 }",
            "port = 0 is no port from 1 to 65535",
        ),
        (
            "[tool.narration.cluster.services.a]\ncommand = 'x'\nports = { metrics = 9 }",
            "'metrics' must end in 'port'",
        ),
        (
            "[tool.narration.cluster.services.a]\ncommand = 'x'\nafter = ['b']",
            "there is no service 'b'; services are: a",
        ),
        (
            "[tool.narration.cluster.services.a]\ncommand = 'x'\nenv = { A = [] }",
            "env.A must be text or a number",
        ),
        ("[tool.narration", "is no TOML"),
    ],
)
def test_a_wrong_table_is_refused_with_what_is_right(
    tmp_path: Path, text: str, message: str
) -> None:
    read(tmp_path, text)

    with pytest.raises(ConfigurationError) as caught:
        cluster_settings(tmp_path)

    assert message in str(caught.value)


def test_services_that_need_each_other_first_cannot_start(tmp_path: Path) -> None:
    read(
        tmp_path,
        """
        [tool.narration.cluster.services.a]
        command = "a {port} {b.url}"
        [tool.narration.cluster.services.b]
        command = "b {port} {a.url}"
        """,
    )

    with pytest.raises(ConfigurationError, match="a, b need each other to start first"):
        configured_cluster(Recorder(), tmp_path).start()


def test_a_project_without_the_table_has_no_cluster(tmp_path: Path) -> None:
    assert cluster_settings(tmp_path).is_empty
    with pytest.raises(ConfigurationError, match="has no table"):
        configured_cluster(Recorder(), tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2 s", 2.0), ("500 ms", 0.5), ("1.5 min", 90.0), ("10seconds", 10.0), (3, 3.0), (0.5, 0.5)],
)
def test_durations_are_seconds(text: str | float, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["2", "s", "2 sec", "-1 s", "", "2 s ", True, "1,5 s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no duration"):
        seconds(text)
