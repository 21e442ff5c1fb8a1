"""Reports in files: each says what the results say, and is valid for those who read it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree

import jsonschema_rs
import pytest

from pytest_narration.coverage.collector import Collector
from pytest_narration.coverage.gate import Judged, judge, parse_gates
from pytest_narration.coverage.locations import locate
from pytest_narration.coverage.report import FORMATS, badge, cobertura, html, json_file, lcov
from pytest_narration.coverage.report import markdown as markdown_report
from pytest_narration.coverage.report.term import render_lines
from pytest_narration.coverage.results import Results, analyse
from pytest_narration.errors import ConfigurationError

from .samples import SHOP, checkout, shop, started

_HOSTILE = "<script>alert(1)</script> | `tick` *star*"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Two points covered, one partial, one missed, one excluded; names that need escaping."""
    (tmp_path / "cart.py").write_text(
        '# a\nnarrate("startup", "Starting on port {port}")\n'
        'narrate("checkout", "Checked out {items} items"), narrate("error", '
        '"Payment refused: {error_kind}")\n',
        encoding="utf-8",
    )
    text = re.sub(r'(id = "cart.*")', r'\1\ncall_site = "cart.py"', SHOP)
    catalog = shop(tmp_path, text)
    collector = Collector(catalog)
    refused = {"action": "error", "template": "Payment refused: {error_kind}", "job_id": None}
    for event, channel in (
        (started(), "stdout"),
        (checkout(human=_HOSTILE), "stdout"),
        (checkout(**refused), "stdout"),
        (checkout(action="wave", template=_HOSTILE), "stdout"),
    ):
        collector.add(event, channel=channel, source="cart", context="tests/test_a.py::test[<b>]")
    return analyse(catalog, collector.take(), locations=locate(catalog, base=tmp_path))


@pytest.fixture
def gates(results: Results) -> list[Judged]:
    return judge(parse_gates(["80", "outcomes=100"]), results.dimensions)


def test_the_json_report_meets_its_schema(results: Results, gates: list[Judged]) -> None:
    folder = resources.files("pytest_narration.coverage") / "schema"
    schema = json.loads((folder / "narration-coverage-report.v1.json").read_text("utf-8"))
    document = json.loads(json_file.render(results, gates))

    jsonschema_rs.validator_for(schema).validate(document)

    points = {p["id"]: p for group in document["groups"] for p in group["points"]}
    assert points["cart.checkout"]["state"] == "partial"
    assert points["cart.checkout"]["call_site"] == "cart.py:3"
    assert points["cart.start"]["seen"]["stdout"]["tests"] == ["tests/test_a.py::test[<b>]"]
    assert document["total"]["shown"] == "50.00%"
    assert [gate["holds"] for gate in document["gates"]] == [False, True]


def test_the_json_schema_refuses_what_is_no_report(results: Results) -> None:
    folder = resources.files("pytest_narration.coverage") / "schema"
    schema = json.loads((folder / "narration-coverage-report.v1.json").read_text("utf-8"))
    document = json.loads(json_file.render(results, ()))
    document["groups"][0]["points"][0]["state"] = "green"

    assert not jsonschema_rs.validator_for(schema).is_valid(document)


def test_lcov_has_a_function_for_each_point_and_a_line_for_each_call_site(
    results: Results, gates: list[Judged]
) -> None:
    sections = lcov.render(results, gates).split("end_of_record\n")
    source = next(section for section in sections if "SF:cart.py" in section)
    catalog = next(section for section in sections if "narration.toml" in section)

    assert source.splitlines() == [
        "TN:narration",
        "SF:cart.py",
        "FN:2,cart.start",
        "FN:3,cart.checkout",
        "FN:3,cart.refused",
        "FNDA:1,cart.start",
        "FNDA:0,cart.checkout",
        "FNDA:1,cart.refused",
        "FNF:3",
        "FNH:2",
        "DA:2,1",
        "DA:3,0",
        "LF:2",
        "LH:1",
    ]
    assert "FN:56,till.paid" in catalog
    assert len(sections) == 3


def test_cobertura_counts_lines_and_channels(results: Results, gates: list[Judged]) -> None:
    root = ElementTree.fromstring(cobertura.render(results, gates))

    assert root.tag == "coverage"
    assert (root.get("lines-covered"), root.get("lines-valid")) == ("1", "3")
    assert (root.get("branches-covered"), root.get("branches-valid")) == ("3", "5")
    lines = root.findall("./packages/package[@name='cart']/classes/class/lines/line")
    assert [(s.get("number"), s.get("hits"), s.get("condition-coverage")) for s in lines] == [
        ("2", "1", None),
        ("3", "0", "66% (2/3)"),
    ]


