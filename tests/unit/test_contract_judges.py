"""Judge and teller hold together, on the official test suite of JSON Schema 2020-12.

Its files are in ``tests/data/json-schema-test-suite``, with their licence. The files about
``$dynamicRef``, vocabularies, anchors and remote documents are left out: contracts use none of
them. So is ``format.json``: formats are assertions here, which the specification leaves open.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_narration.schema import Contract

_SUITE = Path(__file__).parents[1] / "data" / "json-schema-test-suite"
_GROUPS = [
    pytest.param(group, id=f"{path.stem}: {group['description']}")
    for path in sorted(_SUITE.rglob("*.json"))
    for group in json.loads(path.read_text("utf-8"))
]


def _contract(written: Any) -> Contract:
    if isinstance(written, bool):
        return Contract({"allOf": [written]})
    return Contract(written, base=written.get("$id", "urn:suite"))


@pytest.mark.parametrize("group", _GROUPS)
def test_judge_teller_and_words_say_what_the_suite_says(group: dict[str, Any]) -> None:
    contract = _contract(group["schema"])
    for case in group["tests"]:
        value, wanted = case["data"], case["valid"]
        told = {
            "judge": contract.is_valid(value),
            "teller": contract.teller.is_valid(value),
            "words": contract.problems(value) == [],
        }
        assert told == dict.fromkeys(told, wanted), case["description"]


def test_the_suite_is_there() -> None:
    """A suite that lost its files would pass."""
    assert sum(len(group.values[0]["tests"]) for group in _GROUPS) > 1_000


def test_what_is_not_known_here_is_not_fetched() -> None:
    contract = Contract({"$ref": "https://example.com/schema.json"})
    with pytest.raises(ValueError, match="is known here, and none is fetched"):
        _ = contract.judge
