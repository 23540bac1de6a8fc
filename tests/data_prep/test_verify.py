"""Verification: a whole dataset passes, every kind of damage is named, whatever the manifest says."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep.expected import OFFICIAL_COUNTS
from data_prep.files import file_sha256
from data_prep.verify import VerificationError, prepared_folders, verify
from tests.conftest import FAKE_COUNTS


@pytest.fixture
def folder(prepared_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the fake Ped2, prepared: `<tmp_path>/data/ped2`."""
    monkeypatch.setitem(OFFICIAL_COUNTS, "ped2", FAKE_COUNTS["ped2"])
    return Path(shutil.copytree(prepared_folder, tmp_path / "data" / "ped2"))


def problems_of(folder: Path) -> list[str]:
    report = verify(folder, progress=False)
    found = report.problems + [f"{clip.clip}: {problem}" for clip in report.clips for problem in clip.problems]
    assert report.intact == (not found)
    return found


def change(
    folder: Path, array: str, edit: Callable[[np.ndarray], np.ndarray | None], clip: str = "test/Test001"
) -> None:
    """Edit a stored array, and its checksum in the manifest, as if it had been written so."""
    path = folder / clip / f"{array}.npy"
    stored = np.load(path)
    edited = edit(stored)
    np.save(path, stored if edited is None else edited)
    split, name = clip.split("/")
    rewrite(folder, lambda manifest: manifest["clips"][split][name]["sha256"].update({array: file_sha256(path)}))


def rewrite(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    edit(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_whole_dataset_is_intact(folder: Path) -> None:
    report = verify(folder, progress=False)
    assert report.intact
    table = report.table()
    assert table["frames"].tolist() == table["expected"].tolist() == [6, 7, 8, 6]
    assert table["abnormal"].tolist() == ["-", "-", 5, 4]
    assert set(table["state"]) == {"OK"}
    flow = np.load(folder / "train/Train001/flow.npy").astype(np.float32)
    assert report.clips[0].speed == pytest.approx(np.linalg.norm(flow, axis=-1).mean(), rel=1e-5)
    assert "note: labels: frame ranges in UCSDped2.m, checked against masks" in str(report)


def test_one_flipped_bit_is_found(folder: Path) -> None:
    path = folder / "train/Train002/frames.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert problems_of(folder) == ["train/Train002: frames has another checksum than when it was written"]


@pytest.mark.parametrize(
    ("array", "edit", "message"),
    [
        ("flow", lambda a: np.zeros_like(a), "flow is zero everywhere, although the frames change"),
        ("flow", lambda a: a * 0 + np.float16(60), "flow 0 has vectors of 85 pixels, longer than the frame"),
        ("flow", lambda a: a.__setitem__((2, 3, 4, 0), np.inf), "flow 2 is not finite"),
        ("flow", lambda a: a.astype(np.float32), "flow are float32 (7, 24, 36, 2), expected float16 (7, 24, 36, 2)"),
        ("frames", lambda a: a[:, :20], "frames are uint8 (8, 20, 36, 1), expected uint8 (8, 24, 36, 1)"),
        ("labels", lambda a: a[:-1], "labels are uint8 (7,), expected uint8 (8,)"),
        ("labels", lambda a: np.roll(a, 1), "frame 2 is normal, but its mask is not empty (2 such frames)"),
        ("labels", lambda a: np.roll(a, 1), "frame 0 is abnormal, but its mask is empty (2 such frames)"),
        ("labels", lambda a: a * 2, "labels hold other values than 0 and 1"),
        ("masks", lambda a: a * 255, "masks hold other values than 0 and 1"),
        ("masks", lambda a: a.__setitem__(3, 0), "frame 3 is abnormal, but its mask is empty (1 such frames)"),
    ],
)
def test_arrays_that_are_not_what_they_should_be(array: str, edit: Callable, message: str, folder: Path) -> None:
    change(folder, array, edit)
    assert f"test/Test001: {message}" in problems_of(folder)


def test_flow_of_a_picture_that_stands_still_may_be_zero(folder: Path) -> None:
    change(folder, "flow", np.zeros_like)
    change(folder, "frames", np.zeros_like)
    assert problems_of(folder) == []


def test_a_mask_may_vanish_when_it_is_made_smaller(folder: Path) -> None:
    change(folder, "masks", lambda a: a.__setitem__(3, 0))
    rewrite(folder, lambda manifest: manifest["source"].update(frame_size=[48, 72]))
    assert problems_of(folder) == []
    assert "note: test/Test001: 1 mask is empty at this size" in str(verify(folder, progress=False))


def test_counts_are_compared_with_the_official_ones(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OFFICIAL_COUNTS["ped2"].train, "Train001", 9)
    assert problems_of(folder) == [
        "ped2/train/Train001: 6 frames, expected 9 by the official count; unpack or download it again"
    ]
    monkeypatch.setitem(OFFICIAL_COUNTS["ped2"].train, "Train001", 6)
    monkeypatch.setitem(OFFICIAL_COUNTS["ped2"].train, "Train003", 6)
    [problem] = problems_of(folder)
    assert problem.startswith("ped2: 4 clips, expected 5; missing: train/Train003")


def test_missing_array_and_unknown_clip(folder: Path) -> None:
    (folder / "test/Test002/flow.npy").unlink()
    (folder / "test/Test009").mkdir()
    first, second = problems_of(folder)
    assert first.endswith("Test009 is not in the manifest; delete it")
    assert second == "test/Test002: flow is missing"
    assert "FAIL" in str(verify(folder, progress=False))


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"format": 2}', '{"format": 1, "clips": {}}'])
def test_a_damaged_manifest_is_a_problem_of_its_dataset_alone(text: str, folder: Path) -> None:
    other = Path(shutil.copytree(folder, folder.parent / "other"))
    (other / "manifest.json").write_text(text)
    assert prepared_folders(folder.parent) == [other, folder]
    assert prepared_folders(folder.parent, "ped2") == [folder]
    [problem] = problems_of(other)
    assert problem.startswith(f"{other / 'manifest.json'}: ")
    assert f"PROBLEM: {problem}" in str(verify(other, progress=False))
    assert problems_of(folder) == []


def test_nothing_to_verify(folder: Path) -> None:
    assert prepared_folders(folder.parent) == prepared_folders(folder.parent, "ped2") == [folder]
    with pytest.raises(VerificationError, match="data: no prepared avenue; prepare it: maam prepare"):
        prepared_folders(folder.parent, "avenue")
    (folder / "manifest.json").unlink()
    with pytest.raises(VerificationError, match="ped2 is unfinished"):
        verify(folder)
