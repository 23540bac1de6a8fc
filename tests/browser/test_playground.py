"""The playground in JupyterLab, as a user meets it: run all, move sliders, click on the frame, train and stop."""

from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

from maam_lib.report.notebooks import NOTEBOOK_FOLDER
from maam_lib.training.runs import RunFolder
from tests.browser.playground_page import SCREENSHOTS, PlaygroundPage
from tests.browser.servers import LAB, run_all_in_lab, served

pytest_plugins = ("tests.browser.real_browser",)  # its fixtures: `chromium` and `window`
pytestmark = pytest.mark.browser
NAME = "07_playground.ipynb"


@pytest.fixture
def playground(tmp_path: Path, scene_root: Path, finished_run: RunFolder) -> Path:
    """A folder with the notebook, set to the small scene and run."""
    values = {"root": str(scene_root), "run": str(finished_run.folder), "runs": str(tmp_path / "runs")}
    return with_values(NAME, values, tmp_path / "notebooks")


def with_values(name: str, values: dict[str, str], folder: Path) -> Path:
    """A folder with one of the notebooks, some of its parameters set."""
    notebook = nbformat.read(NOTEBOOK_FOLDER / name, as_version=4)
    [cell] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    cell.source += "".join(f"\n{parameter} = {value!r}" for parameter, value in values.items())
    folder.mkdir()
    nbformat.write(notebook, folder / name)
    return folder


def open_lab(page: Any, address: str) -> PlaygroundPage:
    """The notebook in JupyterLab, all its cells run."""
    run_all_in_lab(page, address, NAME)
    page.get_by_role("button", name="start training").wait_for()  # in the last cell with widgets
    return PlaygroundPage(page, SCREENSHOTS, "lab")


def test_the_playground_answers(playground: Path, window: Any, tmp_path: Path) -> None:
    with served("jupyterlab", LAB, playground) as address:
        page = open_lab(window, address)
        moves_scores(page)
        looks_into_the_memory(page, picture=2)  # after that of the scores, and the frame to click on
        trains(page, tmp_path / "runs")


def moves_scores(page: PlaygroundPage) -> None:
    """psi, patch and frame by keyboard: numbers and picture follow; the rule takes back what a hand had set."""
    assert page.number("AUC, whole set").text_content().startswith("0.")
    assert page.is_checked("calibrated on training errors", 0), "at first psi is calibrated"
    page.changes(page.number("psi"), lambda: page.press("psi", "ArrowLeft", 3))
    assert not page.is_checked("calibrated on training errors", 0), "moved by hand"
    page.changes(page.number("threshold"), lambda: page.press("patch height", "ArrowRight", 2))
    page.changes(page.picture(0), lambda: page.press("frame", "ArrowLeft"))
    assert page.is_checked("calibrated on training errors", 1), "the threshold was not moved by hand"
    page.keep("scores")
    page.changes(page.number("psi"), lambda: page.page.get_by_role("button", name="back to the recipe").click())


def looks_into_the_memory(page: PlaygroundPage, picture: int) -> None:
    """A click on the frame asks another query; the temperature changes the answer in the picture of that place."""
    place = page.page.get_by_title("query in row 0, column 1", exact=True)
    page.changes(page.picture(picture), place.click)
    page.changes(page.number("support items of this query"), lambda: page.press("temperature", "ArrowLeft", 20))
    page.keep("memory")


def trains(page: PlaygroundPage, runs: Path) -> None:
    """A setting out of its bounds is refused in words; a training starts, shows its epochs, and is stopped."""
    page.fill("model", "temperature", "0")
    page.says(r".*input should be greater than 0")
    page.fill("model", "temperature", "1")
    page.fill("training", "epochs", "500")
    page.says(r"differs from the recipe: .*training\.epochs=500")
    page.page.get_by_role("button", name="start training").click()
    page.says(r"training: epoch [1-9]")
    page.keep("training")
    page.page.locator("button.jupyter-button", has_text="stop").click()
    stopped = page.says("stopped:")
    [history] = runs.glob("*/history.csv")
    assert 1 <= len(pd.read_csv(history)) < 500, "finished epochs are kept"
    assert "kept in" in stopped.text_content()
