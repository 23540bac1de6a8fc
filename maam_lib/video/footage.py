"""Frames as they come: from a video file, a folder of frames, a camera or a stream address, with all that goes wrong.

Nothing is kept but the frame before. Trouble is told as an `Event` between the frames and survived where it can be.
"""

import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from data_prep.clip import SourceError
from data_prep.frames import (
    Break,
    Pictures,
    Scale,
    Shown,
    Video,
    clips_in,
    colour_pictures,
    decoded,
    listed,
    open_file,
    open_stream,
    picture_folder,
    quiet_opencv,
    scale_of,
)
from data_prep.words import counted
from maam_lib.detector import DetectionError
from maam_lib.video.addresses import without_secrets
from maam_lib.video.events import Event
from maam_lib.video.trouble import Footage, Frame

DEFAULT_RATE = 25.0  # frames per second, where the source does not say
TIMEOUT = 10.0  # seconds that opening or reading a stream may take
LONGEST_WAIT = 30.0  # seconds between two tries to get a stream back
Wait = Callable[[float], object]


def open_footage(
    where: str | Path, *, frame_rate: float | None = None, patience: float = 600.0, wait: Wait = time.sleep
) -> Footage:
    """Open a video file, a folder of pictures, a camera ("0") or a stream ("rtsp://..."), its first frames read.

    frame_rate: of a folder, or in place of what a video says. patience: seconds that a lost camera or stream is tried
    again for, pausing by `wait` 1, 2, 4 ... at most 30 seconds. Gray becomes three equal channels, an alpha channel
    is left out.

    Raises DetectionError for what is not there, cannot be read, or has fewer than two frames.
    """
    path, text = Path(where), str(where)
    if re.fullmatch(r"\d+", text) and not path.exists():
        return _open_camera(int(text), frame_rate, patience, wait)
    if "://" in text:
        return _open_stream(text, frame_rate, patience, wait)
    if not path.exists():
        raise DetectionError(
            f"{path}: no such file; expected a video, a folder of frames, a camera's number or rtsp://"
        )
    try:
        if path.is_dir():
            if clips := clips_in(path):
                raise DetectionError(
                    f"{path}: no images in this folder, but {listed([clip.name for clip in clips])}. Give one video or "
                    f"one folder of frames, such as {clips[0]}; only --normal takes several at once"
                )
            return _open_folder(path, frame_rate)
        return _recorded(text, open_file(path, threads=0), frame_rate)
    except SourceError as error:
        raise DetectionError(str(error)) from error


def open_normal(where: str | Path, *, frame_rate: float | None = None) -> Iterator[Footage]:
    """Normal footage: what `open_footage` opens, or each clip of a folder of videos or of folders of frames in turn.

    Raises as `open_footage` does, for a clip when its turn has come.
    """
    path = Path(where)
    try:
        clips = clips_in(path)
    except SourceError as error:
        raise DetectionError(str(error)) from error
    for clip in clips or [where]:
        yield open_footage(clip, frame_rate=frame_rate)


# Folders


def _open_folder(folder: Path, frame_rate: float | None) -> Footage:
    pictures = picture_folder(folder)
    scale = scale_of(_decodable(pictures))
    rate = frame_rate or DEFAULT_RATE
    notes = [] if frame_rate else [f"taken as {counted(rate, 'frame')} per second; --frame-rate changes that"]
    notes += [*pictures.notes_on_frames, *([str(scale)] if scale else [])]
    announced = sum(max(pages, 1) for pages in pictures.pages)
    return _begun(str(folder), rate, notes, _folder_frames(pictures, scale, rate), announced)


def _decodable(pictures: Pictures) -> Iterator[np.ndarray]:
    """The pictures as they are stored, but those that cannot be decoded."""
    for path, count in zip(pictures.paths, pictures.pages, strict=True):
        with suppress(SourceError):
            yield from decoded(path, count)


def _folder_frames(pictures: Pictures, scale: Scale | None, rate: float) -> Generator[Frame]:
    """The pictures in their order; where some are missing or unreadable, the next one does not follow."""
    places = pictures.counter or tuple(range(len(pictures.paths)))
    step = min((b - a for a, b in pairwise(places)), default=1)
    number, due, pages_before, why = 0, places[0], 1, ""
    for place, path, pages in zip(places, pictures.paths, pictures.pages, strict=True):
        missing = (place - due) // step
        number += missing * pages_before
        after = number + max(pages, 1)
        why = why or (f"{missing} missing before {path.name}" if missing else "")
        try:
            for pixels in colour_pictures((path,), (pages,), scale):
                yield Frame(number, number / rate, pixels, time.monotonic(), follows=not why, note=why)
                number, why = number + 1, ""
        except SourceError as error:
            reason = str(error).removeprefix(f"{path}: ").partition(";")[0].partition(" (")[0]
            why = why or f"{path.name} {reason}"
        number, due, pages_before = after, place + step, max(pages, 1)


# Video files


def _recorded(name: str, video: Video, frame_rate: float | None) -> Footage:
    notes: list[str] = []
    return _begun(name, frame_rate or video.frame_rate, notes, _file_frames(video, frame_rate, notes), video.expected)


