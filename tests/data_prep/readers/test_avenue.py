"""The Avenue reader on fake sources in the official layout, with every kind of damage, and on real clips."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from data_prep.clip import Clip, SourceError
from data_prep.expected import OFFICIAL_COUNTS
from data_prep.prepare import PreparationError, prepare
from data_prep.readers.avenue import read_avenue
from tests.fake_sources import (
    AVENUE_ABNORMAL,
    AVENUE_TEST,
    AVENUE_TRAIN,
    FAKE_COUNTS,
    SIZE,
    cut,
    mask_file,
    masks,
    moving,
    write_avenue,
    write_intervals,
    write_masks,
    write_video,
    zipped,
)
from tests.reader_contract import ReaderContract

OTHER = [[(2, 5), (7, 7)], []]  # the other label set: frames counted from 1


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with both unpacked folders."""
    monkeypatch.setitem(OFFICIAL_COUNTS, "avenue", FAKE_COUNTS["avenue"])
    return write_avenue(tmp_path / "source")


@pytest.fixture
def archives(source: Path, tmp_path: Path) -> Path:
    """A folder with both official archives."""
    folder = tmp_path / "download"
    folder.mkdir()
    zipped(source / "Avenue Dataset", folder / "Avenue_Dataset.zip")
    zipped(source / "ground_truth_demo", folder / "ground_truth_demo.zip")
    return folder


def read(source: Path, tmp_path: Path, **options: object) -> list[Clip]:
    return read_avenue(source, tmp_path / "scratch", **options)


def of_test(clips: list[Clip], name: str) -> Clip:
    return next(clip for clip in clips if (clip.split, clip.name) == ("test", name))


class TestContract(ReaderContract):
    @pytest.fixture(params=["unpacked", "archives", "other labels"])
    def clips(self, request: pytest.FixtureRequest, source: Path, tmp_path: Path) -> list[Clip]:
        if request.param == "archives":
            source = request.getfixturevalue("archives")
        labels = write_intervals(tmp_path / "avenue.mat", OTHER) if request.param == "other labels" else None
        return read(source, tmp_path, labels=labels)


# What is read


def test_frames_labels_and_masks_are_those_on_disk(source: Path, tmp_path: Path) -> None:
    clips = read(source, tmp_path)
    assert [(clip.split, clip.name, clip.num_frames) for clip in clips] == [
        *(("train", name, count) for name, count in AVENUE_TRAIN.items()),
        *(("test", name, count) for name, count in AVENUE_TEST.items()),
    ]
    for clip in clips:
        written = moving(f"{clip.split}ing{clip.name}", clip.num_frames)
        for frame, original in zip(clip.frames(), written, strict=True):
            assert np.abs(frame.astype(int) - original).mean() < 12  # lossy; red and blue swapped: over 40
    for name, abnormal in AVENUE_ABNORMAL.items():
        clip = of_test(clips, name)
        assert np.flatnonzero(clip.labels()).tolist() == abnormal
        np.testing.assert_array_equal(np.stack(list(clip.masks())), masks(clip.num_frames, abnormal))


@pytest.mark.parametrize("place", ["folder", "archive itself", "videos unpacked", "inside the videos' folder"])
def test_every_form_of_the_source_is_accepted(place: str, archives: Path, source: Path, tmp_path: Path) -> None:
    where = archives
    if place == "archive itself":
        where = archives / "Avenue_Dataset.zip"
    elif place == "videos unpacked":
        (archives / "Avenue_Dataset.zip").unlink()
        shutil.copytree(source / "Avenue Dataset", archives / "Avenue Dataset")
    elif place == "inside the videos' folder":
        where = source / "Avenue Dataset"
    clips = read(where, tmp_path)
    assert len(clips) == 4
    assert of_test(clips, "01").labels().sum() == 3
    scratch = tmp_path / "scratch"
    assert not scratch.exists() or {path.suffix for path in scratch.rglob("*") if path.is_file()} <= {".avi", ".mat"}


def test_the_other_label_set_has_a_name_and_no_masks(source: Path, tmp_path: Path) -> None:
    shutil.rmtree(source / "ground_truth_demo")
    labels = write_intervals(tmp_path / "avenue.mat", OTHER)
    clip = of_test(read(source, tmp_path, labels=labels), "01")
    assert clip.labels().tolist() == [0, 1, 1, 1, 1, 0, 1]
    assert clip.masks is None
    assert of_test(read(source, tmp_path, labels=labels), "02").labels().sum() == 0


