"""Starts Jupyter's own programs for a test, each with files of its own, and ends them."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def served(program: str, options: tuple[str, ...], folder: Path) -> Iterator[str]:
    """A program (a module's name) at work in a folder, its log beside it; gives its address."""
    port = _free_port()
    command = [sys.executable, "-m", program, *(option.format(port=port) for option in options)]
    with (folder.parent / f"{program}.log").open("w") as log:
        environment = _private_environment(folder.parent)
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


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
