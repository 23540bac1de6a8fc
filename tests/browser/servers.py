"""Starts Jupyter's own programs for a test, each with files of its own, opens them in a browser, and ends them."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from urllib3 import PoolManager, Retry

TOKEN = "for-this-test-only"
LAB = (
    "--no-browser",
    "--allow-root",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port={port}",
    "--ServerApp.port_retries=0",
    f"--IdentityProvider.token={TOKEN}",
    "--LabApp.expose_app_in_browser=True",
)


@contextmanager
def served(program: str, options: tuple[str, ...], folder: Path) -> Iterator[str]:
    """A program (a module's name) at work in a folder, its log beside it; gives its address once it answers there."""
    port = _free_port()
    command = [sys.executable, "-m", program, *(option.format(port=port) for option in options)]
    address, patient = f"http://127.0.0.1:{port}", Retry(total=None, connect=120, backoff_factor=0.5, backoff_max=0.5)
    with (folder.parent / f"{program}.log").open("wb") as log:
        output = {"stdout": log, "stderr": subprocess.STDOUT}
        with subprocess.Popen(command, cwd=folder, env=_private_environment(folder.parent), **output) as server:
            try:
                PoolManager(retries=patient).request("GET", f"{address}/nothing-is-here")  # it says so once it answers
                yield address
            finally:
                server.terminate()
                server.wait(30)


def run_all_in_lab(page: Any, address: str, notebook: str) -> None:
    """Open a notebook in JupyterLab and run all its cells; its "idle" sign lies, so its own promises are waited for."""
    page.goto(f"{address}/lab/tree/{notebook}?token={TOKEN}&reset", wait_until="commit")
    page.wait_for_function("window.jupyterapp && window.jupyterapp.shell.currentWidget?.context?.isReady")
    page.wait_for_function("window.jupyterapp.shell.currentWidget.sessionContext.isReady")
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.info")
    page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")


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
