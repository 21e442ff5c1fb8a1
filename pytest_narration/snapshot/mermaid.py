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
_LONGEST_DIAGRAM = 40_000
"""Characters: Mermaid refuses a diagram of more than 50,000 (``maxTextSize``)."""
_SAFE = frozenset(" .,:()[]{}_/+*=!?@&|'\"^~-…×→–“”`\\")
"""Beside letters and digits: what stands for itself in every place of a sequence diagram."""


def mermaid(
    items: Sequence[Item], lanes: Sequence[Lane], *, words: bool = True, most: int = 200
) -> str:
    """Return the diagram.

    :param words: whether sentences are shown; actors and actions alone otherwise.
    :param most: events drawn at most; what is left out is counted.
    """
    drawing = _Drawing({lane.label: f"L{number}" for number, lane in enumerate(lanes, 1)}, words)
    statements = list(drawing.items(items, 1, most))
    drawn = ["sequenceDiagram"]
    named = [lane.label for lane in lanes if lane.label in drawing.lanes]
    drawn += [_participant(drawing.names[label], label) for label in named]
    drawn += statements
    left = sum(1 for _ in lines(items)) - drawing.count
    if left and named:
        ends = dict.fromkeys((drawing.names[named[0]], drawing.names[named[-1]]))
        drawn.append(f"    Note over {','.join(ends)}: … {left} more lines are not drawn")
    return "\n".join(drawn)


def _participant(name: str, label: str) -> str:
    return f"    participant {name} as {_escaped(label)}"


class _Drawing:
    """The statements of a diagram, and what they are about."""

    def __init__(self, names: dict[str, str], words: bool) -> None:
        self.names = names
        self.lanes: set[str] = set()
        """The labels of those that are drawn."""
        self.count = 0
        """Lines drawn so far."""
        self._words = words
        self._size = 0

    def items(self, items: Sequence[Item], depth: int, most: int) -> Iterator[str]:
        for item in items:
            if self._is_full(most):
                return
            pad = "    " * depth
            if isinstance(item, Line):
                self.count += 1
                self._take(item.lane)
                self._take(item.caller or item.lane)
                for statement in self._line(item):
                    self._size += len(pad) + len(statement) + 1
                    yield pad + statement
            elif isinstance(item, Loop):
                yield f"{pad}loop {times(item.times)}"
                yield from self.items(item.items, depth + 1, most)
                yield f"{pad}end"
            else:
                for number, branch in enumerate(item.branches):
                    if number and self._is_full(most):
                        break
                    yield f"{pad}{'and' if number else 'par concurrently'}"
                    yield from self.items(branch, depth + 1, most)
                yield f"{pad}end"

    def _take(self, lane: str) -> None:
        if lane not in self.lanes:
            self.lanes.add(lane)
            self._size += len(_participant(self.names[lane], lane))

    def _is_full(self, most: int) -> bool:
        return self.count >= most or self._size >= _LONGEST_DIAGRAM

    def _line(self, line: Line) -> Iterator[str]:
        lane = self.names[line.lane]
        caller = self.names.get(line.caller, lane)
        said = tidy(line.said) if self._words else ""
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
    words = [
        f"#{ord(word[0])};{word[1:]}" if word.lower() == "end" else word
        for word in shown.split(" ")
    ]
    return " ".join(words) or "-"
