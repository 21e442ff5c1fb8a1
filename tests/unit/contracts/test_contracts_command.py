"""``narration contracts``: exit codes and words; and our own schemas against their baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_narration import schema
from pytest_narration.cli import main

_TESTS = Path(__file__).parents[2]
_BASELINE = _TESTS / "data" / "contracts" / "baseline"
_EVENT = json.loads((_TESTS / "data/schema/good.jsonl").read_text("utf-8").splitlines()[0])["event"]


def test_our_schemas_accept_all_that_the_committed_baseline_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A change that breaks events is a schema of the next version; copy it to the baseline."""
    shipped = Path(schema.__file__).parent
    assert main(["contracts", "diff", str(_BASELINE), str(shipped)]) == 0, capsys.readouterr().out
    out = capsys.readouterr().out
    assert out.count("backward and forward compatible") == len(schema.names()), (
        "the baseline is not what is shipped: copy pytest_narration/schema/*.json to "
        f"{_BASELINE.relative_to(_TESTS.parent)}\n{out}"
    )


def _write(path: Path, **schemas: Any) -> Path:
    path.mkdir()
    for name, document in schemas.items():
        (path / f"{name}.json").write_text(json.dumps(document), "utf-8")
    return path


def test_two_folders_are_compared_by_file_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    money = {"$defs": {"price": {"type": "number"}}}
    order = {"properties": {"total": {"$ref": "money.json#/$defs/price"}}}
    old = _write(tmp_path / "old", gone={}, money=money, order=order, same={})
    whole = {"$defs": {"price": {"type": "integer"}}}
    new = _write(tmp_path / "new", added={}, money=whole, order=order, same={})
    assert main(["contracts", "diff", str(old), str(new)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "added: added",
        "gone: not backward compatible",
        f"  ✗ the schema is gone from {new}",
        "money: backward and forward compatible",
        "order: not backward compatible",
        '  ✗ total: was "number", is "integer" [type]',
        "same: backward and forward compatible",
    ]


def test_two_files_are_compared_whatever_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _write(
        tmp_path / "s", v1={"required": ["a"]}, v2={"properties": {"b": {"type": "null"}}}
    )
    old, new = (str(folder / f"{name}.json") for name in ("v1", "v2"))
    assert main(["contracts", "diff", old, new]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[0].startswith("v2: backward compatible, not forward")
    assert "  + a: is required no more [required]" in told
    assert "  · b: is described, and was not" in told
    assert main(["contracts", "diff", "--forward", old, new]) == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("absent.json", None, "there is no file or folder"),
        ("empty", None, "there is no .json file in"),
        ("list.json", "[]", "is a JSON list, no object"),
        ("torn.json", "{", "torn.json cannot be read"),
    ],
)
def test_what_is_no_schema_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str | None, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content, "utf-8")
    elif name == "empty":
        path.mkdir()
    assert main(["contracts", "diff", str(path), str(path)]) == 2
    assert words in capsys.readouterr().err


def test_saved_lines_are_judged_by_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        json.dumps(_EVENT),
        "Traceback (most recent call last):",
        json.dumps(_EVENT | {"action": "job_failed", "error_kind": "X"}),
        json.dumps({"event_name": "a.b.job.failed"}),
        "{}",
        json.dumps(_EVENT | {"ratio": float("nan")}),  # Python writes what no JSON is
        "",
    ]
    saved = tmp_path / "saved.jsonl"
    saved.write_text("\n".join(lines), "utf-8")
    project = tmp_path / "pyproject.toml"
    project.write_text("[tool.narration]\n", "utf-8")
    assert main(["contracts", "check", str(saved), "--project", str(project)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == (
        f"{saved}:3: job_failed: job_id is missing: expected the id, which every job_failed has "
        "[ids]"
    )
    assert any(
        line.startswith(f"{saved}:4: a.b.job.failed: occurred_at is missing") for line in told
    )
    assert told[-1] == "3 events, 2 outside of their contract, 3 lines that are no event"
    project.write_text('[tool.narration.contracts]\n"*job*failed" = false\n', "utf-8")
    saved.write_text("\n".join(lines[:3]), "utf-8")
    assert main(["contracts", "check", str(saved), "--project", str(project)]) == 0


def test_judging_nothing_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = tmp_path / "saved.txt"
    saved.write_text("no event\n", "utf-8")
    assert main(["contracts", "check", str(saved)]) == 2
    assert "nothing was judged" in capsys.readouterr().err
    assert main(["contracts", "check", str(tmp_path / "absent")]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err
