"""The pages of the report in a real Chromium: on a screen, a tablet and a phone, in the light and in the dark."""

from pathlib import Path
from typing import Any

import pytest

from maam_lib.report.build import build_report
from tests.browser_checks import focus_unseen, low_contrast, nameless, too_wide

pytest_plugins = ("tests.browser.real_browser",)  # its fixtures: `chromium` and `window`
pytestmark = pytest.mark.browser

OF_A_NUMBER = ("runs/ped2-laptop/paper", "runs/ped2-mini/cost", "runs/ped2/no_learning")
TABLES_TOO_WIDE = """() => [...document.querySelectorAll('main table')].filter(
    (t) => t.getBoundingClientRect().width > t.parentElement.clientWidth + 1).map((t) => t.caption?.textContent)"""
BROKEN_NUMBERS = """() => [...document.querySelectorAll('.whole')].filter((s) => s.getClientRects().length > 1)
    .map((s) => s.textContent)"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Those of the index, and one of each kind that numbers lead to."""
    folder = build_report(tmp_path_factory.mktemp("report") / "out", root=Path("nowhere")).parent
    return [*sorted(folder.glob("*.html")), *(folder / f"{name}.html" for name in OF_A_NUMBER)]


@pytest.mark.parametrize("width", [1400, 900, 390])
def test_nothing_is_cut_off_scrolls_to_the_side_or_breaks_a_number(width: int, pages: list[Path], window: Any) -> None:
    window.set_viewport_size({"width": width, "height": 900})
    for path in pages:
        window.goto(path.as_uri())
        wrong = [*too_wide(window), *window.evaluate(TABLES_TOO_WIDE), *window.evaluate(BROKEN_NUMBERS)]
        assert wrong == [], f"{path.name} at {width} pixels"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(scheme: str, pages: list[Path], window: Any) -> None:
    window.emulate_media(color_scheme=scheme)
    for path in pages:
        window.goto(path.as_uri())
        assert low_contrast(window) == [], path.name


def test_every_link_has_a_name_and_shows_that_the_keyboard_is_on_it(pages: list[Path], window: Any) -> None:
    for path in (path for path in pages if path.stem in ("index", "claims", "figure1")):
        window.goto(path.as_uri())
        assert nameless(window) == []
        assert focus_unseen(window) == [], path.name


def test_a_phone_shows_the_value_of_each_column_under_its_name(pages: list[Path], window: Any) -> None:
    window.set_viewport_size({"width": 390, "height": 900})
    [learning] = [path for path in pages if path.stem == "learning"]
    window.goto(learning.as_uri())
    cell = window.locator("td[data-name='EER']").first
    assert window.evaluate("(td) => getComputedStyle(td, '::before').content", cell.element_handle()) == '"EER"'
    assert not window.locator("thead").first.is_visible()
    assert window.locator("td.none").first.is_hidden(), "a dash says nothing there"
    first, last = window.locator("main").bounding_box(), window.locator("nav.index").bounding_box()
    assert last["y"] >= first["y"] + first["height"], "the index comes last"
    window.get_by_text("All pages of this report").click()
    assert window.locator("nav.index").is_visible()


def test_a_claim_and_a_table_are_one_click_from_the_first_screen(pages: list[Path], window: Any) -> None:
    [index] = [path for path in pages if path.stem == "index"]
    window.goto(index.as_uri())
    window.get_by_role("link", name="Motion matters more than appearance.").click()
    assert window.locator(".card:target h2").inner_text() == "Motion matters more than appearance."
    window.goto(index.as_uri())
    window.get_by_role("link", name="Table 5: losses and branches").click()
    assert window.locator("h1").inner_text() == "Table 5: losses and branches"
