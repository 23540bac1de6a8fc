"""The app of `make app` in Voila: every tab opens and answers, on a small window and on a phone, without an error."""

import shutil
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from maam_lib.report.notebooks import NOTEBOOK_FOLDER
from maam_lib.training.runs import RunFolder
from tests.browser.playground_page import SCREENSHOTS, PlaygroundPage
from tests.browser.servers import served
from tests.browser.test_playground import looks_into_the_memory, moves_scores, trains, with_values

pytest_plugins = ("tests.browser.real_browser",)  # its fixtures: `chromium` and `window`
pytestmark = pytest.mark.browser
NAME = "app.ipynb"
VOILA = (NAME, "--port={port}", "--Voila.port_retries=0")
ICONS = "https://cdn.jsdelivr.net/"  # Voila's template asks there for icons that ipywidgets brings along
# Boxes whose content is wider than they are: these would have a scroll bar of their own, or cut something off.
TOO_WIDE = """() => [document.documentElement, ...document.querySelectorAll('.maam-app, .maam-app .widget-box')]
    .filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => [box.scrollWidth, box.clientWidth,
        ...[...box.children].map((child) => `${child.className} ${child.offsetWidth}`)])"""
NAMELESS = """() => [...document.querySelectorAll('.noUi-handle')].filter((h) => !h.getAttribute('aria-label')).length
    + [...document.querySelectorAll('img.widget-image')].filter((img) => !img.alt).length"""


@pytest.fixture
def folder(tmp_path: Path, scene_root: Path, finished_run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the app, set to the small scene and run, and its settings; its cache of error maps is empty."""
    monkeypatch.setenv("MPLCONFIGDIR", mpl.get_cachedir())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(finished_run.folder, tmp_path / "runs" / "finished")
    values = {"root": str(scene_root), "run": str(finished_run.folder), "runs": str(tmp_path / "runs")}
    made = with_values(NAME, values, tmp_path / "notebooks")
    shutil.copy(NOTEBOOK_FOLDER / "voila.json", made)
    return made


@pytest.mark.parametrize(("width", "height"), [(900, 800), (390, 844)], ids=["900", "390"])
def test_every_tab_opens_and_answers(width: int, height: int, folder: Path, window: Any, tmp_path: Path) -> None:
    window.set_viewport_size({"width": width, "height": height})
    errors = listened_to(window)
    with served("voila", VOILA, folder) as address:
        window.goto(address, wait_until="commit")
        page = PlaygroundPage(window, SCREENSHOTS, f"app-{width}")
        page.number("AUC, whole set").wait_for()
        if width >= 900:
            last = window.get_by_role("button", name="back to the recipe").bounding_box()
            assert last["y"] + last["height"] < height, "all controls without scrolling"
        fits(page, "scores")
        moves_scores(page)
        opens(page, "Memory")
        page.number("support items of this query").wait_for()
        fits(page, "memory")
        looks_into_the_memory(page, picture=1)  # after the frame to click on
        opens(page, "Training")
        window.get_by_role("button", name="start training").wait_for()
        fits(page, "training")
        if width >= 900:
            shutil.rmtree(tmp_path / "runs" / "finished")  # the one that it looks for is the one that it starts
            trains(page, tmp_path / "runs")
        opens(page, "Compare runs")
        window.locator(".widget-select-multiple:visible select").select_option(index=0)
        window.get_by_role("rowheader", name="AUC appearance").wait_for()
        fits(page, "runs")
        assert window.get_by_role("slider", name="patch height", exact=True, include_hidden=True).count() == 1
    assert errors == []


def listened_to(page: Any) -> list[str]:
    """What the page will complain about in its console; icons of a network that is not there aside."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda said: (
            errors.append(said.text) if said.type == "error" and not said.location["url"].startswith(ICONS) else None
        ),
    )
    return errors


def opens(page: PlaygroundPage, tab: str) -> None:
    """Choose a tab of the app."""
    page.page.get_by_role("tab", name=tab, exact=True).click()


def fits(page: PlaygroundPage, what: str) -> None:
    """Nothing is wider than its box, every slider and picture has a name; a screenshot."""
    page.keep(what)
    assert page.page.evaluate(TOO_WIDE) == []
    page.page.wait_for_function(f"() => ({NAMELESS})() === 0")
