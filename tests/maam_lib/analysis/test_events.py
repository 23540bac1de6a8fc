"""Which events a score finds: thresholds, spans, shares and delays by hand; labels read or refused by name."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_prep.files import UnreadableError
from maam_lib.analysis.events import (
    EventLabels,
    events_found,
    events_of,
    found_frames,
    kinds_found,
    read_event_labels,
    typical_frames,
)
from tests.conftest import PROJECT

PED2 = PROJECT / "reports" / "ped2_events.yaml"
PED2_FRAMES = {f"Test{i:03d}": n for i, n in enumerate((180, 180, 150, 180, 150, 180, 180, 180, 120, 150, 180, 180), 1)}
LABELS = """\
dataset: mine
labelled_by: a person
how: by eye
objects:
  - {clip: a, what: bicycle, first: 4, last: 7}
  - {clip: a, what: cart, first: 6, last: 8}
  - {clip: b, what: skater, first: 0, last: 1}
"""


@pytest.fixture
def objects(tmp_path: Path) -> pd.DataFrame:
    (tmp_path / "events.yaml").write_text(LABELS)
    return read_event_labels(tmp_path / "events.yaml").table()


@pytest.fixture
def scores() -> pd.DataFrame:
    """Clip a: frames 0 to 8, abnormal from 4; clip b: frames 0 to 6, abnormal to 1. Nine frames are normal."""
    clip, frame = ["a"] * 9 + ["b"] * 7, [*range(9), *range(7)]
    label = [0] * 4 + [1] * 5 + [1] * 2 + [0] * 5
    speed = [1, 2, 3, 4, 3, 6, 9, 9, 2, 5, 8, 0, 1, 2, 5, 7]
    return pd.DataFrame({"clip": clip, "frame": frame, "label": label, "speed": np.array(speed, np.float32)})


# Thresholds


@pytest.mark.parametrize(
    ("share", "false"),
    [(0.0, 0), (0.1, 0), (0.12, 1), (0.34, 3), (0.99, 8), (1 - 1e-12, 8)],
)
def test_at_most_so_many_normal_frames_are_found(share: float, false: int, scores: pd.DataFrame) -> None:
    found = found_frames(scores, share)
    assert found.loc[scores["label"] == 0, "speed"].sum() == false


def test_normal_frames_that_tie_are_found_together_or_not_at_all(scores: pd.DataFrame) -> None:
    tied = scores.assign(speed=np.where(scores["label"] == 0, 5.0, scores["speed"]))
    found = found_frames(tied, 0.5)
    assert found.loc[scores["label"] == 0, "speed"].sum() == 0
    assert found.loc[found["speed"], "frame"].tolist() == [5, 6, 7, 1], "what is above the normal frames' score"


@pytest.mark.parametrize("share", [-0.1, 1.0, math.nan])
def test_a_share_that_is_none_is_refused(share: float, scores: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="expected a share of the normal frames"):
        found_frames(scores, share)


def test_without_normal_frames_there_is_no_threshold(scores: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="no normal frame"):
        found_frames(scores[scores["label"] == 1])


# Events


def test_objects_that_overlap_or_follow_at_once_are_one_event() -> None:
    rows = [("a", "cart", 0, 9), ("a", "skater", 3, 4), ("a", "bicycle", 10, 12), ("a", "bicycle", 14, 15)]
    objects = pd.DataFrame([*rows[::-1], ("b", "skater", 16, 20)], columns=["clip", "what", "first", "last"])
    expected = [("a", "bicycle, cart, skater", 0, 12), ("a", "bicycle", 14, 15), ("b", "skater", 16, 20)]
    assert list(events_of(objects).itertuples(index=False, name=None)) == expected


def test_share_and_delay_of_every_event(scores: pd.DataFrame, objects: pd.DataFrame) -> None:
    # Of nine normal frames one may be found: the threshold lies above 5, the second highest normal score.
    found = events_found(scores, events_of(objects), 0.12)
    assert found[["clip", "what", "first", "last", "frames"]].to_numpy().tolist() == [
        ["a", "bicycle, cart", 4, 8, 5],
        ["b", "skater", 0, 1, 2],
    ]
    assert found["speed"].tolist() == [3 / 5, 1 / 2]
    assert found["speed delay"].tolist() == [1, 1]


def test_every_score_has_a_threshold_of_its_own(scores: pd.DataFrame, objects: pd.DataFrame) -> None:
    both = scores.assign(larger=scores["speed"] * 100 - 7, none=0.0)
    found = events_found(both, events_of(objects), 0.12)
    assert found["larger"].tolist() == found["speed"].tolist()
    assert found["none"].tolist() == [0, 0]
    assert found["none delay"].isna().all()


def test_single_objects_are_events_as_well(scores: pd.DataFrame, objects: pd.DataFrame) -> None:
    found = events_found(scores, objects, 0.12)
    assert found["what"].tolist() == ["bicycle", "cart", "skater"]
    assert found["speed"].tolist() == [3 / 4, 2 / 3, 1 / 2]


def test_frames_are_counted_by_what_is_in_them(scores: pd.DataFrame, objects: pd.DataFrame) -> None:
    found = kinds_found(scores, objects, 0.12)
    assert found["frames"].to_dict() == {"bicycle": 2, "bicycle, cart": 2, "cart": 1, "skater": 2, "all": 7}
    assert found["speed"].to_dict() == {"bicycle": 0.5, "bicycle, cart": 1, "cart": 0, "skater": 0.5, "all": 4 / 7}


def test_typical_frames_are_those_of_the_median_score(scores: pd.DataFrame) -> None:
    one = pd.DataFrame({"clip": ["a", "b"], "what": ["cart", "skater"], "first": [4, 0], "last": [8, 1]})
    chosen = typical_frames(scores, one, "speed", 0.12)
    # Of the cart, scores 6, 9 and 9 are found, 3 and 2 missed; of the skater 8 is found and 5 missed.
    rows = [["cart", True, "a", 6], ["cart", False, "a", 8], ["skater", True, "b", 1], ["skater", False, "b", 0]]
    assert chosen.to_numpy().tolist() == rows
    assert chosen.equals(typical_frames(scores.assign(other=0.0), one, "speed", 0.12))
    seen_together = one.assign(clip="a", first=4, last=8)
    with pytest.raises(ValueError, match="b, frame 0 is abnormal"):
        typical_frames(scores, seen_together, "speed", 0.12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clip": "c"}, r"c, frames 0 to 1: an event \(skater\), but no score; are the events of this dataset\?"),
        ({"last": 2}, r"b, frame 2 is normal, but an event has it \(1 such frames\)"),
        ({"last": 0}, r"b, frame 1 is abnormal, but no event has it \(1 such frames\)"),
    ],
)
def test_events_of_other_labels_are_refused(
    change: dict, message: str, scores: pd.DataFrame, objects: pd.DataFrame
) -> None:
    for column, value in change.items():
        objects.loc[2, column] = value
    for measure in (events_found, kinds_found):
        with pytest.raises(ValueError, match=message):
            measure(scores, objects)


# Labels of events


def test_the_labels_of_ped2_are_whole() -> None:
    labels = read_event_labels(PED2)
    abnormal = [(clip, first, last) for clip, _, first, last in events_of(labels.table()).itertuples(index=False)]
    assert [clip for clip, *_ in abnormal] == list(PED2_FRAMES)
    assert sum(last - first + 1 for _, first, last in abnormal) == 1648, "the official count of abnormal frames"
    assert all(last < PED2_FRAMES[clip] for clip, _, last in abnormal)
    assert labels.table()["what"].value_counts().to_dict() == {"bicycle": 15, "skater": 4, "cart": 1}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("what: cart", "what: car", "objects.1.what is 'car'"),
        ("last: 8", "last: 5", "last is 5, expected 6 or more"),
        ("first: 6", "first: -1", "objects.1.first is -1"),
        ("first: 6", "first: six", "objects.1.first is 'six'"),
        ("clip: b", "clip: ../b", "objects.2.clip is '../b'"),
        ("how: by eye", "how: by eye\nsure: true", "sure is True"),
        ("labelled_by: a person", "", "no labelled_by"),
        ("objects:", "objects: []\nmore:", "objects is"),
        ("objects:", "objects: [", "not readable as YAML"),
        ("dataset: mine", "dataset: &a mine\ndataset: *a", "not readable as YAML: .*references"),
    ],
)
def test_damaged_labels_are_named(before: str, after: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "events.yaml"
    path.write_text(LABELS.replace(before, after, 1))
    with pytest.raises(UnreadableError, match=rf"events\.yaml: .*{expected}"):
        read_event_labels(path)


def test_objects_are_checked_where_they_are_made() -> None:
    with pytest.raises(ValueError, match="objects"):
        EventLabels(dataset="mine", labelled_by="a person", how="by eye", objects=[])
