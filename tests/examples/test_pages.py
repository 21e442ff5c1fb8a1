"""The pages about the examples, and their README files, show what is there and what is printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import EXAMPLES, Run

DOCS = EXAMPLES.parent / "docs"
PAGES = {
    "node.md": "node-service",
    "fastapi.md": "fastapi-inprocess",
    "compose.md": "compose-project",
    "kubernetes.md": "kubernetes-logs",
}
PROJECTS = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """Yield the fenced blocks of some languages."""
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.M | re.S):
        if language in languages:
            yield text


def is_shown_in(line: str, printed: str) -> bool:
    """Whether a line that a page quotes was printed; `…` stands for what changes."""
    pattern = ".*".join(re.escape(part) for part in line.strip().split("…"))
    return re.search(pattern, printed) is not None


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
    contents = (DOCS / "README.md").read_text()
    assert all(f"({path.name})" in contents for path in DOCS.glob("*.md") if path.stem != "README")
    assert all(f"(../examples/{name})" in contents for name in PROJECTS)
    assert all(f"({name})" in (EXAMPLES / "README.md").read_text() for name in PROJECTS)


@pytest.mark.parametrize("folder", ["docs", "examples"])
def test_links_lead_somewhere(folder: str) -> None:
    for page in (EXAMPLES.parent / folder).rglob("*.md"):
        if "node_modules" in page.parts:
            continue
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_failure_that_the_kubernetes_pages_quote_is_printed(
    run: Run, copy_of: Callable[[str], Path]
) -> None:
    project = copy_of("kubernetes-logs")
    path = project / "logs" / "warehouse.log"
    path.write_text(path.read_text().replace("request_id=r-1002", "request_id=r-9999"))

    printed = run(project, exit_code=1)

    for page in (DOCS / "kubernetes.md", EXAMPLES / "kubernetes-logs" / "README.md"):
        for block in blocks(page, "text"):
            assert all(is_shown_in(line, printed) for line in block.splitlines()), block


@pytest.mark.usefixtures("node")
def test_the_failure_that_the_node_pages_quote_is_printed(
    run: Run, copy_of: Callable[[str], Path]
) -> None:
    project = copy_of("node-service")
    shop = project / "services" / "shop.js"
    readme = EXAMPLES / "node-service" / "README.md"
    [deleted] = blocks(readme, "js")
    assert shop.read_text().count(deleted) == 1
    shop.write_text(shop.read_text().replace(deleted, ""))

    printed = run(project, exit_code=1)

    for page in (DOCS / "node.md", readme):
        for block in blocks(page, "text"):
            assert all(is_shown_in(line, printed) for line in block.splitlines()), block
