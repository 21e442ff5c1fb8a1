"""``assert story == story_snapshot``: compares, writes when told to, and says what changed."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec
import pytest
from syrupy.assertion import AssertionResult, SnapshotAssertion

from ..errors import ConfigurationError, StoryChanged
from ..story import MODES, Mode, Only, Redact, Redactions, Story
from .differences import differences, short_diff
from .document import LEVELS, Form, Level, Manner, document
from .extension import MarkdownStories, TextStories, settings_of
from .gherkin import scenario_of
from .pending import settle, store
from .text import tidy

__all__ = ["StorySnapshot"]

_SHOWN = 30
_EXTENSIONS = {"markdown": MarkdownStories, "text": TextStories}


class _Options(msgspec.Struct, frozen=True, kw_only=True):
    name: str | None = None
    title: str | None = None
    level: Level = "full"
    mode: Mode | None = None
    form: Form = "markdown"
    redactions: Redactions = Redactions()
    only: Only | None = None
    without: Only | None = None
    actions: Collection[str] | None = None
    counted: bool | None = None


class StorySnapshot:
    """The fixture ``story_snapshot``: equals a story that is told as it was approved.

    Calling it returns one with other options::

        assert story == story_snapshot(actions={"tokenize", "cache_reset"}, level="structure")
    """

    __hash__ = None  # type: ignore[assignment]  # equality has a memory: it counts comparisons

    def __init__(self, assertion: SnapshotAssertion, item: pytest.Item) -> None:
        settings = settings_of(item.config)
        self._item = item
        self._options = _Options(
            level=settings.level, mode=settings.mode, redactions=settings.redactions
        )
        self._plain = assertion
        self._assertions: dict[str, SnapshotAssertion] = {}
        self._results: list[AssertionResult] = []
        self._emptiness = ""
        """Why the latest story has nothing to compare, empty otherwise."""

    def __call__(
        self,
        *,
        name: str | None = None,
        redact: Redact = (),
        only: Only | None = None,
        without: Only | None = None,
        actions: Collection[str] | None = None,
        level: Level | None = None,
        mode: Mode | None = None,
        form: Form | None = None,
        counted: bool | None = None,
        title: str | None = None,
    ) -> StorySnapshot:
        """Return the same snapshot with other options; what is not given stays.

        :param name: tells several stories of one test apart, in the file's name too.
        :param redact: more to show by name: fields, patterns, or ``{name: pattern}``.
        :param only: the events that are compared, as columns and values or a function.
        :param without: events that are not compared.
        :param actions: the actions that are compared.
        :param level: ``structure``, ``text`` or ``full``.
        :param mode: ``human``, ``cute`` or ``story``: which sentences are written down.
        :param form: ``markdown`` or ``text``.
        :param counted: ``False`` compares that something repeats, not how often.
        :param title: the document's; the scenario's or the test's name by default.
        :raises ConfigurationError: a value is none of the choices.
        """
        _one_of("level", level, LEVELS)
        _one_of("mode", mode, MODES)
        _one_of("form", form, tuple(_EXTENSIONS))
        if isinstance(actions, str):
            raise ConfigurationError(
                f"actions={actions!r}: expected a set, such as {{{actions!r}}}"
            )
        given = {
            "name": name, "only": only, "without": without, "actions": actions, "level": level,
            "mode": mode, "form": form, "counted": counted, "title": title,
        }  # fmt: skip
        changed = {option: value for option, value in given.items() if value is not None}
        redactions = self._options.redactions | Redactions.of(redact)
        other = StorySnapshot.__new__(StorySnapshot)
        other.__dict__ |= self.__dict__
        other._options = msgspec.structs.replace(
            self._options, **(changed | {"redactions": redactions})
        )
        return other

    def __eq__(self, story: object) -> bool:
        if not isinstance(story, Story):
            return NotImplemented
        told = self._told(story)
        self._emptiness = "" if len(told) else _emptiness(story)
        if self._emptiness:
            return False  # also with --snapshot-update: an empty story would be met for ever
        text = self._written(told)
        assertion = self._assertion()
        if self._options.name is not None:
            assertion = assertion(name=self._options.name)
        is_same = bool(assertion == text)
        result = list(assertion.executions.values())[-1]
        self._results.append(result)
        approved = Path(result.snapshot_location)
        if is_same:
            settle(self._item.config.rootpath, approved)
        elif result.exception is None:
            store(self._item.config.rootpath, approved, text)
        return is_same

    def assert_match(self, story: Story) -> None:
        """Compare where pytest does not rewrite ``assert``, such as in a library of steps.

        :raises StoryChanged: the story is not as approved.
        """
        __tracebackhide__ = True
        if not self == story:
            raise StoryChanged("\n".join(self.explanation()))

    def explanation(self) -> list[str]:
        """Say in words why the latest comparison failed."""
        if self._emptiness:
            return [self._emptiness]
        if not self._results or self._results[-1].success:
            return []
        result = self._results[-1]
        where = _short(Path(result.snapshot_location), self._item.config.rootpath)
        if result.exception is not None:
            error = result.exception
            return [f"the story cannot be compared with {where}: {type(error).__name__}: {error}"]
        received = str(result.asserted_data)
        if result.recalled_data is None:
            told = [line for line in received.splitlines() if line.startswith("| ")][2:]
            more = [f"… {len(told) - _SHOWN} more lines"] if len(told) > _SHOWN else []
            return [
                # pytest cuts what follows after a few lines: what to do comes first.
                f"nobody approved this story yet: there is no {where}",
                "approve it with `narration review`, or run pytest with --snapshot-update",
                *told[:_SHOWN],
                *more,
            ]
        approved = str(result.recalled_data)
        return [
            f"the story is not as approved in {where}",
            "if that is right: `narration review`, or run pytest with --snapshot-update",
            *(f"  {words}" for words in differences(approved, received)),
            "",
            *short_diff(approved, received),
        ]

    def _told(self, story: Story) -> Story:
        options = self._options
        return story.retold(
            mode=options.mode,
            redact=options.redactions,
            only=options.only,
            without=options.without,
            actions=options.actions,
            counted=options.counted,
        )

    def _written(self, told: Story) -> str:
        options = self._options
        scenario = scenario_of(self._item)
        title = options.title or (scenario.name if scenario else _title(self._item.name))
        if options.name is not None and options.title is None:
            title = f"{title}: {options.name}"
        text = scenario.text if scenario else ""
        return document(
            told, Manner(level=options.level, form=options.form, title=title, scenario=text)
        )

    def _assertion(self) -> Any:
        form = self._options.form
        if form not in self._assertions:
            self._assertions[form] = self._plain.use_extension(_EXTENSIONS[form])
        return self._assertions[form]

    def __repr__(self) -> str:
        return "the approved story"


def _emptiness(story: Story) -> str:
    if not len(story):
        return (
            "the story has no event: nothing was seen under its correlation id. Is the id right? "
            "Did the test ask for `narration` before that was told, and wait (narration.settle())?"
        )
    return f"only=, without= and actions= leave nothing of the story's {len(story)} events"


def _one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise ConfigurationError(f"{name}={value!r}: choose one of {', '.join(choices)}")


def _title(name: str) -> str:
    """Return a test's name as a heading: ``test_happy_job[cpu]`` -> ``Happy job, cpu``."""
    plain, _, parameters = name.partition("[")
    words = re.sub(r"_+", " ", plain.removeprefix("test_")).strip()
    more = f", {parameters.removesuffix(']')}" if parameters else ""
    return tidy(f"{words[:1].upper()}{words[1:]}{more}")


def _short(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
