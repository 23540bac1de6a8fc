"""The reader of a user's own footage: formats, labels, sizes, frame rates, and every kind of damage."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.clip import Clip, SourceError
from data_prep.prepare import PreparationError, notes, prepare
from data_prep.readers.videos import read_videos
from maam_lib.data import DatasetError, PreparedDataset
from tests.fake_sources import cut, masks, moving, write_footage, write_images, write_video
from tests.reader_contract import ReaderContract

LABELS = "clip,first,last\nevening,1,2\nevening, 5, 5\nnight,,\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of footage without labels."""
    return write_footage(tmp_path)


def of_test(clips: list[Clip], name: str) -> Clip:
    return next(clip for clip in clips if (clip.split, clip.name) == ("test", name))


class TestContract(ReaderContract):
    @pytest.fixture(params=["unlabelled", "intervals", "masks"])
    def clips(self, request: pytest.FixtureRequest, source: Path) -> list[Clip]:
        if request.param == "intervals":
            (source / "labels.csv").write_text(LABELS)
        if request.param == "masks":
            write_images(source / "masks/evening", masks(7, [3, 4]) * 255, "{:04d}.png")
            write_images(source / "masks/night", masks(6, []), "{:04d}.png")
        return read_videos(source).clips


# What is read


def test_videos_and_folders_of_frames_are_clips(source: Path) -> None:
    footage = read_videos(source)
    assert [(clip.split, clip.name, clip.num_frames) for clip in footage.clips] == [
        ("train", "morning", 6),
        ("train", "noon", 5),
        ("test", "evening", 7),
        ("test", "night", 6),
    ]
    noon = np.stack(list(footage.clips[1].frames()))
    np.testing.assert_array_equal(noon, np.stack(list(moving("noon", 5))))  # PNG loses nothing
    assert footage.label_source == "none: the footage has no labels"
    assert footage.notes == []


@pytest.mark.parametrize(
    ("container", "codec"),
    [("avi", "MJPG"), ("avi", "XVID"), ("mkv", "FFV1"), ("mp4", "mp4v"), ("mov", "mp4v"), ("wmv", "WMV2")],
)
def test_many_formats_are_read(container: str, codec: str, tmp_path: Path) -> None:
    write_video(tmp_path / "in" / "train" / f"hall.{container}", moving("hall", 9), codec)
    [clip] = read_videos(tmp_path / "in").clips
    frames = list(clip.frames())
    assert len(frames) == clip.num_frames == 9
    assert np.abs(frames[4].astype(int) - list(moving("hall", 9))[4]).mean() < 12


def test_numbers_in_names_order_the_frames(tmp_path: Path) -> None:
    frames = list(moving("hall", 12))
    write_images(tmp_path / "in/train/hall", iter(frames), "cam2_{}.png", first=5)  # 5, 6, ... 10: not by letters
    [clip] = read_videos(tmp_path / "in").clips
    np.testing.assert_array_equal(np.stack(list(clip.frames())), np.stack(frames))


def test_intervals_count_from_zero_and_include_both_ends(source: Path) -> None:
    (source / "labels.csv").write_text(LABELS)
    footage = read_videos(source)
    assert of_test(footage.clips, "evening").labels().tolist() == [0, 1, 1, 0, 0, 1, 0]
    assert of_test(footage.clips, "night").labels().sum() == 0
    assert footage.label_source == "the user's own labels.csv"


def test_masks_give_labels(source: Path) -> None:
    write_images(source / "masks/evening", masks(7, [3, 4]) * 255, "{:04d}.png")
    write_images(source / "masks/night", masks(6, []), "{:04d}.png")
    footage = read_videos(source)
    assert of_test(footage.clips, "evening").labels().tolist() == [0, 0, 0, 1, 1, 0, 0]
    assert footage.label_source == "the user's own masks/"


def test_unlabelled_footage_can_be_prepared_and_says_so_where_labels_are_needed(source: Path, tmp_path: Path) -> None:
    prepared = PreparedDataset(prepare("videos", source, tmp_path / "data", workers=1))
    assert prepared.frames("test", "night").shape == (6, 32, 48, 3)
    with pytest.raises(DatasetError, match=r"videos/test/night has no labels \(none: the footage has no labels"):
        prepared.labels("night")


