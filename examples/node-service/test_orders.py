"""One order crosses both services; what they log about it must hang together."""

import httpx
import pytest

from pytest_narration.pattern import event


@pytest.fixture
def shop(narration, narration_cluster):
    """A client of the shop, whose calls the rules about responses judge too."""
    with narration.watch(httpx.Client(base_url=narration_cluster), source="customer") as client:
        yield client


def test_an_order_is_the_same_request_in_both_services(shop, narration):
    order = {"item": "apple", "pieces": 2}
    assert shop.post("/orders", json=order, headers={"X-Correlation-Id": "order-1"}).is_success

    narration.wait_for(
        event(service="shop", action="order_received")
        >> event(service="shop", action="order_confirmed")
        & event(service="stock", action="goods_reserved", pieces=2)
    )
    narration.assert_holds()
    assert {e.service for e in narration.events(correlation_id="order-1")} == {"shop", "stock"}


def test_a_refusal_says_why_in_both_services(shop, narration):
    assert shop.post("/orders", json={"item": "pear", "pieces": 1}).status_code == 409

    sold_out = {"level": "warn", "error_kind": "SOLD_OUT"}
    narration.wait_for(event(service="shop", **sold_out) & event(service="stock", **sold_out))
    narration.assert_holds()
