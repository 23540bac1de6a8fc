"""Any frame of a scored video over its curve, and the widgets around it."""

from pathlib import Path

import numpy as np
import pytest

from maam_lib.detector import DetectionError
from maam_lib.playground.explorers.player import player
from maam_lib.video.annotation import STRIP
from maam_lib.video.detection import detect
from maam_lib.video.footage import open_footage
from maam_lib.video.playback import CURVE, Playback
from tests.maam_lib.video.test_detection import DETECTOR, bright, scene_video


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scored")
    detect(DETECTOR, bright, open_footage(scene_video(folder / "scene.avi", 120, bright_from=50)), folder / "out")
    return folder / "out"


def test_any_row_shows_its_own_frame(result: Path) -> None:
    played = Playback(result)
    in_order = [played.picture(row)[: -CURVE - 1] for row in range(len(played))]
    assert len(in_order) == 119
    jumping = Playback(result)
    for row in np.random.default_rng(0).permutation(len(in_order)).tolist():
        np.testing.assert_array_equal(jumping.picture(row)[: -CURVE - 1], in_order[row])
    assert in_order[0].shape == (240 - 1, 320, 3), f"without the strip of {STRIP} pixels"


def test_the_cursor_stands_where_the_row_is(result: Path) -> None:
    played = Playback(result)
    for row, expected in ((0, 0), (59, 160), (118, 319)):
        line = played.picture(row)[-6].sum(axis=1)
        assert int(line.argmin()) == pytest.approx(expected, abs=1)


def test_a_folder_without_a_result_is_told(tmp_path: Path) -> None:
    with pytest.raises(DetectionError, match=r"no scores.csv here; make it with `maam detect RUN VIDEO --out"):
        Playback(tmp_path)


def test_the_slider_changes_the_picture(result: Path) -> None:
    picture, controls = player(Playback(result)).children
    play, place = controls.children
    assert (play.max, place.max, play.interval) == (118, 118, 100)
    before = picture.value
    place.value = 60
    assert picture.value == Playback(result).jpeg(60) != before
