"""Every picture of a report says what it shows to those who cannot see it."""

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from maam_lib.report.notebook_pages import index_page, notebook_page
from maam_lib.report.picture_texts import pictures_with_texts
from tests.maam_lib.report.test_notebook_pages import PICTURE, Resources, summary

SEE = '**What you should see:** a "curve" of $\\psi$ that [rises](05_pscd.ipynb). It falls <b>later</b>.'


def notebook(*cells: str | None) -> NotebookNode:
    """Cells of text; None is a code cell that shows a picture."""
    shown = [new_output("display_data", {"image/png": PICTURE})]
    made = [new_code_cell("draw()", outputs=shown) if c is None else new_markdown_cell(c) for c in cells]
    return new_notebook(cells=made)


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (["# Data\n\nMuch.", "## Motion", None, SEE], 'Motion: a "curve" of psi that rises.'),
        ([f"## Motion\n\n{SEE}", None, "Later."], 'Motion: a "curve" of psi that rises.'),
        (
            ["## Motion\n\nFirst.\n\nThe worst frame. Look.\n\n**Predict:** which?", None],
            "Motion: The worst frame.",
        ),
        (["## Motion\n\n**Predict:** which?\n\n| a | b |", None], "Motion"),
        (["## Motion\nText under it at once", None], "Motion: Text under it at once"),
        (["## Which?\n\nThis one.", None], "Which? This one."),
        (["Words.", None], "Words."),
        ([None], "a figure"),
    ],
)
def test_a_text_is_heading_and_one_sentence(cells: list[str | None], text: str) -> None:
    assert [said for _, said in pictures_with_texts(notebook(*cells))] == [text]


def test_each_picture_has_the_words_that_are_its_own() -> None:
    first = ["## One", None, "**What you should see:** dots.", "Then lines.", None]
    cells = [*first, "## Two", SEE, "## Three\n\nBars.", None]
    texts = [said for _, said in pictures_with_texts(notebook(*cells))]
    assert texts == ["One: dots.", "One: Then lines.", "Three: Bars."]


def test_pages_carry_the_texts(caplog: pytest.LogCaptureFixture) -> None:
    page = notebook_page(notebook("# Title", "## Motion", None, SEE, "## More of $w_i$", None), "title")
    assert Resources(page).texts == ['Motion: a "curve" of psi that rises.', "More of w_i"]
    assert "Alternative text is missing" not in caplog.text


def test_the_gallery_carries_the_text_of_its_picture() -> None:
    shown = notebook("# Memory items", "## Motion", None, SEE)
    page = index_page(summary(), [("04_memory_items", "04_memory_items.html", shown)])
    assert Resources(page).texts == ['Motion: a "curve" of psi that rises.']