def test_label_sets_are_kept_apart(source: Path, tmp_path: Path) -> None:
    labels = write_intervals(tmp_path / "avenue.mat", OTHER)
    folder = prepare("avenue", source, tmp_path / "data", labels=labels, workers=1)
    assert (
        '"label_source": "frame intervals in avenue.mat, not the official masks'
        in (folder / "manifest.json").read_text()
    )
    assert prepare("avenue", source, tmp_path / "data", labels=labels, workers=1) == folder
    with pytest.raises(PreparationError, match=r"other labels \(frame intervals in avenue\.mat.* separate --root"):
        prepare("avenue", source, tmp_path / "data", workers=1)


def test_official_masks_and_videos_are_prepared(archives: Path, tmp_path: Path) -> None:
    folder = prepare("avenue", archives, tmp_path / "data", size=(16, 24), workers=1)
    assert np.load(folder / "test/01/masks.npy").any(axis=(1, 2)).tolist() == [0, 0, 1, 1, 1, 0, 0]
    assert np.load(folder / "train/02/frames.npy").shape == (6, 16, 24, 3)
    assert not list(folder.rglob(".*"))


# Damage: each names the file and the remedy


def test_missing_archive_of_masks(archives: Path, tmp_path: Path) -> None:
    (archives / "ground_truth_demo.zip").unlink()
    with pytest.raises(SourceError, match=r"download: expected ground_truth_demo\.zip, or a folder with testing_label"):
        read(archives, tmp_path)


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"empty: expected Avenue_Dataset\.zip, .* found neither"):
        read(tmp_path / "empty", tmp_path)


@pytest.mark.parametrize("kept", [0.0, 0.6])
def test_truncated_archive(kept: float, archives: Path, tmp_path: Path) -> None:
    cut(archives / "Avenue_Dataset.zip", kept)
    with pytest.raises(SourceError, match=r"Avenue_Dataset\.zip: not a complete zip archive .*download it again"):
        read(archives, tmp_path)


def test_unsafe_archive_is_refused(archives: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archives / "Avenue_Dataset.zip", "a") as members:
        members.writestr("../../training_videos/03.avi", b"evil")
    with pytest.raises(SourceError, match=r"unsafe archive refused \('\.\./\.\./training_videos/03\.avi' would land"):
        read(archives, tmp_path)
    assert not list(tmp_path.rglob("03.avi"))
    assert not (tmp_path / "scratch").exists()


def test_archive_of_something_else(source: Path, archives: Path, tmp_path: Path) -> None:
    shutil.copy(archives / "ground_truth_demo.zip", archives / "Avenue_Dataset.zip")
    with pytest.raises(SourceError, match=r"Avenue_Dataset\.zip: no avi files inside; is it another archive"):
        read(archives, tmp_path)


def test_video_that_is_none(source: Path, tmp_path: Path) -> None:
    (source / "Avenue Dataset/testing_videos/01.avi").write_text("<html>404</html>")
    with pytest.raises(SourceError, match=r"01\.avi: cannot be read as a video \(16 bytes\)"):
        read(source, tmp_path)


def test_video_that_stops_early(source: Path, tmp_path: Path) -> None:
    path = source / "Avenue Dataset/training_videos/02.avi"
    write_video(path, moving("long", 40))
    cut(path, 0.8)
    (source / "Avenue Dataset/training_videos/01.avi").unlink()
    clips = read(source, tmp_path, allow_incomplete=True)
    with pytest.raises(SourceError, match=r"02\.avi: decoding stops after \d+ frames .* Was it cut"):
        list(clips[0].frames())


def test_mask_count_one_off(source: Path, tmp_path: Path) -> None:
    write_masks(source, "01", masks(6, [2]))
    with pytest.raises(SourceError, match=r"avenue/test/01: 7 frames but 6 masks; expected one .*1_label\.mat"):
        read(source, tmp_path)


def test_missing_mask_file(source: Path, tmp_path: Path) -> None:
    mask_file(source, "02").unlink()
    with pytest.raises(SourceError, match=r"2_label\.mat is missing: the masks of test clip 02"):
        read(source, tmp_path, allow_incomplete=True)


