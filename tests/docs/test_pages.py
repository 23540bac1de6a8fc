"""The pages of the project: a front door that is short, and links that lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.conftest import PROJECT

DOCS = PROJECT / "docs"
PAGES = sorted([*PROJECT.glob("*.md"), *DOCS.glob("*.md"), *(PROJECT / "reports" / "sample").glob("*.md")])
MOST_WORDS = 900  # of the README, commands and links included
UNDEFINED = ("psi", "PSCD", "micro", "DIS", "latent", "fused")  # words that a stranger does not know


def links(page: Path) -> list[str]:
    """Where a page's links and pictures lead, those on the web left out."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    return [target for target in targets if "://" not in target]


def anchors(page: Path) -> set[str]:
    """The anchors that a code host makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in links(page):
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path), target


def test_the_contents_name_every_page() -> None:
    named = {Path(target).name for target in links(DOCS / "README.md")}
    assert {page.name for page in DOCS.glob("*.md")} - {"README.md"} <= named


def test_the_front_page_is_short_and_uses_no_word_that_a_stranger_does_not_know() -> None:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= MOST_WORDS
    assert [word for word in UNDEFINED if re.search(rf"\b{word}\b", text)] == []
    assert text.index("make reproduce") < text.index("## Three findings") < text.index("## Where to go")
