"""Frames of footage, and the trouble that shows between them: gaps, other resolutions, frozen pictures."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from maam_lib.video.events import Event

GAP = 1.0  # seconds between two frames that are a gap, where five frames' time is not longer
FROZEN = 2.0  # seconds of one and the same picture that are a frozen camera


@dataclass(frozen=True)
class Frame:
    """One frame of the footage."""

    number: int  # counted from 0
    time: float  # seconds from the first frame; of a camera or stream by the clock
    pixels: np.ndarray  # uint8 (H, W, 3) RGB
    arrived: float  # seconds of the monotonic clock
    follows: bool = True  # directly on the frame before: only then is there flow from that one to this
    note: str = ""  # why it does not


def watched(frames: Iterator[Frame | Event], frame_rate: float) -> Iterator[Frame | Event]:
    """The same frames and events, with gaps, other resolutions and frozen pictures told too."""
    longest_step = max(GAP, 5 / frame_rate)
    before: Frame | None = None
    frozen: Event | None = None
    for item in frames:
        if isinstance(item, Event):
            yield item
            continue
        if before is not None:
            same = item.pixels.shape == before.pixels.shape and _equal(item.pixels, before.pixels)
            if same:
                frozen = frozen or Event("frozen", before.number, before.number, before.time, before.time)
                frozen.last, frozen.end = item.number, item.time
            elif frozen is not None:
                yield from _if_long(frozen)
                frozen = None
            trouble = _between(before, item, longest_step)
            if trouble is not None:
                yield trouble
                item = replace(item, follows=False)
        yield item
        before = item
    if frozen is not None:
        yield from _if_long(frozen)


def _between(before: Frame, frame: Frame, longest_step: float) -> Event | None:
    """The gap or the change of size between two frames, if there is one."""
    span = (before.number, frame.number, before.time, frame.time)
    if frame.note:
        return Event("gap", *span, note=frame.note)
    if frame.follows and frame.time - before.time > longest_step:
        return Event("gap", *span, note=f"{frame.time - before.time:.1f} s without a frame")
    old, new = before.pixels.shape, frame.pixels.shape
    if old != new:
        return Event("resized", *span, note=f"{old[0]}x{old[1]} became {new[0]}x{new[1]}")
    return None


def _if_long(frozen: Event) -> list[Event]:
    return [frozen] if frozen.end - frozen.start >= FROZEN else []


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two frames of one shape are the same; a coarse look first, since they hardly ever are."""
    return bool((a[::8, ::8] == b[::8, ::8]).all()) and np.array_equal(a, b)
