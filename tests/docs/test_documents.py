"""Every Python example in the documents runs, each page from top to bottom; every link between them leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Networks are exported.
SLOW = {"text-and-images.md", "compress.md", "compression-search.md", "distillation.md", "integer-kernel.md"}
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def examples_of(page: Path) -> str:
    """The page's Python, with its own line numbers, so that a failure points into the page."""
    text = page.read_text()
    lines = [""] * text.count("\n")
    for found in EXAMPLE.finditer(text):
        first = text.count("\n", 0, found.start(1))
        for offset, line in enumerate(found.group(1).splitlines()):
            lines[first + offset] = line
    return "\n".join(lines)


def pages_with_examples() -> Iterator[ParameterSet]:
    for page in PAGES:
        if EXAMPLE.search(page.read_text()):
            marks = [pytest.mark.slow] if page.name in SLOW else []
            yield pytest.param(page, marks=marks, id=page.name)


@pytest.mark.parametrize("page", list(pages_with_examples()))
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(examples_of(page), page.name, "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert broken == []
