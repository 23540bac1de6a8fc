"""Slides in a real browser: at 1280 by 720 every slide is one screen, and nothing of it is cut off."""

import base64
import io
from pathlib import Path

import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from data_prep.files import write_text
from maam_lib.report.notebook_pages import Chapter
from maam_lib.report.slides import slides_page
from tests.browser_checks import low_contrast, too_wide

pytest_plugins = ("tests.browser.real_browser",)  # its fixtures: `chromium` and `window`
pytestmark = pytest.mark.browser
SIZES = [(1280, 720), (1920, 1080), (1400, 900), (1366, 650)]
WORDS = "A sentence of eight words, which says little. "
CUT_OFF = """() => [...document.querySelectorAll('section')].flatMap((slide, n) => {
    const box = slide.getBoundingClientRect(), inside = [...slide.querySelectorAll('.cell, img, svg, table, p, math')]
        .filter((part) => part.checkVisibility({contentVisibilityAuto: true}));
    const out = inside.map((part) => [part.tagName, part.getBoundingClientRect()]).filter(([, part]) => part.width
        && (part.bottom > box.bottom + 1 || part.top < box.top - 1 || part.right > box.right + 1));
    return [...(box.height > innerHeight + 1 ? [`slide ${n + 1}: ${box.height} pixels high`] : []),
            ...out.map(([name]) => `slide ${n + 1}: ${name} reaches out of it`)];
})"""


@pytest.fixture
def deck(tmp_path: Path) -> Path:
    """The slides of a chapter that has of everything more than a screen holds."""
    data = io.BytesIO()
    Image.new("L", (300, 900)).save(data, format="PNG")
    picture = new_output("display_data", {"image/png": base64.b64encode(data.getvalue()).decode()})
    numbers = pd.DataFrame({name: [0.123] * 60 for name in ("AUC", "EER", "AP")})
    of_text = pd.DataFrame({"claim": [f"{n} {WORDS * (1 + n % 4)}" for n in range(30)], "AUC": 0.5, "why": WORDS * 2})
    tables = [new_output("display_data", {"text/html": table.to_html()}) for table in (numbers, of_text)]
    formula = "$$" + " + ".join(f"\\alpha_{n}" for n in range(18)) + "$$"
    table = "| no. | what |\n|---|---|\n" + f"| 1 | {WORDS * 3} |\n" * 20
    cells = [
        new_markdown_cell(f"# A long beginning\n\n{(WORDS * 5 + chr(10) * 2) * 14}"),
        new_code_cell("draw()", metadata={"alt": "A tall picture."}, outputs=[picture, *tables, picture]),
        new_markdown_cell(f"{WORDS * 8}\n\n<details><summary>Why</summary>\n\n{WORDS * 40}\n\n</details>\n\n## Next\n"),
        new_markdown_cell(f"{formula}\n\n## A table\n\n{table}"),
        new_code_cell("def written(): ...", metadata={"tags": ["hole"]}),
    ]
    path = tmp_path / "slides.html"
    write_text(path, slides_page(Chapter("04", new_notebook(cells=cells), 0)))
    return path


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_slide_is_one_screen(window: object, deck: Path, width: int, height: int) -> None:
    window.set_viewport_size({"width": width, "height": height})
    window.goto(deck.as_uri())
    assert window.locator("section").count() > 8
    assert window.evaluate(CUT_OFF) == []
    assert too_wide(window) == []


def test_an_opened_fold_pushes_nothing_out_of_its_slide(window: object, deck: Path) -> None:
    window.set_viewport_size({"width": 1280, "height": 720})
    window.goto(deck.as_uri())
    for fold in window.locator("summary").all():
        fold.click()
    assert [found for found in window.evaluate(CUT_OFF) if "reaches out" in found] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_slides_can_be_read_on_a_phone_too(window: object, deck: Path, scheme: str) -> None:
    window.emulate_media(color_scheme=scheme)
    window.set_viewport_size({"width": 390, "height": 844})
    window.goto(deck.as_uri())
    assert low_contrast(window) == []
    assert too_wide(window) == []
    assert [found for found in window.evaluate(CUT_OFF) if "reaches out" in found] == []
