"""What a threshold means to the person at the screen: hits, misses, false alarms per hour, and the worst of each.

Works on score tables as `scores.score_table` makes them: clip, frame, label, and a column of scores, higher = more
abnormal. An alarm is an unbroken span of frames of a clip that reach the threshold (Eq. 12); it is false where no
frame of it is abnormal. The paper counts frames only; alarms per hour are ours.
"""

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


def operating_point(
    table: pd.DataFrame, threshold: float, frames_per_second: float, column: str = "fused"
) -> OperatingPoint:
    """What a threshold on a column gives. The rate per hour is of *normal* video, at the given frame rate.

    Raises ValueError for a frame rate that is not positive: a score table does not know how fast its camera was.
    """
    alarm, abnormal = (table[column] >= threshold).to_numpy(), (table["label"] == 1).to_numpy()
    hours = _normal_hours(abnormal, frames_per_second)
    events, alarms = spans(table, abnormal), spans(table, alarm)
    found = sum(alarm[start:stop].any() for start, stop in zip(events["start"], events["stop"], strict=True))
    false = sum(not abnormal[start:stop].any() for start, stop in zip(alarms["start"], alarms["stop"], strict=True))
    return OperatingPoint(
        threshold=float(threshold),
        hit_rate=float(alarm[abnormal].mean()),
        false_alarm_rate=float(alarm[~abnormal].mean()),
        events=len(events),
        events_found=int(found),
        false_alarms=int(false),
        false_alarms_per_hour=float(false / hours),
    )


def threshold_for(table: pd.DataFrame, per_hour: float, frames_per_second: float, column: str = "fused") -> float:
    """The lowest threshold that gives at most so many false alarms per hour of normal video, and so does every higher.

    Found on labels, so it says what a rate *means* on these clips; a threshold for use comes from training frames.
    Frames are added one by one, the loudest first, so that a large set costs no more than sorting it.
    """
    scores, abnormal = table[column].to_numpy(), (table["label"] == 1).to_numpy()
    follows, before = _follows(table), np.append(0, abnormal.cumsum())  # abnormal frames before each row
    allowed = per_hour * _normal_hours(abnormal, frames_per_second)
    raised = np.zeros(len(table) + 1, bool)  # one more: nothing follows the last row
    start, stop = np.arange(len(table)), np.arange(len(table))  # of the alarm that ends, that begins at a row
    false, lowest = 0, float(np.nextafter(scores.max(), np.inf))  # above all scores: no alarm at all
    order = np.argsort(-scores, kind="stable")
    for place, row in enumerate(order):
        first = last = row
        if follows[row] and raised[row - 1]:
            first = start[row - 1]
            false -= before[row] == before[first]
        if raised[row + 1] and follows[row + 1]:
            last = stop[row + 1]
            false -= before[last + 1] == before[row + 1]
        raised[row], start[last], stop[first] = True, first, last
        false += before[last + 1] == before[first]
        if place + 1 == len(order) or scores[order[place + 1]] < scores[row]:
            if false > allowed:
                break
            lowest = float(scores[row])
    return lowest


def worst_false_alarms(table: pd.DataFrame, count: int, apart: int = 30, column: str = "fused") -> pd.DataFrame:
    """The normal frames that score highest, each at least `apart` frames from the others of its clip (Fig. 9).

    "beats": the share of the abnormal frames that score lower.
    """
    abnormal = table.loc[table["label"] == 1, column].to_numpy()
    normal = table.loc[table["label"] == 0].sort_values(column, ascending=False, kind="stable")
    chosen = _spread(normal, count, apart)
    return chosen.assign(beats=[float((abnormal < score).mean()) for score in chosen[column]])


def worst_misses(table: pd.DataFrame, count: int, apart: int = 30, column: str = "fused") -> pd.DataFrame:
    """The abnormal frames that score lowest, each at least `apart` frames from the others of its clip (Fig. 9).

    "beaten by": the share of the normal frames that score higher.
    """
    normal = table.loc[table["label"] == 0, column].to_numpy()
    abnormal = table.loc[table["label"] == 1].sort_values(column, kind="stable")
    chosen = _spread(abnormal, count, apart)
    return chosen.assign(**{"beaten by": [float((normal > score).mean()) for score in chosen[column]]})


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
    chosen: list[int] = []
    for row in range(len(ordered)):
        clip, frame = ordered["clip"].iloc[row], ordered["frame"].iloc[row]
        taken = ordered.iloc[chosen]
        if not ((taken["clip"] == clip) & ((taken["frame"] - frame).abs() < apart)).any():
            chosen.append(row)
        if len(chosen) == count:
            break
    return ordered.iloc[chosen].reset_index(drop=True)
