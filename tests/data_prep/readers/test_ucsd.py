"""The UCSD reader on fake sources in the official layout, with every kind of damage, and on the real one."""

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.clip import Clip, SourceError
from data_prep.prepare import prepare
from data_prep.readers.ucsd import RELEASE, parse_label_file, read_ucsd
from tests.conftest import ABNORMAL, FRAME_SIZE, TEST, TRAIN, fake_frames, fake_masks, write_ucsd
from tests.reader_contract import ReaderContract


class TestContract(ReaderContract):
    @pytest.fixture(params=["ped1", "ped2"])
    def clips(self, request: pytest.FixtureRequest, tmp_path: Path) -> list[Clip]:
        return read_ucsd(request.getfixturevalue(request.param), request.param, tmp_path / "scratch")


# What is read


def test_frames_labels_and_masks_are_those_on_disk(ped2: Path, tmp_path: Path) -> None:
    clips = read_ucsd(ped2, "ped2", tmp_path / "scratch")
    assert {clip.name: clip.num_frames for clip in clips} == TRAIN | TEST
    for clip in clips:
        written = np.stack(list(fake_frames(clip.name, clip.num_frames)))
        np.testing.assert_array_equal(np.stack(list(clip.frames()))[..., 0], written)
    for clip in clips[2:]:
        assert (np.flatnonzero(clip.labels()) + 1).tolist() == ABNORMAL[clip.name]
        np.testing.assert_array_equal(np.stack(list(clip.masks())) * 255, np.stack(list(fake_masks(clip.name))))


def test_ped1_has_masks_for_some_clips_only(ped1: Path, tmp_path: Path) -> None:
    clips = read_ucsd(ped1, "ped1", tmp_path / "scratch")
    assert [clip.name for clip in clips if clip.masks is not None] == ["Test001"]
    assert all(clip.labels is not None for clip in clips if clip.split == "test")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_other_frame_formats_are_read(suffix: str, tmp_path: Path, fake_counts: None) -> None:
    tree = write_ucsd(tmp_path, "ped2", suffix)
    frame = next(read_ucsd(tree, "ped2", tmp_path / "scratch")[0].frames())[..., 0]
    difference = np.abs(frame.astype(int) - next(fake_frames("Train001", 6)))
    assert difference.mean() < 3  # JPEG loses a little


@pytest.mark.parametrize("up", [0, 1, 2])
def test_every_level_of_the_unpacked_tree_is_accepted(up: int, ped2: Path, tmp_path: Path) -> None:
    source = [ped2, *ped2.parents][up]
    assert len(read_ucsd(source, "ped2", tmp_path / "scratch")) == 4


def test_archive_and_the_folder_that_holds_it_give_the_same_clips(
    ped2: Path, pack: Callable[[Path], Path], tmp_path: Path
) -> None:
    archive = pack(ped2)
    for number, source in enumerate((archive, archive.parent)):
        scratch = tmp_path / f"scratch{number}"
        scratch.mkdir()
        clips = read_ucsd(source, "ped2", scratch)
        np.testing.assert_array_equal(next(clips[0].frames())[..., 0], next(fake_frames("Train001", 6)))
        assert not list(scratch.rglob(".*"))  # junk is not even unpacked


def test_label_ranges_may_be_several_single_or_empty(tmp_path: Path) -> None:
    label_file = tmp_path / "UCSDped2.m"
    label_file.write_text("a.gt_frame = [60:152, 160 : 180];\na.gt_frame=[];\n%a.gt_frame = [9];\na.gt_frame = [7];")
    assert parse_label_file(label_file, 3) == [((60, 152), (160, 180)), (), ((7, 7),)]


# Damage: each names the file and the remedy


def _read(source: Path, tmp_path: Path, **options: bool) -> list[Clip]:
    (tmp_path / "scratch").mkdir()
    return read_ucsd(source, "ped2", tmp_path / "scratch", **options)


def test_missing_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere: no such file or folder; --source"):
        _read(tmp_path / "nowhere", tmp_path)


def test_truncated_archive(ped2: Path, pack: Callable[[Path], Path], tmp_path: Path) -> None:
    archive = pack(ped2)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(SourceError, match=r"UCSD_Anomaly_Dataset\.tar\.gz: not a complete tar archive .*download"):
        _read(archive, tmp_path)


