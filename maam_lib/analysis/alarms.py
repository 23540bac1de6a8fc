"""What a threshold means to the person at the screen: hits, misses, false alarms per hour, and the worst of each.

Works on score tables as `scores.score_table` makes them: clip, frame, label, and `fused`, higher = more
abnormal. An alarm is an unbroken span of frames of a clip that reach the threshold (Eq. 12); it is false where no
frame of it is abnormal. The paper counts frames only; alarms per hour are ours.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

SECONDS_PER_HOUR = 3600


class OperatingPoint(NamedTuple):
    """What one threshold gives on a score table."""

    threshold: float
    hit_rate: float  # share of the abnormal frames that reach it
    false_alarm_rate: float  # share of the normal frames that reach it
    events: int  # unbroken spans of abnormal frames
    events_found: int  # of them, with at least one frame that reaches it
    median_delay: float  # frames from the start of a found event to its first alarm; nan where none is found
    median_delay_seconds: float  # the same in seconds
    false_alarms: int  # spans of alarm frames without an abnormal one
    false_alarms_per_hour: float  # of normal video


def spans(table: pd.DataFrame, chosen: np.ndarray) -> pd.DataFrame:
    """Unbroken spans of chosen frames, bool (T,), within their clips: columns clip, first, last, frames, and the rows
    `start` to `stop` (exclusive) of the table, whose frames stand in order."""
    clip, frame, follows = table["clip"].to_numpy(), table["frame"].to_numpy(), _follows(table)
    before, after = np.append(False, chosen[:-1]) & follows, np.append(chosen[1:] & follows[1:], False)
    start, stop = np.flatnonzero(chosen & ~before), np.flatnonzero(chosen & ~after) + 1
    ends = {"first": frame[start], "last": frame[stop - 1], "frames": stop - start, "start": start, "stop": stop}
    return pd.DataFrame({"clip": clip[start]} | ends)


def operating_point(table: pd.DataFrame, threshold: float, frames_per_second: float) -> OperatingPoint:
    """What a threshold on the fused scores gives. The rate per hour is of *normal* video, at the given frame rate.

    The delay is of the events that are found: a higher threshold that misses the hard ones may shorten it.
    Raises ValueError for a frame rate that is not positive: a score table does not know how fast its camera was.
    """
    alarm, abnormal = (table["fused"] >= threshold).to_numpy(), (table["label"] == 1).to_numpy()
    hours = _normal_hours(abnormal, frames_per_second)
    events, alarms = spans(table, abnormal), spans(table, alarm)
    seen = [alarm[start:stop] for start, stop in zip(events["start"], events["stop"], strict=True)]
    delays = [int(of_event.argmax()) for of_event in seen if of_event.any()]
    median_delay = float(np.median(delays)) if delays else math.nan
    false = sum(not abnormal[start:stop].any() for start, stop in zip(alarms["start"], alarms["stop"], strict=True))
    return OperatingPoint(
        threshold=float(threshold),
        hit_rate=float(alarm[abnormal].mean()),
        false_alarm_rate=float(alarm[~abnormal].mean()),
        events=len(events),
        events_found=len(delays),
        median_delay=median_delay,
        median_delay_seconds=median_delay / frames_per_second,
        false_alarms=int(false),
        false_alarms_per_hour=float(false / hours),
    )


def threshold_for(table: pd.DataFrame, per_hour: float, frames_per_second: float) -> float:
    """The lowest threshold that gives at most so many false alarms per hour of normal video, and so does every higher.

    Found on labels, so it says what a rate *means* on these clips; a threshold for use comes from training frames.

    An alarm begins at a frame for the thresholds above the frame before it, up to its own score; of the abnormal frames
    of an alarm, one is the first for the thresholds above the lowest score since the abnormal frame before it.
    """
    scores, abnormal = np.asarray(table["fused"]), (table["label"] == 1).to_numpy()
    follows, places = _follows(table), np.flatnonzero(abnormal)
    allowed = per_hour * _normal_hours(abnormal, frames_per_second)
    before = np.where(follows, np.minimum(np.roll(scores, 1), scores), -np.inf)
    footage = (~follows).cumsum()  # number of the unbroken footage of each row
    since = [scores[a : b + 1].min() if footage[a] == footage[b] else -np.inf for a, b in pairwise(places)]
    levels = np.unique(scores)

    def reaching(values: Sequence[float] | np.ndarray) -> np.ndarray:
        return len(values) - np.searchsorted(np.sort(values), levels)  # how many reach each level

    all_alarms = reaching(scores) - reaching(before)
    true_alarms = reaching(scores[abnormal]) - reaching(since)
    too_many = np.flatnonzero(all_alarms - true_alarms > allowed)
    bearable = levels[too_many[-1] + 1 :] if len(too_many) else levels
    return float(bearable[0] if len(bearable) else np.nextafter(levels[-1], np.inf))  # above all scores: no alarm


def worst_false_alarms(table: pd.DataFrame, count: int, apart: int = 30) -> pd.DataFrame:
    """The normal frames that score highest, each at least `apart` frames from the others of its clip (Fig. 9).

    "beats": the share of the abnormal frames that score lower.
    """
    abnormal, normal = table.loc[table["label"] == 1], table.loc[table["label"] == 0]
    chosen = _spread(normal.sort_values("fused", ascending=False, kind="stable"), count, apart)
    return chosen.assign(beats=[float((abnormal["fused"] < score).mean()) for score in chosen["fused"]])


def worst_misses(table: pd.DataFrame, count: int, apart: int = 30) -> pd.DataFrame:
    """The abnormal frames that score lowest, each at least `apart` frames from the others of its clip (Fig. 9).

    "beaten by": the share of the normal frames that score higher.
    """
    abnormal, normal = table.loc[table["label"] == 1], table.loc[table["label"] == 0]
    chosen = _spread(abnormal.sort_values("fused", kind="stable"), count, apart)
    return chosen.assign(**{"beaten by": [float((normal["fused"] > score).mean()) for score in chosen["fused"]]})


def _normal_hours(abnormal: np.ndarray, frames_per_second: float) -> float:
    if not frames_per_second > 0:
        raise ValueError(f"frames_per_second is {frames_per_second}; expected the camera's frame rate, above 0")
    return (~abnormal).sum() / frames_per_second / SECONDS_PER_HOUR


def _follows(table: pd.DataFrame) -> np.ndarray:
    """Whether each row is the next frame of the same clip as the row before it, bool (T,)."""
    clip, frame = table["clip"].to_numpy(), table["frame"].to_numpy()
    follows = np.zeros(len(table), bool)
    follows[1:] = (clip[1:] == clip[:-1]) & (frame[1:] == frame[:-1] + 1)
    return follows


def _spread(ordered: pd.DataFrame, count: int, apart: int) -> pd.DataFrame:
    """The first rows of an ordered table that are not too near to one that stands before them."""
    left, chosen = ordered, []
    while len(left) and len(chosen) < count:
        clip, frame = left["clip"].iloc[0], left["frame"].iloc[0]
        chosen.append(left.index[0])
        left = left.loc[(left["clip"] != clip) | ((left["frame"] - frame).abs() >= apart)]
    return ordered.loc[chosen].reset_index(drop=True)
