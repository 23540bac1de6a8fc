"""The kernel that a report's notebooks run in: this Python, with sockets and files of its own (ours)."""

import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_client import kernelspec
from jupyter_client.manager import AsyncKernelManager
from traitlets import default
from traitlets.config import Config

LONGEST_SOCKET = 103  # bytes of a socket's path on macOS; Linux takes 107
SHORT_FOLDER = "/tmp"  # for the sockets, where TMPDIR is too long


class OwnKernel(AsyncKernelManager):
    """Starts the kernel `python3` in the Python of this process, whatever kernels this machine has of that name."""

    @default("kernel_spec_manager")
    def _kernel_spec_manager_default(self) -> kernelspec.KernelSpecManager:
        return kernelspec.KernelSpecManager(kernel_dirs=[])


@contextmanager
def private_files() -> Iterator[Config]:
    """Settings of one kernel: it talks through sockets, and leaves its connection file, in a folder of its own.

    So two reports at once never collide on a port, and Jupyter's own folders need not be writable. Where no folder has
    a name short enough for sockets, or the system has none, the kernel takes free ports of this machine.
    """
    usual = tempfile.gettempdir()
    short = [place for place in (usual, SHORT_FOLDER) if os.access(place, os.W_OK) and _fits(f"{place}/maam-12345678")]
    with tempfile.TemporaryDirectory(prefix="maam-", dir=short[0] if short else usual) as folder:
        config = Config()
        config.KernelManager.connection_file = str(Path(folder) / "kernel.json")
        if short and hasattr(socket, "AF_UNIX"):
            config.KernelManager.transport = "ipc"
            config.KernelManager.ip = f"{folder}/k"
        yield config


def _fits(folder: str) -> bool:
    """Whether the name of a socket in a folder is not too long."""
    return len(os.fsencode(f"{folder}/k-1")) <= LONGEST_SOCKET


def foreign_program(spec: kernelspec.KernelSpec) -> str | None:
    """The program that a kernel is started with, where that is not the Python of this process; else None."""
    program = next(iter(spec.argv), "")
    if re.fullmatch(rf"python({sys.version_info[0]}(\.{sys.version_info[1]})?)?", program):
        return None  # Jupyter takes the Python that it runs in itself
    ours, theirs = Path(sys.executable), Path(shutil.which(program) or program)
    # Environments share one file by links, each from its own folder, and a folder may hold several versions.
    same = (theirs.parent.resolve(), theirs.resolve()) == (ours.parent.resolve(), ours.resolve())
    return None if same else program