def test_mask_of_another_size(source: Path, tmp_path: Path) -> None:
    write_masks(source, "01", masks(7, AVENUE_ABNORMAL["01"])[:, :30])
    clips = read(source, tmp_path)
    with pytest.raises(SourceError, match=r"1_label\.mat, mask 1: 30x48 pixels, expected 32x48"):
        list(of_test(clips, "01").masks())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"other": np.zeros(3)}, r"expected volLabel, a 1xT cell of masks, found other: double \(1, 3\)"),
        ({"volLabel": np.zeros((7, *SIZE), np.uint8)}, r"expected volLabel, a 1xT cell .* found volLabel: uint8 \(7"),
    ],
)
def test_matlab_file_of_another_structure(content: dict, message: str, source: Path, tmp_path: Path) -> None:
    scipy.io.savemat(mask_file(source, "01"), content)
    with pytest.raises(SourceError, match=rf"1_label\.mat: {message}"):
        read(source, tmp_path)


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.6])
def test_cut_matlab_file(kept: float, source: Path, tmp_path: Path) -> None:
    cut(mask_file(source, "01"), kept)
    with pytest.raises(SourceError, match=r"1_label\.mat: cannot be read as a MATLAB file"):
        list(of_test(read(source, tmp_path), "01").masks())


def test_shifted_masks_change_the_official_total(source: Path, tmp_path: Path) -> None:
    write_masks(source, "02", masks(6, [0, 4, 5]))
    with pytest.raises(SourceError, match="avenue/test: 6 abnormal frames, expected 5"):
        read(source, tmp_path)


@pytest.mark.parametrize(
    ("intervals", "message"),
    [
        ([[(1, 2)]], r"expected gt, a cell with the intervals of 2 test clips, found gt: cell \(1, 1\)"),
        ([[(0, 2)], []], r"clip 1: expected \[first; last\] frames counted from 1, found \[\[0\.0\], \[2\.0\]\]"),
        ([[(5, 2)], []], r"clip 1: expected \[first; last\]"),
        ([[], [(5, 7)]], "avenue/test/02: labels run to frame 7, but it has 6 frames"),
    ],
)
def test_label_file_that_does_not_fit(intervals: list, message: str, source: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=message):
        read(source, tmp_path, labels=write_intervals(tmp_path / "avenue.mat", intervals))


def test_missing_label_file(source: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"avenue\.mat: no such file; --labels is a MATLAB file"):
        read(source, tmp_path, labels=tmp_path / "avenue.mat")


def test_labels_per_frame_are_named(source: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "frame_labels_avenue.npy", np.zeros((1, 13)))
    with pytest.raises(
        SourceError, match=r"expected a MATLAB file of frame intervals, .*one label per frame .* is not read"
    ):
        read(source, tmp_path, labels=tmp_path / "frame_labels_avenue.npy")
    scipy.io.savemat(tmp_path / "avenue.mat", {"gt": np.zeros((1, 13))})
    with pytest.raises(SourceError, match=r"found gt: double \(1, 13\); one label per frame .* is not read"):
        read(source, tmp_path, labels=tmp_path / "avenue.mat")


def test_videos_of_another_kind_are_named_as_what_was_found(source: Path, tmp_path: Path) -> None:
    for path in (source / "Avenue Dataset/training_videos").iterdir():
        path.rename(path.with_suffix(".mp4"))
    with pytest.raises(SourceError, match=r"training_videos: expected 01\.avi, .*found 2 \.mp4 files, such as 02\.mp4"):
        read(source, tmp_path, allow_incomplete=True)


def test_other_datasets_take_no_other_labels(tmp_path: Path) -> None:
    with pytest.raises(PreparationError, match="ped2 takes no other labels; --labels is for avenue"):
        prepare("ped2", tmp_path, tmp_path / "data", labels=tmp_path / "avenue.mat")


# Incomplete sources


def test_whole_clips_may_be_absent_if_allowed(source: Path, tmp_path: Path) -> None:
    (source / "Avenue Dataset/testing_videos/01.avi").unlink()
    with pytest.raises(SourceError, match=r"missing: test/01\. .*--allow-incomplete"):
        read(source, tmp_path)
    assert [clip.name for clip in read(source, tmp_path, allow_incomplete=True)] == ["01", "02", "02"]


def test_cut_training_clip_changes_the_official_total(source: Path, tmp_path: Path) -> None:
    write_video(source / "Avenue Dataset/training_videos/02.avi", moving("cut", 4))
    with pytest.raises(SourceError, match="avenue/train: 9 frames, expected 11 by the official count"):
        read(source, tmp_path, allow_incomplete=True)


# The real thing


@pytest.mark.data
def test_real_clips(real_data: Path, tmp_path: Path) -> None:
    clips = read(real_data / "avenue_sample", tmp_path, allow_incomplete=True)
    assert [(clip.split, clip.name, clip.num_frames) for clip in clips] == [
        ("train", "12", 145),
        ("test", "08", 36),
        ("test", "21", 76),
    ]
    assert [int(clip.labels().sum()) for clip in clips[1:]] == [36, 53]
    assert next(clips[2].masks()).shape == next(clips[2].frames()).shape[:2] == (360, 640)