def test_damaged_archive(ped2: Path, pack: Callable[[Path], Path], tmp_path: Path) -> None:
    archive = pack(ped2)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(SourceError, match="not a complete tar archive"):
        _read(archive, tmp_path)


def test_not_an_archive(tmp_path: Path) -> None:
    page = tmp_path / "UCSD_Anomaly_Dataset.tar.gz"
    page.write_text("<html>404 Not Found</html>")
    with pytest.raises(SourceError, match=r"not a complete tar archive .*download it again"):
        _read(page, tmp_path)


def test_archive_of_something_else(ped1: Path, pack: Callable[[Path], Path], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no UCSDped2 inside"):
        _read(pack(ped1), tmp_path)


def test_unsafe_archive_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "evil.tar.gz"
    with tarfile.open(archive, "w:gz") as members:
        members.addfile(tarfile.TarInfo(f"{RELEASE}/UCSDped2/../../../evil.tif"), io.BytesIO())
    with pytest.raises(SourceError, match="unsafe archive refused"):
        _read(archive, tmp_path)
    assert not (tmp_path / "evil.tif").exists()


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"empty: expected UCSDped2/.* found none of them"):
        _read(tmp_path / "empty", tmp_path)


def test_tree_without_clips(ped2: Path, tmp_path: Path) -> None:
    shutil.rmtree(ped2 / "Train")
    shutil.rmtree(ped2 / "Test")
    with pytest.raises(SourceError, match="UCSDped2: no clips; expected Train/Train001"):
        _read(ped2, tmp_path)


def test_missing_frame(ped2: Path, tmp_path: Path) -> None:
    (ped2 / "Train/Train002/004.tif").unlink()
    with pytest.raises(SourceError, match=r"Train002/004\.tif is missing \(1 of 7 files\); unpack"):
        _read(ped2, tmp_path)


def test_last_frame_missing(ped2: Path, tmp_path: Path) -> None:
    (ped2 / "Train/Train002/007.tif").unlink()
    with pytest.raises(SourceError, match="ped2/train/Train002: 6 frames, expected 7"):
        _read(ped2, tmp_path)


def test_frame_there_twice(ped2: Path, tmp_path: Path) -> None:
    shutil.copy(ped2 / "Train/Train002/004.tif", ped2 / "Train/Train002/0004.tif")
    with pytest.raises(SourceError, match=r"004\.tif: 0004\.tif exists too"):
        _read(ped2, tmp_path)


@pytest.mark.parametrize("kept", [0, 300])
def test_undecodable_frame(kept: int, ped2: Path, tmp_path: Path) -> None:
    path = ped2 / "Test/Test001/005.tif"
    path.write_bytes(path.read_bytes()[:kept])
    clips = _read(ped2, tmp_path)
    with pytest.raises(SourceError, match=rf"Test001/005\.tif: cannot be decoded \({kept} bytes\)"):
        list(clips[2].frames())


def test_frame_of_another_size(ped2: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(ped2 / "Train/Train002/002.tif"), np.zeros((24, 30), np.uint8))
    clips = _read(ped2, tmp_path)
    with pytest.raises(SourceError, match=r"Train002/002\.tif: 24x30 pixels, expected 24x36"):
        list(clips[1].frames())


def test_missing_mask(ped2: Path, tmp_path: Path) -> None:
    (ped2 / "Test/Test002_gt/frame003.bmp").unlink()
    with pytest.raises(SourceError, match=r"Test002_gt/frame003\.bmp is missing"):
        _read(ped2, tmp_path)


def test_missing_mask_folder(ped2: Path, tmp_path: Path) -> None:
    shutil.rmtree(ped2 / "Test/Test002_gt")
    with pytest.raises(SourceError, match="1 clip with pixel masks, expected 2; without: Test002"):
        _read(ped2, tmp_path)


def test_mask_of_another_size(ped2: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(ped2 / "Test/Test001_gt/002.bmp"), np.zeros((12, 18), np.uint8))
    with pytest.raises(SourceError, match=r"Test001_gt/002\.bmp: 12x18 pixels, expected 24x36"):
        prepare("ped2", ped2, tmp_path / "data", workers=1)


def test_mask_that_contradicts_the_label(ped2: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(ped2 / "Test/Test001_gt/004.bmp"), np.zeros(FRAME_SIZE, np.uint8))
    with pytest.raises(SourceError, match=r"ped2/test/Test001: frame 3 .* is abnormal by its .* mask is empty"):
        prepare("ped2", ped2, tmp_path / "data", workers=1)