def test_a_varying_frame_rate_is_noted(tmp_path: Path) -> None:
    write_slowing_video(tmp_path / "in/train/hall.mkv")
    [note] = read_videos(tmp_path / "in").notes
    assert note.startswith("train/hall: the frame rate varies (40 to 120 ms from frame to frame)")


def write_slowing_video(path: Path) -> None:
    """A Matroska file of 8 frames, the last three 120 ms apart: the time stamps of its blocks are overwritten."""
    write_video(path, moving("hall", 8), "MJPG")
    content = path.read_bytes()
    for t in (7, 6, 5):  # the last one first: stamps move up
        old, new = (b"\x81" + stamp.to_bytes(2, "big") + b"\x80\xff\xd8" for stamp in (40 * t, 40 * t + 80 * (t - 4)))
        assert content.count(old) == 1  # track 1, the time stamp, a key frame, a JPEG
        content = content.replace(old, new)
    path.write_bytes(content)


# Labels and files under other names


@pytest.mark.parametrize("text", [LABELS, LABELS.replace(",", ";"), LABELS.replace("\n", "\r\n\r\n"), LABELS.upper()])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_label_file_as_programs_write_it(text: str, encoding: str, source: Path) -> None:
    text = text.replace("EVENING", "evening").replace("NIGHT", '"night" ')
    (source / "Labels.csv").write_bytes(text.encode(encoding))
    footage = read_videos(source)
    assert of_test(footage.clips, "evening").labels().tolist() == [0, 1, 1, 0, 0, 1, 0]
    assert footage.notes == ["labels are read from Labels.csv"]
    assert footage.label_source == "the user's own Labels.csv"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("clip,first,last\nentrée,1,2\n".encode("cp1252"), r"line 2 is not UTF-8 \(byte 0xe9\); save it as UTF-8"),
        ("clip,first,last\nevening,1,2\n".encode("utf-16"), "looks like UTF-16|is not UTF-8.*; save it as UTF-8"),
        (b"clip,first,last\nevening,1,2,4,5\n", "line 2: 5 fields, expected clip,first,last; one interval per line"),
    ],
)
def test_a_label_file_of_another_form_is_named(content: bytes, message: str, source: Path) -> None:
    (source / "labels.csv").write_bytes(content)
    with pytest.raises(SourceError, match=rf"labels\.csv.*{message}"):
        read_videos(source)


def test_an_accent_is_the_same_however_it_is_stored(source: Path) -> None:
    (source / "test/night.mp4").rename(source / "test/entre\u0301e.mp4")
    (source / "labels.csv").write_text("clip,first,last\nevening,,\nentr\u00e9e,1,2\n", encoding="utf-8")
    write_images(source / "masks/entre\u0301e", masks(6, [1, 2]), "{}.png")
    assert of_test(read_videos(source).clips, "entr\u00e9e").labels().sum() == 2


def test_masks_as_arrays_are_read(source: Path, tmp_path: Path) -> None:
    (source / "masks").mkdir()
    np.save(source / "masks/evening.npy", masks(7, [3, 4]).astype(bool))
    np.save(source / "masks/night.npy", masks(6, []).astype(np.float32))
    folder = prepare("videos", source, tmp_path / "data", workers=1)
    assert np.load(folder / "test/evening/masks.npy").any(axis=(1, 2)).tolist() == [0, 0, 0, 1, 1, 0, 0]
    assert "masks/evening.npy: masks are read from this array" in notes(folder)
    np.save(source / "masks/night.npy", masks(5, []))
    with pytest.raises(SourceError, match="masks/night: 5 masks but 6 frames"):
        read_videos(source)


def test_labels_that_are_not_read_are_named(source: Path) -> None:
    (source / "masks").mkdir()
    shutil.copy(source / "test/evening.mkv", source / "masks")
    (source / "ground_truth").mkdir()
    (source / "labels.txt").write_text("evening 1 2")
    outside, of_masks = read_videos(source).notes
    assert outside == "skipped: ground_truth, labels.txt; only train/, test/, labels.csv and masks/ are read"
    assert of_masks.startswith("masks/: evening.mkv skipped; masks are lossless pictures")


def test_masks_as_jpeg_are_refused(source: Path) -> None:
    write_images(source / "masks/evening", masks(7, [3]), "{}.jpg")
    with pytest.raises(SourceError, match=r"masks/evening/0\.jpg: JPEG smears a mask; store masks as \.bmp, \.png"):
        read_videos(source)


