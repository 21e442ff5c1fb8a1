"""Feature files are tests by themselves: no Python file has to bind them.

A file that a module binds with ``scenarios()`` or ``@scenario`` is left to that module.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pytest_bdd.exceptions import GherkinParseError, NoScenariosFound
from pytest_bdd.feature import get_feature
from pytest_bdd.gherkin_parser import get_gherkin_document
from pytest_bdd.scenario import scenario_wrapper_template_registry

_ENCODING = "utf-8-sig"
"""Editors of Windows begin a file with a byte order mark."""
_SMALL_KEYWORD = re.compile(r"\s*(given|when|then|and|but|scenario|feature|background|examples)\b")
_OUTSIDE = re.compile("Step definition outside|Unexpected token")

__all__ = ["FeatureFile", "pytest_collect_file", "pytest_collection_modifyitems"]


class FeatureFile(pytest.Module):
    """A feature file as the module that would bind it."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Return its scenarios.

        :raises CollectError: it is no Gherkin, or two scenarios have one name.
        """
        try:
            self.obj = self._module()
        except GherkinParseError as error:
            raise self.CollectError(f"{error}{_hint(error)}") from error
        except UnicodeDecodeError as error:
            raise self.CollectError(f"{self.path} is not encoded in UTF-8: {error}") from error
        if twice := [name for name, times in Counter(self._names()).items() if times > 1]:
            raise self.CollectError(
                f"{self.path}: two scenarios are named {twice[0]!r}, and only the last of them "
                "would run: give each a name of its own"
            )
        return super().collect()

    def _names(self) -> Iterator[str]:
        if self._is_empty():
            return
        feature = get_gherkin_document(str(self.path), _ENCODING).feature
        for child in feature.children:
            within = child.rule.children if child.rule else [child]
            yield from (inner.scenario.name for inner in within if inner.scenario)

    def _module(self) -> ModuleType:
        from pytest_bdd import scenarios

        module = ModuleType(self.path.stem)
        module.__file__ = str(self.path)
        vars(module).update(scenarios=scenarios, path=self.path)
        try:
            # It binds into the namespace that it is called from.
            if not self._is_empty():
                # scenarios() knows no encoding, and takes what is parsed already.
                get_feature(str(self.path.parent), self.path.name, encoding=_ENCODING)
                exec("scenarios(path.name, features_base_dir=path.parent)", vars(module))  # noqa: S102  # a constant
        except NoScenariosFound:
            pass  # a feature without a scenario has nothing to run
        return module

    def _is_empty(self) -> bool:
        """Whether it has nothing but comments, of which pytest-bdd makes nothing."""
        lines = self.path.read_text(_ENCODING).splitlines()
        return all(not line.strip() or line.strip().startswith("#") for line in lines)


def _hint(error: GherkinParseError) -> str:
    """Return what is probably wrong, for mistakes that the parser sees only the effects of."""
    before = Path(error.filename).read_text(_ENCODING).splitlines()[: error.line]
    for number, line in enumerate(before, start=1):
        if small := _SMALL_KEYWORD.match(line):
            return f"\nline {number} begins with {small[1]!r}: keywords begin with a capital"
    if "DocStringSeparator" in str(error):
        return '\nthe lines of a text stand between two lines of """; the second is missing'
    if _OUTSIDE.search(str(error)):
        return (
            "\na step begins with Given, When, Then, And, But or *, below a line Scenario: or "
            "Background:"
        )
    return ""


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> FeatureFile | None:
    """Collect feature files."""
    if file_path.suffix != ".feature":
        return None
    found: FeatureFile = FeatureFile.from_parent(parent, path=file_path)
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the features that modules bind to those modules."""
    bound = {path for item in items if _collector(item) is None for path in _features_of(item)}
    items[:] = [item for item in items if not _is_bound(item, bound)]


def _is_bound(item: pytest.Item, bound: set[str]) -> bool:
    collector = _collector(item)
    return collector is not None and str(collector.path) in bound


def _collector(item: pytest.Item) -> FeatureFile | None:
    found = item.getparent(pytest.Module)
    return found if isinstance(found, FeatureFile) else None


def _features_of(item: pytest.Item) -> Iterator[str]:
    function: Any = getattr(item, "function", None)
    try:
        template = scenario_wrapper_template_registry.get(function)
    except TypeError:
        return  # what takes no weak references is no scenario's function
    if template is not None:
        yield template.feature.filename
