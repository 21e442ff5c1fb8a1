"""What a Go service logs about a request, and what it says when it has no answer."""

import httpx


def test_a_price_is_found_under_the_callers_id(narration, narration_cluster):
    httpx.get(
        f"{narration_cluster}/price?item=apple", headers={"X-Correlation-Id": "demo-1"}
    ).raise_for_status()

    found = narration.wait_for(action="price_found", correlation_id="demo-1").event
    assert found.field("price.cents") == 30
    assert found.actor == "catalogue"


def test_an_unknown_item_is_told_with_its_reason(narration, narration_cluster):
    response = httpx.get(f"{narration_cluster}/price?item=stone")

    assert response.status_code == 404
    unknown = narration.wait_for(level="warn", error_kind="NO_SUCH_ITEM").event
    assert unknown.correlation_id == response.headers["X-Correlation-Id"]
    narration.assert_holds()
