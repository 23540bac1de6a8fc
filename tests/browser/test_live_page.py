"""The player of a scored video in JupyterLab, driven in a real Chromium: picture and curve move together."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from maam_lib.detection import detect
from maam_lib.detector import Detector, TrainingScores
from maam_lib.footage import Footage, Frame
from maam_lib.reporting import NOTEBOOK_FOLDER

pytestmark = pytest.mark.browser
PROJECT = Path(__file__).parents[2]
PATIENCE = 120_000  # milliseconds; a busy machine needs 80 s
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
READY = """() => {
    const panel = window.jupyterapp?.shell?.currentWidget;
    return panel?.context?.isReady && panel.context.sessionContext?.isReady
        && panel.context.sessionContext.session?.kernel?.status === 'idle';
}"""
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
def chromium() -> str:
    """The browser's path; skips before anything is started where it, or playwright, is missing."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on this machine")
    return found


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A scored video of 40 frames that grow brighter."""
    settings = {"recipe": "none", "epoch": 0, "trained_on": "nothing", "frame_size": (48, 64), "channels": 1,
                "flow": "dis", "patch": (12, 8), "stride": (3, 2), "padding": "same", "psi": 0.5,
                "threshold": 1e6}  # fmt: skip
    detector = Detector(**settings, training=TrainingScores(100, 0.0, 100.0, 90.0, 5.0))

    def brightness(frames: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sums = np.repeat(frames.mean(axis=(1, 2, 3), dtype=np.float32), 16 * 32).reshape(-1, 16, 32)
        return sums, sums

    frames = (Frame(t, t / 5, np.full((48, 64, 3), 6 * t, np.uint8), 0.0) for t in range(41))
    detect(detector, brightness, Footage("made", False, 5, 41, (48, 64), [], frames), tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def lab(tmp_path: Path, chromium: str, result: Path) -> Iterator[str]:
    """The address of a JupyterLab with a notebook of the player alone, its cell as in 08_your_camera."""
    chapter = nbformat.read(NOTEBOOK_FOLDER / "08_your_camera.ipynb", as_version=4)
    [player] = [c.source for c in chapter.cells if "skip-execution" in c.metadata.get("tags", [])]
    opening = f"from maam_lib.playback import Playback\nplayback = Playback({str(result)!r})"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    (tmp_path / "notebooks").mkdir()
    notebook = new_notebook(cells=[new_code_cell(opening), new_code_cell(player)], metadata=kernel)
    nbformat.write(notebook, tmp_path / "notebooks" / "live.ipynb")
    port, token = free_port(), "for-this-test-only"
    own = {name: str(tmp_path / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR",
                                                   "IPYTHONDIR")}  # fmt: skip
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
               f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}",
               "--LabApp.expose_app_in_browser=True", f"--ServerApp.root_dir={tmp_path / 'notebooks'}"]  # fmt: skip
    with (tmp_path / "lab.log").open("wb") as log:
        environment = os.environ | own | {"PYTHONPATH": str(PROJECT)}
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(port, server, tmp_path / "lab.log")
            yield f"http://127.0.0.1:{port}/lab/tree/live.ipynb?token={token}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int, server: subprocess.Popen, log: Path) -> None:
    """Until the server answers; fails with its log where it ends instead."""
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail(f"JupyterLab did not answer: {log.read_text()}")


def test_picture_and_curve_move_together(lab: str, chromium: str, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.goto(lab)
        page.wait_for_function(READY, timeout=PATIENCE)
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
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
        page.screenshot(path=str(tmp_path / "player.png"))
        browser.close()
