"""A signal ends a command in one line, with nothing left running, whichever it is and whatever it interrupts."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from maam_lib.training.runs import RunFolder
from tests.conftest import TINY_SETTINGS
from tests.fake_sources import moving, write_video

STOPPED = "maam: stopped; what was finished is kept\n"
MAIN = "from maam_lib.cli import main; main()"
SET = [word for setting in TINY_SETTINGS for word in ("--set", setting)]
LIMIT = 120  # seconds that a wait may take at most, however busy the machine
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Python with a program, in a process group of its own, as a terminal does."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str, *words: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **pipes))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def descendants(process: subprocess.Popen[str], until: Callable[[list[str]], bool]) -> list[psutil.Process]:
    """What it has started, once one of the command lines fulfils a condition."""
    asked = psutil.Process(process.pid)
    while process.poll() is None:
        found = asked.children(recursive=True)
        for child in found:
            try:
                if until(child.cmdline()):
                    return found
            except psutil.Error:
                continue
    raise AssertionError(f"it ended before: {process.communicate()}")


def stop(process: subprocess.Popen[str], number: int, *, times: int = 1) -> tuple[int, str]:
    """Send a signal to the whole group; the exit status and what stands on stderr."""
    for _ in range(times):
        os.killpg(process.pid, number)
    _, err = process.communicate(timeout=LIMIT)
    return process.returncode, err


def have_ended(processes: list[psutil.Process]) -> bool:
    """Whether all end, within a bounded wait."""
    return not psutil.wait_procs(processes, timeout=LIMIT)[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_training_stops_and_goes_on(number: int, start: Start, scene_root: Path, tmp_path: Path):
    words = ["train", "synthetic-mini", *SET, "--set", "training.epochs=500", "--root", scene_root, "--run", "run"]
    process = start(MAIN, *words)
    assert process.stdout.readline().startswith("epoch   1")
    assert stop(process, number) == (128 + number, STOPPED)
    run = RunFolder.open(tmp_path / "run")
    assert run.epochs_done >= 1
    run.claim(run.recipe, resume=True)
    run.release()


def test_ctrl_c_while_the_workers_start(start: Start, tmp_path: Path):
    for name in "ab":
        write_video(tmp_path / "in" / "train" / f"{name}.avi", moving(name, 80, (64, 96)))
    process = start(MAIN, "prepare", "videos", "--source", "in", "--root", "data", "--workers", 2)
    children = descendants(process, lambda words: "--multiprocessing-fork" in words)
    assert stop(process, signal.SIGINT) == (130, STOPPED)
    assert have_ended(children)


def test_ctrl_c_twice_in_a_report_ends_its_kernel(start: Start, tmp_path: Path):
    process = start(MAIN, "reproduce", "synthetic-mini", "--root", "data", "--out", "out")
    children = descendants(process, lambda words: any("ipykernel" in word for word in words))
    assert stop(process, signal.SIGINT, times=2) == (130, STOPPED)
    assert have_ended(children)


def test_a_killed_report_leaves_no_kernel(start: Start, tmp_path: Path):
    process = start(MAIN, "reproduce", "synthetic-mini", "--root", "data", "--out", "out")
    children = descendants(process, lambda words: any("ipykernel" in word for word in words))
    process.kill()
    assert have_ended(children)


HANGS = """
import sys, threading
from maam_lib.cli import stopping
with stopping.listening():
    try:
        print("ready", flush=True)
        threading.Event().wait()
    finally:
        print("an error of a library", file=sys.stderr)
        threading.Event().wait()
"""
SWALLOWS = """
import threading
from maam_lib.cli import stopping
with stopping.listening():
    try:
        print("ready", flush=True)
        threading.Event().wait()
    except KeyboardInterrupt as stop:
        stop.add_note("half of it is kept")
        raise RuntimeError("of a library") from None
"""


@pytest.mark.parametrize(("code", "says"), [(HANGS, STOPPED), (SWALLOWS, "maam: stopped; half of it is kept\n")])
def test_a_library_that_hangs_or_makes_an_error_of_it_changes_nothing(code: str, says: str, start: Start):
    process = start(code)
    assert process.stdout.readline() == "ready\n"
    assert stop(process, signal.SIGTERM) == (143, says)


PROGRESS = """
import sys, threading
from maam_lib.cli import stopping
with stopping.listening():
    print("chapter 1, cell 2", end="", file=sys.stderr, flush=True)
    threading.Event().wait()
"""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals of this kind here")
def test_in_a_terminal_the_line_stands_alone_where_progress_was(tmp_path: Path):
    ours, theirs = os.openpty()
    with subprocess.Popen([sys.executable, "-c", PROGRESS], cwd=tmp_path, stderr=theirs, start_new_session=True) as one:
        os.close(theirs)
        said = b""
        while not said.endswith(b"cell 2"):
            said += os.read(ours, 1000)
        os.killpg(one.pid, signal.SIGINT)
        assert os.read(ours, 1000).decode() == f"\r\x1b[K{STOPPED.rstrip()}\r\n"
        assert one.wait(LIMIT) == 130
    os.close(ours)


def test_without_a_signal_the_handlers_are_as_before(start: Start):
    code = (
        "import signal; from maam_lib.cli import stopping\n"
        "with stopping.listening(): assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL\n"
        "assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL\n"
        "assert signal.getsignal(signal.SIGINT) == signal.default_int_handler"
    )
    assert start(code).communicate(timeout=LIMIT) == ("", "")


def test_a_signal_that_is_ignored_stays_ignored(start: Start):
    code = (
        "import os, signal; from maam_lib.cli import stopping\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "with stopping.listening(): os.kill(os.getpid(), signal.SIGHUP); print('goes on')"
    )
    assert start(code).communicate(timeout=LIMIT) == ("goes on\n", "")
