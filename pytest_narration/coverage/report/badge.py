"""Results -> an SVG badge with the share of points, in the flat style that people know."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ..gate import Judged
from ..results import Results

__all__ = ["render"]

_LABEL = "narration"
_LETTER = 7
"""Width of a letter of the badge's font, about."""

_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" \
aria-label="{label}: {text}">
<title>{label}: {text}</title>
<linearGradient id="s" x2="0" y2="100%"><stop offset="0" stop-color="#bbb" stop-opacity=".1"/>\
<stop offset="1" stop-opacity=".1"/></linearGradient>
<clipPath id="r"><rect width="{width}" height="20" rx="3" fill="#fff"/></clipPath>
<g clip-path="url(#r)">
<rect width="{left}" height="20" fill="#555"/>
<rect x="{left}" width="{right}" height="20" fill="{colour}"/>
<rect width="{width}" height="20" fill="url(#s)"/>
</g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" \
font-size="11">
<text x="{label_x}" y="14">{label}</text>
<text x="{text_x}" y="14">{text}</text>
</g>
</svg>
"""


def render(results: Results, gates: Sequence[Judged]) -> str:
    """Return the picture; red when a gate is missed, else coloured by the figure."""
    percent = results.total.percent
    # Whole percents, cut: the badge shows 100% only for all of them.
    text = "n/a" if percent is None else f"{int(percent)}%"
    left, right = len(_LABEL) * _LETTER + 10, len(text) * _LETTER + 12
    return _SVG.format(
        label=_LABEL,
        text=text,
        width=left + right,
        left=left,
        right=right,
        colour=_colour(percent, gates),
        label_x=left / 2,
        text_x=left + right / 2,
    )


def _colour(percent: Fraction | None, gates: Sequence[Judged]) -> str:
    if percent is None:
        return "#9f9f9f"
    if any(not judged.holds for judged in gates):
        return "#e05d44"
    for minimum, colour in ((95, "#4c1"), (90, "#97ca00"), (75, "#a4a61d"), (60, "#dfb317")):
        if percent >= minimum:
            return colour
    return "#fe7d37" if percent >= 40 else "#e05d44"
