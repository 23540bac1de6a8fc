"""Footage as its frames, and the trouble that shows between them: gaps, other resolutions, frozen pictures."""

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

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
    _head: Sequence[Frame | Event] = ()  # read before the others
    _last: Frame | None = None  # that came so far; None once the end has come

    def __iter__(self) -> Iterator[Frame | Event]:
        try:
            for item in watched(chain(self._head, self._frames), self._longest_step):
                self._last = item if isinstance(item, Frame) else self._last
                yield item
            self._last = None
        finally:
            self._frames.close()

    @property
    def _longest_step(self) -> float:
        """Seconds between two frames; more is a gap."""
        return max(GAP, 5 / self.frame_rate)

    def lost(self) -> Event | None:
        """The event of a live source that is silent now, while someone still waits for it; None where it is not."""
        last = self._last
        if not self.is_live or last is None:
            return None
        silent = time.monotonic() - last.arrived
        if silent <= self._longest_step:
            return None
        note = "had not come back when it was stopped"
        return Event("lost", last.number + 1, last.number + 1, last.time, last.time + silent, note=note)


def watched(frames: Iterable[Frame | Event], longest_step: float) -> Iterator[Frame | Event]:
    """The same frames and events, with gaps, other resolutions and frozen pictures told too."""
    before: Frame | None = None
    frozen: Event | None = None
    for item in chain(frames, [None]):  # None: the end
        if isinstance(item, Event):
            yield item
            continue
        if before is not None and item is not None and _equal(item.pixels, before.pixels):
            frozen = frozen or Event("frozen", before.number, before.number, before.time, before.time)
            frozen.last, frozen.end = item.number, item.time
        elif frozen is not None:
            if frozen.end - frozen.start >= FROZEN:
                yield frozen
            frozen = None
        if before is not None and item is not None and (trouble := _between(before, item, longest_step)):
            yield trouble
            item = replace(item, follows=False)
        if item is not None:
            yield item
        before = item


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


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two frames are the same; a coarse look first, since they hardly ever are."""
    return np.array_equal(a[::8, ::8], b[::8, ::8]) and np.array_equal(a, b)
