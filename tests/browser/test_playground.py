"""The playground as a user meets it: run all, move sliders, click on the frame, start and stop a training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import NAME, SCREENSHOTS
from playground_page import PlaygroundPage

TOKEN = "playground"
LAB = (
    "--no-browser",
    "--allow-root",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port={port}",
    "--ServerApp.port_retries=0",
    f"--IdentityProvider.token={TOKEN}",
    "--LabApp.expose_app_in_browser=True",
)
VOILA = (NAME, "--port={port}", "--Voila.port_retries=0")


def open_lab(page: Any, address: str) -> PlaygroundPage:
    """The notebook in JupyterLab, all its cells run."""
    _go(page, f"{address}/lab/tree/{NAME}?token={TOKEN}&reset")
    page.wait_for_function("window.jupyterapp && window.jupyterapp.shell.currentWidget?.context?.isReady")
    page.wait_for_function("window.jupyterapp.shell.currentWidget.sessionContext.isReady")
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.info")
    page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    return PlaygroundPage(page, SCREENSHOTS, "lab")


def open_voila(page: Any, address: str) -> PlaygroundPage:
    """The app."""
    _go(page, address)
    return PlaygroundPage(page, SCREENSHOTS, "voila")


def _go(page: Any, address: str) -> None:
    """Open an address as soon as its server answers."""
    for _ in range(600):
        try:
            page.goto(address, wait_until="commit")
            return
        except Exception as error:  # playwright's own error, which cannot be named where playwright is absent
            if "ERR_CONNECTION_REFUSED" not in str(error):
                raise
            page.wait_for_timeout(200)
    raise AssertionError(f"no server at {address}")


@pytest.mark.parametrize(
    ("program", "options", "open_page"),
    [("jupyterlab", LAB, open_lab), ("voila", VOILA, open_voila)],
    ids=["lab", "voila"],
)
def test_the_playground_answers(
    program: str, options: tuple[str, ...], open_page: Callable, served: Callable, window: Any, tmp_path: Path
) -> None:
    with served(program, *options) as address:
        page = open_page(window, address)
        moves_scores(page)
        looks_into_the_memory(page)
        trains(page, tmp_path / "runs")


def moves_scores(page: PlaygroundPage) -> None:
    """psi, patch and frame by keyboard: numbers and picture follow; the rule takes back what a hand had set."""
    assert page.number("AUC, whole set").startswith("0.")
    assert page.is_checked("calibrated on training errors", 0), "at first psi is calibrated"
    page.changes(lambda: page.number("psi"), lambda: page.press("psi", "ArrowLeft", 3))
    assert not page.is_checked("calibrated on training errors", 0), "moved by hand"
    page.changes(lambda: page.number("threshold"), lambda: page.press("patch height", "ArrowRight", 2))
    page.changes(lambda: page.picture(0), lambda: page.press("frame", "ArrowLeft"))
    assert page.is_checked("calibrated on training errors", 1), "the threshold was not moved by hand"
    page.keep("scores")
    page.changes(lambda: page.number("psi"), lambda: page.page.get_by_role("button", name="back to the recipe").click())


def looks_into_the_memory(page: PlaygroundPage) -> None:
    """A click on the frame asks another query; the temperature changes the answer."""
    place = page.page.get_by_title("query in row 0, column 1", exact=True)
    page.changes(lambda: page.picture(2), place.click)
    page.changes(lambda: page.number("support items of this query"), lambda: page.press("temperature", "ArrowLeft", 20))
    page.keep("memory")


def trains(page: PlaygroundPage, runs: Path) -> None:
    """A setting out of its bounds is refused in words; a training starts, shows its epochs, and is stopped."""
    page.fill("model", "temperature", "0")
    page.until(lambda: "input should be greater than 0" in page.page.content(), "the refusal of a temperature of 0")
    page.fill("model", "temperature", "1")
    page.fill("training", "epochs", "500")
    page.until(lambda: "training.epochs=500" in page.page.content(), "the setting as a word of the command line")
    page.page.get_by_role("button", name="start training").click()
    page.until(lambda: page.status().startswith("training: epoch") and "epoch 0" not in page.status(), "an epoch")
    page.keep("training")
    page.page.locator("button.jupyter-button", has_text="stop").click()
    page.until(lambda: page.status().startswith("stopped:"), "the end of the training")
    [history] = runs.glob("*/history.csv")
    assert 1 <= len(pd.read_csv(history)) < 500, "finished epochs are kept"
    assert "kept in" in page.status()
