"""Frames as they come: from a video file, a folder of frames, a camera or a stream address, with all that goes wrong.

Nothing is kept but the frame before. Trouble is told as an `Event` between the frames and survived where it can be.
"""

import math
import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from data_prep.clip import SourceError
from data_prep.frames import IMAGE_SUFFIXES, VideoFacts
from data_prep.videos import numbered_images
from maam_lib.detector import DetectionError
from maam_lib.events import Event
from maam_lib.trouble import Frame, watched

DEFAULT_RATE = 25.0  # frames per second, where the source does not say
TIMEOUT = 10_000  # milliseconds that opening or reading a stream may take
LONGEST_WAIT = 30.0  # seconds between two tries to get a stream back
Wait = Callable[[float], object]


@dataclass
class Footage:
    """Opened footage; iterating yields `Frame`s and, between them, `Event`s of trouble, and closes it at its end."""

    name: str
    is_live: bool
    frame_rate: float  # per second
    announced: int | None  # frames in all, by the header or by counting files; None where nobody knows
    size: tuple[int, int]  # of the first frame
    notes: list[str]
    _frames: Generator[Frame | Event]

    def __iter__(self) -> Iterator[Frame | Event]:
        try:
            yield from watched(self._frames, self.frame_rate)
        finally:
            self._frames.close()


def open_footage(
    where: str | Path, *, frame_rate: float | None = None, patience: float = 600.0, wait: Wait = time.sleep
) -> Footage:
    """Open a video file, a folder of numbered images, a camera ("0") or a stream ("rtsp://..."), its first frames read.

    frame_rate: of a folder, or in place of what a video says. patience: seconds that a lost camera or stream is tried
    again for, pausing by `wait` 1, 2, 4 ... at most 30 seconds. Gray becomes three equal channels, an alpha channel
    is left out.

    Raises DetectionError for what is not there, cannot be read, or has fewer than two frames.
    """
    text = str(where)
    if re.fullmatch(r"\d+", text) and not Path(text).exists():
        return _open_capture(int(text), f"camera {text}", frame_rate, patience, wait)
    if "://" in text:
        return _open_capture(text, re.sub("//[^/@]*@", "//", text), frame_rate, patience, wait)  # no password shown
    path = Path(text)
    if path.is_dir():
        return _open_folder(path, frame_rate)
    if not path.is_file():
        raise DetectionError(
            f"{path}: no such file; expected a video, a folder of frames, a camera's number or rtsp://"
        )
    return _open_capture(text, text, frame_rate, patience, wait)


# Folders


def _open_folder(folder: Path, frame_rate: float | None) -> Footage:
    try:
        numbered = numbered_images(folder, IMAGE_SUFFIXES)
    except SourceError as error:
        raise DetectionError(str(error)) from error
    rate = frame_rate or DEFAULT_RATE
    notes = [] if frame_rate else [f"taken as {rate:g} frames per second; --frame-rate says otherwise"]
    return _begun(str(folder), False, rate, len(numbered), notes, _folder_frames(numbered, rate))


def _folder_frames(numbered: list[tuple[int, Path]], rate: float) -> Generator[Frame]:
    """The images in order of their numbers; where some are missing or unreadable, the next one does not follow."""
    step = min((b - a for (a, _), (b, _) in pairwise(numbered)), default=1)
    first, due = numbered[0][0], 0
    damaged: list[str] = []
    for number, path in numbered:
        position = (number - first) // step
        encoded = np.fromfile(path, np.uint8)
        picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
        if picture is None:
            damaged.append(path.name)
            continue
        missing = position - due
        why = f"{damaged[0]} cannot be decoded" if damaged else f"{missing} missing before {path.name}"
        frame = Frame(position, position / rate, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), time.monotonic())
        yield replace(frame, follows=False, note=why) if missing else frame
        due, damaged = position + 1, []


# Videos, cameras, streams


def _open_capture(where: str | int, name: str, frame_rate: float | None, patience: float, wait: Wait) -> Footage:
    capture = open_capture(where)
    if capture is None:
        raise DetectionError(f"{name}: {_why_not(where)}")
    announced = int(min(max(capture.get(cv2.CAP_PROP_FRAME_COUNT), 0), 1e12))
    is_live = isinstance(where, int) or ("://" in where and announced == 0)
    said = capture.get(cv2.CAP_PROP_FPS)
    known = math.isfinite(said) and 0 < said <= 1000
    rate = frame_rate or (said if known else DEFAULT_RATE)
    notes = [] if known or frame_rate else [f"says no frame rate; taken as {rate:g} per second"]
    if is_live:
        frames = _live_frames(capture, where, patience, wait)
    else:
        frames = _file_frames(capture, rate, announced, notes, has_stamps=frame_rate is None)
    return _begun(name, is_live, rate, announced or None, notes, frames)