def test_cobertura_meets_the_dtd_of_its_readers(results: Results, gates: list[Judged]) -> None:
    """Elements and attributes as coverage-04.dtd declares them, in its order."""
    children = {
        "coverage": ["sources", "packages"],
        "sources": ["source"],
        "packages": ["package"],
        "package": ["classes"],
        "classes": ["class"],
        "class": ["methods", "lines"],
        "methods": ["method"],
        "method": ["lines"],
        "lines": ["line"],
        "line": [],
        "source": [],
    }
    rates = {"line-rate", "branch-rate", "complexity"}
    required = {
        "coverage": rates
        | {"lines-covered", "lines-valid", "branches-covered", "branches-valid"}
        | {"version", "timestamp"},
        "package": rates | {"name"},
        "class": rates | {"name", "filename"},
        "method": rates | {"name", "signature"},
        "line": {"number", "hits"},
    }
    for element in ElementTree.fromstring(cobertura.render(results, gates)).iter():
        found = list(dict.fromkeys(child.tag for child in element))
        assert found == [tag for tag in children[element.tag] if tag in found]
        if element.tag in ("coverage", "package", "class", "method"):
            assert found == children[element.tag]
        assert required.get(element.tag, set()) <= set(element.attrib)


def test_hops_that_only_one_side_knows_are_named(tmp_path: Path) -> None:
    catalog = shop(tmp_path)
    collector = Collector(catalog)
    collector.add(checkout(service="mail", job_id="j-1"))
    collector.add(checkout(job_id="j-2", parent_job_id="j-1"))
    results = analyse(catalog, collector.take())

    lines = [line.text for line in render_lines(results, (), missing=True)]

    never, undeclared = (
        lines.index("Hops never crossed:"),
        lines.index("Hops crossed but in no catalog:"),
    )
    assert lines[never + 1] == "  cart → till"
    assert lines[undeclared + 1] == "  mail → cart"
    assert "mail → cart: crossed, but in no catalog" in html.render(results, ())
    assert "Hops never crossed (1)" in markdown_report.render(results, ())


def test_what_learned_names_hold_breaks_neither_xml_nor_markdown(tmp_path: Path) -> None:
    text = SHOP.replace('actor = "cart"', 'actor = "a\\u001b\\u0000b"').replace(
        "Starting on port {port}", "Run ``x`` on {port}"
    )
    catalog = shop(tmp_path, text)
    results = analyse(catalog, Collector(catalog).take())

    ElementTree.fromstring(cobertura.render(results, ()))
    assert "``` Run ``x`` on {port} ```" in markdown_report.render(results, ())


def test_the_terminal_is_not_steered_by_what_services_write(tmp_path: Path) -> None:
    catalog = shop(tmp_path)
    collector = Collector(catalog)
    collector.add(checkout(actor="", action="x", template=None, human="\x1b[2Jgone\u202e é"))

    lines = render_lines(analyse(catalog, collector.take()), (), missing=True)

    assert r"  cart: x “\x1b[{…}Jgone\u202e é” on stdout" in [line.text for line in lines]


def test_markdown_begins_with_the_verdict_and_escapes_what_came_from_outside(
    results: Results, gates: list[Judged]
) -> None:
    text = markdown_report.render(results, gates)

    assert text.startswith("## Narration coverage: shop\n\n❌ Required narration coverage of 80%")
    assert "| Cart | 3 | 2 | 1 | 0 | 0 | 66.66% |" in text
    row = next(line for line in text.splitlines() if "alert(1)" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 4
    assert "seen on stdout, never on sse" in text


def test_the_badge_is_a_picture_that_never_shows_more_than_there_is(
    results: Results, gates: list[Judged]
) -> None:
    picture = badge.render(results, gates)

    ElementTree.fromstring(picture)
    assert "<title>narration: 50%</title>" in picture
    assert "#e05d44" in picture
    assert "#e05d44" not in badge.render(results, ())


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "input", "br", "th"):
            self.open.append(tag)
        self.scripts += tag == "script"
        self.outside += [v for name, v in attrs if name in ("src", "href") and v]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_closed_and_escapes_what_came_from_outside(
    results: Results, gates: list[Judged]
) -> None:
    text = html.render(results, gates)
    page = _Page()
    page.feed(text)

    assert page.open == []
    assert page.outside == []
    assert page.scripts == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "tests/test_a.py::test[&lt;b&gt;]" in text
    assert not re.search(r"<!--\w+-->", text)


@pytest.mark.parametrize(
    "render",
    [html.render, markdown_report.render, json_file.render, lcov.render, cobertura.render],
)
def test_reports_of_a_run_without_events_can_be_made(
    tmp_path: Path, render: Callable[[Results, list[Judged]], str]
) -> None:
    catalog = shop(tmp_path)

    assert render(analyse(catalog, Collector(catalog).take()), [])


def test_a_catalog_without_points_has_nothing_to_divide_by(tmp_path: Path) -> None:
    catalog = shop(tmp_path, 'catalog = 1\n[groups.a]\nservice = "a"\n')
    results = analyse(catalog, Collector(catalog).take())

    assert "n/a" in badge.render(results, ())
    assert "n/a" in html.render(results, ())
    assert cobertura.render(results, ())


def test_every_format_is_a_module_with_a_default_file() -> None:
    from importlib import import_module

    for name, (module, file, about) in FORMATS.items():
        assert import_module(f"pytest_narration.coverage.report.{module}")
        assert file.startswith("narration-coverage.")
        assert about, name


def test_an_unknown_format_lists_the_known_ones() -> None:
    from pytest_narration.coverage.report import parse_request

    with pytest.raises(ConfigurationError, match="choose from term, term-missing, json, html"):
        parse_request("pdf")
