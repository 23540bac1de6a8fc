"""The folder that a result is written into: claimed late, never over something, never left empty."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from data_prep.files import DiskFullError
from maam_lib.detector import DetectionError

SPARE_BYTES = 32_000_000  # left free on the disk: enough to finish what is being written


def check_free(out: Path) -> None:
    """Raises DetectionError unless `out` is an empty folder or can become one."""
    if out.exists() and not out.is_dir():
        raise DetectionError(f"{out}: a file; name a folder")
    if out.is_dir() and (strangers := sorted(path.name for path in out.iterdir())):
        raise DetectionError(f"{out}: not empty (found {strangers[0]}); name another folder, so that nothing is lost")


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Make the folder `out`; where the block fails, delete what it wrote there and every folder made for it.

    Raises DetectionError where `out` holds something or cannot be made or written, DiskFullError where its disk is
    nearly full.
    """
    check_free(out)
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        check_room(out)
        yield
    except BaseException as error:
        with suppress(OSError):  # a folder that cannot be made or written, or that others have written into meanwhile
            for path in out.iterdir():
                path.unlink()
            for folder in made:
                folder.rmdir()
        if isinstance(error, OSError) and not isinstance(error, DiskFullError):
            raise DetectionError(
                f"{out}: cannot be written ({error.strerror or error}); name another folder with --out"
            ) from error
        raise


def check_room(out: Path, done: str = "nothing was written") -> None:
    """Raises DiskFullError, saying what is done, where less than SPARE_BYTES are left on the disk of `out`."""
    free = shutil.disk_usage(out).free
    if free < SPARE_BYTES:
        raise DiskFullError(
            f"{out}: {free / 1e6:.0f} MB left on this disk; {done}. Make room, or name an --out on another disk"
        )
