"""An approved document -> its rows, so that a changed story can be told in words."""

from __future__ import annotations

import re

import msgspec

from .document import MARK
from .text import uncell

__all__ = ["Reading", "SaidRow", "is_story", "read"]

_ACTION = re.compile(
    r"(?:(?P<actor>.*?) )?(?<!\\)`(?P<action>[^`]*)`(?: ×(?P<times>\S+))?(?: \((?P<level>\w+)\))?"
)
_BARS = re.compile(r"[│┌├└ ]*")


class SaidRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a table."""

    lane: str
    actor: str
    action: str
    said: str = ""
    channel: str = ""
    job: str = ""
    level: str = "info"
    times: str = "1"
    bars: str = ""
    """The blocks around it."""
    raw: str = ""

    @property
    def point(self) -> tuple[str, str, str]:
        """Who did what."""
        return self.lane, self.actor, self.action


class Reading(msgspec.Struct, frozen=True):
    """What an approved document says."""

    title: str
    rows: tuple[SaidRow, ...]
    table: tuple[str, ...]
    """The table's lines with its blocks, without its head."""
    scenario: str
    jobs: tuple[str, ...]
    problems: tuple[str, ...]
    diagram: str
    level: str


def is_story(text: str) -> bool:
    """Return whether a document is an approved story."""
    return text.startswith(MARK)


def read(text: str) -> Reading:
    """Take a Markdown document apart; what is not in it is empty."""
    level = re.match(rf"{re.escape(MARK)}, (\w+) -->", text)
    title = re.search(r"^# (.*)$", text, re.MULTILINE)
    table = [line for line in _unfenced(text) if line.startswith("| ")]
    head = [uncell(cell) for cell in _cells(table[0])] if table else []
    body = table[2:]
    rows = [row for line in body if (row := _row(line, head)) is not None]
    return Reading(
        title=uncell(title[1]) if title else "",
        rows=tuple(rows),
        table=tuple(body),
        scenario=_fenced(text, "gherkin"),
        jobs=_list(text, "Jobs"),
        problems=_list(text, "Problems"),
        diagram=_fenced(text, "mermaid"),
        level=level[1] if level else "",
    )


def _unfenced(text: str) -> list[str]:
    kept: list[str] = []
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced:
            kept.append(line)
    return kept


def _fenced(text: str, language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def _list(text: str, title: str) -> tuple[str, ...]:
    lines = _unfenced(text)
    if f"**{title}**" not in lines:
        return ()
    found: list[str] = []
    for line in lines[lines.index(f"**{title}**") + 2 :]:
        if not line.startswith("- "):
            break
        found.append(uncell(line[2:]))
    return tuple(found)


def _cells(line: str) -> list[str]:
    """Split a row at the bars that are not escaped."""
    return re.split(r"(?<!\\)\|", line.strip())[1:-1]


def _row(line: str, head: list[str]) -> SaidRow | None:
    cells = dict(zip(head, _cells(line), strict=False))
    found = _ACTION.fullmatch(cells.get("action", "").strip())
    if found is None:
        return None
    lane = cells.get("lane", "").strip()
    bars = _BARS.match(lane)
    assert bars is not None, "the pattern matches nothing at all, too"
    return SaidRow(
        lane=uncell(lane[bars.end() :]),
        actor=uncell(found["actor"] or ""),
        action=found["action"].replace("\\|", "|"),
        said=uncell(cells.get("said", "")),
        channel=cells.get("channel", "").strip(),
        job=uncell(cells.get("job", "")),
        level=found["level"] or "info",
        times=found["times"] or "1",
        bars=bars[0],
        raw=line,
    )
