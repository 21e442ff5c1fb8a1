"""The command ``narration catalog learn``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_narration.cli import main
from pytest_narration.coverage.catalog import Catalog
from pytest_narration.coverage.collector import Collector
from pytest_narration.coverage.results import analyse
from pytest_narration.event import Event
from pytest_narration.formats import Batch, reader
from pytest_narration.wire import encode

from .samples import checkout

pytestmark = pytest.mark.usefixtures("here")
Out = pytest.CaptureFixture[str]
_FORMATS = Path(__file__).parents[2] / "data" / "formats"


def test_the_help_of_scan_and_learn_explains_service(capsys: Out) -> None:
    for action, expected in (
        ("scan", 'needed where no call of configure("NAME") is near'),
        ("learn", "the service of events that name none"),
    ):
        with pytest.raises(SystemExit):
            main(["catalog", action, "--help"])
        assert expected in " ".join(capsys.readouterr().out.split())


def test_learn_makes_a_catalog_of_captured_output(here: Path, capsys: Out) -> None:
    lines = [
        encode(checkout()),
        encode(checkout(job_id=None)),
        encode(Event(service="till", actor="till", action="paid", human="paid 12 EUR")),
        encode(Event(service="till", actor="till", action="paid", human="paid 13 EUR")),
        b'{"level":30,"time":1700000000000,"name":"mail","msg":"mail sent"}\n',
        b"not an event\n",
    ]
    Path("capture.log").write_bytes(b"".join(lines))

    assert main(["catalog", "learn", "capture.log"]) == 2
    assert "names no service: 'mail sent'; give --service NAME" in capsys.readouterr().err
    assert main(["catalog", "learn", "capture.log", "--service", "mail"]) == 0

    catalog = Catalog.load("narration.toml")
    assert {(p.service, p.text, p.ids) for p in catalog.points} == {
        ("cart", "Checked out {items} items", ("correlation_id",)),
        ("till", "paid {value} EUR", ()),
        ("mail", "mail sent", ()),
    }
    assert main(["catalog", "learn", "capture.log", "--service", "mail"]) == 0
    assert "nothing to add, 3 points" in capsys.readouterr().err


def test_what_was_learned_covers_the_run_it_was_learned_from(here: Path) -> None:
    events = [
        checkout(),
        Event(service="till", actor="till", action="paid", human="paid 12 EUR for 0b1c2d3e4f"),
        Event(service="till", actor="till", action="up", human="on 127.0.0.1:8080"),
    ]
    Path("capture.log").write_bytes(b"".join(map(encode, events)))
    main(["catalog", "learn", "capture.log"])
    catalog = Catalog.load("narration.toml")
    collector = Collector(catalog)
    for event in events:
        collector.add(event)

    assert [p.state for p in analyse(catalog, collector.take()).points] == ["covered"] * 3


def test_services_whose_names_look_alike_have_groups_of_their_own(here: Path) -> None:
    names = ("a.b", "a-b", "カート", "決済")
    events = [Event(service=name, actor="x", action="up", human="Up") for name in names]
    Path("capture.log").write_bytes(b"".join(map(encode, events)))

    assert main(["catalog", "learn", "capture.log"]) == 0

    assert Catalog.load("narration.toml").services == set(names)


@pytest.mark.parametrize("samples", sorted(_FORMATS.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_learned_of_any_format_covers_the_lines_it_came_from(
    here: Path, samples: Path
) -> None:
    entries = json.loads(samples.read_text(encoding="utf-8"))
    lines = "".join(f"{entry['line']}\n" for entry in entries if isinstance(entry["line"], str))
    Path("capture.log").write_text(lines, encoding="utf-8")

    assert main(["catalog", "learn", "capture.log", "--service", "shop"]) == 0

    catalog = Catalog.load("narration.toml")
    collector = Collector(catalog)
    feed = reader(service="shop")
    for decoded in (*feed.feed(lines.encode()), *feed.finish()):
        for event in decoded.events if isinstance(decoded, Batch) else [decoded]:
            if isinstance(event, Event):
                collector.add(event)
    points = analyse(catalog, collector.take()).points
    assert points
    assert {point.state for point in points} == {"covered"}


def test_learn_counts_the_lines_that_teach_nothing(here: Path, capsys: Out) -> None:
    Path("capture.log").write_text(
        'hello\nlevel=info service=a msg=up\nlevel=info service=a took=8ms msg=""\n', "utf-8"
    )

    assert main(["catalog", "learn", "capture.log"]) == 0

    told = capsys.readouterr().err.splitlines()
    assert told[0] == "lines left out: 1 not an event, 1 without words"
    assert len(Catalog.load("narration.toml").points) == 1


def test_learn_reads_fields_as_the_project_maps_them(here: Path) -> None:
    Path("pyproject.toml").write_text(
        '[tool.narration.map]\naction = "what"\nservice = "app.name"\n', encoding="utf-8"
    )
    line = '{"what": "sold", "app": {"name": "shop"}, "message": "Sold shoes", "level": "info"}\n'
    Path("capture.log").write_text(line, encoding="utf-8")

    assert main(["catalog", "learn", "capture.log"]) == 0

    (point,) = Catalog.load("narration.toml").points
    assert (point.service, point.action) == ("shop", "sold")


def test_learn_takes_texts_that_were_filled_in_before_as_one_point(here: Path) -> None:
    """``narrate("checkout", f"Checked out {n} items")``"""
    events = [
        checkout(template=f"Checked out {n} items", human=f"Checked out {n} items") for n in (2, 3)
    ]
    Path("capture.log").write_bytes(b"".join(map(encode, events)))

    assert main(["catalog", "learn", "capture.log"]) == 0

    assert [p.human for p in Catalog.load("narration.toml").points] == ["Checked out {value} items"]


def test_learn_takes_the_lines_after_the_first_as_a_value(here: Path) -> None:
    events = [
        Event(
            service="a", actor="x", action="y", human=f"Crashed:\nTraceback\n  line {n}\n{n * 'z'}"
        )
        for n in (1, 2)
    ]
    Path("capture.log").write_bytes(b"".join(map(encode, events)))

    assert main(["catalog", "learn", "capture.log"]) == 0

    catalog = Catalog.load("narration.toml")
    assert [p.human for p in catalog.points] == ["Crashed:{value}"]
    who = {"service": "a", "actor": "x", "action": "y", "template": None}
    assert all(catalog.match(**who, human=event.human) for event in events)
