"""Attempts in any order -> features, their scenarios and what they came to, always in one order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gherkin.ast_builder import AstBuilder
from gherkin.errors import CompositeParserException
from gherkin.parser import Parser
from gherkin.pickles.compiler import Compiler
from gherkin.stream.id_generator import IdGenerator

from ..errors import ConfigurationError
from .attempt import Attempt, Unread

__all__ = ["Broken", "Feature", "Pickled", "Run"]


@dataclass
class Pickled:
    """One scenario, or one row of an outline, with each test that ran it."""

    pickle: dict[str, Any]
    tests: dict[str, list[Attempt]]
    """``{node id: attempts, first to last}``"""


@dataclass
class Feature:
    """One feature file of which a scenario ran."""

    uri: str
    text: str
    document: dict[str, Any]
    """The syntax tree, as Cucumber's parser makes it."""
    pickled: list[Pickled]


@dataclass
class Broken:
    """One feature file that could not be read."""

    uri: str
    text: str
    errors: list[tuple[str, dict[str, Any] | None]]
    """``[(what is wrong, its location in the file when known), …]``"""


@dataclass
class Run:
    """All attempts of a run, in an order that does not depend on who ran what when.

    :raises OSError: a feature file is gone.
    :raises ConfigurationError: it is no longer the one that ran.
    """

    attempts: list[Attempt]
    started: float
    finished: float
    success: bool
    """Whether every test passed, those that are no scenarios included."""
    version: str
    unread: list[Unread] = field(default_factory=list)
    new_id: IdGenerator = field(default_factory=IdGenerator)
    features: list[Feature] = field(init=False)
    broken: list[Broken] = field(init=False)

    def __post_init__(self) -> None:
        by_uri: dict[str, list[Attempt]] = {}
        for attempt in sorted(self.attempts, key=_order):
            by_uri.setdefault(attempt.uri, []).append(attempt)
        self.features = [self._feature(uri, ran) for uri, ran in by_uri.items()]
        files = {file.uri: file for file in self.unread if file.uri not in by_uri}
        self.broken = [_broken(files[uri]) for uri in sorted(files)]

    def _feature(self, uri: str, ran: list[Attempt]) -> Feature:
        text = _text(ran[0].path)
        try:
            document: Any = Parser(AstBuilder(self.new_id)).parse(text)
        except CompositeParserException as error:
            raise _changed(uri) from error
        document = {**document, "uri": uri}
        pickles: Any = Compiler(self.new_id).compile(document)
        places = dict(_places(document, pickles))
        pickled: dict[str, Pickled] = {}
        for attempt in ran:
            pickle = places.get((attempt.line, attempt.row))
            if pickle is None or len(pickle["steps"]) != len(attempt.steps):
                raise _changed(uri)
            found = pickled.setdefault(pickle["id"], Pickled(pickle, {}))
            found.tests.setdefault(attempt.nodeid, []).append(attempt)
        return Feature(uri, text, document, list(pickled.values()))


def _text(path: str) -> str:
    # Line ends as pytest-bdd reads them.
    return Path(path).read_text(encoding="utf-8-sig", errors="replace")


def _broken(file: Unread) -> Broken:
    """Return what Cucumber's parser finds, else what pytest was told."""
    text = _text(file.path)
    try:
        Parser(AstBuilder(IdGenerator())).parse(text)
    except CompositeParserException as error:
        return Broken(file.uri, text, [(str(one), dict(one.location)) for one in error.errors])
    return Broken(file.uri, text, [(file.message, None)])


def _changed(uri: str) -> ConfigurationError:
    return ConfigurationError(f"{uri} changed while its scenarios ran: run them again")


def _order(attempt: Attempt) -> tuple[object, ...]:
    row = -1 if attempt.row is None else attempt.row
    return attempt.uri, attempt.line, row, attempt.nodeid, attempt.started


def scenarios(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the scenarios of a syntax tree, those within rules included."""
    for child in document["feature"]["children"]:
        within: Iterable[dict[str, Any]] = child["rule"]["children"] if "rule" in child else [child]
        yield from (inner["scenario"] for inner in within if "scenario" in inner)


def _places(
    document: dict[str, Any], pickles: list[dict[str, Any]]
) -> Iterator[tuple[tuple[int, int | None], dict[str, Any]]]:
    """Yield ``((line, row), pickle)``."""
    by_node = {tuple(pickle["astNodeIds"]): pickle for pickle in pickles}
    for scenario in scenarios(document):
        line = scenario["location"]["line"]
        rows = [row["id"] for table in scenario["examples"] for row in table["tableBody"]]
        nodes: list[tuple[int | None, tuple[str, ...]]] = [
            (number, (scenario["id"], row)) for number, row in enumerate(rows)
        ]
        for row, node in nodes or [(None, (scenario["id"],))]:
            if node in by_node:
                yield (line, row), by_node[node]
