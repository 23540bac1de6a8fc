"""Flow files of other programs: what is read of them, and every way in which they can be wrong."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.flow_files import FlowFileError, FlowFiles, find_flow

SIZE = (6, 8)
NUM_FRAMES = 12


def some_fields(number: int = NUM_FRAMES - 1) -> np.ndarray:
    """float32 (T-1, H, W, 2), each field different."""
    return np.random.default_rng(5).normal(0, 3, (number, *SIZE, 2)).astype(np.float32)


def write_flo(folder: Path, fields: np.ndarray) -> None:
    """As OpenCV writes them; numbered without leading zeros, as many programs do."""
    folder.mkdir(parents=True)
    for number, field in enumerate(fields, start=1):
        assert cv2.writeOpticalFlow(str(folder / f"{number}.flo"), field)


def write_npy(folder: Path, fields: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for number, field in enumerate(fields):
        np.save(folder / f"frame{number:05d}.npy", field)


def write_whole(folder: Path, fields: np.ndarray) -> None:
    folder.parent.mkdir(parents=True)
    np.save(folder.with_name(f"{folder.name}.npy"), fields)


def find(root: Path) -> FlowFiles:
    return find_flow(root, "train", "Train001", NUM_FRAMES)


@pytest.mark.parametrize("write", [write_flo, write_npy, write_whole])
def test_every_form_gives_the_same_fields(write: Callable[[Path, np.ndarray], None], tmp_path: Path) -> None:
    write(tmp_path / "train" / "Train001", some_fields())
    (tmp_path / "train" / "._junk.flo").write_bytes(b"\0")
    files = find(tmp_path)
    assert (files.num_fields, files.size) == (11, SIZE)
    read = list(files.fields())
    assert {field.dtype for field in read} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(read, some_fields())
    np.testing.assert_array_equal(files.field(10), some_fields()[10])  # 11.flo, after 2.flo


def test_a_clip_of_two_frames_has_one_field(tmp_path: Path) -> None:
    write_whole(tmp_path / "train" / "Train001", some_fields(1))
    np.testing.assert_array_equal(find_flow(tmp_path, "train", "Train001", 2).field(0), some_fields(1)[0])


def cut(folder: Path) -> None:
    path = folder / "3.flo"
    path.write_bytes(path.read_bytes()[:-5])


def cut_in_its_header(folder: Path) -> None:
    (folder / "3.flo").write_bytes((folder / "3.flo").read_bytes()[:7])


def of_another_kind(folder: Path) -> None:
    (folder / "3.flo").write_bytes(b"\x89PNG" + bytes(100))


def of_another_size(folder: Path) -> None:
    cv2.writeOpticalFlow(str(folder / "3.flo"), np.zeros((4, 8, 2), np.float32))


def one_missing(folder: Path) -> None:
    (folder / "3.flo").unlink()


def one_left_over(folder: Path) -> None:
    (folder / "12.flo").write_bytes((folder / "3.flo").read_bytes())


def in_two_forms(folder: Path) -> None:
    np.save(folder / "3.npy", some_fields()[2])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, r"3\.flo: 391 bytes, expected 396 for 6x8; was it cut"),
        (cut_in_its_header, r"3\.flo: 7 bytes, expected"),
        (of_another_kind, r"3\.flo: starts with b'\\x89PNG', expected b'PIEH'; it is no Middlebury"),
        (of_another_size, r"3\.flo: flow of 4x8, but 1\.flo of the same clip has 6x8; expected one size"),
        (one_missing, r"Train001: 10 flow fields for 12 frames, expected 11: .* Is one missing, or one left over"),
        (one_left_over, r"Train001: 12 flow fields for 12 frames, expected 11: "),
        (in_two_forms, r"Train001: expected .*, found \.flo and \.npy"),
    ],
)
def test_damaged_flo_files_are_refused(damage: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    write_flo(tmp_path / "train" / "Train001", some_fields())
    damage(tmp_path / "train" / "Train001")
    with pytest.raises(FlowFileError, match=message):
        find(tmp_path)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (some_fields()[:10], "10 flow fields for 12 frames, expected 11"),
        (some_fields().transpose(0, 3, 1, 2), r"shape \(11, 2, 6, 8\), expected \(H, W, 2\)"),
        (some_fields().astype(np.int32), r"int32 \(11, 6, 8, 2\), expected floats"),
        (np.zeros(4), r"float64 \(4,\), expected floats of shape"),
    ],
)
def test_arrays_that_are_no_flow_are_refused(stored: np.ndarray, message: str, tmp_path: Path) -> None:
    write_whole(tmp_path / "train" / "Train001", stored)
    with pytest.raises(FlowFileError, match=message):
        find(tmp_path)


def test_a_cut_array_is_refused(tmp_path: Path) -> None:
    write_whole(tmp_path / "train" / "Train001", some_fields())
    path = tmp_path / "train" / "Train001.npy"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(FlowFileError, match=r"Train001\.npy: not a complete NumPy array \(.*\); was it cut"):
        find(tmp_path)


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FlowFileError, match=r"train/Train001: expected .*Train001\.npy beside it, found none"):
        find(tmp_path)


@pytest.mark.parametrize(("value", "said"), [(np.nan, "NaN"), (np.inf, "inf"), (1e10, r"1e\+10")])
def test_unknown_flow_is_refused_when_it_is_read(value: float, said: str, tmp_path: Path) -> None:
    fields = some_fields()
    fields[4, 2, 3, 1] = value
    write_whole(tmp_path / "train" / "Train001", fields)
    files = find(tmp_path)
    files.field(3)
    with pytest.raises(FlowFileError, match=rf"Train001\.npy, field 4: a vector of {said} \(unknown flow\?\)"):
        list(files.fields())