def open_capture(where: str | int) -> cv2.VideoCapture | None:
    """A camera, stream or file opened for reading; None where it cannot be."""
    with _quiet():
        if isinstance(where, int):
            capture = cv2.VideoCapture(where)
        else:
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT]
            capture = cv2.VideoCapture(where, cv2.CAP_FFMPEG, limits if "://" in where else [])
    return capture if capture.isOpened() else None


def _file_frames(
    capture: cv2.VideoCapture, rate: float, announced: int, notes: list[str], *, has_stamps: bool
) -> Generator[Frame | Event]:
    """The frames of a file, at the times that it gives them or by the rate; an event where it stops early."""
    number, start, last, shortest, longest = 0, 0.0, -1.0, math.inf, 0.0
    try:
        while True:
            decoded, picture = capture.read()
            if not decoded:
                break
            stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 if has_stamps else number / rate
            start = stamp if number == 0 else start
            now = stamp - start
            if now <= last:  # no time stamps, or wrong ones
                now = last + 1 / rate
            elif number:
                shortest, longest = min(shortest, now - last), max(longest, now - last)
            yield Frame(number, now, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), time.monotonic())
            number, last = number + 1, now
    finally:
        capture.release()
    if number < 0.99 * announced - 1:
        note = f"decoding stops after {number} of {announced} frames; was the file cut?"
        yield Event("cut", number, announced - 1, max(last, 0.0), announced / rate, note=note)
    if VideoFacts(number, 1000 * min(shortest, longest), 1000 * longest).varies:
        notes.append(
            f"the frame rate varies ({1000 * shortest:.0f} to {1000 * longest:.0f} ms from frame to frame); flow is "
            "per frame, whatever its duration"
        )


def _live_frames(
    capture: cv2.VideoCapture | None, where: str | int, patience: float, wait: Wait
) -> Generator[Frame | Event]:
    """Frames by the clock; a stream that breaks off is opened again, and is over when that fails for too long."""
    number, began, last, lost, pause = 0, time.monotonic(), 0.0, None, 1.0
    try:
        while True:
            decoded, picture = capture.read() if capture is not None else (False, None)
            arrived = time.monotonic()
            now = arrived - began
            if decoded:
                if lost is not None:
                    lost.last, lost.end, lost.note = number, now, "came back"
                    yield lost
                pixels = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
                yield Frame(number, now, pixels, arrived, follows=lost is None)
                number, last, lost = number + 1, now, None
                continue
            if lost is None:
                lost, pause = Event("lost", number, number, last, now), 1.0
            elif now - lost.start > patience:
                lost.end, lost.note = now, f"did not come back within {patience:g} s"
                yield lost
                return
            if capture is not None:
                capture.release()
            wait(pause)
            pause, capture = min(2 * pause, LONGEST_WAIT), open_capture(where)
    finally:
        if capture is not None:
            capture.release()


def _why_not(where: str | int) -> str:
    if isinstance(where, int):
        return "cannot be opened; is it plugged in, and not in use by another program?"
    if "://" in where:
        return "cannot be opened; is the address right, and does the machine answer?"
    return f"cannot be read as a video ({Path(where).stat().st_size} bytes); convert it: ffmpeg -i IN OUT.mp4"


# What every source has in common


def _begun(
    name: str, is_live: bool, rate: float, announced: int | None, notes: list[str], frames: Generator[Frame | Event]
) -> Footage:
    """Footage whose first two frames are known to be there."""
    head: list[Frame | Event] = []
    with _quiet():
        for item in frames:
            head.append(item)
            if sum(isinstance(seen, Frame) for seen in head) == 2:
                break
    found = [item for item in head if isinstance(item, Frame)]
    if len(found) < 2:
        raise DetectionError(
            f"{name}: {len(found)} frame{'s'[: len(found) != 1]} can be decoded, expected 2 or more: a frame is scored "
            "together with its flow to the next"
        )

    def all_frames() -> Generator[Frame | Event]:
        try:
            yield from head
            yield from frames
        finally:
            frames.close()

    return Footage(name, is_live, rate, announced, found[0].pixels.shape[:2], notes, all_frames())


@contextmanager
def _quiet() -> Iterator[None]:
    """OpenCV's own complaints are left out: the error that follows says it in one line."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
