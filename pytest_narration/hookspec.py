"""Hooks that a project's conftest or another plugin may implement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .formats import Format
    from .rules import Rule

__all__ = ["pytest_narration_formats", "pytest_narration_rules"]


@pytest.hookspec
def pytest_narration_formats(  # type: ignore[empty-body]  # a specification has no body
    config: pytest.Config,
) -> Iterable[Format | type[Format]]:
    """Return log formats of one's own, subclasses of :class:`pytest_narration.formats.Format`.

    Sources read them beside the formats that are built in or registered. Called once, when first
    needed.
    """


@pytest.hookspec
def pytest_narration_rules(config: pytest.Config) -> Iterable[Rule]:  # type: ignore[empty-body]  # a specification has no body
    """Return rules of one's own, made with :func:`pytest_narration.rules.rule`.

    They are judged beside the package's own by ``narration.check()``, by the marker and by
    ``--narration-strict``, and may be named by id. Called once, when first needed.
    """
