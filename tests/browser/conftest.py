"""A real Chromium, the real JupyterLab and the real Voila, on a copy of the playground with a small run."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

from maam_lib.reporting import NOTEBOOK_FOLDER
from maam_lib.runs import RunFolder

SCREENSHOTS = Path(__file__).parent / "screenshots"
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
WINDOW = {"width": 1360, "height": 1000}
PATIENCE = 120_000  # milliseconds: the machine may be busy
NAME = "07_playground.ipynb"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """A headless Chromium; skips where there is none, or no playwright to drive it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not found:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found[0], args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def window(chromium: object, request: pytest.FixtureRequest) -> Iterator[object]:
    """An empty page; what it shows at the end is kept as a screenshot named after the test."""
    SCREENSHOTS.mkdir(exist_ok=True)
    context = chromium.new_context(viewport=WINDOW)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    yield page
    page.screenshot(path=SCREENSHOTS / f"{request.node.name}-end.png")
    context.close()


@pytest.fixture
def playground(tmp_path: Path, scene_root: Path, finished_run: RunFolder) -> Path:
    """A folder with the notebook, set to the small scene and run, and the app's settings beside it."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    notebook = nbformat.read(NOTEBOOK_FOLDER / NAME, as_version=4)
    [cell] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    values = {"root": str(scene_root), "run": str(finished_run.folder), "runs": str(tmp_path / "runs")}
    cell.source += "".join(f"\n{name} = {value!r}" for name, value in values.items())
    nbformat.write(notebook, folder / NAME)
    shutil.copy(NOTEBOOK_FOLDER / "voila.json", folder)
    return folder


@pytest.fixture
def served(playground: Path, tmp_path: Path) -> Callable:
    """Starts a Jupyter program in the folder of the playground; gives its address, and ends it."""

    @contextmanager
    def serve(program: str, *options: str) -> Iterator[str]:
        port = _free_port()
        log = (tmp_path / f"{program}.log").open("w")
        command = [sys.executable, "-m", program, *(option.format(port=port) for option in options)]
        server = subprocess.Popen(
            command, cwd=playground, env=_private_environment(tmp_path), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)
            log.close()

    return serve


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _private_environment(folder: Path) -> dict[str, str]:
    """This process's environment, with Jupyter's own files in a folder of the test and this project importable."""
    places = {
        name: str(folder / "jupyter" / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    return os.environ | places | {"PYTHONPATH": str(Path(__file__).parents[2])}
