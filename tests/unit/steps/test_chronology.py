"""Which of two events came first, whatever the order in which their lines arrive."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from pytest_narration.event import Event
from pytest_narration.recorder import Record
from pytest_narration.steps.chronology import Chronology


def record(index: int, event_id: str, *, source: str = "s", **fields: Any) -> Record:
    event = Event(event_id=event_id, service=source, instance=source, action=event_id, **fields)
    return Record(event, index, float(index), "stdout", source)


def story() -> list[dict[str, Any]]:
    """a places, b is paid because of a, a confirms because of b."""
    return [
        {"event_id": "placed", "source": "a", "seq": 1, "job_id": "j"},
        {"event_id": "paid", "source": "b", "seq": 7, "job_id": "k", "cause": ("placed",)},
        {"event_id": "confirmed", "source": "a", "seq": 2, "job_id": "j", "cause": ("paid",)},
    ]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_causes_and_numbers_decide_in_any_order_of_arrival(order: tuple[int, ...]) -> None:
    events = story()
    records = [record(index, **events[position]) for index, position in enumerate(order)]
    by_id = {r.event.event_id: r for r in records}
    placed, paid, confirmed = by_id["placed"], by_id["paid"], by_id["confirmed"]

    chronology = Chronology(records)

    assert chronology.is_chain([placed, paid, confirmed])
    assert not chronology.precedes(paid, placed)
    assert not chronology.precedes(confirmed, placed)
    assert not chronology.precedes(placed, placed)
    assert chronology.chain([[placed], [paid], [confirmed]]) == [placed, paid, confirmed]
    assert chronology.chain([[placed], [confirmed], [paid]]) is None


def test_without_links_the_services_clocks_decide_between_services() -> None:
    late = record(0, "late", source="a", timestamp="2026-01-01T00:00:00.900Z")
    early = record(1, "early", source="b", timestamp="2026-01-01T00:00:00.100Z")

    chronology = Chronology([late, early])

    assert chronology.precedes(early, late)
    assert not chronology.precedes(late, early)


def test_within_one_output_its_lines_decide_and_not_its_clock() -> None:
    first = record(0, "first", timestamp="2026-01-01T00:00:00.900Z", correlation_id="1")
    second = record(1, "second", timestamp="2026-01-01T00:00:00.100Z", correlation_id="2")

    assert Chronology([first, second]).precedes(first, second)


def test_without_links_and_clocks_arrival_decides() -> None:
    first, second = record(0, "first", source="a"), record(1, "second", source="b")

    assert Chronology([first, second]).precedes(first, second)
    assert not Chronology([first, second]).precedes(second, first)


def test_a_chain_is_found_among_many_candidates() -> None:
    """b a b: a is followed by the second b only."""
    b1, a, b2 = (record(n, name) for n, name in enumerate(("b1", "a", "b2")))
    chronology = Chronology([b1, a, b2])

    assert chronology.chain([[a], [b1, b2]]) == [a, b2]
    assert chronology.chain([[b1, b2], [a], [b1, b2]]) == [b1, a, b2]
    assert chronology.chain([[a], []]) is None
    assert chronology.chain([[b2], [a]]) is None


@pytest.mark.parametrize(
    ("one", "other", "precedes", "basis"),
    [
        ("10:00:00.513", "10:00:00.514", True, "by their timestamps, "),
        ("10:00:00.514", "10:00:00.513", False, "by their timestamps, "),
        ("10:00:00.513", "10:00:00.000", True, "by arrival"),
        ("10:00:00.000", "10:00:00.000", True, "by arrival"),
        ("10:00:01.000", "10:00:00.999", False, "by their timestamps, "),
    ],
)
def test_a_clock_of_whole_seconds_decides_nothing_within_one(
    one: str, other: str, precedes: bool, basis: str
) -> None:
    records = [
        record(index, f"e{index}", source=f"s{index}", timestamp=f"2026-01-01T{time}Z")
        for index, time in enumerate((one, other))
    ]

    chronology = Chronology(records)

    assert chronology.precedes(*records) is precedes
    assert chronology.basis(*records).startswith(basis)
