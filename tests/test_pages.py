import base64
import re
from html.parser import HTMLParser

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from maam_lib.pages import formulas_as_mathml, index_page, notebook_page

PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


class Resources(HTMLParser):
    """Collects what a browser would fetch by itself, where links lead, and what is said of pictures."""

    def __init__(self, page: str):
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.scripts: set[str] = set()  # their types
        self.texts: list[str | None] = []  # alternative ones, of each picture
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.scripts.add(dict(attrs).get("type") or "text/javascript")
        if tag == "img":
            self.texts.append(dict(attrs).get("alt"))
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href"]
        else:
            self.fetched += [value for name, value in attrs if name in ("src", "href", "data", "srcset")]


def executed_notebook() -> NotebookNode:
    picture = new_output("display_data", {"image/png": PICTURE})
    widget = new_output(
        "display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}, "text/plain": "Slider"}
    )
    cells = [
        new_markdown_cell("# Memory items\nA query reads $\\hat{z} = w^T M$. Next: [scores](05_pscd.ipynb#psi)."),
        new_code_cell("x = '$a$'", outputs=[picture, widget, new_output("stream", name="stdout", text="0.5\n")]),
        new_markdown_cell("$$L = \\sum_{i=1}^N -w_i \\log w_i$$\n\nThe paper is [here](https://example.org)."),
    ]
    notebook = new_notebook(cells=cells)
    state = {"state": {}, "version_major": 2, "version_minor": 0}
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": state}
    return notebook


def summary(failure: str | None = None) -> dict:
    return {
        "recipe": "synthetic-mini",
        "kit_version": "0.1",
        "environment": {"git_revision": None, "python": "3.11", "packages": {}, "platform": "a <laptop>"},
        "notebooks": {"04_memory_items": {"seconds": 2.4, "failure": failure}},
        "results": {"04_memory_items": {"support": 0.123456, "note": "a < b"}, "05_pscd": {}},
        "paper": None,
    }


def test_inline_and_block_formulas_become_mathml():
    inline = formulas_as_mathml("the weight $w_i$ and $z$.")
    assert inline.count("<math") == 2
    assert 'display="inline"' in inline
    assert "<msub><mi>w</mi><mi>i</mi></msub>" in inline
    assert inline.startswith("the weight <math")
    block = formulas_as_mathml("so\n$$\na = b\n$$\nthen")
    assert 'display="block"' in block
    assert "$" not in block


@pytest.mark.parametrize(
    "text",
    [
        "between $5 and $6",
        "it costs $5, or $6 in `cash`",
        "a US$ and a CA$ price",
        "write `$x$` or ``$x$``",
        "```python\nprint('$x$', '$y$')\n```",
        "an escaped \\$x\\$ stays",
        "a lone $ and\nanother $",
    ],
)
def test_prices_and_code_stay_as_they_are(text: str):
    assert formulas_as_mathml(text) == text


def test_formulas_beside_code_and_prices_are_still_found():
    text = formulas_as_mathml("`$a$` is $b$, which costs $5.")
    assert text.startswith("`$a$` is <math")
    assert text.endswith("</math>, which costs $5.")


def test_a_notebook_page_needs_no_net():
    page = notebook_page(executed_notebook(), "04")
    found = Resources(page)
    assert found.fetched == [f"data:image/png;base64,{PICTURE}"]
    assert found.scripts <= {"application/vnd.jupyter.widget-state+json"}, "data that no browser runs"
    assert not re.search(r"@import|url\(\s*['\"]?https?:", page)


def test_a_notebook_page_shows_text_formulas_and_outputs():
    page = notebook_page(executed_notebook(), "04")
    assert "<title>Memory items</title>" in page
    assert page.count("<math ") == 2
    assert "0.5" in page
    assert PICTURE in page
    assert "$a$" in page, "code keeps its dollars"


def test_links_to_notebooks_become_links_to_pages():
    links = Resources(notebook_page(executed_notebook(), "04")).links
    assert "05_pscd.html#psi" in links
    assert "index.html" in links
    assert "https://example.org" in links
    assert not [link for link in links if "ipynb" in link]


def test_a_page_does_not_change_its_notebook():
    notebook = executed_notebook()
    notebook_page(notebook, "04")
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in executed_notebook().cells]


def test_a_notebook_without_a_heading_takes_the_given_title():
    page = notebook_page(new_notebook(cells=[new_markdown_cell("text")]), "a < b")
    assert "<title>a &lt; b</title>" in page


def test_the_index_shows_chapters_pictures_and_numbers_without_a_net():
    page = index_page(summary(), [("04_memory_items", "04_memory_items.html", executed_notebook())])
    found = Resources(page)
    assert [url for url in found.fetched if not url.startswith("data:")] == []
    assert not found.scripts
    assert {"04_memory_items.html", "results.json"} <= set(found.links)
    assert PICTURE in page
    assert "<strong>Memory items</strong> (2 s)" in page
    assert "0.1235" in page
    assert "a &lt; b" in page
    assert "a &lt;laptop&gt;" in page
    assert "05_pscd" not in page, "a chapter without numbers has no table"


def test_the_index_leads_to_the_papers_tables_where_they_are_made():
    chapters = [("04_memory_items", "04_memory_items.html", executed_notebook())]
    assert "paper/index.html" in Resources(index_page(summary() | {"paper": "paper/index.html"}, chapters)).links
    assert "tables, figures and claims" not in index_page(summary(), chapters)


def test_the_index_says_which_chapter_failed():
    chapters = [("04_memory_items", "04_memory_items.html", executed_notebook())]
    assert '<p class="failed">cell 3: 1 &lt; 2</p>' in index_page(summary("cell 3: 1 < 2"), chapters)