def test_shifted_labels(ped2: Path, tmp_path: Path) -> None:
    label_file = ped2 / "Test/UCSDped2.m"
    label_file.write_text(label_file.read_text().replace("[3:5, 7:8]", "[2:4, 6:7]"))
    with pytest.raises(SourceError, match=r"ped2/test/Test001: frame 1 .* is abnormal by its label"):
        prepare("ped2", ped2, tmp_path / "data", workers=1)


def test_changed_label_count(ped1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = ped1.rename(ped1.with_name("UCSDped2"))
    label_file = (tree / "Test/UCSDped1.m").rename(tree / "Test/UCSDped2.m")
    label_file.write_text(label_file.read_text().replace("[1:4]", "[1:3]"))
    shutil.copytree(tree / "Test/Test001_gt", tree / "Test/Test002_gt", ignore=lambda *_: ["007.bmp", "008.bmp"])
    with pytest.raises(SourceError, match="ped2/test: 8 abnormal frames, expected 9"):
        _read(tree, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "TestVideoFile{end+1}.gt_frame = [1:4];\n",
            "",
            r"labels of 1 clip, expected one entry for each of 2",
        ),
        ("7:8", "7:9", "labels of Test001 run to frame 9, but it has 8"),
        ("3:5", "5:3", r"'5:3' in \[5:3, 7:8\] is not a range"),
        ("3:5", "0:5", "is not a range"),
        ("3:5", "x", "'x' in .* is not a range"),
    ],
)
def test_label_file_that_does_not_fit(old: str, new: str, message: str, ped2: Path, tmp_path: Path) -> None:
    label_file = ped2 / "Test/UCSDped2.m"
    label_file.write_text(label_file.read_text().replace(old, new))
    with pytest.raises(SourceError, match=rf"UCSDped2\.m: .*{message}"):
        _read(ped2, tmp_path)


def test_missing_label_file(ped2: Path, tmp_path: Path) -> None:
    (ped2 / "Test/UCSDped2.m").unlink()
    with pytest.raises(SourceError, match=r"UCSDped2\.m is missing"):
        _read(ped2, tmp_path)


# Incomplete sources


def test_whole_clips_may_be_absent_if_allowed(ped2: Path, tmp_path: Path) -> None:
    shutil.rmtree(ped2 / "Train/Train002")
    shutil.rmtree(ped2 / "Test/Test001")
    with pytest.raises(SourceError, match=r"missing: train/Train002, test/Test001\. .*--allow-incomplete"):
        read_ucsd(ped2, "ped2", tmp_path)
    clips = read_ucsd(ped2, "ped2", tmp_path, allow_incomplete=True)
    assert [clip.name for clip in clips] == ["Train001", "Test002"]
    assert clips[1].labels().tolist() == [1, 1, 1, 1, 0, 0]  # of the second entry, not the first


def test_cut_clip_is_never_allowed(ped2: Path, tmp_path: Path) -> None:
    shutil.rmtree(ped2 / "Train/Train001")
    (ped2 / "Train/Train002/007.tif").unlink()
    with pytest.raises(SourceError, match="ped2/train/Train002: 6 frames, expected 7"):
        read_ucsd(ped2, "ped2", tmp_path, allow_incomplete=True)


def test_clip_that_the_official_set_lacks(ped2: Path, tmp_path: Path) -> None:
    shutil.copytree(ped2 / "Train/Train001", ped2 / "Train/Train003")
    with pytest.raises(SourceError, match="ped2/train/Train003: no such clip in the official dataset"):
        _read(ped2, tmp_path)


# The real thing


@pytest.mark.data
def test_real_ped2(real_data: Path, tmp_path: Path) -> None:
    clips = read_ucsd(real_data, "ped2", tmp_path)
    frames = {split: sum(clip.num_frames for clip in clips if clip.split == split) for split in ("train", "test")}
    assert frames == {"train": 2550, "test": 2010}
    assert sum(int(clip.labels().sum()) for clip in clips if clip.split == "test") == 1648
    assert all(clip.labels().all() for clip in clips if clip.name in ("Test008", "Test009", "Test010", "Test011"))
    assert next(clips[0].frames()).shape == (240, 360, 1)
