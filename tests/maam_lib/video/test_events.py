"""From scores to alarms, one by one; and what the file of events holds at any moment."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maam_lib.detector import DETECTOR as DETECTOR_FILE
from maam_lib.detector import DetectionError, Detector, TrainingScores
from maam_lib.grid.results import REFERENCE
from maam_lib.video.events import COLUMNS, QUIET, SHORTEST, Alarms, Event, EventFile

DETECTOR = Detector(
    recipe="synthetic-mini",
    epoch=2,
    trained_on="synthetic",
    frame_size=(48, 64),
    channels=1,
    flow="dis",
    patch=(12, 8),
    stride=(3, 2),
    padding="same",
    psi=0.25,
    threshold=50.0,
    training=TrainingScores(1000, 10.0, 60.0, 40.0, 4.0),
)


def alarms_of(scores: list[float], rate: float = 10) -> tuple[list[tuple[int, int, float, int]], list[bool]]:
    """(first, last, peak, its frame) of the alarms at a threshold of 1, and whether one was on at each frame."""
    alarms, ended, on = Alarms(1.0), [], []
    for frame, score in enumerate(scores):
        ended.append(alarms.add(frame, frame / rate, (frame + 1) / rate, score, lambda: (0, 0, 1, 1)))
        on.append(alarms.on)
    ended.append(alarms.finish())
    return [(e.first, e.last, e.peak, e.peak_frame) for e in ended if e is not None], on


def test_an_alarm_needs_some_frames_in_a_row_and_counts_from_the_first() -> None:
    found, on = alarms_of([0, 1, 0, 1, 2, 1, 0])
    assert found == [(3, 5, 2, 4)]
    assert on == [False, False, False, False, True, True, True], "known two frames late, and held for a second"


def test_short_dips_do_not_end_an_alarm_and_a_quiet_second_does() -> None:
    found, _ = alarms_of([1, 1, 3, *[0] * 9, 1, *[0] * 10, 2, 2])
    assert found == [(0, 12, 3, 2), (23, 24, 2, 23)]


def test_one_frame_per_second_is_enough_where_there_are_no_more() -> None:
    assert alarms_of([0, 1, 0, 0, 1], rate=1)[0] == [(1, 1, 1, 1), (4, 4, 1, 4)]


@pytest.mark.parametrize("stamped", ["exactly", "in milliseconds"])
@pytest.mark.parametrize(
    "rate", [0.5, 1, 2.5, 5, 6, 7.5, 10, 12, 12.5, 15, 20, 24000 / 1001, 24, 25, 30000 / 1001, 30, 50, 60, 119.88]
)
def test_at_a_constant_rate_it_is_a_whole_number_of_frames(rate: float, stamped: str) -> None:
    """The nearest to SHORTEST and to QUIET, from any frame on, however the container rounds its stamps."""
    shortest, quiet = (max(1, round(seconds * rate)) for seconds in (SHORTEST, QUIET))
    stamps = [round(t / rate, 3 if stamped == "in milliseconds" else 15) for t in range(4 * quiet + 20)]
    for first in range(4):
        alarms = Alarms(1.0)
        states = []
        for t in range(first, first + shortest + quiet + 1):
            alarms.add(t, stamps[t], stamps[t + 1], float(t < first + shortest), lambda: None)
            states.append(alarms.on)
        assert states == [*[False] * (shortest - 1), *[True] * quiet, False, False]


def test_it_is_the_time_that_counts_and_not_the_frames() -> None:
    """A camera that slows down in the dark: 0.05 s a frame, then 0.5 s; and short frames after a long one."""
    alarms, time, on = Alarms(1.0), 0.0, []
    for seconds, score in [(0.05, 1), (0.05, 1), (0.05, 1), (0.05, 1), (0.5, 0), (0.5, 0), (0.5, 1), (0.01, 0)]:
        ended = alarms.add(len(on), time, time + seconds, score, lambda: None)
        time += seconds
        on.append((alarms.on, ended and (ended.first, ended.last, ended.start, ended.end)))
    assert [state for state, _ in on] == [False, False, False, True, True, False, True, True]
    assert on[5][1] == (0, 3, 0.0, pytest.approx(0.15)), "after two frames that last a second"


def test_time_without_a_scored_frame_counts_for_neither() -> None:
    """A slow machine passes over frames: 0.1 s are scored of each second."""
    alarms = Alarms(1.0)
    on = [alarms.add(t, float(t), t + 0.1, float(t < 3), lambda: None) or alarms.on for t in range(12)]
    assert on == [False, *[True] * 11]
    assert alarms.finish().last == 2
    alarms.add(12, 12.0, 12.1, 1.0, lambda: None)
    alarms.finish()  # a gap
    alarms.add(30, 30.0, 30.1, 1.0, lambda: None)
    assert not alarms.on


def test_the_place_is_asked_for_at_new_peaks_only() -> None:
    alarms, asked = Alarms(1.0), []
    for frame, score in enumerate([0, 1, 3, 2, 1]):
        alarms.add(
            frame, frame / 10, (frame + 1) / 10, score, lambda frame=frame: asked.append(frame) or (frame, 0, 1, 1)
        )
    assert asked == [1, 2]
    assert alarms.finish().where == (2, 0, 1, 1)


def test_events_are_on_the_disk_at_once(tmp_path: Path) -> None:
    file = EventFile(tmp_path / "events.csv")
    file.write(Event("alarm", 3, 9, 0.3, 0.9, peak_frame=5, peak=2.5, where=(1, 2, 3, 4)))
    file.write(Event("gap", 12, 30, 1.2, 3.0, note='a "note", with a comma'))
    with (tmp_path / "events.csv").open(newline="") as read:  # not closed yet: as after a kill
        head, alarm, gap = csv.reader(read)
    file.close()
    assert tuple(head) == COLUMNS
    assert alarm == ["alarm", "0.300", "0.900", "3", "9", "2.5", "5", "1", "2", "3", "4", ""]
    assert gap == ["gap", "1.200", "3.000", "12", "30", "", "", "", "", "", "", 'a "note", with a comma']


# Thresholds and scales from training scores


def test_scores_are_scaled_by_training_and_by_themselves_that_is_equation_11() -> None:
    pscd = pytest.importorskip("maam_lib.pscd")
    scores = np.random.default_rng(0).gamma(4, 10, 300)
    np.testing.assert_allclose(TrainingScores.of(scores).normalise(scores), pscd.normalise(scores))
    assert DETECTOR.training.normalise(np.array([10.0, 60.0, 85.0])).tolist() == [0, 1, 1.5]


def test_fewer_alarms_per_hour_need_a_higher_threshold_that_normal_frames_keep_to() -> None:
    """With the exponential tail that the rule assumes, the share of frames above is the one asked for."""
    scores = np.random.default_rng(1).exponential(5, 20_000)
    detector = Detector(**(vars(DETECTOR) | {"training": TrainingScores.of(scores)}))
    asked = [900.0, 450.0, 60.0, 6.0]
    thresholds = [detector.threshold_for(rate) for rate in asked]
    assert thresholds == sorted(thresholds)
    for rate, threshold in zip(asked[:2], thresholds, strict=False):
        share = detector.share_for(rate)
        assert (scores >= threshold).mean() == pytest.approx(share, rel=0.25)
        alarms = Alarms(threshold)
        ended = [alarms.add(t, t / 25, (t + 1) / 25, float(score), lambda: None) for t, score in enumerate(scores)]
        assert sum(e is not None for e in ended) <= rate * len(scores) / 25 / 3600
    assert not DETECTOR.training.is_extrapolated(DETECTOR.share_for(18))
    assert DETECTOR.training.is_extrapolated(DETECTOR.share_for(17))


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_no_alarms_at_all_cannot_be_asked_for(rate: float) -> None:
    with pytest.raises(DetectionError, match="alarms per hour: expected a finite number above 0"):
        DETECTOR.threshold_for(rate)


# The detector as text


def test_a_detector_is_read_as_it_was_written() -> None:
    assert Detector.from_json(DETECTOR.to_json(), "here") == DETECTOR
    speed = replace(DETECTOR, motion_target="speed")
    assert Detector.from_json(speed.to_json(), "here") == speed


def test_a_detector_of_an_earlier_kit_is_one_of_flow() -> None:
    """Those that come with the kit's weights are such."""
    text = (REFERENCE / "ped2-laptop" / DETECTOR_FILE).read_text()
    assert "motion_target" not in text
    assert Detector.from_json(text, "here").motion_target == "flow"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "detector.json: not readable as a detector"),
        ("[]", "not readable as a detector"),
        ("[" * 100_000, "not readable as a detector"),
        ("{}", "written by another version of maam"),
        (DETECTOR.to_json().replace('"channels": 1', '"channels": true'), "channels: expected a number"),
        (DETECTOR.to_json().replace('"psi"', '"extra": 1, "psi"'), "extra: Unexpected keyword argument"),
        (re.sub(r'"stride": \[\s*(\d+),\s*\d+', r'"stride": [\1', DETECTOR.to_json()), "stride.1: Field required"),
        (re.sub(r'"threshold": [\d.]+', '"threshold": NaN', DETECTOR.to_json()), "threshold: Input should be a finite"),
        (re.sub(r'"psi": [\d.]+', '"psi": {}', DETECTOR.to_json()), "psi: Input should be a valid number"),
        (DETECTOR.to_json().replace('"format": 1', '"format": 9'), "written by another version of maam"),
        (DETECTOR.to_json().replace('"psi"', '"phi"'), "not readable as a detector"),
        (DETECTOR.to_json().replace('"flow"\n', '"sight"\n'), "motion_target: Input should be 'flow' or 'speed'"),
        (DETECTOR.to_json().replace('"dis"', '"flownet2"'), "'flownet2', which cannot be estimated while a video"),
    ],
)
def test_an_unreadable_detector_is_told(text: str, said: str) -> None:
    with pytest.raises(DetectionError, match=said):
        Detector.from_json(text, "detector.json")


def test_a_threshold_is_judged_by_normal_test_frames() -> None:
    """Of scores 0 to 99, 90 reach 10; unlike a share, quantiles answer for any threshold."""
    knowing = DETECTOR.knowing(np.random.default_rng(0).permutation(np.arange(100.0)))
    for threshold, expected in ((-1, 1), (10, 0.9), (50, 0.5), (98.5, 0.01), (100, 0)):
        assert knowing.reached_by_normal_test(threshold) == pytest.approx(expected, abs=0.01)
    assert DETECTOR.reached_by_normal_test(50) is None
    assert Detector.from_json(knowing.to_json(), "a") == knowing
    assert "normal_test" not in DETECTOR.to_json(), "earlier kits read it"
