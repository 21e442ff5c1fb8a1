"""The pages about the examples show the examples' own code, and their links lead somewhere."""

from __future__ import annotations

import re

import pytest

from .conftest import DOCS, EXAMPLES, blocks

PAGES = {
    "node.md": "node-service",
    "fastapi.md": "fastapi-inprocess",
    "compose.md": "compose-project",
    "kubernetes.md": "kubernetes-logs",
}
PROJECTS = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_is_the_code_of_its_example(page: str) -> None:
    files = [
        path for path in (EXAMPLES / PAGES[page]).rglob("*") if "node_modules" not in str(path)
    ]
    sources = [path.read_text() for path in files if path.suffix in (".py", ".js", ".toml")]
    shown = list(blocks(DOCS / page, "python", "js", "toml"))
    assert shown
    for block in shown:
        assert any(block in source for source in sources), block


def test_the_tables_of_contents_name_every_page_and_example() -> None:
    contents, examples = (DOCS / "README.md").read_text(), (EXAMPLES / "README.md").read_text()
    pages = {path.name for path in DOCS.glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"({page})" not in contents} == set()
    assert {name for name in PROJECTS if f"(../examples/{name})" not in contents} == set()
    assert {name for name in PROJECTS if f"({name})" not in examples} == set()


@pytest.mark.parametrize("folder", ["docs", "examples"])
def test_links_lead_somewhere(folder: str) -> None:
    for page in (EXAMPLES.parent / folder).rglob("*.md"):
        if "node_modules" in page.parts:
            continue
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
