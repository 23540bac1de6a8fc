"""Ctrl-C, SIGTERM and SIGHUP end a command in one line, within two seconds, with no process left behind.

The signal is raised in the main thread as a KeyboardInterrupt, so that every open file and lock is put in order. What
takes longer than PATIENCE, or hangs in a library, is cut off: nothing is lost, since files are written aside.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

import psutil

from data_prep.signals import SIGNALS

PATIENCE = 1.0  # seconds from the signal to the end of the process, at most
KEPT = "what was finished is kept"
CLEAR = "\r\x1b[K"  # to the line's beginning, and empty it

asked: list[int] = []  # the signals that came; an error after one is a consequence of it
_one_teller = threading.Lock()
_stderr = 2  # where the line goes


class Stopped(KeyboardInterrupt):
    """A signal asks the command to end. A note (`add_note`) says what is kept, in place of KEPT."""


_stopped = Stopped()


@contextmanager
def listening() -> Iterator[None]:
    """In this block a signal ends the process as described above; one that it ignores (nohup) is ignored still."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    threading.Thread(target=_cut_off, args=(reader,), daemon=True).start()
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = [signal.signal(number, _raise) for number in heard]
    try:
        yield
    except BaseException:  # whatever the signal became on its way through the libraries
        if asked:
            with suppress(OSError, ValueError):  # nobody reads any more
                sys.stdout.flush()
            _end(asked[0])
        raise
    finally:
        if not asked:
            for number, handler in zip(heard, before, strict=True):
                signal.signal(number, handler)
            signal.set_wakeup_fd(-1)
            os.close(writer)


def _raise(number: int, _: FrameType | None) -> None:
    asked.append(number)
    if len(asked) == 1:  # a second Ctrl-C must not disturb the clean-up, which is short
        _silence()
        raise _stopped


def _silence() -> None:
    """What libraries print of their interruption helps nobody; the line is kept a way out."""
    global _stderr
    if _stderr == 2:
        _stderr = os.dup(2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _cut_off(reader: int) -> None:
    """In a thread, which runs also while the main one is inside a long call of a library."""
    while (told := os.read(reader, 1)) and told[0] not in SIGNALS:
        pass
    if told:  # else the block has ended
        threading.Event().wait(PATIENCE)
        _silence()
        _end(told[0])
    os.close(reader)


def _end(number: int) -> NoReturn:
    """Tell it in one line, once; kill what this process started, but for Python's resource tracker, which tidies up.

    Of several devices' processes the first tells it.
    """
    if _one_teller.acquire(blocking=False) and os.environ.get("LOCAL_RANK", "0") == "0":
        kept = "; ".join(getattr(_stopped, "__notes__", [KEPT]))
        clear = CLEAR if os.isatty(_stderr) else ""  # a progress line, and the terminal's own ^C
        with suppress(OSError):  # nobody reads any more
            os.write(_stderr, f"{clear}maam: stopped; {kept}\n".encode())
    killed = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if not any("resource_tracker import" in word for word in child.cmdline()):
                child.kill()
                killed.append(child)
    psutil.wait_procs(killed, timeout=0.3)
    os._exit(128 + number)  # at once: at Python's own end some libraries wait for seconds
