"""In the process of a command: counts its changes of the file system, and strikes at one of them."""

import errno
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

# At change number N: "kill" just before it; "torn" in the midst of the N-th write, half of which is on the disk by
# then; "interrupt" is Ctrl-C; "full" means no space left from there on; "stop" halts the process until it is continued.
Action = Literal["count", "kill", "torn", "interrupt", "full", "stop"]

# Python's audit events of a change -> the place of each path among the arguments, with that of its folder descriptor.
_PATHS = {
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.mkdir": ((0, 2),),
    "os.rmdir": ((0, 1),),
    "os.remove": ((0, 1),),
    "os.truncate": ((0, None),),
    "open": ((0, None),),
}
_NEED_SPACE = ("open", "os.mkdir", "os.link", "os.symlink")
_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_WRITERS = {"write", "writelines", "truncate"}  # methods of open files
_FOREIGN_WRITERS = {"serialize_file", "tofile"}  # of safetensors and NumPy: they write without an audit event


@dataclass(frozen=True)
class Strike:
    """What happens to a command at one of its changes of the file system below `folder`."""

    folder: Path
    action: Action = "count"
    number: int = 0  # counted from 1
    elsewhere: tuple[Path, ...] = ()  # folders that may be written to as well, uncounted: caches


class _Watch:
    def __init__(self, strike: Strike, log: int):
        self.strike, self.log = strike, log
        self.inside = str(strike.folder)
        self.allowed = (*map(str, strike.elsewhere), "/dev", "/proc")
        self.count = 0
        self.sizes: dict[str, int] = {}  # of files being written, for "torn"
        self.process = os.getpid()

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _PATHS or os.getpid() != self.process or (event == "open" and not _opens_to_write(arguments)):
            return
        paths = [path for place, at in _PATHS[event] if (path := _full_path(arguments, place, at)) is not None]
        for path in paths:
            if not _below(path, self.inside) and not any(_below(path, folder) for folder in self.allowed):
                self.tell(f"OUTSIDE {event} {path}")
        if not any(_below(path, self.inside) for path in paths):
            return
        if self.strike.action != "torn":
            self.change(event, paths[-1])

    def profile(self, _: FrameType, event: str, function: Any) -> None:
        """For "torn": the calls of built-in functions, after they have returned."""
        if event != "c_return" or os.getpid() != self.process:
            return
        name, owner = function.__name__, getattr(function, "__self__", None)
        if name in _FOREIGN_WRITERS:
            self.change(name, "")
        path = getattr(owner, "name", None) if name in _WRITERS else None
        if isinstance(path, str) and _below(os.path.abspath(path), self.inside):
            owner.flush()
            before, self.sizes[path] = self.sizes.get(path, 0), os.path.getsize(path)
            if self.count + 1 == self.strike.number:
                os.truncate(path, (before + self.sizes[path]) // 2)
            self.change(name, path)

    def change(self, event: str, path: str) -> None:
        self.count += 1
        self.tell(f"{self.count} {event} {path}")
        action = self.strike.action
        if action == "full" and self.count >= self.strike.number and event in _NEED_SPACE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        if self.count != self.strike.number:
            return
        if action in ("kill", "torn"):
            os.kill(os.getpid(), signal.SIGKILL)
        elif action == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
        elif action == "stop":
            self.tell("STOPPED")
            os.kill(os.getpid(), signal.SIGSTOP)

    def tell(self, line: str) -> None:
        os.write(self.log, os.fsencode(line.replace("\n", "?")) + b"\n")


def arm(strike: Strike, log: int) -> None:
    """Watch this process from now on; each change is a line in the open file `log`. It cannot be undone."""
    watch = _Watch(strike, log)
    if strike.action == "torn":
        threading.setprofile(watch.profile)
        sys.setprofile(watch.profile)
    sys.addaudithook(watch.audit)


def _opens_to_write(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _TO_WRITE)


def _full_path(arguments: tuple[Any, ...], place: int, at: int | None) -> str | None:
    """The absolute path of an argument; None for an open file's number."""
    path = arguments[place]
    if isinstance(path, int):
        return None
    path = os.fsdecode(path)
    folder = arguments[at] if at is not None and at < len(arguments) else -1
    if not os.path.isabs(path) and isinstance(folder, int) and folder >= 0:
        path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)  # shutil.rmtree works so, on Linux
    return os.path.abspath(path)


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)
