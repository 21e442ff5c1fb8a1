"""Reading, checking, merging and matching catalogs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.coverage.catalog import Catalog, Hop, Signature, template_regex
from pytest_narration.errors import CatalogError

from .samples import SHOP, shop


def test_a_point_has_all_its_declared_columns(tmp_path: Path) -> None:
    point = shop(tmp_path).point("cart.checkout")

    assert point.service == "cart"
    assert point.channels == ("stdout", "sse")
    assert point.ids == ("correlation_id", "job_id")
    assert point.reach == "request"
    assert point.where == f"{tmp_path / 'narration.toml'}:25"
    assert point.signature == Signature("cart", "cart", "checkout", "Checked out {items} items")


def test_channels_default_to_stdout_and_titles_to_the_group_name(tmp_path: Path) -> None:
    catalog = shop(tmp_path)

    assert catalog.point("cart.start").channels == ("stdout",)
    assert catalog.groups["cart"].title == "Cart"
    assert catalog.groups["till"].title == "till"
    assert catalog.hops == (Hop("cart", "till"),)
    assert catalog.services == {"cart", "till"}


def test_a_template_matches_itself_and_not_a_different_one(tmp_path: Path) -> None:
    catalog = shop(tmp_path)
    who = {"service": "cart", "actor": "cart", "action": "checkout"}

    found = catalog.match(**who, template="Checked out {items} items", human="Checked out 1 items")
    other = catalog.match(**who, template="Checked out {n} items", human="Checked out 1 items")

    assert found is not None
    assert found.id == "cart.checkout"
    assert other is None


def test_text_without_a_template_matches_the_template_it_could_come_from(tmp_path: Path) -> None:
    catalog = shop(tmp_path)
    who = {"service": "cart", "actor": "cart", "action": "checkout", "template": None}

    found = catalog.match(**who, human="Checked out 12 items")

    assert found is not None
    assert found.id == "cart.checkout"
    assert catalog.match(**who, human="Checked in 12 items") is None


def test_a_template_that_the_caller_filled_in_matches_as_text(tmp_path: Path) -> None:
    """``narrate("checkout", f"Checked out {n} items")``: the template is the text."""
    who = {"service": "cart", "actor": "cart", "action": "checkout"}
    said = "Checked out 2 items"

    found = shop(tmp_path).match(**who, template=said, human=said)

    assert found is not None
    assert found.id == "cart.checkout"


def test_any_actor_and_action_can_be_declared_and_exact_ones_come_first(tmp_path: Path) -> None:
    text = SHOP.replace('actor = "cart"\naction = "startup"', 'actor = "*"\naction = "*"')
    text += '[[points]]\nid = "x"\ngroup = "cart"\nactor = "*"\naction = "go"\nhuman = "{all}"\n'
    catalog = shop(tmp_path, text)

    def match(action: str) -> str | None:
        said = "Starting on port 80"
        who = {"service": "cart", "actor": "a", "action": action}
        point = catalog.match(**who, template=None, human=said)
        return point.id if point else None

    assert match("starting_on_port") == "cart.start"
    assert match("go") == "x"
    assert catalog.of_signature(catalog.point("cart.start").signature) is not None


_PARTS = st.sampled_from(["{x}", "a", "b", "ab", " "])


@settings(max_examples=300, deadline=None)
@given(st.lists(_PARTS, max_size=6), st.text("ab ", max_size=9))
def test_a_template_becomes_the_texts_whose_placeholders_stand_for_anything(
    parts: list[str], text: str
) -> None:
    template = "".join(parts)
    naive = ".+".join(re.escape(part) for part in template.split("{x}"))

    is_match = re.fullmatch(template_regex(template), text, re.DOTALL) is not None

    assert is_match is (re.fullmatch(naive, text, re.DOTALL) is not None)


def test_matching_takes_linear_time(tmp_path: Path) -> None:
    """With a retry for each way to place the blanks this would take years."""
    text = 'catalog = 1\ngroups.a.service = "a"\npoints = [{ id = "p", group = "a", actor = "x", '
    catalog = shop(tmp_path, text + 'action = "y", human = "{a} {b} {c} {d} {e} {f}!" }]\n')
    who = {"service": "a", "actor": "x", "action": "y", "template": None}

    assert catalog.match(**who, human=" " * 60_000) is None
    assert catalog.match(**who, human=" " * 60_000 + "!") is not None


def test_a_pattern_matches_the_whole_text_only(tmp_path: Path) -> None:
    catalog = shop(tmp_path)
    who = {"service": "till", "actor": "till", "action": "paid", "template": None}

    assert catalog.match(**who, human="paid 12 EUR") is catalog.point("till.paid")
    assert catalog.match(**who, human="not paid 12 EUR") is None


def test_the_most_literal_template_wins_when_texts_are_ambiguous(tmp_path: Path) -> None:
    text = """\
