"""The ShanghaiTech reader on fake sources in the official layout, with every kind of damage, and on a real clip."""

import shutil
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.clip import Clip, SourceError
from data_prep.expected import OFFICIAL_COUNTS
from data_prep.prepare import prepare
from data_prep.readers.shanghaitech import read_shanghaitech
from tests.fake_sources import (
    FAKE_COUNTS,
    SHANGHAI_ABNORMAL,
    SHANGHAI_TEST,
    SHANGHAI_TRAIN,
    SIZE,
    cut,
    masks,
    moving,
    write_images,
    write_shanghaitech,
    write_video,
    zipped,
)
from tests.reader_contract import ReaderContract


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The unpacked tree: the folder of `training` and `testing`."""
    monkeypatch.setitem(OFFICIAL_COUNTS, "shanghaitech", FAKE_COUNTS["shanghaitech"])
    return write_shanghaitech(tmp_path / "source")


@pytest.fixture
def archive(tree: Path, tmp_path: Path) -> Path:
    """The tree packed as it is handed on, in a folder of its own."""
    (tmp_path / "download").mkdir()
    packed = tmp_path / "download" / "shanghaitech.tar.gz"
    with tarfile.open(packed, "w:gz") as members:
        members.add(tree, arcname=tree.name)
    return packed


def read(source: Path, tmp_path: Path, **options: bool) -> list[Clip]:
    return read_shanghaitech(source, tmp_path / "scratch", **options)


class TestContract(ReaderContract):
    @pytest.fixture(params=["unpacked", "archive"])
    def clips(self, request: pytest.FixtureRequest, tree: Path, tmp_path: Path) -> list[Clip]:
        return read(tree if request.param == "unpacked" else request.getfixturevalue("archive"), tmp_path)


# What is read


def test_frames_labels_and_masks_are_those_on_disk(tree: Path, tmp_path: Path) -> None:
    clips = read(tree, tmp_path)
    assert {clip.name: clip.num_frames for clip in clips} == SHANGHAI_TRAIN | SHANGHAI_TEST
    for clip in clips:
        for frame, original in zip(clip.frames(), moving(clip.name, clip.num_frames), strict=True):
            assert np.abs(frame.astype(int) - original).mean() < 12
    for clip in clips[2:]:
        abnormal = SHANGHAI_ABNORMAL[clip.name]
        assert np.flatnonzero(clip.labels()).tolist() == abnormal
        np.testing.assert_array_equal(np.stack(list(clip.masks())), masks(clip.num_frames, abnormal))


def test_every_form_of_the_source_is_accepted(tree: Path, archive: Path, tmp_path: Path) -> None:
    packed = zipped(tree, tmp_path / "shanghaitech.zip")
    for number, source in enumerate((tree, tree.parent, archive, archive.parent, packed)):
        assert len(read_shanghaitech(source, tmp_path / f"scratch{number}")) == 4


def test_scene_is_the_first_number_of_the_name(tree: Path, tmp_path: Path) -> None:
    (tree / "testing/frames/03_0031").rename(tree / "testing/frames/14_0014")
    with pytest.raises(SourceError, match="shanghaitech/14_0014: expected a name such as 01_0014, its scene 01 to 13"):
        read(tree, tmp_path)


def test_frames_are_read_one_at_a_time(tree: Path, tmp_path: Path) -> None:
    """The last frame of a clip may be damaged: the first is there all the same."""
    clip = read(tree, tmp_path)[2]
    cut(tree / "testing/frames/01_0014/006.jpg", 0.5)
    frames = clip.frames()
    for _ in range(6):
        next(frames)
    with pytest.raises(SourceError, match=r"01_0014/006\.jpg: cannot be decoded"):
        next(frames)


def training_frames(tree: Path, first: int = 0) -> None:
    """The training clips as folders of frames in place of videos."""
    for name, num_frames in SHANGHAI_TRAIN.items():
        write_images(tree / "training/frames" / name, moving(name, num_frames), first=first)


@pytest.mark.parametrize("first", [0, 1])
def test_training_clips_may_be_folders_of_frames(first: int, tree: Path, tmp_path: Path) -> None:
    shutil.rmtree(tree / "training/videos")
    training_frames(tree, first)
    clips = read(tree, tmp_path)
    assert {clip.name: clip.num_frames for clip in clips} == SHANGHAI_TRAIN | SHANGHAI_TEST
    for frame, original in zip(clips[0].frames(), moving("01_001", 5), strict=True):
        assert np.abs(frame.astype(int) - original).mean() < 12
    (tree / f"training/frames/01_001/{first:03d}.jpg").unlink()
    with pytest.raises(SourceError, match=rf"01_001/{first:03d}\.jpg is missing|10 frames, expected 11"):
        read(tree, tmp_path, allow_incomplete=True)


def test_videos_and_frames_at_once_are_named(tree: Path, tmp_path: Path) -> None:
    training_frames(tree)
    with pytest.raises(
        SourceError, match=r"training: 2 clips as videos/\*\.avi and 2 as folders in frames/; expected one"
    ):
        read(tree, tmp_path)


def test_another_layout_is_named_as_what_was_found(tree: Path, tmp_path: Path) -> None:
    for path in (tree / "training/videos").iterdir():
        path.rename(path.with_suffix(".mp4"))
    with pytest.raises(SourceError, match=r"videos: expected videos, such as 01_001\.avi, found 2 \.mp4 files"):
        read(tree, tmp_path, allow_incomplete=True)


# Damage: each names the file and the remedy


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        SourceError, match=r"empty: expected training/videos and testing/frames, or one .* none of them"
    ):
        read(tmp_path / "empty", tmp_path)


def test_truncated_archive(archive: Path, tmp_path: Path) -> None:
    cut(archive, 0.5)
    with pytest.raises(SourceError, match=r"shanghaitech\.tar\.gz: not a complete tar archive .*download it again"):
        read(archive, tmp_path)


def test_missing_frame(tree: Path, tmp_path: Path) -> None:
    (tree / "testing/frames/01_0014/003.jpg").unlink()
    with pytest.raises(SourceError, match=r"01_0014/003\.jpg is missing \(1 of 7 files\)"):
        read(tree, tmp_path)


def test_first_frame_missing(tree: Path, tmp_path: Path) -> None:
    (tree / "testing/frames/01_0014/000.jpg").unlink()
    with pytest.raises(SourceError, match=r"01_0014/000\.jpg is missing"):
        read(tree, tmp_path)


def test_last_frame_missing(tree: Path, tmp_path: Path) -> None:
    (tree / "testing/frames/01_0014/006.jpg").unlink()
    with pytest.raises(SourceError, match=r"shanghaitech/test/01_0014: 6 frames but 7 labels; expected one per frame"):
        read(tree, tmp_path)


def test_frame_of_another_size(tree: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tree / "testing/frames/03_0031/002.jpg"), np.zeros((32, 40, 3), np.uint8))
    with pytest.raises(SourceError, match=r"03_0031/002\.jpg: 32x40 pixels, expected 32x48"):
        list(read(tree, tmp_path)[3].frames())


def test_video_that_stops_early(tree: Path, tmp_path: Path) -> None:
    path = tree / "training/videos/01_001.avi"
    write_video(path, moving("long", 40))
    cut(path, 0.8)
    (tree / "training/videos/13_002.avi").unlink()
    with pytest.raises(SourceError, match=r"01_001\.avi: decoding stops after \d+ frames .* Was it cut"):
        prepare("shanghaitech", tree, tmp_path / "data", allow_incomplete=True, workers=1)


@pytest.mark.parametrize(("kind", "name"), [("test_frame_mask", "labels"), ("test_pixel_mask", "masks")])
def test_count_one_off(kind: str, name: str, tree: Path, tmp_path: Path) -> None:
    path = tree / "testing" / kind / "01_0014.npy"
    np.save(path, np.load(path)[:-1])
    with pytest.raises(SourceError, match=rf"shanghaitech/test/01_0014: 7 frames but 6 {name}; .*{kind}/01_0014"):
        read(tree, tmp_path)


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_cut_masks(kept: float, tree: Path, tmp_path: Path) -> None:
    cut(tree / "testing/test_pixel_mask/01_0014.npy", kept)
    with pytest.raises(SourceError, match=r"test_pixel_mask/01_0014\.npy: not a complete NumPy array"):
        read(tree, tmp_path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((7, *SIZE), np.uint8), r"uint8 \(7, 32, 48\), expected numbers \(T,\)"),
        (np.arange(7), r"values \[0, 1, 2, 3, 4, 5, 6\], expected 0 and 1"),
        (np.array([None] * 7), "not a complete NumPy array"),
    ],
)
def test_labels_of_another_kind(labels: np.ndarray, message: str, tree: Path, tmp_path: Path) -> None:
    np.save(tree / "testing/test_frame_mask/01_0014.npy", labels)
    with pytest.raises(SourceError, match=rf"test_frame_mask/01_0014\.npy: {message}"):
        read(tree, tmp_path)


def test_shifted_labels(tree: Path, tmp_path: Path) -> None:
    path = tree / "testing/test_frame_mask/01_0014.npy"
    np.save(path, np.roll(np.load(path), 1))
    with pytest.raises(
        SourceError, match=r"shanghaitech/test/01_0014: frame 2 .* is normal by its label, but its mask is not"
    ):
        prepare("shanghaitech", tree, tmp_path / "data", workers=1)


def test_unlabelled_clip(tree: Path, tmp_path: Path) -> None:
    (tree / "testing/test_frame_mask/01_0014.npy").unlink()
    with pytest.raises(SourceError, match=r"01_0014\.npy is missing: the labels of test clip 01_0014"):
        read(tree, tmp_path, allow_incomplete=True)


def test_missing_masks(tree: Path, tmp_path: Path) -> None:
    (tree / "testing/test_pixel_mask/01_0014.npy").unlink()
    with pytest.raises(SourceError, match="1 clip with pixel masks, expected 2; without: 01_0014"):
        read(tree, tmp_path)


# Incomplete sources


def test_whole_clips_may_be_absent_if_allowed(tree: Path, tmp_path: Path) -> None:
    shutil.rmtree(tree / "testing/frames/01_0014")
    (tree / "training/videos/13_002.avi").unlink()
    with pytest.raises(SourceError, match=r"missing: 1 of 2 train clips, 1 of 2 test clips\. .*--allow-incomplete"):
        read(tree, tmp_path)
    assert [clip.name for clip in read(tree, tmp_path, allow_incomplete=True)] == ["01_001", "03_0031"]


def test_more_clips_than_the_official_set_has(tree: Path, tmp_path: Path) -> None:
    shutil.copy(tree / "training/videos/13_002.avi", tree / "training/videos/13_003.avi")
    with pytest.raises(SourceError, match="shanghaitech/train: 3 clips, expected 2"):
        read(tree, tmp_path)


# The real thing


@pytest.mark.data
def test_real_clip(real_data: Path, tmp_path: Path) -> None:
    [clip] = read(real_data / "shanghaitech_sample", tmp_path, allow_incomplete=True)
    assert (clip.split, clip.name, clip.num_frames) == ("test", "01_0014", 265)
    assert int(clip.labels().sum()) == 76
    assert clip.masks is None  # not in the sample
    assert next(clip.frames()).shape == (480, 856, 3)
