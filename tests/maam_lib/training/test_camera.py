"""The recipe that follows its data: size, channels, flow, epochs and patch from footage that nobody labelled."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.prepare import prepare
from data_prep.readers.videos import read_videos
from data_prep.scenes.footage import write_scene_footage
from data_prep.scenes.synthetic import read_synthetic, scene_settings
from data_prep.sources import camera_size
from maam_lib.config import SettingError, load_recipe
from maam_lib.data import DatasetError, PreparedDataset
from maam_lib.training.camera import fit_recipe, moving_things
from maam_lib.training.loop import dataset_for, fit
from tests.fake_sources import write_footage, write_video

CAMERA = load_recipe("camera")


def walkers(num_frames: int, size: tuple[int, int] = (96, 144), height: int = 30, width: int = 14) -> Iterator:
    """uint8 (H, W, 3): a textured figure of a known size that walks two pixels per frame over a textured floor."""
    random = np.random.default_rng(0)
    floor, figure = (
        cv2.normalize(
            cv2.GaussianBlur(random.integers(0, 256, shape, np.uint8), (0, 0), 1.5), None, 0, 255, cv2.NORM_MINMAX
        )
        for shape in ((*size, 3), (height, width, 3))
    )
    for t in range(num_frames):
        frame = floor.copy()
        frame[40 : 40 + height, 10 + 2 * t : 10 + 2 * t + width] = figure
        yield frame


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    folder = tmp_path_factory.mktemp("camera")
    write_video(folder / "in" / "train" / "hall.mkv", walkers(40), "FFV1")
    return PreparedDataset(prepare("videos", folder / "in", folder / "data", workers=1, progress=False))


def test_the_recipe_is_fitted_to_what_was_prepared(prepared: PreparedDataset) -> None:
    recipe, words = fit_recipe(CAMERA, prepared.folder.parent)
    assert (recipe.data.height, recipe.data.width, recipe.data.channels, recipe.data.flow) == (96, 144, 3, "dis")
    assert recipe.training.epochs == 40, "few frames, many epochs, but not more than forty"
    assert not recipe.data.follow, "a plain recipe from here on"
    height, width = recipe.scoring.patch
    assert 30 <= height <= 40
    assert 14 <= width <= 24
    assert f"patch {height}x{width}" in words
    assert dataset_for(prepared.folder.parent, recipe).folder == prepared.folder
    assert fit_recipe(recipe, prepared.folder.parent) == (recipe, "")


def test_given_settings_win(prepared: PreparedDataset) -> None:
    given = ["scoring.patch=[8, 6]", "training.epochs=3", "model.num_items=7"]
    recipe, words = fit_recipe(CAMERA, prepared.folder.parent, *given)
    assert (recipe.scoring.patch, recipe.training.epochs, recipe.model.num_items) == ((8, 6), 3, 7)
    assert "moving parts" not in words
    with pytest.raises(DatasetError, match="no prepared videos at 50x80"):
        fit_recipe(CAMERA, prepared.folder.parent, "data.height=50", "data.width=80")
    with pytest.raises(DatasetError, match="with flow farneback"):
        fit_recipe(CAMERA, prepared.folder.parent, "data.flow=farneback")


def test_another_recipe_is_left_alone(tmp_path: Path) -> None:
    recipe, words = fit_recipe(load_recipe("ped2-mini"), tmp_path / "nothing", "training.epochs=3")
    assert recipe == load_recipe("ped2-mini", "training.epochs=3")
    assert words == ""


def test_the_size_of_what_moves_is_found(prepared: PreparedDataset) -> None:
    things = moving_things(prepared)
    assert 35 <= things.count <= 60, "one walker in each of 39 flows, and hardly more"


def test_footage_in_which_nothing_moves_asks_for_a_patch(tmp_path: Path) -> None:
    still = next(walkers(1))
    write_video(tmp_path / "in" / "train" / "hall.mkv", iter([still] * 20), "FFV1")
    prepare("videos", tmp_path / "in", tmp_path / "data", workers=1, progress=False)
    with pytest.raises(SettingError, match=r"nothing moves in the training footage.*--set scoring.patch=\[HEIGHT"):
        fit_recipe(CAMERA, tmp_path / "data")
    assert fit_recipe(CAMERA, tmp_path / "data", "scoring.patch=[9, 9]")[0].scoring.patch == (9, 9)


def test_nothing_prepared_gives_the_command(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Prepare it: maam prepare videos --source PATH"):
        fit_recipe(CAMERA, tmp_path)


def test_a_fitted_recipe_trains(prepared: PreparedDataset, tmp_path: Path) -> None:
    settings = ["training.epochs=1", "model.base_channels=4", "model.num_items=8"]
    recipe, _ = fit_recipe(CAMERA, prepared.folder.parent, *settings)
    run = fit(recipe, prepared, tmp_path / "run")
    assert run.recipe == recipe
    assert run.is_finished


@pytest.mark.parametrize(
    ("source", "stored"),
    [
        ((360, 640), (120, 214)),
        ((1080, 1920), (120, 214)),
        ((1920, 1080), (214, 120)),
        ((480, 640), (120, 160)),
        ((100, 300), (100, 300)),
        ((121, 121), (120, 120)),
    ],
)
def test_own_footage_is_stored_small_in_its_own_aspect(source: tuple[int, int], stored: tuple[int, int]) -> None:
    assert camera_size(*source) == stored


def test_large_footage_is_prepared_small_and_found_again(tmp_path: Path) -> None:
    source = write_footage(tmp_path)
    for path in sorted((source / "train").iterdir()) + sorted((source / "test").iterdir()):
        path.rename(tmp_path / path.name)
    write_video(source / "train" / "hall.mkv", walkers(4, (180, 320)), "FFV1")
    root = tmp_path / "data"
    make = partial(prepare, "videos", source, root, workers=1, progress=False)
    assert PreparedDataset(make()).frame_size == (120, 214)
    assert make() == make(size=(120, 214)) == root / "videos"
    assert PreparedDataset(make(size=(180, 320))).folder == root / "videos-180x320"
    assert make() == root / "videos"


def test_the_generated_scene_stands_in_as_footage_with_its_labels(tmp_path: Path) -> None:
    source = write_scene_footage(tmp_path / "in", train_clips=1, test_clips=1)
    footage = read_videos(source)
    [(_, train), (_, test)] = [(clip.split, clip) for clip in footage.clips]
    drawn = next(clip for clip in read_synthetic(scene_settings("synthetic")) if clip.split == "test")
    np.testing.assert_array_equal(test.labels(), drawn.labels())
    first = next(train.frames())
    assert first.shape == (192, 288, 3)
    assert first.std(axis=2).max() > 20, "in colour"
    written = (source / "train" / f"{train.name}.mkv").stat().st_mtime_ns
    write_scene_footage(tmp_path / "in", train_clips=1, test_clips=1)
    assert (source / "train" / f"{train.name}.mkv").stat().st_mtime_ns == written, "what is there is kept"
