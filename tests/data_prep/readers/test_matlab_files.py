"""MATLAB files: read as scipy reads them, and every damage is one line that names the file."""

import struct
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.clip import SourceError
from data_prep.readers import matlab_files
from data_prep.readers.matlab_files import cell_arrays, variables
from tests.fake_sources import cut


def small_cell(dtype: str = "uint8") -> np.ndarray:
    cells = np.empty((1, 3), object)
    cells[0, 0] = np.arange(12).reshape(3, 4).astype(dtype)
    cells[0, 1] = np.zeros((0, 0))
    cells[0, 2] = np.ones((5, 2), dtype)
    return cells


def saved(path: Path, *, compressed: bool, **content: object) -> Path:
    scipy.io.savemat(path, content or {"other": np.eye(3), "volLabel": small_cell()}, do_compression=compressed)
    return path


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "uint64", "bool"])
def test_a_cell_is_read_as_scipy_reads_it(compressed: bool, dtype: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.mat", compressed=compressed, other="text", volLabel=small_cell(dtype), more={"a": 1})
    kinds = {name: variable.kind for name, variable in variables(path).items()}
    assert kinds == {"other": "char", "volLabel": "cell", "more": "struct"}
    assert variables(path)["volLabel"].shape == (1, 3)
    for ours, theirs in zip(cell_arrays(path, "volLabel"), scipy.io.loadmat(path)["volLabel"][0], strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.size == 0 or ours.dtype == (np.uint8 if dtype == "bool" else theirs.dtype)


@pytest.mark.data
def test_the_real_masks_are_read_as_scipy_reads_them(real_data: Path) -> None:
    paths = sorted((real_data / "avenue_sample").glob("*/testing_label_mask/*.mat"))
    assert len(paths) == 2
    for path in paths:
        for ours, theirs in zip(cell_arrays(path, "volLabel"), scipy.io.loadmat(path)["volLabel"][0], strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_flipped_or_cut_byte_is_one_line_that_names_the_file(
    compressed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = saved(tmp_path_factory.mktemp("fuzz") / "1_label.mat", compressed=compressed)
    whole = path.read_bytes()
    expected = list(cell_arrays(path, "volLabel"))

    @settings(max_examples=200, derandomize=True, database=None, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(1, 255)), max_size=4),
        st.integers(0, len(whole)),
    )
    def damaged(flips: list[tuple[int, int]], kept: int) -> None:
        content = bytearray(whole)
        for place, mask in flips:
            content[place] ^= mask
        path.write_bytes(content[: kept if not flips else len(content)])
        said: list[str] = []
        try:
            variables(path)
            arrays = list(cell_arrays(path, "volLabel"))
        except SourceError as error:
            said.append(str(error))
        else:  # uncompressed data have no checksum: a pixel may differ, never the form
            assert [array.shape for array in arrays] == [array.shape for array in expected] or not compressed
        assert all(line.startswith(f"{path}: ") and "\n" not in line for line in said)

    damaged()


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (132, 1 << 31, "bytes early"),  # the size of the first variable
        (128, 99, "an element of type 99 in place of a matrix"),
        (136, 7, "a matrix without flags"),
        (140, 1 << 30, "an element of 1073741824 bytes"),
        (160, 1 << 28, "bytes of type"),  # a dimension
    ],
)
def test_sizes_are_checked_before_they_are_used(place: int, value: int, reason: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.mat", compressed=False, volLabel=small_cell())
    content = bytearray(path.read_bytes())
    content[place : place + 4] = struct.pack("<I", value)
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.mat: cannot be read as a MATLAB file \(.*\); copy or unpack it again"):
        list(cell_arrays(path, "volLabel"))


def test_a_bomb_of_zeros_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matlab_files, "LARGEST_ARRAY", 1 << 20)
    cells = np.empty((1, 1), object)
    cells[0, 0] = np.zeros((1 << 12, 1 << 10), np.uint8)
    path = saved(tmp_path / "a.mat", compressed=True, volLabel=cells)
    with pytest.raises(SourceError, match="an element of 4194304 bytes, 1048576 at most"):
        list(cell_arrays(path, "volLabel"))


def test_a_cut_file_without_compression(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.mat", compressed=False)
    cut(path, 0.8)
    with pytest.raises(SourceError, match=r"it ends \d+ bytes early"):
        variables(path)


def test_a_cell_of_other_things_is_named(tmp_path: Path) -> None:
    cells = np.empty((1, 1), object)
    cells[0, 0] = "text"
    path = saved(tmp_path / "a.mat", compressed=True, volLabel=cells)
    with pytest.raises(SourceError, match="array 1 of volLabel is a char, expected numbers"):
        list(cell_arrays(path, "volLabel"))


@pytest.mark.parametrize(
    ("name", "start", "message"),
    [
        ("avenue.mat", b"MATLAB 7.3 MAT-file, Platform", r"version 7\.3, .*save\('avenue.mat', 'gt', '-v7'\)"),
        ("3_label.mat", b"\x89HDF\r\n\x1a\n", r"version 7\.3, .*save\('3_label.mat', 'volLabel', '-v7'\)"),
        ("avenue.mat", b"\0\0\0\0\1\0\0\0", "version 4, expected 5 to 7"),
        ("avenue.mat", b"<html>404 Not found</html>", "it starts with b'<html>404 Not fo'"),
    ],
)
def test_other_versions_are_named_with_the_remedy(name: str, start: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(start.ljust(600, b" " if start.startswith(b"<") else b"\0"))
    with pytest.raises(SourceError, match=message):
        variables(path)
