"""Other normal footage gives scale and threshold: one video, a folder of frames, or a folder of several clips."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from maam_lib.detector import DetectionError, TrainingScores
from maam_lib.video.detection import detect
from maam_lib.video.footage import open_footage, open_normal
from maam_lib.video.online import measured_on
from maam_lib.video.trust import threshold_told, untrusted
from tests.fake_sources import moving, write_images
from tests.maam_lib.video.test_detection import bright, scene_video
from tests.maam_lib.video.test_events import DETECTOR


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return scene_video(tmp_path / "scene.avi")


def test_a_folder_of_clips_is_normal_footage_without_flow_from_one_to_the_next(tmp_path: Path) -> None:
    """A video, a folder of frames and a note beside them: the scores of each clip on its own, together."""
    folder = tmp_path / "quiet"
    folder.mkdir()
    scene_video(folder / "day.avi", 40)
    write_images(folder / "night", moving("a", 30, (48, 64)), "{:02d}.png")
    (folder / "notes.txt").write_text("Sunday and Monday")
    told: list[int] = []
    together = measured_on(
        DETECTOR, bright, open_normal(folder, frame_rate=10), name="quiet", on_frame=lambda frames: told.append(frames)
    )
    assert together.normal == "the frames of 2 clips in quiet"
    assert told == list(range(1, 39 + 29 + 1)), "one frame fewer than each clip has"
    fused: list[float] = []
    for name in ("day.avi", "night"):
        detect(DETECTOR, bright, open_footage(folder / name, frame_rate=10), tmp_path / f"of {name}")
        fused += pd.read_csv(tmp_path / f"of {name}" / "scores.csv")["fused"].tolist()
    alone = TrainingScores.of(np.array(fused))
    assert vars(together.training) == pytest.approx(vars(alone), rel=1e-5)


def test_a_folder_of_pictures_or_one_video_is_one_clip_of_normal_footage(video: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "in", moving("a", 60, (48, 64)), "{:02d}.png")
    shutil.copy(video, tmp_path / "in" / "beside.avi")
    of = {name: measured_on(DETECTOR, bright, open_normal(tmp_path / name)).normal for name in ("in", video.name)}
    assert of == {"in": "the frames of in", video.name: f"the frames of {video.name}"}


def test_only_normal_footage_may_be_a_folder_of_clips(video: Path, tmp_path: Path) -> None:
    (tmp_path / "days").mkdir()
    shutil.copy(video, tmp_path / "days" / "monday.avi")
    said = (
        rf"days: no images in this folder, but monday.avi. Give one video .*{tmp_path}/days/monday.avi; only --normal"
    )
    with pytest.raises(DetectionError, match=said):
        open_footage(tmp_path / "days")
    (tmp_path / "days" / "tuesday.avi").write_text("minutes")
    with pytest.raises(DetectionError, match=r"days/tuesday.avi: cannot be read as a video"):
        measured_on(DETECTOR, bright, open_normal(tmp_path / "days"), name="days")


def test_one_score_far_above_the_others_is_told(video: Path, tmp_path: Path) -> None:
    """As from a cut in normal footage: it alone lifts the threshold. An exponential tail has none such."""
    scores = np.random.default_rng(0).exponential(size=(300, 300))
    outliers = [TrainingScores.of(drawn).has_outlier for drawn in scores]
    assert sum(outliers) <= 2, "of 300 tails"
    scores[:, 7] = 60
    assert all(TrainingScores.of(drawn).has_outlier for drawn in scores)
    assert not TrainingScores.of(np.full(100, 3.0)).has_outlier
    cut_once = DETECTOR.measured_on(scores[0], "sunday.mp4")
    assert "one score of the frames of sunday.mp4 lies far above the others" in str(untrusted(cut_once, None))
    detect(cut_once, bright, open_footage(video), tmp_path / "out")
    assert "<strong>One of these scores lies far above the others" in (tmp_path / "out" / "index.html").read_text()
    assert not threshold_told(replace(DETECTOR, training=TrainingScores.of(scores[0])), None).has_outlier, "of training"


def test_other_normal_footage_gives_scale_and_threshold(video: Path, tmp_path: Path) -> None:
    """Of the video itself: the threshold is the score that one of its frames in a hundred exceeds, by its tail."""
    detector = measured_on(DETECTOR, bright, open_footage(video))
    detect(detector, bright, open_footage(video), tmp_path / "out")
    scores = pd.read_csv(tmp_path / "out" / "scores.csv")
    assert (scores["normalised"].min(), scores["normalised"].max()) == pytest.approx((0, 1), abs=1e-5)
    assert detector.threshold == pytest.approx(scores["fused"].max()), "a third of the frames is bright: no tail above"
    assert (detector.psi, detector.patch) == (DETECTOR.psi, DETECTOR.patch)
    said = f"Scores are scaled by those of the frames of {video.name}: 1 is the worst"
    assert said in (tmp_path / "out" / "index.html").read_text()


def test_too_little_normal_footage_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path / "quiet", moving("a", 20, (48, 64)), "{:02d}.png")
    with pytest.raises(DetectionError, match="quiet: 19 frames scored, expected 50 or more normal ones"):
        measured_on(DETECTOR, bright, open_footage(tmp_path / "quiet", frame_rate=5))
