"""Spans, alarms per hour and the worst failures, on tables whose answer can be counted by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from maam_lib.analysis import alarms

#         frame  0  1  2  3  4  5  6  7  8  9
LABELS_A = [0, 0, 1, 1, 0, 0, 0, 0, 0, 0]
SCORES_A = [5, 1, 7, 2, 6, 1, 8, 8, 1, 4]
LABELS_B = [1, 1, 0, 0, 0, 1]
SCORES_B = [1, 1, 4, 1, 1, 9]
TABLE = pd.DataFrame(
    {"clip": ["a"] * 10 + ["b"] * 6, "frame": [*range(10), *range(6)], "label": LABELS_A + LABELS_B}
).assign(fused=np.array(SCORES_A + SCORES_B, float))
NORMAL = 11  # frames


def test_spans_end_at_the_end_of_a_clip_and_where_frames_are_missing() -> None:
    table = TABLE.drop(index=[7])
    found = alarms.spans(table, (table["fused"] >= 4).to_numpy())
    rows = list(zip(found["clip"], found["first"], found["last"], found["frames"], strict=True))
    assert rows == [
        ("a", 0, 0, 1),
        ("a", 2, 2, 1),
        ("a", 4, 4, 1),
        ("a", 6, 6, 1),
        ("a", 9, 9, 1),
        ("b", 2, 2, 1),
        ("b", 5, 5, 1),
    ]
    whole = alarms.spans(TABLE, np.ones(16, bool))
    assert list(zip(whole["clip"], whole["frames"], strict=True)) == [("a", 10), ("b", 6)]
    assert alarms.spans(TABLE, np.zeros(16, bool)).empty


def test_an_operating_point_counted_by_hand() -> None:
    point = alarms.operating_point(TABLE, 4, frames_per_second=10)
    # alarms: a0 false; a2 hit; a4 false; a6-a7 false; a9 false; b2 false; b5 hit
    assert (point.events, point.events_found, point.false_alarms) == (3, 2, 5)
    assert point.hit_rate == pytest.approx(2 / 5)
    assert point.false_alarm_rate == pytest.approx(6 / NORMAL)
    assert point.false_alarms_per_hour == pytest.approx(5 / (NORMAL / 10 / 3600))
    assert alarms.operating_point(TABLE, 4, 20).false_alarms_per_hour == pytest.approx(2 * point.false_alarms_per_hour)


def test_the_delay_of_an_event_runs_from_its_first_frame_to_its_first_alarm() -> None:
    # events: a2-a3, found at a2 by 7 or less and at a3 by 2; b0-b1, only by 1; b5, at once by 9
    point = alarms.operating_point(TABLE, 4, frames_per_second=10)
    assert (point.events_found, point.median_delay, point.median_delay_seconds) == (2, 0, 0)
    late = TABLE.assign(fused=np.array([0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 9], float))  # delays 1, 1, 0
    point = alarms.operating_point(late, 5, frames_per_second=25)
    assert (point.events_found, point.median_delay) == (3, 1)
    assert point.median_delay_seconds == pytest.approx(0.04)
    before = late.assign(fused=late["fused"].where(late["frame"] != 0, 9.0))  # an alarm before a2 does not count for it
    assert alarms.operating_point(before, 5, 25).median_delay == 0  # delays 1, 0, 0
    nothing = alarms.operating_point(TABLE, 100, 10)
    assert nothing.events_found == 0
    assert math.isnan(nothing.median_delay)
    assert math.isnan(nothing.median_delay_seconds)


def test_an_alarm_that_touches_an_event_is_not_false() -> None:
    table = TABLE.assign(fused=np.array([0, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9], float))
    assert alarms.operating_point(table, 5, 10).false_alarms == 0


@pytest.mark.parametrize("alarms_allowed", [0, 1, 2, 4])
def test_the_threshold_keeps_the_rate_at_every_higher_level_too(alarms_allowed: int) -> None:
    per_hour = alarms_allowed / (NORMAL / 10 / 3600)
    threshold = alarms.threshold_for(TABLE, per_hour * 1.001, 10)
    higher = [s for s in np.unique(TABLE["fused"]) if s >= threshold]
    assert all(alarms.operating_point(TABLE, s, 10).false_alarms <= alarms_allowed for s in [threshold, *higher])
    lower = [s for s in np.unique(TABLE["fused"]) if s < threshold]
    assert alarms.operating_point(TABLE, max(lower), 10).false_alarms > alarms_allowed


def test_the_threshold_is_the_one_a_full_search_finds() -> None:
    random = np.random.default_rng(5)
    for _ in range(20):
        labels, scores = random.integers(0, 2, 40), random.integers(0, 12, 40).astype(float)
        table = pd.DataFrame({"clip": ["a"] * 25 + ["b"] * 15, "frame": [*range(25), *range(15)], "label": labels})
        table = table.assign(fused=scores)
        for allowed in (0, 1, 3, 99):
            per_hour = (allowed + 0.5) / ((labels == 0).sum() / 10 / 3600)
            levels = np.unique(scores)[::-1]
            bearable = [alarms.operating_point(table, s, 10).false_alarms <= allowed for s in levels]
            count = len(levels) if all(bearable) else bearable.index(False)
            expected = levels[count - 1] if count else np.nextafter(levels[0], np.inf)
            assert alarms.threshold_for(table, per_hour, 10) == expected


def test_without_a_bearable_alarm_the_threshold_is_above_all_scores() -> None:
    loud = TABLE.assign(fused=np.where(TABLE["label"] == 0, 9.0, 1.0))
    threshold = alarms.threshold_for(loud, 0, 10)
    assert threshold > loud["fused"].max()
    assert alarms.operating_point(loud, threshold, 10).hit_rate == 0


@pytest.mark.parametrize("frames_per_second", [0, -1, float("nan")])
def test_a_frame_rate_that_cannot_be_is_refused(frames_per_second: float) -> None:
    with pytest.raises(ValueError, match="expected the camera's frame rate"):
        alarms.operating_point(TABLE, 4, frames_per_second)
    with pytest.raises(ValueError, match="expected the camera's frame rate"):
        alarms.threshold_for(TABLE, 4, frames_per_second)


def test_the_worst_failures_have_names_and_stand_apart() -> None:
    false_ones = alarms.worst_false_alarms(TABLE, 3, apart=3)
    assert list(zip(false_ones["clip"], false_ones["frame"], strict=True)) == [("a", 6), ("a", 0), ("a", 9)]
    assert false_ones["beats"].tolist() == pytest.approx([4 / 5, 3 / 5, 3 / 5])
    missed = alarms.worst_misses(TABLE, 2, apart=2)
    assert list(zip(missed["clip"], missed["frame"], strict=True)) == [("b", 0), ("a", 3)]
    assert missed["beaten by"].tolist() == pytest.approx([6 / NORMAL, 6 / NORMAL])


def test_fewer_failures_than_asked_for_are_all_of_them() -> None:
    assert len(alarms.worst_misses(TABLE, 50, apart=1)) == 5


def test_the_threshold_above_all_scores_holds_in_their_own_precision() -> None:
    loud = TABLE.assign(fused=np.where(TABLE["label"] == 0, 9.1, 1.0).astype(np.float32))
    assert not (loud["fused"] >= alarms.threshold_for(loud, 0, 10)).any()
