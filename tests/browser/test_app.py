"""The app of `make app` in Voila: every tab opens and answers, on a small window and on a phone, without an error."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from maam_lib.report.notebooks import NOTEBOOK_FOLDER
from maam_lib.training.runs import RunFolder
from tests.browser.playground_page import SCREENSHOTS, PlaygroundPage
from tests.browser.servers import served
from tests.browser.test_playground import looks_into_the_memory, moves_scores, trains, with_values
from tests.browser_checks import by_tab, focus_unseen, low_contrast, nameless, too_wide
from tests.conftest import tiny_recipe

pytest_plugins = ("tests.browser.real_browser",)  # its fixtures: `chromium` and `window`
pytestmark = pytest.mark.browser
REPO = NOTEBOOK_FOLDER.parent
NAME = "app.ipynb"
LOOK = REPO / "maam_lib" / "playground"  # where `make app` lets Voila look for its page
VOILA = (NAME, "--template=app", "--port={port}", "--Voila.port_retries=0")
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
    monkeypatch.setenv("JUPYTER_PATH", str(LOOK))
    shutil.copytree(finished_run.folder, tmp_path / "runs" / "finished")
    values = {"root": str(scene_root), "run": str(finished_run.folder), "runs": str(tmp_path / "runs")}
    made = with_values(NAME, values, tmp_path / "notebooks")
    shutil.copy(NOTEBOOK_FOLDER / "voila.json", made)
    return made


@pytest.mark.parametrize(("width", "height"), [(900, 800), (390, 844)], ids=["900", "390"])
def test_every_tab_opens_and_answers(width: int, height: int, folder: Path, window: Any, tmp_path: Path) -> None:
    window.set_viewport_size({"width": width, "height": height})
    errors, elsewhere = listened_to(window), asked_elsewhere(window)
    with served("voila", VOILA, folder) as address:
        window.goto(address, wait_until="commit")
        window.get_by_role("status").filter(has_text="loading the kit").wait_for()
        page = PlaygroundPage(window, SCREENSHOTS, f"app-{width}")
        page.number("AUC, whole set").wait_for()
        window.locator("#loading").wait_for(state="hidden")
        if width >= 900:
            last = window.get_by_role("button", name="back to the recipe").bounding_box()
            assert last["y"] + last["height"] < height, "all controls without scrolling"
        fits(page, "scores")
        assert page.picture(0).get_attribute("alt").startswith("One frame with alarm and truth")
        moves_scores(page)
        opens_by_keys(page, "Memory")
        page.number("support items of this query").wait_for()
        fits(page, "memory")
        described = {
            "The frame, to be clicked on",
            "Bars of the items that answer the chosen query; below, where else each of them answers",
        }
        assert {page.picture(place).get_attribute("alt") for place in (0, 1)} == described
        looks_into_the_memory(page, picture=1)  # after the frame to click on
        opens(page, "Training")
        window.get_by_role("option", name=f"{tiny_recipe().name} (shown here)", selected=True).wait_for(
            state="attached"
        )
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
    assert elsewhere == []


def test_make_app_gives_voila_this_page() -> None:
    printed = subprocess.run(["make", "--dry-run", "app"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    assert f"JUPYTER_PATH={LOOK} " in printed
    assert "--template=app" in printed
    assert (LOOK / "voila" / "templates" / "app" / "index.html.j2").is_file()
    settings = json.loads((NOTEBOOK_FOLDER / "voila.json").read_text(encoding="utf-8"))
    assert settings["MappingKernelManager"]["cull_idle_timeout"] > 0, "else each closed page leaves its Python running"


def asked_elsewhere(page: Any) -> list[str]:
    """What the page will ask of other hosts than this one."""
    found: list[str] = []
    here = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(here) else found.append(request.url))
    page.on("websocket", lambda socket: None if socket.url.startswith(here) else found.append(socket.url))
    return found


def listened_to(page: Any) -> list[str]:
    """What the page will complain about in its console."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    return errors


def opens(page: PlaygroundPage, tab: str) -> None:
    """Choose a tab of the app."""
    page.page.get_by_role("tab", name=tab, exact=True).click()


def opens_by_keys(page: PlaygroundPage, tab: str) -> None:
    """Choose the tab after the first with the keyboard alone."""
    page.page.get_by_role("tab").first.focus()
    page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("Enter")
    assert page.page.get_by_role("tab", name=tab, exact=True).get_attribute("aria-selected") == "true"


def fits(page: PlaygroundPage, what: str) -> None:
    """Nothing is wider than its box, all can be read and is named, and the focus is seen; a screenshot."""
    window = page.page
    page.keep(what)
    assert window.evaluate(TOO_WIDE) == []
    assert too_wide(window) == []
    window.wait_for_function(f"() => ({NAMELESS})() === 0")
    assert nameless(window) == []
    for scheme in ("dark", "light"):
        window.emulate_media(color_scheme=scheme)
        assert low_contrast(window) == [], scheme
    assert focus_unseen(window) == []
    assert len(by_tab(window)) < 40, "what the mouse alone is for is no stop"
