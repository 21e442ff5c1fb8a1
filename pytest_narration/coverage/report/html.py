"""Results -> one HTML page without outside files: figures, then each point with its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

from ..gate import Figure, Judged
from ..results import ChannelSeen, GroupResult, PointResult, Results
from .term import figures_text, hardware_note, no_events_text, place

__all__ = ["render"]

_STATES = ("covered", "partial", "missed", "excluded")
_TESTS_SHOWN = 50


def render(results: Results, gates: Sequence[Judged]) -> str:
    """Return the page's text."""
    page = resources.files(__package__).joinpath("page.html").read_text("utf-8")
    name = escape(results.catalog.name or "narration")
    parts = {
        "title": f"Narration coverage: {name}",
        "total": str(results.total),
        "counted": f"{results.total.covered} of {results.total.total} points",
        "bar": _bar(results.total),
        "gates": "".join(_gate(judged) for judged in gates),
        "notes": _notes(results),
        "filters": "".join(_filter(state, results.points) for state in _STATES),
        "groups": "".join(_group(group) for group in results.groups),
        "rest": _rest(results),
    }
    for key, text in parts.items():
        page = page.replace(f"<!--{key}-->", text)
    return page


def _gate(judged: Judged) -> str:
    state = "good" if judged.holds else "bad"
    return f'<p class="gate {state}">{escape(str(judged))}</p>'


def _notes(results: Results) -> str:
    lines = figures_text(results)
    if note := hardware_note(results):
        lines.append(note)
    if not results.has_events:
        lines += no_events_text(results)
    items = (line.partition(":") for line in lines)
    return "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(rest.strip())}</dd>" for name, _, rest in items
    )


def _filter(state: str, points: Iterable[PointResult]) -> str:
    count = sum(point.state == state for point in points)
    return (
        f'<label class="{state}"><input type="checkbox" data-state="{state}" checked> '
        f"{state} <b>{count}</b></label>"
    )


def _group(group: GroupResult) -> str:
    points = "".join(_point(point) for point in group.points)
    figure = group.figure
    return (
        f"<section class=group><h2>{escape(group.group.title)} "
        f"<small>service {escape(group.group.service)}</small>"
        f"<span class=figure>{figure.covered}/{figure.total} {figure}</span></h2>"
        f"{_bar(figure)}{points}</section>"
    )


def _point(result: PointResult) -> str:
    point = result.point
    channels = "".join(_chip(channel, result.seen.get(channel)) for channel in point.channels)
    facts = [
        ("Why", escape(result.why)),
        ("Call site", f"<code>{escape(place(result))}</code>"),
        ("Declared", f"<code>{escape(point.where)}</code>"),
        ("Reached by", escape(point.reach)),
        ("Level", escape(point.level)),
        ("Needs", escape(point.requires or "")),
        ("Required ids", escape(", ".join(point.ids))),
    ]
    details = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts if text)
    ids = "with all ids" if point.ids else "seen"
    seen = "".join(_seen(channel, seen, ids) for channel, seen in result.seen.items())
    # What is missing is what the page is read for.
    is_open = " open" if result.state == "partial" else ""
    return (
        f'<details class="point {result.state}" data-state="{result.state}"{is_open}>'
        f"<summary><span class=state>{result.state}</span>"
        f"<span class=text>{escape(point.text)}</span>"
        f"<span class=who>{escape(point.id)}</span>{channels}</summary>"
        f"<dl>{details}</dl>{seen or '<p class=none>Never seen on any channel.</p>'}</details>"
    )


def _chip(channel: str, seen: ChannelSeen | None) -> str:
    state = "no" if seen is None else "yes" if seen.complete else "half"
    words = {"no": "never seen", "half": "seen without its ids", "yes": "seen"}[state]
    told = f"{words} on {escape(channel)}"
    return (
        f'<span class="chip {state}" role="img" aria-label="{told}" title="{told}">'
        f"{escape(channel)}</span>"
    )


def _seen(channel: str, seen: ChannelSeen, complete: str) -> str:
    first = seen.evidence
    quote = ""
    if first is not None:
        said = " · ".join(filter(None, (first.timestamp, first.source, first.event_id)))
        quote = f"<blockquote>{escape(first.human)}<footer>{escape(said)}</footer></blockquote>"
    tests = _tests(complete, seen.complete)
    for missing, contexts in sorted(seen.incomplete.items()):
        tests += _tests(f"without {', '.join(missing)}", contexts)
    return f"<div class=seen><h3>{escape(channel)}</h3>{quote}{tests}</div>"


def _tests(title: str, contexts: Iterable[str]) -> str:
    names = sorted(contexts)
    if not names:
        return ""
    shown = "".join(f"<li><code>{escape(name)}</code></li>" for name in names[:_TESTS_SHOWN])
    if len(names) > _TESTS_SHOWN:
        shown += f"<li>… and {len(names) - _TESTS_SHOWN} more</li>"
    tests = f"{len(names)} test{'s' if len(names) > 1 else ''}"
    return f"<p>{escape(title)} in {tests}</p><ul>{shown}</ul>"


def _rest(results: Results) -> str:
    parts = ""
    hops = "".join(
        f'<li class="{"yes" if seen else "no"}">{escape(hop.source)} → {escape(hop.target)}'
        f"{'' if seen else ': never crossed'}</li>"
        for hop, seen in results.hops.items()
    )
    hops += "".join(
        f"<li>{escape(hop.source)} → {escape(hop.target)}: crossed, but in no catalog</li>"
        for hop in results.undeclared_hops
    )
    if hops:
        parts += f"<section><h2>Hops</h2><ul>{hops}</ul></section>"
    rows = "".join(
        f"<tr><td>{escape(s.service)}</td><td>{escape(s.actor)} {escape(s.action)}</td>"
        f"<td>{escape(s.text)}</td><td>{escape('+'.join(sorted(channels)))}</td></tr>"
        for s, channels in results.undeclared
    )
    if rows:
        parts += (
            "<section><h2>Undeclared</h2><p>Seen, but no point of the catalog declares it.</p>"
            "<table><tr><th>Service<th>Who does what<th>Text<th>Channels</tr>"
            f"{rows}</table></section>"
        )
    return parts


def _bar(figure: Figure) -> str:
    percent = figure.percent
    width = 0 if percent is None else float(percent)
    return f'<div class=bar><div style="width:{width:.4f}%"></div></div>'
