"""Verdicts on points: covered on every declared channel with its ids, or not covered."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.coverage.catalog import Catalog, Hop
from pytest_narration.coverage.collector import Collector
from pytest_narration.coverage.data import CoverageData
from pytest_narration.coverage.gate import Figure
from pytest_narration.coverage.results import PointResult, Results, analyse
from pytest_narration.event import Event

from .samples import checkout, shop, started


def _results(catalog: Catalog, *seen: tuple[Event, str] | tuple[Event, str, str]) -> Results:
    collector = Collector(catalog)
    for event, channel, *context in seen:
        collector.add(event, channel=channel, context=context[0] if context else "test")
    return analyse(catalog, collector.take())


def _verdict(results: Results, id: str) -> PointResult:
    return next(p for p in results.points if p.point.id == id)


def test_a_point_seen_on_all_its_channels_with_its_ids_is_covered(tmp_path: Path) -> None:
    verdict = _verdict(
        _results(shop(tmp_path), (checkout(), "stdout"), (checkout(), "sse")), "cart.checkout"
    )

    assert (verdict.state, verdict.why) == ("covered", "")
    assert verdict.contexts == ["test"]
    assert verdict.seen["sse"].evidence is not None
    assert verdict.seen["sse"].evidence.event_id == "e-1"


def test_a_point_seen_on_one_of_two_channels_is_partial(tmp_path: Path) -> None:
    verdict = _verdict(_results(shop(tmp_path), (checkout(), "stdout")), "cart.checkout")

    assert (verdict.state, verdict.why) == ("partial", "seen on stdout, never on sse")


def test_a_point_seen_only_where_it_is_not_declared_never_counts(tmp_path: Path) -> None:
    results = _results(shop(tmp_path), (started(), "sse"))
    verdict = _verdict(results, "cart.start")

    assert verdict.state == "partial"
    assert verdict.why == "never on stdout, seen on sse, where it is not declared"
    assert results.total == Figure(0, 4)


def test_a_point_without_its_ids_is_partial_and_names_them(tmp_path: Path) -> None:
    naked = checkout(job_id=None)
    verdict = _verdict(
        _results(shop(tmp_path), (naked, "stdout"), (checkout(), "sse")), "cart.checkout"
    )

    assert verdict.state == "partial"
    assert verdict.why == "seen on sse, on stdout only without job_id"


def test_one_complete_event_covers_though_another_lacked_ids(tmp_path: Path) -> None:
    """The other one is what the correlation figure is for."""
    both = [(checkout(), c, "t1") for c in ("stdout", "sse")]
    results = _results(shop(tmp_path), *both, (checkout(correlation_id=None), "stdout", "t2"))

    assert _verdict(results, "cart.checkout").state == "covered"
    assert results.dimensions["correlation"] == Figure(1, 2)


def test_the_correlation_figure_does_not_depend_on_whose_test_an_event_is(tmp_path: Path) -> None:
    """Tests that choose the same id share its events in one process, and not on two workers."""
    catalog = shop(tmp_path)
    seen = [(checkout(), "test_one"), (checkout(job_id=None), "test_two")]
    together, *apart = Collector(catalog), Collector(catalog), Collector(catalog)
    for (event, test), alone in zip(seen, apart, strict=True):
        together.add(event, context=test)
        alone.add(event, context=test)

    parts = CoverageData.merged(collector.take() for collector in apart)

    for data in (together.take(), parts):
        assert analyse(catalog, data).dimensions["correlation"] == Figure(0, 1)


def test_ids_must_come_together_on_one_event(tmp_path: Path) -> None:
    results = _results(
        shop(tmp_path),
        (checkout(job_id=None), "stdout"),
        (checkout(correlation_id=None), "stdout"),
        (checkout(), "sse"),
    )

    assert _verdict(results, "cart.checkout").state == "partial"


def test_a_point_that_needs_absent_hardware_is_excluded_and_both_figures_are_known(
    tmp_path: Path,
) -> None:
    results = _results(shop(tmp_path), (started(), "stdout"))

    verdict = _verdict(results, "till.cuda")
    assert (verdict.state, verdict.why) == ("excluded", "needs cuda")
    assert results.total == Figure(1, 4)
    assert results.declared == Figure(1, 5)
    assert results.absent == ("cuda",)


def test_hardware_is_there_when_an_event_of_its_point_was_seen(tmp_path: Path) -> None:
    event = Event(
        service="till",
        actor="till",
        action="device_init",
        template="Initialized CUDA device {device}",
        human="Initialized CUDA device 0",
    )
    results = _results(shop(tmp_path), (event, "stdout"))

    assert _verdict(results, "till.cuda").state == "covered"
    assert results.total == Figure(1, 5)
    assert results.absent == ()


def test_a_catalog_can_state_that_hardware_is_there(tmp_path: Path) -> None:
    text = shop(tmp_path).paths[0].read_text() + "\n[capabilities]\ncuda = true\n"

    assert _verdict(_results(shop(tmp_path, text)), "till.cuda").state == "missed"


def test_an_excluded_point_keeps_its_reason(tmp_path: Path) -> None:
    text = (
        shop(tmp_path)
        .paths[0]
        .read_text()
        .replace('id = "cart.refused"', 'id = "cart.refused"\nexclude = "needs a real bank"')
    )
    results = _results(shop(tmp_path, text))

    assert _verdict(results, "cart.refused").why == "needs a real bank"
    assert results.total.total == 3
    assert results.declared.total == 4


def test_events_of_known_services_that_no_point_declares_are_listed(tmp_path: Path) -> None:
    results = _results(
        shop(tmp_path),
        (checkout(template="Checked {items} out"), "stdout"),
        (checkout(action="wave", template=None, human="Waved 7 times"), "stdout"),
        (checkout(action="wave", template=None, human="Waved 8 times"), "sse"),
        (Event(service="mail", action="sent", human="Sent"), "stdout"),
    )

    assert [(s.text, sorted(c)) for s, c in results.undeclared] == [
        ("Checked {items} out", ["stdout"]),
        ("Waved {…} times", ["sse", "stdout"]),
    ]
    assert results.strangers == ("mail",)


def test_text_without_a_template_counts_for_the_point_it_fits(tmp_path: Path) -> None:
    event = Event(service="till", actor="till", action="paid", human="paid 12 EUR")

    assert _verdict(_results(shop(tmp_path), (event, "stdout")), "till.paid").state == "covered"


def test_a_hop_is_seen_whichever_end_speaks_first(tmp_path: Path) -> None:
    child = Event(service="till", action="x", job_id="j-2", parent_job_id="j-1")
    for events in ([checkout(), child], [child, checkout()]):
        results = _results(shop(tmp_path), *((event, "stdout") for event in events))

        assert results.hops == {Hop("cart", "till"): True}
        assert results.dimensions["hops"] == Figure(1, 1)


def test_a_declared_hop_that_nobody_crossed_is_missed(tmp_path: Path) -> None:
    assert _results(shop(tmp_path), (checkout(), "stdout")).dimensions["hops"] == Figure(0, 1)


def test_classes_of_reachability_and_channels_have_figures_of_their_own(tmp_path: Path) -> None:
    results = _results(shop(tmp_path), (started(), "stdout"), (checkout(), "stdout"))

    assert results.reaches == {
        "request": Figure(0, 2),
        "error": Figure(0, 1),
        "lifecycle": Figure(1, 1),
    }
    assert results.channels == {"stdout": Figure(2, 4), "sse": Figure(0, 1)}
    assert results.dimensions["outcomes"] == Figure(0, 1)


def test_a_late_event_belongs_to_the_test_that_made_its_correlation_id(tmp_path: Path) -> None:
    results = _results(
        shop(tmp_path), (checkout(), "stdout", "test_one"), (checkout(), "sse", "test_two")
    )

    assert _verdict(results, "cart.checkout").contexts == ["test_one"]


def test_an_event_that_cannot_be_late_belongs_to_the_running_test(tmp_path: Path) -> None:
    catalog = shop(tmp_path)
    collector = Collector(catalog)
    for test in ("test_one", "test_two"):
        collector.add(checkout(), channel="stdout", context=test, may_be_late=False)
        collector.add(checkout(), channel="sse", context=test, may_be_late=False)

    verdict = _verdict(analyse(catalog, collector.take()), "cart.checkout")

    assert verdict.contexts == ["test_one", "test_two"]


_TOKEN = "Bearer abcdefghijklmnop0123456789"


def test_what_is_kept_of_foreign_text_holds_no_secret_and_one_line(tmp_path: Path) -> None:
    said = f"Calling with {_TOKEN}\nTraceback (most recent call last)\n  in line 7"
    catalog = shop(tmp_path)
    collector = Collector(catalog)
    for token in (_TOKEN, _TOKEN[:-1]):
        human = said.replace(_TOKEN, token)
        collector.add(checkout(action="call", template=None, human=human))

    data = collector.take()

    (signature,) = {sighting.signature for sighting in data.sightings}
    assert signature.text == "Calling with Bearer {…}{…}"
    assert "abcdef" not in data.to_json()
    assert "Traceback" in next(iter(data.evidence.values())).human


_EVENTS = st.lists(
    st.tuples(
        st.sampled_from([checkout(), checkout(job_id=None), started(), checkout(action="wave")]),
        st.sampled_from(["stdout", "sse"]),
        st.sampled_from(["t1", "t2", "t3"]),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(_EVENTS, st.integers(1, 4))
def test_any_split_of_a_run_gives_the_figures_of_the_run(
    seen: list[tuple[Event, str, str]], parts: int
) -> None:
    """Each shard has a collector of its own, as each xdist worker has."""
    catalog = _SHOP
    # A correlation id belongs to one test, and a test runs on one worker.
    seen = [(_named(event, test), channel, test) for event, channel, test in seen]
    whole = Collector(catalog)
    shards = [Collector(catalog) for _ in range(parts)]
    for event, channel, test in seen:
        whole.add(event, channel=channel, context=test)
        shards[int(test[1]) % parts].add(event, channel=channel, context=test)

    merged = CoverageData.merged(shard.take() for shard in reversed(shards))

    assert analyse(catalog, merged) == analyse(catalog, whole.take())


def _named(event: Event, test: str) -> Event:
    from msgspec.structs import replace

    return replace(event, correlation_id=f"c-{test}") if event.correlation_id else event


def _load() -> Catalog:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return shop(Path(folder))


_SHOP = _load()
