"""What the page of a scored video shows: lengths, curve, events, worst moments, of short, long and running footage."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from maam_lib.video.detection import detect
from maam_lib.video.detection_page import APART, WorstMoments, drawn, lasting, listed
from maam_lib.video.events import COLUMNS, Event
from maam_lib.video.footage import open_footage
from maam_lib.video.trouble import Footage, Frame
from tests.maam_lib.video.test_detection import bright, scene_video
from tests.maam_lib.video.test_events import DETECTOR


def test_lengths_are_told_in_the_units_that_fit() -> None:
    assert [lasting(s) for s in (0, 0.04, 59.94, 59.96, 61, 3599.7, 3600, 7290, 90000)] == [
        "0.0 s",
        "0.0 s",
        "59.9 s",
        "1 min 0 s",
        "1 min 1 s",
        "1 h 0 min",
        "1 h 0 min",
        "2 h 2 min",
        "25 h 0 min",
    ]


def test_the_curve_fills_its_height_whatever_the_scale() -> None:
    """Also far below 1, as where one outlier sets the scale: the highest score, or the threshold, is near the top."""
    for scores, level in (([0.001, 0.02, 0.01], 0.1), ([1.0, 30.0, 2.0], 0.7), ([-3.0, -2.0, -1.0], -1.5)):
        curve = drawn(scores, [0.0, 1.0, 2.0], 2.0, level)
        heights = [float(point.split(",")[1]) for point in curve.points.split()] + [curve.level_at]
        assert 0 < min(heights) <= 160 * 0.1
        assert max(heights) <= 160
        assert curve.bottom <= min(scores) < max(scores) < curve.top


def test_an_alarm_that_is_on_counts_and_is_listed_before_it_ends(tmp_path: Path) -> None:
    detector, counts = replace(DETECTOR, threshold=30.0), []
    detect(
        detector,
        bright,
        open_footage(scene_video(tmp_path / "scene.avi")),
        tmp_path / "out",
        on_progress=lambda p: counts.append(p.alarms),
    )
    assert counts == [0] * 21 + [1] * 38, "from the frame at which it is known"
    alarm = Event("alarm", 5, 9, 0.5, 0.9, 7, 35.0, (0, 0, 64, 48))
    (tmp_path / "events.csv").write_text(",".join(COLUMNS) + "\n")
    found = listed(tmp_path / "events.csv", DETECTOR.training, 0.0, 1.0, alarm)
    [row] = found.rows
    assert (row["kind"], row["start"], row["lasts"], row["peak"], row["note"]) == (
        "alarm",
        "0.500",
        "0.4 s",
        "0.50",
        "still on",
    )
    assert found.shaded["alarm"] == [(500, 400)]


def test_short_footage_shows_moments_closer_together() -> None:
    assert [WorstMoments(length).apart for length in (None, 3600, 60, 24, 3)] == [APART, APART, 5, 2, 1]


def test_a_score_at_the_threshold_that_is_no_alarm_is_explained(tmp_path: Path) -> None:
    """Bright for one frame of the three that an alarm takes at ten frames per second."""
    detector = replace(DETECTOR, threshold=30.0)
    lit = [200 if t == 7 else 16 + t % 2 for t in range(20)]
    frames = (Frame(t, t / 10, np.full((48, 64, 3), level, np.uint8), 0.0) for t, level in enumerate(lit))
    detect(detector, bright, Footage("made.avi", False, 10, 20, (48, 64), [], frames), tmp_path / "out")
    page = " ".join((tmp_path / "out" / "index.html").read_text(encoding="utf-8").split())
    assert "is at or above the threshold of 0.40, but for less than the 0.2 s that an alarm needs." in page


def test_notes_on_the_footage_stand_beside_what_can_be_trusted(tmp_path: Path) -> None:
    footage = open_footage(scene_video(tmp_path / "scene.avi"))
    footage.notes.append("states no frame rate")
    detect(DETECTOR, bright, footage, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.index("How far to trust it") < page.index("Note: states no frame rate.") < page.index("Worst moment")