def test_what_is_no_footage_is_passed_over_and_named(source: Path) -> None:
    (source / "train/README.txt").write_text("camera 3, hall, recorded in May\n" * 40)
    (source / "train/clip.nfo").write_text("hall")
    os.mkfifo(source / "train/pipe.mp4")
    footage = read_videos(source)
    assert [clip.name for clip in footage.clips] == ["morning", "noon", "evening", "night"]
    assert footage.notes == ["train/: README.txt, clip.nfo, pipe.mp4 skipped: not a video"]


@pytest.mark.parametrize("folder", ["train", "masks"])
def test_loose_pictures_belong_in_a_folder_per_clip(folder: str, source: Path) -> None:
    (source / folder).mkdir(exist_ok=True)
    shutil.copy(source / "train/noon/frame_0001.png", source / folder / "0001.png")
    with pytest.raises(SourceError, match=rf"{folder}.* belong in a folder per clip.*{folder}/CLIP/0001\.png"):
        read_videos(source)


def test_a_name_that_ffmpeg_takes_for_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "train/hall.avi", moving("hall", 5))
    (tmp_path / "train/hall.avi").rename(tmp_path / "train/12:30.avi")
    monkeypatch.chdir(tmp_path)
    assert [clip.name for clip in read_videos(Path()).clips] == ["12:30"]


def test_folders_in_either_case(source: Path, tmp_path: Path) -> None:
    (source / "train").rename(source / "Train")
    assert len(read_videos(source).clips) == 4
    root = tmp_path / "data"
    prepare("videos", source, root, workers=1)
    cv2.imwrite(str(source / "Train/noon/frame_0002.png"), np.zeros((32, 48, 3), np.uint8))
    with pytest.raises(PreparationError):
        prepare("videos", source, root, workers=1)


@pytest.mark.parametrize("root", ["train", "train/data", "masks"])
def test_a_root_among_the_footage_is_refused(root: str, source: Path) -> None:
    before = sorted(source.rglob("*"))
    with pytest.raises(PreparationError, match=rf"--root .*{root} lies in .*; choose a --root outside of it"):
        prepare("videos", source, source / root, workers=1)
    assert sorted(source.rglob("*")) == before


@pytest.mark.parametrize("root", [".", "data"])
def test_the_prepared_dataset_is_no_footage_that_was_passed_over(root: str, source: Path) -> None:
    folder = prepare("videos", source, source / root, workers=1)
    assert notes(folder) == []
    assert prepare("videos", source, source / root, workers=1) == folder


# Sizes


def test_other_sizes_need_a_stored_size_and_a_stretch_is_noted(source: Path, tmp_path: Path) -> None:
    write_video(source / "train/tall.avi", moving("tall", 5, (64, 48)))
    with pytest.raises(SourceError, match=r"train/morning is 32x48, but train/tall is 64x48; choose .*--size H W"):
        read_videos(source)
    folder = prepare("videos", source, tmp_path / "data", size=(16, 24), workers=1)
    assert np.load(folder / "train/tall/frames.npy").shape == (5, 16, 24, 3)
    assert notes(folder) == ["train/tall: 64x48 is stored at 16x24, so everything looks 2.00 times as wide"]


def test_a_frame_of_another_size_within_a_clip(source: Path) -> None:
    cv2.imwrite(str(source / "train/noon/frame_0003.png"), np.zeros((32, 40, 3), np.uint8))
    clip = read_videos(source, size=(16, 24)).clips[1]
    with pytest.raises(SourceError, match=r"frame_0003\.png: 32x40 pixels, expected 32x48"):
        list(clip.frames())


# Two folders of footage are two datasets


def test_other_footage_is_not_taken_for_this(source: Path, tmp_path: Path) -> None:
    (source / "labels.csv").write_text(LABELS)
    root = tmp_path / "data"
    folder = prepare("videos", source, root, workers=1)
    assert prepare("videos", source, root, workers=1) == folder
    (source / "labels.csv").write_text(LABELS.replace("1,2", "2,3"))  # as many bytes
    with pytest.raises(
        PreparationError, match=r"prepared from other footage \(lobby\), or it has changed since; choose"
    ):
        prepare("videos", source, root, workers=1)


# Damage: each names the file and the remedy


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        SourceError, match="empty: no footage; expected videos or folders of frames in train/ and test/"
    ):
        read_videos(tmp_path / "empty")
    with pytest.raises(SourceError, match="nowhere: no such folder"):
        read_videos(tmp_path / "nowhere")


