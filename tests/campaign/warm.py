"""Runs `maam` in a fork of this process, which has imported everything: a case takes parts of a second, not five."""

import atexit
import gc
import importlib
import os
import pkgutil
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.campaign.killer import Strike, arm

LIMIT = 90.0  # seconds that a command may take; on an idle machine none needs ten
MEMORY = 4 << 30  # bytes that a command may take
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    status: int | None  # negative: the signal that ended it; None: it hung, and was ended here
    out: str
    err: str
    changes: list[str]  # of the file system, in order
    outside: list[str]  # changes where it has no business

    @property
    def in_short(self) -> str:
        said = (self.err.strip() or self.out.strip())[-400:]
        return f"{'hung' if self.status is None else f'exit status {self.status}'}: {' | '.join(said.splitlines())}"


class Running:
    """A command that has been started; `finish` waits for its end."""

    def __init__(self, words: Sequence[str], work: Path, strike: Strike, before: Callable[[], object] | None):
        logs = strike.folder.with_name(strike.folder.name + ".log")
        logs.mkdir(exist_ok=True)
        self._out, self._err = (logs / f"{os.urandom(4).hex()}.{kind}" for kind in ("out", "err"))
        self._told = b""
        self._log, log = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._log)
            _run(words, work, strike, before, log, self._out, self._err)
        os.close(log)

    def finish(self, limit: float = LIMIT) -> Answer:
        ended = self.listen(limit)
        if not ended:
            os.killpg(self.pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._log)
        lines = os.fsdecode(self._told).splitlines()
        outside = [line.removeprefix("OUTSIDE ") for line in lines if line.startswith("OUTSIDE ")]
        out, err = (path.read_text(encoding="utf-8", errors="replace") for path in (self._out, self._err))
        for path in (self._out, self._err):
            path.unlink()
        return Answer(status if ended else None, out, err, [x for x in lines if x[0].isdigit()], outside)

    def listen(self, limit: float = LIMIT, until: bytes | None = None) -> bool:
        """Take in what the command tells until it ends, or tells `until`; False where the time is over first."""
        end = time.monotonic() + limit
        while until is None or until not in self._told:
            if not select.select([self._log], [], [], max(0.0, end - time.monotonic()))[0]:
                return False
            if not (told := os.read(self._log, 65536)):
                return until is None
            self._told += told
        return True

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


def maam(words: Sequence[str], work: Path, strike: Strike, before: Callable[[], object] | None = None) -> Answer:
    """Run `maam WORDS` in the folder `work`; `before` is called in its process first."""
    return Running(words, work, strike, before).finish()


def warm_up(cache: Path, reference: Path) -> None:
    """Import all of the kit, with one thread and caches of our own; the results that come with it are not looked at."""
    os.environ |= {"OMP_NUM_THREADS": "1", "MPLCONFIGDIR": str(cache), "XDG_CACHE_HOME": str(cache), "MAAM_DEBUG": ""}
    os.environ |= {"TMPDIR": str(cache), "TORCHINDUCTOR_CACHE_DIR": str(cache), "OPENCV_FFMPEG_LOGLEVEL": "-8"}
    tempfile.tempdir = str(cache)
    for package in ("data_prep", "maam_lib"):
        folder = importlib.import_module(package).__path__
        for module in pkgutil.iter_modules(folder):
            if module.name != "learned_flow":
                importlib.import_module(f"{package}.{module.name}")
    importlib.import_module("lightning_fabric")  # the kit imports it where a training starts
    import cv2

    cv2.setNumThreads(0)  # a fork has no threads but its own
    gc.freeze()  # what is imported is looked at no more: a fork shares it
    for module in list(sys.modules.values()):
        if getattr(module, "REFERENCE", None) is not None and module.__name__.startswith("maam_lib."):
            module.REFERENCE = reference


def _run(
    words: Sequence[str],
    work: Path,
    strike: Strike,
    before: Callable[[], object] | None,
    log: int,
    out: Path,
    err: Path,
) -> None:
    """In the fork: become `maam WORDS`. Never returns."""
    status = 70
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores Ctrl-C
        os.setsid()  # ended whole where it hangs
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        os.chdir(work)
        for number, path in ((1, out), (2, err)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), number)
        if before is not None:
            before()
        sys.argv = ["maam", *words]
        from maam_lib import cli

        arm(strike, log)
        cli.main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # what a command must never let through
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
