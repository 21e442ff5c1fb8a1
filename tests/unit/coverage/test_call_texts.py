"""The template of what an expression of source will say."""

from __future__ import annotations

import ast

import pytest

from pytest_narration.coverage.call_texts import has_words, is_met, template_of


def _call(source: str) -> ast.Call:
    expression = ast.parse(source, mode="eval").body
    assert isinstance(expression, ast.Call)
    return expression


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("'Cache warmed'", "Cache warmed"),
        ("'Cache ' 'warmed'", "Cache warmed"),
        ("f'Loaded {self.model} in {ms:.2f} ms'", "Loaded {model} in {ms} ms"),
        ("f'Loaded {sum(sizes)} of {names[0]!r}'", "Loaded {sum} of {value}"),
        ("'Loaded %s in %.2f ms', self.model, ms", "Loaded {model} in {ms} ms"),
        ("'Loaded %(model)s: %5d%%', {'model': m}", "Loaded {model}: {value}%"),
        ("'100% done'", "100% done"),
        ("'100% of {}', name", "100% of {}"),
        ("'Loaded %s' % model", "Loaded {model}"),
        ("'Loaded %s, %d left' % (model, left())", "Loaded {model}, {left} left"),
        ("'Loaded {} of {{}} {1} {x.y[0]:>3}'.format(a, b.c)", "Loaded {a} of {} {c} {y_0}"),
        ("'Loaded ' + self.model + '!'", "Loaded {model}!"),
        ("words", None),
        ("a + b", None),
        ("a % b", None),
        ("a.format(b)", None),
        ("b'Loaded'", None),
    ],
)
def test_whatever_puts_the_values_in_their_places_are_placeholders(
    arguments: str, expected: str | None
) -> None:
    first, *values = _call(f"log({arguments})").args

    assert template_of(first, values) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [("{method} {path}", False), ("{} 12", False), ("é {x}", True), ("{x}!", False)],
)
def test_text_that_is_all_values_has_no_words_of_its_own(template: str, expected: bool) -> None:
    assert has_words(template) is expected


def test_a_pattern_meets_the_template_of_the_texts_it_stands_for() -> None:
    assert is_met(r"synced \d+ rows", "synced {count} rows")
    assert is_met(r"hello \w+", "hello {name}")
    assert not is_met(r"synced \d+ rows", "dropped {count} rows")
