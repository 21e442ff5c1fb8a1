"""Which contract an event has to keep, and how a project declares its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_narration import schema
from pytest_narration.contracts import BUILTIN, Contracts, find, read
from pytest_narration.errors import ConfigurationError

_DATA = Path(__file__).parents[2] / "data" / "schema"
EVENT: dict[str, Any] = json.loads((_DATA / "good.jsonl").read_text("utf-8").splitlines()[0])[
    "event"
]
ENVELOPE: dict[str, Any] = next(
    row["value"]
    for line in (_DATA / "contracts" / "event_envelope.v1.jsonl").read_text("utf-8").splitlines()
    if (row := json.loads(line))["title"] == "the least"
)
ORDER = {
    "type": "object",
    "required": ["total"],
    "properties": {"total": {"description": "the price in cents", "type": "integer"}},
}


def _places(fields: dict[str, Any], contracts: Contracts | None = None) -> list[list[str]]:
    return [[p.path, p.rule] for p in (contracts or Contracts()).problems(fields)]


def _table(folder: Path, table: dict[str, Any], **files: Any) -> Contracts:
    (folder / "contracts").mkdir()
    for name, document in files.items():
        (folder / "contracts" / f"{name}.json").write_text(json.dumps(document))
    return Contracts.of(table, folder=folder)


def test_an_event_without_a_contract_of_its_own_keeps_the_events_contract() -> None:
    assert _places(EVENT) == []
    assert _places(EVENT | {"seq": 0}) == [["seq", "minimum"]]


def test_a_flat_event_is_judged_by_its_action_and_has_the_payload_among_its_fields() -> None:
    run = EVENT | {"action": "job_run_completed", "job_id": "j", "job_run_id": "r"}
    assert _places(run | {"attempt": 1, "duration_ms": 2}) == []
    assert _places(run | {"attempt": 0, "duration_ms": 2}) == [["attempt", "minimum"]]


def test_an_event_name_goes_before_the_action() -> None:
    named = EVENT | {"event_name": "shop.web.search.executed", "correlation_id": "c"}
    assert _places(named)[0] == ["latency_ms", "required"]


def test_a_payload_of_its_own_is_judged_alone() -> None:
    run = EVENT | {"action": "job_failed", "job_id": "j", "error_kind": "X"}
    assert _places(run | {"payload": {}}) == [["payload.error_kind", "required"]]


def test_a_lost_id_is_named() -> None:
    run = EVENT | {"action": "job_run_started", "attempt": 1, "job_id": "j"}
    (problem,) = Contracts().problems(run)
    assert str(problem) == (
        "job_run_id is missing: expected the id, which every job_run_started has [ids]"
    )


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_a_blank_id_is_a_lost_one(blank: str) -> None:
    run = EVENT | {"action": "job_run_started", "attempt": 1, "job_id": "j", "job_run_id": blank}
    assert _places(run) == [["job_run_id", "ids"]]


def test_an_envelope_is_judged_by_its_name_with_ids_in_its_correlation() -> None:
    assert _places(ENVELOPE) == []
    without = ENVELOPE | {"correlation": {"request_id": "c"}, "payload": {"attempt": "one"}}
    assert _places(without) == [
        ["job_id", "ids"],
        ["job_run_id", "ids"],
        ["payload.attempt", "type"],
    ]


def test_the_request_id_of_an_envelope_is_the_correlation_id() -> None:
    search = ENVELOPE | {
        "event_name": "shop.web.search.executed",
        "payload": {"mode": "keyword", "results_count": 0, "latency_ms": 1},
    }
    assert _places(search) == []
    assert _places(search | {"correlation": {}}) == [["correlation_id", "ids"]]


def test_an_envelope_that_is_malformed_is_still_meant_as_one() -> None:
    broken = {name: value for name, value in ENVELOPE.items() if name != "occurred_at"}
    assert ["occurred_at", "required"] in _places(broken)


@pytest.mark.parametrize("entry", BUILTIN, ids=lambda entry: entry.pattern)
def test_every_common_event_has_a_schema(entry: Any) -> None:
    assert entry.payload in schema.names()


def test_a_project_declares_its_own_and_refers_to_ours_and_its_neighbours(tmp_path: Path) -> None:
    order = ORDER | {
        "properties": ORDER["properties"]
        | {
            "ids": {"$ref": "urn:pytest-narration:schema:correlation.v1"},
            "currency": {"$ref": "money.json#/$defs/currency"},
        }
    }
    money = {"$defs": {"currency": {"description": "three capitals", "pattern": "^[A-Z]{3}$"}}}
    contracts = _table(
        tmp_path, {"shop.*": "contracts/order.json"}, order=order, money=money, other=[1]
    )
    placed = EVENT | {"event_name": "shop.orders.order.placed", "total": 5}
    assert _places(placed, contracts) == []
    assert _places(placed | {"currency": "eur"}, contracts) == [["currency", "pattern"]]
    assert _places(placed | {"ids": {"trace_id": "x"}}, contracts) == [["ids.trace_id", "pattern"]]
    (problem,) = contracts.problems(placed | {"total": "5"})
    assert problem.message == "is '5': expected the price in cents"


def test_what_a_project_declares_goes_before_ours(tmp_path: Path) -> None:
    bare = EVENT | {"action": "job_started"}
    assert _places(bare) == [["job_id", "ids"]]
    assert _places(bare, Contracts.of({"job_started": False}, folder=tmp_path)) == []


def test_ids_that_a_project_demands_are_added_to_what_the_event_keeps_already(
    tmp_path: Path,
) -> None:
    """A payload that ids alone would take away is a contract that nobody took back."""
    own = Contracts.of({"job_*": {"ids": ["worker_id"]}}, folder=tmp_path)
    bare = EVENT | {"action": "job_started", "queued_ms": -1}
    assert _places(bare, own) == [
        ["worker_id", "ids"],
        ["job_id", "ids"],
        ["queued_ms", "minimum"],
    ]
    ended = Contracts.of({"job_*": {"ids": ["worker_id"]}, "*": False}, folder=tmp_path)
    assert _places(bare, ended) == [["worker_id", "ids"]]
    assert _places(EVENT | {"action": "job_lost"}, own) == [["worker_id", "ids"]]


def test_a_name_of_ours_serves_for_events_of_another_name(tmp_path: Path) -> None:
    contracts = Contracts.of({"*.lookup.done": "search_executed.v1"}, folder=tmp_path)
    done = EVENT | {"event_name": "a.b.lookup.done", "query": "x", "mode": "k"}
    assert ["query", "not"] in _places(done, contracts)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"a": 7}, r'contracts\] "a" must be a schema\'s name or path, .* not 7'),
        ({"a": True}, "not True"),
        ({"a": {"schema": "x"}}, "has no key 'schema'; keys are: payload, ids"),
        ({"a": {"payload": 1}}, "payload must be text, not 1"),
        ({"a": {"ids": "job_id"}}, "ids must be a list of names, not 'job_id'"),
        ({"a": "order.v1"}, "no schema is named 'order.v1'; give the path .* job_created.v1"),
        ({"a": "contracts/none.json"}, "there is no file .*none.json"),
        ({"a": "contracts/list.json"}, "is a JSON list, no object"),
        ({"a": "contracts/odd.json"}, "odd.json is no valid schema"),
        ({"a": "contracts/far.json"}, "far.json is no valid schema"),
    ],
)
def test_a_wrong_table_is_refused_with_the_place(
    tmp_path: Path, table: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        _table(tmp_path, table, list=[], odd={"type": "objekt"}, far={"$ref": "none.json"})


def test_the_nearest_project_upward_decides(tmp_path: Path) -> None:
    inner = tmp_path / "service" / "src"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.narration.contracts]\n"job_started" = false\n', "utf-8"
    )
    (tmp_path / "service" / "pyproject.toml").write_text('[project]\nname = "x"\n', "utf-8")
    bare = EVENT | {"action": "job_started"}
    assert _places(bare, find(inner)) == []
    assert _places(bare, read(tmp_path / "pyproject.toml")) == []


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool", "utf-8")
    with pytest.raises(ConfigurationError, match=r"pyproject.toml cannot be read"):
        find(tmp_path)
    with pytest.raises(ConfigurationError, match=r"there is no file .*absent"):
        read(tmp_path / "absent")
    (tmp_path / "pyproject.toml").write_text("[tool.narration]\ncontracts = 1\n", "utf-8")
    with pytest.raises(ConfigurationError, match="must be a table"):
        find(tmp_path)
