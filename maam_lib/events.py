"""From scores that come one by one to events: alarms, and what went wrong with the footage. Constant memory."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Box = tuple[int, int, int, int]  # x, y, width, height in pixels of the source
Kind = Literal["alarm", "gap", "frozen", "resized", "lost", "cut", "behind"]

SHORTEST = 0.2  # seconds that the score must stay at the threshold before it is an alarm
QUIET = 1.0  # seconds below the threshold that end an alarm


@dataclass
class Event:
    """Something that began and ended: an alarm, or trouble with the footage.

    kind: "alarm"; "gap" (frames are missing in the source), "frozen" (the same picture again and again), "resized"
    (another resolution from here on), "lost" (the stream broke off, and came back or did not), "cut" (decoding stops
    before the video's announced end), "behind" (frames not scored: the camera is faster than this machine).
    """

    kind: Kind
    first: int  # frame
    last: int
    start: float  # seconds
    end: float
    peak_frame: int | None = None  # where the score was highest; of alarms
    peak: float | None = None  # fused score there
    where: Box | None = None  # of the largest abnormal region there
    note: str = ""


COLUMNS = ("kind", "start", "end", "first_frame", "last_frame", "peak", "peak_frame", "x", "y", "width", "height",
           "note")  # fmt: skip


class EventFile:
    """events.csv, one line per event that has ended, each on the disk as soon as it is written."""

    def __init__(self, path: Path):
        self._file = path.open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)
        self._file.flush()

    def write(self, event: Event) -> None:
        box = ("", "", "", "") if event.where is None else event.where
        peak = ("", "") if event.peak is None else (f"{event.peak:.6g}", event.peak_frame)
        span = (f"{event.start:.3f}", f"{event.end:.3f}", event.first, event.last)
        self._rows.writerow((event.kind, *span, *peak, *box, event.note))
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Alarms:
    """Turns scores into alarms, causally (ours): one begins once the score has stayed at the threshold for `shortest`
    frames in a row, counted from the first of them, and ends once it has stayed below for `quiet` frames."""

    def __init__(self, threshold: float, frame_rate: float):
        self.threshold = threshold
        self.shortest = shortest_alarm(frame_rate)
        self.quiet = max(1, round(QUIET * frame_rate))
        self._event: Event | None = None
        self._above = self._below = 0

    @property
    def on(self) -> bool:
        """Whether an alarm is on, as far as is known at the last frame given."""
        return self._event is not None and self._above >= self.shortest

    def add(self, frame: int, time: float, score: float, where: Callable[[], Box | None]) -> Event | None:
        """One scored frame; returns the alarm that ended with it. `where` is asked only at a new peak."""
        if score >= self.threshold:
            self._below = 0
            self._above += not self.on
            event = self._event = self._event or Event("alarm", frame, frame, time, time)
            event.last, event.end = frame, time
            if event.peak is None or score > event.peak:
                event.peak_frame, event.peak, event.where = frame, float(score), where()
            return None
        self._below += 1
        if not self.on:
            self._event, self._above = None, 0
            return None
        return self.finish() if self._below >= self.quiet else None

    def finish(self) -> Event | None:
        """End what is on, as where the footage ends or breaks; returns the alarm, if one was on."""
        event = self._event if self.on else None
        self._event, self._above, self._below = None, 0, 0
        return event


def shortest_alarm(frame_rate: float) -> int:
    """Frames in a row at the threshold that make an alarm."""
    return max(1, round(SHORTEST * frame_rate))
