"""Frames as the sources store them: numbered image files and video files, read one at a time.

Sizes are (height, width); colour frames are RGB.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from data_prep.clip import Clip, SourceError

AGAIN = "unpack or download the source again"
Size = tuple[int, int]


def of_one_size(clips: list[Clip]) -> list[Clip]:
    """The same clips, whose frames and masks must all have the size of the very first frame (ours).

    Their callables take `size`, and raise SourceError for a frame or mask of another one.
    """
    size = next(clips[0].frames()).shape[:2]
    return [with_size(clip, size) for clip in clips]


def with_size(clip: Clip, size: Size) -> Clip:
    """The same clip, whose frames and masks must all be of this size."""
    masks = partial(clip.masks, size=size) if clip.masks else None
    return replace(clip, frames=partial(clip.frames, size=size), masks=masks)


# Image files


def numbered_files(
    folder: Path, suffixes: set[str], num_files: int | None = None, *, first: int = 1
) -> tuple[Path, ...]:
    """Files 001, 002, ... (from `first`) of a folder in order; all else in it is passed over.

    SourceError for a gap, for a number that is there twice, and for more than `num_files`.
    """
    files = _files_by_number(folder, suffixes)
    if not files:
        raise SourceError(f"{folder}: no numbered files in this folder; {AGAIN}")
    count = num_files or max(files) - first + 1
    expected = range(first, first + count)
    missing = [number for number in expected if number not in files]
    if missing:
        template = next(iter(files.values())).name
        name = re.sub(r"\d+", f"{missing[0]:03d}", template)
        raise SourceError(f"{folder / name} is missing ({len(missing)} of {count} files); {AGAIN}")
    if len(files) > count:
        extra = next(files[number] for number in sorted(files) if number not in expected)
        raise SourceError(f"{extra}: expected {count} files, one per frame; {AGAIN}")
    return tuple(files[number] for number in expected)


def _files_by_number(folder: Path, suffixes: set[str]) -> dict[int, Path]:
    files: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        # Three mask folders of Ped2 (6, 9 and 12) call their files frame001.bmp.
        match = re.fullmatch(r"(?:frame)?([0-9]+)", path.stem)
        if match and path.suffix.lower() in suffixes:
            number = int(match[1])
            if number in files:
                raise SourceError(f"{path}: {files[number].name} is there too; remove one of the two")
            files[number] = path
    return files


def check_size(where: str, frame: np.ndarray, size: Size | None) -> None:
    """SourceError where a frame or mask (H, W, ...) is not of the size that the first frame has; None for any."""
    if size is not None and frame.shape[:2] != size:
        raise SourceError(
            f"{where}: {frame.shape[0]}x{frame.shape[1]} pixels, expected {size[0]}x{size[1]} as in the first "
            f"frame; {AGAIN}"
        )


# Video files


@dataclass(frozen=True)
class VideoFacts:
    """What decoding a video to its end shows."""

    num_frames: int
    shortest: float  # milliseconds from one frame to the next
    longest: float

    @property
    def varies(self) -> bool:
        """Whether the frame rate varies, by more than the rounding of time stamps to milliseconds."""
        return self.longest > 1.1 * self.shortest and self.longest - self.shortest > 2


def announced_frames(path: Path) -> int:
    """Frames of a video as its header announces them; SourceError where it cannot be read as video."""
    with _opened(path) as video:
        return int(video.get(cv2.CAP_PROP_FRAME_COUNT))


def survey_video(path: Path) -> VideoFacts:
    """Decode a video to its end, keeping nothing (ours).

    Raises SourceError for what is no video, holds no frame, or ends before 99 % of the frames that its header
    announces (some containers only estimate their number, so a few more or less are accepted).
    """
    stamps = []
    with _opened(path) as video:
        announced = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        while video.grab():
            stamps.append(video.get(cv2.CAP_PROP_POS_MSEC))
    if not stamps or len(stamps) < 0.99 * announced - 1:
        raise _stops_early(path, len(stamps), announced)
    steps = np.diff(stamps) if len(stamps) > 1 else np.zeros(1)
    return VideoFacts(len(stamps), float(steps.min()), float(steps.max()))


def video_frames(path: Path, num_frames: int, size: Size | None = None) -> Iterator[np.ndarray]:
    """The frames of a video, each uint8 (H, W, 3) RGB.

    Raises SourceError where decoding ends before `num_frames`, or for a frame of another size.
    """
    found = 0
    with _opened(path) as video:
        while True:
            decoded, frame = video.read()
            if not decoded:
                break
            found += 1
            check_size(f"{path}, frame {found}", frame, size)
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    if found < num_frames:
        raise _stops_early(path, found, num_frames)


@contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    """A video opened for reading, on one thread: clips are prepared side by side."""
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    try:
        if not video.isOpened():
            raise SourceError(
                f"{path}: cannot be read as a video ({path.stat().st_size} bytes); {AGAIN}, or convert it: "
                "ffmpeg -i IN OUT.mp4"
            )
        yield video
    finally:
        video.release()


def _stops_early(path: Path, found: int, announced: int) -> SourceError:
    return SourceError(
        f"{path}: decoding stops after {found} of {announced} frames; was the file cut? Download or copy it again"
    )
