"""Pages of executed chapters in a real browser: on a screen, on a phone, in the dark and by keyboard."""

import base64
import io
from pathlib import Path

import pandas as pd
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from data_prep.files import write_text
from maam_lib.figures.method import method
from maam_lib.report.notebook_pages import Chapter, chapter_page, index_page
from tests.browser_checks import focus_unseen, low_contrast, nameless, too_wide
from tests.conftest import PROJECT

pytest_plugins = ("tests.browser.real_browser",)  # its fixtures: `chromium` and `window`
pytestmark = pytest.mark.browser
SAMPLE = sorted((PROJECT / "reports" / "sample").glob("[0-9i]*.html"))  # its chapters and first page
WIDTHS = (1400, 900, 390)
CODE = '''# a comment
from pathlib import Path

@property
def f(x: int = 0x1F, *, y: float = 1.5e-3) -> str:
    """Text."""
    raise ValueError(f"a {x!r} \\n") if x is None else lambda: not True  # and more
class A(dict): ...
%matplotlib inline
'''
RESULTS = {
    "03_train": {
        "train.auc": 0.9306,
        "train.learning_adds": 0.2242,
        "train.auc_appearance": 0.65,
        "train.seconds": 185.3,
        "train.first_steps": {"appearance": 0.3886, "motion": 0.3654},
        "train.effect_of_a_very_long_name.synthetic-laptop.both losses": -0.0392,
        "train.worst_miss": "Test001, frame 57",
    },
    "04_memory_items": {},
}


def notebook() -> NotebookNode:
    data = io.BytesIO()
    Image.new("L", (900, 300)).save(data, format="PNG")
    picture = new_output("display_data", {"image/png": base64.b64encode(data.getvalue()).decode()})
    columns = ["AUC minus AUC with memory", "difference [95 %]", "a verdict", "seeds", "measured"]
    row = ["0.803 ± 0.004", "-0.039 [-0.057, -0.021]", "undecided", 3, "words " * 12]
    wide = pd.DataFrame([row] * 4, columns=columns)
    small = pd.DataFrame({"AUC": [0.5, 0.25], "EER": [0.1, 0.2]}, index=["fused", "motion alone"])
    tables = [new_output("display_data", {"text/html": table.to_html()}) for table in (wide, small)]
    cell = "`maam_lib.report.notebook_pages.chapter_page`"
    losses = r"L = \text{mean}(I - \hat I)^2 + \lambda |F - \hat F| + \alpha \sum_i -w_i \log w_i + \max(1 - z, 0)"
    return new_notebook(
        cells=[
            new_markdown_cell(f"# Training: learn what is normal\n\nSee [the data](01_data.ipynb).\n\n$${losses}$$"),
            new_code_cell(CODE, outputs=[new_output("stream", name="stderr", text="a warning " * 20)]),
            new_code_cell("method()", outputs=[new_output("display_data", {"text/html": method("training").data})]),
            new_code_cell("draw()", metadata={"alt": "A curve."}, outputs=[picture, *tables]),
            new_markdown_cell(f"| what | where | how | why |\n|---|---|---|---|\n| a | {cell} | {cell} | words |"),
            new_markdown_cell("<details><summary>Why</summary>\n\nBecause of the text.\n\n</details>"),
        ]
    )


@pytest.fixture
def pages(tmp_path: Path) -> list[Path]:
    """A chapter, and the first page of a report of two."""
    chapters = [Chapter("03_train", notebook(), 261.4), Chapter("04_memory_items", notebook(), 2, "cell 3 failed")]
    summary = {
        "recipe": "synthetic-laptop",
        "kit_version": "0.2",
        "environment": {"git_revision": None, "python": "3.11", "packages": {}, "platform": "a laptop"},
        "results": RESULTS,
        "paper": "paper/index.html",
        "player": "play.html",
    }
    write_text(tmp_path / "chapter.html", chapter_page(chapters[0]))
    write_text(tmp_path / "index.html", index_page(summary, chapters))
    return [tmp_path / "chapter.html", tmp_path / "index.html"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_and_nothing_scrolls_to_the_side(window: object, pages: list[Path], scheme: str) -> None:
    window.emulate_media(color_scheme=scheme)
    for page in pages:
        window.goto(page.as_uri())
        window.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
        for width in WIDTHS:
            window.set_viewport_size({"width": width, "height": 900})
            assert low_contrast(window) == [], (page.name, width)
            assert too_wide(window) == [], (page.name, width)


def test_everything_has_a_name_and_shows_that_it_has_the_focus(window: object, pages: list[Path]) -> None:
    for page in pages:
        window.goto(page.as_uri())
        assert nameless(window) == []
        assert focus_unseen(window) == []


def test_on_a_phone_a_wide_table_tells_the_heading_beside_each_cell(window: object, pages: list[Path]) -> None:
    window.goto(pages[0].as_uri())
    cell = window.locator("table.stacked td").nth(1)
    said = "(cell) => getComputedStyle(cell, '::before').content"
    assert cell.evaluate(said) == "none"
    window.set_viewport_size({"width": 390, "height": 900})
    assert cell.evaluate(said) == '"difference [95 %]"'
    small = window.locator("table.dataframe:not(.stacked)")
    assert small.count() == 1
    assert small.evaluate("(table) => table.getBoundingClientRect().height") < 150


def test_printed_folds_are_open(window: object, pages: list[Path]) -> None:
    window.goto(pages[0].as_uri())
    folded = window.get_by_text("Because of the text")
    assert not folded.is_visible()
    window.emulate_media(media="print")
    assert folded.is_visible()


def test_the_first_page_says_first_what_came(window: object, pages: list[Path]) -> None:
    window.goto(pages[1].as_uri())
    assert window.locator(".lede").inner_text() == (
        "This run has a frame AUC of 0.931; the best row without a network has 0.706. Learning adds +0.224."
    )
    dots = window.locator(".dots i")
    left, right = (dots.nth(n).bounding_box()["x"] for n in (2, 0))
    assert left < right, "the row without a network has the lower AUC"
    assert window.locator(".numbers td.number").all_inner_texts()[-3:] == ["0.365", "−0.039", "Test001, frame 57"]


@pytest.mark.parametrize(
    "page", sorted((PROJECT / "reports" / "sample").glob("[0-9i]*.html")), ids=lambda page: page.stem
)
def test_the_kept_sample_can_be_read_on_a_screen_and_on_a_phone(window: object, page: Path) -> None:
    window.goto(page.as_uri())
    window.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    assert nameless(window) == []
    for width in WIDTHS:
        window.set_viewport_size({"width": width, "height": 900})
        assert too_wide(window) == [], width
    for scheme in ("light", "dark"):
        window.emulate_media(color_scheme=scheme)
        assert low_contrast(window) == [], scheme
