"""A told story -> the text of a Mermaid sequence diagram, for GitHub and GitLab to draw.

Whatever was narrated, the diagram is valid: text is escaped with Mermaid's entity codes
(https://mermaid.js.org/syntax/sequenceDiagram.html#entity-codes-to-escape-characters), and lanes
get identifiers of ours. Lines that users see on their stream are notes; an arrow from another
lane says which event was the cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..story import Item, Lane, Line, Loop, lines
from ..story.plain import times
from .text import cut, tidy

__all__ = ["mermaid"]

_LONGEST_TEXT = 90
_SAFE = frozenset(" .,:()[]{}_/+*=!?@&|'\"^~-…×→–“”`\\")
"""Beside letters and digits: what stands for itself in every place of a sequence diagram."""


def mermaid(
    items: Sequence[Item], lanes: Sequence[Lane], *, words: bool = True, most: int = 200
) -> str:
    """Return the diagram.

    :param words: whether sentences are shown; actors and actions alone otherwise.
    :param most: events drawn at most; what is left out is counted.
    """
    names = {lane.label: f"L{number}" for number, lane in enumerate(lanes, 1)}
    drawn = ["sequenceDiagram"]
    for label, name in names.items():
        drawn.append(f"    participant {name} as {_escaped(label)}")
    total = sum(1 for _ in lines(items))
    drawing = _Drawing(names, words, most)
    drawn += drawing.items(items, 1)
    if total > most and names:
        first, last = next(iter(names.values())), list(names.values())[-1]
        over = first if first == last else f"{first},{last}"
        drawn.append(f"    Note over {over}: … {total - most} more lines are not drawn")
    return "\n".join(drawn)


class _Drawing:
    def __init__(self, names: dict[str, str], words: bool, most: int) -> None:
        self._names = names
        self._words = words
        self._left = most

    def items(self, items: Sequence[Item], depth: int) -> Iterator[str]:
        for item in items:
            if not self._left:
                return
            pad = "    " * depth
            if isinstance(item, Line):
                self._left -= 1
                yield from (pad + statement for statement in self._line(item))
            elif isinstance(item, Loop):
                yield f"{pad}loop {times(item.times)}"
                yield from self.items(item.items, depth + 1)
                yield f"{pad}end"
            else:
                for number, branch in enumerate(item.branches):
                    if number and not self._left:
                        break
                    yield f"{pad}{'and' if number else 'par concurrently'}"
                    yield from self.items(branch, depth + 1)
                yield f"{pad}end"

    def _line(self, line: Line) -> Iterator[str]:
        lane = self._names[line.lane]
        caller = self._names.get(line.caller, lane)
        said = line.said if self._words else ""
        repeats = f" {times(line.times)}" if line.times != 1 else ""
        point = f"{line.actor} {line.action}".strip()
        is_bad = line.level in ("error", "fatal")
        arrow = "--x" if is_bad else "->>"
        if "sse" not in line.channels:
            yield f"{caller}{arrow}{lane}: {_escaped(said or point)}{repeats}"
            return
        if caller != lane or is_bad:
            yield f"{caller}{arrow}{lane}: {_escaped(point)}{repeats}"
            if said:
                yield f"Note over {lane}: {_escaped(said)}"
        else:
            yield f"Note over {lane}: {_escaped(said or point)}{repeats}"


def _escaped(text: str) -> str:
    text = cut(tidy(text), _LONGEST_TEXT)
    shown = "".join(
        c if c.isalnum() or c in _SAFE or ord(c) > 0x2000 else f"#{ord(c)};" for c in text
    )
    # Mermaid takes these words at the beginning of a text as instructions.
    for word in ("wrap:", "nowrap:"):
        if shown.startswith(word):
            shown = f"{word[:-1]}#58;{shown.removeprefix(word)}"
    # `end` alone closes a block, wherever it stands.
    words = ["#101;nd" if word.lower() == "end" else word for word in shown.split(" ")]
    return " ".join(words) or "-"
