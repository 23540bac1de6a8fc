"""The page of a scored video: what it shows, gathered in constant memory while the footage comes (ours)."""

import csv
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from maam_lib.detector import TrainingScores
from maam_lib.video.events import Event

MOMENTS = 12  # pictures on the page
APART = 5.0  # seconds between two of them, at least; less in short footage
CLOSEST = 1.0  # seconds between them in the shortest
BINS = 600  # of the curve
LISTED = 200  # events in the table; all of them are in events.csv
FEW = 4  # alarms that are told one by one at the top
WIDTH, HEIGHT = 1000, 160  # of the curve, in its own units
ROOM = 1.1  # of its height, by the highest score or the threshold


class Envelope:
    """The largest score of each of at most 2 * BINS equal stretches of frames; stretches double as frames come."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.times: list[float] = []  # seconds at which each stretch begins
        self.stretch = 1  # frames per value
        self._filled = 0

    def add(self, score: float, time: float) -> None:
        if self._filled == 0:
            self.values.append(score)
            self.times.append(time)
        self.values[-1] = max(self.values[-1], score)
        self._filled = (self._filled + 1) % self.stretch
        if len(self.values) == 2 * BINS and self._filled == 0:
            self.values = [max(pair) for pair in zip(self.values[::2], self.values[1::2], strict=True)]
            self.times = self.times[::2]
            self.stretch *= 2


class Moment(NamedTuple):
    """A frame of high score."""

    score: float
    frame: int
    time: float
    picture: bytes  # JPEG

    @property
    def said(self) -> str:
        return f"{clock(self.time)}, frame {self.frame}"

    @property
    def base64(self) -> str:
        return b64encode(self.picture).decode("ascii")


class WorstMoments:
    """The highest-scored moments, some seconds from each other; at most MOMENTS pictures are kept."""

    def __init__(self, length: float | None = None) -> None:
        """length: seconds of the footage, where that is known."""
        self.apart = APART if length is None else min(APART, max(CLOSEST, length / MOMENTS))
        self._kept: list[Moment] = []

    def add(self, score: float, frame: int, time: float, picture: Callable[[], bytes]) -> None:
        """One scored frame; its picture is asked for only where it is kept."""
        rivals = [moment for moment in self._kept if time - moment.time < self.apart]
        if not rivals and len(self._kept) == MOMENTS:
            rivals = self._kept
        weakest = min(rivals, default=None)
        if weakest is None or score > weakest.score:
            self._kept = [moment for moment in self._kept if moment is not weakest]
            self._kept.append(Moment(score, frame, time, picture()))

    def sorted(self) -> list[Moment]:
        """The worst first."""
        return sorted(self._kept, reverse=True)


def clock(seconds: float) -> str:
    """A moment, as players show it but to a tenth of a second: m:ss.s, from one hour on h:mm:ss.s."""
    tenths = round(10 * seconds)
    hours, minutes, rest = tenths // 36000, tenths // 600 % 60, tenths % 600
    said = f"{rest // 10:02}.{rest % 10}"
    return f"{hours}:{minutes:02}:{said}" if hours else f"{minutes}:{said}"


def lasting(seconds: float) -> str:
    """A stretch of time in words: seconds up to a minute, then minutes and seconds, then hours and minutes."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{round(whole / 60) // 60} h {round(whole / 60) % 60} min"


class Curve(NamedTuple):
    """A curve and its threshold as SVG draws them, in WIDTH x HEIGHT units, and as numbers for the page's script."""

    start: float  # seconds
    end: float
    level: float  # the threshold, in normalised scores
    top: float  # highest score that the drawing has room for
    bottom: float
    points: str
    level_at: float
    data: dict[str, object]
    width: int = WIDTH
    height: int = HEIGHT


def drawn(values: Sequence[float], times: Sequence[float], end: float, level: float) -> Curve:
    """The curve of normalised scores over time. times: seconds at which each value begins; end: of the last frame."""
    bottom = min(0.0, level, *values)
    top = bottom + ROOM * ((max(level, *values) - bottom) or 1.0)
    start = times[0] if times else 0.0
    across = WIDTH / ((end - start) or 1.0)

    def y(score: float) -> float:
        return round(HEIGHT - (score - bottom) / (top - bottom) * HEIGHT, 1)

    places = [(round((time - start) * across, 1), y(value)) for time, value in zip(times, values, strict=True)]
    points = " ".join(f"{x},{down}" for x, down in places)
    numbers: dict[str, object] = {"start": start, "end": end, "width": WIDTH}
    numbers |= {"times": [round(time, 3) for time in times], "scores": [round(value, 5) for value in values]}
    return Curve(start, end, level, top, bottom, points, y(level), numbers)


class Listed(NamedTuple):
    """What events.csv holds, as the page shows it."""

    rows: list[dict[str, str]]  # the first LISTED by their start, their peaks on the page's scale; "lasts" in words
    left_out: int  # rows after these
    alarm_seconds: float  # of all alarms together
    alarms: list[dict[str, str]]  # the first FEW
    last: dict[str, str] | None  # alarm
    worst: dict[str, str] | None  # alarm
    cut: dict[str, str] | None  # where decoding stopped before the end of the file
    shaded: dict[str, list[tuple[int, int]]]  # "alarm", "trouble": first unit of the curve's WIDTH, and how many


def listed(events: Path, training: TrainingScores, start: float, end: float, still_on: Event | None = None) -> Listed:
    """Reads events.csv in one pass. start, end: seconds that the curve spans. still_on: an alarm that has not ended."""
    marks = {kind: np.zeros(WIDTH, bool) for kind in ("alarm", "trouble")}
    across, rows, count, seconds = WIDTH / ((end - start) or 1.0), [], 0, 0.0
    alarms, last, worst, cut = [], None, None, None
    with events.open(newline="", encoding="utf-8") as file:
        going_on = [replace(still_on, note="still on").row] if still_on else []
        for count, row in enumerate(chain(csv.DictReader(file), going_on), start=1):
            begun, ended = float(row["start"]), float(row["end"])
            from_unit = min(max(int((begun - start) * across), 0), WIDTH - 1)
            kind = "alarm" if row["kind"] == "alarm" else "trouble"
            marks[kind][from_unit : max(from_unit + 1, int((ended - start) * across))] = True
            row["lasts"] = lasting(ended - begun)
            row["peak"] = row["peak"] and f"{training.normalise(float(row['peak'])):.2f}"
            if kind == "alarm":
                seconds, last, alarms = seconds + ended - begun, row, [*alarms, row][:FEW]
                worst = row if worst is None or float(row["peak"]) > float(worst["peak"]) else worst
            cut = row if row["kind"] == "cut" else cut
            if count <= LISTED:
                rows.append(row)
    shaded = {kind: _stretches(mark) for kind, mark in marks.items()}
    rows.sort(key=lambda row: float(row["start"]))  # an alarm is written when it ends
    return Listed(rows, max(0, count - LISTED), seconds, alarms, last, worst, cut, shaded)


def _stretches(marks: np.ndarray) -> list[tuple[int, int]]:
    """(first, length) of the True stretches of a row of flags."""
    turns = np.flatnonzero(np.diff(marks.astype(np.int8), prepend=0, append=0)).tolist()
    return [(first, after - first) for first, after in zip(turns[::2], turns[1::2], strict=True)]
