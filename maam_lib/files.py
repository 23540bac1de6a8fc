"""Writing so that nothing is ever lost: aside first, renamed when whole."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class DiskFullError(OSError):
    """No space left while writing; what stood there before is untouched."""


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes when it fails.

    Raises DiskFullError, naming the file, where the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield aside
        os.replace(aside, path)
    except BaseException as error:  # also Ctrl-C: nothing half-written stays
        aside.unlink(missing_ok=True)
        if _disk_is_full(error):
            remedy = "free some space and run the same command again"
            raise DiskFullError(f"{path}: the disk is full; nothing was replaced. {remedy}") from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, aside first."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, indented and with a final newline, aside first."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _disk_is_full(error: BaseException) -> bool:
    """Whether an OSError, or the error of a library that wraps one in its text, means a full disk."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in str(error)
