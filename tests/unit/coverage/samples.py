"""A small catalog and events for it, shared by the tests of coverage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_narration.coverage.catalog import Catalog
from pytest_narration.coverage.collector import Collector
from pytest_narration.event import Event

SHOP = """\
catalog = 1

[system]
name = "shop"

[groups.cart]
service = "cart"
title = "Cart"

[groups.till]
service = "till"

[[hops]]
from = "cart"
to = "till"

[[points]]
id = "cart.start"
group = "cart"
actor = "cart"
action = "startup"
human = "Starting on port {port}"
reach = "lifecycle"

[[points]]
id = "cart.checkout"
group = "cart"
actor = "cart"
action = "checkout"
human = "Checked out {items} items"
channels = ["stdout", "sse"]
ids = ["correlation_id", "job_id"]

[[points]]
id = "cart.refused"
group = "cart"
actor = "cart"
action = "error"
human = "Payment refused: {error_kind}"
level = "warn"
reach = "error"
ids = ["correlation_id"]

[[points]]
id = "till.cuda"
group = "till"
actor = "till"
action = "device_init"
human = "Initialized CUDA device {device}"
reach = "device"
requires = "cuda"

[[points]]
id = "till.paid"
group = "till"
actor = "till"
action = "paid"
pattern = 'paid \\d+ (EUR|USD)'
"""


def shop(tmp_path: Path, text: str = SHOP) -> Catalog:
    path = tmp_path / "narration.toml"
    path.write_text(text, encoding="utf-8")
    return Catalog.load(path)


def checkout(**fields: Any) -> Event:
    values: dict[str, Any] = {
        "event_id": "e-1",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "service": "cart",
        "actor": "cart",
        "action": "checkout",
        "template": "Checked out {items} items",
        "human": "Checked out 2 items",
        "correlation_id": "c-1",
        "job_id": "j-1",
    }
    return Event(**(values | fields))


def started(**fields: Any) -> Event:
    values: dict[str, Any] = {
        "service": "cart",
        "actor": "cart",
        "action": "startup",
        "template": "Starting on port {port}",
        "human": "Starting on port 80",
    }
    return Event(**(values | fields))


def save(path: Path, *events: Event) -> None:
    """Save coverage data of the events, seen by one test, beside the shop's catalog."""
    collector = Collector(shop(Path()))
    for event in events:
        collector.add(event, context="test_a")
    data = collector.take()
    data.catalogs = {"narration.toml"}
    data.save(path)
