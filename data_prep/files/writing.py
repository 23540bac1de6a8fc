"""Writing so that nothing is ever lost: aside first, renamed when whole; and one writer at a time."""

import errno
import json
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2s
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

LONGEST_ASIDE = 86_400  # seconds after which a temporary file of another machine is taken for litter
_ASIDE = re.compile(r"\..*\.([0-9a-f]{8})\.(\d+)\.aside")


class DiskFullError(OSError):
    """No space left while writing; what stood there before is untouched."""


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes when it fails.

    What killed processes left of earlier tries is deleted first. Raises DiskFullError, which names the file, and
    FileExistsError where the path is anything but a file, as a folder or a device.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path}: is not a plain file, so nothing is written to it; name another")
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_asides(path.parent)
    aside = aside_of(path)
    try:
        yield aside
        aside.replace(path)
    except BaseException as error:  # also Ctrl-C: nothing half-written stays
        remove(aside)
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if full or "No space left on device" in str(error):  # as some libraries wrap it
            remedy = "free some space and run the same command again"
            raise DiskFullError(f"{path}: the disk is full; nothing was replaced. {remedy}") from error
        raise


@contextmanager
def folder_aside(folder: Path, busy: Exception) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its place when the block ends well, and vanishes when it fails.

    Two renames do it, so a kill between them leaves the earlier folder as `.NAME.old`: the next call puts it back
    first. Raises `busy` where another process is at it.
    """
    folder = Path(folder)
    aside, old = aside_of(folder), folder.with_name(f".{folder.name}.old")
    lock = folder.with_name(f".{folder.name}.lock")
    with alone(lock, busy):
        put_back(folder)
        clear_asides(folder.parent)
        try:
            aside.mkdir()
            yield aside
            if folder.exists():
                folder.rename(old)
            aside.rename(folder)
            remove(old)
        except BaseException:  # also Ctrl-C
            remove(aside)
            put_back(folder)
            raise
        finally:
            remove(lock)  # it lies among a user's own files


def put_back(folder: Path) -> None:
    """End what a kill has interrupted while `folder` was replaced: one whole folder stays, the new or the old one."""
    old = folder.with_name(f".{folder.name}.old")
    if old.is_dir() and not folder.exists():
        old.rename(folder)
    remove(old)


def aside_of(path: Path) -> Path:
    """Where this process writes what will become `path`, a file or a folder: hidden, in the same folder."""
    name = os.fsdecode(os.fsencode(path.name)[:150])  # a name may have 255 bytes, the end of this one included
    return path.with_name(f".{name}.{_this_machine()}.{os.getpid()}.aside")


def is_aside(name: str) -> bool:
    """Whether a file's name is one that `aside_of` gives."""
    return _ASIDE.fullmatch(name) is not None


def clear_asides(folder: Path) -> None:
    """Delete the temporary files and folders in `folder` whose process is gone; those of living ones stay.

    Of a process on another machine nothing is known: what it wrote is litter after a day.
    """
    for path in folder.glob(".*.aside"):
        if (match := _ASIDE.fullmatch(path.name)) and _is_litter(path, machine=match[1], pid=int(match[2])):
            remove(path)


def remove(path: Path) -> None:
    """Delete a file or a whole folder; nothing happens where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def alone(lock_file: Path, busy: Exception) -> Iterator[None]:
    """Hold a lock for the length of the block; raises `busy` where another process holds it.

    The system takes the lock back from a process that ends in any way, so a lock is never left behind.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(lock_file).acquire(timeout=0)
    except Timeout:
        raise busy from None
    with held:
        yield


@contextmanager
def in_turn(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock `.NAME.lock` beside a file or folder; where another process holds it, say so and wait for it.

    The lock file is removed at the end, while it is held: filelock starts anew where it has locked a removed file.
    doing: what the two would do at once, such as "written", for the line on stderr.
    """
    lock_file = path.with_name(f".{path.name}.lock")
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"maam: {path} is being {doing} by another process; waiting for it to end", file=sys.stderr, flush=True)
        lock.acquire(timeout=-1)
    try:
        yield
    finally:
        with suppress(PermissionError):  # Windows, which removes no open file
            lock_file.unlink(missing_ok=True)
        lock.release()


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, aside first."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, indented and with a final newline, aside first."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _this_machine() -> str:
    return blake2s(platform.node().encode(), digest_size=4).hexdigest()


def _is_litter(path: Path, *, machine: str, pid: int) -> bool:
    try:
        written = path.lstat().st_mtime
        if machine != _this_machine():
            return time.time() - written > LONGEST_ASIDE
        return psutil.Process(pid).create_time() > written + 1  # the number has gone to a newer process
    except psutil.NoSuchProcess:
        return True
    except (OSError, psutil.Error):  # gone already, or not ours to know
        return False
