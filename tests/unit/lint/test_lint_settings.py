"""What is linted, what is allowed, and what the command says and returns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_narration.cli import main
from pytest_narration.errors import ConfigurationError
from pytest_narration.lint import RULES, Settings, lint, settings_at

_ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose service prints twice and has folders that nobody lints."""
    for path, source in {
        "src/app/main.py": "def main():\n    print(1)\n\ndef other():\n    print(2)\n",
        "src/app/fine.py": "x = 1\n",
        "src/app/.hidden/a.py": "print(1)\n",
        "src/app/venv/b.py": "print(1)\n",
        "src/gen/made.py": "print(1)\n",
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _configure(project: Path, table: str) -> None:
    (project / "pyproject.toml").write_text(f"[tool.narration.lint]\n{table}\n", "utf-8")


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_the_command_names_file_line_rule_and_hint(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _configure(project, 'paths = ["src"]\nexclude = ["src/gen/*"]')
    assert main(["lint"]) == 1
    assert _lines(capsys) == [
        "src/app/main.py:2:5: no-print: print() prints",
        f"    hint: {RULES['no-print'].hint}",
        "src/app/main.py:5:5: no-print: print() prints",
        f"    hint: {RULES['no-print'].hint}",
        "2 files, 2 findings, 0 allowed with a reason",
    ]


def test_what_is_allowed_is_listed_with_its_reason_when_asked(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _configure(
        project,
        'paths = ["src/app"]\nallow = [{ rule = "no-print", path = "src/*", reason = "a script" }]',
    )
    assert main(["lint"]) == 0
    assert _lines(capsys) == ["2 files, 0 findings, 2 allowed with a reason"]
    assert main(["lint", "--allowed"]) == 0
    assert "    allowed: a script" in _lines(capsys)


def test_an_allowance_narrows_by_function(project: Path) -> None:
    allow = [{"rule": "no-print", "path": "src/app/main.py", "scope": "main", "reason": "r"}]
    linted = lint(Settings.of({"paths": ["src/app"], "allow": allow}, project))
    assert [f.scope for f in linted.findings] == ["other"]
    assert [(f.scope, why) for f, why in linted.allowed] == [("main", "r")]


def test_an_allowance_that_allows_nothing_is_found_when_all_is_linted(project: Path) -> None:
    allow = [{"rule": "no-otel", "path": "src/app/fine.py", "scope": "f", "reason": "r"}]
    settings = Settings.of({"paths": ["src/app/fine.py"], "allow": allow}, project)
    (finding,) = lint(settings).findings
    assert finding.message == "no-otel at src/app/fine.py in f is allowed and is not there"
    assert lint(settings, [project / "src/app/fine.py"]).findings == ()


def test_files_that_a_hook_names_are_judged_unless_excluded(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _configure(project, 'paths = ["src"]\nexclude = ["src/gen/*"]')
    assert main(["lint", "src/gen/made.py", "src/app/fine.py"]) == 0
    assert _lines(capsys) == ["1 files, 0 findings, 0 allowed with a reason"]
    assert main(["lint", "src/gen/made.py"]) == 0, "a hook may name excluded files only"
    assert main(["lint", "src/app/main.py"]) == 1


def test_a_file_that_is_no_python_is_found(project: Path) -> None:
    (project / "src/app/fine.py").write_text("def f(:\n", "utf-8")
    (project / "src/app/latin.py").write_bytes(b"x = '\xe4'\n")
    found = lint(Settings.of({"paths": ["src/app"]}, project)).findings
    told = [str(finding) for finding in found if finding.rule == "unreadable"]
    assert told[0].startswith("src/app/fine.py:1:7: unreadable: it is not Python")
    assert told[1].startswith("src/app/latin.py:1:1: unreadable: it cannot be read")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"path": []}, "has no key 'path'; keys are: paths, exclude, allow"),
        ({"paths": "src"}, "paths must be a list of texts"),
        ({"paths": ["absent"]}, "there is no file or folder .*absent"),
        ({"allow": ["no-print"]}, "allow must be a list of tables"),
        ({"allow": [{"rule": "no-print", "path": "a"}]}, "needs a reason"),
        ({"allow": [{"rule": "no-print", "path": "a", "reason": " "}]}, "needs a reason"),
        (
            {"allow": [{"rule": "no-print", "path": "a", "reason": "b", "line": 1}]},
            "no field 'line'",
        ),
        ({"allow": [{"rule": "print", "path": "a", "reason": "b"}]}, "rules are: no-print, no-log"),
        (
            {"allow": [{"rule": "unused-allowance", "path": "a", "reason": "b"}]},
            "no lint rule is named 'unused-allowance'",
        ),
        ([], "must be a table"),
    ],
)
def test_a_wrong_table_is_refused(project: Path, table: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Settings.of(table, project)


def test_nothing_to_lint_is_an_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "pyproject.toml").write_text("[tool.narration]\n", "utf-8")
    assert main(["lint"]) == 2
    assert "nothing to lint: name files or folders" in capsys.readouterr().err
    assert main(["lint", "absent"]) == 2
    (project / "empty").mkdir()
    _configure(project, 'paths = ["empty"]')
    assert main(["lint"]) == 2
    assert "there is no Python to lint" in capsys.readouterr().err


def test_the_rules_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--rules"]) == 0
    told = capsys.readouterr().out
    assert all(f"{rule.id}: {rule.title}" in told for rule in RULES.values())


def test_our_own_harness_narrates_through_the_facade_only() -> None:
    linted = lint(settings_at(_ROOT))
    assert [str(finding) for finding in linted.findings] == []
    assert len(linted.files) > 50


def test_the_page_names_every_rule() -> None:
    page = (_ROOT / "docs" / "lint.md").read_text("utf-8")
    assert [rule for rule in RULES if f"| `{rule}` |" not in page] == []


def test_the_hook_runs_the_command() -> None:
    hook = (_ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
    assert "id: narration-lint" in hook
    assert "entry: narration lint" in hook
