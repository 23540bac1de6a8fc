"""What a video shows while it is decoded: pictures, breaks, and what a user should know of it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np

HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}  # ITU-T H.273, transfer characteristics


@dataclass(frozen=True)
class Shown:
    """A picture of the video."""

    time: float  # seconds from the first frame
    pixels: np.ndarray  # uint8 (H, W, 3) RGB


@dataclass(frozen=True)
class Break:
    """Frames are missing: they cannot be decoded or converted, or the file ends too early.

    After damage all is left out up to the next key frame, since what follows is built on damaged frames.
    """

    time: float  # seconds from the first frame, of the last frame before
    frames: int  # that came before
    lost: int  # frames or packets left out, at least
    why: str
    remedy: str
    at_end: bool = False  # no frame follows


@dataclass
class VideoFacts:
    """What was seen of a video so far."""

    rate: float  # frames per second, where time stamps are absent or do not grow
    pixel_aspect: float  # width of a pixel by its height
    num_frames: int = 0
    first: float = 0.0  # seconds, the time stamp of the first frame
    last: float = 0.0  # seconds from the first frame to the last one
    shortest: float = math.inf  # milliseconds from one frame to the next
    longest: float = 0.0
    interlaced: int = 0  # frames
    transfer: str = ""  # of high dynamic range

    def with_times(self, frames: list[av.VideoFrame]) -> Iterator[tuple[av.VideoFrame, float]]:
        """Frames with their times, in seconds from the first one, which always grow."""
        for frame in frames:
            if self.num_frames == 0:
                self.first = frame.time or 0.0
            else:
                now = -1.0 if frame.time is None else frame.time - self.first
                now = now if now > self.last else self.last + 1 / self.rate
                step, self.last = 1000 * (now - self.last), now
                self.shortest, self.longest = min(self.shortest, step), max(self.longest, step)
            self.num_frames += 1
            self.interlaced += frame.interlaced_frame
            self.transfer = HIGH_DYNAMIC_RANGE.get(int(frame.color_trc), self.transfer)
            yield frame, self.last

    @property
    def varies(self) -> bool:
        """Whether the frame rate varies, by more than the rounding of time stamps to milliseconds."""
        return self.longest > 1.1 * self.shortest and self.longest - self.shortest > 2

    @property
    def notes(self) -> list[str]:
        """What a user should know of it."""
        notes = []
        if self.varies:
            notes.append(
                f"the frame rate varies ({self.shortest:.0f} to {self.longest:.0f} ms from frame to frame); flow is "
                "per frame, whatever its duration"
            )
        if self.interlaced:
            notes.append(f"{self.interlaced} of {self.num_frames} frames are interlaced, and were deinterlaced")
        if self.pixel_aspect != 1:
            notes.append(
                f"its pixels are {self.pixel_aspect:.3g} times as wide as high; frames are taken pixel by pixel"
            )
        if self.transfer:
            notes.append(f"its brightness is coded for high dynamic range ({self.transfer}); it is taken as it is")
        return notes
