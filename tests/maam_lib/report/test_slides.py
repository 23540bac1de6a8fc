"""Slides of executed chapters: a screen per heading, prediction and picture; no code, no exercises, no scripts."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from maam_lib.report.notebook_pages import Chapter
from maam_lib.report.notebooks import ReportError
from maam_lib.report.slides import slides_page, write_slides
from tests.maam_lib.report.test_notebook_pages import PICTURE, Resources


def notebook() -> NotebookNode:
    picture = new_output("display_data", {"image/png": PICTURE})
    explained = new_output("display_data", {"text/markdown": "<details><summary>Why</summary>\n\n0.93\n\n</details>"})
    said = new_output("stream", name="stdout", text="02.a right\n")
    return new_notebook(
        cells=[
            new_markdown_cell("# Memory\nA question."),
            new_code_cell("import secrets"),
            new_markdown_cell("More text: $x^2$."),
            new_markdown_cell("## Write it"),
            new_code_cell("def written(): ...", metadata={"tags": ["hole"]}, outputs=[said]),
            new_markdown_cell("**Predict:** which?"),
            new_code_cell("draw()", metadata={"alt": "A curve that rises."}, outputs=[picture]),
            new_code_cell("tell()", metadata={"tags": ["answer"]}, outputs=[explained]),
            new_markdown_cell("## Exercises\nNot for the wall."),
            new_code_cell("answer = 42", outputs=[picture]),
        ]
    )


def test_a_slide_begins_at_a_heading_a_prediction_and_a_picture() -> None:
    page = slides_page(Chapter("04", notebook(), 0))
    slides = re.findall(r"<section>(.*?)</section>", page, re.DOTALL)
    assert page.count("<section>") == page.count("</section>") == len(slides) == 4
    first, write, predict, picture = slides
    assert "A question." in first
    assert "<msup>" in first, "text goes on on its slide"
    assert re.search(r"(?s)<summary>The code</summary>.*written", write)
    assert "which?" in predict
    assert PICTURE not in predict
    assert PICTURE in picture
    assert "0.93" in picture, "the answer is folded below the picture"


def test_slides_show_no_code_no_exercises_and_fetch_nothing() -> None:
    page = slides_page(Chapter("04", notebook(), 0))
    for absent in ("secrets", "draw()", "tell()", "02.a right", "Not for the wall", "42;"):
        assert absent not in page.split("<body>")[1]
    found = Resources(page)
    assert found.scripts == set()
    assert [url for url in found.fetched if not url.startswith("data:")] == []
    assert found.texts == ["A curve that rises."]


def test_slides_of_a_report_are_written_beside_it(tmp_path: Path) -> None:
    nbformat.write(notebook(), tmp_path / "04_memory_items.ipynb")
    nbformat.write(notebook(), tmp_path / "05_pscd.failed.ipynb")
    assert write_slides(tmp_path) == [tmp_path / "slides" / "04_memory_items.html"]
    with pytest.raises(ReportError, match="no executed chapters; make them with maam reproduce"):
        write_slides(tmp_path / "slides")
