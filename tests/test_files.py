import errno
import json
from pathlib import Path

import pytest

from maam_lib.files import DiskFullError, write_json, written_aside


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