def _file_frames(video: Video, frame_rate: float | None, notes: list[str]) -> Generator[Frame | Event]:
    """The frames of a file at its own times, or by the rate that was asked for; an event where it stops early.

    Frames that cannot be decoded keep their numbers; the next frame that can says why they are missing.
    """
    number, last, broken = 0, 0.0, ""
    try:
        for item in video.shown():
            if isinstance(item, Break):
                broken = broken or item.why
                number += 0 if item.at_end else item.lost
                continue
            last = number / frame_rate if frame_rate else item.time
            yield Frame(number, last, item.pixels, time.monotonic(), follows=not broken, note=broken)
            number, broken = number + 1, ""
    finally:
        video.close()
    if broken:
        why = f"decoding stops after {counted(number, 'frame')}: {broken}"
        notes.append(why)
        yield Event("cut", number, number, last, last, note=why)
    facts = video.facts
    notes += (replace(facts, shortest=0.0, longest=0.0) if frame_rate else facts).notes


# Cameras and streams

# Frames uint8 (H, W, 3) RGB, and why some before one are missing; ends where the source is lost or cannot be opened.
Live = Generator[tuple[np.ndarray, str]]


def _open_camera(number: int, frame_rate: float | None, patience: float, wait: Wait) -> Footage:
    capture = open_camera(number)
    if capture is None:
        raise DetectionError(f"camera {number}: cannot be opened; is it plugged in, and not in use by another program?")
    said = capture.get(cv2.CAP_PROP_FPS)
    rate = frame_rate or (said if 0 < said <= 1000 else None)
    frames = _live_frames(_camera_frames(capture), lambda: _camera_frames(open_camera(number)), patience, wait)
    return _begun(f"camera {number}", rate, [], frames, is_live=True)


def open_camera(number: int) -> cv2.VideoCapture | None:
    """A camera of this machine opened for reading; None where it cannot be."""
    with quiet_opencv():
        capture = cv2.VideoCapture(number)
    return capture if capture.isOpened() else None


def _camera_frames(capture: cv2.VideoCapture | None) -> Live:
    if capture is None:
        return
    try:
        while (read := capture.read())[0]:
            yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB), ""
    finally:
        capture.release()


def _open_stream(address: str, frame_rate: float | None, patience: float, wait: Wait) -> Footage:
    name = without_secrets(address)
    try:
        video = open_stream(address, TIMEOUT)
    except SourceError as error:
        raise DetectionError(f"{name}: {error}") from None  # FFmpeg's own error repeats the address
    if video.expected is not None:
        return _recorded(name, video, frame_rate)

    def again() -> Live:
        with suppress(SourceError):
            yield from _stream_frames(open_stream(address, TIMEOUT))

    frames = _live_frames(_stream_frames(video), again, patience, wait)
    return _begun(name, frame_rate or video.frame_rate, [], frames, is_live=True)


def _stream_frames(video: Video) -> Live:
    why = ""
    try:
        for item in video.shown():
            if isinstance(item, Shown):
                yield item.pixels, why
                why = ""
            else:
                why = item.why
    finally:
        video.close()


def _live_frames(source: Live, again: Callable[[], Live], patience: float, wait: Wait) -> Generator[Frame | Event]:
    """Frames by the clock; a stream that breaks off is opened again, and is over when that fails for too long."""
    number, began, last, lost, pause = 0, time.monotonic(), 0.0, None, 1.0
    try:
        while True:
            item = next(source, None)
            arrived = time.monotonic()
            now = arrived - began
            if item is not None:
                if lost is not None:
                    lost.last, lost.end, lost.note = number, now, "came back"
                    yield lost
                pixels, why = item
                yield Frame(number, now, pixels, arrived, follows=lost is None and not why, note=why)
                number, last, lost = number + 1, now, None
                continue
            if lost is None:
                lost, pause = Event("lost", number, number, last, now), 1.0
            elif now - lost.start > patience:
                lost.end, lost.note = now, f"did not come back within {patience:g} s"
                yield lost
                return
            wait(pause)
            pause, source = min(2 * pause, LONGEST_WAIT), again()
    finally:
        source.close()


# What every source has in common


def _begun(
    name: str,
    rate: float | None,
    notes: list[str],
    frames: Generator[Frame | Event],
    announced: int | None = None,
    is_live: bool = False,
) -> Footage:
    """Footage whose first two frames are known to be there. rate: frames per second, where the source or user says."""
    if rate is None:
        notes.append(f"states no frame rate; taken as {DEFAULT_RATE:g} per second")
    head: list[Frame | Event] = []
    found: list[Frame] = []
    with quiet_opencv():
        while len(found) < 2 and (item := next(frames, None)) is not None:
            head.append(item)
            if isinstance(item, Frame):
                found.append(item)
    if len(found) < 2:
        why = next((f" ({item.note})" for item in head if isinstance(item, Event) and item.note), "")
        raise DetectionError(
            f"{name}: {counted(len(found), 'frame')} can be decoded{why}, expected 2 or more: a frame is "
            "scored together with its flow to the next"
        )
    return Footage(name, is_live, rate or DEFAULT_RATE, announced, found[0].pixels.shape[:2], notes, frames, head)
