"""The player of a scored video in JupyterLab, driven in a real Chromium: picture and curve move together."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from maam_lib.detector import Detector, TrainingScores
from maam_lib.report.notebooks import NOTEBOOK_FOLDER
from maam_lib.video.detection import detect
from maam_lib.video.trouble import Footage, Frame
from tests.browser.servers import LAB, run_all_in_lab, served

pytest_plugins = ("tests.browser.real_browser",)  # its fixtures: `chromium` and `window`
pytestmark = pytest.mark.browser
NAME = "live.ipynb"
PIXELS = """() => {
    const picture = document.querySelector('img.widget-image');
    if (!picture?.complete || !picture.naturalWidth) return null;
    const canvas = document.createElement('canvas');
    canvas.width = picture.naturalWidth; canvas.height = picture.naturalHeight;
    const context = canvas.getContext('2d');
    context.drawImage(picture, 0, 0);
    const row = context.getImageData(0, canvas.height - 10, canvas.width, 1).data;
    const shades = Array.from({length: canvas.width}, (_, x) => row[4 * x]);
    const corner = context.getImageData(160, 120, 1, 1).data;
    return {cursor: shades.indexOf(Math.min(...shades)), brightness: corner[0]};
}"""  # where the dark line in the curve stands, and how bright the picture's middle is


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A scored video of 40 frames that grow brighter."""
    settings = {
        "recipe": "none",
        "epoch": 0,
        "trained_on": "nothing",
        "frame_size": (48, 64),
        "channels": 1,
        "flow": "dis",
        "patch": (12, 8),
        "stride": (3, 2),
        "padding": "same",
        "psi": 0.5,
        "threshold": 1e6,
    }
    detector = Detector(**settings, training=TrainingScores(100, 0.0, 100.0, 90.0, 5.0))

    def brightness(frames: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sums = np.repeat(frames.mean(axis=(1, 2, 3), dtype=np.float32), 16 * 32).reshape(-1, 16, 32)
        return sums, sums

    frames = (Frame(t, t / 5, np.full((48, 64, 3), 6 * t, np.uint8), 0.0) for t in range(41))
    detect(detector, brightness, Footage("made", False, 5, 41, (48, 64), [], frames), tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def lab(tmp_path: Path, window: Any, result: Path) -> Iterator[str]:
    """The address of a JupyterLab with a notebook of the player alone, its cell as in 08_your_camera."""
    chapter = nbformat.read(NOTEBOOK_FOLDER / "08_your_camera.ipynb", as_version=4)
    [player] = [c.source for c in chapter.cells if "skip-execution" in c.metadata.get("tags", [])]
    opening = f"from maam_lib.video.playback import Playback\nplayback = Playback({str(result)!r})"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(new_notebook(cells=[new_code_cell(opening), new_code_cell(player)], metadata=kernel), folder / NAME)
    with served("jupyterlab", LAB, folder) as address:
        yield address


def test_picture_and_curve_move_together(lab: str, window: Any) -> None:
    page = window
    run_all_in_lab(page, lab, NAME)
    page.wait_for_selector("img.widget-image")
    first = page.wait_for_function(PIXELS).json_value()  # null, so waited for, while a picture is being decoded
    assert first["cursor"] <= 2
    handle = page.locator(".widget-slider .noUi-handle").first
    handle.focus()
    for _ in range(20):
        handle.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.widget-readout').textContent.trim() === '20'")
    page.wait_for_function(f"() => Math.abs(({PIXELS})()?.cursor - 164) <= 4")
    middle = page.wait_for_function(PIXELS).json_value()
    assert middle["brightness"] == pytest.approx(120, abs=12), "the picture of row 20"
    page.locator(".jupyter-widgets.widget-play button").first.click()
    page.wait_for_function(f"() => ({PIXELS})()?.cursor > 200")
    later = page.wait_for_function(PIXELS).json_value()
    assert later["brightness"] > middle["brightness"], "playing moves both"
