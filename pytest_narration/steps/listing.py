"""The phrases that there are -> text for a terminal, and ``docs/steps.md``."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from textwrap import indent

from . import SECTIONS
from .parameters import PARAMETERS
from .phrase import Phrase, phrases

__all__ = ["all_phrases", "as_markdown", "as_text"]

_HEAD = """\
# Phrases

<!-- Made by `narration steps --markdown`: change the phrases, not this page. -->

A scenario is written with these phrases, for any system in any language; no Python is needed.
[Your first feature](features.md) shows how to begin.

Load them in `pyproject.toml` or `pytest.ini`, or in the root `conftest.py`:

```toml
[tool.pytest.ini_options]
narration_steps = true
```

```python
pytest_plugins = ["pytest_narration.steps"]
```

Feature files are tests then: `pytest` runs those that it finds.

`narration steps order` lists the phrases that have a word in them, and
`narration steps --match 'the event placed is seen'` says which phrase a step is, or what keeps it
from being one.

Every phrase works under any keyword: the one shown is the one under which it reads best. A step of
your own with the same text takes precedence. `is/are` stands for either word.

## What stands in braces

| parameter | what it is | such as |
|---|---|---|
"""

_VALUES = """
A `{value}` in a cell of a table is written the same way; what is none of these is a text as it
stands, so that texts in cells need no quotes.

## Saved values

`${name}` in any text, table or JSON stands for a value of the scenario: one that was saved under
the name (`I save … as "name"`, `I call "name" "text"`), or

| written | stands for |
|---|---|
| `${correlation_id}` | the correlation id of the latest request |
| `${job_id}` | the id of the latest job |
| `${trace_id}` | the trace that `my requests carry a trace` began |
| `${uuid}` | a fresh UUID |
| `${env:NAME}` | an environment variable |
| `${url:SERVICE}` | the address of a service |
| `${n}` | the number of one of many requests at the same time |
"""

_EDITOR = """
## In your editor

The phrases are Cucumber Expressions in decorators with plain strings, which the Cucumber
extensions of VS Code and other editors (`@cucumber/language-server`) find by glob. With these
settings they complete phrases, and underline a step that is none:

```json
"""


def all_phrases() -> list[Phrase]:
    """Import every section and return its phrases, in the order of the documentation."""
    for module in SECTIONS:
        import_module(f"{__package__}.{module}")
    order = list(SECTIONS)
    return sorted(
        (phrase for phrase in phrases() if phrase.section in order),
        key=lambda phrase: order.index(phrase.section),
    )


def as_text(shown: Sequence[Phrase]) -> str:
    """Return phrases with what they do and an example, by section."""
    told: list[str] = []
    for title, _, members in _sections(shown):
        told += [title, "=" * len(title), ""]
        for phrase in members:
            told += [f"{phrase.keyword} {phrase.text}", indent(phrase.about, "    ")]
            if _says_more(phrase):
                told.append(indent(phrase.example, "      "))
            told.append("")
    return "\n".join(told).rstrip() + "\n" if told else ""


def as_markdown(shown: Sequence[Phrase]) -> str:
    """Return the page ``docs/steps.md``."""
    told = [_HEAD + "\n".join(_parameters()), _VALUES.strip("\n")]
    for title, about, members in _sections(shown):
        told += [f"## {title}", about]
        for phrase in members:
            told.append(f"### {phrase.keyword} {_escaped(phrase.text)}")
            told.append(_ticks(phrase.about))
            told.append(f"```gherkin\n{phrase.example}\n```")
    return "\n\n".join([*told, _EDITOR.strip("\n") + _settings()]) + "\n"


def _sections(shown: Iterable[Phrase]) -> Iterator[tuple[str, str, list[Phrase]]]:
    """Yield title, introduction and phrases of each section that has any."""
    members: dict[str, list[Phrase]] = {}
    for phrase in shown:
        members.setdefault(phrase.section, []).append(phrase)
    for section, found in members.items():
        module = import_module(f"{__package__}.{section}")
        _, _, rest = (inspect.getdoc(module) or "").partition(": ")
        yield SECTIONS[section], _ticks(rest[:1].upper() + rest[1:]), found


def _parameters() -> Iterator[str]:
    for parameter in PARAMETERS.values():
        such = ", ".join(f"`{example}`" for example in parameter.examples)
        yield f"| `{{{parameter.name}}}` | {parameter.about} | {such.replace('|', chr(92) + '|')} |"


def _settings() -> str:
    glob = ".venv/lib/python3*/site-packages/pytest_narration/steps/*.py"
    own = [p for p in PARAMETERS.values() if p.name not in ("string", "int")]
    settings = {
        "cucumber.features": ["features/**/*.feature"],
        "cucumber.glue": [glob, "steps/**/*.py", "tests/**/*.py"],
        "cucumber.parameterTypes": [{"name": p.name, "regexp": p.regexp} for p in own],
    }
    return f"\n{json.dumps(settings, indent=2, ensure_ascii=False)}\n```"


def _says_more(phrase: Phrase) -> bool:
    return phrase.example != f"{phrase.keyword} {phrase.text}"


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", r"\*")


def _ticks(text: str) -> str:
    return text.replace("``", "`")
