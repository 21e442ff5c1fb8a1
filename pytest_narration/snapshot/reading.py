"""An approved document -> its rows, so that a changed story can be told in words."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from .document import MARK, TEXT_MARK
from .text import uncell

__all__ = ["Reading", "SaidRow", "is_story", "read"]

_ACTION = re.compile(
    r"(?:(?P<actor>.*?) )?(?<!\\)`(?P<action>[^`]*)`(?: ×(?P<times>\S+))?(?: \((?P<level>\w+)\))?"
)
_CHANNELS = re.compile(r"stdout|sse|stdout \+ sse|—")
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
    return text.startswith((MARK, TEXT_MARK))


def read(text: str) -> Reading:
    """Take a document apart; what is not in it is empty."""
    return _read_text(text) if text.startswith(TEXT_MARK) else _read_markdown(text)


def _read_text(text: str) -> Reading:
    mark, *told = text.splitlines()
    title = told.pop(0).removeprefix("# ") if told else ""
    body = [line for line in told if not line.startswith(("#   ", "- ", "! "))]
    rows = [row for line in body if (row := _row(line, _plain_cells(line), str)) is not None]
    return Reading(
        title=title,
        rows=tuple(rows),
        table=tuple(body),
        scenario="\n".join(line[4:] for line in told if line.startswith("#   ")),
        jobs=tuple(line[2:] for line in told if line.startswith("- ")),
        problems=tuple(line[2:] for line in told if line.startswith("! ")),
        diagram="",
        level=mark.rpartition(", ")[2],
    )


def _plain_cells(line: str) -> dict[str, str]:
    """Name the parts of a plain row, which leaves out what is empty."""
    lane, action, *rest = [*line.split("  "), ""][: max(2, line.count("  ") + 1)]
    # A job stands behind the channels, a sentence before them.
    job = rest.pop() if len(rest) > 1 and not _CHANNELS.fullmatch(rest[-1]) else ""
    channel = rest.pop() if rest else ""
    return {"lane": lane, "action": action, "said": "  ".join(rest), "channel": channel, "job": job}


def _read_markdown(text: str) -> Reading:
    level = re.match(rf"{re.escape(MARK)}, (\w+) -->", text)
    title = re.search(r"^# (.*)$", text, re.MULTILINE)
    table = [line for line in _unfenced(text) if line.startswith("| ")]
    head = [uncell(cell) for cell in _cells(table[0])] if table else []
    body = table[2:]
    cells = [dict(zip(head, _cells(line), strict=False)) for line in body]
    rows = [row for line, of in zip(body, cells, strict=True) if (row := _row(line, of, uncell))]
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


def _row(line: str, cells: dict[str, str], unescaped: Callable[[str], str]) -> SaidRow | None:
    found = _ACTION.fullmatch(cells.get("action", "").strip())
    if found is None:
        return None
    lane = cells.get("lane", "").strip()
    bars = _BARS.match(lane)
    assert bars is not None, "the pattern matches nothing at all, too"
    return SaidRow(
        lane=unescaped(lane[bars.end() :]),
        actor=unescaped(found["actor"] or ""),
        action=found["action"].replace("\\|", "|"),
        said=unescaped(cells.get("said", "")),
        channel=cells.get("channel", "").strip(),
        job=unescaped(cells.get("job", "")),
        level=found["level"] or "info",
        times=found["times"] or "1",
        bars=bars[0],
        raw=line,
    )
