"""The recipe that follows its data: size, channels, flow, epochs and patch from footage that nobody labelled."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from data_prep.prepare import prepare
from data_prep.readers.videos import read_videos
from data_prep.scenes.footage import write_scene_footage
from data_prep.scenes.synthetic import read_synthetic, scene_settings
from data_prep.sources import camera_size
from maam_lib.config import Recipe, SettingError, load_recipe
from maam_lib.data import DatasetError, PreparedDataset
from maam_lib.grid.runner import sweep
from maam_lib.report import notebooks
from maam_lib.training.camera import fit_recipe, moving_things
from maam_lib.training.loop import build_network, dataset_for, fit
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
    assert dataset_for(prepared.folder.parent, CAMERA).folder == prepared.folder, "of any size"
    recipe, words = fit_recipe(CAMERA, prepared)
    assert (recipe.data.height, recipe.data.width, recipe.data.channels, recipe.data.flow) == (96, 144, 3, "dis")
    assert recipe.training.epochs == 40, "few frames, many epochs, but not more than forty"
    assert recipe.data.follow == (), "a plain recipe from here on"
    height, width = recipe.scoring.patch
    assert 30 <= height <= 40
    assert 14 <= width <= 24
    assert f"patch {height}x{width}" in words
    assert dataset_for(prepared.folder.parent, recipe).folder == prepared.folder
    assert fit_recipe(recipe, prepared) == (recipe, "")


def test_given_settings_win(prepared: PreparedDataset) -> None:
    root = prepared.folder.parent
    given = ["scoring.patch=[8, 6]", "training.epochs=3", "model.num_items=7"]
    recipe, words = fit_recipe(load_recipe("camera", *given), prepared)
    assert (recipe.scoring.patch, recipe.training.epochs, recipe.model.num_items) == ((8, 6), 3, 7)
    assert "moving parts" not in words
    with pytest.raises(DatasetError, match="no prepared videos at 50x80"):
        dataset_for(root, load_recipe("camera", "data.height=50", "data.width=80"))
    with pytest.raises(DatasetError, match="with flow farneback"):
        dataset_for(root, load_recipe("camera", "data.flow=farneback"))
    with pytest.raises(SettingError, match=r"states 50x144, the frames in .* are 96x144; state data.height and"):
        fit_recipe(load_recipe("camera", "data.height=50"), prepared)


def test_a_recipe_that_follows_describes_no_network_yet() -> None:
    with pytest.raises(SettingError, match=r"recipe camera takes data\.height, .* before that: recipe, _ = fit_recipe"):
        build_network(CAMERA)


# One meaning in `fit`, a sweep and a report

FOLLOWING = load_recipe(
    "synthetic-mini",
    "data.follow=true",
    "training.epochs=1",
    "training.batch_size=8",
    "model.base_channels=4",
    "model.num_items=8",
)


def test_fit_follows(scene: PreparedDataset, tmp_path: Path) -> None:
    fitted, _ = fit_recipe(FOLLOWING, scene)
    assert (fitted.data.height, fitted.data.width, fitted.training.epochs) == (48, 64, 1)
    assert fitted.scoring.patch != FOLLOWING.scoring.patch
    run = fit(FOLLOWING, scene, tmp_path / "run")
    assert run.recipe == fitted
    assert fit(FOLLOWING, scene, tmp_path / "run", resume=True).is_finished, "the same settings again"


def test_a_sweep_follows(scene: PreparedDataset, tmp_path: Path) -> None:
    fitted, chosen = fit_recipe(FOLLOWING, scene)
    said: list[str] = []
    grid = sweep(FOLLOWING, scene, tmp_path, parts=(), variants=["paper"], seeds=1, workers=1, say=said.append)
    assert said[0] == f"synthetic-mini: {chosen}"
    assert grid.recipe == load_recipe(tmp_path / "synthetic-mini" / "recipe.yaml") == fitted
    [path] = tmp_path.rglob("seed0.json")
    result = json.loads(path.read_text())
    assert result["recipe_hash"] == fitted.hash()
    assert result["settings"]["scoring"]["patch"] == list(fitted.scoring.patch)
    assert result["settings"]["model"]["shrink_threshold"] is None, "1/N"


def test_a_report_follows(
    scene: PreparedDataset, scene_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Recipe] = []

    def execute(notebook: Path, running: Path, parameters: dict[str, Any], *_: object) -> None:
        seen.append(load_recipe(parameters["recipe"], *parameters["settings"]))
        running.write_bytes(notebook.read_bytes())

    declared = new_code_cell("recipe = settings = root = run = None", metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[declared]), tmp_path / "chapter.ipynb")
    monkeypatch.setattr(notebooks, "NOTEBOOK_FOLDER", tmp_path)
    monkeypatch.setattr(notebooks, "_execute", execute)
    settings = ["data.follow=true", "training.epochs=1"]
    notebooks.reproduce(
        "synthetic-mini", scene_root, tmp_path / "out", settings=settings, notebooks=["chapter"], say=str
    )
    assert seen == [fit_recipe(load_recipe("synthetic-mini", *settings), scene)[0]]


def test_the_size_of_what_moves_is_found(prepared: PreparedDataset) -> None:
    things = moving_things(prepared)
    assert 35 <= things.count <= 60, "one walker in each of 39 flows, and hardly more"


def test_footage_in_which_nothing_moves_asks_for_a_patch(tmp_path: Path) -> None:
    frame = next(walkers(1))
    write_video(tmp_path / "in" / "train" / "hall.mkv", iter([frame] * 20), "FFV1")
    still = PreparedDataset(prepare("videos", tmp_path / "in", tmp_path / "data", workers=1, progress=False))
    with pytest.raises(SettingError, match=r"nothing moves in the training footage.*--set scoring.patch=\[HEIGHT"):
        fit_recipe(CAMERA, still)
    assert fit_recipe(load_recipe("camera", "scoring.patch=[9, 9]"), still)[0].scoring.patch == (9, 9)


def test_nothing_prepared_gives_the_command(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Prepare it: maam prepare videos --source PATH"):
        dataset_for(tmp_path, CAMERA)


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
