"""From scores that come one by one to events: alarms, and what went wrong with the footage. Constant memory."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maam_lib.detector import SHORTEST

Box = tuple[int, int, int, int]  # see BOX: in pixels of the source
Kind = Literal["alarm", "gap", "frozen", "resized", "lost", "cut", "behind"]
BOX = ("x", "y", "width", "height")
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

    @property
    def row(self) -> dict[str, str]:
        """Its line of events.csv."""
        peak = "" if self.peak is None else f"{self.peak:.6g}"
        where = self.where or ("",) * len(BOX)
        span = (f"{self.start:.3f}", f"{self.end:.3f}", self.first, self.last)
        values = (self.kind, *span, peak, "" if self.peak_frame is None else self.peak_frame, *where, self.note)
        return dict(zip(COLUMNS, map(str, values), strict=True))


COLUMNS = ("kind", "start", "end", "first_frame", "last_frame", "peak", "peak_frame", *BOX, "note")


class EventFile:
    """events.csv, one line per event that has ended, each on the disk as soon as it is written."""

    def __init__(self, path: Path):
        self._file = path.open("w", buffering=1, newline="", encoding="utf-8")  # 1: each line at once
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)

    def write(self, event: Event) -> None:
        self._rows.writerow(event.row.values())

    def close(self) -> None:
        self._file.close()


class Alarms:
    """Turns scores into alarms by time, causally (ours).

    A scored frame lasts until the next frame of the footage, which has come before it is scored. An alarm begins once
    frames in a row at the threshold last SHORTEST seconds, counted from the first of them; it ends once frames in a
    row below it last QUIET seconds. Both are met to the nearest frame: by as many frames as come closest to so many
    seconds at the mean length of those in the row, and by at least one. At a constant rate r these are
    round(SHORTEST * r) and round(QUIET * r) frames. Time of which no frame is scored (passed over, or a gap) counts
    for neither; `finish` ends all at a gap.
    """

    def __init__(self, threshold: float):
        self.threshold = threshold
        self.on = False  # whether an alarm is on, as far as is known at the last frame given
        self._event: Event | None = None
        self._above, self._below = _Row(), _Row()

    def add(self, frame: int, time: float, until: float, score: float, where: Callable[[], Box | None]) -> Event | None:
        """One scored frame, shown from `time` to `until` in seconds; returns the alarm that ended with it.

        `where` is asked only at a new peak.
        """
        if score >= self.threshold:
            self._below = _Row()
            self._above.add(until - time)
            self.on = self.on or self._above.lasts(SHORTEST)
            event = self._event = self._event or Event("alarm", frame, frame, time, time)
            event.last, event.end = frame, time
            if event.peak is None or score > event.peak:
                event.peak_frame, event.peak, event.where = frame, float(score), where()
            return None
        self._below.add(until - time)
        if not self.on:
            self._event, self._above = None, _Row()
            return None
        return self.finish() if self._below.lasts(QUIET) else None

    @property
    def current(self) -> Event | None:
        """The alarm that is on, up to the last frame given."""
        return self._event if self.on else None

    def finish(self) -> Event | None:
        """End what is on, as where the footage ends or breaks; returns the alarm, if one was on."""
        event = self.current
        self.on, self._event, self._above, self._below = False, None, _Row(), _Row()
        return event


@dataclass
class _Row:
    """Frames in a row, and how long they last together."""

    frames: int = 0
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.frames += 1
        self.seconds += seconds

    def lasts(self, wanted: float) -> bool:
        """Whether these are as many frames as come closest to the wanted seconds, or more.

        To a tenth of a frame first: stamps in whole milliseconds, as Matroska has them, decide nothing.
        """
        if self.seconds <= 0:
            return False
        return self.frames >= max(1, round(round(wanted * self.frames / self.seconds, 1)))
