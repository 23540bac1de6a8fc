"""The page of a scored video: what it shows, gathered in constant memory while the footage comes (ours)."""

import csv
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from maam_lib.detector import TrainingScores

MOMENTS = 12  # pictures on the page
APART = 5.0  # seconds between two of them, at least
BINS = 600  # of the curve
LISTED = 200  # events in the table; all of them are in events.csv
WIDTH, HEIGHT = 1000, 160  # of the curve, in its own units


class Envelope:
    """The largest score of each of at most 2 * BINS equal stretches of frames; stretches double as frames come."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.stretch = 1  # frames per value
        self._filled = 0

    def add(self, score: float) -> None:
        if self._filled == 0:
            self.values.append(score)
        self.values[-1] = max(self.values[-1], score)
        self._filled = (self._filled + 1) % self.stretch
        if len(self.values) == 2 * BINS and self._filled == 0:
            self.values = [max(pair) for pair in zip(self.values[::2], self.values[1::2], strict=True)]
            self.stretch *= 2


class Moment(NamedTuple):
    """A frame of high score."""

    score: float
    frame: int
    time: float
    picture: bytes  # JPEG

    @property
    def said(self) -> str:
        return f"{clock(self.time)}, frame {self.frame}: score {self.score:.2f}"

    @property
    def base64(self) -> str:
        return b64encode(self.picture).decode("ascii")


class WorstMoments:
    """The highest-scored moments, at least APART seconds from each other; at most MOMENTS pictures are kept."""

    def __init__(self) -> None:
        self._kept: list[Moment] = []

    def add(self, score: float, frame: int, time: float, picture: Callable[[], bytes]) -> None:
        """One scored frame; its picture is asked for only where it is kept."""
        rivals = [moment for moment in self._kept if time - moment.time < APART]
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
    """Seconds as h:mm:ss.s; whole days in front."""
    tenths = round(10 * seconds)
    return f"{timedelta(seconds=tenths // 10)}.{tenths % 10}"


def svg_curve(values: Sequence[float], level: float) -> dict[str, object]:
    """The curve and the threshold as SVG draws them, in WIDTH x HEIGHT units."""
    top, bottom = max(1.1 * level, 1.0, *values), min(0.0, level, *values)

    def y(score: float) -> float:
        return round(HEIGHT - (score - bottom) / (top - bottom) * HEIGHT, 1)

    step = WIDTH / max(1, len(values) - 1)
    points = " ".join(f"{i * step:.1f},{y(value)}" for i, value in enumerate(values))
    return {"width": WIDTH, "height": HEIGHT, "points": points, "level": y(level)}


def listed(events: Path, training: TrainingScores) -> tuple[list[dict[str, str]], int]:
    """The first LISTED rows of events.csv, their peaks on the page's scale, and how many rows there are more."""
    with events.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        first = list(islice(rows, LISTED))
        for row in first:
            row["peak"] = row["peak"] and f"{training.normalise(float(row['peak'])):.2f}"
        return first, sum(1 for _ in rows)
