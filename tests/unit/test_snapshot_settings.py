"""`[tool.narration.stories]`: what it sets, and what it says when it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_narration.errors import ConfigurationError
from pytest_narration.snapshot import StorySettings


def test_a_project_without_a_table_has_the_usual_settings(tmp_path: Path) -> None:
    assert StorySettings.load(tmp_path) == StorySettings()


def test_a_table_sets_folder_level_mode_and_redactions(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.narration.stories]\nfolder = 'stories'\nlevel = 'text'\nmode = 'cute'\n"
        "redact = ['seat']\npatterns = { order = 'O-[0-9]+' }\n"
    )
    settings = StorySettings.load(tmp_path)
    assert (settings.folder, settings.level, settings.mode) == ("stories", "text", "cute")
    assert settings.redactions.fields == {"seat"}
    assert settings.redactions.spans("see O-17") == [(4, 8, "order")]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"levels": 1}, "has no 'levels'; it has: folder, level, mode, patterns, redact"),
        ({"level": "high"}, "choose one of structure, text, full"),
        ({"mode": "sad"}, "choose one of human, cute, story"),
        ({"redact": "port"}, "expected a list"),
        ({"redact": [1]}, "expected a list"),
        ({"patterns": []}, "expected a table"),
        ({"patterns": {"x": "("}}, "pattern 'x'"),
        ({"folder": "/etc"}, "inside of the project"),
        ({"folder": "../up"}, "inside of the project"),
    ],
)
def test_a_wrong_table_is_refused_with_the_choices(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        StorySettings.of(table)


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool")
    with pytest.raises(ConfigurationError, match=r"pyproject\.toml"):
        StorySettings.load(tmp_path)
