"""Tasks for the workers of `test_cluster`, in a module that they import quickly."""

import os
from pathlib import Path


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


def killed_always(item: int) -> None:
    """Ends its own process."""
    os._exit(1)
