import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.files.writing import (
    DiskFullError,
    alone,
    aside_of,
    clear_asides,
    folder_aside,
    is_aside,
    write_json,
    write_text,
    written_aside,
)


def test_a_whole_file_takes_its_place(tmp_path: Path):
    path = tmp_path / "new" / "scores.csv"
    with written_aside(path) as aside:
        aside.write_text("whole")
        assert not path.exists(), "it appears only when whole"
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def write_half_and_fail(path: Path, failure: BaseException) -> None:
    with written_aside(path) as aside:
        aside.write_text("half")
        raise failure


@pytest.mark.parametrize("failure", [ValueError("half"), OSError(errno.EACCES, "denied")])
def test_a_failure_keeps_the_old_file_and_its_own_error(tmp_path: Path, failure: Exception):
    path = tmp_path / "scores.csv"
    path.write_text("old")
    with pytest.raises(type(failure)) as caught:
        write_half_and_fail(path, failure)
    assert caught.value is failure
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_before_the_first_byte_leaves_nothing(tmp_path: Path):
    with pytest.raises(KeyError), written_aside(tmp_path / "scores.csv"):
        raise KeyError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("basic_ios::clear: No space left on device"),  # as libraries wrap it
    ],
)
def test_a_full_disk_is_named_with_the_file_and_the_remedy(tmp_path: Path, failure: Exception):
    path = tmp_path / "frames.npy"
    path.write_bytes(b"old")
    with pytest.raises(DiskFullError, match="the disk is full; nothing was replaced") as caught:
        write_half_and_fail(path, failure)
    assert "free some space and run the same command again" in str(caught.value)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_indented_readable_and_whole(tmp_path: Path):
    path = tmp_path / "run.json"
    write_json(path, {"about": "λ", "auc": 0.5})
    assert path.read_text(encoding="utf-8") == '{\n  "about": "λ",\n  "auc": 0.5\n}\n'
    with pytest.raises(TypeError):
        write_json(path, {"auc": object()})
    assert json.loads(path.read_text(encoding="utf-8"))["auc"] == 0.5


def test_an_interrupt_leaves_no_file_aside(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        write_half_and_fail(tmp_path / "scores.csv", KeyboardInterrupt())
    assert not list(tmp_path.iterdir())


def killed_while_writing(path: Path) -> None:
    program = f"""
import os, pathlib, signal
from data_prep.files.writing import alone, written_aside
path = pathlib.Path({str(path)!r})
with alone(path.with_name(".lock"), ValueError()), written_aside(path) as aside:
    aside.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode != 0


def test_the_next_write_clears_what_a_killed_process_left(tmp_path: Path):
    path = tmp_path / "scores.csv"
    write_text(path, "old")
    killed_while_writing(path)
    [litter] = [p for p in tmp_path.iterdir() if is_aside(p.name)]
    assert litter.read_text() == "half"
    assert path.read_text() == "old"
    write_text(tmp_path / "another.csv", "new")
    assert not litter.exists()


def test_what_a_living_process_writes_stays(tmp_path: Path):
    mine = aside_of(tmp_path / "frames")
    mine.mkdir()
    elsewhere = mine.with_name(f".frames.{'0' * 8}.1.aside")  # of another machine: nobody here can know
    elsewhere.mkdir()
    clear_asides(tmp_path)
    assert mine.is_dir()
    assert elsewhere.is_dir()
    os.utime(elsewhere, (0, 0))
    clear_asides(tmp_path)
    assert not elsewhere.exists()


def test_the_longest_names_have_room_beside_them(tmp_path: Path):
    for name in ("n" * 255, "é" * 127):
        write_text(tmp_path / name, "whole")
        assert (tmp_path / name).read_text() == "whole"


def test_a_lock_is_held_once_and_ends_with_its_process(tmp_path: Path):
    killed_while_writing(tmp_path / "scores.csv")
    lock = tmp_path / ".lock"
    with alone(lock, ValueError("busy")), pytest.raises(ValueError, match="busy"), alone(lock, ValueError("busy")):
        pass
    with alone(lock, ValueError("busy")):
        pass


SWAPPED = """
import os, signal, sys
from pathlib import Path
from data_prep.files.writing import folder_aside, write_text

rename, number = Path.rename, 0

def killed(path, to):
    global number
    number += 1
    if number == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, to)

Path.rename = killed
with folder_aside(Path(sys.argv[1]), ValueError()) as aside:
    write_text(aside / "page", "new")
    if sys.argv[2] == "0":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_folder_is_replaced_whole_whenever_it_is_killed(at: int, tmp_path: Path):
    """At 0 before the renames, at 1 before the first of them, at 2 between the two."""
    folder = tmp_path / "report"
    write_text(folder / "page", "old")
    command = [sys.executable, "-c", SWAPPED, str(folder), str(at)]
    assert subprocess.run(command, check=False).returncode == -9
    assert [path.read_text() for path in tmp_path.glob("*/page") if not is_aside(path.parent.name)] == ["old"]
    with pytest.raises(KeyError), folder_aside(folder, ValueError()):
        raise KeyError
    assert (folder / "page").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]
    with folder_aside(folder, ValueError()) as aside:
        write_text(aside / "page", "newest")
    assert (folder / "page").read_text() == "newest"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_is_replaced_by_one_at_a_time(tmp_path: Path):
    with folder_aside(tmp_path / "a", ValueError()), pytest.raises(ValueError, match="busy"):  # noqa: SIM117
        with folder_aside(tmp_path / "a", ValueError("busy")):
            pass


def test_what_is_no_plain_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="pipe: is not a plain file, so nothing is written to it"):
        write_text(tmp_path / "pipe", "numbers")
    assert (tmp_path / "pipe").is_fifo()