catalog = 1
groups.a.service = "a"
points = [
  { id = "wide", group = "a", actor = "x", action = "y", human = "{anything}" },
  { id = "narrow", group = "a", actor = "x", action = "y", human = "Loaded {model}" },
]
"""
    catalog = shop(tmp_path, text)

    found = catalog.match(service="a", actor="x", action="y", template=None, human="Loaded tiny")

    assert found is catalog.point("narrow")


@pytest.mark.parametrize(
    ("before", "after", "line", "expected"),
    [
        (
            'channels = ["stdout", "sse"]',
            'channels = ["stdio"]',
            31,
            "'stdio' is not one of stdout, sse",
        ),
        ('group = "cart"\nactor', 'group = "carts"\nactor', 19, "declared: cart, till"),
        ("reach =", "reech =", 23, "did you mean reach?"),
        ('id = "cart.refused"', 'id = "cart.start"', 34, "is declared at"),
        ('human = "Starting on port {port}"\n', "", 17, "needs `human`"),
        ("(EUR|USD)", "(EUR|USD", 58, "not a regular expression"),
        ("(EUR|USD)", "[[EUR]", 58, "not a regular expression: Possible nested set"),
        ("(EUR|USD)", "x{99999999999}", 58, "not a regular expression"),
        ('action = "paid"', "action = 1979-05-27", 57, "1979-05-27 is a date; if it is meant"),
        ('channels = ["stdout", "sse"]', "channels = [07:32:00]", 31, "07:32:00 is a date"),
        (
            'level = "warn"',
            'level = "loud"',
            40,
            "'loud' is not one of trace, debug, info, warn, error, fatal",
        ),
        ("catalog = 1", "catalog = 2", 1, "this release reads 1"),
        ("catalog = 1", "", 1, '"catalog = 1" is missing'),
        ('service = "cart"', "service = 3", 7, 'is not of type "string"'),
        ("catalog = 1", "catalog = ", 1, "is not TOML"),
        ('title = "Cart"', 'title = "Cart"\ntitle = "C"', 9, "is not TOML"),
        ('title = "Cart"', 'title = "Cart', 8, "is not TOML"),
        ('name = "shop"', 'name = "a\u2028b\x85"\nnome = "c"', 5, "did you mean name?"),
    ],
)
def test_a_wrong_entry_is_named_with_its_file_and_line(
    tmp_path: Path, before: str, after: str, line: int, expected: str
) -> None:
    text = SHOP.replace(before, after, 1)

    with pytest.raises(CatalogError) as raised:
        shop(tmp_path, text)

    message = str(raised.value)
    assert expected in message
    assert "narration.toml" in message
    assert f"narration.toml:{line}:" in message


def test_text_that_is_not_utf8_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "narration.toml"
    path.write_bytes(b"catalog = 1\n# caf\xe9\n")

    with pytest.raises(CatalogError, match=r"narration\.toml:2: the catalog is not UTF-8"):
        Catalog.load(path)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "narration.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SHOP.encode())

    assert len(Catalog.load(path).points) == 5


@pytest.mark.parametrize(
    "header", ["[[points]]", "[[ points ]]  # third", '[["points"]]', "  [['points']]"]
)
def test_lines_are_found_however_a_header_is_written_and_among_many(
    tmp_path: Path, header: str
) -> None:
    point = '\nid = "p{0}"\ngroup = "cart"\nactor = "x"\naction = "y"\nhuman = "P{0}"\n'
    text = SHOP + "".join(header + point.format(n) for n in range(2000))

    catalog = shop(tmp_path, text)

    first = SHOP.count("\n") + 1
    assert catalog.point("p0").where.endswith(f":{first}")
    assert catalog.point("p1999").where.endswith(f":{first + 1999 * 6}")


def test_every_wrong_entry_is_reported_at_once(tmp_path: Path) -> None:
    text = SHOP.replace('"stdout", "sse"', '"stdio"').replace('level = "warn"', 'level = "loud"')

    with pytest.raises(CatalogError) as raised:
        shop(tmp_path, text)

    assert len(str(raised.value).splitlines()) == 2


def test_two_points_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    twin = SHOP + SHOP[SHOP.index("[[points]]") : SHOP.index('[[points]]\nid = "cart.checkout')]

    with pytest.raises(CatalogError, match=r"cannot be told from 'cart.twin'"):
        shop(tmp_path, twin.replace('id = "cart.start"', 'id = "cart.twin"', 1))


def test_a_missing_file_says_which_one() -> None:
    with pytest.raises(CatalogError, match=r"nowhere\.toml cannot be read: No such file"):
        Catalog.load("nowhere.toml")


def test_catalogs_of_several_files_are_one(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    shop(tmp_path)
    (tmp_path / "more" / "narration.toml").write_text(
        'catalog = 1\n[groups.mail]\nservice = "mail"\n[[points]]\nid = "mail.sent"\n'
        'group = "mail"\nactor = "m"\naction = "sent"\nhuman = "Sent"\n',
        encoding="utf-8",
    )

    both = Catalog.load(tmp_path / "narration.toml", tmp_path / "more" / "narration.toml")

    assert len(both.points) == 6
    assert both.services == {"cart", "till", "mail"}


def test_catalogs_that_declare_one_id_twice_do_not_merge(tmp_path: Path) -> None:
    shop(tmp_path)
    path = tmp_path / "narration.toml"

    with pytest.raises(CatalogError, match=r"is declared at .* too"):
        Catalog.load(path, path)
