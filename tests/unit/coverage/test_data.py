"""Merging, saving and reading coverage data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_narration.coverage.catalog import Hop, Signature
from pytest_narration.coverage.data import CoverageData, Evidence, Sighting
from pytest_narration.errors import CoverageDataError

_names = st.sampled_from(["a", "b", "ü\u2028", ""])
_signatures = st.builds(Signature, _names, _names, _names, _names)
_channels = st.sampled_from(["stdout", "sse"])
_tests = st.sampled_from(["t::1", "t::2", "(session)"])


@st.composite
def _data(draw: st.DrawFn) -> CoverageData:
    data = CoverageData()
    for _ in range(draw(st.integers(0, 5))):
        signature, channel, test = draw(_signatures), draw(_channels), draw(_tests)
        ids = tuple(sorted(draw(st.sets(st.sampled_from(["job_id", "correlation_id"])))))
        evidence = Evidence(draw(_names), draw(_names), draw(_names), "", test)
        data.see(Sighting(signature, channel, ids), test, evidence)
    for _ in range(draw(st.integers(0, 2))):
        data.cross(Hop(draw(_names), draw(_names)), draw(_tests))
    data.capabilities = draw(st.dictionaries(st.sampled_from(["cuda", "mps"]), st.booleans()))
    data.catalogs = draw(st.sets(_names))
    return data


@settings(max_examples=60, deadline=None)
@given(_data(), _data(), _data())
def test_merging_is_associative_commutative_and_idempotent(
    a: CoverageData, b: CoverageData, c: CoverageData
) -> None:
    merged = CoverageData.merged
    assert merged([merged([a, b]), c]) == merged([a, merged([b, c])])
    assert merged([a, b]) == merged([b, a])
    assert merged([a, b, a]) == merged([a, b])


@settings(max_examples=60, deadline=None)
@given(_data())
def test_what_is_saved_is_what_is_read(data: CoverageData) -> None:
    assert CoverageData.from_json(data.to_json()) == data


@settings(max_examples=30, deadline=None)
@given(_data(), _data())
def test_equal_data_gives_equal_text(a: CoverageData, b: CoverageData) -> None:
    ab, ba = CoverageData.merged([a, b]), CoverageData.merged([b, a])
    assert ab.to_json() == ba.to_json()


def test_merging_leaves_its_parts_alone() -> None:
    sighting = Sighting(Signature("s", "a", "b", "c"), "stdout")
    part = CoverageData()
    part.see(sighting, "t::1")
    other = CoverageData()
    other.see(sighting, "t::2")

    CoverageData.merged([part, other])

    assert part.contexts == {"t::1"}


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / ".narration-coverage"
    data = CoverageData(capabilities={"cuda": True})

    CoverageData().save(path)
    data.save(path)

    assert CoverageData.read(path) == data
    assert list(path.parent.iterdir()) == [path]


def _damaged(**parts: object) -> str:
    whole = json.loads(CoverageData().to_json()) | {"contexts": ["t::1"]}
    return json.dumps(whole | parts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is not JSON"),
        ("[]", "is not narration coverage"),
        ('{"format": "coverage"}', "is not narration coverage"),
        (json.dumps({"format": "narration-coverage", "version": 99}), "version 99"),
        (json.dumps({"format": "narration-coverage", "version": 1}), "is damaged"),
        ("\udcff", "is not JSON"),
        (_damaged(capabilities=[]), r"is damaged: Expected `object`.*capabilities"),
        (_damaged(contexts=[1]), "is damaged"),
        (_damaged(sightings=[["a", "b", "c", "d", 5, [], [0]]]), "is damaged: Expected `str`"),
        (_damaged(sightings=[["a", "b", "c", "d", "stdout", [], [1]]]), "is damaged"),
        (_damaged(sightings=[["a", "b", "c", "d", "stdout", [], [-1]]]), "is damaged"),
        (_damaged(evidence=[["a"] * 9]), "is damaged"),
        (_damaged(contexts=["\ud800"]), "is not JSON"),
    ],
)
def test_a_file_that_is_something_else_is_refused_by_name(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = tmp_path / "data"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(CoverageDataError, match=expected) as raised:
        CoverageData.read(path)

    assert str(path) in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CoverageDataError, match="nothing-here cannot be read: No such file"):
        CoverageData.read(tmp_path / "nothing-here")
