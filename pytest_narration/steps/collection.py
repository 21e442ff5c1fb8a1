"""Feature files are tests by themselves: no Python file has to bind them.

A file that a module binds with ``scenarios()`` or ``@scenario`` is left to that module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pytest_bdd.exceptions import GherkinParseError, NoScenariosFound
from pytest_bdd.gherkin_parser import get_gherkin_document
from pytest_bdd.scenario import scenario_wrapper_template_registry

__all__ = ["FeatureFile", "pytest_collect_file", "pytest_collection_modifyitems"]


class FeatureFile(pytest.Module):
    """A feature file as the module that would bind it."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Return its scenarios.

        :raises CollectError: it is no Gherkin, or two scenarios have one name.
        """
        self.obj = self._module()
        if twice := [name for name, times in Counter(self._names()).items() if times > 1]:
            raise self.CollectError(
                f"{self.path}: two scenarios are named {twice[0]!r}, and only the last of them "
                "would run: give each a name of its own"
            )
        return super().collect()

    def _names(self) -> Iterator[str]:
        feature = get_gherkin_document(str(self.path)).feature
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
            exec("scenarios(path.name, features_base_dir=path.parent)", vars(module))  # noqa: S102  # a constant
        except NoScenariosFound:
            pass  # an empty feature has nothing to run
        except GherkinParseError as error:
            raise self.CollectError(str(error)) from error
        return module


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
