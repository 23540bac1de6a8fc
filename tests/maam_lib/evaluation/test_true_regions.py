"""Published boxes of tracks: read in both forms, scaled, refused by the line; without them regions come from masks."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from data_prep.prepare import prepare
from maam_lib.data import PreparedDataset
from maam_lib.evaluation.localisation import localised
from maam_lib.evaluation.measuring import Evaluator
from maam_lib.evaluation.scores import EvaluationError, PatchErrors
from maam_lib.evaluation.true_regions import published_boxes, true_regions
from maam_lib.windows import patch_bounds
from tests.conftest import tiny_recipe

STREET_SCENE = "001.tif 7 10 6.5 4 3\n003.tif 7 11 6 4 4\n003.tif 2 12 7 4 4\n"  # X, Y of the middle, width, height


@pytest.fixture
def own_scene(scene: PreparedDataset, tmp_path: Path) -> PreparedDataset:
    """A copy of the small scene, 48x64, with an empty file of tracks for each of its test clips."""
    folder = shutil.copytree(scene.folder, tmp_path / "scene")
    (folder / "tracks").mkdir()
    for clip in scene.clips("test"):
        (folder / "tracks" / f"{clip}_gt.txt").write_text("")
    return PreparedDataset(folder)


def write(prepared: PreparedDataset, text: str, name: str = "Test001_gt.txt") -> None:
    (prepared.folder / "tracks" / name).write_text(text)


def as_picture(pixels: np.ndarray, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    picture = np.zeros(size, int)
    picture.ravel()[pixels] = 1
    return picture


def test_boxes_are_whole_also_where_they_overlap_and_belong_to_their_frame(own_scene: PreparedDataset) -> None:
    write(own_scene, STREET_SCENE)
    truth = true_regions(own_scene)
    assert (truth.what, truth.are_tracks, truth.everywhere) == ("published boxes of tracks", True, True)
    assert list(truth.of("Test001", 0)) == [7]
    np.testing.assert_array_equal(np.argwhere(as_picture(truth.of("Test001", 0)[7])), np.argwhere(_box(5, 8, 8, 12)))
    both = truth.of("Test001", 2)
    np.testing.assert_array_equal(as_picture(both[7]), _box(4, 8, 9, 13))
    np.testing.assert_array_equal(as_picture(both[2]), _box(5, 9, 10, 14))
    assert truth.of("Test001", 1) == truth.of("Test002", 0) == {}


def _box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    picture = np.zeros((48, 64), int)
    picture[top:bottom, left:right] = 1
    return picture


def test_the_form_with_corners_counts_frames_from_0_and_has_the_track_first(own_scene: PreparedDataset) -> None:
    (own_scene.folder / "tracks" / "Test001_gt.txt").unlink()
    write(own_scene, "4,0,9,4,13,8\n4,39,60,40,70,50\n", "Test001.txt")
    truth = true_regions(own_scene)
    np.testing.assert_array_equal(as_picture(truth.of("Test001", 0)[4]), _box(4, 8, 9, 13))
    np.testing.assert_array_equal(as_picture(truth.of("Test001", 39)[4]), _box(40, 48, 60, 64))  # cut at the border


def test_a_name_may_begin_with_more(own_scene: PreparedDataset) -> None:
    (own_scene.folder / "tracks" / "Test001_gt.txt").rename(own_scene.folder / "tracks" / "Scene_Test001_gt.txt")
    assert published_boxes(own_scene) == {}


def test_boxes_are_of_the_source_s_pixels(ped2: Path, tmp_path: Path) -> None:
    prepared = PreparedDataset(prepare("ped2", ped2, tmp_path / "data", size=(48, 36), progress=False))
    assert prepared.manifest.source.frame_size == (24, 36)
    folder = prepared.folder / "tracks"
    folder.mkdir()
    (folder / "Test001_gt.txt").write_text("002.tif 1 6 6 4 2\n")  # rows 5 to 7, columns 4 to 8 of 24x36
    (folder / "Test002_gt.txt").write_text("001.tif 1 35.9 23.9 0.1 0.1\n")  # less than a pixel, in the corner
    truth = true_regions(prepared)
    assert np.argwhere(as_picture(truth.of("Test001", 1)[1], (48, 36))).min(axis=0).tolist() == [10, 4]
    assert np.argwhere(as_picture(truth.of("Test001", 1)[1], (48, 36))).max(axis=0).tolist() == [13, 7]
    assert truth.of("Test002", 0)[1].tolist() == [48 * 36 - 1]


def test_no_network_sees_them(own_scene: PreparedDataset, scene: PreparedDataset) -> None:
    write(own_scene, STREET_SCENE)
    assert PreparedDataset(own_scene.folder).content_hash == scene.content_hash


def test_regions_and_tracks_are_measured_against_them_and_pixels_against_the_masks(
    own_scene: PreparedDataset, scene: PreparedDataset
) -> None:
    recipe = tiny_recipe()
    keys = [(clip, frame) for clip in scene.clips("test") for frame in range(39)]
    motion = np.zeros((len(keys), 16, 32), np.float32)
    (tops, _), (lefts, _) = patch_bounds((48, 64), (12, 8))
    motion[2, tops.tolist().index(2), lefts.tolist().index(7)] = 5  # 96 pixels, around both boxes of frame 2
    means = np.zeros(len(keys))
    errors = PatchErrors(keys, np.zeros_like(motion), motion, means, means, means, means)
    write(own_scene, STREET_SCENE)
    found, without = (localised(errors, 0, prepared, recipe.scoring) for prepared in (own_scene, scene))
    assert (found["true_regions"], without["true_regions"]) == ("published boxes of tracks", "objects")
    assert found["pixel_auc"] == without["pixel_auc"]
    assert found["rbdc"] == pytest.approx(2 / 3)  # overlap: 16 of 96
    assert found["tbdc"] == 1  # each is found in one frame of two, or of one


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 7 10 6 4 3", r"line 2: '1 7 10 6 4 3', expected 001.tif TRACK X Y WIDTH HEIGHT"),
        ("001.tif,7,10,6,4,3", r"line 2: .* expected 001.tif TRACK"),
        ("001.tif 7 10 6 4", r"line 2: .* expected 001.tif TRACK"),
        ("001.tif 7 10 6 nan 3", r"line 2: .* expected 001.tif TRACK"),
        (f"001.tif {'9' * 5000} 10 6 4 3", r"line 2: .* expected 001.tif TRACK"),
        (f"001.tif 7 10 6 {'9' * 400} 3", r"line 2: .* expected 001.tif TRACK"),
        ("000.tif 7 10 6 4 3", r"line 2: frame 000, but the clip has 40, counted from 1; is the file that of another"),
        ("041.tif 7 10 6 4 3", r"line 2: frame 041, but the clip has 40"),
        ("001.tif 7 90 6 4 3", r"line 2: rows 4.5 to 7.5, columns 88 to 92, expected a box in a frame of 48x64"),
        ("001.tif 7 10 6 0 3", r"line 2: rows .*, columns 10 to 10, expected a box"),
        ("001.tif 7 10 6 4 -3", r"line 2: rows .* expected a box"),
        ("001.tif 7 -9 6 4 3", r"line 2: rows .*, columns -11 to -7, expected a box"),
        ("010.tif 7 10 6 4 3\n010.tif 7 11 6 4 3", r"line 3: a second box of track 7 in this frame"),
    ],
)
def test_a_line_that_cannot_be_is_named_before_anything_is_scored(
    line: str, message: str, own_scene: PreparedDataset
) -> None:
    write(own_scene, f"002.tif 7 10 6 4 3\n{line}\n\n")
    with pytest.raises(EvaluationError, match=rf"Test001_gt\.txt, {message}"):
        Evaluator(tiny_recipe(), own_scene).check_labels()


def test_every_test_clip_needs_its_file(own_scene: PreparedDataset) -> None:
    (own_scene.folder / "tracks" / "Test002_gt.txt").unlink()
    with pytest.raises(EvaluationError, match=r"tracks: no Test002_gt\.txt and no Test002\.txt; .* or delete the fol"):
        published_boxes(own_scene)


def test_two_files_of_one_clip_are_named(own_scene: PreparedDataset) -> None:
    write(own_scene, "", "old_Test002_gt.txt")
    with pytest.raises(
        EvaluationError, match=r"Test002_gt\.txt and old_Test002_gt\.txt; which is of Test002\? Remove the other"
    ):
        published_boxes(own_scene)


def test_a_file_that_is_no_text_is_named(own_scene: PreparedDataset) -> None:
    (own_scene.folder / "tracks" / "Test001_gt.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EvaluationError, match=r"Test001_gt\.txt.*copy the published file again"):
        published_boxes(own_scene)
