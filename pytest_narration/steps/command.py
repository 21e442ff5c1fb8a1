"""``narration steps``: list the phrases, explain a step, or make the page of the documentation."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

__all__ = ["configure", "run"]


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "word", nargs="*", metavar="WORD", help="show only phrases that have all of these words"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--markdown", action="store_true", help="print the page docs/steps.md")
    what.add_argument(
        "--match", metavar="STEP", help="say which phrase a step is, or what is wrong with it"
    )


def run(arguments: Namespace) -> int:
    """Do what was asked; return 1 when nothing was found."""
    from .listing import all_phrases, as_markdown, as_text

    found = all_phrases()
    if arguments.match is not None:
        return _match(arguments.match)
    if arguments.markdown:
        sys.stdout.write(as_markdown(found))
        return 0
    words = [word.lower() for word in arguments.word]
    shown = [p for p in found if all(w in f"{p.text} {p.about} {p.example}".lower() for w in words)]
    if not shown:
        sys.stdout.write(f"no phrase has the words {' '.join(arguments.word)}\n")
        return 1
    sys.stdout.write(as_text(shown))
    return 0


def _match(step: str) -> int:
    from .listing import all_phrases, as_text
    from .suggestions import suggestion

    keyword, _, rest = step.strip().partition(" ")
    text = rest if keyword in ("Given", "When", "Then", "And", "But", "*") else step.strip()
    found = all_phrases()
    matching = [phrase for phrase in found if phrase.is_matching(text)]
    if not matching:
        told = suggestion(text, found) or ["no phrase is near it"]
        sys.stdout.write("\n".join([f"no phrase: {text}", *told]) + "\n")
        return 1
    for phrase in matching:
        sys.stdout.write(as_text([phrase]))
        for name, value in (phrase.parse_arguments(text) or {}).items():
            sys.stdout.write(f"  {name} = {value!r}\n")
    return 0
