"""Tasks for the workers of `test_cluster`, in a module that they import quickly."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from maam_lib.grid.runner import Task


def process_of(item: int, failing: int | None = None) -> int:
    """The process that it runs in; ValueError for the item that is to fail."""
    if item == failing:
        raise ValueError(f"item {item}")
    return os.getpid()


def killed_unless(marker: Path, item: int) -> int:
    """Ends its own process the first time; the second time the marker is there."""
    if marker.exists():
        return item
    marker.touch()
    os._exit(1)


def returns_unless(lock: Path, item: str) -> str:
    """The item; "never" not while somebody holds the lock."""
    with FileLock(lock) if item == "never" else nullcontext():
        return item


def killed_always(item: int) -> None:
    """Ends its own process."""
    os._exit(1)


def cell_killed_after_an_epoch(task: "Task") -> str:
    """A cell of a sweep whose process ends after the first epoch of "no-memory", the first time."""
    from maam_lib.grid.runner import run_cell
    from maam_lib.training.runs import RunFolder

    save, marker = RunFolder.save_epoch, task.home / "killed"

    def save_and_end(run: RunFolder, *given: object) -> None:
        save(run, *given)
        if task.cell.variant == "no-memory" and not marker.exists():
            marker.touch()
            os._exit(9)

    RunFolder.save_epoch = save_and_end
    try:
        return run_cell(task)
    finally:
        RunFolder.save_epoch = save