def test_file_that_is_no_video(source: Path) -> None:
    (source / "train/notes.mp4").write_text("not a video")
    with pytest.raises(SourceError, match=r"notes\.mp4: cannot be read as a video \(11 bytes\)"):
        read_videos(source)


@pytest.mark.parametrize(("name", "codec"), [("hall.avi", "FMP4"), ("hall.mkv", "mp4v")])
def test_video_that_stops_early(name: str, codec: str, tmp_path: Path) -> None:
    write_video(tmp_path / "in/train" / name, moving("hall", 40), codec)
    cut(tmp_path / "in/train" / name, 0.8)
    with pytest.raises(SourceError, match=r"hall\....: decoding stops after \d+ frames .* Was it cut"):
        read_videos(tmp_path / "in")


@pytest.mark.parametrize("removed", ["frame_0003.png", "frame_0002.png"])
def test_missing_frame(removed: str, source: Path) -> None:
    (source / "train/noon" / removed).unlink()
    with pytest.raises(
        SourceError, match=r"train/noon: a frame is missing between frame_000\d\.png and frame_000\d\.png"
    ):
        read_videos(source)


def test_frame_there_twice(source: Path) -> None:
    shutil.copy(source / "train/noon/frame_0003.png", source / "train/noon/copy_0003.png")
    with pytest.raises(SourceError, match=r"frame_0003\.png: copy_0003\.png has the same number"):
        read_videos(source)


def test_damaged_image(source: Path) -> None:
    cut(source / "train/noon/frame_0003.png", 0.5)
    with pytest.raises(SourceError, match=r"frame_0003\.png: cannot be decoded"):
        list(read_videos(source).clips[1].frames())


def test_folder_without_images(source: Path) -> None:
    (source / "test/late").mkdir()
    with pytest.raises(SourceError, match="test/late: no images in this folder"):
        read_videos(source)


def test_clip_there_twice(source: Path) -> None:
    shutil.copytree(source / "train/noon", source / "test/night")
    with pytest.raises(SourceError, match="test/night exists twice"):
        read_videos(source)


def test_unlabelled_clip_among_labelled_ones(source: Path) -> None:
    (source / "labels.csv").write_text("clip,first,last\nevening,1,2\n")
    with pytest.raises(
        SourceError,
        match=r"no labels for test clip night, although others have labels; .* add the line night,, to labels",
    ):
        read_videos(source)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,from,to\n", r"labels\.csv: columns \['name', 'from', 'to'\], expected clip,first,last"),
        ("", r"labels\.csv: columns None, expected clip,first,last"),
        ("clip,first,last\nmorning,1,2\n", r"labels\.csv: no test clip 'morning'; there are evening, night"),
        ("clip,first,last\nevening,1,7\n", r"line 2: '1' to '7' is not an interval of evening; expected frames 0 to 6"),
        ("clip,first,last\nevening,3,2\n", r"line 2: '3' to '2' is not an interval"),
        ("clip,first,last\nevening,-1,2\n", r"line 2: '-1' to '2' is not an interval"),
        ("clip,first,last\nevening,1\n", r"line 2: '1' to '' is not an interval"),
    ],
)
def test_label_file_that_does_not_fit(text: str, message: str, source: Path) -> None:
    (source / "labels.csv").write_text(text)
    with pytest.raises(SourceError, match=message):
        read_videos(source)


def test_mask_count_one_off(source: Path) -> None:
    write_images(source / "masks/evening", masks(6, [3]), "{:04d}.png")
    with pytest.raises(SourceError, match=r"masks/evening: 6 masks but 7 frames; expected one mask per frame"):
        read_videos(source)


def test_masks_of_an_unknown_clip(source: Path) -> None:
    write_images(source / "masks/morning", masks(6, [3]), "{:04d}.png")
    with pytest.raises(SourceError, match="masks: no test clip 'morning'"):
        read_videos(source)


def test_masks_that_contradict_the_intervals(source: Path, tmp_path: Path) -> None:
    (source / "labels.csv").write_text(LABELS)
    write_images(source / "masks/evening", masks(7, [1, 2, 4]) * 255, "{:04d}.png")
    with pytest.raises(
        SourceError, match=r"videos/test/evening: frame 4 .* is normal by its label, but its mask is not"
    ):
        prepare("videos", source, tmp_path / "data", workers=1)
